import { GatewayFault } from '../../core/fault.ts';
import type { SASLInitialResponse } from './messages.ts';

/**
 * The server side of OAUTHBEARER (RFC 7628) as PostgreSQL 18 clients speak it. The exchange: SASLInitialResponse with the token; on
 * refusal AuthenticationSASLContinue with `oauthBearerError`, SASLResponse with one byte (`checkOAuthBearerAbort`), ErrorResponse.
 */

/**
 * The token of a client's initial response (RFC 7628 section 3.1). Empty: the client has none yet and only asks which issuer to use, to
 * which `oauthBearerError` is the answer, too. Faults: `protocol-violation`.
 */
export function bearerToken(initial: SASLInitialResponse): string {
  if (initial.mechanism !== OAUTHBEARER) throw malformed(`the mechanism is ${JSON.stringify(initial.mechanism.slice(0, 32))}`);
  if (initial.response === undefined) throw malformed('there is no initial response');
  const text = decode(initial.response);
  const headerEnd = text.indexOf(KEY_VALUE_SEPARATOR);
  if (headerEnd < 0) throw malformed('it has no key-value list');
  checkGs2Header(text.slice(0, headerEnd));
  if (!text.endsWith(KEY_VALUE_SEPARATOR + KEY_VALUE_SEPARATOR)) throw malformed('its key-value list has no end');
  const pairs = text.slice(headerEnd + 1, -2).split(KEY_VALUE_SEPARATOR);
  const seen = new Map<string, string>();
  for (const pair of pairs) {
    const equals = pair.indexOf('=');
    const key = pair.slice(0, equals);
    if (equals < 1 || !/^[A-Za-z]+$/.test(key)) throw malformed('a pair has no key');
    if (seen.has(key)) throw malformed(`it has two values for "${key}"`);
    seen.set(key, pair.slice(equals + 1));
  }
  const authorization = seen.get('auth');
  if (authorization === undefined) throw malformed('it has no "auth" value');
  if (authorization === '') return '';
  // RFC 6750 section 2.1: the scheme in any case, one space or more, a b64token.
  const token = /^bearer +([A-Za-z0-9._~+/-]+=*)$/i.exec(authorization)?.[1];
  if (token === undefined) throw malformed('its "auth" value is not a bearer token');
  return token;
}

/**
 * The error result (RFC 7628 section 3.2.2), JSON, for AuthenticationSASLContinue: status `invalid_token` always, because a client
 * learns no more than that. `openidConfiguration`: URL of the discovery document of the issuer to ask; undefined where clients have to
 * know. `scope`: what to ask for there.
 */
export function oauthBearerError(openidConfiguration: string | undefined, scope = 'openid'): Uint8Array {
  return new TextEncoder().encode(JSON.stringify({ status: 'invalid_token', scope, 'openid-configuration': openidConfiguration }));
}

/** After the error the client must send exactly one byte, 0x01 (RFC 7628 section 3.2.3). Faults: `protocol-violation`. */
export function checkOAuthBearerAbort(response: Uint8Array): void {
  if (response.length !== 1 || response[0] !== 1) throw malformed('the answer to its refusal is not the one that is due');
}

/** RFC 5801 section 4: no channel binding (the mechanism has none), no other identity to act as. */
function checkGs2Header(header: string): void {
  if (header.startsWith('p=')) throw malformed('it asks for channel binding, which the mechanism does not have');
  if (header !== 'n,,' && header !== 'y,,') throw malformed('its header is neither "n,," nor "y,,"');
}

function decode(bytes: Uint8Array): string {
  try {
    return strictUtf8.decode(bytes);
  } catch {
    throw malformed('it is not valid UTF-8');
  }
}

function malformed(problem: string): GatewayFault {
  return new GatewayFault('protocol-violation', { publicMessage: `malformed OAUTHBEARER message: ${problem}` });
}

const OAUTHBEARER = 'OAUTHBEARER';
const KEY_VALUE_SEPARATOR = '\u0001';
const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
