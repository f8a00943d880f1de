import { ScalarType, type DescField, type DescMessage, type Registry } from '@bufbuild/protobuf';
import { FeatureSet_FieldPresence } from '@bufbuild/protobuf/wkt';
import { Cursor, FIXED32, FIXED64, LENGTH_DELIMITED, START_GROUP, VARINT } from '../wire.ts';
import type { RandomSchema } from './random-schema.ts';

/** What a decoder made of a message, as plain data: by field number the texts, numbers (as hexadecimal bytes) and messages. */
export interface View {
  readonly type: string;
  readonly fields: Record<number, (string | View)[]>;
}

/** Decodes and encodes again what a real decoder made of it: each singular field once, nothing that it does not know. */
export type Canonical = (type: DescMessage, bytes: Uint8Array) => Uint8Array;

/** The view of a message in canonical form. What an Any holds is looked at as its type. */
export function viewOf(registry: Registry, type: DescMessage, bytes: Uint8Array, canonical: Canonical): View {
  const fields: Record<number, (string | View)[]> = {};
  const cursor = new Cursor(bytes);
  while (cursor.at < cursor.end) {
    const tag = cursor.tag();
    const number = Math.floor(tag / 8);
    const field = type.fields.find((one) => one.number === number);
    if (field === undefined) throw new Error(`${type.typeName} has no field ${number}: not canonical`);
    (fields[number] ??= []).push(...valuesOf(registry, field, cursor, tag, canonical));
  }
  const view: View = { type: type.typeName, fields };
  if (type.typeName === 'google.protobuf.Any') openAny(registry, view, canonical);
  for (const field of type.fields) sortMap(field, view);
  return view;
}

/** The same with everything masked that the schema hides; written apart from what it tests, for masks of the kind `redact` of the class `x`. */
export function maskedView(schema: RandomSchema, view: View): View {
  const type = schema.registry.getMessage(view.type)!;
  const fields: View['fields'] = {};
  for (const [number, values] of Object.entries(view.fields)) {
    const field = type.fields.find((one) => one.number === Number(number))!;
    const isHidden = schema.hidden.has(`${view.type} ${number}`);
    const masked = values.map((value) => (isHidden ? hiddenValue(field, value) : insideOf(schema, value)));
    const isImplicit = field.presence === FeatureSet_FieldPresence.IMPLICIT;
    const isNothing = masked.length === 1 && typeof masked[0] === 'string' && /^(00)*$/.test(masked[0]);
    if (isImplicit && isNothing && field.fieldKind !== 'list' && field.fieldKind !== 'map') continue;
    fields[Number(number)] = masked;
  }
  return { type: view.type, fields };
}

/** What is hidden in a value that is not hidden itself. The entry of a map has no type of its own. */
function insideOf(schema: RandomSchema, value: string | View): string | View {
  if (typeof value === 'string') return value;
  if (value.type !== '') return maskedView(schema, value);
  return {
    type: '',
    fields: Object.fromEntries(Object.entries(value.fields).map(([number, inner]) => [number, inner.map((one) => insideOf(schema, one))])),
  };
}

/** Of hidden maps the keys alone: which of the entries whose masked keys are the same is the last one cannot be told. */
export function withoutHiddenEntries(schema: RandomSchema, view: View): View {
  const fields = Object.entries(view.fields).map(([number, values]): [string, (string | View)[]] => {
    const isHidden = schema.hidden.has(`${view.type} ${number}`);
    const seen = values.map((value) => (typeof value === 'string' ? value : withoutHiddenEntries(schema, value)));
    if (!isHidden || typeof values[0] === 'string' || values[0]?.type !== '') return [number, seen];
    const keys = values.map((entry) => JSON.stringify((entry as View).fields[1] ?? null));
    return [number, [...new Set(keys)].sort()];
  });
  return { type: view.type, fields: Object.fromEntries(fields) };
}

function hiddenValue(field: DescField, value: string | View): string | View {
  if (typeof value === 'string') {
    const scalar = 'scalar' in field ? field.scalar : undefined;
    return hiddenScalar(scalar, value);
  }
  const { type, fields } = value;
  if (field.fieldKind === 'map') {
    const key = fields[1]?.map((one) => hiddenScalar(field.mapKey, one as string));
    const inner = fields[2]?.map((one) => (typeof one === 'string' ? hiddenScalar(field.scalar, one) : hiddenMessage(one)));
    return withoutZeros({ type, fields: { ...(key === undefined ? {} : { 1: key }), ...(inner === undefined ? {} : { 2: inner }) } });
  }
  return hiddenMessage(value);
}

function hiddenMessage({ type, fields }: View): View {
  if (type === 'google.protobuf.Value') {
    if (fields[1] !== undefined) return { type, fields };
    if (fields[3] !== undefined) return { type, fields: { 3: [REDACTED] } };
    return { type, fields: Object.keys(fields).length === 0 ? {} : { 1: ['00'] } };
  }
  const wrapped = /^google\.protobuf\.(String|Bytes|Int64)Value$/.exec(type)?.[1];
  if (wrapped === undefined || fields[1] === undefined) return { type, fields: {} };
  const scalar = { String: ScalarType.STRING, Bytes: ScalarType.BYTES, Int64: ScalarType.INT64 }[wrapped as 'String' | 'Bytes' | 'Int64'];
  return withoutZeros({ type, fields: { 1: [hiddenScalar(scalar, fields[1][0] as string)] } });
}

function hiddenScalar(scalar: ScalarType | undefined, value: string): string {
  if (scalar === ScalarType.STRING) return REDACTED;
  if (scalar === ScalarType.BYTES) return value.endsWith('ff') ? '' : REDACTED;
  return scalar !== undefined && wireTypeOf(scalar) !== VARINT ? '00'.repeat(value.length / 2) : '00';
}

function withoutZeros({ type, fields }: View): View {
  const kept = Object.entries(fields).filter(([, values]) => typeof values[0] !== 'string' || !/^(00)*$/.test(values[0]));
  return { type, fields: Object.fromEntries(kept) };
}

function valuesOf(registry: Registry, field: DescField, cursor: Cursor, tag: number, canonical: Canonical): (string | View)[] {
  const from = cursor.at;
  if (tag % 8 === START_GROUP) {
    const end = cursor.skipGroup(tag, 1);
    return [viewOf(registry, (field as { message: DescMessage }).message, cursor.bytes.subarray(from, end), canonical)];
  }
  if (tag % 8 !== LENGTH_DELIMITED) {
    cursor.skipValue(tag);
    return [hex(cursor.bytes.subarray(from, cursor.at))];
  }
  const length = cursor.length();
  const bytes = cursor.bytes.subarray(cursor.at, cursor.at + length);
  cursor.at += length;
  if (field.fieldKind === 'map') return [entryOf(registry, field, bytes, canonical)];
  if ('message' in field && field.message !== undefined) return [viewOf(registry, field.message, bytes, canonical)];
  const scalar = 'scalar' in field ? field.scalar : undefined;
  if (scalar === ScalarType.STRING || scalar === ScalarType.BYTES) return [hex(bytes)];
  const packed = new Cursor(bytes);
  const values: string[] = [];
  while (packed.at < packed.end) {
    const start = packed.at;
    packed.skipValue(8 + (scalar === undefined ? VARINT : wireTypeOf(scalar)));
    values.push(hex(bytes.subarray(start, packed.at)));
  }
  return values;
}

/** Keys and values that are nothing count as not sent. */
function entryOf(registry: Registry, field: DescField & { fieldKind: 'map' }, bytes: Uint8Array, canonical: Canonical): View {
  const fields: View['fields'] = {};
  const cursor = new Cursor(bytes);
  while (cursor.at < cursor.end) {
    const tag = cursor.tag();
    let from = cursor.at;
    if (tag % 8 === LENGTH_DELIMITED) {
      const length = cursor.length();
      from = cursor.at;
      cursor.at += length;
    } else cursor.skipValue(tag);
    const payload = bytes.subarray(from, cursor.at);
    const isMessage = Math.floor(tag / 8) === 2 && field.mapKind === 'message';
    fields[Math.floor(tag / 8)] = [isMessage ? viewOf(registry, field.message, payload, canonical) : hex(payload)];
  }
  return withoutZeros({
    type: '',
    fields: { ...(field.mapKind === 'message' ? { 2: [{ type: field.message.typeName, fields: {} }] } : {}), ...fields },
  });
}

function openAny(registry: Registry, view: View, canonical: Canonical): void {
  const [url] = view.fields[1] ?? [];
  const [value] = view.fields[2] ?? [];
  const name = typeof url === 'string' ? unhex(url).split('/').at(-1)! : '';
  const type = registry.getMessage(name);
  if (type === undefined) {
    delete view.fields[2];
    return;
  }
  const bytes =
    typeof value === 'string' ? Uint8Array.from(value.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16)) : new Uint8Array(0);
  view.fields[2] = [viewOf(registry, type, canonical(type, bytes), canonical)];
}

function sortMap(field: DescField, { fields }: View): void {
  if (field.fieldKind !== 'map') return;
  fields[field.number]?.sort((one, other) => (JSON.stringify(one) < JSON.stringify(other) ? -1 : 1));
}

function wireTypeOf(scalar: ScalarType): number {
  if ([ScalarType.DOUBLE, ScalarType.FIXED64, ScalarType.SFIXED64].includes(scalar)) return FIXED64;
  return [ScalarType.FLOAT, ScalarType.FIXED32, ScalarType.SFIXED32].includes(scalar) ? FIXED32 : VARINT;
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

function unhex(text: string): string {
  return String.fromCharCode(...(text.match(/../g) ?? []).map((pair) => Number.parseInt(pair, 16)));
}

const REDACTED = hex(new TextEncoder().encode('[redacted:x]'));
