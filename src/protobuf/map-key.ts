import { Edits } from './edits.ts';
import { nothing } from './mask-value.ts';
import { MAP_KEY } from './plan.ts';
import { isWiredAs, numberAt, type NumberKind } from './scalar.ts';
import type { MessageType } from './schema.ts';
import { Cursor } from './wire.ts';

/** The key of a map's entry. */
export interface EntryKey {
  /** As JSON has it: numbers and bools in decimal and in words. */
  readonly text: string;
  readonly isText: boolean;
  /** Where the key came several times: the entry with only the last one, which is what decoders go by. */
  readonly single: Uint8Array | undefined;
}

/** Throws `MalformedMessage`. */
export function entryKey(type: MessageType, bytes: Uint8Array, start: number, end: number): EntryKey {
  const field = type.fields.get(MAP_KEY)!;
  const { kind } = field;
  const earlier = new Edits();
  let last: { readonly from: number; readonly valueAt: number; readonly to: number } | undefined;
  let isSingle = true;
  const cursor = new Cursor(bytes, start, end);
  while (cursor.at < end) {
    const from = cursor.at;
    const tag = cursor.tag();
    const valueAt = cursor.at;
    cursor.skipValue(tag);
    if (Math.floor(tag / 8) !== MAP_KEY || !isWiredAs(field, tag % 8)) continue;
    if (last !== undefined) {
      earlier.replace(last.from - start, last.to - start, nothing);
      isSingle = false;
    }
    last = { from, valueAt, to: cursor.at };
  }
  const single = isSingle ? undefined : earlier.applied(bytes.subarray(start, end));
  const value = last === undefined ? nothing : bytes.subarray(last.valueAt, last.to);
  if (kind === 'string') return { text: lengthDelimitedText(value), isText: true, single };
  const number = value.length === 0 ? (kind === 'bool' ? false : 0) : numberAt(kind as NumberKind, value, 0, value.length);
  return { text: String(number), isText: false, single };
}

function lengthDelimitedText(value: Uint8Array): string {
  if (value.length === 0) return '';
  const cursor = new Cursor(value);
  cursor.length();
  return lenient.decode(value.subarray(cursor.at));
}

const lenient = new TextDecoder('utf-8', { ignoreBOM: true });
