import { TYPE, type Name } from './messages.ts';

/** A field of a packet: `uint32`, `uint64`, a text or bytes as a string with its length, or bytes as they are. */
export type Field = number | bigint | string | Uint8Array | { readonly raw: Uint8Array };

/** A packet with its length in front. `id` undefined: INIT and VERSION have none. */
export function packet(type: number, id: number | undefined, ...fields: readonly Field[]): Uint8Array {
  return headOf(type, id, fields, 0);
}

/** A packet up to the bytes of its last field, a string of `length` bytes that follows as it is. */
export function packetBefore(length: number, type: number, id: number, ...fields: readonly Field[]): Uint8Array {
  return headOf(type, id, [...fields, length], length);
}

export function statusPacket(id: number, code: number, message: string): Uint8Array {
  return packet(TYPE.status, id, code, message, '');
}

export function namePacket(id: number, names: readonly Name[]): Uint8Array {
  return packet(
    TYPE.name,
    id,
    names.length,
    ...names.flatMap(({ name, longName, attributes }): Field[] => [name, longName, { raw: attributes }]),
  );
}

function headOf(type: number, id: number | undefined, fields: readonly Field[], following: number): Uint8Array {
  const encoded = fields.map((field) => (typeof field === 'string' ? encoder.encode(field) : field));
  let length = id === undefined ? 1 : 5;
  for (const field of encoded) length += sizeOf(field);
  const bytes = new Uint8Array(4 + length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, length + following);
  bytes[4] = type;
  let at = 5;
  if (id !== undefined) {
    view.setUint32(at, id);
    at += 4;
  }
  for (const field of encoded) {
    if (typeof field === 'number') view.setUint32(at, field);
    else if (typeof field === 'bigint') view.setBigUint64(at, field);
    else if (field instanceof Uint8Array) {
      view.setUint32(at, field.length);
      bytes.set(field, at + 4);
    } else bytes.set(field.raw, at);
    at += sizeOf(field);
  }
  return bytes;
}

function sizeOf(field: Exclude<Field, string>): number {
  if (typeof field === 'number') return 4;
  if (typeof field === 'bigint') return 8;
  return field instanceof Uint8Array ? 4 + field.length : field.raw.length;
}

const encoder = new TextEncoder();
