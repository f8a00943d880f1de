import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Principal } from '../core/principal.ts';
import type { IssuedCredential, IssuedStore } from './issued.ts';
import { refusal } from './refusal.ts';

/**
 * A gateway token: `spt_` and 256 random bits in base64url, 47 characters, so that it fits every password field. It says nothing by
 * itself; only its SHA-256 digest is stored. (A random secret of this size needs no salt and no slow hash.)
 */
export const gatewayTokenPrefix = 'spt_';

/** What is kept of a gateway token. */
export interface StoredGatewayToken extends IssuedCredential {
  /** SHA-256 of the token's characters, hex. */
  readonly hash: string;
}

/** Found by id or by hash. */
export interface GatewayTokenStore extends IssuedStore<StoredGatewayToken> {
  findByHash(hash: string): Promise<StoredGatewayToken | undefined>;
}

/** A new token. `credential` exists here and at the client, nowhere else. */
export function mintGatewayToken(content: Omit<StoredGatewayToken, 'id' | 'hash' | 'revocation'>): {
  readonly credential: string;
  readonly stored: StoredGatewayToken;
} {
  const credential = gatewayTokenPrefix + randomBytes(32).toString('base64url');
  const id = `gtk_${randomBytes(16).toString('base64url')}`;
  return { credential, stored: { ...content, id, hash: digest(credential).toString('hex'), revocation: undefined } };
}

/**
 * The live token that `credential` is. Found by digest, so that no comparison's duration depends on how much of a guess is right.
 * Throws `authentication-failed`.
 */
export async function findGatewayToken(credential: string, store: GatewayTokenStore, nowMs: number): Promise<StoredGatewayToken> {
  if (credential.length !== credentialLength) throw refusal('gateway-token-unknown');
  const hash = digest(credential);
  const stored = await store.findByHash(hash.toString('hex'));
  if (stored === undefined || !timingSafeEqual(Buffer.from(stored.hash, 'hex'), hash)) throw refusal('gateway-token-unknown');
  if (stored.revocation !== undefined) throw refusal('gateway-token-revoked', { id: stored.id });
  if (stored.expiresAtMs <= nowMs) throw refusal('gateway-token-expired', { id: stored.id });
  return stored;
}

/** The principal as it appears under its gateway token. */
export function principalOfGatewayToken(token: StoredGatewayToken): Principal {
  return { ...token.principal, tokenId: token.id, expiresAtMs: token.expiresAtMs, authenticatedBy: 'gateway-token' };
}

function digest(credential: string): Buffer {
  return createHash('sha256').update(credential, 'utf8').digest();
}

const credentialLength = gatewayTokenPrefix.length + 43;
