/** RFC 4648 section 4, as Go's `encoding/base64` reads it: with padding, line breaks anywhere. Undefined for anything else. */
export function fromBase64(text: string): Uint8Array | undefined {
  const plain = text.replaceAll(/[\r\n]/g, '');
  if (plain.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(plain)) return undefined;
  const padding = plain.endsWith('==') ? 2 : plain.endsWith('=') ? 1 : 0;
  const bytes = new Uint8Array((plain.length / 4) * 3 - padding);
  for (let at = 0, to = 0; at < plain.length; at += 4) {
    let bits = 0;
    for (let index = 0; index < 4; index += 1) bits = (bits << 6) | Math.max(ALPHABET.indexOf(plain[at + index]!), 0);
    for (let shift = 16; shift >= 0 && to < bytes.length; shift -= 8) bytes[to++] = (bits >> shift) & 0xff;
  }
  return bytes;
}

export function toBase64(bytes: Uint8Array): string {
  let text = '';
  for (let at = 0; at < bytes.length; at += 3) {
    const bits = (bytes[at]! << 16) | ((bytes[at + 1] ?? 0) << 8) | (bytes[at + 2] ?? 0);
    const given = Math.min(bytes.length - at, 3) + 1;
    for (let index = 0; index < 4; index += 1) text += index < given ? ALPHABET[(bits >> (18 - 6 * index)) & 0x3f]! : '=';
  }
  return text;
}

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
