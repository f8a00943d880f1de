/** Bytes that are put together from pieces: one buffer that doubles, so that neither many pieces nor a length that was only announced cost more than the bytes that came. */
export class GrowingBytes {
  #buffer: Uint8Array = new Uint8Array(0);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** What was appended, and room behind it. Another one after each `append`. */
  get buffer(): Uint8Array {
    return this.#buffer;
  }

  /** Copies a piece behind the others; returns where it begins. */
  append(piece: Uint8Array): number {
    const start = this.#length;
    const length = start + piece.length;
    if (length > this.#buffer.length) {
      const larger = new Uint8Array(Math.max(length, 2 * this.#buffer.length));
      larger.set(this.#buffer.subarray(0, start));
      this.#buffer = larger;
    }
    this.#buffer.set(piece, start);
    this.#length = length;
    return start;
  }

  /** All of it, as a view that the next `append` or `discard` overwrites. */
  take(): Uint8Array {
    return this.#buffer.subarray(0, this.#length);
  }

  /** What remains behind the first `count` bytes moves to the front. */
  discard(count: number): void {
    this.#buffer.copyWithin(0, count, this.#length);
    this.#length -= count;
  }
}
