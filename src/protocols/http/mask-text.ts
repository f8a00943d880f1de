import { isJson } from '../../masking/json-bytes.ts';
import { maskJson } from '../../masking/json.ts';
import { maskPaths } from '../../masking/json-places.ts';
import { redaction } from '../../masking/mask.ts';
import { maskSpan, maskText, splice } from '../../masking/text.ts';
import type { HttpMasks } from './masks.ts';

/** How many values were masked, by data class. */
export type MaskedCounts = Map<string, number>;

/**
 * What should be JSON with everything hidden masked; undefined where its places cannot be told, and nothing of it may be shown. What is no JSON where no places are hidden is another text.
 */
export function maskedJson(masks: HttpMasks, text: string, counts: MaskedCounts): string | undefined {
  const { classes, detectors, rules } = masks;
  let shown = text;
  if (rules.length > 0) {
    const placed = maskPaths(classes, rules, text);
    if (placed === null) return undefined;
    if (placed !== undefined) {
      count(counts, placed.found);
      shown = placed.text;
    }
  }
  const found = maskJson(classes, detectors, shown);
  // What JSON means without escapes is what it says: where nothing is found in that, it may be anything.
  const isText = rules.length === 0 && (found === undefined ? text.includes('\\') && !isJson(text) : !found.wasJson);
  if (isText) return maskedText(masks, text, counts);
  if (found === undefined) return shown;
  count(counts, found.found);
  return found.text ?? 'null';
}

/** The same of a JSON text on its own line or in its own event: what is no JSON where places are hidden is shown as nothing but its class. */
export function maskedPiece(masks: HttpMasks, text: string, counts: MaskedCounts): string {
  const masked = maskedJson(masks, text, counts);
  if (masked !== undefined) return masked;
  const ruled = masks.rules.map(({ rule }) => rule.class);
  const name = masks.classes.strongest(ruled)?.class ?? ruled[0]!;
  count(counts, [name]);
  return JSON.stringify(redaction(name));
}

/** Any other text: what the detectors find. A value that would be nothing at all is left out. */
export function maskedText(masks: HttpMasks, text: string, counts: MaskedCounts): string {
  const found = maskText(masks.classes, masks.detectors, text);
  if (found === undefined) return text;
  count(counts, found.found);
  if (found.text !== null) return found.text;
  return splice(text, masks.detectors.scan(text), ({ start, end, class: name }) => {
    const rule = masks.classes.strongest([name]);
    return (rule === undefined ? null : masks.classes.mask(rule, text.slice(start, end))) ?? '';
  });
}

/**
 * XML and HTML: what the detectors find once character references (`&#52;`, `&#x34;`) are what they stand for, since every reader shows them so. Nothing is masked across
 * a tag.
 */
export function maskedMarkup(masks: HttpMasks, text: string, counts: MaskedCounts): string {
  if (!text.includes('&#')) return maskedText(masks, text, counts);
  // Where each character of `meant` begins in `text`, and where the last one ends.
  const starts: number[] = [];
  let meant = '';
  let at = 0;
  const take = (characters: string, length: number): void => {
    for (let index = 0; index < characters.length; index += 1) starts.push(at);
    meant += characters;
    at += length;
  };
  while (at < text.length) {
    const reference =
      text[at] === '&' && text[at + 1] === '#' ? /^&#(?:x([0-9a-f]{1,8})|([0-9]{1,8}));?/i.exec(text.slice(at, at + 14)) : null;
    const code = reference === null ? 0 : Number.parseInt(reference[1] ?? reference[2]!, reference[1] === undefined ? 10 : 16);
    if (reference !== null && code > 0 && code <= 0x10ffff) take(String.fromCodePoint(code), reference[0].length);
    else take(text[at]!, 1);
  }
  starts.push(text.length);
  const spans = masks.detectors.scan(meant);
  count(
    counts,
    spans.map((span) => span.class),
  );
  const places = spans.map((span) => ({ ...span, start: starts[span.start]!, end: starts[span.end]! }));
  let index = 0;
  return splice(text, places, () => maskSpan(masks.classes, meant, spans[index++]!) ?? '');
}

/** `application/x-www-form-urlencoded`: names and values as they are meant, each escaped anew only where something was found in it. */
export function maskedForm(masks: HttpMasks, text: string, counts: MaskedCounts): string {
  return text
    .split('&')
    .map((pair) => {
      const [name = '', ...value] = pair.split('=');
      return [name, ...(value.length === 0 ? [] : [value.join('=')])].map((part) => maskedFormPart(masks, part, counts)).join('=');
    })
    .join('&');
}

function maskedFormPart(masks: HttpMasks, part: string, counts: MaskedCounts): string {
  const meant = formDecoded(part);
  const masked = maskedText(masks, meant, counts);
  return masked === meant ? part : encodeURIComponent(masked);
}

/** What cannot be decoded is looked at as it stands. */
function formDecoded(part: string): string {
  try {
    return decodeURIComponent(part.replaceAll('+', ' '));
  } catch {
    return part;
  }
}

function count(counts: MaskedCounts, found: readonly string[]): void {
  for (const name of found) counts.set(name, (counts.get(name) ?? 0) + 1);
}
