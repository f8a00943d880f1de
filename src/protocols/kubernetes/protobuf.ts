import { toBase64 } from '../base64.ts';
import { anyObject, otherKinds, podKinds, type FieldType, type MessageType } from './protobuf-types.ts';

/** An object that was sent as protobuf, as far as it is read here: in JSON. */
export interface ReadObject {
  readonly value: Readonly<Record<string, unknown>>;
  /** It describes pods, and none was found in it. */
  readonly hidesPods: boolean;
}

/**
 * Reads an object in the API's protobuf envelope (`k8s\0` and `runtime.Unknown`, apimachinery `pkg/runtime/generated.proto`), of which kubectl's typed commands
 * make use (`create secret`, `create token`, `auth can-i`). Undefined for what is none, for an encoding inside of it, and where a field stands twice that may
 * stand once, as readers differ in what that means. Fields that are not known here are passed over.
 */
export function readProtobuf(bytes: Uint8Array): ReadObject | undefined {
  if (MAGIC.some((octet, index) => bytes[index] !== octet)) return undefined;
  try {
    const parts = new Map<number, bigint | Uint8Array>();
    for (const { number: field, value } of fieldsOf(bytes.subarray(MAGIC.length))) {
      if (parts.has(field)) return undefined;
      parts.set(field, value);
    }
    const [typeMeta, raw, coding] = [parts.get(1), parts.get(2), parts.get(3)];
    if (typeMeta === undefined || raw === undefined || (coding !== undefined && octets(coding).length > 0)) return undefined;
    const { apiVersion = '', kind = '' } = decode(octets(typeMeta), TYPE_META, 0) as { apiVersion?: string; kind?: string };
    const pods = podKinds.get(kind);
    const value = { apiVersion, kind, ...decode(octets(raw), pods ?? otherKinds.get(kind) ?? anyObject, 0) };
    return { value, hidesPods: pods !== undefined && !JSON.stringify(value).includes('"containers":[') };
  } catch (error) {
    if (error instanceof Malformed) return undefined;
    throw error;
  }
}

class Malformed extends Error {}

type Read = Record<string, unknown>;

function decode(bytes: Uint8Array, { message }: MessageType, depth: number): Read {
  if (depth > DEEPEST) throw new Malformed();
  const found = new Map<string, unknown>();
  const seen = new Set<number>();
  for (const { number, value } of fieldsOf(bytes)) {
    const known = message[number];
    if (known === undefined) continue;
    const [name, type] = known;
    if (typeof type === 'object' && 'list' in type) {
      const list = (found.get(name) as unknown[] | undefined) ?? [];
      list.push(valueOf(value, type.list, depth));
      found.set(name, list);
    } else if (typeof type === 'object' && 'map' in type) {
      const entries = (found.get(name) as [string, unknown][] | undefined) ?? [];
      const entry = decode(octets(value), { message: { 1: ['key', 'string'], 2: ['value', type.map] } }, depth + 1);
      entries.push([(entry['key'] as string | undefined) ?? '', entry['value'] ?? '']);
      found.set(name, entries);
    } else {
      if (seen.has(number)) throw new Malformed();
      seen.add(number);
      const read = valueOf(value, type, depth);
      // Typed clients write texts that are not set as empty ones.
      if (read === '') continue;
      if (name !== '') found.set(name, read);
      else for (const [inner, one] of Object.entries(read as Read)) found.set(inner, one);
    }
  }
  return Object.fromEntries(
    [...found].map(([name, value]) => [name, isMap(message, name) ? Object.fromEntries(value as [string, unknown][]) : value]),
  );
}

function isMap(message: MessageType['message'], name: string): boolean {
  return Object.values(message).some(([known, type]) => known === name && typeof type === 'object' && 'map' in type);
}

function valueOf(value: bigint | Uint8Array, type: FieldType, depth: number): unknown {
  switch (type) {
    case 'string':
      return text(octets(value));
    case 'bytes':
      return toBase64(octets(value));
    case 'boolean':
      return number(value) !== 0n;
    case 'integer':
      return Number(BigInt.asIntN(64, number(value)));
    default:
      if ('message' in type) return decode(octets(value), type, depth + 1);
      throw new Malformed();
  }
}

function octets(value: bigint | Uint8Array): Uint8Array {
  if (typeof value === 'bigint') throw new Malformed();
  return value;
}

function number(value: bigint | Uint8Array): bigint {
  if (typeof value !== 'bigint') throw new Malformed();
  return value;
}

function text(bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes);
  } catch {
    throw new Malformed();
  }
}

/** The wire format (https://protobuf.dev/programming-guides/encoding/). Groups, which proto2 had, are used by no message of the API. */
function* fieldsOf(bytes: Uint8Array): Generator<{ readonly number: number; readonly value: bigint | Uint8Array }> {
  let at = 0;
  const varint = (): bigint => {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const octet = bytes[at];
      if (octet === undefined) throw new Malformed();
      at += 1;
      value |= BigInt(octet & 0x7f) << shift;
      if (octet < 0x80) return BigInt.asUintN(64, value);
    }
    throw new Malformed();
  };
  while (at < bytes.length) {
    const tag = varint();
    if (tag >> 3n === 0n || tag > 0xffff_ffffn) throw new Malformed();
    const field = Number(tag >> 3n);
    const kind = Number(tag & 7n);
    if (kind === 0) {
      yield { number: field, value: varint() };
      continue;
    }
    const length = kind === 2 ? varint() : kind === 1 ? 8n : kind === 5 ? 4n : undefined;
    if (length === undefined || length > BigInt(bytes.length - at)) throw new Malformed();
    const end = at + Number(length);
    yield { number: field, value: bytes.subarray(at, end) };
    at = end;
  }
}

const TYPE_META: MessageType = { message: { 1: ['apiVersion', 'string'], 2: ['kind', 'string'] } };
const MAGIC = [0x6b, 0x38, 0x73, 0x00];
const DEEPEST = 32;
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
