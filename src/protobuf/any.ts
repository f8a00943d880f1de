import { concatenated } from '../core/bytes.ts';
import { Cursor, encodedRecord, LENGTH_DELIMITED } from './wire.ts';

/** A `google.protobuf.Any` as decoders read it: of several types or contents the last one. */
export interface AnyParts {
  /** `type.googleapis.com/package.Type`, as bytes. */
  readonly url: Uint8Array;
  /** Full name; empty where there is none. */
  readonly typeName: string;
  readonly value: Uint8Array;
  /** Fields that an Any does not have. */
  readonly unknown: number;
  /** Nothing came twice. */
  readonly isPlain: boolean;
}

/** Throws `MalformedMessage`. */
export function readAny(bytes: Uint8Array, start: number, end: number): AnyParts {
  const cursor = new Cursor(bytes, start, end);
  const urls: Uint8Array[] = [];
  const values: Uint8Array[] = [];
  let unknown = 0;
  while (cursor.at < end) {
    const tag = cursor.tag();
    if (tag !== URL_TAG && tag !== VALUE_TAG) {
      cursor.skipValue(tag);
      unknown += 1;
      continue;
    }
    const length = cursor.length();
    (tag === URL_TAG ? urls : values).push(bytes.subarray(cursor.at, cursor.at + length));
    cursor.at += length;
  }
  const url = urls.at(-1) ?? new Uint8Array(0);
  const text = utf8.decode(url);
  return {
    url,
    typeName: text.slice(text.lastIndexOf('/') + 1),
    value: values.at(-1) ?? new Uint8Array(0),
    unknown,
    isPlain: urls.length < 2 && values.length < 2,
  };
}

export function encodedAny(url: Uint8Array, value: Uint8Array): Uint8Array {
  return concatenated([encodedRecord(1, url), ...(value.length === 0 ? [] : [encodedRecord(2, value)])]);
}

const URL_TAG = 8 + LENGTH_DELIMITED;
const VALUE_TAG = 16 + LENGTH_DELIMITED;
const utf8 = new TextDecoder();
