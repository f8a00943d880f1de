import type { Lookout } from './lookahead.ts';
import type { Pattern } from './pattern.ts';
import type { CharacterSet } from './pattern-row.ts';

/** For a pattern of a user, by what stands in every match of it. Where nothing does, everything might be one. */
export class PatternLookout implements Lookout {
  readonly #rows: readonly Row[] | undefined;
  readonly #crossesLines: boolean;

  constructor({ rows }: Pattern) {
    this.#rows = rows?.rows.map((row) => new Row(row));
    this.#crossesLines = rows?.crossesLines ?? true;
  }

  first(bytes: Uint8Array, from: number, to: number, plainFrom: number): number {
    if (this.#rows === undefined) return from;
    // Of a match that began in a line before this one, the row may stand there.
    const start = this.#crossesLines ? from - linesBefore : from;
    if (start < plainFrom && this.#crossesLines) return from;
    let first = to;
    for (const row of this.#rows) first = Math.min(first, row.first(bytes, Math.max(0, start), to));
    return Math.max(first, from);
  }
}

/**
 * Characters side by side, found by backward nondeterministic DAWG matching (Navarro and Raffinot 1998): a window is read from its end as long as what was read stands somewhere in the row,
 * one bit for each place where it does; then the window moves on to where the row may begin at the earliest.
 */
class Row {
  readonly #length: number;
  /** By byte: bit n is set where it may stand n places before the last. */
  readonly #places = new Int32Array(256);

  constructor(row: readonly CharacterSet[]) {
    this.#length = row.length;
    for (const [place, set] of row.entries()) {
      for (const [code, member] of set.entries()) if (member === 1) this.#places[code]! |= 1 << (row.length - 1 - place);
    }
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
}

/** As many bytes as a stream remembers of what it has let go. */
const linesBefore = 96;
