import { isDigit, isGap, type DigitRuns } from './digits.ts';

/**
 * US social security numbers: three, two and four digits, parted by up to three spaces, hyphens or dots, in a range that the Social
 * Security Administration issues (area not 000, 666 or 900 and above; group not 00; serial not 0000). Where one more hyphen or dot with
 * digits follows or precedes, it is another kind of number. Nine digits in a row count only where the words around them or the
 * column's name (`hint`) speak of social security.
 */
export function findSocialSecurity(text: string, runs: DigitRuns, hint: string, report: (start: number, end: number) => void): void {
  for (let run = 0; run < runs.length; run += 2) {
    const start = runs[run]!;
    const end = runs[run + 1]!;
    if (end - start === 9) {
      if (isIssued(text.slice(start, end)) && hasContext(text, start, end, hint)) report(start, end);
    } else if (end - start === 3 && isParted(text, runs, run)) {
      const whole = text.slice(start, end) + text.slice(runs[run + 2], runs[run + 3]) + text.slice(runs[run + 4], runs[run + 5]);
      if (isIssued(whole)) report(start, runs[run + 5]!);
    }
  }
}

/**
 * ABA routing transit numbers: nine digits in a row, or four, four and one parted by hyphens, with a Federal Reserve prefix (00-12,
 * 21-32, 61-72, 80) and a correct check digit (weights 3, 7, 1). About one in 26 arbitrary nine-digit numbers passes: give the detector
 * to a class only where that is acceptable.
 */
export function findRoutingNumbers(text: string, runs: DigitRuns, report: (start: number, end: number) => void): void {
  for (let run = 0; run < runs.length; run += 2) {
    const start = runs[run]!;
    const end = runs[run + 1]!;
    if (end - start === 9) {
      if (isRouting(text.slice(start, end))) report(start, end);
    } else if (end - start === 4 && lengthOf(runs, run + 2) === 4 && lengthOf(runs, run + 4) === 1) {
      const last = runs[run + 5]!;
      const parted = isGap(text, end, runs[run + 2]!, 1, '-') && isGap(text, runs[run + 3]!, runs[run + 4]!, 1, '-');
      if (parted && isRouting(text.slice(start, last).replaceAll('-', ''))) report(start, last);
    }
  }
}

function isParted(text: string, runs: DigitRuns, run: number): boolean {
  if (lengthOf(runs, run + 2) !== 2 || lengthOf(runs, run + 4) !== 4) return false;
  if (!isGap(text, runs[run + 1]!, runs[run + 2]!, 3, SEPARATORS) || !isGap(text, runs[run + 3]!, runs[run + 4]!, 3, SEPARATORS))
    return false;
  const start = runs[run]!;
  const end = runs[run + 5]!;
  const continues = (separator: number, digit: number): boolean => '-.'.includes(text[separator] ?? ' ') && isDigit(text.charCodeAt(digit));
  return !continues(start - 1, start - 2) && !continues(end, end + 1);
}

function isIssued(digits: string): boolean {
  const area = digits.slice(0, 3);
  return area !== '000' && area !== '666' && area < '900' && digits.slice(3, 5) !== '00' && digits.slice(5) !== '0000';
}

function hasContext(text: string, start: number, end: number, hint: string): boolean {
  return CONTEXT.test(hint) || CONTEXT.test(text.slice(Math.max(0, start - 48), start)) || CONTEXT.test(text.slice(end, end + 16));
}

function isRouting(digits: string): boolean {
  const prefix = Number(digits.slice(0, 2));
  if (!(prefix <= 12 || (prefix >= 21 && prefix <= 32) || (prefix >= 61 && prefix <= 72) || prefix === 80)) return false;
  let sum = 0;
  for (let at = 0; at < 9; at++) sum += (digits.charCodeAt(at) - 0x30) * [3, 7, 1][at % 3]!;
  return sum > 0 && sum % 10 === 0;
}

function lengthOf(runs: DigitRuns, run: number): number {
  return run < runs.length ? runs[run + 1]! - runs[run]! : 0;
}

const SEPARATORS = ' -.';
/** Run on at most 48 characters, or on a column's name. */
const CONTEXT = /(?:^|[^a-z])ssn|[a-z]Ssn|social.{0,3}sec|(?:^|[^a-z])soc\.? ?sec|(?:^|[^a-z])ss ?#|taxpayer/i;
