import type { IncomingMessage, ServerResponse } from 'node:http';
import { constants, type Http2ServerRequest, type Http2ServerResponse } from 'node:http2';
import type { RawHead } from '../protocols/http/index.ts';
import type { HeaderField } from '../protocols/request.ts';

/** One request of a client and the way to answer it, the same for HTTP/1.1 and HTTP/2. */
export class ClientExchange {
  readonly head: RawHead;
  readonly peer: string;
  readonly request: IncomingMessage | Http2ServerRequest;
  readonly #response: ServerResponse | Http2ServerResponse;
  #closes = false;
  #isClosed = false;

  constructor(request: IncomingMessage, response: ServerResponse);
  constructor(request: Http2ServerRequest, response: Http2ServerResponse);
  constructor(request: IncomingMessage | Http2ServerRequest, response: ServerResponse | Http2ServerResponse) {
    this.request = request;
    this.#response = response;
    const { remoteAddress = 'unknown', remotePort = 0 } = request.socket;
    this.peer = `${remoteAddress}:${remotePort}`;
    this.head = { version: request.httpVersion, method: request.method ?? '', target: request.url ?? '', rawHeaders: request.rawHeaders };
    // Whoever waits for something hears of it by `onGone`; an error nobody listens to would end the process.
    request.on('error', () => {});
    response.on('error', () => {});
    // A response of HTTP/2 does not say that its stream is over.
    response.once('close', () => {
      this.#isClosed = true;
    });
  }

  get scheme(): 'https' | 'http' {
    return 'encrypted' in this.request.socket ? 'https' : 'http';
  }

  get isHttp2(): boolean {
    return 'stream' in this.#response;
  }

  get headSent(): boolean {
    return this.#response.headersSent;
  }

  /** This was the last request on its connection. */
  get closes(): boolean {
    return this.#closes;
  }

  get isGone(): boolean {
    return this.#isClosed || this.#response.writableEnded;
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
   * The answer takes time: 102 (Processing), RFC 2518 section 10.1. In HTTP/1.1 it is 100 (Continue), the only one that every client steps over: Python's http.client
   * takes any other 1xx for the answer. HTTP/1.0 knows none.
   */
  waiting(): void {
    if (this.headSent || this.isGone) return;
    if ('stream' in this.#response) this.#response.stream.additionalHeaders({ ':status': constants.HTTP_STATUS_PROCESSING });
    else if (this.head.version === '1.1') this.#response.writeContinue();
  }

  sendHead(status: number, fields: readonly HeaderField[]): void {
    this.#setHead(status, fields);
    if ('stream' in this.#response) this.#response.writeHead(status);
    // A short body goes out with its head; one that may take its time must not keep the head back.
    else if (!(Number(this.#response.getHeader('content-length')) <= shortBodyBytes)) this.#response.flushHeaders();
  }

  #setHead(status: number, fields: readonly HeaderField[]): void {
    for (const [name, values] of Object.entries(this.#byName(fields))) this.#response.setHeader(name, values);
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

const readIdleMs = 120_000;
const shortBodyBytes = 64 * 1024;
