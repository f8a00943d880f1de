import { randomBytes } from 'node:crypto';
import type { ClockPort } from '../core/ports.ts';
import type { Principal } from '../core/principal.ts';
import type { IssuedCredential, IssuedStore } from './issued.ts';
import { refusal } from './refusal.ts';
import { isEd25519Blob, sshFingerprint } from './ssh-key-format.ts';

/**
 * A key for SSH: an Ed25519 key of which the private part never leaves the client, bound to one principal and one target like a gateway token.
 * Kept in a store of its own, so that no look-up of a token can ever find a key.
 */
export interface StoredSshKey extends IssuedCredential {
  /** `SHA256:…` of the public part: all that is kept of it. */
  readonly fingerprint: string;
}

/** Found by id or by fingerprint. */
export interface SshKeyStore extends IssuedStore<StoredSshKey> {
  findByFingerprint(fingerprint: string): Promise<StoredSshKey | undefined>;
}

export function newStoredSshKey(content: Omit<StoredSshKey, 'id' | 'revocation'>): StoredSshKey {
  return { ...content, id: `ssk_${randomBytes(16).toString('base64url')}`, revocation: undefined };
}

/** The principal as it appears under its key. */
export function principalOfSshKey(key: StoredSshKey): Principal {
  return { ...key.principal, tokenId: key.id, expiresAtMs: key.expiresAtMs, authenticatedBy: 'ssh-key' };
}

/** The live key for this target that the client names. Says nothing of whether the client has it. */
export async function findSshKey(blob: Uint8Array, target: string, store: SshKeyStore, nowMs: number): Promise<StoredSshKey | undefined> {
  if (!isEd25519Blob(blob)) return undefined;
  const key = await store.findByFingerprint(sshFingerprint(blob));
  return key !== undefined && isLive(key, nowMs) && key.target === target ? key : undefined;
}

/**
 * What stands for a proven key between the transport, which verified the signature, and `authenticate`: 256 random bits, in this process's memory, for one use within
 * seconds. Each begins with half of a surrogate pair, which decoding UTF-8 never gives (it is no Unicode scalar value) and Latin-1 cannot: no client of any protocol
 * can say one, even if it knew it.
 */
export class SshKeyHandles {
  readonly #clock: ClockPort;
  /** In the order in which they end. */
  readonly #waiting = new Map<string, { readonly keyId: string; readonly target: string; readonly endsAtMs: number }>();

  constructor(clock: ClockPort) {
    this.#clock = clock;
  }

  make(key: StoredSshKey): string {
    const nowMs = this.#clock.monotonic();
    for (const [handle, { endsAtMs }] of this.#waiting) {
      if (endsAtMs > nowMs) break;
      this.#waiting.delete(handle);
    }
    const handle = handlePrefix + randomBytes(32).toString('base64url');
    this.#waiting.set(handle, { keyId: key.id, target: key.target, endsAtMs: nowMs + handleLifetimeMs });
    return handle;
  }

  /** The id of the key that it stands for. Whatever comes of it, it is used up. Throws `authentication-failed`. */
  use(handle: string, target: string): string {
    const found = this.#waiting.get(handle);
    this.#waiting.delete(handle);
    if (found === undefined || found.endsAtMs <= this.#clock.monotonic()) throw refusal('ssh-key-unproven');
    if (found.target !== target) throw refusal('ssh-key-target', { id: found.keyId });
    return found.keyId;
  }
}

export function isSshKeyHandle(credential: string): boolean {
  return credential.startsWith(handlePrefix);
}

/** The live key of a used handle: looked up again, for it may have been revoked meanwhile. Throws `authentication-failed`. */
export async function sshKeyById(id: string, store: SshKeyStore, nowMs: number): Promise<StoredSshKey> {
  const key = await store.findById(id);
  if (key === undefined) throw refusal('ssh-key-unknown');
  if (key.revocation !== undefined) throw refusal('ssh-key-revoked', { id });
  if (key.expiresAtMs <= nowMs) throw refusal('ssh-key-expired', { id });
  return key;
}

function isLive(key: StoredSshKey, nowMs: number): boolean {
  return key.revocation === undefined && key.expiresAtMs > nowMs;
}

const handlePrefix = '\u{dc00}ssh-key:';
const handleLifetimeMs = 10_000;
