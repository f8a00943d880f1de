import { isObject, listAt, objectAt, textAt, plain, type Json, type JsonObject } from './json.ts';
import { listMeta, messages, type FieldType, type MessageType } from './protobuf-types.ts';

/** Protocol Buffers wire format (https://protobuf.dev/programming-guides/encoding/) and the API's envelope for it. */
export type Fields = readonly (Buffer | undefined)[];

export function message(fields: Fields): Buffer {
  return Buffer.concat(fields.filter((field) => field !== undefined));
}

/** Empty text is not written (proto3). */
export function textField(number: number, text: string): Buffer | undefined {
  return text === '' ? undefined : bytesField(number, Buffer.from(text));
}

export function bytesField(number: number, bytes: Buffer): Buffer {
  return Buffer.concat([varint((number << 3) | 2), varint(bytes.length), bytes]);
}

export function messageField(number: number, fields: Fields): Buffer {
  return bytesField(number, message(fields));
}

export function booleanField(number: number, value: boolean): Buffer | undefined {
  return value ? numberField(number, 1) : undefined;
}

/** `k8s\0` and message `runtime.Unknown` (apimachinery `pkg/runtime/generated.proto`) with the object or list inside. */
export function encodeObject(body: JsonObject): Buffer {
  const kind = textAt(body, 'kind');
  const item = kind.endsWith('List') ? kind.slice(0, -'List'.length) : undefined;
  const raw =
    item === undefined
      ? encode(body, typeOf(kind))
      : message([
          bytesField(1, encode(objectAt(body, 'metadata'), listMeta)),
          ...listAt(body, 'items').map((one) => bytesField(2, encode(one, typeOf(item)))),
        ]);
  return Buffer.concat([magic, messageField(1, [textField(1, textAt(body, 'apiVersion')), textField(2, kind)]), bytesField(2, raw)]);
}

/** Throws where it is no such object, or has fields that this server does not know. */
export function decodeObject(bytes: Buffer): JsonObject {
  if (!bytes.subarray(0, magic.length).equals(magic)) throw new Error('the body does not begin with k8s\\0');
  const parts = new Map(fieldsOf(bytes.subarray(magic.length)).map(({ number, value }) => [number, value]));
  const [typeMeta, raw] = [parts.get(1), parts.get(2)];
  if (!Buffer.isBuffer(typeMeta) || !Buffer.isBuffer(raw)) throw new Error('the envelope is not complete');
  const { apiVersion, kind } = decode(typeMeta, { message: { 1: ['apiVersion', 'string'], 2: ['kind', 'string'] } });
  return { apiVersion: apiVersion ?? '', kind: kind ?? '', ...decode(raw, typeOf(plain(kind))) };
}

function typeOf(kind: string): MessageType {
  const type = messages.get(kind);
  if (type === undefined) throw new Error(`no message for ${kind}`);
  return type;
}

function encode(value: Json, type: MessageType): Buffer {
  if (!isObject(value)) return Buffer.alloc(0);
  return message(
    Object.entries(type.message).flatMap(([number, [name, field]]) => {
      if (name === 'ephemeralContainerCommon') return [bytesField(Number(number), encode(value, field as MessageType))];
      return value[name] === undefined || value[name] === null ? [] : encodeField(Number(number), value[name], field);
    }),
  );
}

function encodeField(number: number, value: Json, type: FieldType): (Buffer | undefined)[] {
  if (typeof type === 'object') {
    if ('list' in type) return Array.isArray(value) ? value.flatMap((item) => encodeField(number, item, type.list)) : [];
    if ('map' in type) {
      return Object.entries(value as JsonObject).map(([name, item]) =>
        messageField(number, [textField(1, name), ...encodeField(2, item, type.map)]),
      );
    }
    return [bytesField(number, encode(value, type))];
  }
  switch (type) {
    case 'string':
      return [bytesField(number, Buffer.from(plain(value)))];
    case 'bytes':
      return [bytesField(number, Buffer.from(plain(value), 'base64'))];
    case 'integer':
      return [numberField(number, Number(value))];
    case 'boolean':
      return [numberField(number, value === true ? 1 : 0)];
    case 'time':
      return [messageField(number, [numberField(1, Math.floor(Date.parse(plain(value)) / 1_000)), numberField(2, 0)])];
    case 'quantity':
      return [messageField(number, [textField(1, plain(value))])];
    case 'json':
      return [messageField(number, [textField(1, JSON.stringify(value))])];
    case 'int-or-string':
      if (typeof value === 'number') return [messageField(number, [numberField(1, 0), numberField(2, value)])];
      return [messageField(number, [numberField(1, 1), textField(3, plain(value))])];
  }
}

function decode(bytes: Buffer, type: MessageType): JsonObject {
  const found: JsonObject = {};
  for (const { number, value } of fieldsOf(bytes)) {
    const known = type.message[number];
    if (known === undefined) {
      // What typed clients write of what is not set: empty messages and texts.
      if (Buffer.isBuffer(value) ? value.every((octet) => octet === 0) || isHollow(value) : value === 0n) continue;
      throw new Error(`field ${number} is not known here`);
    }
    const [name, field] = known;
    if (typeof field === 'object' && 'list' in field) {
      const list = found[name];
      (Array.isArray(list) ? list : ((found[name] = []) as Json[])).push(decodeField(value, field.list));
    } else if (typeof field === 'object' && 'map' in field) {
      const entry = new Map(fieldsOf(value as Buffer).map((part) => [part.number, part.value]));
      const into = isObject(found[name]) ? found[name] : ((found[name] = {}) as JsonObject);
      into[String(entry.get(1) ?? '')] = decodeField(entry.get(2) ?? Buffer.alloc(0), field.map);
    } else {
      const decoded = decodeField(value, field);
      // Typed clients write text and numbers that are not set as empty ones.
      if (name === 'ephemeralContainerCommon') Object.assign(found, decoded);
      else if (decoded !== '' && decoded !== null && !(isObject(decoded) && Object.keys(decoded).length === 0)) found[name] = decoded;
    }
  }
  return found;
}

/** A message in which nothing is set. */
function isHollow(bytes: Buffer): boolean {
  try {
    return fieldsOf(bytes).every(({ value }) => (Buffer.isBuffer(value) ? isHollow(value) : value === 0n));
  } catch {
    return false;
  }
}

function decodeField(value: bigint | Buffer, type: FieldType): Json {
  if (typeof type === 'object') return 'message' in type && Buffer.isBuffer(value) ? decode(value, type) : {};
  if (!Buffer.isBuffer(value)) return type === 'boolean' ? value !== 0n : Number(BigInt.asIntN(64, value));
  const inside = (): Map<number, bigint | Buffer> => new Map(fieldsOf(value).map((part) => [part.number, part.value]));
  switch (type) {
    case 'bytes':
      return value.toString('base64');
    case 'time': {
      const seconds = inside().get(1);
      return typeof seconds === 'bigint' ? new Date(Number(seconds) * 1_000).toISOString().replace('.000', '') : null;
    }
    case 'quantity':
      return String(inside().get(1) ?? '');
    case 'json':
      return JSON.parse(String(inside().get(1) ?? 'null')) as Json;
    case 'int-or-string':
      return inside().get(1) === 1n ? String(inside().get(3) ?? '') : Number(inside().get(2) ?? 0);
    default:
      return value.toString();
  }
}

function fieldsOf(bytes: Buffer): { readonly number: number; readonly value: bigint | Buffer }[] {
  const found: { number: number; value: bigint | Buffer }[] = [];
  let at = 0;
  const number = (): bigint => {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const octet = bytes[at];
      if (octet === undefined) throw new Error('the message is cut off');
      at += 1;
      value |= BigInt(octet & 0x7f) << shift;
      if (octet < 0x80) return value;
    }
    throw new Error('a number is too long');
  };
  while (at < bytes.length) {
    const tag = Number(number());
    if ((tag & 7) === 0) found.push({ number: tag >> 3, value: number() });
    else if ((tag & 7) === 2) {
      const end = Number(number()) + at;
      if (end > bytes.length) throw new Error('the message is cut off');
      found.push({ number: tag >> 3, value: bytes.subarray(at, end) });
      at = end;
    } else throw new Error(`wire type ${tag & 7} is not used by the API`);
  }
  return found;
}

function numberField(number: number, value: number): Buffer {
  return Buffer.concat([varint(number << 3), varint(value)]);
}

/** Negative numbers take ten octets, as two's complement of 64 bits. */
function varint(value: number): Buffer {
  const octets: number[] = [];
  let rest = BigInt.asUintN(64, BigInt(value));
  do {
    const low = Number(rest & 0x7fn);
    rest >>= 7n;
    octets.push(rest > 0n ? low | 0x80 : low);
  } while (rest > 0n);
  return Buffer.from(octets);
}

const magic = Buffer.from('k8s\0');
