import type { IncomingMessage, ServerResponse } from 'node:http';
import { constants, type Http2ServerRequest, type Http2ServerResponse } from 'node:http2';
import type { RawHead } from '../protocols/http/index.ts';
import type { HeaderField } from '../protocols/request.ts';
import type { TunnelEnd } from './http-tunnel.ts';
import type { UpgradingSocket } from './http-upgrading.ts';

/** One request of a client and the way to answer it, the same for HTTP/1.1 and HTTP/2. */
export class ClientExchange {
  readonly head: RawHead;
  readonly peer: string;
  readonly request: IncomingMessage | Http2ServerRequest;
  readonly #response: ServerResponse | Http2ServerResponse;
  readonly #upgrade: UpgradingSocket | undefined;
  #closes: boolean;
  readonly #answered: Promise<void>;
  #isClosed = false;
  #onEveryAnswer: readonly HeaderField[] = [];
  #hasSwitched = false;

  constructor(request: IncomingMessage, response: ServerResponse, upgrade?: UpgradingSocket);
  constructor(request: Http2ServerRequest, response: Http2ServerResponse);
  constructor(request: IncomingMessage | Http2ServerRequest, response: ServerResponse | Http2ServerResponse, upgrade?: UpgradingSocket) {
    this.#upgrade = upgrade;
    // Nothing reads requests from it any more.
    this.#closes = upgrade !== undefined;
    this.request = request;
    this.#response = response;
    const { remoteAddress = 'unknown', remotePort = 0 } = request.socket;
    this.peer = `${remoteAddress}:${remotePort}`;
    this.head = { version: request.httpVersion, method: request.method ?? '', target: request.url ?? '', rawHeaders: request.rawHeaders };
    // Whoever waits for something hears of it by `onGone`; an error nobody listens to would end the process.
    request.on('error', () => {});
    response.on('error', () => {});
    // A response of HTTP/2 does not say that its stream is over.
    this.#answered = new Promise((resolve) => {
      response.once('close', () => {
        this.#isClosed = true;
        resolve();
      });
    });
  }

  get scheme(): 'https' | 'http' {
    return 'encrypted' in this.request.socket ? 'https' : 'http';
  }

  get isHttp2(): boolean {
    return 'stream' in this.#response;
  }

  get headSent(): boolean {
    return this.#hasSwitched || this.#response.headersSent;
  }

  /** All of its request has come. */
  get isWhole(): boolean {
    return this.#upgrade !== undefined || this.request.readableEnded || this.request.complete;
  }

  /** What stands behind the body of its request, names and values in turn; known when all of it has been read. */
  get trailers(): readonly string[] {
    return this.request.rawTrailers;
  }

  /** This was the last request on its connection. */
  get closes(): boolean {
    return this.#closes;
  }

  get isGone(): boolean {
    return this.#isClosed || this.#response.writableEnded;
  }

  /** Stands in the head of its answer, whatever that is. */
  answersWith(fields: readonly HeaderField[]): void {
    this.#onEveryAnswer = fields;
  }

  /** Resolves when its answer is out, or nobody waits for it any more. */
  get answered(): Promise<void> {
    return this.#answered;
  }

  /** Calls back once if the client goes away before it has the whole answer. */
  onGone(gone: () => void): void {
    this.#response.once('close', () => {
      if (!this.#response.writableFinished) gone();
    });
  }

  /** 100 (Continue): the body may come. */
  continue(): void {
    this.#response.writeContinue();
  }

  /**
   * The answer takes time: 102 (Processing), RFC 2518 section 10.1, over HTTP/2 alone. No informational answer of HTTP/1.1 is one that every client steps over: Python's
   * http.client takes all but 100 for the answer, and Node's fetch (undici) breaks the connection at a 100 that it did not ask for.
   */
  waiting(): void {
    if (this.headSent || this.isGone || !('stream' in this.#response)) return;
    this.#response.stream.additionalHeaders({ ':status': constants.HTTP_STATUS_PROCESSING });
  }

  sendHead(status: number, fields: readonly HeaderField[]): void {
    this.#writeHead(status, fields);
    // A short body goes out with its head; one that may take its time must not keep the head back.
    if (!('stream' in this.#response) && !(Number(lengthIn(fields)) <= shortBodyBytes)) this.#response.flushHeaders();
  }

  /** An answer that is there as a whole. Without a body where the method or the status has none. */
  async answer(status: number, fields: readonly HeaderField[], body: Uint8Array): Promise<void> {
    const isBodiless = this.head.method === 'HEAD' || status === 204 || status === 304;
    const isFramed = isBodiless || lengthIn(fields) !== undefined;
    this.#writeHead(status, isFramed ? fields : [...fields, { name: 'content-length', value: String(body.length) }]);
    // What may take its time is waited for.
    if (!isBodiless && body.length > shortBodyBytes) await this.write(body);
    else if (!isBodiless && body.length > 0) (this.#response as ServerResponse).write(body);
    this.#response.end();
  }

  /** An answer of messages that is there as a whole, and small. */
  answerWithTrailers(
    status: number,
    fields: readonly HeaderField[],
    pieces: readonly Uint8Array[],
    trailers: readonly HeaderField[],
  ): void {
    this.sendHead(status, fields);
    for (const piece of pieces) (this.#response as ServerResponse).write(piece);
    this.end(trailers);
  }

  #writeHead(status: number, fields: readonly HeaderField[]): void {
    if ('stream' in this.#response) {
      this.#setHead(status, fields);
      this.#response.writeHead(status);
      return;
    }
    const raw: string[] = [];
    for (const { name, value } of [...this.#onEveryAnswer, ...fields]) raw.push(name, value);
    this.#response.writeHead(status, raw);
  }

  #setHead(status: number, fields: readonly HeaderField[]): void {
    for (const [name, values] of Object.entries(this.#byName([...this.#onEveryAnswer, ...fields]))) this.#response.setHeader(name, values);
    this.#response.statusCode = status;
  }

  /** Fields of one name stay in their order. */
  #byName(fields: readonly HeaderField[]): Readonly<Record<string, string | string[]>> {
    const byName: Record<string, string | string[]> = Object.create(null) as Record<string, string | string[]>;
    for (const { name, value } of fields) {
      const before = byName[name];
      if (before === undefined) byName[name] = value;
      else if (typeof before === 'string') byName[name] = [before, value];
      else before.push(value);
    }
    return byName;
  }

  /** Resolves when more may be written, or the client is gone. One that reads nothing for two minutes is cut off. */
  async write(bytes: Uint8Array): Promise<void> {
    if (this.isGone || (this.#response as ServerResponse).write(bytes)) return;
    await new Promise<void>((resolve) => {
      const idle = setTimeout(() => this.destroy(), readIdleMs);
      const done = (): void => {
        clearTimeout(idle);
        this.#response.off('drain', done);
        this.#response.off('close', done);
        resolve();
      };
      this.#response.on('drain', done);
      this.#response.on('close', done);
    });
  }

  /** 101 (Switching Protocols): from here on the connection is what was agreed on. Only for a request that asked for it. */
  switchProtocols(fields: readonly HeaderField[]): TunnelEnd {
    if (this.#upgrade === undefined) throw new Error('no upgrade was asked for');
    this.#hasSwitched = true;
    return this.#upgrade.switch(fields);
  }

  /** Ends the answer. Trailers need a body whose length was not announced. */
  end(trailers: readonly HeaderField[] = []): void {
    if (trailers.length > 0) this.#response.addTrailers(this.#byName(trailers));
    this.#response.end();
  }

  /** An answer that is nothing but its head. In HTTP/2 the rest of the request is not waited for (RFC 9113 section 8.1). */
  endWithHead(status: number, fields: readonly HeaderField[]): void {
    this.#setHead(status, fields);
    this.#response.end();
    if ('stream' in this.#response && !this.request.readableEnded) this.#response.stream.close(constants.NGHTTP2_NO_ERROR);
  }

  /** Takes no more requests on this connection: its next one needs a new one. */
  closeConnection(): void {
    this.#closes = true;
    if ('stream' in this.#response) this.#response.stream.session?.close();
    else this.#response.setHeader('connection', 'close');
  }

  /** The client sees that the answer is not whole. */
  destroy(): void {
    if ('stream' in this.#response) this.#response.stream.close(constants.NGHTTP2_INTERNAL_ERROR);
    else this.request.socket.destroy();
  }
}

function lengthIn(fields: readonly HeaderField[]): string | undefined {
  return fields.find(({ name }) => name === 'content-length')?.value;
}

const readIdleMs = 120_000;
const shortBodyBytes = 64 * 1024;
