import { ByteCodes } from './digits.ts';
import type { Lookout } from './lookahead.ts';
import { findCards } from './recognise-card.ts';
import { findPhones } from './recognise-contact.ts';
import { findRoutingNumbers, findSocialSecurity, speaksOfSecurity, wordsBefore, wordsBehind } from './recognise-us.ts';
import type { RecogniserName } from './types.ts';

export type NumberName = Exclude<RecogniserName, 'email' | 'iban'>;

/**
 * For numbers in groups of digits. Most of a text is skipped as Boyer and Moore do: whatever is no part of any number at the place where the last character of the shortest one
 * would stand rules out all that would reach over it. What is left is put to the recognisers themselves, group by group.
 */
export class NumberLookout implements Lookout {
  readonly #names: ReadonlySet<NumberName>;
  readonly #leastBytes: number;
  readonly #leastDigits: number;
  readonly #kinds: Uint8Array;
  readonly #codes = new ByteCodes();
  readonly #runs: number[] = [];
  #bytes: Uint8Array = new Uint8Array(0);
  #plainFrom = 0;
  #found = -1;

  constructor(names: ReadonlySet<NumberName>, leastDigits: number) {
    this.#names = names;
    this.#leastDigits = leastDigits;
    // The shortest telephone number has a sign before its digits.
    this.#leastBytes = names.has('phone') ? leastDigits + 1 : leastDigits;
    this.#kinds = kindsOf(names.has('phone') ? PHONE_SEPARATORS : SEPARATORS);
  }

  first(bytes: Uint8Array, from: number, to: number, plainFrom: number): number {
    this.#bytes = bytes;
    this.#codes.of(bytes, from);
    this.#plainFrom = plainFrom;
    const kinds = this.#kinds;
    const least = this.#leastBytes;
    for (let at = from + least - 1; at < to;) {
      if (kinds[bytes[at]!] === OTHER) {
        at += least;
        continue;
      }
      const earliest = at - least + 1;
      let start = at;
      while (start > earliest && kinds[bytes[start - 1]!] !== OTHER) start -= 1;
      if (start > earliest) at = start + least - 1;
      else {
        at = this.#follow(start, to) + least;
        if (this.#found >= 0) return this.#found;
      }
    }
    return to;
  }

  /** Reads digits and what may stand between and before them from `start` on; gives back where they end. */
  #follow(start: number, to: number): number {
    const bytes = this.#bytes;
    const runs = this.#runs;
    this.#found = -1;
    runs.length = 0;
    let digits = 0;
    let gap = 0;
    let at = start;
    let isDigits = false;
    for (; at < to; at += 1) {
      const kind = this.#kinds[bytes[at]!];
      if (kind === OTHER) break;
      if (kind === DIGIT) {
        if (!isDigits) runs.push(at);
        isDigits = true;
        digits += 1;
        continue;
      }
      if (isDigits) {
        runs.push(at);
        isDigits = false;
        gap = 0;
      }
      gap += 1;
      if (gap === LONGEST_GAP + 1 && runs.length > 0) {
        if (this.#judge(digits)) return at;
        runs.length = 0;
        digits = 0;
      }
    }
    if (isDigits) runs.push(at);
    this.#judge(digits);
    return at;
  }

  /** Whether there is one among the digits that were read. */
  #judge(digits: number): boolean {
    if (digits < this.#leastDigits) return false;
    const codes = this.#codes;
    const report = (start: number): void => {
      if (this.#found < 0 || start < this.#found) this.#found = start;
    };
    if (this.#names.has('card-number')) findCards(codes, this.#runs, report);
    if (this.#names.has('us-ssn')) findSocialSecurity(codes, this.#runs, (start, end) => this.#mayHaveContext(start, end), report);
    if (this.#names.has('aba-routing')) findRoutingNumbers(codes, this.#runs, report);
    if (this.#names.has('phone')) findPhones(codes, this.#runs, () => true, report);
    return this.#found >= 0;
  }

  /** Of words that are not known, or may be written in another way, nobody can tell. */
  #mayHaveContext(start: number, end: number): boolean {
    const before = start - wordsBefore;
    return before < this.#plainFrom || this.#maySpeak(Math.max(0, before), start) || this.#maySpeak(end, end + wordsBehind);
  }

  #maySpeak(from: number, to: number): boolean {
    const bytes = this.#bytes;
    const last = Math.min(to, bytes.length) - 1;
    for (let at = from; at < last; at += 1) {
      const first = bytes[at]! | LOWER;
      if (first !== LETTER_S && first !== LETTER_T) continue;
      const second = bytes[at + 1]! | LOWER;
      // "ss", "so" or "ta", without which nothing speaks of it.
      const speaks = first === LETTER_S ? second === LETTER_S || second === LETTER_O : second === LETTER_A;
      if (speaks) return speaksOfSecurity(this.#codes.slice(from, to));
    }
    return false;
  }
}

function kindsOf(separators: string): Uint8Array {
  const kinds = new Uint8Array(256);
  for (let digit = 0; digit < 10; digit += 1) kinds[0x30 + digit] = DIGIT;
  for (const separator of separators) kinds[separator.charCodeAt(0)] = SEPARATOR;
  return kinds;
}

const OTHER = 0;
const DIGIT = 1;
const SEPARATOR = 2;
/** Between digits, and before the first of them. */
const SEPARATORS = ' -.';
const PHONE_SEPARATORS = ' -.()/+';
/** Of separators, in any recogniser. */
const LONGEST_GAP = 3;
/** Makes a small letter of a letter. */
const LOWER = 0x20;
const LETTER_A = 0x61;
const LETTER_O = 0x6f;
const LETTER_S = 0x73;
const LETTER_T = 0x74;
