import type { DataClasses } from './classes.ts';
import type { DetectorSet, Span } from './detect.ts';

/** What the detectors made of a text. */
export interface MaskedText {
  /** Null: a class among them is shown as nothing at all, so the whole value is to be NULL. */
  readonly text: string | null;
  /** The classes found, each once, in order of appearance. */
  readonly classes: readonly string[];
  /** The class of every place found, in order. */
  readonly found: readonly string[];
}

/** Masks what the detectors find inside a text; undefined where they find nothing. */
export function maskText(classes: DataClasses, detectors: DetectorSet, text: string, hint?: string): MaskedText | undefined {
  if (!detectors.mayContainText(text)) return undefined;
  const spans = detectors.scan(text, hint);
  if (spans.length === 0) return undefined;
  const found = spans.map((span) => span.class);
  return { text: replaceSpans(classes, text, spans), classes: [...new Set(found)], found };
}

/** The text for people and records: a value that would be NULL is left out of it instead. */
export function maskProse(classes: DataClasses, detectors: DetectorSet, text: string): string {
  if (!detectors.mayContainText(text)) return text;
  const spans = detectors.scan(text);
  return spans.length === 0 ? text : splice(text, spans, (span) => maskSpan(classes, text, span) ?? '');
}

/** The value that stands for one span; null for `null`. */
export function maskSpan(classes: DataClasses, text: string, span: Span): string | null {
  const rule = classes.strongest([span.class]);
  return rule === undefined ? null : classes.mask(rule, text.slice(span.start, span.end));
}

/** `spans` in order and apart; what lies between them is copied. */
export function splice<S extends { start: number; end: number }>(text: string, spans: readonly S[], replace: (span: S) => string): string {
  const parts: string[] = [];
  let from = 0;
  for (const span of spans) {
    parts.push(text.slice(from, span.start), replace(span));
    from = span.end;
  }
  parts.push(text.slice(from));
  return parts.join('');
}

function replaceSpans(classes: DataClasses, text: string, spans: readonly Span[]): string | null {
  const values = spans.map((span) => maskSpan(classes, text, span));
  if (values.includes(null)) return null;
  let index = 0;
  return splice(text, spans, () => values[index++]!);
}
