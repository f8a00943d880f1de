import { constants, type IncomingHttpHeaders } from 'node:http2';
import { GatewayFault } from '../core/fault.ts';
import { isGenuine, type Grant } from '../core/grant.ts';
import { unavailable } from './http-faults.ts';
import { sendPieces } from './http-pieces.ts';
import type { Forwarded } from './http-upstream.ts';
import type { Upstream, UpstreamAnswer } from './http-upstream-answer.ts';
import { Http2Answer } from './http2-answer.ts';
import { openHttp2, type Http2Connection } from './http2-session.ts';
import type { UpstreamAddress } from './upstream.ts';

/**
 * The connections to one target that speaks HTTP/2: as many streams on each as the target takes, and another connection when all are full. What
 * the target refuses before it looks at it (REFUSED_STREAM; a stream above the last one of a GOAWAY) is sent once more on another connection, where all of it is there.
 */
export class Http2Upstream implements Upstream {
  readonly #address: UpstreamAddress;
  readonly #shortAnswerMs: number;
  #connections: Http2Connection[] = [];
  #opening: Promise<Http2Connection> | undefined;
  #isClosed = false;

  /** `shortAnswerMs`: how long the head of a short answer waits for the rest, which servers send along with it, or a turn later. */
  constructor(address: UpstreamAddress, shortAnswerMs = 10) {
    this.#address = address;
    this.#shortAnswerMs = shortAnswerMs;
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
    const waitMs = forwarded.hasShortAnswer === true ? this.#shortAnswerMs : 0;
    return await exchange(connection, headersOf(forwarded, this.#address), forwarded.body, waitMs, signal);
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

/**
 * One stream: the request goes out while the answer comes in. Resolves with the head of the answer and all that came with it: at once where the answer has no end in sight, else when all of it is
 * there or does not come on.
 */
function exchange(
  connection: Http2Connection,
  headers: readonly string[],
  body: Forwarded['body'],
  waitMs: number,
  signal: AbortSignal,
): Promise<UpstreamAnswer | 'refused'> {
  return new Promise((resolve, reject) => {
    const stream = connection.request(headers);
    let waiting: NodeJS.Timeout | undefined;
    let hasBegun = false;
    const answer = new Http2Answer(stream, () => {
      clearTimeout(waiting);
      if (signal.aborted) reject(signal.reason as Error);
      else if (hasBegun) resolve(answer);
    });
    const abort = (): void => stream.close(constants.NGHTTP2_CANCEL);
    signal.addEventListener('abort', abort, { once: true });
    stream.on('close', () => {
      connection.released();
      signal.removeEventListener('abort', abort);
      if (signal.aborted) reject(signal.reason as Error);
      answer.closes();
      // Nothing of an answer came, and no error said why.
      if (!hasBegun) reject(unavailable('it closed the call', `stream closed with ${stream.rstCode}`));
    });
    // Whoever reads the body is told by it; until there is one, the promise tells.
    stream.on('error', (error: Error) => {
      if (hasBegun) return;
      if (signal.aborted) reject(signal.reason as Error);
      else if (stream.rstCode === constants.NGHTTP2_REFUSED_STREAM && body.kind !== 'streamed') resolve('refused');
      else reject(unavailable('connection refused, reset or timed out', error.message, error));
    });
    stream.on('trailers', (_headers: IncomingHttpHeaders, _flags: number, raw: readonly string[]) => answer.ends(raw));
    stream.on('response', (_headers: IncomingHttpHeaders, _flags: number, raw: readonly string[]) => {
      hasBegun = true;
      answer.begins(raw);
      if (waitMs > 0) waiting = setTimeout(resolve, waitMs, answer);
      else resolve(answer);
    });
    if (body.kind === 'streamed') void sendPieces(stream, body.pieces, () => stream.close(constants.NGHTTP2_CANCEL));
    else if (body.kind === 'whole') stream.end(body.bytes);
    else stream.end();
  });
}

/** RFC 9113 section 8.3.1: names and values in turn. Fields of one name stay in their order. */
function headersOf({ method, target, fields }: Forwarded, { host, port, tls }: UpstreamAddress): readonly string[] {
  const name = host.includes(':') ? `[${host}]` : host;
  const [scheme, ownPort] = tls === undefined ? ['http', 80] : ['https', 443];
  const headers = [':method', method, ':scheme', scheme, ':authority', port === ownPort ? name : `${name}:${port}`, ':path', target];
  for (const field of fields) headers.push(field.name, field.value);
  return headers;
}

const mostConnections = 16;
/** Of getting a stream where others take those of a new connection first. */
const mostTries = 4;
