import type { FileHandle } from 'node:fs/promises';

/** One signed note of the file `checkpoints`. */
export interface HistoryEntry {
  readonly note: Buffer;
  /** From 0. */
  readonly number: number;
}

/**
 * Reads `checkpoints`, entry by entry, while it may be growing. `next` answers `undefined` at the end, where there may also stand an
 * entry that is not all there; asked again later, it goes on from there.
 */
export class HistoryReader {
  readonly #file: FileHandle;
  /** Read but not yet taken. */
  #buffer: Buffer = Buffer.alloc(0);
  #readUpTo = 0;
  #entries = 0;
  #broken: string | undefined;

  constructor(file: FileHandle) {
    this.#file = file;
  }

  get entries(): number {
    return this.#entries;
  }

  /** Bytes of an incomplete entry at the end. */
  get incompleteBytes(): number {
    return this.#buffer.length;
  }

  /** Where and why the file does not parse; no entry can be found behind that. */
  get broken(): string | undefined {
    return this.#broken;
  }

  async next(): Promise<HistoryEntry | undefined> {
    while (this.#broken === undefined) {
      const end = this.#entryEnd();
      if (end !== undefined && end.end <= this.#buffer.length) {
        const note = this.#buffer.subarray(end.start, end.end);
        this.#buffer = this.#buffer.subarray(end.end);
        this.#entries += 1;
        return { note, number: this.#entries - 1 };
      }
      if (this.#broken !== undefined || !(await this.#readMore())) return undefined;
    }
    return undefined;
  }

  /** Where the next note begins and ends in the buffer; undefined while its length is not known yet. */
  #entryEnd(): { start: number; end: number } | undefined {
    const newline = this.#buffer.subarray(0, MAX_LENGTH_DIGITS + 1).indexOf(0x0a);
    const line = this.#buffer.toString('latin1', 0, newline < 0 ? MAX_LENGTH_DIGITS + 1 : newline);
    if (newline < 0 && (line === '' || /^[1-9]\d*$/.test(line)) && line.length <= MAX_LENGTH_DIGITS) return undefined;
    if (newline < 0 || !/^[1-9]\d*$/.test(line)) {
      this.#broken = `entry ${this.#entries} has no length line where it should begin (byte ${this.#readUpTo - this.#buffer.length})`;
      return undefined;
    }
    return { start: newline + 1, end: newline + 1 + Number(line) };
  }

  async #readMore(): Promise<boolean> {
    const chunk = Buffer.alloc(CHUNK_BYTES);
    const { bytesRead } = await this.#file.read(chunk, 0, CHUNK_BYTES, this.#readUpTo);
    this.#readUpTo += bytesRead;
    this.#buffer = Buffer.concat([this.#buffer, chunk.subarray(0, bytesRead)]);
    return bytesRead > 0;
  }
}

const CHUNK_BYTES = 256 * 1024;
/** Notes are below 1 MiB. */
const MAX_LENGTH_DIGITS = 6;
