import { isGap, type DigitRuns } from './digits.ts';

/**
 * Payment card numbers (ISO/IEC 7812): 13 to 19 digits that an issuer could have given out (by prefix and length) with a correct Luhn
 * digit. Groups may be parted by one or two spaces, hyphens or dots; other digits may stand before and after in groups of their own.
 * A longer unbroken row of digits is no card number.
 */
export function findCards(text: string, runs: DigitRuns, report: (start: number, end: number) => void): void {
  for (let first = 0; first < runs.length;) {
    const last = longestCard(text, runs, first);
    if (last >= 0) report(runs[first]!, runs[last + 1]!);
    first = Math.max(first, last) + 2;
  }
}

/** Index in `runs` of the last group of the longest card number that starts with the group at `first`, or -1. */
function longestCard(text: string, runs: DigitRuns, first: number): number {
  let digits = '';
  let found = -1;
  for (let run = first; run < runs.length; run += 2) {
    const start = runs[run]!;
    const end = runs[run + 1]!;
    if (digits.length + end - start > MOST_DIGITS) break;
    if (run > first && !isGap(text, runs[run - 1]!, start, 2, SEPARATORS)) break;
    digits += text.slice(start, end);
    if (digits.length >= LEAST_DIGITS && isIssued(digits) && isLuhn(digits)) found = run;
  }
  return found;
}

function isLuhn(digits: string): boolean {
  let sum = 0;
  for (let at = 0; at < digits.length; at++) {
    const digit = digits.charCodeAt(digits.length - 1 - at) - 0x30;
    const doubled = digit * 2;
    sum += at % 2 === 0 ? digit : doubled > 9 ? doubled - 9 : doubled;
  }
  return sum % 10 === 0;
}

function isIssued(digits: string): boolean {
  const prefix = Number(digits.slice(0, 6));
  const length = digits.length;
  return ISSUERS.some(([low, high, lengths]) => prefix >= low && prefix <= high && lengths.includes(length));
}

const SEPARATORS = ' -.';
const LEAST_DIGITS = 13;
const MOST_DIGITS = 19;
const LONG = [16, 17, 18, 19];
const MAESTRO = [13, 14, 15, 16, 17, 18, 19];

/** Ranges of the first six digits and the lengths issued in them, from the networks' public ranges; wide rather than exact. */
const ISSUERS: readonly (readonly [low: number, high: number, lengths: readonly number[]])[] = [
  [400_000, 499_999, [13, 16, 18, 19]], // Visa, Visa Electron, Switch
  [510_000, 559_999, [16]], // Mastercard
  [222_100, 272_099, [16]], // Mastercard since 2017
  [220_000, 220_499, LONG], // Mir
  [340_000, 349_999, [15]], // American Express
  [370_000, 379_999, [15]], // American Express
  [300_000, 305_999, MAESTRO], // Diners Club
  [309_500, 309_599, MAESTRO],
  [360_000, 369_999, MAESTRO],
  [380_000, 399_999, MAESTRO],
  [352_800, 358_999, LONG], // JCB
  [100_000, 199_999, [15]], // UATP
  [500_000, 509_999, MAESTRO], // Maestro, Verve, Elo, RuPay
  [560_000, 589_999, MAESTRO], // Maestro
  [600_000, 699_999, MAESTRO], // Discover, Maestro, UnionPay, RuPay, Troy
  [810_000, 829_999, LONG], // UnionPay, RuPay
  [860_000, 860_099, [16]], // Uzcard
  [979_200, 979_299, [16]], // Troy
  [986_000, 986_099, [16]], // Humo
];
