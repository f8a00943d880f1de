import { errorCode, Http2Violation, initialWindowBytes, maxFrameBytes, maxWindowBytes } from '../protocols/http2/index.ts';
import type { Http2Output } from './http2-output.ts';

/** The body of a request on its way out. */
export interface SendingStream {
  readonly id: number;
  /** What the target takes of it; below zero where it took back what it had promised (RFC 9113 section 6.9.2). */
  sendWindow: number;
  /** What there was no room for. */
  unsent: { readonly bytes: Uint8Array; readonly isLast: boolean } | undefined;
  readonly isClosed: boolean;
  /** The header block behind the body, if any; asked for when that is on its way. Throws what breaks the request off. */
  behind(): Uint8Array | undefined;
  /** What was to be sent is sent. */
  sent(isLast: boolean): void;
  /** Resolves when what waits was sent, or is not to be sent any more. Undefined: nothing waits. */
  allSent(): Promise<void> | undefined;
  /** Its sender went away. */
  breaksOff(error: unknown): void;
}

/** Bodies of requests, as far as the windows of their streams and of the connection let them (RFC 9113 section 5.2). Whoever waits for the connection's window is served in turn. */
export class Http2Sending {
  readonly #output: Http2Output;
  readonly #waiting = new Set<SendingStream>();
  #window: number = initialWindowBytes;
  #frames = 0;

  constructor(output: Http2Output) {
    this.#output = output;
  }

  /** How many have gone out so far. */
  get frames(): number {
    return this.#frames;
  }

  /** The bytes must not change any more. Not before those of the last call were sent. */
  send(stream: SendingStream, bytes: Uint8Array, isLast: boolean): void {
    let at = 0;
    for (;;) {
      const length = Math.min(bytes.length - at, maxFrameBytes, stream.sendWindow, this.#window);
      if (length <= 0 && bytes.length > at) break;
      const piece = bytes.subarray(at, at + length);
      stream.sendWindow -= length;
      this.#window -= length;
      at += length;
      if (at < bytes.length) {
        this.#data(stream, piece, false);
        continue;
      }
      stream.unsent = undefined;
      this.#waiting.delete(stream);
      if (isLast) this.#end(stream, piece);
      else this.#data(stream, piece, false);
      if (!stream.isClosed) stream.sent(isLast);
      return;
    }
    stream.unsent = { bytes: bytes.subarray(at), isLast };
    // Behind the others.
    this.#waiting.delete(stream);
    this.#waiting.add(stream);
  }

  #data(stream: SendingStream, piece: Uint8Array, endsStream: boolean): void {
    this.#output.frames.data(stream.id, piece, endsStream);
    this.#frames += 1;
  }

  #end(stream: SendingStream, piece: Uint8Array): void {
    try {
      const behind = stream.behind();
      if (behind === undefined || piece.length > 0) this.#data(stream, piece, behind === undefined);
      if (behind !== undefined) this.#output.frames.headers(stream.id, behind, true);
    } catch (error) {
      stream.breaksOff(error);
    }
  }

  /** A body that passes as it comes. Waits wherever there is no room. */
  async sendPieces(stream: SendingStream, pieces: AsyncIterable<Uint8Array>): Promise<void> {
    try {
      for await (const piece of pieces) {
        if (stream.isClosed) return;
        if (piece.length > 0) this.send(stream, piece, false);
        await stream.allSent();
        await this.#output.room();
      }
      if (!stream.isClosed) this.send(stream, nothing, true);
    } catch (error) {
      stream.breaksOff(error);
    }
  }

  /** Nothing of it is to be sent any more. */
  forget(stream: SendingStream): void {
    this.#waiting.delete(stream);
  }

  /** Throws `Http2Violation`. */
  widen(bytes: number): void {
    this.#window += bytes;
    if (this.#window > maxWindowBytes) throw new Http2Violation(errorCode.flowControlError, 'the window of the connection is too large');
    this.resume();
  }

  /** There may be more room for what waits. */
  resume(): void {
    const waiting = [...this.#waiting];
    for (const stream of waiting) {
      if (this.#window <= 0) return;
      if (stream.sendWindow > 0 && stream.unsent !== undefined) this.send(stream, stream.unsent.bytes, stream.unsent.isLast);
    }
  }
}

const nothing = new Uint8Array(0);
