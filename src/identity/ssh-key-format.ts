import { createHash, createPrivateKey, generateKeyPairSync, randomBytes } from 'node:crypto';

/**
 * Ed25519 keys as SSH writes them: public keys (RFC 8709 section 4, RFC 4253 section 6.6) as blobs and as lines, private keys in the format of
 * OpenSSH (its PROTOCOL.key), which `ssh -i` and every other client of today reads. No other kind of key is made or taken.
 */
export interface SshKeyPair {
  /** PEM armour `OPENSSH PRIVATE KEY`, without a passphrase: whoever writes it to a file uses mode 0600. */
  readonly privateKey: string;
  /** `ssh-ed25519 AAAA…`, without a comment. */
  readonly publicKey: string;
  /** What stands in the line in base64, and on the wire. */
  readonly blob: Uint8Array;
}

export function newSshKeyPair(comment: string): SshKeyPair {
  const { privateKey } = generateKeyPairSync('ed25519');
  const { d = '', x = '' } = privateKey.export({ format: 'jwk' });
  const [seed, point] = [Buffer.from(d, 'base64url'), Buffer.from(x, 'base64url')];
  const blob = Buffer.concat([sshString(keyType), sshString(point)]);
  // Twice the same number: how a reader with a wrong passphrase notices.
  const check = randomBytes(4);
  const secret = Buffer.concat([check, check, blob, sshString(Buffer.concat([seed, point])), sshString(comment)]);
  const padding = Buffer.from(Array.from({ length: (8 - (secret.length % 8)) % 8 }, (_, index) => index + 1));
  const none = sshString('none');
  const file = Buffer.concat([
    Buffer.from(magic, 'latin1'),
    none,
    none,
    sshString(''),
    uint32(1),
    sshString(blob),
    sshString(Buffer.concat([secret, padding])),
  ]);
  return { privateKey: armoured(file), publicKey: publicKeyLine(blob), blob };
}

/** The blob in a line `ssh-ed25519 AAAA… comment`. Undefined where it is anything else, options in front included. */
export function parsePublicKeyLine(line: string): Uint8Array | undefined {
  const [type, text = '', ...comment] = line.trim().split(' ');
  if (type !== keyType || text.length !== blobTextLength || comment.some((word) => /[\r\n]/.test(word))) return undefined;
  const blob = Buffer.from(text, 'base64');
  // Also what decodes to the same bytes, but is written in another way, is not taken.
  return blob.toString('base64') === text && isEd25519Blob(blob) ? blob : undefined;
}

export function isEd25519Blob(blob: Uint8Array): boolean {
  return blob.length === prefix.length + 32 && prefix.equals(blob.subarray(0, prefix.length));
}

export function publicKeyLine(blob: Uint8Array): string {
  return `${keyType} ${Buffer.from(blob).toString('base64')}`;
}

/** `SHA256:` and base64 without padding, as OpenSSH prints it. */
export function sshFingerprint(blob: Uint8Array): string {
  return `SHA256:${createHash('sha256').update(blob).digest('base64').replace(/=+$/, '')}`;
}

/** The public blob of an unencrypted Ed25519 key in OpenSSH's format, which `ssh-keygen` may have made. Throws an `Error` that says what is wrong. */
export function publicBlobOf(privateKeyText: string): Uint8Array {
  const lines = privateKeyText.trim().split(/\r?\n/);
  if (lines[0] !== armourBegin || lines.at(-1) !== armourEnd) throw new Error('not a private key in the format of OpenSSH');
  const reader = new Reader(Buffer.from(lines.slice(1, -1).join(''), 'base64'));
  if (reader.bytes(magic.length).toString('latin1') !== magic) throw new Error('not a private key in the format of OpenSSH');
  const [cipher, kdf] = [reader.string().toString('latin1'), reader.string().toString('latin1')];
  reader.string();
  if (cipher !== 'none' || kdf !== 'none') throw new Error('the key is protected by a passphrase');
  if (reader.uint32() !== 1) throw new Error('not one key, but several');
  const blob = reader.string();
  if (!isEd25519Blob(blob)) throw new Error('not an Ed25519 key');
  const secret = new Reader(reader.string());
  secret.bytes(8);
  if (!Buffer.concat([sshString(secret.string()), sshString(secret.string())]).equals(blob))
    throw new Error('public and private part differ');
  const both = secret.string();
  if (both.length !== 64 || !pointOf(both.subarray(0, 32)).equals(blob.subarray(prefix.length)))
    throw new Error('public and private part differ');
  return blob;
}

/** RFC 8410 section 7: a seed as PKCS #8 is these bytes and the seed. */
function pointOf(seed: Uint8Array): Buffer {
  const pkcs8 = Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), seed]);
  return Buffer.from(createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' }).export({ format: 'jwk' }).x ?? '', 'base64url');
}

class Reader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  bytes(length: number): Buffer {
    if (length > this.#bytes.length - this.#at) throw new Error('the key is cut off');
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }

  uint32(): number {
    return this.bytes(4).readUInt32BE();
  }

  string(): Buffer {
    return this.bytes(this.uint32());
  }
}

function armoured(file: Buffer): string {
  const lines = file.toString('base64').match(/.{1,70}/g) ?? [];
  return [armourBegin, ...lines, armourEnd, ''].join('\n');
}

function sshString(content: string | Uint8Array): Buffer {
  const bytes = Buffer.from(content as Uint8Array);
  return Buffer.concat([uint32(bytes.length), bytes]);
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

const keyType = 'ssh-ed25519';
const magic = 'openssh-key-v1\0';
const armourBegin = '-----BEGIN OPENSSH PRIVATE KEY-----';
const armourEnd = '-----END OPENSSH PRIVATE KEY-----';
/** Of a public blob: the name, and the length of the point that follows. */
const prefix = Buffer.concat([sshString(keyType), uint32(32)]);
const blobTextLength = Math.ceil((prefix.length + 32) / 3) * 4;
