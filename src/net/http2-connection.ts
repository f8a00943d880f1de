import type { Socket } from 'node:net';
import { GatewayFault } from '../core/fault.ts';
import {
  errorCode,
  FrameReader,
  HpackDecoder,
  HpackEncoder,
  Http2Violation,
  initialWindowBytes,
  maxListBytes,
  maxWindowBytes,
  readServerSettings,
  setting,
  type RequestHead,
  type ServerFrames,
  type Setting,
} from '../protocols/http2/index.ts';
import { malformed, unavailable } from './http-faults.ts';
import type { Forwarded, ForwardedBody } from './http-upstream.ts';
import { Http2Output } from './http2-output.ts';
import { Http2Sending } from './http2-sending.ts';
import { Http2Stream, streamWindowBytes, type Http2StreamOptions, type StreamHost } from './http2-stream.ts';

/**
 * A connection to a target that speaks HTTP/2 (RFC 9113), shared by all who call it. What one stream does wrong ends that stream; what leaves the two ends with different ideas of the connection (its frames, its
 * compression, its windows) ends the connection, with every call on it. Nothing that the target sends makes it keep more than `mostUnreadBytes`, and nothing that it repeats goes on for ever.
 */
export class Http2Connection implements ServerFrames, StreamHost {
  readonly #socket: Socket;
  readonly #output: Http2Output;
  readonly #sending: Http2Sending;
  readonly #reader = new FrameReader(this);
  readonly #decoder = new HpackDecoder();
  readonly #encoder = new HpackEncoder();
  readonly #streams = new Map<number, Http2Stream>();
  readonly #begun: PromiseWithResolvers<void> = Promise.withResolvers();
  /** Of the bytes that are being read: streams that something came for. */
  #touched: Http2Stream[] = [];
  #nextStream = 1;
  #mostStreams = fewStreams;
  #streamWindow: number = initialWindowBytes;
  #receiveWindow = connectionWindowBytes;
  #unreadBytes = 0;
  #idleFrames = 0;
  #framesSent = 0;
  #isDraining = false;
  #error: Error | undefined;
  #pinged: (() => void) | undefined;
  idleSinceMs = Date.now();

  constructor(socket: Socket) {
    this.#socket = socket;
    this.#output = new Http2Output(socket);
    this.#sending = new Http2Sending(this.#output);
    this.#begun.promise.catch(() => {});
    socket.on('data', this.#onData).on('end', () => socket.destroy());
    socket.on('error', (error) => (this.#error = error)).on('close', this.#onClose);
    const { frames } = this.#output;
    frames.preface();
    frames.settings([
      [setting.enablePush, 0],
      [setting.initialWindowSize, streamWindowBytes],
      [setting.maxHeaderListSize, maxListBytes],
    ]);
    frames.windowUpdate(0, connectionWindowBytes - initialWindowBytes);
  }

  /** Resolves when the target has begun, too. Rejects with `upstream-unavailable`. */
  begun(): Promise<void> {
    return this.#begun.promise;
  }

  /** It takes another stream now. */
  get hasRoom(): boolean {
    return this.isOpen && this.#streams.size < this.#mostStreams;
  }

  get isOpen(): boolean {
    return !this.#isDraining && !this.#socket.destroyed && this.#socket.writable;
  }

  get streams(): number {
    return this.#streams.size;
  }

  /** Sends a request. `trailers`: as in `Forwarded`. Throws `internal` for what cannot stand in a head. */
  call(head: RequestHead, body: ForwardedBody, trailers: Forwarded['trailers'], options: Http2StreamOptions): void {
    const block = this.#encoder.write(head);
    if (block === undefined) throw cannotStand();
    const stream = new Http2Stream(this.#nextStream, this.#streamWindow, this, options, () => this.#behind(trailers));
    this.#streams.set(stream.id, stream);
    this.#nextStream += 2;
    if (this.#nextStream > lastStream) this.drain();
    const isBodiless = body.kind === 'none' || (body.kind === 'whole' && body.bytes.length === 0 && (trailers?.() ?? []).length === 0);
    this.#output.frames.headers(stream.id, block, isBodiless);
    if (isBodiless) stream.sent(true);
    else if (body.kind === 'whole') this.#sending.send(stream, body.bytes, true);
    else if (body.kind === 'streamed') void this.#sending.sendPieces(stream, body.pieces);
    this.#output.requested();
  }

  #behind(trailers: Forwarded['trailers']): Uint8Array | undefined {
    const fields = trailers?.() ?? [];
    if (fields.length === 0) return undefined;
    const block = this.#encoder.writeTrailers(fields);
    if (block === undefined) throw cannotStand();
    return block;
  }

  /** Asks for a sign of life; calls back when it comes. */
  probe(answered: () => void): void {
    this.#pinged = answered;
    this.#idleFrames = 0;
    this.#output.frames.ping(pingBytes, false);
  }

  /** It ends when nothing runs on it any more. */
  drain(): void {
    this.#isDraining = true;
    if (this.#streams.size > 0 || this.#socket.destroyed) return;
    this.#output.frames.goAway(errorCode.noError);
    this.#output.flush();
    this.#socket.destroySoon();
  }

  /** `fault`: what all who wait for an answer are told. */
  destroy(fault: GatewayFault): void {
    this.#isDraining = true;
    this.#socket.destroy();
    this.#begun.reject(fault);
    for (const stream of this.#streams.values()) stream.fail(fault);
  }

  onClosed(closed: () => void): void {
    this.#socket.on('close', closed);
  }

  // ---- what a stream asks for

  keep(bytes: number): void {
    this.#unreadBytes += bytes;
    if (bytes < 0) this.#widen();
  }

  widenStream(stream: number, bytes: number): void {
    this.#output.frames.windowUpdate(stream, bytes);
  }

  resetStream(stream: number, code: number): void {
    this.#output.frames.reset(stream, code);
  }

  release(stream: Http2Stream): void {
    this.#streams.delete(stream.id);
    this.#sending.forget(stream);
    this.idleSinceMs = Date.now();
    if (this.#isDraining) this.drain();
  }

  // ---- what the target says

  data(id: number, piece: Uint8Array, windowBytes: number, endsStream: boolean): void {
    this.#receiveWindow -= windowBytes;
    if (this.#receiveWindow < 0) throw new Http2Violation(errorCode.flowControlError, 'more than the connection has room for');
    const stream = this.#stream(id);
    if (stream === undefined || !stream.data(piece, windowBytes, endsStream)) this.#idle();
    else this.#progress(stream);
    this.#widen();
  }

  headers(id: number, block: Uint8Array, endsStream: boolean): void {
    const stream = this.#stream(id);
    // Also of one that nobody waits for: the next block may need what it says.
    const decoded = this.#decoder.read(block);
    if (stream === undefined || !stream.headers(decoded, endsStream)) this.#idle();
    else this.#progress(stream);
  }

  reset(id: number, code: number): void {
    this.#idle();
    this.#stream(id)?.reset(code);
  }

  settings(settings: readonly Setting[]): void {
    this.#idle();
    const { tableBytes, concurrentStreams, windowBytes } = readServerSettings(settings);
    if (tableBytes !== undefined) this.#encoder.allow(tableBytes);
    if (concurrentStreams !== undefined) this.#mostStreams = Math.min(concurrentStreams, mostStreams);
    if (windowBytes !== undefined) this.#resizeWindows(windowBytes);
    this.#output.replies.acknowledgeSettings();
    this.#begun.resolve();
  }

  ping(opaque: Uint8Array, isAnswer: boolean): void {
    this.#idle();
    if (!isAnswer) this.#output.replies.ping(opaque, true);
    else this.#pinged?.();
  }

  goAway(last: number, _code: number): void {
    this.#idle();
    this.#isDraining = true;
    for (const stream of this.#streams.values()) if (stream.id > last) stream.refused();
    this.drain();
  }

  windowUpdate(id: number, bytes: number): void {
    this.#idle();
    if (id === 0) {
      if (bytes === 0) throw new Http2Violation(errorCode.protocolError, 'a window is widened by nothing');
      this.#sending.widen(bytes);
      return;
    }
    const stream = this.#stream(id);
    if (stream === undefined) return;
    if (bytes === 0) stream.refuse('a window is widened by nothing');
    else if (stream.sendWindow + bytes > maxWindowBytes) stream.refuse('a window is too large', errorCode.flowControlError);
    else {
      stream.sendWindow += bytes;
      this.#sending.resume();
    }
  }

  other(): void {
    this.#idle();
  }

  /** Those of streams that run, too (RFC 9113 section 6.9.2). */
  #resizeWindows(bytes: number): void {
    const change = bytes - this.#streamWindow;
    this.#streamWindow = bytes;
    for (const stream of this.#streams.values()) {
      stream.sendWindow += change;
      if (stream.sendWindow > maxWindowBytes) throw new Http2Violation(errorCode.flowControlError, 'a window is too large');
    }
    this.#sending.resume();
  }

  /** Undefined for one that is closed: what is still on its way to it is stepped over (section 5.1). */
  #stream(id: number): Http2Stream | undefined {
    if (id % 2 === 0 || id >= this.#nextStream) throw new Http2Violation(errorCode.protocolError, 'a stream that was not begun');
    return this.#streams.get(id);
  }

  #progress(stream: Http2Stream): void {
    this.#idleFrames = 0;
    if (this.#touched.at(-1) !== stream) this.#touched.push(stream);
  }

  /** A frame that brings no answer forward. What we send may be answered by as many as the target likes. */
  #idle(): void {
    const { frames } = this.#sending;
    this.#idleFrames = frames === this.#framesSent ? this.#idleFrames + 1 : 1;
    this.#framesSent = frames;
    if (this.#idleFrames > mostIdleFrames) throw new Http2Violation(errorCode.enhanceYourCalm, 'too many frames that say nothing');
  }

  /** Of the connection's window, what was used: not kept back by one reader who is slow, only by many of them. */
  #widen(): void {
    const room = connectionWindowBytes - this.#receiveWindow;
    if (room < connectionWindowBytes / 2 || this.#unreadBytes > mostUnreadBytes - connectionWindowBytes) return;
    this.#receiveWindow += room;
    this.#output.frames.windowUpdate(0, room);
  }

  readonly #onData = (bytes: Buffer): void => {
    try {
      this.#reader.receive(bytes);
    } catch (error) {
      this.#output.frames.goAway(error instanceof Http2Violation ? error.code : errorCode.internalError);
      this.#output.flush();
      this.destroy(malformed(String(error), error));
    }
    for (const stream of this.#touched) stream.turnEnds();
    this.#touched = [];
  };

  readonly #onClose = (): void => {
    this.destroy(unavailable('connection refused, reset or timed out', this.#error?.message ?? 'it closed the connection', this.#error));
  };
}

function cannotStand(): GatewayFault {
  return new GatewayFault('internal', { publicMessage: 'internal gateway error', detail: 'something cannot stand in a head' });
}

const pingBytes = new Uint8Array(8);
/** Until the target says how many it takes. */
const fewStreams = 100;
const mostStreams = 250;
const lastStream = 2 ** 31 - 1;
/** How much the target may send before it hears that some of it was taken. */
const connectionWindowBytes = 4 * 1024 * 1024;
/** Of all answers together, in memory: half of what all streams could hold. */
const mostUnreadBytes = 32 * 1024 * 1024;
/** In a row, and since a sign of life was asked for. */
const mostIdleFrames = 10_000;
