import type { Socket } from 'node:net';
import { GatewayFault } from '../core/fault.ts';
import { fieldName, isFieldContent, isToken } from '../protocols/http/index.ts';
import type { HeaderField } from '../protocols/request.ts';
import { unavailable } from './http-faults.ts';
import type { Forwarded } from './http-upstream.ts';

/** A request as it goes out. */
export interface Http1Request extends Forwarded {
  readonly host: string;
  /** It asks for another protocol; its fields say which. */
  readonly upgrades: boolean;
}

/**
 * Writes a request of HTTP/1.1 with a framing of its own: head and short body at once. Undefined: all of it is written. Else by promise, when the last piece of a body that passes as it comes
 * was written; rejects where its sender went away, or sent another length than was announced. Throws `internal` for what cannot stand in a head.
 */
export function sendRequest(socket: Socket, request: Http1Request): Promise<void> | undefined {
  const { body } = request;
  const trailers = body.kind === 'whole' ? (request.trailers?.() ?? []) : [];
  const head = headOf(request, trailers.length > 0);
  if (body.kind === 'whole' && trailers.length > 0) {
    socket.cork();
    socket.write(head, 'latin1');
    writeChunk(socket, body.bytes);
    socket.write(lastChunk(trailers), 'latin1');
    socket.uncork();
    return undefined;
  }
  switch (body.kind) {
    case 'none':
      socket.write(head, 'latin1');
      return undefined;
    case 'whole':
      if (body.bytes.length <= mostJoinedBytes) {
        const joined = Buffer.allocUnsafe(head.length + body.bytes.length);
        joined.write(head, 0, 'latin1');
        joined.set(body.bytes, head.length);
        socket.write(joined);
        return undefined;
      }
      socket.cork();
      socket.write(head, 'latin1');
      socket.write(body.bytes);
      socket.uncork();
      return undefined;
    case 'streamed':
      socket.write(head, 'latin1');
      return body.octets === undefined ? sendChunks(socket, body.pieces, request.trailers) : sendOctets(socket, body.pieces, body.octets);
    default:
      return body satisfies never;
  }
}

/** `isChunked`: also a body whose length is known. */
function headOf({ method, target, host, fields, body }: Http1Request, isChunked: boolean): string {
  if (!isToken(method) || !/^[\x21-\x7e]+$/.test(target)) throw notToBeSent('the request line');
  const head = `${method} ${target} HTTP/1.1\r\nhost: ${host}\r\n${fieldLines(fields)}`;
  switch (body.kind) {
    case 'none':
      return usuallyBodiless.has(method) ? `${head}\r\n` : `${head}content-length: 0\r\n\r\n`;
    case 'whole':
      return `${head}${isChunked ? 'transfer-encoding: chunked' : `content-length: ${body.bytes.length}`}\r\n\r\n`;
    case 'streamed':
      return `${head}${body.octets === undefined ? 'transfer-encoding: chunked' : `content-length: ${body.octets}`}\r\n\r\n`;
    default:
      return body satisfies never;
  }
}

function fieldLines(fields: readonly HeaderField[]): string {
  let lines = '';
  for (const { name, value } of fields) {
    if (fieldName(name) === undefined || !isFieldContent(value)) throw notToBeSent(`field ${JSON.stringify(name)}`);
    lines += `${name}: ${value}\r\n`;
  }
  return lines;
}

async function sendChunks(socket: Socket, pieces: AsyncIterable<Uint8Array>, trailers: Forwarded['trailers']): Promise<void> {
  await eachPiece(socket, pieces, (piece) => {
    socket.cork();
    writeChunk(socket, piece);
    socket.uncork();
  });
  if (!socket.destroyed) socket.write(lastChunk(trailers?.() ?? []), 'latin1');
}

/** An empty one would be the last. */
function writeChunk(socket: Socket, piece: Uint8Array): void {
  if (piece.length === 0) return;
  socket.write(`${piece.length.toString(16)}\r\n`, 'latin1');
  socket.write(piece);
  socket.write('\r\n', 'latin1');
}

function lastChunk(trailers: readonly HeaderField[]): string {
  return `0\r\n${fieldLines(trailers)}\r\n`;
}

/** The length was announced: what is more would be taken for the next request, what is less for a part of it. */
async function sendOctets(socket: Socket, pieces: AsyncIterable<Uint8Array>, octets: number): Promise<void> {
  let left = octets;
  await eachPiece(socket, pieces, (piece) => {
    left -= piece.length;
    if (left < 0) throw brokenOff('it is longer than was announced');
    socket.write(piece);
  });
  if (left > 0 && !socket.destroyed) throw brokenOff('it is shorter than was announced');
}

/** Waits wherever there is no room. */
async function eachPiece(socket: Socket, pieces: AsyncIterable<Uint8Array>, send: (piece: Uint8Array) => void): Promise<void> {
  try {
    for await (const piece of pieces) {
      if (socket.destroyed) return;
      send(piece);
      if (socket.writableNeedDrain) await room(socket);
    }
  } catch (error) {
    throw error instanceof GatewayFault ? error : brokenOff(String(error));
  }
}

function room(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      socket.off('drain', done).off('close', done);
      resolve();
    };
    socket.on('drain', done).on('close', done);
  });
}

/** The target sees that the body is not whole. */
function brokenOff(detail: string): GatewayFault {
  return unavailable('the client went away in the middle of the body', detail);
}

function notToBeSent(what: string): GatewayFault {
  return new GatewayFault('internal', { publicMessage: 'internal gateway error', detail: `${what} cannot stand in a head` });
}

/** Left out, no body is meant. */
const usuallyBodiless: ReadonlySet<string> = new Set(['GET', 'HEAD', 'DELETE', 'OPTIONS']);
/** Longer ones are not copied. */
const mostJoinedBytes = 64 * 1024;
