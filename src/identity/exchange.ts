import { GatewayFault, toFault } from '../core/fault.ts';
import type { IssuedCredential } from './issued.ts';
import { parsePublicKeyLine } from './ssh-key-format.ts';

/** Parameters of an `application/x-www-form-urlencoded` body in their order, repeated ones repeated; `URLSearchParams` is one. */
export type FormParameters = Iterable<readonly [name: string, value: string]>;

/** What the token endpoint answers (RFC 8693 section 2.2, RFC 6749 section 5.2). Send `body` as JSON with `Cache-Control: no-store`. */
export interface ExchangeAnswer {
  readonly status: 200 | 400 | 503;
  readonly body: Readonly<Record<string, string | number>>;
  /** Why it was refused, for log and record. */
  readonly fault: GatewayFault | undefined;
}

export interface ExchangeRequest {
  readonly subjectToken: string;
  readonly target: string;
  /** Undefined: as long as allowed. */
  readonly lifetimeMs: number | undefined;
  /** A key for SSH is asked for, not a token: the blob of its public part. */
  readonly sshPublicKey: Uint8Array | undefined;
}

export interface Issued {
  /** The token; of a key for SSH its fingerprint, which opens nothing. */
  readonly credential: string;
  readonly stored: IssuedCredential;
}

/**
 * Token exchange (RFC 8693): an OIDC token for a gateway token, or for the binding of a key for SSH.
 *
 * - `grant_type`, `subject_token` and `subject_token_type` (a JWT, ID token or access token) are required.
 * - `audience` or `resource` is the target's name; both may be given if they are equal, neither twice.
 * - `requested_token_type` may be `…:access_token`, or `urn:sallyport:token-type:ssh-key` together with `ssh_public_key`, a line
 *   `ssh-ed25519 AAAA…`: that key then opens the target by public key authentication, and the answer holds no secret. `requested_lifetime` (ours, not the RFC's) asks for fewer seconds.
 * - `scope` and `actor_token` mean something that a gateway token cannot carry: refused. Other parameters are ignored (RFC 6749
 *   section 3.2), and so is a parameter without a value.
 *
 * `issue` throws `authentication-failed` for the token, `target-unknown` for the target, `protocol-violation` for another reason why it never will, anything else for what may be tried again.
 */
export async function answerExchange(
  form: FormParameters,
  issue: (request: ExchangeRequest) => Promise<Issued>,
  now: () => number,
): Promise<ExchangeAnswer> {
  const request = readRequest(form);
  if ('error' in request) return refuse(400, request.error, request.description, protocolFault(request.description));
  try {
    const { credential, stored } = await issue(request);
    return {
      status: 200,
      body: {
        access_token: credential,
        ...(request.sshPublicKey === undefined
          ? { issued_token_type: accessTokenType, token_type: 'Bearer' }
          : { issued_token_type: sshKeyType, token_type: 'N_A' }),
        expires_in: Math.max(0, Math.floor((stored.expiresAtMs - now()) / 1000)),
        token_id: stored.id,
      },
      fault: undefined,
    };
  } catch (error) {
    const fault = toFault(error);
    // RFC 8693 section 2.2.2: a subject token that is not accepted is `invalid_request`.
    if (fault.code === 'authentication-failed') return refuse(400, 'invalid_request', 'the subject token was not accepted', fault);
    if (fault.code === 'protocol-violation') return refuse(400, 'invalid_request', fault.publicMessage, fault);
    if (fault.code === 'target-unknown') return refuse(400, 'invalid_target', 'there is no such target', fault);
    return refuse(503, 'temporarily_unavailable', 'the gateway cannot issue credentials now, try again later', fault);
  }
}

interface Malformed {
  readonly error: string;
  readonly description: string;
}

function readRequest(form: FormParameters): ExchangeRequest | Malformed {
  const parameters = new Map<string, string>();
  for (const [name, value] of form) {
    if (parameters.has(name))
      return malformed(name === 'audience' || name === 'resource' ? 'invalid_target' : 'invalid_request', 'a parameter stands twice');
    if (parameters.size >= parametersLimit) return malformed('invalid_request', 'too many parameters');
    parameters.set(name, value);
  }
  const given = (name: string): string | undefined => parameters.get(name) || undefined;

  const grantType = given('grant_type');
  if (grantType === undefined) return malformed('invalid_request', 'grant_type is missing');
  if (grantType !== exchangeGrantType) return malformed('unsupported_grant_type', `grant_type must be ${exchangeGrantType}`);
  const subjectToken = given('subject_token');
  if (subjectToken === undefined) return malformed('invalid_request', 'subject_token is missing');
  const subjectTokenType = given('subject_token_type');
  if (subjectTokenType === undefined || !subjectTokenTypes.has(subjectTokenType)) {
    return malformed('invalid_request', `subject_token_type must be one of ${[...subjectTokenTypes].join(', ')}`);
  }
  const requested = given('requested_token_type') ?? accessTokenType;
  if (requested !== accessTokenType && requested !== sshKeyType) {
    return malformed('invalid_request', `requested_token_type must be ${accessTokenType} or ${sshKeyType}`);
  }
  const publicKeyLine = given('ssh_public_key');
  if ((publicKeyLine !== undefined) !== (requested === sshKeyType)) {
    return malformed('invalid_request', `ssh_public_key and the requested_token_type ${sshKeyType} go together`);
  }
  const sshPublicKey = publicKeyLine === undefined ? undefined : parsePublicKeyLine(publicKeyLine);
  if (publicKeyLine !== undefined && sshPublicKey === undefined) {
    return malformed('invalid_request', 'ssh_public_key must be one line: ssh-ed25519 and the key in base64');
  }
  if (given('actor_token') !== undefined || given('actor_token_type') !== undefined) {
    return malformed('invalid_request', 'actor_token is not supported');
  }
  if (given('scope') !== undefined) return malformed('invalid_scope', 'scope is not supported');
  const target = given('audience') ?? given('resource');
  if (target === undefined) return malformed('invalid_target', 'audience is missing: the name of the target');
  if ((given('resource') ?? target) !== target) return malformed('invalid_target', 'audience and resource differ');
  const lifetime = given('requested_lifetime');
  if (lifetime !== undefined && !/^[1-9]\d{0,8}$/.test(lifetime)) {
    return malformed('invalid_request', 'requested_lifetime must be a whole number of seconds above 0');
  }
  return { subjectToken, target, lifetimeMs: lifetime === undefined ? undefined : Number(lifetime) * 1000, sshPublicKey };
}

function malformed(error: string, description: string): Malformed {
  return { error, description };
}

function refuse(status: 400 | 503, error: string, description: string, fault: GatewayFault): ExchangeAnswer {
  return { status, body: { error, error_description: description }, fault };
}

function protocolFault(description: string): GatewayFault {
  return new GatewayFault('protocol-violation', { publicMessage: `token exchange: ${description}` });
}

const exchangeGrantType = 'urn:ietf:params:oauth:grant-type:token-exchange';
const accessTokenType = 'urn:ietf:params:oauth:token-type:access_token';
const sshKeyType = 'urn:sallyport:token-type:ssh-key';
const subjectTokenTypes: ReadonlySet<string> = new Set([
  'urn:ietf:params:oauth:token-type:jwt',
  'urn:ietf:params:oauth:token-type:id_token',
  accessTokenType,
]);
const parametersLimit = 32;
