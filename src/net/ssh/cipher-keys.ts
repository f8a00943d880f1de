import { createSecretKey, type KeyObject } from 'node:crypto';
import type Protocol from 'ssh2/lib/protocol/Protocol.js';

/**
 * Turns the keys of a connection's ciphers into key objects, after each key exchange. ssh2 makes a new cipher (AES-GCM) or HMAC for each packet from the bytes of its key, and Node 24
 * makes a key object of them each time: 25 µs, where encrypting and authenticating 32 KB takes 20.
 */
export function keepKeys(protocol: Protocol): void {
  const { _cipher: cipher, _decipher: decipher } = protocol;
  for (const name of ['_encKey', '_macKey'] as const) if (isBytes(cipher[name])) cipher[name] = createSecretKey(cipher[name]);
  for (const name of ['_decipherKey', '_macKey'] as const) if (isBytes(decipher[name])) decipher[name] = createSecretKey(decipher[name]);
}

/** The addon of ssh2, where there is one, keeps keys of its own. */
function isBytes(key: Uint8Array | KeyObject | undefined): key is Uint8Array {
  return key instanceof Uint8Array;
}
