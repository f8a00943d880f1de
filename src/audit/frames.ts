import { crc32c } from './crc32c.ts';
import type { LaterLeaf } from './encoder.ts';
import type { Body } from './record.ts';
import { MAX_LEAF_BYTES } from './record.ts';
import { sha256Into } from './sha256.ts';
import { HASH_BYTES } from './tiles.ts';

/** A frame of the journal: u32 length of the payload, u32 CRC-32C of the payload, payload (one leaf). Big-endian. */
const FRAME_HEADER_BYTES = 8;

/** Says that everything before it in the segment was on the disk when it was written. Cannot occur inside frames: no UTF-8 has a byte 0xFF. */
export const BARRIER: Buffer = Buffer.from('00000000ffffffff', 'hex');

export interface ScannedSegment {
  /** Where the whole frames end. */
  readonly end: number;
  /** Whole frames. */
  readonly frames: number;
  /** False where the segment ends in anything but a whole frame or barrier. */
  readonly whole: boolean;
  /** Damage that a crash cannot explain: a barrier stands after it. */
  readonly damagedBeforeBarrier: boolean;
}

/** A segment without the zeros behind its last frame, which are room for the next ones: no frame and no barrier ends in a zero. */
export function withoutRoom(bytes: Buffer): Buffer {
  let end = bytes.byteLength;
  while (end > 0 && bytes[end - 1] === 0) end -= 1;
  return bytes.subarray(0, end);
}

/** Walks the frames of a segment; the leaf given to `visit` is a view. */
export function scanSegment(bytes: Buffer, visit: (leaf: Uint8Array) => void): ScannedSegment {
  const view = viewOf(bytes);
  let at = 0;
  let frames = 0;
  for (;;) {
    if (bytes.byteLength - at < FRAME_HEADER_BYTES) break;
    const length = bytes.readUInt32BE(at);
    const crc = bytes.readUInt32BE(at + 4);
    if (length === 0 && crc === 0xffffffff) {
      at += BARRIER.byteLength;
      continue;
    }
    const begin = at + FRAME_HEADER_BYTES;
    if (length < MIN_LEAF_BYTES || length > MAX_LEAF_BYTES || length > bytes.byteLength - begin) break;
    if (crc32c(view, begin, begin + length) !== crc) break;
    visit(bytes.subarray(begin, begin + length));
    frames++;
    at = begin + length;
  }
  const whole = at === bytes.byteLength;
  return { end: at, frames, whole, damagedBeforeBarrier: !whole && bytes.indexOf(BARRIER, at) >= 0 };
}

/**
 * Records that go to the disk together: their frames, laid out behind room for one barrier, so that one write takes all. They are laid out, and their leaf hashes
 * computed, when they are needed, many one after the other.
 */
export class Batch {
  /** Sequence of the first record. */
  readonly first: number;
  readonly bodies: Body[] = [];
  /** Of what is laid out. */
  bytes: Buffer;
  length = BARRIER.byteLength;
  count = 0;
  /** About what it takes: each record's UTF-16 units and its frame's header, and the bytes of bodies. */
  size = 0;
  /** The leaf hashes, joined, once `hash` was called. */
  hashes: Buffer = NONE;
  /** To be laid out, and how many of them are. */
  readonly #leaves: (string | LaterLeaf)[] = [];
  #laidOut = 0;
  #waiting: PromiseWithResolvers<void> | undefined;

  constructor(first: number, bytes: Buffer | undefined) {
    this.first = first;
    this.bytes = bytes ?? Buffer.allocUnsafe(INITIAL_BYTES);
    BARRIER.copy(this.bytes, 0);
  }

  /** The leaf must not be longer than `MAX_LEAF_BYTES`. */
  add(leaf: string | LaterLeaf): void {
    this.#leaves.push(leaf);
    this.size += FRAME_HEADER_BYTES + (typeof leaf === 'string' ? leaf.length : leaf.size);
    this.count++;
  }

  /** Lays out what was added since the last time. What is laid out stays so where one that comes later cannot be. */
  layOut(): void {
    if (this.#laidOut === this.#leaves.length) return;
    let view = viewOf(this.bytes);
    for (; this.#laidOut < this.#leaves.length; this.#laidOut++) {
      const leaf = this.#leaves[this.#laidOut]!;
      const text = typeof leaf === 'string' ? leaf : leaf.encode();
      const begin = this.length + FRAME_HEADER_BYTES;
      if (this.#reserve(begin + text.length * 3)) view = viewOf(this.bytes);
      const length = this.bytes.write(text, begin, 'utf8');
      view.setUint32(this.length, length);
      view.setUint32(begin - 4, crc32c(view, begin, begin + length));
      this.length = begin + length;
    }
    this.#leaves.length = 0;
    this.#laidOut = 0;
  }

  addBody(body: Body): void {
    this.bodies.push(body);
    this.size += body.content.byteLength;
  }

  /**
   * Computes the leaf hashes of all that is laid out. For a moment it puts RFC 6962's 0x00 before each leaf, in place of a byte of its CRC, to hash without a copy: the caller
   * sees to it that no write is reading the bytes.
   */
  hash(): void {
    if (this.hashes.byteLength > 0) return;
    const hashes = Buffer.allocUnsafe(this.count * HASH_BYTES);
    let at = 0;
    this.#eachLeaf((begin, end) => {
      const kept = this.bytes[begin - 1]!;
      this.bytes[begin - 1] = 0;
      sha256Into(this.bytes.subarray(begin - 1, end), hashes, at);
      this.bytes[begin - 1] = kept;
      at += HASH_BYTES;
    });
    this.hashes = hashes;
  }

  /** Each leaf as a view, in order. */
  leaves(visit: (leaf: Uint8Array) => void): void {
    this.#eachLeaf((begin, end) => visit(this.bytes.subarray(begin, end)));
  }

  /** One promise for everyone who waits for this batch. */
  get durable(): Promise<void> {
    this.#waiting ??= Promise.withResolvers<void>();
    return this.#waiting.promise;
  }

  resolve(): void {
    this.#waiting?.resolve();
    this.#waiting = undefined;
  }

  reject(error: Error): void {
    this.#waiting?.reject(error);
    this.#waiting = undefined;
  }

  #eachLeaf(visit: (begin: number, end: number) => void): void {
    for (let at = BARRIER.byteLength; at < this.length;) {
      const begin = at + FRAME_HEADER_BYTES;
      at = begin + this.bytes.readUInt32BE(at);
      visit(begin, at);
    }
  }

  /** True where the bytes are others now. */
  #reserve(end: number): boolean {
    if (end <= this.bytes.byteLength) return false;
    const larger = Buffer.allocUnsafe(Math.max(end, this.bytes.byteLength * 2));
    this.bytes.copy(larger, 0, 0, this.length);
    this.bytes = larger;
    return true;
  }
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

const MIN_LEAF_BYTES = 2;
const INITIAL_BYTES = 64 * 1024;
const NONE: Buffer = Buffer.alloc(0);
