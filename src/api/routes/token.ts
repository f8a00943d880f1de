import * as z from 'zod';
import { assertNever, toFault } from '../../core/fault.ts';
import type { FaultCode } from '../../core/fault.ts';
import { HttpRefusal } from '../problem.ts';
import { nothing, ok, route } from '../route.ts';
import type { Answer, Call } from '../route.ts';
import * as schema from '../schema.ts';
import { counted } from '../sign-in.ts';
import type { FailureLimiter } from '../sign-in.ts';

/**
 * Token exchange, RFC 8693: an OIDC token in, a gateway token for one target out. `audience` names the target. Errors are worded as
 * RFC 6749 section 5.2 demands. Stricter than the RFC: a parameter that is repeated or not known is refused, as it would change
 * nothing here while the client believes that it did.
 */
export function tokenRoutes(limiter: FailureLimiter) {
  return [
    route({
      method: 'POST',
      path: '/oauth/token',
      summary: 'Exchange an OIDC token for a short-lived gateway token bound to one target (RFC 8693)',
      access: 'open',
      params: nothing,
      query: nothing,
      body: z.instanceof(URLSearchParams),
      bodyType: 'application/x-www-form-urlencoded',
      result: schema.issuedToken,
      handle: async (call) => await exchange(call, limiter),
    }),
  ];
}

/** Form of the request as the OpenAPI document shows it; checked by hand below, because each mistake has its own error code. */
export const exchangeForm = z.strictObject({
  grant_type: z.literal('urn:ietf:params:oauth:grant-type:token-exchange'),
  subject_token: z.string(),
  subject_token_type: z.enum([
    'urn:ietf:params:oauth:token-type:jwt',
    'urn:ietf:params:oauth:token-type:id_token',
    'urn:ietf:params:oauth:token-type:access_token',
  ]),
  audience: z.string().min(1).max(200).describe('name of the target'),
  requested_token_type: z.literal('urn:ietf:params:oauth:token-type:access_token').optional(),
});

/** An error answer of the token endpoint; `error` is from RFC 6749 section 5.2 or RFC 8693 section 2.2.2. */
export class TokenRefusal extends HttpRefusal {
  readonly error: string;

  constructor(status: number, error: string, description: string, headers: Readonly<Record<string, string>> = {}) {
    super(status, error, description, { headers });
    this.error = error;
  }
}

async function exchange(call: Call<unknown, unknown, URLSearchParams>, limiter: FailureLimiter): Promise<Answer<schema.IssuedToken>> {
  const form = parseForm(call.body);
  limiter.check(call.peer);
  const request = { subjectToken: form.subject_token, target: form.audience, peer: call.peer };
  let issued;
  try {
    issued = await counted(call.context, limiter, call.peer, () => call.context.identity.exchange(request), form.audience);
  } catch (error) {
    const fault = toFault(error);
    const [status, code] = tokenError(fault.code);
    if (status >= 500) call.context.report('token exchange', error);
    throw new TokenRefusal(status, code, fault.publicMessage, status === 503 ? { 'retry-after': '1' } : {});
  }
  return ok({
    access_token: issued.token,
    issued_token_type: 'urn:ietf:params:oauth:token-type:access_token' as const,
    token_type: 'Bearer' as const,
    expires_in: Math.max(0, Math.floor((issued.expiresAtMs - Date.now()) / 1000)),
    credential_id: issued.id,
    target: form.audience,
    connection: { ...issued.connection },
  });
}

function parseForm(body: URLSearchParams): z.output<typeof exchangeForm> {
  const names = [...body.keys()];
  const repeated = names.find((name, index) => names.indexOf(name) !== index);
  if (repeated !== undefined) throw new TokenRefusal(400, 'invalid_request', 'a parameter is repeated');
  if (body.get('grant_type') !== exchangeForm.shape.grant_type.value) {
    throw new TokenRefusal(400, 'unsupported_grant_type', 'grant_type must be urn:ietf:params:oauth:grant-type:token-exchange');
  }
  const parsed = exchangeForm.safeParse(Object.fromEntries(body));
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  const where = issue?.code === 'unrecognized_keys' ? issue.keys.join(', ') : issue?.path.join('.');
  const what = issue?.code === 'unrecognized_keys' ? 'is not supported here' : 'is missing or not acceptable';
  throw new TokenRefusal(400, 'invalid_request', `${printable(where ?? 'the request')} ${what}`);
}

function tokenError(code: FaultCode): readonly [number, string] {
  switch (code) {
    case 'authentication-failed':
      return [400, 'invalid_grant'];
    case 'access-denied':
    case 'policy-denied':
    case 'target-unknown':
      return [400, 'invalid_target'];
    case 'limit-exceeded':
      return [429, 'invalid_request'];
    case 'audit-unavailable':
    case 'policy-unavailable':
    case 'shutting-down':
      return [503, 'temporarily_unavailable'];
    case 'session-ended':
    case 'unclassified':
    case 'masking-refused':
    case 'protocol-violation':
    case 'unsupported':
    case 'encryption-required':
    case 'approval-denied':
    case 'approval-expired':
    case 'approval-cancelled':
    case 'approval-required':
    case 'recording-unavailable':
    case 'upstream-unavailable':
    case 'upstream-refused':
    case 'internal':
      return [500, 'server_error'];
    default:
      return assertNever(code, 'fault code');
  }
}

/** RFC 6749 section 5.2 allows these characters in `error_description`. */
function printable(text: string): string {
  return text.replace(/[^\x20-\x21\x23-\x5B\x5D-\x7E]/g, '?').slice(0, 200);
}
