import { parsePhoneNumberFromString } from 'libphonenumber-js/max';
import { asciiSet, isAlphanumeric, isGap, isIn, isLetter, type Codes, type DigitRuns } from './digits.ts';

/**
 * E-mail addresses (RFC 5321 addr-spec in practice): up to 64 unquoted characters before the `@`, and after it a domain name of at
 * least two labels whose last is letters or `xn--`. Letters beyond ASCII count on both sides.
 */
export function findEmails(text: string, codes: Codes, report: (start: number, end: number) => void): void {
  for (let at = text.indexOf('@'); at >= 0; at = text.indexOf('@', at + 1)) emailAt(codes, at, report);
}

/** Reports the address whose `@` stands at `at`, if it is one. */
export function emailAt(codes: Codes, at: number, report: (start: number, end: number) => void): void {
  const start = startOfLocal(codes, at);
  const end = start === at ? at : endOfDomain(codes, at + 1);
  if (start < at && end > at + 1) report(start, end);
}

function startOfLocal(codes: Codes, at: number): number {
  const least = Math.max(0, at - 64);
  let start = at;
  while (start > least && isLocal(codes.at(start - 1))) start--;
  while (start < at && codes.at(start) === DOT) start++;
  return start;
}

/** The end of a domain name at `start`, or `start` where there is none. */
function endOfDomain(codes: Codes, start: number): number {
  const most = Math.min(codes.length, start + 253);
  let end = start;
  while (end < most && isDomain(codes.at(end))) end++;
  while (end > start && isIn(BETWEEN_LABELS, codes.at(end - 1))) end--;
  let top = end;
  while (top > start && codes.at(top - 1) !== DOT) top--;
  // `top` stands behind the last dot, or at the start where there is none.
  if (top < start + 2 || codes.at(start) === HYPHEN || end - top < 2) return start;
  return isPunycode(codes, top, end) || isLettersOnly(codes, top, end) ? end : start;
}

function isLocal(code: number): boolean {
  return isAlphanumeric(code) || code > 0x7f || isIn(LOCAL_PUNCTUATION, code);
}

function isDomain(code: number): boolean {
  return isAlphanumeric(code) || code > 0x7f || isIn(BETWEEN_LABELS, code);
}

function isPunycode(codes: Codes, from: number, to: number): boolean {
  return codes.slice(from, Math.min(to, from + 4)).toLowerCase() === 'xn--';
}

function isLettersOnly(codes: Codes, from: number, to: number): boolean {
  for (let at = from; at < to; at++) {
    const code = codes.at(at);
    if (!isLetter(code) && code < 0x80) return false;
  }
  return true;
}

/** Asked of what could be a telephone number by the look of it: whether there can be such a number. */
export type AskPhone = (candidate: () => string) => boolean;

/**
 * Telephone numbers: international ones after a `+`, and those of the North American plan (10 digits, or 11 with a leading 1, grouped 3-3-4
 * where they are grouped). Whether the number can exist is libphonenumber's answer, asked only of such candidates. National forms of
 * other countries cannot be told from any other number and are not looked for.
 */
export function findPhones(codes: Codes, runs: DigitRuns, isPossible: AskPhone, report: (start: number, end: number) => void): void {
  for (let run = 0; run < runs.length;) {
    const plus = plusBefore(codes, runs[run]!);
    const isInternational = codes.at(plus) === PLUS;
    const next = isInternational ? international(codes, runs, run, isPossible) : american(codes, runs, run, isPossible);
    if (next > run) report(isInternational ? plus : openParenthesis(codes, runs[run]!), runs[next - 1]!);
    run = Math.max(next, run + 2);
  }
}

/** libphonenumber's answer, for one text. Past a limit every candidate counts as a number: the library takes some 10 µs for each. */
export function askLibrary(): AskPhone {
  let questions = 0;
  return (candidate) => ++questions > MOST_QUESTIONS || parsePhoneNumberFromString(candidate(), 'US')?.isValid() === true;
}

/** Index of the group after the longest international number that begins at `run`, or `run`. */
function international(codes: Codes, runs: DigitRuns, run: number, isPossible: AskPhone): number {
  const start = plusBefore(codes, runs[run]!);
  let last = run;
  let digits = runs[run + 1]! - runs[run]!;
  for (let next = run + 2; next < runs.length; next += 2) {
    digits += runs[next + 1]! - runs[next]!;
    if (digits > 15 || !isGap(codes, runs[next - 1]!, runs[next]!, 3, SEPARATORS)) break;
    last = next;
  }
  for (let tries = 0; last >= run && tries < 4; last -= 2, tries++) {
    const end = runs[last + 1]!;
    if (end - start >= 8 && isPossible(() => codes.slice(start, end))) return last + 2;
  }
  return run;
}

/** Index of the group after the North American number that begins at `run`, or `run`. */
function american(codes: Codes, runs: DigitRuns, run: number, isPossible: AskPhone): number {
  let count = 0;
  // Bit n: parted after n digits.
  let breaks = 0;
  for (let next = run; next < runs.length; next += 2) {
    const start = runs[next]!;
    const end = runs[next + 1]!;
    if (next > run) {
      if (!isGap(codes, runs[next - 1]!, start, 3, SEPARATORS)) return run;
      breaks |= 1 << count;
    }
    if (count + end - start > 11) return run;
    for (let at = start; at < end; at++) digits[count++] = codes.at(at);
    const trunk = count === 11 && digits[0] === ONE ? 1 : 0;
    if (count - trunk !== 10) continue;
    const isGrouped = (breaks & ~GROUPINGS[trunk]!) === 0;
    if (
      isGrouped &&
      digits[trunk]! >= TWO &&
      digits[trunk + 3]! >= TWO &&
      isPossible(() => String.fromCharCode(...digits.subarray(trunk, count)))
    )
      return next + 2;
  }
  return run;
}

function plusBefore(codes: Codes, start: number): number {
  return codes.at(start - 1) === OPEN ? start - 2 : start - 1;
}

function openParenthesis(codes: Codes, start: number): number {
  return codes.at(start - 1) === OPEN ? start - 1 : start;
}

const DOT = 0x2e;
const HYPHEN = 0x2d;
const PLUS = 0x2b;
const OPEN = 0x28;
const ONE = 0x31;
const TWO = 0x32;
const LOCAL_PUNCTUATION = asciiSet("!#$%&'*+-/=?^_`{|}~.");
const BETWEEN_LABELS = asciiSet('.-');
const SEPARATORS = asciiSet(' ().-/');
const MOST_QUESTIONS = 10_000;
/** After how many digits a North American number may be parted, without and with the trunk digit. */
const GROUPINGS: readonly number[] = [(1 << 3) | (1 << 6), (1 << 1) | (1 << 4) | (1 << 7)];
/** Of the number that is looked at, as they are written. */
const digits = new Uint8Array(11);
