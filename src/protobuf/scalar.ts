import { Cursor, FIXED32, FIXED64, LENGTH_DELIMITED, START_GROUP, VARINT, varintAt } from './wire.ts';

/** Types of fields (descriptor.proto, `FieldDescriptorProto.Type`). `message`: groups too. */
export type FieldKind = NumberKind | 'string' | 'bytes' | 'message';
export type NumberKind =
  | 'double'
  | 'float'
  | 'int64'
  | 'uint64'
  | 'int32'
  | 'fixed64'
  | 'fixed32'
  | 'bool'
  | 'uint32'
  | 'enum'
  | 'sfixed32'
  | 'sfixed64'
  | 'sint32'
  | 'sint64';

/** Whether decoders take a record of this wire type for this field. Any other is an unknown field to most, and misread by some. */
export function isWiredAs({ kind, isRepeated, isGroup }: WiredField, wireType: number): boolean {
  if (kind === 'string' || kind === 'bytes') return wireType === LENGTH_DELIMITED;
  if (kind === 'message') return wireType === (isGroup ? START_GROUP : LENGTH_DELIMITED);
  return wireType === wireTypeOf(kind) || (isRepeated && wireType === LENGTH_DELIMITED);
}

interface WiredField {
  readonly kind: FieldKind;
  readonly isRepeated: boolean;
  readonly isGroup: boolean;
}

export function wireTypeOf(kind: NumberKind): typeof VARINT | typeof FIXED64 | typeof FIXED32 {
  switch (kind) {
    case 'double':
    case 'fixed64':
    case 'sfixed64':
      return FIXED64;
    case 'float':
    case 'fixed32':
    case 'sfixed32':
      return FIXED32;
    case 'int64':
    case 'uint64':
    case 'int32':
    case 'bool':
    case 'uint32':
    case 'enum':
    case 'sint32':
    case 'sint64':
      return VARINT;
    default:
      return kind satisfies never;
  }
}

/** The number at `start`, whose last byte is before `end`, as a decoder reads it. */
export function numberAt(kind: NumberKind, bytes: Uint8Array, start: number, end: number): number | bigint | boolean {
  switch (kind) {
    case 'double':
      return viewOf(bytes).getFloat64(start, true);
    case 'float':
      return viewOf(bytes).getFloat32(start, true);
    case 'fixed32':
      return viewOf(bytes).getUint32(start, true);
    case 'sfixed32':
      return viewOf(bytes).getInt32(start, true);
    case 'fixed64':
      return viewOf(bytes).getBigUint64(start, true);
    case 'sfixed64':
      return viewOf(bytes).getBigInt64(start, true);
    case 'bool':
      return varintAt(bytes, start, end) !== 0n;
    case 'int32':
    case 'enum':
      return BigInt.asIntN(32, varintAt(bytes, start, end));
    case 'uint32':
      return BigInt.asUintN(32, varintAt(bytes, start, end));
    case 'int64':
      return BigInt.asIntN(64, varintAt(bytes, start, end));
    case 'uint64':
      return varintAt(bytes, start, end);
    case 'sint32':
      return unfolded(BigInt.asUintN(32, varintAt(bytes, start, end)));
    case 'sint64':
      return unfolded(varintAt(bytes, start, end));
    default:
      return kind satisfies never;
  }
}

/** Calls back with where each value of a packed field begins and ends. Throws `MalformedMessage`. */
export function eachPacked(
  kind: NumberKind,
  bytes: Uint8Array,
  start: number,
  end: number,
  take: (start: number, end: number) => void,
): void {
  const cursor = new Cursor(bytes, start, end);
  const tag = 8 + wireTypeOf(kind);
  while (cursor.at < end) {
    const from = cursor.at;
    cursor.skipValue(tag);
    take(from, cursor.at);
  }
}

/** ZigZag. */
function unfolded(value: bigint): bigint {
  return (value & 1n) === 0n ? value >> 1n : -(value >> 1n) - 1n;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
