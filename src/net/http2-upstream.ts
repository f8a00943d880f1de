import { constants, type ClientHttp2Stream, type IncomingHttpHeaders, type OutgoingHttpHeaders } from 'node:http2';
import { Readable } from 'node:stream';
import { GatewayFault } from '../core/fault.ts';
import { isGenuine, type Grant } from '../core/grant.ts';
import { fieldsOf } from '../protocols/http/index.ts';
import type { HeaderField } from '../protocols/request.ts';
import { unavailable } from './http-faults.ts';
import { sendPieces } from './http-pieces.ts';
import type { Forwarded } from './http-upstream.ts';
import type { Upstream, UpstreamAnswer } from './http-upstream-answer.ts';
import { openHttp2, type Http2Connection } from './http2-session.ts';
import type { UpstreamAddress } from './upstream.ts';

/**
 * The connections to one target that speaks HTTP/2: as many streams on each as the target takes, and another connection when all are full. What
 * the target refuses before it looks at it (REFUSED_STREAM; a stream above the last one of a GOAWAY) is sent once more on another connection, where all of it is there.
 */
export class Http2Upstream implements Upstream {
  readonly #address: UpstreamAddress;
  #connections: Http2Connection[] = [];
  #opening: Promise<Http2Connection> | undefined;
  #isClosed = false;

  constructor(address: UpstreamAddress) {
    this.#address = address;
  }

  async send(forwarded: Forwarded, grant: Grant, sessionId: string, signal: AbortSignal): Promise<UpstreamAnswer> {
    const first = await this.#try(forwarded, grant, sessionId, signal);
    if (first !== 'refused') return first;
    const second = await this.#try(forwarded, grant, sessionId, signal);
    if (second === 'refused') throw unavailable('it refused the call twice', 'REFUSED_STREAM');
    return second;
  }

  close(): void {
    this.#isClosed = true;
    for (const connection of this.#connections) connection.drain();
  }

  async #try(forwarded: Forwarded, grant: Grant, sessionId: string, signal: AbortSignal): Promise<UpstreamAnswer | 'refused'> {
    const connection = this.#free() ?? (await this.#connect());
    // After the last wait: what was revoked meanwhile does not go.
    if (!isGenuine(grant, sessionId)) {
      throw new GatewayFault('internal', { publicMessage: 'internal gateway error', detail: 'forward without a genuine grant' });
    }
    signal.throwIfAborted();
    return await exchange(connection.request(headersOf(forwarded, this.#address)), forwarded, signal);
  }

  #free(): Http2Connection | undefined {
    return this.#connections.find(({ hasRoom }) => hasRoom);
  }

  /** One at a time: those who wait share it, as far as it has room. */
  async #connect(): Promise<Http2Connection> {
    for (let tries = 0; tries < mostTries; tries += 1) {
      this.#connections = this.#connections.filter(({ isOpen }) => isOpen);
      if (this.#isClosed) throw unavailable('the gateway closes its connections', 'closed');
      if (this.#connections.length >= mostConnections) break;
      this.#opening ??= openHttp2(this.#address).finally(() => {
        this.#opening = undefined;
      });
      const opened = await this.#opening;
      if (!this.#connections.includes(opened)) this.#connections.push(opened);
      if (this.#isClosed) opened.drain();
      const free = this.#free();
      if (free !== undefined) return free;
    }
    throw unavailable('too many calls run there', 'no stream is free');
  }
}

/** One stream: the request goes out while the answer comes in. Resolves with the head of the answer. */
function exchange(stream: ClientHttp2Stream, forwarded: Forwarded, signal: AbortSignal): Promise<UpstreamAnswer | 'refused'> {
  return new Promise((resolve, reject) => {
    let trailers: readonly string[] = [];
    const abort = (): void => stream.close(constants.NGHTTP2_CANCEL);
    signal.addEventListener('abort', abort, { once: true });
    stream.once('close', () => {
      signal.removeEventListener('abort', abort);
      // Nothing of an answer came, and no error said why.
      reject(signal.aborted ? (signal.reason as Error) : unavailable('it closed the call', `stream closed with ${stream.rstCode}`));
    });
    // Whoever reads the body is told by it; until there is one, the promise tells.
    stream.on('error', (error: Error) => {
      if (signal.aborted) reject(signal.reason as Error);
      else if (stream.rstCode === constants.NGHTTP2_REFUSED_STREAM && forwarded.body.kind !== 'streamed') resolve('refused');
      else reject(unavailable('connection refused, reset or timed out', error.message, error));
    });
    stream.once('trailers', (_headers: IncomingHttpHeaders, _flags: number, raw: readonly string[]) => {
      trailers = raw;
    });
    stream.once('response', (_headers: IncomingHttpHeaders, _flags: number, raw: readonly string[]) => {
      const fields = fieldsOf(raw);
      const body = kept(stream);
      resolve({
        status: Number(fields.find(({ name }) => name === ':status')?.value ?? 0),
        fields: fields.filter(({ name }) => !name.startsWith(':')),
        whole: undefined,
        body,
        discard: () => void body.destroy(),
        trailers() {
          if (trailers.length === 0 && stream.rstCode !== undefined && stream.rstCode !== constants.NGHTTP2_NO_ERROR) {
            throw unavailable('it broke off its answer', `stream closed with ${stream.rstCode}`);
          }
          return fieldsOf(trailers);
        },
      });
    });
    const { body } = forwarded;
    if (body.kind === 'streamed') void sendPieces(stream, body.pieces, () => stream.close(constants.NGHTTP2_CANCEL));
    else if (body.kind === 'whole') stream.end(body.bytes);
    else stream.end();
  });
}

/**
 * The body of a stream. Node throws away what nobody has begun to read when a stream closes, and an answer may have to wait for its record: so it is read
 * at once, as far as there is room, and kept.
 */
function kept(stream: ClientHttp2Stream): Readable {
  let hasEnded = false;
  const body = new Readable({
    read: () => void stream.resume(),
    destroy(error, done) {
      if (!hasEnded) stream.close(constants.NGHTTP2_CANCEL);
      done(error);
    },
  });
  // Whoever reads it is told; an error while nobody does must not end the process.
  body.on('error', () => {});
  stream.on('data', (chunk: Buffer) => {
    if (!body.push(chunk)) stream.pause();
  });
  stream.once('end', () => {
    hasEnded = true;
    body.push(null);
  });
  stream.once('close', () => {
    if (!hasEnded) body.destroy(unavailable('it broke off its answer', `stream closed with ${stream.rstCode}`));
  });
  return body;
}

/** RFC 9113 section 8.3.1. Fields of one name stay in their order. */
function headersOf({ method, target, fields }: Forwarded, { host, port, tls }: UpstreamAddress): OutgoingHttpHeaders {
  const name = host.includes(':') ? `[${host}]` : host;
  const scheme = tls === undefined ? 'http' : 'https';
  const headers: Record<string, string | string[]> = Object.assign(Object.create(null) as object, {
    ':method': method,
    ':scheme': scheme,
    ':authority': port === (tls === undefined ? 80 : 443) ? name : `${name}:${port}`,
    ':path': target,
  });
  for (const field of fields) add(headers, field);
  return headers;
}

function add(headers: Record<string, string | string[]>, { name, value }: HeaderField): void {
  const before = headers[name];
  if (before === undefined) headers[name] = value;
  else if (typeof before === 'string') headers[name] = [before, value];
  else before.push(value);
}

const mostConnections = 16;
/** Of getting a stream where others take those of a new connection first. */
const mostTries = 4;
