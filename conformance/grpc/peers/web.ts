import type { ClientHttp2Stream } from 'node:http2';

/** What a client of gRPC-Web has of an answer (PROTOCOL-WEB.md). */
export interface WebAnswer {
  readonly status: number;
  readonly contentType: string;
  readonly messages: readonly Buffer[];
  /** From the last frame, or from the head where that is all there is. */
  readonly trailers: ReadonlyMap<string, string>;
}

/** A client of gRPC-Web as browsers have it: one `fetch`. */
export async function callWeb(url: string, message: Buffer, type: string, headers: Readonly<Record<string, string>>): Promise<WebAnswer> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': type, 'x-grpc-web': '1', ...headers },
    body: new Uint8Array(encoded(message, type)),
  });
  return answerOf(response.status, Object.fromEntries(response.headers), Buffer.from(await response.arrayBuffer()), type);
}

/** The same on a stream of HTTP/2. */
export async function readWeb(
  stream: ClientHttp2Stream,
  message: Buffer,
  type: string,
  headers: Promise<Readonly<Record<string, unknown>>>,
): Promise<WebAnswer> {
  stream.end(encoded(message, type));
  const pieces: Buffer[] = [];
  for await (const piece of stream as AsyncIterable<Buffer>) pieces.push(piece);
  const seen = await headers;
  return answerOf(Number(seen[':status']), seen, Buffer.concat(pieces), type);
}

function encoded(message: Buffer, type: string): Buffer {
  const frame = Buffer.concat([Buffer.from([0, 0, 0, 0, 0]), message]);
  frame.writeUInt32BE(message.length, 1);
  return type.includes('-text') ? Buffer.from(frame.toString('base64')) : frame;
}

function answerOf(status: number, headers: Readonly<Record<string, unknown>>, body: Buffer, type: string): WebAnswer {
  const bytes = type.includes('-text') ? decoded(body.toString('latin1')) : body;
  const messages: Buffer[] = [];
  const trailers = new Map<string, string>();
  for (let at = 0; at < bytes.length;) {
    const end = at + 5 + bytes.readUInt32BE(at + 1);
    const frame = bytes.subarray(at + 5, end);
    if ((bytes[at]! & 0x80) === 0) messages.push(frame);
    else for (const [, name, value] of frame.toString().matchAll(/([^:]+):(.*)\r\n/g)) trailers.set(name!, value!);
    at = end;
  }
  if (bytes.length === 0)
    for (const [name, value] of Object.entries(headers)) if (name.startsWith('grpc-')) trailers.set(name, String(value));
  return { status, contentType: String(headers['content-type']), messages, trailers };
}

/** Groups of four, padded wherever a piece of the sender's ended. */
function decoded(text: string): Buffer {
  return Buffer.concat((text.match(/.{4}/g) ?? []).map((group) => Buffer.from(group, 'base64')));
}
