/**
 * HTTP/2 frames (RFC 9113 section 4.1) with header blocks in which every field is written out (RFC 7541 section 6.2.2), so that any octet may stand in any of
 * them. Strings have a character for each octet.
 */

const DATA = 0x0;
const HEADERS = 0x1;
const RST_STREAM = 0x3;
const SETTINGS = 0x4;
const GOAWAY = 0x7;
const END_STREAM = 0x1;
const END_HEADERS = 0x4;

/** What a client sends first: the preface and empty settings (RFC 9113 section 3.4). */
export const preface = Buffer.concat([Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), frame(SETTINGS, 0, 0, '')]);

/** That nothing more comes: the server closes the connection once it has answered (RFC 9113 section 6.8). */
export const goaway = frame(GOAWAY, 0, 0, '\0'.repeat(8));

/** That a request is given up (RFC 9113 section 6.4). */
export function resetFrame(stream: number): Buffer {
  return frame(RST_STREAM, 0, stream, '\0\0\0\x08');
}

/** One request; without its end where `ends` is false. */
export function requestFrames(
  stream: number,
  fields: readonly string[],
  body?: string,
  trailers: readonly string[] = [],
  ends = true,
): Buffer {
  const parts = [frame(HEADERS, END_HEADERS | (body === undefined ? END_STREAM : 0), stream, headerBlock(fields))];
  if (body !== undefined) parts.push(frame(DATA, ends && trailers.length === 0 ? END_STREAM : 0, stream, body));
  if (trailers.length > 0) parts.push(frame(HEADERS, END_HEADERS | END_STREAM, stream, headerBlock(trailers)));
  return Buffer.concat(parts);
}

/** Of a HEADERS frame. */
export function headerBlock(fields: readonly string[]): string {
  let block = '';
  for (let at = 0; at < fields.length; at += 2) block += `\0${literal(fields[at]!)}${literal(fields[at + 1]!)}`;
  return block;
}

/** A string without Huffman coding (RFC 7541 section 5.2). */
function literal(text: string): string {
  if (text.length < 127) return String.fromCharCode(text.length) + text;
  let rest = text.length - 127;
  let length = '\x7f';
  for (; rest > 127; rest >>= 7) length += String.fromCharCode((rest & 127) | 128);
  return length + String.fromCharCode(rest) + text;
}

/** One of any type (RFC 9113 section 6). */
export function frame(type: number, flags: number, stream: number, payload: string): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, Buffer.from(payload, 'latin1')]);
}
