import { createHash, createPublicKey, decapsulate, diffieHellman, encapsulate, generateKeyPairSync, type KeyObject } from 'node:crypto';

/**
 * mlkem768x25519-sha256 (RFC 10042): a secret of ML-KEM-768 (FIPS 203), which resists quantum computers, and one of X25519 (RFC 7748), which
 * everything else here relies on. Whoever wants to read along has to break both. Every primitive is OpenSSL's; here they are only put together.
 */
export const hybridName = 'mlkem768x25519-sha256';

/** Whether this Node has what it takes: an OpenSSL of 3.5 or later, which is not said of one that a distribution has built. Tried once. */
export function isHybridAvailable(): boolean {
  return (available ??= tried());
}

/** The client's side, whose keys are made for this one exchange. */
export class HybridClient {
  /** C_INIT: ML-KEM's public key, then X25519's. */
  readonly init: Buffer;
  readonly #mlkem: KeyObject;
  readonly #x25519: KeyObject;

  constructor() {
    const [mlkem, x25519] = [generateKeyPairSync('ml-kem-768'), generateKeyPairSync('x25519')];
    this.init = Buffer.concat([rawKey(mlkem.publicKey, publicBytes), rawKey(x25519.publicKey, x25519Bytes)]);
    this.#mlkem = mlkem.privateKey;
    this.#x25519 = x25519.privateKey;
  }

  /**
   * K, of the server's S_REPLY. Throws for a wrong length, and for a point of small order, which makes X25519's secret all zero. A ciphertext that is none gives another K
   * than the server's (FIPS 203 section 6.3), and with it a signature that is wrong.
   */
  secret(reply: Uint8Array): Buffer {
    const { first, x25519 } = parts(reply, ciphertextBytes, 'reply');
    return combined(decapsulate(this.#mlkem, first), agreed(this.#x25519, x25519));
  }
}

/**
 * The server's side: S_REPLY (ML-KEM's ciphertext, then X25519's public key) and K, of the client's C_INIT. Throws for a wrong length, for an ML-KEM key that is none (OpenSSL
 * checks its modulus, FIPS 203 section 7.2, when it reads it) and for a point of small order.
 */
export function answerHybrid(init: Uint8Array): { readonly reply: Buffer; readonly secret: Buffer } {
  const { first, x25519 } = parts(init, publicBytes, 'key');
  const { ciphertext, sharedKey } = encapsulate(publicKey(mlkemHeader, first));
  const own = generateKeyPairSync('x25519');
  return {
    reply: Buffer.concat([ciphertext, rawKey(own.publicKey, x25519Bytes)]),
    secret: combined(sharedKey, agreed(own.privateKey, x25519)),
  };
}

/** What the RFC calls K_PQ || K_CL, hashed. */
function combined(postQuantum: Uint8Array, classical: Uint8Array): Buffer {
  return createHash('sha256').update(postQuantum).update(classical).digest();
}

function parts(message: Uint8Array, firstBytes: number, what: string): { readonly first: Uint8Array; readonly x25519: Uint8Array } {
  if (message.length !== firstBytes + x25519Bytes) throw new Error(`a ${what} of ${message.length} bytes`);
  return { first: message.subarray(0, firstBytes), x25519: message.subarray(firstBytes) };
}

function agreed(privateKey: KeyObject, theirs: Uint8Array): Buffer {
  return diffieHellman({ privateKey, publicKey: publicKey(x25519Header, theirs) });
}

function publicKey(header: Uint8Array, raw: Uint8Array): KeyObject {
  return createPublicKey({ key: Buffer.concat([header, raw]), format: 'der', type: 'spki' });
}

/** SubjectPublicKeyInfo ends with the key itself (RFC 8410 section 4, RFC 9935 section 4). */
function rawKey(key: KeyObject, bytes: number): Buffer {
  return key.export({ format: 'der', type: 'spki' }).subarray(-bytes);
}

function tried(): boolean {
  try {
    const client = new HybridClient();
    const { reply, secret } = answerHybrid(client.init);
    return client.secret(reply).equals(secret);
  } catch {
    return false;
  }
}

let available: boolean | undefined;

const publicBytes = 1184;
const ciphertextBytes = 1088;
const x25519Bytes = 32;
/** SubjectPublicKeyInfo up to the key: id-alg-ml-kem-768, and id-X25519. */
const mlkemHeader = Buffer.from('308204b2300b0609608648016503040402038204a100', 'hex');
const x25519Header = Buffer.from('302a300506032b656e032100', 'hex');
