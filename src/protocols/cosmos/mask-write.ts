import { GatewayFault } from '../../core/fault.ts';
import type { Place } from '../../masking/json-document.ts';
import type { MaskRule } from '../../masking/mask.ts';
import type { MaskKind } from '../../masking/types.ts';
import { isObject, type Json } from './json-body.ts';
import type { ContainerMasks } from './masks.ts';

/**
 * Why an item must not be written as it stands: whoever was shown masks would write them in place of the values. A fault (`masking-refused`):
 *
 * - any write with what only a mask looks like (`[redacted:ssn]`, `***-**-1120`, `hash:…`) at a hidden place;
 * - `replaces` (replace, upsert: the item may have been read before) also with null there, as numbers are shown, and with anything there where the mask is
 *   a pseudonym, which cannot be told from a value; and with masks that detectors leave in any text.
 */
export function writeRefusal(item: Json, masks: ContainerMasks, replaces: boolean): GatewayFault | undefined {
  for (const { path, rule } of masks.rules) {
    for (const value of valuesAt(item, path.steps)) {
      const why = looksMasked(value, rule, replaces);
      if (why !== undefined) return refused(rule.class, why);
    }
  }
  const left = replaces && !masks.detectors.isEmpty ? classLeftIn(item, masks) : undefined;
  return left === undefined ? undefined : refused(left, 'a text in it has a mask where the value was');
}

/** The values at a place, as masking finds them. */
export function valuesAt(value: Json | undefined, place: Place): readonly Json[] {
  if (value === undefined) return [];
  const [step, ...rest] = place;
  if (place.length === 0) return [value];
  if (Array.isArray(value)) {
    const elements = value as readonly Json[];
    if (typeof step === 'string') return elements.flatMap((element) => valuesAt(element, place));
    return step === undefined ? elements.flatMap((element) => valuesAt(element, rest)) : valuesAt(elements[step], rest);
  }
  if (!isObject(value)) return [];
  if (step === undefined) return Object.values(value).flatMap((member) => valuesAt(member, rest));
  return typeof step === 'string' && Object.hasOwn(value, step) ? valuesAt(value[step], rest) : [];
}

function looksMasked(value: Json, { kind, class: name }: MaskRule, replaces: boolean): string | undefined {
  if (typeof value === 'string' && isMask(value, kind, name)) return 'it is a mask and not a value';
  if (!replaces) return undefined;
  if (value === null) return 'null is what a hidden number is shown as';
  return kind === 'pseudonym' ? 'a pseudonym cannot be told from a value' : undefined;
}

function isMask(text: string, kind: MaskKind, name: string): boolean {
  if (text === `[redacted:${name}]`) return true;
  if (kind === 'hash') return /^hash:[0-9a-f]{16}$/.test(text);
  const lastStar = text.lastIndexOf('*');
  if (kind !== 'partial-last4' || lastStar < 0) return false;
  return (
    !ALPHANUMERIC.test(text.slice(0, lastStar)) && Array.from(text.slice(lastStar)).filter((one) => ALPHANUMERIC.test(one)).length <= 4
  );
}

/** The class of a mask that a detector left in some text of the item. */
function classLeftIn(item: Json, { classes }: ContainerMasks): string | undefined {
  if (typeof item === 'string') {
    const redacted = [...item.matchAll(/\[redacted:([^\]]{1,63})\]/g)].find(([, name = '']) => classes.names.includes(name));
    if (redacted !== undefined) return redacted[1];
    const kinds = classes.names.flatMap((name) => classes.strongest([name]) ?? []);
    if (/\bhash:[0-9a-f]{16}\b/.test(item)) return kinds.find(({ kind }) => kind === 'hash')?.class;
    if (/\*[*\-./()+@_]{3,32}[0-9A-Za-z]{4}(?![0-9A-Za-z*])/.test(item)) return kinds.find(({ kind }) => kind === 'partial-last4')?.class;
    return undefined;
  }
  if (typeof item !== 'object' || item === null) return undefined;
  for (const value of Object.values(item) as readonly Json[]) {
    const found = classLeftIn(value, { classes } as ContainerMasks);
    if (found !== undefined) return found;
  }
  return undefined;
}

function refused(name: string, why: string): GatewayFault {
  return new GatewayFault('masking-refused', {
    publicMessage: `the item would be written with a masked ${name} in place of its value: ${why}`,
    hint: 'Change only what you mean to change, with a partial update (patch), which leaves everything else as it is.',
  });
}

const ALPHANUMERIC = /[\p{L}\p{N}]/u;
