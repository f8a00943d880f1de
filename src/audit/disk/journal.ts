import { join } from 'node:path';
import type { Batch } from '../frames.ts';
import { BARRIER, scanSegment } from '../frames.ts';
import type { FileSystem, OpenFile } from './file-system.ts';
import { writeAll } from './file-system.ts';

/**
 * The journal's segments, the last of which is written. One call at a time, but that a flush may be under way beside others. Any error leaves the journal unusable until `reopen`, which goes back to
 * what was acknowledged: after a failed write or flush nothing is known of the bytes behind it, and the descriptor is not asked again.
 */
export class Journal {
  readonly #disk: FileSystem;
  readonly #folder: string;
  readonly #segmentBytes: number;
  /** First sequences of all segments, ascending; the last one is open. */
  readonly #segments: number[];
  #file: OpenFile;
  /** Acknowledged bytes and records of the open segment. */
  #end: number;
  #records: number;
  /** How much of it has been flushed. */
  #flushed: number;
  #slow = false;
  /** A flush under way; never rejects. */
  #flushing: Promise<void> | undefined;
  /** Why it failed. */
  #failure: Error | undefined;
  /** So many zeros are kept ahead of the frames. */
  readonly #room: Uint8Array;
  /** Where the zeros behind the frames end. */
  #reserved: number;
  /** Zeros on their way to the file; never rejects. */
  #reserving: Promise<void> | undefined;

  private constructor(disk: FileSystem, folder: string, sizes: JournalSizes, state: JournalState, file: OpenFile) {
    this.#disk = disk;
    this.#folder = folder;
    this.#segmentBytes = sizes.segmentBytes;
    this.#room = new Uint8Array(sizes.roomBytes);
    this.#reserved = state.end;
    this.#segments = [...state.segments];
    this.#end = state.end;
    this.#records = state.records;
    this.#flushed = state.end;
    this.#file = file;
  }

  /** Continues behind what recovery found; everything of it is flushed first. */
  static async open(disk: FileSystem, folder: string, sizes: JournalSizes, state: JournalState): Promise<Journal> {
    const file = await disk.open(segmentPath(folder, state.segments.at(-1)!));
    try {
      if ((await file.stat()).size !== state.end) await file.truncate(state.end);
      await file.datasync();
      await disk.syncFolder(folder);
    } catch (error) {
      await file.close().catch(() => {});
      throw error;
    }
    return new Journal(disk, folder, sizes, state, file);
  }

  /**
   * Appends the batch's frames with one write and, with `flush`, one fdatasync. Resolves when that much is done; the leaf hashes are computed
   * while the disk works.
   */
  async write(batch: Batch, flush: boolean): Promise<void> {
    this.#check();
    batch.layOut();
    if (this.#isFull) await this.#rotate(batch.first);
    const bytes = this.#framesOf(batch);
    if (this.#meetsZeros(bytes)) await this.#reserving;
    // Not waited for where there is nothing to wait for: the flush begins in the same turn.
    const now = this.#putNow(bytes);
    if (now < bytes.byteLength) await writeAll(this.#file, bytes.subarray(now), this.#end + now);
    if (flush) {
      const startedAt = performance.now();
      const flushed = this.#file.datasync();
      batch.hash();
      await flushed;
      this.#slow = performance.now() - startedAt > SLOW_MS;
      this.#flushed = this.#end + bytes.byteLength;
    } else {
      batch.hash();
    }
    this.#acknowledge(bytes, batch);
    if (flush) this.#reserveAhead();
  }

  /**
   * The same without a flush and without a promise, where the system takes all of it at once. False where it does not: then nothing is acknowledged, and `write`
   * writes the batch from its beginning.
   */
  writeNow(batch: Batch): boolean {
    this.#check();
    batch.layOut();
    if (this.#isFull || this.#isSlow || batch.length > MAX_WRITE_NOW_BYTES) return false;
    const bytes = this.#framesOf(batch);
    if (this.#meetsZeros(bytes)) return false;
    if (this.#file.writeNow(bytes, this.#end) < bytes.byteLength) return false;
    batch.hash();
    this.#acknowledge(bytes, batch);
    return true;
  }

  /**
   * Flushes what is acknowledged at the moment of the call, and fails where the file has lost its name, for then nobody will find what it holds. Batches may be
   * written meanwhile. A failure is told to the calls that follow as well, until `reopen`.
   */
  async flush(): Promise<void> {
    this.#check();
    const flushed = this.#flush(this.#file, this.#end);
    this.#flushing = flushed.catch((error: Error) => {
      this.#failure = error;
    });
    try {
      await flushed;
    } finally {
      this.#flushing = undefined;
    }
  }

  /** What a flush failed with. */
  get failure(): Error | undefined {
    return this.#failure;
  }

  #check(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }

  async #flush(file: OpenFile, end: number): Promise<void> {
    if (this.#flushed !== end) {
      await file.datasync();
      if (file === this.#file) this.#flushed = end;
    }
    if ((await file.stat()).links === 0) throw new Error('the journal was deleted while it was open');
  }

  /** Opens the segment anew, checks that all that was acknowledged is there, and cuts off the rest. */
  async reopen(): Promise<void> {
    await this.#flushing;
    await this.#reserving;
    await this.#file.close().catch(() => {});
    const path = segmentPath(this.#folder, this.#segments.at(-1)!);
    this.#file = await this.#disk.open(path);
    const { size } = await this.#file.stat();
    if (size < this.#end) throw new Error(`${path} holds ${size} bytes of ${this.#end} that were acknowledged`);
    const bytes = Buffer.allocUnsafe(this.#end);
    for (let at = 0; at < bytes.byteLength;) {
      const read = await this.#file.read(bytes.subarray(at), at);
      if (read === 0) throw new Error(`${path} ended while it was read`);
      at += read;
    }
    const found = scanSegment(bytes, () => {});
    if (!found.whole || found.frames !== this.#records) throw new Error(`${path} no longer holds what was acknowledged`);
    await this.#file.truncate(this.#end);
    await this.#file.datasync();
    await this.#disk.syncFolder(this.#folder);
    this.#flushed = this.#end;
    this.#reserved = this.#end;
    this.#failure = undefined;
  }

  /** Deletes segments all of whose records lie below `sequence`; never the open one. */
  async deleteBelow(sequence: number): Promise<void> {
    while (this.#segments.length > 1 && this.#segments[1]! <= sequence) {
      await this.#disk.remove(segmentPath(this.#folder, this.#segments[0]!));
      this.#segments.shift();
    }
  }

  /** Gives back the room behind the last frame. Only while the log is this process's own: another's records may lie there. */
  async trim(): Promise<void> {
    await this.#reserving;
    if (this.#reserved <= this.#end) return;
    await this.#file.truncate(this.#end);
    this.#reserved = this.#end;
  }

  async close(): Promise<void> {
    await this.#flushing;
    await this.#reserving;
    await this.#file.close();
  }

  /**
   * Writes zeros ahead of the frames: where a flush finds size and blocks of the file as they were, it has only bytes to write, and takes two thirds of
   * the time. They are part of the next batch's flush. Where the disk has no room for them there are none; the records' own write will say so.
   */
  #reserveAhead(): void {
    const left = this.#reserved - this.#end;
    if (this.#reserving !== undefined || left >= this.#room.byteLength / 2) return;
    const from = Math.max(this.#reserved, this.#end);
    this.#reserving = writeAll(this.#file, this.#room, from)
      .then(
        () => {
          this.#reserved = from + this.#room.byteLength;
        },
        () => {},
      )
      .finally(() => {
        this.#reserving = undefined;
      });
  }

  /** True where these frames would lie where zeros are being written. */
  #meetsZeros(bytes: Uint8Array): boolean {
    return this.#reserving !== undefined && this.#end + bytes.byteLength > this.#reserved;
  }

  /**
   * A small write goes to the page cache at once: 2 µs, where the thread pool takes 20 to 40. Not so while the disk is slow, when the system may
   * make a writer wait.
   */
  #putNow(bytes: Uint8Array): number {
    return bytes.byteLength <= MAX_WRITE_NOW_BYTES && !this.#isSlow ? this.#file.writeNow(bytes, this.#end) : 0;
  }

  /** A write may have to wait for the disk: the thread of all sessions must not. */
  get #isSlow(): boolean {
    return this.#slow || this.#flushing !== undefined;
  }

  get #isFull(): boolean {
    return this.#end >= this.#segmentBytes;
  }

  /** With a barrier in front where everything before was flushed. */
  #framesOf(batch: Batch): Uint8Array {
    const begin = this.#end > 0 && this.#flushed === this.#end ? 0 : BARRIER.byteLength;
    return batch.bytes.subarray(begin, batch.length);
  }

  #acknowledge(bytes: Uint8Array, batch: Batch): void {
    this.#end += bytes.byteLength;
    this.#records += batch.count;
  }

  async #rotate(first: number): Promise<void> {
    await this.#flushing;
    // The system tells each error once: a flush after one that failed may succeed with a part of the segment missing.
    this.#check();
    await this.trim();
    if (this.#flushed !== this.#end) await this.#file.datasync();
    const next = await this.#disk.open(segmentPath(this.#folder, first), 'empty');
    try {
      await next.datasync();
      await this.#disk.syncFolder(this.#folder);
    } catch (error) {
      await next.close().catch(() => {});
      throw error;
    }
    const full = this.#file;
    this.#file = next;
    this.#segments.push(first);
    this.#end = 0;
    this.#reserved = 0;
    this.#flushed = 0;
    this.#records = 0;
    await this.#flushing;
    await full.close();
  }
}

export interface JournalSizes {
  /** A segment is closed when it has grown to this. */
  readonly segmentBytes: number;
  /** Zeros that are kept behind the frames of the open segment, at least half of it; 0: none. */
  readonly roomBytes: number;
}

export interface JournalState {
  readonly segments: readonly number[];
  /** Bytes and records of the last segment. */
  readonly end: number;
  readonly records: number;
}

export function segmentPath(folder: string, first: number): string {
  return join(folder, `${String(first).padStart(SEGMENT_DIGITS, '0')}.journal`);
}

/** The first sequences of the segments in a folder, ascending. */
export async function listSegments(disk: FileSystem, folder: string): Promise<number[]> {
  const names = await disk.list(folder);
  return names
    .filter((name) => /^[0-9]{16}\.journal$/.test(name))
    .map((name) => Number(name.slice(0, SEGMENT_DIGITS)))
    .sort((a, b) => a - b);
}

const SEGMENT_DIGITS = 16;
const MAX_WRITE_NOW_BYTES = 256 * 1024;
const SLOW_MS = 100;
