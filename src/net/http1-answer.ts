import { Readable } from 'node:stream';
import type { GatewayFault } from '../core/fault.ts';
import { BodyReader, fieldsOf, type AnswerMessage } from '../protocols/http/index.ts';
import type { HeaderField } from '../protocols/request.ts';
import type { UpstreamAnswer } from './http-upstream-answer.ts';

/** What an answer needs of its connection. */
export interface AnswerSource {
  /** More of this answer may come. */
  resume(answer: Http1Answer): void;
  pause(answer: Http1Answer): void;
  /** Nobody reads what is left of it. */
  abandon(answer: Http1Answer): void;
}

/**
 * An answer of HTTP/1.1 whose head has come. What came of its body with the head is kept as it is, and most answers come whole: a stream is made only for those whose reader asks for
 * one.
 */
export class Http1Answer implements UpstreamAnswer {
  readonly status: number;
  readonly fields: readonly HeaderField[];
  readonly #source: AnswerSource;
  readonly #reader: BodyReader;
  #pieces: Uint8Array[] = [];
  #stream: Readable | undefined;
  #fault: GatewayFault | undefined;

  constructor({ status, fields, body }: AnswerMessage, source: AnswerSource) {
    this.status = status;
    this.fields = fields;
    this.#source = source;
    this.#reader = new BodyReader(body);
  }

  get isOver(): boolean {
    return this.#reader.isOver;
  }

  get whole(): Uint8Array | undefined {
    if (!this.isOver || this.#stream !== undefined) return undefined;
    const [first, ...more] = this.#pieces;
    if (first === undefined) return nothing;
    return more.length === 0 ? first : Buffer.concat(this.#pieces);
  }

  get body(): Readable {
    this.#stream ??= this.#streamed();
    return this.#stream;
  }

  trailers(): readonly HeaderField[] {
    return fieldsOf(this.#reader.trailers);
  }

  discard(): void {
    this.#pieces = [];
    if (this.#stream === undefined) this.#source.abandon(this);
    else this.#stream.destroy();
  }

  /** Takes what came, and returns where the answer's part of it ends. Throws `protocol-violation`. */
  push(bytes: Uint8Array, from: number): number {
    const at = this.#reader.read(bytes, from, this.#take);
    if (this.isOver) this.#stream?.push(null);
    return at;
  }

  /** Its connection is over. False where it is not whole. */
  ended(): boolean {
    const isWhole = this.#reader.ended();
    if (isWhole) this.#stream?.push(null);
    return isWhole;
  }

  /** The rest will not come. */
  fail(fault: GatewayFault): void {
    this.#fault = fault;
    this.#stream?.destroy(fault);
  }

  readonly #take = (piece: Uint8Array): void => {
    if (this.#stream === undefined) this.#pieces.push(piece);
    else if (!this.#stream.push(piece)) this.#source.pause(this);
  };

  #streamed(): Readable {
    const stream = new Readable({
      read: () => this.#source.resume(this),
      destroy: (error, done) => {
        this.#source.abandon(this);
        done(error);
      },
    });
    // Whoever reads it is told; an error while nobody does must not end the process.
    stream.on('error', () => {});
    for (const piece of this.#pieces) stream.push(piece);
    this.#pieces = [];
    if (this.#fault !== undefined) stream.destroy(this.#fault);
    else if (this.isOver) stream.push(null);
    return stream;
  }
}

const nothing = new Uint8Array(0);
