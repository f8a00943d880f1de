import { assertNever } from '../core/fault.ts';
import { ByteCodes, digitRuns, TextCodes, type Codes, type DigitRuns } from './digits.ts';
import { asItIs, fold, isFoldedUnit } from './fold.ts';
import type { Lookout } from './lookahead.ts';
import { NumberLookout, type NumberName } from './lookahead-numbers.ts';
import { PatternLookout } from './lookahead-pattern.ts';
import { EmailLookout, IbanLookout } from './lookahead-words.ts';
import { Outline } from './outline.ts';
import { compilePattern, type Pattern } from './pattern.ts';
import { meets, textMeets, type Needs } from './prefilter.ts';
import { findCards } from './recognise-card.ts';
import { askLibrary, findEmails, findPhones } from './recognise-contact.ts';
import { findIbans } from './recognise-iban.ts';
import { findRoutingNumbers, findSocialSecurity, speaksOfSecurity, wordsBefore, wordsBehind } from './recognise-us.ts';
import type { DataClass, RecogniserName } from './types.ts';

/** A stretch of text, in UTF-16 units, that looks like a value of the class. */
export interface Span {
  readonly start: number;
  readonly end: number;
  readonly class: string;
}

/** Immutable; linear in the text. */
export interface DetectorSet {
  /** Nothing is looked for. */
  readonly isEmpty: boolean;
  /** Those that make sense for a plain number (an `int8` cell): no telephone numbers, of which every third 10-digit number is one. */
  readonly forNumbers: DetectorSet;
  /** False where no detector can match these UTF-8 bytes from `start` up to `end`; reads each byte once. JSON escapes are not seen through. */
  mayContain(bytes: Uint8Array, start: number, end: number): boolean;
  /** The same for a text. */
  mayContainText(text: string): boolean;
  /**
   * What matches, in order, overlapping matches joined into one of the strongest class among them. `hint`: words about the value that
   * are not in it (its column's name), for the detectors that need context. A text that is too long for a user's pattern (1 Mi UTF-16
   * units: they run at less than 1 MB/s) is one match of that pattern's class.
   */
  scan(text: string, hint?: string): readonly Span[];
  /** The same detectors save those of `classes`. */
  without(classes: ReadonlySet<string>): DetectorSet;
  /** How far a match can reach, for a text that comes piece by piece. */
  readonly reach: Reach;
  /** What tells at a glance where in plain ASCII a match may stand. */
  readonly lookouts: readonly Lookout[];
}

/** Of a set of detectors: which kinds of text a match of them may be, or become with what follows. */
export interface Reach {
  /** Digits in groups: the fewest that any match has. Infinity: none is looked for. */
  readonly leastDigits: number;
  /** Nine digits of which the words behind them tell what they are. */
  readonly words: boolean;
  readonly email: boolean;
  readonly iban: boolean;
  /** Patterns of the user, of which nothing can be told before the end of a line. */
  readonly patterns: boolean;
}

/** `classes`: strongest first. Throws `RangeError` for a bad pattern, with its place in the pattern. */
export function compileDetectors(classes: readonly Pick<DataClass, 'name' | 'detect'>[]): DetectorSet {
  const compiled = classes.flatMap((entry): Compiled[] =>
    entry.detect.map((detector) => ({
      class: entry.name,
      find: detector.kind === 'recogniser' ? detector.name : compilePattern(detector.pattern),
    })),
  );
  return assemble(compiled);
}

interface Compiled {
  readonly class: string;
  readonly find: RecogniserName | Pattern;
}

function assemble(detectors: readonly Compiled[]): DetectorSet {
  let numbers: DetectorSet | undefined;
  let lookouts: readonly Lookout[] | undefined;
  const needs = needsOf(detectors);
  const ranks = new Map([...new Set(detectors.map((detector) => detector.class))].map((name, rank) => [name, rank]));
  return {
    isEmpty: detectors.length === 0,
    get forNumbers() {
      numbers ??= detectors.some(isWordy) ? assemble(detectors.filter((detector) => !isWordy(detector))) : this;
      return numbers;
    },
    mayContain: (bytes, start, end) => detectors.length > 0 && meets(needs, bytes, start, end),
    mayContainText: (text) => detectors.length > 0 && textMeets(needs, text),
    scan(text, hint = '') {
      if (detectors.length === 0) return [];
      const plain = text.length < leastOutlined ? undefined : plainBytes(text);
      if (plain !== undefined && isClear(this, text, plain, hint)) return [];
      const spans = findAll(detectors, text, plain, hint);
      return spans.length < 2 ? spans : join(spans, ranks);
    },
    without: (classes) => assemble(detectors.filter((detector) => !classes.has(detector.class))),
    reach: {
      leastDigits: needs.digitsInRow,
      words: detectors.some(({ find }) => find === 'us-ssn'),
      email: needs.at,
      iban: needs.country,
      patterns: detectors.some(({ find }) => typeof find !== 'string'),
    },
    get lookouts() {
      lookouts ??= lookoutsOf(detectors, needs);
      return lookouts;
    },
  };
}

function isWordy({ find }: Compiled): boolean {
  return typeof find === 'string' && WORDY.has(find);
}

function lookoutsOf(detectors: readonly Compiled[], { at, country, digitsInRow }: Needs): readonly Lookout[] {
  const numbers = detectors.flatMap(({ find }) => (typeof find === 'string' && find !== 'email' && find !== 'iban' ? [find] : []));
  return [
    ...(numbers.length > 0 ? [new NumberLookout(new Set<NumberName>(numbers), digitsInRow)] : []),
    ...(at ? [new EmailLookout()] : []),
    ...(country ? [new IbanLookout()] : []),
    ...detectors.flatMap(({ find }) => (typeof find === 'string' ? [] : [new PatternLookout(find)])),
  ];
}

/** A text in which nothing stands for anything else, as the lookouts read it; undefined for any other. */
function plainBytes(text: string): Uint8Array | undefined {
  const { length } = text;
  const bytes = outline.of(text).subarray(0, length);
  if (outline.isAscii) return bytes;
  for (let at = outline.nextBeyondAscii(0, length); at < length; at = outline.nextBeyondAscii(at + 1, length))
    if (isFoldedUnit(text.charCodeAt(at))) return undefined;
  return bytes;
}

/** Whether the lookouts see nothing in a whole text. They know nothing of words beside it, and of what is too long. */
function isClear({ lookouts, reach }: DetectorSet, text: string, bytes: Uint8Array, hint: string): boolean {
  if ((reach.words && speaksOfSecurity(hint)) || (reach.patterns && text.length > LONGEST_FOR_PATTERNS)) return false;
  return lookouts.every((lookout) => lookout.first(bytes, 0, bytes.length, -Infinity) === bytes.length);
}

/** `plain`: the text as bytes, where it needs no folding. */
function findAll(detectors: readonly Compiled[], text: string, plain: Uint8Array | undefined, hint: string): Span[] {
  const folded = plain === undefined ? fold(text) : asItIs(text);
  const codes = plain === undefined ? new TextCodes(folded.text) : new ByteCodes().of(plain, 0);
  const runs = digitRuns(codes);
  const spans: Span[] = [];
  for (const { class: name, find } of detectors) {
    const report = (start: number, end: number): void => {
      spans.push({ start: folded.startOf(start), end: folded.endOf(end - 1), class: name });
    };
    if (typeof find === 'string') recognise(find, { text: folded.text, codes, runs, hint }, report);
    else if (text.length > LONGEST_FOR_PATTERNS) spans.push({ start: 0, end: text.length, class: name });
    else {
      find.find(folded.text, report);
      if (folded.text !== text) find.find(text, (start, end) => spans.push({ start, end, class: name }));
    }
  }
  return spans;
}

interface Searched {
  readonly text: string;
  readonly codes: Codes;
  readonly runs: DigitRuns;
  readonly hint: string;
}

function recognise(name: RecogniserName, { text, codes, runs, hint }: Searched, report: (start: number, end: number) => void): void {
  switch (name) {
    case 'card-number':
      return findCards(codes, runs, report);
    case 'us-ssn':
      return findSocialSecurity(codes, runs, (start, end) => hasContext(text, start, end, hint), report);
    case 'aba-routing':
      return findRoutingNumbers(codes, runs, report);
    case 'iban':
      return findIbans(text, codes, report);
    case 'email':
      return findEmails(text, codes, report);
    case 'phone':
      return findPhones(codes, runs, askLibrary(), report);
    default:
      return assertNever(name, 'recogniser');
  }
}

function hasContext(text: string, start: number, end: number, hint: string): boolean {
  const [before, behind] = [text.slice(Math.max(0, start - wordsBefore), start), text.slice(end, end + wordsBehind)];
  return speaksOfSecurity(hint) || speaksOfSecurity(before) || speaksOfSecurity(behind);
}

function join(spans: Span[], ranks: ReadonlyMap<string, number>): Span[] {
  spans.sort((a, b) => a.start - b.start || a.end - b.end);
  const joined: Span[] = [];
  for (const span of spans) {
    const last = joined.at(-1);
    if (last === undefined || span.start >= last.end) {
      joined.push(span);
      continue;
    }
    const stronger = ranks.get(span.class)! < ranks.get(last.class)! ? span.class : last.class;
    joined[joined.length - 1] = { start: last.start, end: Math.max(last.end, span.end), class: stronger };
  }
  return joined;
}

function needsOf(detectors: readonly Compiled[]): Needs {
  let digitsInRow = Infinity;
  let digits = Infinity;
  let at = false;
  let country = false;
  for (const { find } of detectors) {
    if (typeof find !== 'string') digits = Math.min(digits, find.leastDigits);
    else if (find === 'email') at = true;
    else if (find === 'iban') country = true;
    else digitsInRow = Math.min(digitsInRow, LEAST_DIGITS[find]);
  }
  return { digitsInRow, digits, at, country };
}

const outline = new Outline();
const LEAST_DIGITS: Readonly<Record<Exclude<RecogniserName, 'email' | 'iban'>, number>> = {
  'card-number': 13,
  'us-ssn': 9,
  'aba-routing': 9,
  phone: 7,
};
const WORDY: ReadonlySet<RecogniserName> = new Set(['phone', 'email', 'iban']);
const LONGEST_FOR_PATTERNS = 1_048_576;
/** UTF-16 units; a shorter text is read as soon as bytes are made of it. */
const leastOutlined = 64;
