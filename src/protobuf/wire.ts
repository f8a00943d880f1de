import { concatenated } from '../core/bytes.ts';

/**
 * The wire format of Protocol Buffers (https://protobuf.dev/programming-guides/encoding): a message is a row of records, each a tag (field number
 * and wire type) and a value. No length is believed before it is compared with the bytes that are there.
 */

export const VARINT = 0;
export const FIXED64 = 1;
export const LENGTH_DELIMITED = 2;
export const START_GROUP = 3;
export const END_GROUP = 4;
export const FIXED32 = 5;

/** Bytes that are no message. The text says why and has nothing of the bytes in it. */
export class MalformedMessage extends Error {
  override readonly name = 'MalformedMessage';
}

/** Reads forward from `at`, never past `end`. Every method throws `MalformedMessage`. */
export class Cursor {
  readonly bytes: Uint8Array;
  at: number;
  end: number;

  constructor(bytes: Uint8Array, at = 0, end = bytes.length) {
    this.bytes = bytes;
    this.at = at;
    this.end = end;
  }

  /** Field number times 8 and the wire type. Tags that are longer than need be are read, as decoders do. */
  tag(): number {
    const first = this.bytes[this.at];
    const tag = first !== undefined && first < 0x80 && this.at < this.end ? (this.at++, first) : this.#number();
    if (tag < 8) throw new MalformedMessage('a field has the number 0');
    if (tag > LARGEST_TAG) throw new MalformedMessage('a field number is above 536,870,911');
    if (tag % 8 > FIXED32) throw new MalformedMessage('a field has a wire type that does not exist');
    return tag;
  }

  /** Of what follows, which is there. */
  length(): number {
    const first = this.bytes[this.at];
    const length = first !== undefined && first < 0x80 && this.at < this.end ? (this.at++, first) : this.#number();
    if (length > this.end - this.at) throw new MalformedMessage('a length reaches past the end');
    return length;
  }

  varint(): bigint {
    const start = this.at;
    this.skipVarint();
    return varintAt(this.bytes, start, this.at);
  }

  skipVarint(): void {
    const { bytes, end } = this;
    const start = this.at;
    if (start < end && bytes[start]! < 0x80) {
      this.at = start + 1;
      return;
    }
    for (let at = start; at < end; at++) {
      const byte = bytes[at]!;
      if (byte >= 0x80) continue;
      if (at - start > 9 || (at - start === 9 && byte > 1)) break;
      this.at = at + 1;
      return;
    }
    throw new MalformedMessage('a number has no end, or more than 64 bits');
  }

  skipFixed(count: 4 | 8): void {
    if (this.end - this.at < count) throw new MalformedMessage('a number is cut off');
    this.at += count;
  }

  /** Past the value that belongs to `tag`. */
  skipValue(tag: number, depth = 0): void {
    switch (tag % 8) {
      case VARINT:
        return this.skipVarint();
      case FIXED64:
        return this.skipFixed(8);
      case FIXED32:
        return this.skipFixed(4);
      case LENGTH_DELIMITED: {
        const length = this.length();
        this.at += length;
        return;
      }
      case START_GROUP:
        this.skipGroup(tag, depth + 1);
        return;
      default:
        throw new MalformedMessage('a group ends that did not begin');
    }
  }

  /** Past the end of the group that `tag` began; gives where its content ends. */
  skipGroup(tag: number, depth: number): number {
    if (depth > DEEPEST) throw new MalformedMessage(`it is nested more than ${DEEPEST} deep`);
    for (;;) {
      const before = this.at;
      const next = this.tag();
      if (next % 8 !== END_GROUP) {
        this.skipValue(next, depth);
        continue;
      }
      if (next !== tag - START_GROUP + END_GROUP) throw new MalformedMessage('a group ends that did not begin');
      return before;
    }
  }

  /** A varint as a number, exact up to 2^53. */
  #number(): number {
    const start = this.at;
    this.skipVarint();
    let value = 0;
    for (let at = this.at - 1; at >= start; at--) value = value * 128 + (this.bytes[at]! & 0x7f);
    return value;
  }
}

/** The unsigned value of the varint that stands there whole. */
export function varintAt(bytes: Uint8Array, start: number, end: number): bigint {
  let value = 0n;
  for (let at = end - 1; at >= start; at--) value = (value << 7n) | BigInt(bytes[at]! & 0x7f);
  return value;
}

/** The shortest spelling of a whole number up to 2^53. A negative one has ten bytes, as enums and `int32` have it. */
export function encodedVarint(value: number): Uint8Array {
  const bytes: number[] = [];
  if (value < 0) {
    let rest = BigInt.asUintN(64, BigInt(value));
    for (; rest >= 0x80n; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80);
    return Uint8Array.from([...bytes, Number(rest)]);
  }
  let rest = value;
  for (; rest >= 0x80; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 0x80);
  bytes.push(rest);
  return Uint8Array.from(bytes);
}

export function encodedTag(number: number, wireType: number): Uint8Array {
  return encodedVarint(number * 8 + wireType);
}

/** A length-delimited record. */
export function encodedRecord(number: number, payload: Uint8Array): Uint8Array {
  return concatenated([encodedTag(number, LENGTH_DELIMITED), encodedVarint(payload.length), payload]);
}

/** As deep as the decoders of C++, Java and Python go. */
export const DEEPEST = 100;
const LARGEST_TAG = 2 ** 32 - 1;
