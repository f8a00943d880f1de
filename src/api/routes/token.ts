import * as z from 'zod';
import type { ExchangeAnswer } from '../../identity/index.ts';
import type { ApiContext } from '../context.ts';
import { recordIssued } from '../evidence.ts';
import { nothing, ok, route } from '../route.ts';
import type { Answer, Call, Route } from '../route.ts';
import * as schema from '../schema.ts';
import { recordRefusal } from '../sign-in.ts';
import type { FailureLimiter } from '../sign-in.ts';

/** Token exchange (RFC 8693); the identity layer reads the form and words the errors, as RFC 6749 section 5.2 demands. */
export function tokenRoutes(limiter: FailureLimiter): readonly Route[] {
  return [
    route({
      method: 'POST',
      path: '/oauth/token',
      summary: 'Exchange an OIDC token for a short-lived gateway token bound to one target (RFC 8693), or bind a key for SSH',
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

/** The form, for the OpenAPI document. */
export const exchangeForm = z.object({
  grant_type: z.literal('urn:ietf:params:oauth:grant-type:token-exchange'),
  subject_token: z.string(),
  subject_token_type: z.enum([
    'urn:ietf:params:oauth:token-type:jwt',
    'urn:ietf:params:oauth:token-type:id_token',
    'urn:ietf:params:oauth:token-type:access_token',
  ]),
  audience: z.string().describe('name of the target'),
  requested_token_type: z.enum(['urn:ietf:params:oauth:token-type:access_token', 'urn:sallyport:token-type:ssh-key']).optional(),
  ssh_public_key: z.string().optional().describe('the line `ssh-ed25519 AAAA…` of a key to bind to the target instead'),
  requested_lifetime: z.string().optional().describe('seconds, fewer than the gateway would give'),
});

async function exchange(call: Call<unknown, unknown, URLSearchParams>, limiter: FailureLimiter): Promise<Answer<schema.IssuedToken>> {
  const { context, peer } = call;
  const target = call.body.get('audience') ?? call.body.get('resource') ?? '';
  limiter.check(peer);
  const { status, body, fault } = await context.identity.exchange(call.body, async (issued) => await recordIssued(context, issued));
  if (fault?.code === 'authentication-failed') {
    limiter.failed(peer);
    recordRefusal(context, { target, peer, code: fault.code, detail: fault.detail });
  }
  if (status === 503) context.report('token exchange', fault);
  const connection = status === 200 ? connectionOf(context, target) : {};
  return ok({ ...body, ...connection } as unknown as schema.IssuedToken, status satisfies ExchangeAnswer['status']);
}

/** Beside the RFC's members: which target it is for, and where a standard client finds it. */
function connectionOf(context: ApiContext, target: string): Partial<schema.IssuedToken> {
  const connection = context.connection(target);
  if (connection === undefined) return { target };
  const { hostKey, ...place } = connection;
  return { target, connection: { ...place, ...(hostKey === undefined ? {} : { host_key: hostKey }) } };
}
