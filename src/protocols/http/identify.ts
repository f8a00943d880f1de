import { GatewayFault } from '../../core/fault.ts';
import type { IdentifiedHead } from '../request.ts';
import type { CheckedHead } from './head.ts';

/** The token of `Authorization: Bearer` (RFC 6750 section 2.1). Throws `authentication-failed` for a credential of another kind. */
export function bearerOf(head: CheckedHead): IdentifiedHead {
  if (head.authorization === undefined) return { credential: undefined, head };
  const isBearer = head.authorization.slice(0, scheme.length).toLowerCase() === scheme;
  const credential = isBearer ? /^ *([A-Za-z0-9._~+/-]+=*)$/.exec(head.authorization.slice(scheme.length))?.[1] : undefined;
  if (credential !== undefined) return { credential, head };
  throw new GatewayFault('authentication-failed', { publicMessage: 'the token was not accepted', detail: 'not a bearer token' });
}

/** With the first of the spaces behind it. */
const scheme = 'bearer ';
