import type { Reach } from './detect.ts';
import { isAlphanumeric, isDigit, isLetter } from './digits.ts';
import { beginsCountry, ibanLength } from './recognise-iban.ts';
import { wordsBehind } from './recognise-us.ts';

/**
 * Follows a text character by character and says whether what has come so far may be the beginning, or the middle, of something that a detector matches with
 * what follows. Never says no where it may; sometimes says yes for a character or two longer than it must. Works on folded text (`fold.ts`).
 */
export class Openings {
  readonly #reach: Reach;
  readonly #digits: boolean;
  readonly #inert: Uint8Array;
  readonly #closing: Uint8Array;
  /** Digits since `forget`. */
  #seenDigits = 0;
  #seenOther = false;
  /** A group of digits, or what may stand before one, is open; so many separators were seen behind it. */
  #group = false;
  #gap = 0;
  #row = 0;
  /** Of them, behind the last control sequence. */
  #partedRow = 0;
  /** Characters behind nine digits in a row that may still tell what they are. */
  #words = 0;
  /** Within what may be an address. */
  #address = false;
  readonly #account = new AccountOpening();
  /** The same of what has come since the last control sequence. */
  readonly #partedAccount = new AccountOpening();
  #isParted = false;
  #line = false;

  constructor(reach: Reach) {
    this.#reach = reach;
    this.#digits = reach.leastDigits !== Infinity;
    this.#inert = inertOf(reach);
    this.#closing = closingOf(reach);
  }

  /** Something may be open. */
  get isOpen(): boolean {
    return this.#group || this.#address || this.#line || this.#words > 0 || this.#account.isOpen || this.#partedAccount.isOpen;
  }

  /** Nothing is open, and what comes next is looked at as if nothing had come before. */
  get isAtRest(): boolean {
    return !this.isOpen && this.#row === 0 && !this.#account.isAfterAlphanumeric;
  }

  /** The last place up to `to`, in plain text, at which everything is at rest if it was at `from`; `from` where it is nowhere. */
  lastRest(bytes: Uint8Array, from: number, to: number): number {
    for (let at = to; at > from; at -= 1) {
      const byte = bytes[at - 1]!;
      if (byte >= 0x0a && byte <= 0x0d) return at;
      if (this.#closing[byte] === 1 && !(this.#reach.words && isBehindNine(bytes, from, at))) return at;
    }
    return from;
  }

  /** A match may have come about since `forget`. */
  get mayHaveMatched(): boolean {
    return this.#seenOther || this.#seenDigits >= this.#reach.leastDigits || (this.#reach.patterns && this.#line);
  }

  /** What has come so far was looked at. */
  forget(): void {
    this.#seenDigits = 0;
    this.#seenOther = false;
  }

  /** No match reaches over the end of a line. */
  endLine(): void {
    this.#seenOther ||= this.#reach.patterns && this.#line;
    this.#group = false;
    this.#endRow();
    this.#words = 0;
    this.#address = false;
    this.#account.end();
    this.#partedAccount.end();
    this.#isParted = false;
    this.#line = false;
  }

  /** ASCII that opens nothing where nothing is open; of a run of it `rest` must be told. */
  isInert(byte: number): boolean {
    return this.#inert[byte] === 1;
  }

  rest(): void {
    this.#endRow();
    this.#account.isAfterAlphanumeric = false;
  }

  /** A control sequence: what has come goes on behind it, or something else begins in another place. */
  part(): void {
    if (this.#isNine) this.#words = wordsBehind;
    this.#partedRow = 0;
    this.#partedAccount.end();
    this.#isParted = true;
  }

  step(code: number): void {
    const kind = code < 0x80 ? KINDS[code]! : LOCAL;
    if (this.#digits) this.#stepGroup(kind);
    if (this.#reach.email) {
      this.#address = (kind & (LOCAL | AT)) !== 0;
      if (kind === AT) this.#seenOther = true;
    }
    if (this.#reach.iban) {
      if (this.#account.step(code)) this.#seenOther = true;
      if (this.#isParted && this.#partedAccount.step(code)) this.#seenOther = true;
    }
    this.#line = this.#reach.patterns;
  }

  #stepGroup(kind: number): void {
    if (this.#words > 0) this.#words -= 1;
    if ((kind & DIGIT) !== 0) {
      this.#group = true;
      this.#gap = 0;
      this.#row += 1;
      this.#partedRow += 1;
      this.#seenDigits += 1;
      return;
    }
    if (this.#isNine) this.#words = wordsBehind;
    this.#endRow();
    this.#group &&= (kind & (SEPARATOR | OPENER)) !== 0 && ++this.#gap <= longestGap;
    if (this.#group || (kind & OPENER) === 0) return;
    this.#group = true;
    this.#gap = 0;
  }

  get #isNine(): boolean {
    return this.#reach.words && (this.#row === 9 || this.#partedRow === 9);
  }

  #endRow(): void {
    this.#row = this.#partedRow = 0;
  }
}

/** What may be the beginning, or the middle, of an account number. */
class AccountOpening {
  isAfterAlphanumeric = false;
  /** How much of `DE89` was seen, and its letters. */
  #country = 0;
  #letter = 0;
  #second = 0;
  /** Characters that may still belong to it. */
  #left = 0;
  #gap = 0;

  get isOpen(): boolean {
    return this.#country > 0 || this.#left > 0;
  }

  end(): void {
    this.#country = 0;
    this.#left = 0;
    this.isAfterAlphanumeric = false;
  }

  /** True where one may have begun. */
  step(code: number): boolean {
    const letter = isLetter(code);
    const alphanumeric = letter || isDigit(code);
    let isNumber = false;
    if (this.#left > 0) {
      if (alphanumeric) {
        this.#left -= 1;
        this.#gap = 0;
      } else if (!isAccountSeparator(code) || ++this.#gap > 1) this.#left = 0;
    }
    if (letter) {
      const upper = code & 0xdf;
      if (this.#country === 1 && ibanLength(this.#letter, upper) > 0) this.#country = 2;
      else this.#country = !this.isAfterAlphanumeric && beginsCountry(upper) ? 1 : 0;
      if (this.#country === 1) this.#letter = upper;
      else if (this.#country === 2) this.#second = upper;
    } else if (this.#country === 2 && alphanumeric) this.#country = 3;
    else if (this.#country === 3 && alphanumeric) {
      this.#country = 0;
      // One more, since a further letter or digit would make it none.
      this.#left = Math.max(this.#left, ibanLength(this.#letter, this.#second) - 4 + 1);
      this.#gap = 0;
      isNumber = true;
    } else this.#country = 0;
    this.isAfterAlphanumeric = alphanumeric;
    return isNumber;
  }
}

/** Nine digits in a row end so near before `at` that words behind them may still come. */
function isBehindNine(bytes: Uint8Array, from: number, at: number): boolean {
  for (let end = at; end > from && end >= at - wordsBehind; end -= 1) {
    let start = end;
    while (start > from && isDigit(bytes[start - 1]!)) start -= 1;
    if (end - start === 9) return true;
    end = start;
  }
  return false;
}

function isAccountSeparator(code: number): boolean {
  return code === 0x20 || code === 0x2d || code === 0x2e;
}

const DIGIT = 1;
/** Between the digits of one number. */
const SEPARATOR = 2;
/** Before the first of them. */
const OPENER = 4;
/** In an address before its `@`, as its recogniser has it. */
const LOCAL = 8;
const AT = 16;
const KINDS = kinds();

function kinds(): Uint8Array {
  const table = new Uint8Array(128);
  const set = (characters: string, kind: number): void => {
    for (const character of characters) table[character.charCodeAt(0)]! |= kind;
  };
  set('0123456789', DIGIT | LOCAL);
  set('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz', LOCAL);
  set("!#$%&'*+-/=?^_`{|}~.", LOCAL);
  set(' )-./', SEPARATOR);
  set('+(', OPENER);
  set('@', AT);
  return table;
}

function inertOf(reach: Reach): Uint8Array {
  const table = new Uint8Array(256);
  for (let byte = 0x20; byte < 0x7f; byte += 1) {
    const kind = KINDS[byte]!;
    const opens =
      reach.patterns ||
      (reach.leastDigits !== Infinity && (kind & (DIGIT | OPENER)) !== 0) ||
      (reach.email && (kind & (LOCAL | AT)) !== 0) ||
      (reach.iban && (isDigit(byte) || isLetter(byte)));
    table[byte] = opens ? 0 : 1;
  }
  return table;
}

/** Plain ASCII behind which nothing is open, whatever came before it, save words behind nine digits. */
function closingOf(reach: Reach): Uint8Array {
  const table = new Uint8Array(256);
  table[TAB] = reach.patterns ? 0 : 1;
  for (let byte = 0x20; byte < 0x7f; byte += 1) {
    const kind = KINDS[byte]!;
    const keeps =
      reach.patterns ||
      (reach.leastDigits !== Infinity && (kind & (DIGIT | SEPARATOR | OPENER)) !== 0) ||
      (reach.email && (kind & (LOCAL | AT)) !== 0) ||
      (reach.iban && (isAlphanumeric(byte) || isAccountSeparator(byte)));
    table[byte] = keeps ? 0 : 1;
  }
  return table;
}

const TAB = 0x09;
const longestGap = 3;
