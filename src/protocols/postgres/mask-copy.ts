import type { MaskContext } from './mask-context.ts';

/**
 * Masks what the detectors find in one CopyData message of a text or CSV copy. Returns undefined where nothing changes. A value that is
 * cut across messages is not found; the server sends whole lines.
 */
export function maskCopyLine(masks: MaskContext, data: Uint8Array, counts: Map<string, number>): Uint8Array | undefined {
  if (!masks.detectors.mayContain(data, 0, data.length)) return undefined;
  const text = decoder.decode(data);
  const spans = masks.detectors.scan(text);
  if (spans.length === 0) return undefined;
  let masked = '';
  let at = 0;
  for (const span of spans) {
    const rule = masks.classes.strongest([span.class]);
    const shown = rule === undefined ? '' : (masks.classes.mask(rule, text.slice(span.start, span.end)) ?? '');
    masked += text.slice(at, span.start) + shown;
    at = span.end;
    counts.set(span.class, (counts.get(span.class) ?? 0) + 1);
  }
  return encoder.encode(masked + text.slice(at));
}

const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
const encoder = new TextEncoder();
