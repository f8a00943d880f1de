/** The cryptography that pure code may use; `net/crypto.ts` provides it from the platform. All inputs and outputs are raw bytes. */
export interface Crypto {
  sha256(data: Uint8Array): Uint8Array;
  sha384(data: Uint8Array): Uint8Array;
  sha512(data: Uint8Array): Uint8Array;
  md5(data: Uint8Array): Uint8Array;
  hmacSha256(key: Uint8Array, data: Uint8Array): Uint8Array;
  /** PBKDF2 with HMAC-SHA-256 (RFC 8018), 32 bytes. */
  pbkdf2Sha256(password: Uint8Array, salt: Uint8Array, iterations: number): Uint8Array;
  randomBytes(length: number): Uint8Array;
  timingSafeEqual(a: Uint8Array, b: Uint8Array): boolean;
}

/** A SHA-256 digest that is taken as the bytes come. */
export interface RunningDigest {
  update(bytes: Uint8Array): void;
  /** Lower-case hex. Nothing can be added afterwards. */
  hex(): string;
}
