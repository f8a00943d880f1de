import { concatenated } from './bytes.ts';

/**
 * Bytes on their way to the client, in order. Neighbours in one buffer go as one view, whether they came like this or were written there by masking;
 * what is small is then copied together, for one write; what is large is never copied.
 */
export class Passing {
  #buffer: ArrayBufferLike | undefined;
  #start = 0;
  #end = 0;
  #pieces: Uint8Array[] = [];

  /** From `start` up to `end` of `bytes`. */
  pass(bytes: Uint8Array, start: number, end: number): void {
    const { buffer, byteOffset } = bytes;
    if (this.#buffer === buffer && this.#end === byteOffset + start) {
      this.#end = byteOffset + end;
      return;
    }
    this.#endRun();
    this.#buffer = buffer;
    this.#start = byteOffset + start;
    this.#end = byteOffset + end;
  }

  /** Everything since the last call. */
  take(): readonly Uint8Array[] {
    this.#endRun();
    const pieces = this.#pieces;
    if (pieces.length === 0) return pieces;
    this.#pieces = [];
    return joinSmall(pieces);
  }

  #endRun(): void {
    if (this.#buffer === undefined) return;
    this.#pieces.push(new Uint8Array(this.#buffer, this.#start, this.#end - this.#start));
    this.#buffer = undefined;
  }
}

/** The same bytes in as few pieces as a write takes best: small neighbours are copied together, what is large stays as it is. */
export function joinSmall(pieces: readonly Uint8Array[]): readonly Uint8Array[] {
  if (pieces.length === 1) return pieces;
  const out: Uint8Array[] = [];
  let small: Uint8Array[] = [];
  const join = (): void => {
    if (small.length > 0) out.push(small.length === 1 ? small[0]! : concatenated(small));
    small = [];
  };
  for (const piece of pieces) {
    if (piece.length < aloneFromBytes) {
      small.push(piece);
      continue;
    }
    join();
    out.push(piece);
  }
  join();
  return out;
}

/** A copy of so much costs about what a piece more in a write costs. */
const aloneFromBytes = 4_096;
