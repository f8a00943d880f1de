import { createHash, createPublicKey, verify, type KeyObject } from 'node:crypto';
import { isUtf8 } from 'node:buffer';

/** A log's public key as C2SP signed-note writes it: `<name>+<key id>+<base64 of 0x01 and 32 bytes>`. */
export interface VerifierKey {
  readonly line: string;
  readonly name: string;
  /** Four bytes, hex. */
  readonly id: string;
  readonly publicKey: KeyObject;
}

/** A checkpoint whose signature holds. */
export interface Checkpoint {
  readonly size: number;
  /** 32 bytes. */
  readonly root: Buffer;
  /** What is signed; two notes with the same text are the same checkpoint, whoever else has signed them. */
  readonly text: string;
}

export type OpenedNote =
  | { readonly ok: true; readonly checkpoint: Checkpoint }
  | { readonly ok: false; readonly kind: 'altered' | 'forged-checkpoint'; readonly detail: string };

/** Throws an `Error` that says what is wrong with the line. */
export function parseVerifierKey(line: string): VerifierKey {
  const trimmed = line.endsWith('\n') ? line.slice(0, -1) : line;
  const nameEnd = trimmed.indexOf('+');
  const idEnd = trimmed.indexOf('+', nameEnd + 1);
  if (nameEnd < 1 || idEnd < 0) throw new Error('a verifier key has the form name+id+base64');
  const name = trimmed.slice(0, nameEnd);
  const id = trimmed.slice(nameEnd + 1, idEnd);
  const encoded = decodeBase64(trimmed.slice(idEnd + 1));
  if (/\s/u.test(name)) throw new Error('the name in a verifier key has no spaces');
  if (!/^[0-9a-f]{8}$/.test(id)) throw new Error('the id in a verifier key is eight hex digits');
  if (encoded?.length !== KEY_BYTES + 1 || encoded[0] !== ED25519_TYPE) throw new Error('the verifier key is not an Ed25519 key');
  const digest = createHash('sha256').update(`${name}\n`).update(encoded).digest('hex');
  if (digest.slice(0, 8) !== id) throw new Error(`the verifier key's id is ${id}, but its key has the id ${digest.slice(0, 8)}`);
  const der = Buffer.concat([SPKI_PREFIX, encoded.subarray(1)]);
  return { line: trimmed, name, id, publicKey: createPublicKey({ key: der, format: 'der', type: 'spki' }) };
}

/**
 * Opens a C2SP checkpoint: a signed note by `key`, whose first line is `origin`. As signed-note has it, lines of other keys are
 * ignored, and a line with this key's name and id that does not verify makes the whole note invalid.
 */
export function openCheckpoint(note: Buffer, key: VerifierKey, origin: string): OpenedNote {
  const parts = splitNote(note);
  if (typeof parts === 'string') return { ok: false, kind: 'altered', detail: parts };
  const forged = (detail: string): OpenedNote => ({ ok: false, kind: 'forged-checkpoint', detail });
  let signed = false;
  for (const { name, idAndSignature } of parts.signatures) {
    if (name !== key.name || idAndSignature.toString('hex', 0, 4) !== key.id) continue;
    if (!verify(null, Buffer.from(parts.text), key.publicKey, idAndSignature.subarray(4))) {
      return forged('the signature of the log’s key does not hold');
    }
    signed = true;
  }
  if (!signed) return forged(`not signed by the log’s key ${key.name}+${key.id}, but by ${signers(parts.signatures)}`);

  const [first, size = '', root = ''] = parts.text.split('\n');
  if (first !== origin) return forged(`the checkpoint of another log: its origin is ${JSON.stringify(first)}`);
  const rootHash = decodeBase64(root);
  if (!/^(0|[1-9]\d{0,15})$/.test(size) || !Number.isSafeInteger(Number(size)) || rootHash?.length !== 32) {
    return { ok: false, kind: 'altered', detail: 'size and root do not parse' };
  }
  return { ok: true, checkpoint: { size: Number(size), root: rootHash, text: parts.text } };
}

interface NoteParts {
  readonly text: string;
  readonly signatures: readonly Signature[];
}

interface Signature {
  readonly name: string;
  /** Four bytes of key id, then the signature. */
  readonly idAndSignature: Buffer;
}

/** By the form of signed notes alone; says what does not fit it. */
function splitNote(note: Buffer): NoteParts | string {
  if (note.length > MAX_NOTE_BYTES) return 'longer than any checkpoint';
  if (!isUtf8(note)) return 'not UTF-8';
  if (note.some((byte) => byte < 0x20 && byte !== 0x0a)) return 'holds control characters';
  const whole = note.toString('utf8');
  const textEnd = whole.lastIndexOf('\n\n');
  if (textEnd < 0 || !whole.endsWith('\n')) return 'not a signed note';
  const text = whole.slice(0, textEnd + 1);
  if (text.includes('\n\n') || text.startsWith('\n') || text.split('\n').length < 4) return 'not the text of a checkpoint';
  const lines = whole.slice(textEnd + 2, -1).split('\n');
  if (lines.length > MAX_SIGNATURES) return 'too many signatures';
  const signatures: Signature[] = [];
  for (const line of lines) {
    const [dash, name = '', encoded = '', ...rest] = line.split(' ');
    const idAndSignature = decodeBase64(encoded);
    if (dash !== '\u2014' || name === '' || rest.length > 0 || idAndSignature === undefined || idAndSignature.length < 5) {
      return 'a signature line does not parse';
    }
    signatures.push({ name, idAndSignature });
  }
  return { text, signatures };
}

function signers(signatures: readonly Signature[]): string {
  return signatures.map(({ name, idAndSignature }) => `${JSON.stringify(name)}+${idAndSignature.toString('hex', 0, 4)}`).join(', ');
}

/** RFC 4648 section 4, strictly: only what encodes back to the same text. */
function decodeBase64(text: string): Buffer | undefined {
  const bytes = Buffer.from(text, 'base64');
  return bytes.toString('base64') === text ? bytes : undefined;
}

const ED25519_TYPE = 1;
const KEY_BYTES = 32;
/** DER of a SubjectPublicKeyInfo for Ed25519 up to the key itself (RFC 8410 section 4). */
const SPKI_PREFIX = Buffer.from('302a300506032b6570032100', 'hex');
/** Far above 16 post-quantum signatures, which signed-note asks a verifier to accept. */
const MAX_NOTE_BYTES = 1024 * 1024;
const MAX_SIGNATURES = 100;
