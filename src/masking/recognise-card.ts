import { asciiSet, isGap, type Codes, type DigitRuns } from './digits.ts';

/**
 * Payment card numbers (ISO/IEC 7812): 13 to 19 digits that an issuer could have given out (by prefix and length) with a correct Luhn
 * digit. Groups may be parted by one or two spaces, hyphens or dots; other digits may stand before and after in groups of their own.
 * A longer unbroken row of digits is no card number.
 */
export function findCards(codes: Codes, runs: DigitRuns, report: (start: number, end: number) => void): void {
  for (let first = 0; first < runs.length;) {
    const last = longestCard(codes, runs, first);
    if (last >= 0) report(runs[first]!, runs[last + 1]!);
    first = Math.max(first, last) + 2;
  }
}

/** Index in `runs` of the last group of the longest card number that starts with the group at `first`, or -1. */
function longestCard(codes: Codes, runs: DigitRuns, first: number): number {
  let count = 0;
  let found = -1;
  for (let run = first; run < runs.length; run += 2) {
    const start = runs[run]!;
    const end = runs[run + 1]!;
    if (count + end - start > MOST_DIGITS) break;
    if (run > first && !isGap(codes, runs[run - 1]!, start, 2, SEPARATORS)) break;
    for (let at = start; at < end; at++) digits[count++] = codes.at(at) - 0x30;
    if (count >= LEAST_DIGITS && isIssued(count) && isLuhn(count)) found = run;
  }
  return found;
}

function isLuhn(count: number): boolean {
  let sum = 0;
  for (let at = 0; at < count; at++) {
    const digit = digits[count - 1 - at]!;
    const doubled = digit * 2;
    sum += at % 2 === 0 ? digit : doubled > 9 ? doubled - 9 : doubled;
  }
  return sum % 10 === 0;
}

function isIssued(count: number): boolean {
  const prefix = digits[0]! * 1000 + digits[1]! * 100 + digits[2]! * 10 + digits[3]!;
  return (ISSUED[prefix]! & (1 << (count - LEAST_DIGITS))) !== 0;
}

/** By the first four digits: bit n is set where numbers of `LEAST_DIGITS` + n digits are issued. */
function issued(): Uint8Array {
  const table = new Uint8Array(10_000);
  for (const [low, high, lengths] of ISSUERS) {
    for (let prefix = low; prefix <= high; prefix++) for (const length of lengths) table[prefix]! |= 1 << (length - LEAST_DIGITS);
  }
  return table;
}

const SEPARATORS = asciiSet(' -.');
const LEAST_DIGITS = 13;
const MOST_DIGITS = 19;
const LONG = [16, 17, 18, 19];
const MAESTRO = [13, 14, 15, 16, 17, 18, 19];

/** Ranges of the first four digits and the lengths issued in them, from the networks' public ranges; wide rather than exact. */
const ISSUERS: readonly (readonly [low: number, high: number, lengths: readonly number[]])[] = [
  [4000, 4999, [13, 16, 18, 19]], // Visa, Visa Electron, Switch
  [5100, 5599, [16]], // Mastercard
  [2221, 2720, [16]], // Mastercard since 2017
  [2200, 2204, LONG], // Mir
  [3400, 3499, [15]], // American Express
  [3700, 3799, [15]], // American Express
  [3000, 3059, MAESTRO], // Diners Club
  [3095, 3095, MAESTRO],
  [3600, 3699, MAESTRO],
  [3800, 3999, MAESTRO],
  [3528, 3589, LONG], // JCB
  [1000, 1999, [15]], // UATP
  [5000, 5099, MAESTRO], // Maestro, Verve, Elo, RuPay
  [5600, 5899, MAESTRO], // Maestro
  [6000, 6999, MAESTRO], // Discover, Maestro, UnionPay, RuPay, Troy
  [8100, 8299, LONG], // UnionPay, RuPay
  [8600, 8600, [16]], // Uzcard
  [9792, 9792, [16]], // Troy
  [9860, 9860, [16]], // Humo
];
const ISSUED = issued();
/** Of the number that is looked at. */
const digits = new Uint8Array(MOST_DIGITS);
