import { createHash, createPrivateKey, createPublicKey, sign, verify } from 'node:crypto';
import type { KeyObject } from 'node:crypto';

/** A statement of the log's size and root: C2SP tlog-checkpoint. */
export interface Checkpoint {
  readonly origin: string;
  readonly size: number;
  readonly root: Uint8Array;
}

/** Verifies notes of one key: C2SP signed-note, signature type 1 (Ed25519). */
export class NoteVerifier {
  readonly name: string;
  /** `<name>+<key id in hex>+<base64 of type and public key>`: what an auditor pins. */
  readonly line: string;
  readonly keyId: Buffer;
  readonly #key: KeyObject;

  constructor(name: string, key: KeyObject) {
    if (key.asymmetricKeyType !== 'ed25519') throw new TypeError('the log key is not an Ed25519 key');
    if (name === '' || /[\s+\p{Cc}]/u.test(name))
      throw new TypeError('the origin must be non-empty, without spaces, "+" and control characters');
    const encoded = Buffer.concat([Buffer.of(ED25519_TYPE), key.export({ type: 'spki', format: 'der' }).subarray(-ED25519_KEY_BYTES)]);
    this.name = name;
    this.keyId = createHash('sha256').update(`${name}\n`).update(encoded).digest().subarray(0, KEY_ID_BYTES);
    this.line = `${name}+${this.keyId.toString('hex')}+${encoded.toString('base64')}`;
    this.#key = key;
  }

  /**
   * The checkpoint in a note whose origin is this key's name, or the reason why it is none. A signature that claims this key and does
   * not verify spoils the note; signatures of unknown keys are ignored.
   */
  open(note: string): Checkpoint | { readonly refused: string } {
    const end = note.lastIndexOf('\n\n');
    if (end < 0 || !note.endsWith('\n')) return { refused: 'it is not a signed note' };
    const text = note.slice(0, end + 1);
    let signed = false;
    for (const line of note.slice(end + 2, -1).split('\n')) {
      const [dash, name, encoded, ...rest] = line.split(' ');
      if (dash !== '\u2014' || name === undefined || encoded === undefined || rest.length > 0)
        return { refused: 'a signature line is malformed' };
      const bytes = decodeBase64(encoded);
      if (bytes === undefined || bytes.byteLength <= KEY_ID_BYTES) return { refused: 'a signature is not base64' };
      if (name !== this.name || !bytes.subarray(0, KEY_ID_BYTES).equals(this.keyId)) continue;
      if (!verify(null, Buffer.from(text), this.#key, bytes.subarray(KEY_ID_BYTES))) return { refused: 'its signature is wrong' };
      signed = true;
    }
    if (!signed) return { refused: "it is not signed by this log's key" };
    return this.#parse(text);
  }

  #parse(text: string): Checkpoint | { readonly refused: string } {
    const [origin, size, encodedRoot] = text.split('\n');
    if (origin !== this.name) return { refused: `its origin is ${JSON.stringify(origin)}, not ${JSON.stringify(this.name)}` };
    const root = decodeBase64(encodedRoot ?? '');
    if (size === undefined || !/^(?:0|[1-9][0-9]{0,15})$/.test(size) || !Number.isSafeInteger(Number(size)))
      return { refused: 'its size is malformed' };
    if (root?.byteLength !== 32) return { refused: 'its root is malformed' };
    return { origin, size: Number(size), root };
  }
}

/** Signs checkpoints. The key's name is the log's origin. */
export class NoteSigner {
  readonly verifier: NoteVerifier;
  readonly #key: KeyObject;

  /** `pem`: an Ed25519 private key, PKCS #8. */
  constructor(origin: string, pem: string | Buffer) {
    this.#key = createPrivateKey(pem);
    this.verifier = new NoteVerifier(origin, createPublicKey(this.#key));
  }

  sign(size: number, root: Uint8Array): string {
    const text = `${this.verifier.name}\n${size}\n${Buffer.from(root).toString('base64')}\n`;
    const signature = Buffer.concat([this.verifier.keyId, sign(null, Buffer.from(text), this.#key)]);
    return `${text}\n\u2014 ${this.verifier.name} ${signature.toString('base64')}\n`;
  }
}

/** A note as it stands in the history: behind a line with its length in bytes. */
export function historyEntry(note: string): string {
  return `${Buffer.byteLength(note)}\n${note}`;
}

/**
 * Where the next history entry ends: `begin` and `end` of its note in `bytes`, `incomplete` if the bytes stop within it, `malformed`
 * if this can be no entry.
 */
export function nextHistoryEntry(bytes: Buffer, at: number): { readonly begin: number; readonly end: number } | 'incomplete' | 'malformed' {
  const newline = bytes.indexOf(0x0a, at);
  const digits = bytes.toString('latin1', at, newline < 0 ? Math.min(bytes.byteLength, at + MAX_LENGTH_DIGITS + 1) : newline);
  if (!/^[1-9][0-9]{0,5}$/.test(digits)) return newline < 0 && digits === '' ? 'incomplete' : 'malformed';
  if (newline < 0) return 'incomplete';
  const end = newline + 1 + Number(digits);
  return end > bytes.byteLength ? 'incomplete' : { begin: newline + 1, end };
}

/** Strict: the encoding that base64 of these bytes gives, and no other. */
function decodeBase64(text: string): Buffer | undefined {
  const bytes = Buffer.from(text, 'base64');
  return bytes.toString('base64') === text ? bytes : undefined;
}

const ED25519_TYPE = 1;
const ED25519_KEY_BYTES = 32;
const KEY_ID_BYTES = 4;
const MAX_LENGTH_DIGITS = 6;
