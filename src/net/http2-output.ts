import type { Socket } from 'node:net';
import { errorCode, FrameWriter, Http2Violation } from '../protocols/http2/index.ts';
import { togetherAtMost } from './http2-arrivals.ts';

/** What goes out on a connection: what is written in one turn of the event loop, whichever calls it belongs to, together. */
export class Http2Output {
  readonly #socket: Socket;
  readonly #writer = new FrameWriter();
  #isScheduled = false;
  /** That were written and not flushed. */
  #requests = 0;
  /** Replies that the socket has not taken, and those of them that it was not given yet. */
  #replies = 0;
  #newReplies = 0;
  #waiting: (() => void)[] = [];

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('drain', () => this.#release()).on('close', () => this.#release());
  }

  /** To be written to at once: it goes out by itself. */
  get frames(): FrameWriter {
    if (!this.#isScheduled) {
      this.#isScheduled = true;
      setImmediate(() => {
        this.#isScheduled = false;
        this.flush();
      });
    }
    return this.#writer;
  }

  /** A request was written. A few of them go out before the turn ends: the target works on them meanwhile. */
  requested(): void {
    this.#requests += 1;
    if (this.#requests === togetherAtMost) this.flush();
  }

  /** The same for what the target makes us say. Throws `Http2Violation` where it goes on asking and does not read the answers. */
  get replies(): FrameWriter {
    this.#replies += 1;
    this.#newReplies += 1;
    if (this.#replies > mostReplies) throw new Http2Violation(errorCode.enhanceYourCalm, 'answers that nobody reads');
    return this.frames;
  }

  flush(): void {
    this.#requests = 0;
    const pieces = this.#writer.take();
    const socket = this.#socket;
    if (socket.destroyed || !socket.writable) return;
    if (pieces.length > 1) socket.cork();
    for (const piece of pieces) socket.write(piece);
    if (pieces.length > 1) socket.uncork();
    if (this.#newReplies > 0) this.#countOut(socket);
  }

  /** Resolves when there is room, or the connection is closed. Undefined: there is room now. */
  room(): Promise<void> | undefined {
    if (!this.#socket.writableNeedDrain || this.#socket.destroyed) return undefined;
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  #countOut(socket: Socket): void {
    const replies = this.#newReplies;
    this.#newReplies = 0;
    // Called once all that was written before is out.
    socket.write(nothing, () => (this.#replies -= replies));
  }

  #release(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }
}

/** That may wait to be read. */
const mostReplies = 1_000;
const nothing = new Uint8Array(0);
