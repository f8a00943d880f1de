import { beyondAscii, type CharacterSet } from './pattern-row.ts';

/**
 * Characters side by side, found by backward nondeterministic DAWG matching (Navarro and Raffinot 1998): a window is read from its end as long as what was read stands somewhere in the row,
 * one bit for each place where it does; then the window moves on to where the row may begin at the earliest.
 */
export class RowSearch {
  readonly #length: number;
  /** By byte: bit n is set where it may stand n places before the last. */
  readonly #places = new Int32Array(256);

  constructor(row: readonly CharacterSet[]) {
    this.#length = row.length;
    for (const [place, set] of row.entries()) {
      const bit = 1 << (row.length - 1 - place);
      for (const [code, member] of set.entries()) if (member === 1) this.#places[code]! |= bit;
    }
    this.#places.fill(this.#places[beyondAscii]!, beyondAscii);
  }

  /** Where it begins first from `from` on; `to` where it does not end before that. */
  first(bytes: Uint8Array, from: number, to: number): number {
    const length = this.#length;
    const whole = 1 << (length - 1);
    const places = this.#places;
    for (let start = from; start + length <= to;) {
      let move = length;
      let at = start + length - 1;
      let possible = places[bytes[at]!]!;
      while (possible !== 0) {
        if ((possible & whole) !== 0) {
          // What was read may be how the row begins.
          if (at === start) return start;
          move = at - start;
        }
        at -= 1;
        possible = (possible << 1) & places[bytes[at]!]!;
      }
      start += move;
    }
    return to;
  }

  /** Whether it stands in a text whose characters are one UTF-16 unit each. */
  isIn(text: string): boolean {
    const length = this.#length;
    const whole = 1 << (length - 1);
    for (let start = 0; start + length <= text.length;) {
      let move = length;
      let at = start + length - 1;
      let possible = this.#placesOf(text.charCodeAt(at));
      while (possible !== 0) {
        if ((possible & whole) !== 0) {
          if (at === start) return true;
          move = at - start;
        }
        at -= 1;
        possible = (possible << 1) & this.#placesOf(text.charCodeAt(at));
      }
      start += move;
    }
    return false;
  }

  #placesOf(code: number): number {
    return this.#places[code < beyondAscii ? code : beyondAscii]!;
  }
}
