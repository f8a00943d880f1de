import type { DataClasses } from './classes.ts';
import type { DetectorSet, Span } from './detect.ts';
import { stringsOf } from './json-bytes.ts';
import { maskSpan, splice, type MaskedText } from './text.ts';

/** What the detectors made of a text that should be JSON. */
export interface MaskedJson extends MaskedText {
  readonly wasJson: boolean;
}

/**
 * Masks what the detectors find in a JSON text (RFC 8259), seeing through its escapes; what comes back is JSON again: inside a string
 * only what was found is replaced, a number becomes `null`, and a match that reaches over more than one value replaces the whole text
 * by a string. A text that is no JSON is masked whole where anything is found. Undefined where nothing is found.
 */
export function maskJson(classes: DataClasses, detectors: DetectorSet, text: string, hint?: string): MaskedJson | undefined {
  const escapes = text.includes('\\') ? new Escapes(text) : undefined;
  const seen = detectors.scan(escapes?.resolved ?? text, hint);
  if (seen.length === 0) return undefined;
  const spans = escapes === undefined ? seen : seen.map((span) => escapes.written(span));
  const found = spans.map((span) => span.class);
  const each = [...new Set(found)];
  const strings = stringsOf(text);
  const wasJson = strings !== undefined;
  const changes = wasJson ? changesOf(classes, text, strings, spans) : undefined;
  if (changes !== undefined) return { text: splice(text, changes, (change) => change.value), classes: each, found, wasJson };
  const rule = classes.strongest(each);
  return { text: rule === undefined ? null : JSON.stringify(`[redacted:${rule.class}]`), classes: each, found, wasJson };
}

interface Change {
  readonly start: number;
  readonly end: number;
  readonly value: string;
}

/** `strings`: of the text, which is JSON. Undefined where a span cannot be replaced on its own. */
function changesOf(classes: DataClasses, text: string, strings: readonly number[], spans: readonly Span[]): Change[] | undefined {
  const changes: Change[] = [];
  let number: ReturnType<typeof numberAt>;
  let at = 0;
  for (const span of spans) {
    // The first string that ends behind the beginning of the span.
    while (at < strings.length && strings[at + 1]! <= span.start) at += 2;
    if (at < strings.length && strings[at]! <= span.start) {
      if (span.start === strings[at] || span.end >= strings[at + 1]!) return undefined;
      const json = text.slice(span.start, span.end);
      const found = json.includes('\\') ? (JSON.parse(`"${json}"`) as string) : json;
      const value = maskSpan(classes, found, { class: span.class, start: 0, end: found.length });
      changes.push({ start: span.start, end: span.end, value: JSON.stringify(value ?? '').slice(1, -1) });
      continue;
    }
    if (number !== undefined && span.start < number.end) {
      if (span.end > number.end) return undefined;
      continue;
    }
    number = numberAt(text, span.start);
    if (number === undefined || span.end > number.end) return undefined;
    changes.push({ ...number, value: 'null' });
  }
  return changes;
}

/** The number around a place outside of strings. The `e` of `true` and `false` stands alone and begins none. */
function numberAt(text: string, at: number): { readonly start: number; readonly end: number } | undefined {
  let [start, end] = [at, at];
  while (isNumberPart(text.charCodeAt(start - 1))) start -= 1;
  while (isNumberPart(text.charCodeAt(end))) end += 1;
  return end === at || text.charCodeAt(start) === LETTER_E ? undefined : { start, end };
}

/** Digits, signs, the dot and the exponent's letter. */
function isNumberPart(code: number): boolean {
  return (code >= 0x30 && code <= 0x39) || code === 0x2d || code === 0x2b || code === 0x2e || code === LETTER_E || code === 0x45;
}

/** A text with `\uXXXX` and the short escapes resolved, and the way back. */
class Escapes {
  readonly resolved: string;
  readonly #written: string;
  /** Of each escape: where its character stands in `resolved`, and where what is behind it stands in what was written. */
  readonly #characters: number[] = [];
  readonly #ends: number[] = [];

  constructor(written: string) {
    this.#written = written;
    let resolved = '';
    let from = 0;
    for (let at = written.indexOf('\\'); at >= 0; at = written.indexOf('\\', from)) {
      const escape = written[at + 1];
      if (escape === undefined) break;
      const code = escape === 'u' ? Number.parseInt(written.slice(at + 2, at + 6), 16) : Number.NaN;
      const isLong = !Number.isNaN(code);
      resolved += written.slice(from, at) + (isLong ? String.fromCharCode(code) : (SHORT_ESCAPES.get(escape) ?? escape));
      from = at + (isLong ? 6 : 2);
      this.#characters.push(resolved.length - 1);
      this.#ends.push(from);
    }
    this.resolved = resolved + written.slice(from);
  }

  /** Where a span of what was resolved was written. */
  written(span: Span): Span {
    return { start: this.#startOf(span.start), end: Math.min(this.#startOf(span.end), this.#written.length), class: span.class };
  }

  /** Where the character at `index` of `resolved` begins. */
  #startOf(index: number): number {
    // How many escapes stand before it.
    let low = 0;
    for (let high = this.#characters.length; low < high;) {
      const middle = (low + high) >> 1;
      if (this.#characters[middle]! < index) low = middle + 1;
      else high = middle;
    }
    return low === 0 ? index : this.#ends[low - 1]! + index - this.#characters[low - 1]! - 1;
  }
}

const LETTER_E = 0x65;
const SHORT_ESCAPES: ReadonlyMap<string, string> = new Map([
  ['n', '\n'],
  ['r', '\r'],
  ['t', '\t'],
  ['b', '\b'],
  ['f', '\f'],
]);
