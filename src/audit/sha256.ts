import { hash } from 'node:crypto';

/** SHA-256 in one call. By way of a string, since native code that returns a `Buffer` of 32 bytes takes three times as long as the hash of a record. */
export function sha256(bytes: Uint8Array): Uint8Array {
  return Buffer.from(hash('sha256', bytes, 'binary'), 'binary');
}

/** The same, to its place: 32 bytes from `at` on. */
export function sha256Into(bytes: Uint8Array, into: Buffer, at: number): void {
  into.write(hash('sha256', bytes, 'binary'), at, 'binary');
}
