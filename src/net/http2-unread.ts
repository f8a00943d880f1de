import { GrowingBytes } from '../protocols/growing-bytes.ts';

/**
 * What has come of a body and nobody has read yet. A piece is a view of a larger buffer, which it keeps alive: short ones are copied together, so that many of them cost no more than what
 * they hold.
 */
export class UnreadBytes {
  #pieces: Uint8Array[] = [];
  /** Behind the pieces. */
  #short: GrowingBytes | undefined;
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** `piece`: a view that stays as it is. */
  add(piece: Uint8Array): void {
    this.#length += piece.length;
    if (piece.length >= leastKeptBytes) {
      this.#settle();
      this.#pieces.push(piece);
      return;
    }
    this.#short ??= new GrowingBytes();
    this.#short.append(piece);
    if (this.#short.length >= leastKeptBytes) this.#settle();
  }

  /** In order. Nothing is left. */
  take(): readonly Uint8Array[] {
    const pieces = this.pieces();
    this.#pieces = [];
    this.#length = 0;
    return pieces;
  }

  /** In order. */
  pieces(): readonly Uint8Array[] {
    this.#settle();
    return this.#pieces;
  }

  #settle(): void {
    if (this.#short === undefined) return;
    this.#pieces.push(this.#short.take());
    this.#short = undefined;
  }
}

const leastKeptBytes = 8 * 1024;
