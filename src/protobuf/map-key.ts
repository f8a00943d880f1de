import { MAP_KEY } from './plan.ts';
import { isWiredAs, numberAt, type NumberKind } from './scalar.ts';
import type { MessageType } from './schema.ts';
import { Cursor, joined } from './wire.ts';

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
  const { kind } = type.fields.get(MAP_KEY)!;
  const others: Uint8Array[] = [];
  let last: Uint8Array | undefined;
  let value: Uint8Array | undefined;
  let count = 0;
  const cursor = new Cursor(bytes, start, end);
  while (cursor.at < end) {
    const from = cursor.at;
    const tag = cursor.tag();
    const valueAt = cursor.at;
    cursor.skipValue(tag);
    if (Math.floor(tag / 8) !== MAP_KEY || !isWiredAs(kind, false, tag % 8)) {
      others.push(bytes.subarray(from, cursor.at));
      continue;
    }
    count += 1;
    last = bytes.subarray(from, cursor.at);
    value = bytes.subarray(valueAt, cursor.at);
  }
  const single = count > 1 ? joined([last!, ...others]) : undefined;
  if (kind === 'string') return { text: value === undefined ? '' : lengthDelimitedText(value), isText: true, single };
  const number = value === undefined ? (kind === 'bool' ? false : 0) : numberAt(kind as NumberKind, value, 0, value.length);
  return { text: String(number), isText: false, single };
}

function lengthDelimitedText(value: Uint8Array): string {
  const cursor = new Cursor(value);
  cursor.length();
  return lenient.decode(value.subarray(cursor.at));
}

const lenient = new TextDecoder('utf-8', { ignoreBOM: true });
