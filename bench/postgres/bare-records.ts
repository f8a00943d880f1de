import { hash } from 'node:crypto';
import { fdatasync, openSync, renameSync, writeFileSync, writeSync, writevSync } from 'node:fs';
import { join } from 'node:path';

/**
 * The least that keeping records can take in the log's format, whatever is in them: bytes that are ready-made, hashed as leaves, journalled, and
 * written as tiles and entry bundles (RFC 6962, C2SP tlog-tiles). Nothing is understood, decided, encoded, redacted, recorded, signed or ever read again.
 */
export class BareRecords {
  readonly #folder: string;
  readonly #durability: 'disk' | 'process';
  readonly #journal: number;
  /** Bytes in it, and how far the file reaches: with `disk`, zeros lie behind them, as in the log. */
  #end = 0;
  #reserved = 0;
  readonly #ready: Readonly<Record<Kind, Buffer>>;
  #pending: Buffer[] = [];
  #waiting: { readonly sequence: number; readonly resume: () => void }[] = [];
  #isFlushing = false;
  #durable = 0;
  #size = 0;
  #bundle: Buffer[] = [];
  readonly #edge: Buffer[] = [];

  constructor(folder: string, durability: 'disk' | 'process', lengths: Readonly<Record<Kind, number>>) {
    this.#folder = folder;
    this.#durability = durability;
    this.#journal = openSync(join(folder, 'journal'), 'w');
    this.#ready = { decided: leaf(lengths.decided), completed: leaf(lengths.completed) };
  }

  /** Its sequence number. */
  append(kind: Kind): number {
    const record = this.#ready[kind];
    record.writeUInt32BE(this.#size, 1);
    this.#pending.push(record.subarray(1));
    this.#bundle.push(record.subarray(1));
    this.#hashed(0, this.#size, hash('sha256', record, 'binary'));
    return this.#size++;
  }

  /** Calls back when that record is durable: at once with `process`, with one flush for all who wait with `disk`. */
  whenDurable(sequence: number, resume: () => void): void {
    if (this.#durability === 'process') this.#write();
    if (this.#durable > sequence) {
      resume();
      return;
    }
    this.#waiting.push({ sequence, resume });
    this.flush();
  }

  /** With `disk`: begins a flush of what was appended, unless one runs. */
  flush(): void {
    if (this.#durability === 'process' || this.#isFlushing) return;
    this.#isFlushing = true;
    const size = this.#size;
    this.#write();
    fdatasync(this.#journal, (error) => {
      if (error !== null) throw error;
      this.#isFlushing = false;
      this.#durable = size;
      const waiting = this.#waiting;
      this.#waiting = waiting.filter(({ sequence }) => sequence >= size);
      for (const { sequence, resume } of waiting) if (sequence < size) resume();
      if (this.#waiting.length > 0) this.flush();
    });
  }

  #write(): void {
    const [first, ...others] = this.#pending;
    if (first === undefined) return;
    this.#end +=
      others.length === 0
        ? writeSync(this.#journal, first, 0, first.length, this.#end)
        : writevSync(this.#journal, this.#pending, this.#end);
    this.#pending = [];
    if (this.#durability === 'process') this.#durable = this.#size;
    else if (this.#reserved - this.#end < room.length / 2) {
      this.#reserved = Math.max(this.#reserved, this.#end);
      this.#reserved += writeSync(this.#journal, room, 0, room.length, this.#reserved);
    }
  }

  #hashed(level: number, at: number, digest: string): void {
    const tile = (this.#edge[level] ??= Buffer.alloc(tileHashes * hashBytes));
    tile.write(digest, (at % tileHashes) * hashBytes, 'binary');
    if (at % tileHashes < tileHashes - 1) return;
    const index = Math.floor(at / tileHashes);
    this.#store(`tile-${level}-${index}`, tile);
    if (level === 0) {
      this.#store(`entries-${index}`, Buffer.concat(this.#bundle));
      this.#bundle = [];
    }
    this.#hashed(level + 1, index, rootOf(tile));
  }

  #store(name: string, bytes: Uint8Array): void {
    const path = join(this.#folder, name);
    writeFileSync(`${path}.new`, bytes);
    renameSync(`${path}.new`, path);
  }
}

type Kind = 'decided' | 'completed';

function leaf(length: number): Buffer {
  const bytes = Buffer.alloc(1 + length, 0x61);
  bytes[0] = 0;
  return bytes;
}

/** Of a full tile. */
function rootOf(tile: Buffer): string {
  const node = Buffer.alloc(1 + 2 * hashBytes, 1);
  let hashes = Buffer.from(tile);
  while (hashes.length > hashBytes) {
    const above = Buffer.alloc(hashes.length / 2);
    for (let at = 0; at < hashes.length; at += 2 * hashBytes) {
      hashes.copy(node, 1, at, at + 2 * hashBytes);
      above.write(hash('sha256', node, 'binary'), at / 2, 'binary');
    }
    hashes = above;
  }
  return hashes.toString('binary');
}

const tileHashes = 256;
const hashBytes = 32;
const room = Buffer.alloc(256 * 1024);
