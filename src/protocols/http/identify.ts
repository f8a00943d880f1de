import { GatewayFault } from '../../core/fault.ts';
import type { IdentifiedHead } from '../request.ts';
import type { CheckedHead } from './head.ts';

/** The token of `Authorization: Bearer` (RFC 6750 section 2.1). Throws `authentication-failed` for a credential of another kind. */
export function bearerOf(head: CheckedHead): IdentifiedHead {
  if (head.authorization === undefined) return { credential: undefined, head };
  const credential = /^bearer +([A-Za-z0-9._~+/-]+=*)$/i.exec(head.authorization)?.[1];
  if (credential !== undefined) return { credential, head };
  throw new GatewayFault('authentication-failed', { publicMessage: 'the token was not accepted', detail: 'not a bearer token' });
}
