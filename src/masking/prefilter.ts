/** What the detectors of a set need to see at least; the cheapest thing that rules a cell out. */
export interface Needs {
  /** A row of this many digits, with anything but ASCII letters and unusual punctuation between them. Infinity: not needed. */
  readonly digitsInRow: number;
  /** This many digits anywhere; 0: nothing can be ruled out. Infinity: not needed. */
  readonly digits: number;
  readonly at: boolean;
  /** Two letters and two digits in a row. */
  readonly country: boolean;
}

/**
 * False where none of `needs` can be met by the UTF-8 text in `bytes` from `start` up to `end`, however its digits are written. Each byte
 * is looked up once; whatever begins with a byte of full-width forms counts as met.
 */
export function meets(needs: Needs, bytes: Uint8Array, start: number, end: number): boolean {
  if (needs.digits === 0) return end > start;
  let row = 0;
  let digits = 0;
  let before = 0;
  for (let at = start; at < end; at++) {
    const kind = KINDS[bytes[at]!]!;
    if (kind === SEPARATOR) {
      if (bytes[at]! < 0x80) before = 0;
      continue;
    }
    if (kind === DIGIT) {
      if (++row >= needs.digitsInRow || ++digits >= needs.digits) return true;
      if (needs.country) {
        if (before === LETTERS + 1) return true;
        before = before === LETTERS ? LETTERS + 1 : 0;
      }
    } else {
      row = 0;
      if (kind === FULL_WIDTH) return true;
      if (kind === AT && needs.at) return true;
      before = kind === LETTER ? Math.min(before + 1, LETTERS) : 0;
    }
  }
  return false;
}

/** The same for a text. Anything beyond ASCII counts as met. */
export function textMeets(needs: Needs, text: string): boolean {
  if (needs.digits === 0) return text.length > 0;
  let row = 0;
  let digits = 0;
  let before = 0;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code >= 0x80) return true;
    const kind = KINDS[code]!;
    if (kind === DIGIT) {
      if (++row >= needs.digitsInRow || ++digits >= needs.digits) return true;
      if (before === LETTERS + 1 && needs.country) return true;
      before = before === LETTERS ? LETTERS + 1 : 0;
    } else if (kind === SEPARATOR) before = 0;
    else {
      row = 0;
      if (kind === AT && needs.at) return true;
      before = kind === LETTER ? Math.min(before + 1, LETTERS) : 0;
    }
  }
  return false;
}

const OTHER = 0;
const DIGIT = 1;
const SEPARATOR = 2;
const AT = 3;
const LETTER = 4;
const FULL_WIDTH = 5;
/** Two letters seen, before the digits of a country's check number. */
const LETTERS = 2;

const KINDS = kinds();

/** Lead bytes of UTF-8 sequences that can be decimal digits (2 to 4 bytes) count as digits, every other byte above 0x7F as invisible. */
function kinds(): Uint8Array {
  const table = new Uint8Array(256).fill(OTHER);
  for (let byte = 0x30; byte <= 0x39; byte++) table[byte] = DIGIT;
  for (let letter = 0; letter < 26; letter++) {
    table[0x41 + letter] = LETTER;
    table[0x61 + letter] = LETTER;
  }
  for (const separator of ' -.()/+') table[separator.charCodeAt(0)] = SEPARATOR;
  table.fill(SEPARATOR, 0x80);
  table[0x40] = AT;
  for (const lead of [0xd9, 0xdb, 0xdf, 0xe0, 0xe1, 0xea, 0xf0]) table[lead] = DIGIT;
  table[0xef] = FULL_WIDTH;
  return table;
}
