import type { IncomingMessage } from 'node:http';
import { GatewayFault } from '../core/fault.ts';
import type { Principal } from '../core/principal.ts';
import { failureRefillMs, Failures } from '../net/failures.ts';
import type { ApiContext } from './context.ts';
import { HttpRefusal } from './problem.ts';

/**
 * Who is asking. People only, by an OIDC token whose audience is this gateway: a job's token or a gateway token opens no door here.
 * There are no cookies, so no page elsewhere can act in someone's name.
 */
export async function signIn(context: ApiContext, limiter: FailureLimiter, message: IncomingMessage, peer: string): Promise<Principal> {
  limiter.check(peer);
  try {
    const principal = await context.identity.authenticateOidc(bearer(message));
    if (principal.kind === 'user' && principal.authenticatedBy === 'oidc-token') return principal;
    throw new GatewayFault('authentication-failed', {
      publicMessage: 'this API is for people: sign in with your own identity',
      detail: `a ${principal.kind} of issuer ${principal.issuer} with ${principal.authenticatedBy} asked for the API`,
      hint: 'run: sallyport login',
    });
  } catch (error) {
    if (error instanceof GatewayFault && error.code === 'authentication-failed') {
      limiter.failed(peer);
      recordRefusal(context, { target: '', peer, code: error.code, detail: error.detail });
    }
    throw error;
  }
}

/** A refusal gives nothing away, so it is answered even where its record cannot be written. */
export function recordRefusal(context: ApiContext, refusal: { target: string; peer: string; code: string; detail: string }): void {
  try {
    context.audit.append({ type: 'sign-in.refused', claimed_user: '', ...refusal });
  } catch (error) {
    context.report('a refused sign-in could not be recorded', error);
  }
}

/** RFC 6750 section 2.1. Node keeps only the first of several headers; two are refused, as nobody can know which one was meant. */
function bearer(message: IncomingMessage): string {
  const headers = message.headersDistinct['authorization'] ?? [];
  const value = headers[0];
  if (headers.length !== 1 || value === undefined) {
    throw new HttpRefusal(401, 'authentication-required', 'sign in: send Authorization: Bearer <your OIDC token>', {
      hint: 'run: sallyport login',
      headers: { 'www-authenticate': 'Bearer realm="sallyport"' },
    });
  }
  const [scheme, token, ...rest] = value.split(' ');
  if (scheme?.toLowerCase() !== 'bearer' || token === undefined || token === '' || rest.length > 0) {
    throw new GatewayFault('authentication-failed', { publicMessage: 'the token was not accepted', detail: 'not a bearer token' });
  }
  return token;
}

/** What `Failures` counts, as this API words it. */
export class FailureLimiter extends Failures {
  /** Throws 429 where the address has failed too often. */
  check(peer: string): void {
    if (!this.areTooMany(peer)) return;
    throw new HttpRefusal(429, 'too-many-failures', 'too many failed sign-ins from this address', {
      hint: `wait ${Math.ceil(failureRefillMs / 1000)} seconds and try again`,
      headers: { 'retry-after': String(Math.ceil(failureRefillMs / 1000)) },
    });
  }
}
