import { HEADER_BYTES, LENGTH_FIELD_BYTES, LIMIT_BYTES } from './messages.ts';
import { badLength, COUNT, OPEN, REFUSE, refusal, tooLong } from './tag-table.ts';
import type { TagTable } from './tag-table.ts';

export { tagTable } from './tag-table.ts';
export type { TagTable } from './tag-table.ts';

/**
 * Cuts one direction of a connection into messages ("Message Formats": a tag byte, then an Int32 length that counts itself) without
 * copying what only passes through.
 *
 *     framer.push(chunk);
 *     for (;;) {
 *       const found = framer.next(table);          // `table` may differ from call to call: it is the state's
 *       if (found === undefined) break;            // all consumed; what is cut short is kept
 *       if (found === 'run') forward(framer.view(), framer.counted);
 *       else open(framer.tag, framer.body(), framer.view());
 *     }
 *
 * Frames that the table marks `forward` or `count` are handed out as *runs*: one view over as many neighbours as lie together. Such a
 * frame longer than `STREAM_ABOVE_BYTES` is never assembled: a run may end within it, and `atBoundary` is then false until its last
 * byte was handed out. Frames marked `open` are handed out one by one and whole. Any other tag is a violation.
 *
 * Who owns what: a view is of the pushed chunk, or of a buffer of the framer's own that it never writes to again. So a view lives for
 * as long as the pusher leaves its chunk alone; callers count on it until the next `push` and no longer.
 *
 * After a fault nothing can be said about the stream any more: each later `next` raises it again.
 */
export interface Framer {
  /** Adds bytes. What earlier chunks left unread is kept, by copying. */
  push(bytes: Uint8Array): void;
  /** Hands out the next run or frame; its place is in `bytes`, `start`, `end`. `undefined`: more bytes are needed. */
  next(table: TagTable): 'run' | 'frame' | undefined;
  /**
   * Hands out the next untagged packet, the only kind before the session starts; `tag` is 0.
   * Never reads past it: what follows may belong to TLS.
   */
  nextStartup(): 'frame' | undefined;
  /** The next unread byte, left unread. Tells TLS (0x16) from a startup packet, and the answers to SSLRequest apart. */
  peek(): number | undefined;
  /** Passes over one byte that `peek` showed. */
  skip(): void;
  /** Everything unread, taken out: for the TLS layer, before which it must not be decoded. `undefined` where there is nothing. */
  takeUnread(): Uint8Array | undefined;
  /** Copies what is unread out of the pushed chunk, so that its owner may reuse it while this side waits. */
  retain(): void;
  /** Bytes pushed and not yet handed out. */
  readonly unreadBytes: number;
  /** True where everything handed out so far ended with the end of a message: another message may be put in here. */
  readonly atBoundary: boolean;

  /** Tag of the frame handed out last; of a run, the tag of its last frame. */
  readonly tag: number;
  readonly bytes: Uint8Array;
  readonly start: number;
  readonly end: number;
  /** Frames marked `count` that began in the run handed out last. */
  readonly counted: number;
  /** Bytes of the last run's last frame that are still to come. */
  readonly remaining: number;
  /** `bytes` from `start` to `end`. */
  view(): Uint8Array;
  /** The frame's body: the view without tag and length. */
  body(): Uint8Array;
}

/** `startupLimitBytes`: largest length field of an untagged packet. */
export function createFramer(startupLimitBytes: number = LIMIT_BYTES.startup): Framer {
  return new StreamFramer(startupLimitBytes);
}

class StreamFramer implements Framer {
  tag = 0;
  bytes: Uint8Array = EMPTY;
  start = 0;
  end = 0;
  counted = 0;
  /** Bytes still to come of a frame whose beginning went out in a run. */
  remaining = 0;

  readonly #startupLimitBytes: number;
  /** Being read, from `#at` to `#until`: the pushed chunk, or the carry. */
  #window: Uint8Array = EMPTY;
  #at = 0;
  #until = 0;
  /** True while the window is our own buffer, which may be appended to. */
  #windowIsCarry = false;
  /** The pushed chunk while the carry in front of it is being read. */
  #chunk: Uint8Array = EMPTY;
  #chunkAt = 0;
  /** What `#walk` lacked of the frame at `#at`, in bytes. */
  #missing = 0;

  constructor(startupLimitBytes: number) {
    this.#startupLimitBytes = startupLimitBytes;
  }

  push(bytes: Uint8Array): void {
    this.retain();
    // A plain view, once a chunk: on Node's `Buffer`, `slice` would not copy, and callers that keep something would keep a view.
    const chunk = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
    if (this.#at === this.#until) this.#enter(chunk, 0);
    else {
      this.#chunk = chunk;
      this.#chunkAt = 0;
    }
  }

  next(table: TagTable): 'run' | 'frame' | undefined {
    this.counted = 0;
    for (;;) {
      const found = this.#walk(table);
      if (found !== undefined) return found;
      if (!this.#refill(this.#missing)) return undefined;
    }
  }

  nextStartup(): 'frame' | undefined {
    for (;;) {
      const available = this.#until - this.#at;
      let missing = LENGTH_FIELD_BYTES - available;
      if (missing <= 0) {
        const length = readLength(this.#window, this.#at);
        if (length > this.#startupLimitBytes) throw tooLong(0, length, this.#startupLimitBytes);
        if (length < 2 * LENGTH_FIELD_BYTES) throw badLength(0, length);
        missing = length - available;
        if (missing <= 0) {
          this.#emit(this.#at, this.#at + length);
          this.tag = 0;
          this.#at = this.end;
          return 'frame';
        }
      }
      if (!this.#refill(missing)) return undefined;
    }
  }

  peek(): number | undefined {
    if (this.#at === this.#until && !this.#refill(1)) return undefined;
    return this.#window[this.#at];
  }

  skip(): void {
    if (this.peek() === undefined) throw new RangeError('nothing to skip');
    this.#at += 1;
  }

  takeUnread(): Uint8Array | undefined {
    const unread = this.unreadBytes;
    if (unread === 0) return undefined;
    this.retain();
    const bytes = this.#window.subarray(this.#at, this.#until);
    this.#enter(EMPTY, 0);
    return bytes;
  }

  retain(): void {
    const rest = this.#chunk.length - this.#chunkAt;
    if (this.#windowIsCarry) {
      if (rest > 0) this.#append(rest, this.unreadBytes);
      return;
    }
    if (this.#at === this.#until) this.#enter(EMPTY, 0);
    else this.#carry(this.#until - this.#at);
  }

  get unreadBytes(): number {
    return this.#until - this.#at + this.#chunk.length - this.#chunkAt;
  }

  get atBoundary(): boolean {
    return this.remaining === 0;
  }

  view(): Uint8Array {
    return this.bytes.subarray(this.start, this.end);
  }

  body(): Uint8Array {
    return this.bytes.subarray(this.start + (this.tag === 0 ? LENGTH_FIELD_BYTES : HEADER_BYTES), this.end);
  }

  /** Reads the window. `undefined`: nothing to hand out, `#missing` more bytes are needed to go on. */
  #walk(table: TagTable): 'run' | 'frame' | undefined {
    const { disposition, limitBytes } = table;
    const window = this.#window;
    const until = this.#until;
    const from = this.#at;
    let at = from;
    let tag = this.tag;
    let counted = 0;
    if (this.remaining > 0) {
      const step = Math.min(this.remaining, until - at);
      if (step === 0) {
        this.#missing = 1;
        return undefined;
      }
      this.remaining -= step;
      at += step;
    }
    while (until - at >= HEADER_BYTES) {
      const frameTag = window[at]!;
      const what = disposition[frameTag]!;
      const length = readLength(window, at + 1);
      if (what === REFUSE || length < LENGTH_FIELD_BYTES || length > limitBytes[frameTag]!) {
        if (at > from) break;
        throw refusal(table, frameTag, length);
      }
      const total = length + 1;
      if (what === OPEN) {
        if (at > from) break;
        if (total > until - at) {
          this.#missing = total - (until - at);
          return undefined;
        }
        this.tag = frameTag;
        this.#emit(at, at + total);
        this.#at = at + total;
        return 'frame';
      }
      if (total > until - at) {
        if (total <= STREAM_ABOVE_BYTES) break;
        this.remaining = total - (until - at);
      }
      tag = frameTag;
      if (what === COUNT) counted += 1;
      if (this.remaining > 0) {
        at = until;
        break;
      }
      at += total;
    }
    if (at > from) {
      this.tag = tag;
      this.counted = counted;
      this.#emit(from, at);
      this.#at = at;
      return 'run';
    }
    const left = until - at;
    this.#missing = left < HEADER_BYTES ? HEADER_BYTES - left : readLength(window, at + 1) + 1 - left;
    return undefined;
  }

  #emit(start: number, end: number): void {
    this.bytes = this.#window;
    this.start = start;
    this.end = end;
  }

  /** Makes up to `missing` more bytes readable. False where there are none: what is unread waits in the carry. */
  #refill(missing: number): boolean {
    const rest = this.#chunk.length - this.#chunkAt;
    if (this.#at === this.#until) {
      if (rest === 0) return false;
      this.#enter(this.#chunk, this.#chunkAt);
      return true;
    }
    if (!this.#windowIsCarry) this.#carry(missing);
    if (rest === 0) return false;
    this.#append(Math.min(missing, rest), this.#until - this.#at + missing);
    return true;
  }

  /** Reads on in `bytes`, the whole of what is left. */
  #enter(bytes: Uint8Array, at: number): void {
    this.#window = bytes;
    this.#at = at;
    this.#until = bytes.length;
    this.#windowIsCarry = false;
    this.#chunk = EMPTY;
    this.#chunkAt = 0;
  }

  /** Moves what is unread of the window into a fresh carry with some room for the `missing` bytes to come. */
  #carry(missing: number): void {
    const left = this.#until - this.#at;
    const carry = new Uint8Array(Math.min(left + missing, Math.max(2 * left, CARRY_MIN_BYTES)));
    carry.set(this.#window.subarray(this.#at, this.#until));
    this.#window = carry;
    this.#at = 0;
    this.#until = left;
    this.#windowIsCarry = true;
  }

  /**
   * Adds `count` bytes of the chunk to the carry, which grows by doubling up to the `wanted` bytes that it will hold unread: an
   * announced length costs no memory before its bytes have come. Bytes before `#until` are never written again: views point there.
   */
  #append(count: number, wanted: number): void {
    if (this.#until + count > this.#window.length) {
      const left = this.#until - this.#at;
      const grown = new Uint8Array(Math.max(left + count, Math.min(wanted, 2 * (left + count))));
      grown.set(this.#window.subarray(this.#at, this.#until));
      this.#window = grown;
      this.#at = 0;
      this.#until = left;
    }
    this.#window.set(this.#chunk.subarray(this.#chunkAt, this.#chunkAt + count), this.#until);
    this.#until += count;
    this.#chunkAt += count;
  }
}

/** Int32, read unsigned: a length of 2^31 or more is then simply too long, and never negative. */
function readLength(bytes: Uint8Array, at: number): number {
  return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0;
}

/**
 * A forwarded frame up to this size is kept until it is whole, so that the stream is at a message boundary nearly always; a longer
 * one passes as it comes. Half of such a frame, on average, is copied once per chunk.
 */
const STREAM_ABOVE_BYTES = 8_192;
const CARRY_MIN_BYTES = 256;
const EMPTY = new Uint8Array(0);
