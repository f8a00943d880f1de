import type { IncomingMessage, ServerResponse } from 'node:http';
import { constants, type ServerHttp2Stream } from 'node:http2';
import type { RawHead } from '../protocols/http/index.ts';
import type { HeaderField } from '../protocols/request.ts';
import type { TunnelEnd } from './http-tunnel.ts';
import type { Understood } from './http-understood.ts';
import type { UpgradingSocket } from './http-upgrading.ts';
import { AnswerAgain, mostJoinedBytes, octets } from './http1-again.ts';
import { byName, Http2Call, type Framing } from './http2-call.ts';
import type { Http2Heads } from './http2-heads.ts';

/** One request of a client and the way to answer it, the same for HTTP/1.1 and HTTP/2. */
export class ClientExchange {
  readonly head: RawHead;
  readonly peer: string;
  /** What it says, as far as that may be kept for the next one that is the same. Of a request that was recognised: there from the beginning. */
  understood: Understood | undefined;
  readonly #request: IncomingMessage | ServerHttp2Stream | undefined;
  readonly #given: ServerResponse | Http2Call | AnswerAgain;
  readonly #upgrade: UpgradingSocket | undefined;
  #closes: boolean;
  /** Called once the answer is out, or its client gone. */
  readonly #onClosed: (() => void)[] = [];
  #isClosed = false;
  #onEveryAnswer: readonly HeaderField[] = [];
  #hasSwitched = false;

  constructor(request: IncomingMessage, response: ServerResponse, upgrade?: UpgradingSocket);
  constructor(call: Http2Call);
  constructor(answer: AnswerAgain, understood: Understood);
  constructor(request: IncomingMessage | Http2Call | AnswerAgain, response?: ServerResponse | Understood, upgrade?: UpgradingSocket) {
    this.#upgrade = upgrade;
    // Nothing reads requests from it any more.
    this.#closes = upgrade !== undefined;
    if (request instanceof AnswerAgain) {
      this.#given = request;
      this.#request = undefined;
      this.peer = request.peer;
      this.understood = response as Understood;
      this.head = { version: '1.1', method: this.understood.request.method, target: '', rawHeaders: [] };
      request.onClosed = this.#closed;
      return;
    }
    if (request instanceof Http2Call) {
      this.#request = request.stream;
      this.#given = request;
      this.peer = request.peer;
      const { ':method': method = '', ':path': target = '' } = request.headers;
      this.head = { version: '2.0', method, target, rawHeaders: request.rawHeaders };
    } else {
      this.#request = request;
      this.#given = response as ServerResponse;
      const { remoteAddress = 'unknown', remotePort = 0 } = request.socket;
      this.peer = `${remoteAddress}:${remotePort}`;
      this.head = { version: request.httpVersion, method: request.method ?? '', target: request.url ?? '', rawHeaders: request.rawHeaders };
      this.#given.on('error', ignored);
    }
    // Whoever waits for something hears of it by `onGone`; an error nobody listens to would end the process.
    this.#request.on('error', ignored);
    this.#events.on('close', this.#closed);
  }

  readonly #closed = (): void => {
    if (this.#isClosed) return;
    this.#isClosed = true;
    for (const closed of this.#onClosed) closed();
  };

  /** The body of the request. */
  get request(): IncomingMessage | ServerHttp2Stream {
    return this.#request ?? (this.#given as AnswerAgain).response.req;
  }

  get scheme(): 'https' | 'http' {
    return 'socket' in this.request && !('encrypted' in this.request.socket) ? 'http' : 'https';
  }

  get isHttp2(): boolean {
    return this.#given instanceof Http2Call;
  }

  /** What is known of the heads of its connection. Undefined for HTTP/1.1. */
  get heads(): Http2Heads | undefined {
    return this.#given instanceof Http2Call ? this.#given.heads : undefined;
  }

  get headSent(): boolean {
    return this.#hasSwitched || this.#given.headersSent;
  }

  /** All of its request has come. */
  get isWhole(): boolean {
    if (this.#upgrade !== undefined || this.#request === undefined || this.#request.readableEnded) return true;
    if (this.#given instanceof Http2Call && this.#given.isRead) return true;
    return 'complete' in this.#request ? this.#request.complete : this.#request.destroyed;
  }

  /** All of the body of its request, where it has come already; nothing is left of it then. Undefined: it has to be waited for. */
  takeBody(maxBytes: number): Buffer | undefined {
    return this.#given instanceof Http2Call ? this.#given.takeBody(maxBytes) : undefined;
  }

  /** What stands behind the body of its request, names and values in turn; known when all of it has been read. */
  get trailers(): readonly string[] {
    return (this.#given instanceof Http2Call ? this.#given : (this.request as IncomingMessage)).rawTrailers;
  }

  /** As it was sent; undefined where it was not. */
  get contentType(): string | undefined {
    if (this.#request === undefined) return this.understood?.request.fields.find(({ name }) => name === 'content-type')?.value;
    return (this.#given instanceof Http2Call ? this.#given : (this.#request as IncomingMessage)).headers['content-type'];
  }

  /** This was the last request on its connection. */
  get closes(): boolean {
    return this.#closes;
  }

  get isGone(): boolean {
    return this.#isClosed || this.#given.writableEnded;
  }

  /** Its answer is out, or nobody waits for it. */
  get isOver(): boolean {
    return this.#isClosed;
  }

  get onEveryAnswer(): readonly HeaderField[] {
    return this.#onEveryAnswer;
  }

  /** Stands in the head of its answer, whatever that is. */
  answersWith(fields: readonly HeaderField[]): void {
    this.#onEveryAnswer = fields;
  }

  /** Resolves when its answer is out, or nobody waits for it any more. */
  answered(): Promise<void> {
    return this.#isClosed ? Promise.resolve() : new Promise((resolve) => this.#onClosed.push(resolve));
  }

  /** Calls back once if the client goes away before it has the whole answer. */
  onGone(gone: () => void): void {
    this.#onClosed.push(() => {
      if (!this.#given.writableFinished) gone();
    });
  }

  /** 100 (Continue): the body may come. */
  continue(): void {
    if (this.#response instanceof Http2Call) this.#response.inform(constants.HTTP_STATUS_CONTINUE);
    else this.#response.writeContinue();
  }

  /**
   * The answer takes time: 102 (Processing), RFC 2518 section 10.1, over HTTP/2 alone. No informational answer of HTTP/1.1 is one that every client steps over: Python's
   * http.client takes all but 100 for the answer, and Node's fetch (undici) breaks the connection at a 100 that it did not ask for.
   */
  waiting(): void {
    if (this.#response instanceof Http2Call) this.#response.inform(constants.HTTP_STATUS_PROCESSING);
  }

  sendHead(status: number, fields: readonly HeaderField[]): void {
    this.#writeHead(status, fields, mayHaveTrailers);
    // A short body goes out with its head; one that may take its time must not keep the head back.
    if (!(this.#response instanceof Http2Call) && !(Number(lengthIn(fields)) <= shortBodyBytes)) this.#response.flushHeaders();
  }

  /**
   * An answer that is there as a whole. Without a body where the method or the status has none. Undefined: it is on its way; else by promise, when it is: what may take its time is
   * waited for.
   */
  answer(status: number, fields: readonly HeaderField[], body: Uint8Array): Promise<void> | undefined {
    if (this.isGone) return undefined;
    const isBodiless = this.head.method === 'HEAD' || status === 204 || status === 304;
    const isFramed = isBodiless || lengthIn(fields) !== undefined;
    const isEmpty = isBodiless || body.length === 0;
    if (this.#given instanceof AnswerAgain && body.length <= shortBodyBytes) {
      const shown = this.#onEveryAnswer.length === 0 ? fields : [...this.#onEveryAnswer, ...fields];
      const framed = isFramed ? shown : [...shown, { name: 'content-length', value: String(body.length) }];
      if (this.#given.write(status, framed, isEmpty ? nothing : body)) return undefined;
    }
    const framed = isFramed ? fields : [...fields, { name: 'content-length', value: String(body.length) }];
    this.#writeHead(status, framed, { isAll: isEmpty, mayHaveTrailers: false });
    const response = this.#response;
    if (isEmpty) response.end();
    else if (body.length > shortBodyBytes) return this.write(body).then(() => void response.end());
    // Node joins a text with the head, which is one too: one write of one piece. Bytes would be a second piece.
    else if (response instanceof Http2Call) response.end([body]);
    else if (body.length <= mostJoinedBytes) response.end(octets(body), 'latin1');
    else response.end(body);
    return undefined;
  }

  /** An answer of messages that is there as a whole, and small. */
  answerWithTrailers(
    status: number,
    fields: readonly HeaderField[],
    pieces: readonly Uint8Array[],
    trailers: readonly HeaderField[],
  ): void {
    const response = this.#response;
    if (response instanceof Http2Call) {
      this.#writeHead(status, fields, { isAll: false, mayHaveTrailers: trailers.length > 0 });
      response.end(pieces, trailers);
      return;
    }
    this.sendHead(status, fields);
    for (const piece of pieces) response.write(piece);
    this.end(trailers);
  }

  #writeHead(status: number, fields: readonly HeaderField[], framing: Framing): void {
    if (this.#response instanceof Http2Call) {
      this.#response.writeHead(status, [...this.#onEveryAnswer, ...fields], framing);
      return;
    }
    const raw: string[] = [];
    for (const { name, value } of [...this.#onEveryAnswer, ...fields]) raw.push(name, value);
    this.#response.writeHead(status, raw);
  }

  /** Resolves when more may be written, or the client is gone. One that reads nothing for two minutes is cut off. */
  async write(bytes: Uint8Array): Promise<void> {
    if (this.isGone || this.#response.write(bytes)) return;
    await new Promise<void>((resolve) => {
      const idle = setTimeout(() => this.destroy(), readIdleMs);
      const done = (): void => {
        clearTimeout(idle);
        this.#events.off('drain', done);
        this.#events.off('close', done);
        resolve();
      };
      this.#events.on('drain', done);
      this.#events.on('close', done);
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
    if (this.#response instanceof Http2Call) {
      this.#response.end([], trailers);
      return;
    }
    if (trailers.length > 0) this.#response.addTrailers(byName(trailers));
    this.#response.end();
  }

  /** An answer that is nothing but its head. In HTTP/2 the rest of the request is not waited for (RFC 9113 section 8.1). */
  endWithHead(status: number, fields: readonly HeaderField[]): void {
    this.#writeHead(status, fields, { isAll: true, mayHaveTrailers: false });
    if (!(this.#response instanceof Http2Call)) this.#response.end();
    else if (!this.#response.isRead) this.#response.stream.close(constants.NGHTTP2_NO_ERROR);
  }

  /** Takes no more requests on this connection: its next one needs a new one. */
  closeConnection(): void {
    this.#closes = true;
    if (this.#response instanceof Http2Call) this.#response.stream.session?.close();
    else this.#response.setHeader('connection', 'close');
  }

  /** The client sees that the answer is not whole. */
  destroy(): void {
    if (this.#response instanceof Http2Call) this.#response.stream.close(constants.NGHTTP2_INTERNAL_ERROR);
    else (this.request as IncomingMessage).socket.destroy();
  }

  /** Tells when there is room, and when it is over. */
  get #events(): ServerResponse | ServerHttp2Stream {
    return this.#response instanceof Http2Call ? this.#response.stream : this.#response;
  }

  get #response(): ServerResponse | Http2Call {
    return this.#given instanceof AnswerAgain ? this.#given.response : this.#given;
  }
}

function ignored(): void {}

function lengthIn(fields: readonly HeaderField[]): string | undefined {
  return fields.find(({ name }) => name === 'content-length')?.value;
}

const mayHaveTrailers: Framing = { isAll: false, mayHaveTrailers: true };
const readIdleMs = 120_000;
const shortBodyBytes = 64 * 1024;
const nothing = new Uint8Array(0);
