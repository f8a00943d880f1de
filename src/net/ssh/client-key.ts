import { createPublicKey, verify } from 'node:crypto';

/**
 * True where `signature` is this very key's over `data` (RFC 8709 section 6). Only Ed25519, which is all that clients may sign with; the key's blob must be in its one
 * form, so that the same key is never two.
 */
export function isSignedBy(blob: Uint8Array, data: Uint8Array, signature: Uint8Array): boolean {
  const key = ed25519Key(blob);
  if (key === undefined || signature.length !== 64) return false;
  const jwk = { kty: 'OKP', crv: 'Ed25519', x: Buffer.from(key).toString('base64url') };
  return verify(null, data, createPublicKey({ key: jwk, format: 'jwk' }), signature);
}

/** The 32 bytes of a key of the form: string "ssh-ed25519", string of 32 bytes, and nothing behind them. */
function ed25519Key(blob: Uint8Array): Uint8Array | undefined {
  const bytes = Buffer.from(blob);
  return bytes.length === prefix.length + 32 && bytes.subarray(0, prefix.length).equals(prefix) ? bytes.subarray(prefix.length) : undefined;
}

const prefix = Buffer.concat([Buffer.of(0, 0, 0, 11), Buffer.from('ssh-ed25519'), Buffer.of(0, 0, 0, 32)]);
