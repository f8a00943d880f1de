import { Printable } from './printable.ts';

/**
 * Looks for one kind of value in plain ASCII without reading it character by character: the cheap question in front of a detector. To see something where nothing is costs time; nothing that
 * the detector finds may be passed over.
 */
export interface Lookout {
  /**
   * Where the first text stands, from `from` on, that the detector might match: any place in it; `to` where none ends before that. From before `from` nothing reaches over it, save what lines
   * of a pattern's match and words about a number stand there; from `plainFrom` on that is plain, too. -Infinity: nothing stands there.
   */
  first(bytes: Uint8Array, from: number, to: number, plainFrom: number): number;
}

/** How far some bytes are plain and hold nothing for any of several lookouts. Each of them reads on from where it was, so that each byte is read once by each. */
export class Lookahead {
  readonly #lookouts: readonly Lookout[];
  /** By byte: 1 for those that a lookout understands. */
  readonly #plain: Uint8Array;
  readonly #isAnew: boolean;
  /** All printable ASCII is plain. */
  readonly #isPrintablePlain: boolean;
  #bytes: Uint8Array = new Uint8Array(0);
  #printable: Printable | undefined;
  #plainFrom = 0;
  #plainTo = 0;
  /** Of each lookout: where it saw something, or how far it has looked. */
  readonly #seen: Int32Array;

  /** `isAnew`: wherever something is asked from, a text of its own begins. */
  constructor(lookouts: readonly Lookout[], plain: Uint8Array, isAnew: boolean) {
    this.#lookouts = lookouts;
    this.#plain = plain;
    this.#isAnew = isAnew;
    this.#isPrintablePlain = !plain.subarray(0x20, 0x7f).includes(0);
    this.#seen = new Int32Array(lookouts.length);
  }

  /** Whatever is asked from now on is about these bytes. */
  over(bytes: Uint8Array): void {
    this.#bytes = bytes;
    this.#printable = this.#isPrintablePlain && bytes.length >= leastWords ? new Printable(bytes) : undefined;
    this.#plainTo = 0;
  }

  /** Up to where, from `from` on, nothing begins that might be something. Goes forward only. */
  clearTo(from: number): number {
    if (this.#plainTo <= from) {
      this.#plainFrom = this.#isAnew ? -Infinity : from;
      this.#plainTo = this.#endOfPlain(from);
      this.#seen.fill(from);
    }
    let to = this.#plainTo;
    for (let index = 0; index < this.#lookouts.length && to > from; index += 1) {
      let seen = this.#seen[index]!;
      if (seen <= from) this.#seen[index] = seen = this.#lookouts[index]!.first(this.#bytes, from, to, this.#plainFrom);
      if (seen < to) to = seen;
    }
    return to;
  }

  #endOfPlain(from: number): number {
    const bytes = this.#bytes;
    const plain = this.#plain;
    const printable = this.#printable;
    let at = from;
    while (at < bytes.length && plain[bytes[at]!] === 1) at = printable?.end(at + 1) ?? at + 1;
    return at;
  }
}

/** In fewer bytes words are not worth their making. */
const leastWords = 256;
