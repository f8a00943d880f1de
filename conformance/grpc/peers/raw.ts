import { createSecureServer, type ServerHttp2Stream } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { connect, type TLSSocket } from 'node:tls';
import type { RunningServer } from './server.ts';

/** A target that answers calls in whatever way no library would. */
export async function startRawTarget(
  certificate: { readonly cert: string; readonly key: string },
  answer: (stream: ServerHttp2Stream, method: string) => void,
): Promise<RunningServer> {
  const server = createSecureServer({ ...certificate });
  const sessions = new Set<{ destroy(): void }>();
  server.on('session', (session) => {
    sessions.add(session);
    session.on('error', () => {});
    session.on('close', () => sessions.delete(session));
  });
  server.on('stream', (stream, headers) => {
    stream.on('error', () => {});
    answer(stream, String(headers[':path']).replace(/^.*\//, ''));
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    close() {
      for (const session of sessions) session.destroy();
      server.close();
    },
  };
}

/** The head of an answer of gRPC. */
export const answerHead = (more: Readonly<Record<string, string>> = {}): Record<string, string | number> => ({
  ':status': 200,
  'content-type': 'application/grpc+proto',
  ...more,
});

/** A message with its prefix (gRPC over HTTP/2, "Length-Prefixed-Message"). `announced`: a length that is not the message's own. */
export function prefixed(message: Uint8Array, flags = 0, announced = message.length): Buffer {
  const head = Buffer.alloc(5);
  head[0] = flags;
  head.writeUInt32BE(announced, 1);
  return Buffer.concat([head, message]);
}

/** A connection on which the frames of HTTP/2 (RFC 9113 section 4.1) are written by hand. Preface and settings are sent. */
export async function rawConnection(port: number, servername: string, ca: string): Promise<TLSSocket> {
  const socket = connect({ host: '127.0.0.1', port, servername, ca, ALPNProtocols: ['h2'] });
  socket.on('error', () => {});
  await new Promise<void>((resolve, reject) => {
    socket.once('secureConnect', resolve).once('error', reject);
  });
  socket.resume();
  socket.write('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
  socket.write(frame(SETTINGS, 0, 0, Buffer.alloc(0)));
  return socket;
}

export function frame(type: number, flags: number, stream: number, payload: Uint8Array): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

/** A header field as it is in no table (RFC 7541 section 6.2.2). */
export function literal(name: string, value: string): Buffer {
  return Buffer.concat([Buffer.from([0, ...length(name)]), Buffer.from(name), Buffer.from(length(value)), Buffer.from(value)]);
}

/** A length with seven bits of prefix (RFC 7541 section 5.1), the text not in Huffman's code. */
function length(text: string): number[] {
  if (text.length < 127) return [text.length];
  const octets = [127];
  let left = text.length - 127;
  for (; left >= 128; left >>>= 7) octets.push((left & 0x7f) | 0x80);
  return [...octets, left];
}

export const HEADERS = 1;
export const RST_STREAM = 3;
export const SETTINGS = 4;
/** A flag of HEADERS. */
export const END_HEADERS = 4;
export const CONTINUATION = 9;
