import type { GatewayFault } from '../core/fault.ts';
import { errorCode, Http2Violation, readAnswerHead, readTrailers, type DecodedField } from '../protocols/http2/index.ts';
import type { HeaderField } from '../protocols/request.ts';
import { malformed, unavailable } from './http-faults.ts';
import type { UpstreamAnswer } from './http-upstream-answer.ts';
import { Http2Answer, type AnswerSource } from './http2-answer.ts';
import type { SendingStream } from './http2-sending.ts';
import type { StopSignal } from './stop.ts';

/** What a stream needs of its connection. */
export interface StreamHost {
  /** Bytes of answers that nobody has read yet came, or were read. */
  keep(bytes: number): void;
  widenStream(stream: number, bytes: number): void;
  resetStream(stream: number, code: number): void;
  /** Nothing more is said on it, and nothing more expected. */
  release(stream: Http2Stream): void;
}

/** Whoever waits for the head of an answer is told one of these. */
export interface Http2Caller {
  answered(answer: UpstreamAnswer): void;
  failed(reason: unknown): void;
  /** The target has not looked at the request (RFC 9113 section 8.7). */
  refused(): void;
}

export interface Http2StreamOptions {
  readonly method: string;
  /** How long the head of an answer waits for the rest. */
  readonly waitMs: number;
  /** All of its body is there, and it can be sent once more. */
  readonly isWhole: boolean;
  readonly signal: StopSignal;
  readonly caller: Http2Caller;
}

/**
 * One request and its answer on a connection of HTTP/2 (RFC 9113 section 5.1). An answer that breaks the rules of its stream alone (section 8.1.1) ends this stream and no other. Methods that take frames throw
 * `Http2Violation` for what ends the connection.
 */
export class Http2Stream implements SendingStream, AnswerSource {
  readonly id: number;
  sendWindow: number;
  unsent: SendingStream['unsent'];
  readonly behind: SendingStream['behind'];
  readonly #host: StreamHost;
  readonly #options: Http2StreamOptions;
  #answer: Http2Answer | undefined;
  #isSettled = false;
  #waiting: NodeJS.Timeout | undefined;
  #informational = 0;
  #receiveWindow = streamWindowBytes;
  /** Of the body, what was announced and has not come. */
  #left = Infinity;
  #hasRemoteEnded = false;
  #hasLocalEnded = false;
  #isClosed = false;
  /** Of what is being sent. */
  #sent: (() => void) | undefined;

  /** `behind`: as in `SendingStream`. */
  constructor(id: number, sendWindow: number, host: StreamHost, options: Http2StreamOptions, behind: SendingStream['behind']) {
    this.id = id;
    this.behind = behind;
    this.sendWindow = sendWindow;
    this.#host = host;
    this.#options = options;
    options.signal.addEventListener('abort', this.#abort);
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  // ---- the request

  sent(isLast: boolean): void {
    this.#sent?.();
    this.#sent = undefined;
    if (!isLast) return;
    this.#hasLocalEnded = true;
    if (this.#hasRemoteEnded) this.#close();
  }

  allSent(): Promise<void> | undefined {
    if (this.unsent === undefined || this.#isClosed) return undefined;
    return new Promise((resolve) => {
      this.#sent = resolve;
    });
  }

  /** Its sender went away: the target must see that it is not whole. */
  breaksOff(error: unknown): void {
    this.#end(errorCode.cancel, unavailable('the client went away in the middle of the body', String(error), error));
  }

  // ---- the answer

  /** A header block; undefined for one that is too long. True where it brought the answer forward. */
  headers(decoded: readonly DecodedField[] | undefined, endsStream: boolean): boolean {
    this.#mustBeOpen();
    if (decoded === undefined) return this.#refuse('its head is too long');
    if (this.#answer !== undefined) return this.#trailers(readTrailers(decoded), endsStream);
    const head = readAnswerHead(decoded);
    if (head === undefined) return this.#refuse('its head is malformed');
    if (head.status < 200) {
      this.#informational += 1;
      if (endsStream || this.#informational > mostInformational) this.#refuse('an informational answer that ends it, or too many of them');
      return false;
    }
    const isBodiless = this.#options.method === 'HEAD' || head.status === 204 || head.status === 304;
    this.#left = isBodiless ? 0 : (head.contentLength ?? Infinity);
    this.#answer = new Http2Answer(head.status, head.fields, this);
    if (endsStream) this.#ended(noFields);
    else if (this.#options.waitMs <= 0) this.#settle();
    return true;
  }

  /** As `ServerFrames.data` says. True where it brought the answer forward. */
  data(piece: Uint8Array, windowBytes: number, endsStream: boolean): boolean {
    this.#mustBeOpen();
    this.#receiveWindow -= windowBytes;
    if (this.#receiveWindow < 0) return this.#refuse('more than its window has room for', errorCode.flowControlError);
    const answer = this.#answer;
    if (answer === undefined) return this.#refuse('a body without a head');
    this.#left -= piece.length;
    if (this.#left < 0) return this.#refuse('its body is longer than was announced');
    if (piece.length > 0) {
      answer.push(piece);
      this.#host.keep(piece.length);
    }
    if (endsStream) this.#ended(noFields);
    else if (answer.unreadBytes >= mostKeptBytes) this.#settle();
    return piece.length > 0 || endsStream;
  }

  /** What came together has been read: whoever waits for a short answer does not wait much longer. */
  turnEnds(): void {
    this.#answer?.turnEnds();
    if (this.#answer === undefined || this.#isSettled || this.#waiting !== undefined) return;
    this.#waiting = setTimeout(() => this.#settle(), this.#options.waitMs);
  }

  reset(code: number): void {
    // What it has answered stands (section 8.1).
    if (this.#hasRemoteEnded) this.#close();
    else if (code === errorCode.refusedStream) this.refused();
    else this.fail(unavailable(this.#answer === undefined ? 'it closed the call' : 'it broke off its answer', `reset with code ${code}`));
  }

  /** The target did not look at it and never will. */
  refused(): void {
    if (this.#answer !== undefined || this.#informational > 0 || !this.#options.isWhole) {
      this.fail(unavailable('it refused the call', 'REFUSED_STREAM'));
      return;
    }
    this.#isSettled = true;
    this.#close();
    this.#options.caller.refused();
  }

  /** The rest will not come. */
  fail(fault: GatewayFault): void {
    if (this.#isClosed) return;
    this.#close();
    if (this.#hasRemoteEnded) return;
    this.#answer?.fails(fault);
    if (this.#isSettled) return;
    if (this.#answer !== undefined) this.#settle();
    else {
      this.#isSettled = true;
      this.#options.caller.failed(fault);
    }
  }

  /** Ends this stream alone. */
  refuse(problem: string, code: number = errorCode.protocolError): void {
    this.#end(code, malformed(problem));
  }

  consumed(bytes: number): void {
    if (this.#isClosed || this.#hasRemoteEnded) return;
    this.#host.keep(-bytes);
    const room = streamWindowBytes - this.#answer!.unreadBytes - this.#receiveWindow;
    if (room < streamWindowBytes / 2) return;
    this.#receiveWindow += room;
    this.#host.widenStream(this.id, room);
  }

  abandon(): void {
    if (!this.#isClosed && !this.#hasRemoteEnded) this.#end(errorCode.cancel, unavailable('it broke off its answer', 'nobody reads it'));
  }

  #refuse(problem: string, code?: number): false {
    this.refuse(problem, code);
    return false;
  }

  #end(code: number, fault: GatewayFault): void {
    if (this.#isClosed) return;
    this.#host.resetStream(this.id, code);
    this.fail(fault);
  }

  #mustBeOpen(): void {
    if (this.#hasRemoteEnded) throw new Http2Violation(errorCode.streamClosed, 'an answer goes on behind its end');
  }

  #trailers(trailers: readonly HeaderField[] | undefined, endsStream: boolean): boolean {
    if (trailers === undefined || !endsStream) return this.#refuse('its trailers are malformed');
    this.#ended(trailers);
    return true;
  }

  #ended(trailers: readonly HeaderField[]): void {
    const isShort = this.#left > 0 && this.#left !== Infinity;
    // The length that the answer to HEAD has is that of another answer.
    if (isShort) {
      this.refuse('its body is shorter than was announced');
      return;
    }
    this.#hasRemoteEnded = true;
    this.#host.keep(-this.#answer!.unreadBytes);
    this.#answer!.ends(trailers);
    this.#settle();
    if (this.#hasLocalEnded) this.#close();
  }

  #settle(): void {
    clearTimeout(this.#waiting);
    if (this.#isSettled) return;
    this.#isSettled = true;
    this.#options.caller.answered(this.#answer!);
  }

  readonly #abort = (): void => {
    if (!this.#isSettled) {
      this.#isSettled = true;
      this.#options.caller.failed(this.#options.signal.reason);
    }
    this.#end(errorCode.cancel, unavailable('it broke off its answer', 'nobody waits for it'));
  };

  #close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    clearTimeout(this.#waiting);
    this.#options.signal.removeEventListener('abort', this.#abort);
    if (!this.#hasRemoteEnded && this.#answer !== undefined) this.#host.keep(-this.#answer.unreadBytes);
    this.unsent = undefined;
    this.#host.release(this);
    this.#sent?.();
    this.#sent = undefined;
  }
}

const noFields: readonly HeaderField[] = [];
const mostInformational = 16;
/** What one call can have unread in memory. */
export const streamWindowBytes = 256 * 1024;
/** Of a body that nobody reads yet, before its head is passed on. */
const mostKeptBytes = 64 * 1024;
