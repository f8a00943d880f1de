import type { Words } from './printable.ts';

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

/** Which bytes a lookout understands. */
export interface Plain {
  /** By byte: 1 for those. */
  readonly table: Uint8Array;
  /** The same of several at a time, or of fewer bytes than those. */
  words(bytes: Uint8Array): Words;
}

/** How far some bytes are plain and hold nothing for any of several lookouts. Each of them reads on from where it was, so that each byte is read once by each. */
export class Lookahead {
  readonly #lookouts: readonly Lookout[];
  readonly #plain: Plain;
  readonly #isAnew: boolean;
  #bytes: Uint8Array = new Uint8Array(0);
  #words: Words | undefined;
  #plainFrom = 0;
  #plainTo = 0;
  /** Of each lookout: where it saw something, or how far it has looked. */
  readonly #seen: Int32Array;

  /** `isAnew`: wherever something is asked from, a text of its own begins. */
  constructor(lookouts: readonly Lookout[], plain: Plain, isAnew: boolean) {
    this.#lookouts = lookouts;
    this.#plain = plain;
    this.#isAnew = isAnew;
    this.#seen = new Int32Array(lookouts.length);
  }

  /** Whatever is asked from now on is about these bytes. */
  over(bytes: Uint8Array): void {
    this.#bytes = bytes;
    this.#words = bytes.length >= leastWords ? this.#plain.words(bytes) : undefined;
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
    const { length } = bytes;
    const { table } = this.#plain;
    const words = this.#words;
    let at = from;
    while (at < length && table[bytes[at]!] === 1) at = words === undefined ? at + 1 : words.end(at + 1);
    return at;
  }
}

/** In fewer bytes words are not worth their making. */
const leastWords = 256;
