import { Readable } from 'node:stream';
import type { GatewayFault } from '../core/fault.ts';
import type { HeaderField } from '../protocols/request.ts';
import type { UpstreamAnswer } from './http-upstream-answer.ts';
import { UnreadBytes } from './http2-unread.ts';

/** What an answer needs of its stream. */
export interface AnswerSource {
  /** Some of what was kept has been read: there is room for more. */
  consumed(bytes: number): void;
  /** Nobody reads what is left of it. */
  abandon(): void;
}

/**
 * An answer of HTTP/2 whose head has come. What comes of its body is kept until somebody reads it, as much as its window lets the target send; most answers are whole by then, and a stream is made only
 * for those whose reader asks for one.
 */
export class Http2Answer implements UpstreamAnswer {
  readonly status: number;
  readonly fields: readonly HeaderField[];
  readonly #source: AnswerSource;
  readonly #unread = new UnreadBytes();
  #body: Readable | undefined;
  /** The reader waits for more. */
  #isWanted = false;
  #trailers: readonly HeaderField[] | undefined;
  #fault: GatewayFault | undefined;

  constructor(status: number, fields: readonly HeaderField[], source: AnswerSource) {
    this.status = status;
    this.fields = fields;
    this.#source = source;
  }

  /** Of its body, bytes that nobody has read yet. */
  get unreadBytes(): number {
    return this.#unread.length;
  }

  get whole(): Uint8Array | undefined {
    if (this.#trailers === undefined || this.#body !== undefined) return undefined;
    const [first, ...more] = this.#unread.pieces();
    if (first === undefined) return nothing;
    return more.length === 0 ? first : Buffer.concat([first, ...more]);
  }

  get body(): Readable {
    this.#body ??= this.#streamed();
    return this.#body;
  }

  trailers(): readonly HeaderField[] {
    if (this.#fault !== undefined) throw this.#fault;
    return this.#trailers ?? [];
  }

  discard(): void {
    if (this.#body === undefined) this.#source.abandon();
    else this.#body.destroy();
    this.#unread.take();
  }

  /** A piece of its body. */
  push(piece: Uint8Array): void {
    this.#unread.add(piece);
  }

  /** All that came at once is here: its reader gets it in as few pieces as there are. */
  turnEnds(): void {
    if (this.#isWanted && this.#unread.length > 0) this.#pass();
  }

  /** All of it has come. */
  ends(trailers: readonly HeaderField[]): void {
    this.#trailers = trailers;
    if (!this.#isWanted) return;
    if (this.#unread.length > 0) this.#pass();
    else this.#body!.push(null);
  }

  /** The rest will not come. */
  fails(fault: GatewayFault): void {
    this.#fault = fault;
    this.#body?.destroy(fault);
  }

  #streamed(): Readable {
    const body = new Readable({
      read: () => this.#read(),
      destroy: (error, done) => {
        this.#source.abandon();
        done(error);
      },
    });
    // Whoever reads it is told; an error while nobody does must not end the process.
    body.on('error', () => {});
    if (this.#fault !== undefined) body.destroy(this.#fault);
    return body;
  }

  #read(): void {
    this.#isWanted = true;
    if (this.#unread.length > 0) this.#pass();
    else if (this.#trailers !== undefined) this.#body!.push(null);
  }

  #pass(): void {
    this.#isWanted = false;
    const { length } = this.#unread;
    for (const piece of this.#unread.take()) this.#body!.push(piece);
    this.#source.consumed(length);
  }
}

const nothing = new Uint8Array(0);
