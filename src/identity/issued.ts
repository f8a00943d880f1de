import type { Principal } from '../core/principal.ts';

/** What gateway tokens and keys for SSH have in common: issued for an OIDC token, for one principal and one target. */
export interface IssuedCredential {
  /** Public: a prefix that says what it is, and 128 random bits. */
  readonly id: string;
  readonly target: string;
  /** As the OIDC token proved it. */
  readonly principal: Principal;
  /** Fingerprint of the issuer's configuration under which it was issued. */
  readonly issuerFingerprint: string;
  readonly issuedAtMs: number;
  readonly expiresAtMs: number;
  readonly revocation: Revocation | undefined;
  /** Of a key for SSH: `SHA256:…` of its public part. */
  readonly fingerprint?: string;
}

export interface Revocation {
  readonly atMs: number;
  /** Key of the principal that revoked it. */
  readonly by: string;
  readonly reason: string;
}

/** Where issued credentials of one kind are kept. Every method rejects when the store cannot be used: the caller refuses then. */
export interface IssuedStore<Stored extends IssuedCredential> {
  /** Rejects when the id, or what it is found by, is there already. */
  put(credential: Stored): Promise<void>;
  findById(id: string): Promise<Stored | undefined>;
  /** False where there is no such credential, or it was revoked before. */
  revoke(id: string, revocation: Revocation): Promise<boolean>;
  /** Newest first, expired and revoked ones included until they are deleted. */
  list(limit: number): Promise<readonly Stored[]>;
  /** Deletes what expired at or before this time; returns how many. */
  deleteExpired(nowMs: number): Promise<number>;
}
