import { createHash, createHmac, createSecretKey, pbkdf2Sync, randomBytes, timingSafeEqual, type KeyObject } from 'node:crypto';
import type { Crypto, RunningDigest } from '../core/crypto.ts';

/** The platform's cryptography for pure code. */
export const nodeCrypto: Crypto = {
  sha256: (data) => createHash('sha256').update(data).digest(),
  sha384: (data) => createHash('sha384').update(data).digest(),
  sha512: (data) => createHash('sha512').update(data).digest(),
  md5: (data) => createHash('md5').update(data).digest(),
  hmacSha256: (key, data) => createHmac('sha256', keyObject(key)).update(data).digest(),
  pbkdf2Sha256: (password, salt, iterations) => pbkdf2Sync(password, salt, iterations, 32, 'sha256'),
  randomBytes: (length) => randomBytes(length),
  timingSafeEqual: (a, b) => a.length === b.length && timingSafeEqual(a, b),
};

export function runningSha256(): RunningDigest {
  const hash = createHash('sha256');
  return { update: (bytes) => void hash.update(bytes), hex: () => hash.digest('hex') };
}

/** Making a key object costs five times as much as the HMAC itself, and the same few keys are used for every value. */
function keyObject(key: Uint8Array): KeyObject {
  const known = keyObjects.get(key);
  if (known !== undefined) return known;
  const made = createSecretKey(key);
  keyObjects.set(key, made);
  return made;
}

const keyObjects = new WeakMap<Uint8Array, KeyObject>();
