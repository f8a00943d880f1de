import { constants, type ClientHttp2Stream } from 'node:http2';
import { Readable } from 'node:stream';
import { fieldsOf } from '../protocols/http/index.ts';
import type { HeaderField } from '../protocols/request.ts';
import { unavailable } from './http-faults.ts';
import type { UpstreamAnswer } from './http-upstream-answer.ts';

/**
 * The answer on one stream of HTTP/2. Node throws away what nobody has begun to read when a stream closes, and an answer may have to wait for its record: so it is read at once, as far as
 * there is room, and kept. A short one is whole by the time anybody looks; a stream is made only for those whose reader asks for one.
 */
export class Http2Answer implements UpstreamAnswer {
  status = 0;
  fields: readonly HeaderField[] = [];
  readonly #stream: ClientHttp2Stream;
  #pieces: Uint8Array[] = [];
  #keptBytes = 0;
  #body: Readable | undefined;
  #trailers: readonly string[] = [];
  #isOver = false;
  #isClosed = false;
  readonly #settled: () => void;

  /** `settled`: called when all of it has come, or no more of it does before somebody reads it. */
  constructor(stream: ClientHttp2Stream, settled: () => void) {
    this.#stream = stream;
    this.#settled = settled;
    stream.on('data', (chunk: Buffer) => this.#take(chunk));
    stream.on('end', () => this.#ended());
  }

  get whole(): Uint8Array | undefined {
    if (!this.#isOver || this.#isBroken || this.#body !== undefined) return undefined;
    const [first, ...more] = this.#pieces;
    if (first === undefined) return nothing;
    return more.length === 0 ? first : Buffer.concat(this.#pieces);
  }

  get body(): Readable {
    this.#body ??= this.#streamed();
    return this.#body;
  }

  begins(raw: readonly string[]): void {
    const fields = fieldsOf(raw);
    this.status = Number(fields.find(({ name }) => name === ':status')?.value ?? 0);
    this.fields = fields.filter(({ name }) => !name.startsWith(':'));
  }

  /** They end the stream (RFC 9113 section 8.1); where it is read as it comes, all of the body is here before them. */
  ends(trailers: readonly string[]): void {
    this.#trailers = trailers;
    if (!this.#stream.isPaused() && this.#stream.readableLength === 0) this.#ended();
  }

  /** The stream is over, whether or not all of the answer has come. */
  closes(): void {
    this.#isClosed = true;
    if (this.#isOver) return;
    this.#body?.destroy(this.#brokenOff());
    this.#settled();
  }

  trailers(): readonly HeaderField[] {
    if (this.#isBroken) throw this.#brokenOff();
    return fieldsOf(this.#trailers);
  }

  discard(): void {
    this.#pieces = [];
    if (this.#body !== undefined) this.#body.destroy();
    else if (!this.#isOver) this.#stream.close(constants.NGHTTP2_CANCEL);
  }

  /** A stream that is reset ends like one that is over. */
  get #isBroken(): boolean {
    const { rstCode } = this.#stream;
    return this.#trailers.length === 0 && rstCode !== undefined && rstCode !== constants.NGHTTP2_NO_ERROR;
  }

  #take(chunk: Buffer): void {
    if (this.#body !== undefined) {
      if (!this.#body.push(chunk)) this.#stream.pause();
      return;
    }
    this.#pieces.push(chunk);
    this.#keptBytes += chunk.length;
    if (this.#keptBytes < mostKeptBytes) return;
    this.#stream.pause();
    this.#settled();
  }

  #ended(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#body?.push(null);
    this.#settled();
  }

  #streamed(): Readable {
    const body = new Readable({
      read: () => void this.#stream.resume(),
      destroy: (error, done) => {
        if (!this.#isOver) this.#stream.close(constants.NGHTTP2_CANCEL);
        done(error);
      },
    });
    // Whoever reads it is told; an error while nobody does must not end the process.
    body.on('error', () => {});
    for (const piece of this.#pieces) body.push(piece);
    this.#pieces = [];
    if (this.#isOver) body.push(null);
    else if (this.#isClosed) body.destroy(this.#brokenOff());
    return body;
  }

  #brokenOff(): Error {
    return unavailable('it broke off its answer', `stream closed with ${this.#stream.rstCode}`);
  }
}

const nothing = new Uint8Array(0);
/** Of a body that nobody reads yet. */
const mostKeptBytes = 64 * 1024;
