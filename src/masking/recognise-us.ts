import { asciiSet, isDigit, isGap, isIn, numberAt, type Codes, type DigitRuns } from './digits.ts';

/**
 * US social security numbers: three, two and four digits, parted by up to three spaces, hyphens or dots, in a range that the Social
 * Security Administration issues (area not 000, 666 or 900 and above; group not 00; serial not 0000). Where one more hyphen or dot with
 * digits follows or precedes, it is another kind of number. Nine digits in a row count only where `hasContext`: the words around them or the
 * column's name speak of social security.
 */
export function findSocialSecurity(
  codes: Codes,
  runs: DigitRuns,
  hasContext: (start: number, end: number) => boolean,
  report: (start: number, end: number) => void,
): void {
  for (let run = 0; run < runs.length; run += 2) {
    const start = runs[run]!;
    const end = runs[run + 1]!;
    if (end - start === 9) {
      if (isIssued(codes, start, start + 3, start + 5) && hasContext(start, end)) report(start, end);
    } else if (end - start === 3 && isParted(codes, runs, run) && isIssued(codes, start, runs[run + 2]!, runs[run + 4]!)) {
      report(start, runs[run + 5]!);
    }
  }
}

/** Whether some words, or the name of a column, speak of social security. What stands before a number reaches `wordsBefore` characters back, what stands behind it `wordsBehind`. */
export function speaksOfSecurity(words: string): boolean {
  return CONTEXT.test(words);
}

/**
 * ABA routing transit numbers: nine digits in a row, or four, four and one parted by hyphens, with a Federal Reserve prefix (00-12,
 * 21-32, 61-72, 80) and a correct check digit (weights 3, 7, 1). About one in 26 arbitrary nine-digit numbers passes: give the detector
 * to a class only where that is acceptable.
 */
export function findRoutingNumbers(codes: Codes, runs: DigitRuns, report: (start: number, end: number) => void): void {
  for (let run = 0; run < runs.length; run += 2) {
    const start = runs[run]!;
    const end = runs[run + 1]!;
    if (end - start === 9) {
      if (isRouting(codes, start, start + 4, start + 8)) report(start, end);
    } else if (end - start === 4 && lengthOf(runs, run + 2) === 4 && lengthOf(runs, run + 4) === 1) {
      const parted = isGap(codes, end, runs[run + 2]!, 1, HYPHEN) && isGap(codes, runs[run + 3]!, runs[run + 4]!, 1, HYPHEN);
      if (parted && isRouting(codes, start, runs[run + 2]!, runs[run + 4]!)) report(start, runs[run + 5]!);
    }
  }
}

function isParted(codes: Codes, runs: DigitRuns, run: number): boolean {
  if (lengthOf(runs, run + 2) !== 2 || lengthOf(runs, run + 4) !== 4) return false;
  if (!isGap(codes, runs[run + 1]!, runs[run + 2]!, 3, SEPARATORS) || !isGap(codes, runs[run + 3]!, runs[run + 4]!, 3, SEPARATORS))
    return false;
  const start = runs[run]!;
  const end = runs[run + 5]!;
  const continues = (separator: number, digit: number): boolean => isIn(CONTINUING, codes.at(separator)) && isDigit(codes.at(digit));
  return !continues(start - 1, start - 2) && !continues(end, end + 1);
}

/** Of three digits at `area`, two at `group` and four at `serial`. */
function isIssued(codes: Codes, area: number, group: number, serial: number): boolean {
  const first = numberAt(codes, area, area + 3);
  return (
    first !== 0 && first !== 666 && first < 900 && numberAt(codes, group, group + 2) !== 0 && numberAt(codes, serial, serial + 4) !== 0
  );
}

/** Of four digits at `first`, four at `second` and one at `check`. */
function isRouting(codes: Codes, first: number, second: number, check: number): boolean {
  const prefix = numberAt(codes, first, first + 2);
  if (!(prefix <= 12 || (prefix >= 21 && prefix <= 32) || (prefix >= 61 && prefix <= 72) || prefix === 80)) return false;
  let sum = 0;
  for (let digit = 0; digit < 9; digit++) {
    const at = digit < 4 ? first + digit : digit < 8 ? second + digit - 4 : check;
    sum += (codes.at(at) - 0x30) * WEIGHTS[digit % 3]!;
  }
  return sum > 0 && sum % 10 === 0;
}

function lengthOf(runs: DigitRuns, run: number): number {
  return run < runs.length ? runs[run + 1]! - runs[run]! : 0;
}

export const wordsBefore = 48;
export const wordsBehind = 16;
const SEPARATORS = asciiSet(' -.');
const HYPHEN = asciiSet('-');
const CONTINUING = asciiSet('-.');
const WEIGHTS = [3, 7, 1];
/** Run on at most `wordsBefore` characters, or on a column's name. */
const CONTEXT = /(?:^|[^a-z])ssn|[a-z]Ssn|social.{0,3}sec|(?:^|[^a-z])soc\.? ?sec|(?:^|[^a-z])ss ?#|taxpayer/i;
