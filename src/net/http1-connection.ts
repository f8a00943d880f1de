import type { Socket } from 'node:net';
import { GatewayFault, toFault } from '../core/fault.ts';
import { readAnswerMessage, type AnswerMessage } from '../protocols/http/index.ts';
import type { HeaderField } from '../protocols/request.ts';
import { malformed, unavailable } from './http-faults.ts';
import { Http1Answer, type AnswerSource } from './http1-answer.ts';
import { sendRequest, type Http1Request } from './http1-request.ts';
import type { StopSignal } from './stop.ts';

/** The target goes on in another protocol, and nobody reads the connection any more. */
export interface SwitchedProtocols {
  readonly fields: readonly HeaderField[];
  readonly socket: Socket;
  /** What came behind its head. */
  readonly unread: Uint8Array;
}

/** Closed before anything of an answer came: of a connection that was used before, probably before anything was read of the request. */
export const closedUnanswered = Symbol('closed unanswered');

/**
 * A connection to a target that speaks HTTP/1.1, for one request at a time (RFC 9112). Whatever is not regular closes it: bytes that no request waits for, an answer that is over before its
 * request was sent, anything malformed. So nothing that one answer leaves behind is taken for the next one.
 */
export class Http1Connection implements AnswerSource {
  readonly #socket: Socket;
  readonly #freed: (connection: Http1Connection) => void;
  readonly #closed: (connection: Http1Connection) => void;
  #waiting: Waiting | undefined;
  /** The beginning of a head. */
  #begun: Buffer | undefined;
  #informational = 0;
  #lastHead: { readonly text: string; readonly method: string; readonly message: AnswerMessage } | undefined;
  #answer: Http1Answer | undefined;
  #persists = false;
  #isSending = false;
  #error: Error | undefined;
  /** For how long the target keeps it open between requests, milliseconds, where it says so. */
  keptMs = Infinity;
  idleSinceMs = 0;

  /** `freed`: it takes another request. `closed`: it never will. */
  constructor(socket: Socket, freed: (connection: Http1Connection) => void, closed: (connection: Http1Connection) => void) {
    this.#socket = socket;
    this.#freed = freed;
    this.#closed = closed;
    socket.on('data', this.#onData).on('end', this.#onEnd).on('error', this.#onError).on('close', this.#onClose);
  }

  get isOpen(): boolean {
    return !this.#socket.destroyed && this.#socket.writable;
  }

  /** Resolves with the head of the answer. Rejects with `upstream-unavailable`, or with what the connection was destroyed with: until the head is there `signal` does that, with its reason. */
  send(request: Http1Request, signal?: StopSignal): Promise<Http1Answer | SwitchedProtocols | typeof closedUnanswered> {
    return new Promise((resolve, reject) => {
      this.#waiting = { method: request.method, upgrades: request.upgrades, signal, resolve, reject };
      signal?.addEventListener('abort', this.#abort);
      this.#isSending = true;
      this.#send(request);
    });
  }

  #send(request: Http1Request): void {
    try {
      const sent = sendRequest(this.#socket, request);
      if (sent === undefined) this.#isSending = false;
      else
        sent.then(
          () => (this.#isSending = false),
          (fault: GatewayFault) => this.destroy(fault),
        );
    } catch (error) {
      this.destroy(toFault(error));
    }
  }

  /** `fault`: what whoever waits for its answer is told. */
  destroy(fault: GatewayFault): void {
    this.#fail(fault);
    this.#socket.destroy();
  }

  close(): void {
    this.#socket.destroy();
  }

  resume(answer: Http1Answer): void {
    if (this.#answer === answer) this.#socket.resume();
  }

  pause(answer: Http1Answer): void {
    if (this.#answer === answer) this.#socket.pause();
  }

  abandon(answer: Http1Answer): void {
    if (this.#answer === answer) this.#socket.destroy();
  }

  /** Of a socket that is read without `data` events. */
  take(piece: Buffer): void {
    this.#onData(piece);
  }

  readonly #onData = (bytes: Buffer): void => {
    try {
      if (this.#waiting !== undefined) this.#head(bytes, this.#waiting);
      else if (this.#answer !== undefined) this.#body(this.#answer, bytes, 0);
      else this.#socket.destroy();
    } catch (error) {
      this.destroy(error instanceof GatewayFault && error.code === 'upstream-unavailable' ? error : malformed(String(error), error));
    }
  };

  #head(bytes: Buffer, waiting: Waiting): void {
    let unread = this.#begun === undefined ? bytes : Buffer.concat([this.#begun, bytes]);
    for (;;) {
      const end = unread.indexOf('\r\n\r\n');
      if (end > maxHeaderBytes || (end < 0 && unread.length > maxHeaderBytes)) throw malformed('its head is too long');
      if (end < 0) {
        this.#begun = unread;
        return;
      }
      const message = this.#message(unread.toString('latin1', 0, end), waiting.method);
      const behind = end + 4;
      if (message.status >= 200) {
        this.#begin(new Http1Answer(message, this), message.persists, unread, behind, waiting);
        this.#keepAlive(message.fields);
        return;
      }
      unread = unread.subarray(behind);
      if (message.status === 101) {
        this.#switch(message.fields, unread, waiting);
        return;
      }
      this.#informational += 1;
      if (this.#informational > mostInformational) throw malformed('it has too many informational answers');
    }
  }

  /** The head of an answer often is the one before, for as long as its Date is the same. */
  #message(text: string, method: string): AnswerMessage {
    const last = this.#lastHead;
    if (last?.text === text && last.method === method) return last.message;
    const message = readAnswerMessage(text, method);
    if (message === undefined) throw malformed('its head cannot be read in one way only');
    this.#lastHead = { text, method, message };
    return message;
  }

  #begin(answer: Http1Answer, persists: boolean, bytes: Buffer, behind: number, waiting: Waiting): void {
    this.#answer = answer;
    this.#persists = persists;
    // What is malformed so far is no answer at all.
    this.#body(answer, bytes, behind);
    this.#settle(waiting);
    this.#begun = undefined;
    this.#informational = 0;
    // Nobody reads it yet.
    if (!answer.isOver) this.#socket.pause();
    waiting.resolve(answer);
  }

  #body(answer: Http1Answer, bytes: Uint8Array, from: number): void {
    const end = answer.push(bytes, from);
    if (!answer.isOver) return;
    this.#answer = undefined;
    if (!this.#persists || this.#isSending || end < bytes.length || !this.isOpen) {
      this.#socket.destroy();
      return;
    }
    if (this.#socket.isPaused()) this.#socket.resume();
    this.#freed(this);
  }

  /** A hint that many servers give: their idle connections close then. */
  #keepAlive(fields: readonly HeaderField[]): void {
    const hint = fields.find(({ name }) => name === 'keep-alive');
    const seconds = hint === undefined ? undefined : /(?:^|[,;\s])timeout=(\d{1,6})/i.exec(hint.value)?.[1];
    this.keptMs = seconds === undefined ? Infinity : Number(seconds) * 1000 - keepAliveMarginMs;
  }

  #switch(fields: readonly HeaderField[], unread: Buffer, waiting: Waiting): void {
    if (!waiting.upgrades) throw unavailable('the target switched protocols without being asked to', 'unexpected 101');
    this.#settle(waiting);
    this.#socket.pause();
    // Whoever takes it is not there yet.
    this.#socket.on('error', () => {});
    this.#socket.off('data', this.#onData).off('end', this.#onEnd).off('error', this.#onError).off('close', this.#onClose);
    waiting.resolve({ fields, socket: this.#socket, unread });
  }

  readonly #onEnd = (): void => {
    if (this.#answer?.ended() === true) this.#answer = undefined;
    this.#socket.destroy();
  };

  readonly #onError = (error: Error): void => {
    this.#error = error;
  };

  readonly #onClose = (): void => {
    this.#closed(this);
    const waiting = this.#waiting;
    if (waiting !== undefined && this.#begun === undefined && this.#informational === 0) {
      this.#settle(waiting);
      waiting.resolve(closedUnanswered);
      return;
    }
    this.#fail(unavailable('connection refused, reset or timed out', this.#error?.message ?? 'it closed the connection', this.#error));
  };

  /** Nobody waits any more. */
  #settle({ signal }: Waiting): void {
    this.#waiting = undefined;
    signal?.removeEventListener('abort', this.#abort);
  }

  readonly #abort = (): void => this.destroy(this.#waiting?.signal?.reason as GatewayFault);

  #fail(fault: GatewayFault): void {
    const [waiting, answer] = [this.#waiting, this.#answer];
    if (waiting !== undefined) this.#settle(waiting);
    this.#answer = undefined;
    waiting?.reject(fault);
    answer?.fail(fault);
  }
}

interface Waiting {
  readonly method: string;
  /** It asked for another protocol. */
  readonly upgrades: boolean;
  readonly signal: StopSignal | undefined;
  readonly resolve: (answer: Http1Answer | SwitchedProtocols | typeof closedUnanswered) => void;
  readonly reject: (fault: GatewayFault) => void;
}

const maxHeaderBytes = 64 * 1024;
const mostInformational = 16;
/** On the way to the target it may close the connection. */
const keepAliveMarginMs = 1_000;
