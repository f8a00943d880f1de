import type { IncomingHttpHeaders, ServerHttp2Stream } from 'node:http2';
import type { HeaderField } from '../protocols/request.ts';
import { Http2Heads } from './http2-heads.ts';

/**
 * A request on one stream of a client of HTTP/2, and the answer to it. Node's compatibility API would make another stream for each way, and objects of all header fields several times.
 */
export class Http2Call {
  readonly stream: ServerHttp2Stream;
  readonly headers: IncomingHttpHeaders;
  /** Names and values in turn, with the pseudo-header fields. */
  readonly rawHeaders: readonly string[];
  /** What stands behind the body of the request, in the same way. */
  rawTrailers: readonly string[] = [];
  #isRead = false;
  #hasEnded = false;
  #trailers: readonly HeaderField[] = [];

  constructor(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, rawHeaders: readonly string[]) {
    this.stream = stream;
    this.headers = headers;
    this.rawHeaders = rawHeaders;
    stream.on('trailers', (_trailers: IncomingHttpHeaders, _flags: number, raw: readonly string[]) => {
      this.rawTrailers = raw;
    });
  }

  get peer(): string {
    return this.#connection?.peer ?? 'unknown:0';
  }

  /** Of its connection. Undefined where that is gone. */
  get heads(): Http2Heads | undefined {
    return this.#connection?.heads;
  }

  get #connection(): Connection | undefined {
    const { session } = this.stream;
    if (session === undefined) return undefined;
    let connection = connections.get(session);
    if (connection === undefined) {
      const { remoteAddress = 'unknown', remotePort = 0 } = session.socket;
      connections.set(session, (connection = { peer: `${remoteAddress}:${remotePort}`, heads: new Http2Heads() }));
    }
    return connection;
  }

  /**
   * All of the body of the request, where it has come already; nothing is left of it then. Undefined: it has to be waited for. Traps: only `state` tells that nothing follows
   * before `end` does; and Node takes a stream that was read and never flowed for one that nobody has read, which it resets behind its answer.
   */
  takeBody(maxBytes: number): Buffer | undefined {
    const { stream } = this;
    if (this.#isOver || stream.readableFlowing !== null || stream.readableLength > maxBytes) return undefined;
    if (stream.state.remoteClose !== 1) return undefined;
    stream.pause();
    this.#isRead = true;
    const bytes = stream.read() as Buffer | null;
    // A copy: it is a view of all that came with it.
    return bytes === null ? Buffer.alloc(0) : Buffer.from(bytes);
  }

  /** The body of the request was read to its end. */
  get isRead(): boolean {
    return this.#isRead || this.stream.readableEnded;
  }

  /** The head of the answer was given. */
  get headersSent(): boolean {
    return this.stream.headersSent;
  }

  /** All of the answer was given. */
  get writableEnded(): boolean {
    return this.#hasEnded;
  }

  /** All of the answer has gone out. Node ends its side of a stream that is reset, too. */
  get writableFinished(): boolean {
    return this.stream.writableFinished && !this.stream.aborted;
  }

  /** An informational answer (RFC 9110 section 15.2). */
  inform(status: number): void {
    if (!this.headersSent && !this.#isOver) this.stream.additionalHeaders({ ':status': status });
  }

  writeHead(status: number, fields: readonly HeaderField[], { isAll, mayHaveTrailers }: Framing): void {
    if (isAll) this.#hasEnded = true;
    if (this.#isOver) return;
    const raw: string[] = [':status', String(status)];
    // It is a field of HTTP/1.1.
    for (const { name, value } of fields) if (name !== 'connection') raw.push(name, value);
    if (mayHaveTrailers) this.stream.on('wantTrailers', () => this.stream.sendTrailers(byName(this.#trailers)));
    this.stream.respond(raw, { endStream: isAll, waitForTrailers: mayHaveTrailers });
  }

  /** False: no more for now; `drain` tells when. */
  write(bytes: Uint8Array): boolean {
    return this.#isOver || this.stream.write(bytes);
  }

  /** `pieces`: the last ones. */
  end(pieces: readonly Uint8Array[] = [], trailers: readonly HeaderField[] = []): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#trailers = trailers;
    if (this.#isOver) return;
    const [only] = pieces;
    if (pieces.length === 1) {
      this.stream.end(only);
      return;
    }
    // They go out together.
    this.stream.cork();
    for (const piece of pieces) this.stream.write(piece);
    this.stream.end();
  }

  get #isOver(): boolean {
    return this.stream.destroyed || this.stream.closed;
  }
}

/** What follows the head of an answer. */
export interface Framing {
  /** Nothing. */
  readonly isAll: boolean;
  /** Whether something stands behind the body is told by its end. */
  readonly mayHaveTrailers: boolean;
}

/** Fields of one name stay in their order. */
export function byName(fields: readonly HeaderField[]): Readonly<Record<string, string | string[]>> {
  const all: Record<string, string | string[]> = Object.create(null) as Record<string, string | string[]>;
  for (const { name, value } of fields) {
    const before = all[name];
    if (before === undefined) all[name] = value;
    else if (typeof before === 'string') all[name] = [before, value];
    else before.push(value);
  }
  return all;
}

interface Connection {
  readonly peer: string;
  readonly heads: Http2Heads;
}

const connections = new WeakMap<object, Connection>();
