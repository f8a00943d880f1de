/** Frames and header blocks as they stand on the wire, also wrong ones: nothing is checked. */

/** `payload`: a character for each octet. */
export function frame(type: number, flags: number, stream: number, payload: Uint8Array | string = ''): Uint8Array {
  const body = typeof payload === 'string' ? Uint8Array.from(payload, (character) => character.charCodeAt(0)) : payload;
  const bytes = new Uint8Array(9 + body.length);
  const view = new DataView(bytes.buffer);
  view.setUint16(1, body.length);
  bytes[0] = body.length >>> 16;
  bytes[3] = type;
  bytes[4] = flags;
  view.setUint32(5, stream);
  bytes.set(body, 9);
  return bytes;
}

/** Literals that nobody keeps, of fewer than 127 characters. */
export function block(...fields: readonly (readonly [name: string, value: string])[]): string {
  const text = (of: string): string => `${String.fromCharCode(of.length)}${of}`;
  return fields.map(([name, value]) => `\0${text(name)}${text(value)}`).join('');
}

export function uint32(...values: readonly number[]): string {
  return values.map((value) => String.fromCharCode(value >>> 24, (value >>> 16) & 0xff, (value >>> 8) & 0xff, value & 0xff)).join('');
}
