import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Principal } from '../core/principal.ts';
import { refusal } from './refusal.ts';

/**
 * A gateway token: `spt_` and 256 random bits in base64url, 47 characters, so that it fits every password field. It says nothing by
 * itself; only its SHA-256 digest is stored. (A random secret of this size needs no salt and no slow hash.)
 */
export const gatewayTokenPrefix = 'spt_';

/** What is kept of a gateway token. */
export interface StoredGatewayToken {
  /** Public: `gtk_` and 128 random bits. */
  readonly id: string;
  /** SHA-256 of the token's characters, hex. */
  readonly hash: string;
  readonly target: string;
  /** As the OIDC token proved it. */
  readonly principal: Principal;
  /** Fingerprint of the issuer's configuration under which it was issued. */
  readonly issuerFingerprint: string;
  readonly issuedAtMs: number;
  readonly expiresAtMs: number;
  readonly revocation: Revocation | undefined;
}

export interface Revocation {
  readonly atMs: number;
  /** Key of the principal that revoked it. */
  readonly by: string;
  readonly reason: string;
}

/** Where gateway tokens are kept. Every method rejects when the store cannot be used: the caller refuses then. */
export interface GatewayTokenStore {
  /** Rejects when the id or the hash is there already. */
  put(token: StoredGatewayToken): Promise<void>;
  findByHash(hash: string): Promise<StoredGatewayToken | undefined>;
  findById(id: string): Promise<StoredGatewayToken | undefined>;
  /** False where there is no such token, or it was revoked before. */
  revoke(id: string, revocation: Revocation): Promise<boolean>;
  /** Newest first, expired and revoked ones included until they are deleted. */
  list(limit: number): Promise<readonly StoredGatewayToken[]>;
  /** Deletes what expired at or before this time; returns how many. */
  deleteExpired(nowMs: number): Promise<number>;
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
