import { parsePhoneNumberFromString } from 'libphonenumber-js/max';
import { isDigit, isGap, isLetter, type DigitRuns } from './digits.ts';

/**
 * E-mail addresses (RFC 5321 addr-spec in practice): up to 64 unquoted characters before the `@`, and after it a domain name of at
 * least two labels whose last is letters or `xn--`. Letters beyond ASCII count on both sides.
 */
export function findEmails(text: string, report: (start: number, end: number) => void): void {
  for (let at = text.indexOf('@'); at >= 0; at = text.indexOf('@', at + 1)) {
    const start = startOfLocal(text, at);
    const end = start === at ? at : endOfDomain(text, at + 1);
    if (start < at && end > at + 1) report(start, end);
  }
}

function startOfLocal(text: string, at: number): number {
  const least = Math.max(0, at - 64);
  let start = at;
  while (start > least && isLocal(text.charCodeAt(start - 1))) start--;
  while (start < at && text[start] === '.') start++;
  return start;
}

/** The end of a domain name at `start`, or `start` where there is none. */
function endOfDomain(text: string, start: number): number {
  const most = Math.min(text.length, start + 253);
  let end = start;
  while (end < most && isDomain(text.charCodeAt(end))) end++;
  while (end > start && '.-'.includes(text[end - 1]!)) end--;
  const domain = text.slice(start, end);
  const lastDot = domain.lastIndexOf('.');
  const top = domain.slice(lastDot + 1);
  if (lastDot < 1 || domain.startsWith('-') || top.length < 2) return start;
  return top.toLowerCase().startsWith('xn--') || isLettersOnly(top) ? end : start;
}

function isLocal(code: number): boolean {
  return isDigit(code) || isLetter(code) || code > 0x7f || LOCAL_PUNCTUATION.has(code);
}

function isDomain(code: number): boolean {
  return isDigit(code) || isLetter(code) || code > 0x7f || code === 0x2e || code === 0x2d;
}

function isLettersOnly(text: string): boolean {
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (!isLetter(code) && code < 0x80) return false;
  }
  return true;
}

/**
 * Telephone numbers: international ones after a `+`, and those of the North American plan (10 digits, or 11 with a leading 1, grouped 3-3-4
 * where they are grouped). Whether the number can exist is libphonenumber's answer, asked only of such candidates. National forms of
 * other countries cannot be told from any other number and are not looked for.
 */
export function findPhones(text: string, runs: DigitRuns, report: (start: number, end: number) => void): void {
  let questions = 0;
  // Past the limit every candidate counts as a number: the library takes some 10 µs for each.
  const isPossible = (candidate: string): boolean => ++questions > MOST_QUESTIONS || isPhone(candidate);
  for (let run = 0; run < runs.length;) {
    const next =
      text[plusBefore(text, runs[run]!)] === '+' ? international(text, runs, run, isPossible) : american(text, runs, run, isPossible);
    if (next > run) {
      const start = text[plusBefore(text, runs[run]!)] === '+' ? plusBefore(text, runs[run]!) : openParenthesis(text, runs[run]!);
      report(start, runs[next - 1]!);
    }
    run = Math.max(next, run + 2);
  }
}

function isPhone(candidate: string): boolean {
  return parsePhoneNumberFromString(candidate, 'US')?.isValid() === true;
}

/** Index of the group after the longest international number that begins at `run`, or `run`. */
function international(text: string, runs: DigitRuns, run: number, isPossible: (candidate: string) => boolean): number {
  const start = plusBefore(text, runs[run]!);
  let last = run;
  let digits = runs[run + 1]! - runs[run]!;
  for (let next = run + 2; next < runs.length; next += 2) {
    digits += runs[next + 1]! - runs[next]!;
    if (digits > 15 || !isGap(text, runs[next - 1]!, runs[next]!, 3, PHONE_SEPARATORS)) break;
    last = next;
  }
  for (let tries = 0; last >= run && tries < 4; last -= 2, tries++) {
    const candidate = text.slice(start, runs[last + 1]);
    if (candidate.length >= 8 && isPossible(candidate)) return last + 2;
  }
  return run;
}

/** Index of the group after the North American number that begins at `run`, or `run`. */
function american(text: string, runs: DigitRuns, run: number, isPossible: (candidate: string) => boolean): number {
  let digits = '';
  let breaks = '';
  for (let next = run; next < runs.length; next += 2) {
    if (next > run) {
      if (!isGap(text, runs[next - 1]!, runs[next]!, 3, PHONE_SEPARATORS)) return run;
      breaks += `${digits.length} `;
    }
    digits += text.slice(runs[next], runs[next + 1]);
    if (digits.length > 11) return run;
    const trunk = digits.length === 11 && digits.startsWith('1') ? 1 : 0;
    if (digits.length - trunk !== 10) continue;
    const national = digits.slice(trunk);
    const grouped = breaks === '' || GROUPINGS[trunk]!.includes(breaks);
    if (grouped && national[0]! >= '2' && national[3]! >= '2' && isPossible(national)) return next + 2;
  }
  return run;
}

function plusBefore(text: string, start: number): number {
  return text[start - 1] === '(' ? start - 2 : start - 1;
}

function openParenthesis(text: string, start: number): number {
  return text[start - 1] === '(' ? start - 1 : start;
}

const LOCAL_PUNCTUATION: ReadonlySet<number> = new Set(Array.from("!#$%&'*+-/=?^_`{|}~.", (character) => character.charCodeAt(0)));
const PHONE_SEPARATORS = ' ().-/';
const MOST_QUESTIONS = 10_000;
/** After how many digits a North American number may be parted, without and with the trunk digit. */
const GROUPINGS: readonly (readonly string[])[] = [
  ['3 6 ', '3 ', '6 '],
  ['1 4 7 ', '1 4 ', '1 ', '4 7 ', '4 ', '1 7 ', '7 '],
];
