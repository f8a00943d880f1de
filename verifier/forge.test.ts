import { createHash, createPrivateKey, generateKeyPairSync, sign, type KeyObject } from 'node:crypto';
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';

/**
 * What an attacker would write: the log's files from leaves, with any key. Shared by the tests of this folder; written from the
 * specifications once more, so that neither the gateway nor the verifier is asked what a log looks like.
 */

/** Every signed leaf, read from the bundles. */
export async function readLeaves(folder: string, size: number): Promise<Buffer[]> {
  const leaves: Buffer[] = [];
  for (let first = 0; first < size; first += 256) {
    const width = Math.min(256, size - first);
    const bytes = await readFile(join(folder, tileFile('entries', first / 256, width)));
    for (let at = 0; at < bytes.length;) {
      const end = at + 2 + bytes.readUInt16BE(at);
      leaves.push(bytes.subarray(at + 2, end));
      at = end;
    }
  }
  return leaves;
}

/** Writes bundles, and nothing else: the tiles stay as they were. */
export async function writeBundles(folder: string, leaves: readonly Buffer[]): Promise<void> {
  await rm(join(folder, 'tile/entries'), { recursive: true });
  for (let first = 0; first < leaves.length; first += 256) {
    const part = leaves.slice(first, first + 256);
    await put(folder, tileFile('entries', first / 256, part.length), Buffer.concat(part.map(bundled)));
  }
}

/** Writes all hash tiles of a log of these leaves. */
export async function writeTiles(folder: string, leaves: readonly Buffer[]): Promise<void> {
  for (const level of await readdir(join(folder, 'tile'))) {
    if (level !== 'entries') await rm(join(folder, 'tile', level), { recursive: true });
  }
  let hashes = leaves.map(leafHash);
  for (let level = 0; hashes.length > 0; level += 1) {
    const above: Buffer[] = [];
    for (let first = 0; first < hashes.length; first += 256) {
      const part = hashes.slice(first, first + 256);
      await put(folder, tileFile(level, first / 256, part.length), Buffer.concat(part));
      if (part.length === 256) above.push(treeRoot(part));
    }
    hashes = above;
  }
}

/** One segment with everything. */
export async function writeJournal(folder: string, leaves: readonly Buffer[]): Promise<void> {
  await rm(join(folder, 'journal'), { recursive: true });
  await put(folder, `journal/${'0'.repeat(16)}.journal`, Buffer.concat(leaves.map(framed)));
}

/** Writes `checkpoints` and `checkpoint`. */
export async function writeHistory(folder: string, notes: readonly string[]): Promise<void> {
  await writeFile(join(folder, 'checkpoints'), notes.map((note) => `${Buffer.byteLength(note)}\n${note}`).join(''));
  await writeFile(join(folder, 'checkpoint'), notes.at(-1)!);
}

export async function readHistory(folder: string): Promise<string[]> {
  const bytes = await readFile(join(folder, 'checkpoints'));
  const notes: string[] = [];
  for (let at = 0; at < bytes.length;) {
    const start = bytes.indexOf(0x0a, at) + 1;
    at = start + Number(bytes.toString('latin1', at, start - 1));
    notes.push(bytes.toString('utf8', start, at));
  }
  return notes;
}

/** The note that the key's holder would sign for these leaves. */
export function signNote(key: SigningKey, leaves: readonly Buffer[], root = treeRoot(leaves.map(leafHash))): string {
  const text = `${key.name}\n${leaves.length}\n${root.toString('base64')}\n`;
  const signature = sign(null, Buffer.from(text), key.privateKey);
  return `${text}\n\u2014 ${key.name} ${Buffer.concat([Buffer.from(key.id, 'hex'), signature]).toString('base64')}\n`;
}

export interface SigningKey {
  readonly name: string;
  readonly id: string;
  readonly privateKey: KeyObject;
  /** The line of `log.pub`. */
  readonly line: string;
}

/** The log's own key, as its gateway keeps it. */
export async function ownKey(root: string, name: string): Promise<SigningKey> {
  return signingKey(createPrivateKey(await readFile(join(root, 'log.key'))), name);
}

export function otherKey(name: string): SigningKey {
  return signingKey(generateKeyPairSync('ed25519').privateKey, name);
}

function signingKey(privateKey: KeyObject, name: string): SigningKey {
  const { x } = privateKey.export({ format: 'jwk' });
  const encoded = Buffer.concat([Buffer.of(1), Buffer.from(x!, 'base64url')]);
  const id = createHash('sha256').update(`${name}\n`).update(encoded).digest('hex').slice(0, 8);
  return { name, id, privateKey, line: `${name}+${id}+${encoded.toString('base64')}` };
}

export function tileFile(level: number | 'entries', index: number, width: number): string {
  const groups = [index % 1000];
  for (let rest = Math.floor(index / 1000); rest > 0; rest = Math.floor(rest / 1000)) groups.unshift(rest % 1000);
  const parts = groups.map((group, place) => `${place === groups.length - 1 ? '' : 'x'}${String(group).padStart(3, '0')}`);
  return `tile/${level}/${parts.join('/')}${width === 256 ? '' : `.p/${width}`}`;
}

export function leafHash(leaf: Uint8Array): Buffer {
  return createHash('sha256').update(Buffer.of(0)).update(leaf).digest();
}

/** RFC 6962 section 2.1, word for word: by halves at the largest power of two below the size. */
export function treeRoot(hashes: readonly Buffer[]): Buffer {
  if (hashes.length === 0) return createHash('sha256').digest();
  if (hashes.length === 1) return hashes[0]!;
  let half = 1;
  while (half * 2 < hashes.length) half *= 2;
  return createHash('sha256')
    .update(Buffer.of(1))
    .update(treeRoot(hashes.slice(0, half)))
    .update(treeRoot(hashes.slice(half)))
    .digest();
}

export function framed(leaf: Buffer): Buffer {
  const header = Buffer.alloc(8);
  header.writeUInt32BE(leaf.length);
  header.writeUInt32BE(castagnoli(leaf), 4);
  return Buffer.concat([header, leaf]);
}

function bundled(leaf: Buffer): Buffer {
  return Buffer.concat([Buffer.of(leaf.length >> 8, leaf.length & 0xff), leaf]);
}

/** Bit by bit, as the polynomial division is defined. */
function castagnoli(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit += 1) crc = (crc & 1) === 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
  }
  return ~crc >>> 0;
}

async function put(folder: string, name: string, bytes: Buffer): Promise<void> {
  const path = join(folder, name);
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, bytes);
}
