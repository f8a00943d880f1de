import type { DataClasses } from './classes.ts';
import type { DetectorSet, Span } from './detect.ts';
import { maskSpan, splice, type MaskedText } from './text.ts';

/**
 * Masks what the detectors find in a JSON text (RFC 8259), seeing through its escapes; what comes back is JSON again: inside a string
 * only what was found is replaced, a number becomes `null`, and a match that reaches over more than one value replaces the whole text
 * by a string. A text that is no JSON is masked whole where anything is found. Undefined where nothing is found.
 */
export function maskJson(classes: DataClasses, detectors: DetectorSet, text: string, hint?: string): MaskedText | undefined {
  const plain = resolveEscapes(text);
  const spans = detectors
    .scan(plain.text, hint)
    .map((span) => ({ ...span, start: plain.startOf(span.start), end: plain.endOf(span.end - 1) }));
  if (spans.length === 0) return undefined;
  const found = spans.map((span) => span.class);
  const each = [...new Set(found)];
  const changes = changesOf(classes, text, spans);
  if (changes !== undefined) return { text: splice(text, changes, (change) => change.value), classes: each, found };
  const rule = classes.strongest(each);
  return { text: rule === undefined ? null : JSON.stringify(`[redacted:${rule.class}]`), classes: each, found };
}

interface Change {
  readonly start: number;
  readonly end: number;
  readonly value: string;
}

/** Undefined where a span cannot be replaced on its own. */
function changesOf(classes: DataClasses, text: string, spans: readonly Span[]): Change[] | undefined {
  const tokens = valuesOf(text);
  if (tokens === undefined) return undefined;
  const changes: Change[] = [];
  let index = 0;
  for (const span of spans) {
    while (index < tokens.length && tokens[index]!.end <= span.start) index++;
    const token = tokens[index];
    if (token === undefined || span.start < token.start || span.end > token.end) return undefined;
    if (token.isString) {
      const inside = span.start > token.start && span.end < token.end;
      if (!inside) return undefined;
      const found = JSON.parse(`"${text.slice(span.start, span.end)}"`) as string;
      const value = maskSpan(classes, found, { class: span.class, start: 0, end: found.length });
      changes.push({ start: span.start, end: span.end, value: JSON.stringify(value ?? '').slice(1, -1) });
    } else if (changes.at(-1)?.start !== token.start) changes.push({ start: token.start, end: token.end, value: 'null' });
  }
  return changes;
}

interface Token {
  readonly start: number;
  readonly end: number;
  readonly isString: boolean;
}

/** The strings (keys too) and numbers of a JSON text, in order; undefined where it is none. */
function valuesOf(text: string): Token[] | undefined {
  try {
    JSON.parse(text);
  } catch {
    return undefined;
  }
  const tokens: Token[] = [];
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) {
      const start = at++;
      while (text.charCodeAt(at) !== QUOTE) at += text.charCodeAt(at) === BACKSLASH ? 2 : 1;
      tokens.push({ start, end: at + 1, isString: true });
    } else if (isNumberPart(code)) {
      const start = at;
      while (at + 1 < text.length && isNumberPart(text.charCodeAt(at + 1))) at++;
      if (text.charCodeAt(start) !== LETTER_E) tokens.push({ start, end: at + 1, isString: false });
    }
  }
  return tokens;
}

/** Digits, signs, the dot and the exponent's letter. The `e` of `true` and `false` stands alone and begins no number. */
function isNumberPart(code: number): boolean {
  return (code >= 0x30 && code <= 0x39) || code === 0x2d || code === 0x2b || code === 0x2e || code === LETTER_E || code === 0x45;
}

/** The text with `\uXXXX` and the short escapes resolved, and the way back. */
function resolveEscapes(text: string): { text: string; startOf(index: number): number; endOf(index: number): number } {
  if (!text.includes('\\')) return { text, startOf: (index) => index, endOf: (index) => index + 1 };
  const starts: number[] = [];
  const out: string[] = [];
  for (let at = 0; at < text.length;) {
    starts.push(at);
    const escape = text[at] === '\\' ? text[at + 1] : undefined;
    const code = escape === 'u' ? Number.parseInt(text.slice(at + 2, at + 6), 16) : Number.NaN;
    if (escape === 'u' && !Number.isNaN(code)) {
      out.push(String.fromCharCode(code));
      at += 6;
    } else if (escape === undefined) out.push(text[at++]!);
    else {
      out.push(SHORT_ESCAPES.get(escape) ?? escape);
      at += 2;
    }
  }
  starts.push(text.length);
  return { text: out.join(''), startOf: (index) => starts[index]!, endOf: (index) => starts[index + 1]! };
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const LETTER_E = 0x65;
const SHORT_ESCAPES: ReadonlyMap<string, string> = new Map([
  ['n', '\n'],
  ['r', '\r'],
  ['t', '\t'],
  ['b', '\b'],
  ['f', '\f'],
]);
