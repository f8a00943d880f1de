import { compactVerify } from 'jose';
import type { Principal } from '../core/principal.ts';
import { checkClaims } from './claims.ts';
import type { Issuer } from './issuer.ts';
import type { KeySource } from './key-source.ts';
import { principalOf } from './principal.ts';
import { refusal } from './refusal.ts';
import { readToken } from './token.ts';

/**
 * Validates an OIDC token (ID token or JWT access token, RFC 9068) and returns its principal. The unverified payload is read for one
 * purpose: to choose the configured issuer, whose keys and rules then decide. Throws `authentication-failed`.
 */
export async function verifyToken(
  compact: string,
  issuers: ReadonlyMap<string, Issuer>,
  keysOf: (issuer: Issuer) => KeySource,
  nowMs: () => number,
): Promise<Principal> {
  const token = readToken(compact);
  const { alg, kid, typ } = token.header;
  const issuer = issuers.get(token.issuer);
  if (issuer === undefined) throw refusal('issuer-unknown', token.context);
  if (!issuer.algorithms.has(alg)) throw refusal('algorithm-refused', token.context);
  if (!issuer.types.has(typ)) throw refusal('type-refused', token.context);
  const key = await keysOf(issuer).find(kid, alg, token.context);
  try {
    await compactVerify(compact, await key.import(alg), { algorithms: [alg] });
  } catch {
    throw refusal('signature-invalid', token.context);
  }
  const sub = token.payload.get('sub');
  const context = typeof sub === 'string' ? { ...token.context, sub } : token.context;
  const expiresAtMs = checkClaims(token.payload, issuer, nowMs(), context);
  return principalOf(token.payload, issuer, expiresAtMs, context);
}
