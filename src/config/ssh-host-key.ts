import { createHash } from 'node:crypto';

/** A target's host key as the configuration pins it. */
export interface PinnedHostKey {
  /** `SHA256:` and 43 characters, as OpenSSH prints it. */
  readonly fingerprint: string;
  /** The key's type, where the configuration has the key itself; then no other one is asked for. */
  readonly type: string | undefined;
}

/** A fingerprint (`SHA256:…`), a public key (`ssh-ed25519 AAAA…`) or a line of known_hosts with one. Undefined: neither. */
export function readHostKey(text: string): PinnedHostKey | undefined {
  const line = text.trim();
  if (/^SHA256:[A-Za-z0-9+/]{43}$/.test(line)) return { fingerprint: line, type: undefined };
  const words = line.split(/[ \t]+/);
  const at = words.findIndex((word) => keyTypes.has(word));
  // Lines that begin with @cert-authority or @revoked say something else of a key.
  if (at < 0 || at > 1 || line.startsWith('@')) return undefined;
  const type = words[at]!;
  const base64 = words[at + 1] ?? '';
  const blob = Buffer.from(base64, 'base64');
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(base64) || !beginsWith(blob, type)) return undefined;
  return { fingerprint: fingerprintOf(blob), type };
}

/** Of a public key in the wire format of RFC 4253 section 6.6. */
export function fingerprintOf(blob: Uint8Array): string {
  return `SHA256:${createHash('sha256').update(blob).digest('base64').replace(/=+$/, '')}`;
}

function beginsWith(blob: Buffer, type: string): boolean {
  return blob.length > 4 + type.length && blob.readUInt32BE(0) === type.length && blob.toString('latin1', 4, 4 + type.length) === type;
}

const keyTypes: ReadonlySet<string> = new Set([
  'ssh-ed25519',
  'ecdsa-sha2-nistp256',
  'ecdsa-sha2-nistp384',
  'ecdsa-sha2-nistp521',
  'ssh-rsa',
]);
