import type { DataClasses } from '../masking/classes.ts';
import type { DetectorSet } from '../masking/detect.ts';
import { keepLastFourOfAscii, type MaskRule } from '../masking/mask.ts';
import { maskText } from '../masking/text.ts';
import { numberAt, wireTypeOf, type NumberKind } from './scalar.ts';
import type { Field } from './schema.ts';
import { encodedVarint, FIXED32, FIXED64, VARINT } from './wire.ts';

/** What masking of values needs to know. */
export interface ValueMasks {
  readonly classes: DataClasses;
  readonly detectors: DetectorSet;
  /** Bytes that are no text are not shown at all. */
  readonly hidesOpaqueBytes: boolean;
}

/** A value of a hidden field as text: the class's mask; nothing for `null` and for bytes that are no text. */
export function hiddenText(classes: DataClasses, rule: MaskRule, value: Uint8Array): Uint8Array {
  if (rule.kind === 'partial-last4') {
    // Of a Buffer `slice` is a view.
    const copy = new Uint8Array(value);
    if (keepLastFourOfAscii(copy, 0, copy.length)) return copy;
  }
  const text = textOf(value);
  const masked = text === undefined ? null : classes.mask(rule, text);
  return masked === null ? nothing : encoder.encode(masked);
}

/**
 * What may be shown of a string or of bytes that no rule hides; undefined: all of it. Where something is found in bytes that are no text, or its
 * class is shown as nothing, the whole value is nothing. `found`: classes, one for each place.
 */
export function shownText(
  { classes, detectors, hidesOpaqueBytes }: ValueMasks,
  value: Uint8Array,
  isBytes: boolean,
  hint: string,
  found: (name: string) => void,
): Uint8Array | undefined {
  const isLooked = detectors.mayContain(value, 0, value.length);
  if (!isLooked && !(isBytes && hidesOpaqueBytes)) return undefined;
  const text = textOf(value);
  if (text === undefined && isBytes && hidesOpaqueBytes) return nothing;
  const masked = isLooked ? maskText(classes, detectors, text ?? lenient.decode(value), hint) : undefined;
  if (masked === undefined) return undefined;
  for (const name of masked.found) found(name);
  return text === undefined || masked.text === null ? nothing : encoder.encode(masked.text);
}

/** What stands for a hidden number, bool or enum: zero, or an enum's first value. */
export function zeroOf({ kind, values }: Field): Uint8Array {
  const wireType = wireTypeOf(kind as NumberKind);
  return wireType === FIXED64
    ? new Uint8Array(8)
    : wireType === FIXED32
      ? new Uint8Array(4)
      : encodedVarint(values?.keys().next().value ?? 0);
}

/** The class that the detectors find in a number; a number of fewer than seven digits has none. */
export function classOfNumber(
  detectors: DetectorSet,
  kind: NumberKind,
  bytes: Uint8Array,
  start: number,
  end: number,
  hint: string,
): string | undefined {
  if (wireTypeOf(kind) === VARINT ? end - start < 4 : kind === 'float') return undefined;
  const value = numberAt(kind, bytes, start, end);
  if (kind === 'double' && !Number.isInteger(value)) return undefined;
  const text = kind === 'double' ? BigInt(value).toString() : String(value);
  return detectors.scan(text, hint)[0]?.class;
}

/** Undefined where the bytes are no UTF-8. */
export function textOf(value: Uint8Array): string | undefined {
  try {
    return strict.decode(value);
  } catch {
    return undefined;
  }
}

export const nothing = new Uint8Array(0);

const encoder = new TextEncoder();
const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const lenient = new TextDecoder('utf-8', { ignoreBOM: true });
