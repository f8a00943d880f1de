import type Protocol from 'ssh2/lib/protocol/Protocol.js';
import { GatewayFault } from '../../core/fault.ts';

/** False: refused. With bytes: granted, and they belong to the answer. */
export type GlobalAnswer = boolean | Uint8Array;
/** A function is called when its turn has come: what it returns is sent then. */
export type GlobalReply = GlobalAnswer | (() => GlobalAnswer);

/**
 * Global requests of one connection, both ways (RFC 4254 section 4). Answers carry no number: they are told apart by their order alone. So whatever is asked here is
 * kept in order with the pings, and what the peer asks is answered in its order, however long one of its requests waits for people.
 */
export class GlobalRequests {
  readonly #protocol: () => Protocol;
  /** What the peer has not answered. Undefined: a ping, of which the answer says nothing. */
  #asked: (Asked | undefined)[] = [];
  /** What the peer is not answered yet. */
  #owed: { answer: GlobalReply | undefined }[] = [];
  #over: GatewayFault | undefined;

  constructor(protocol: () => Protocol) {
    this.#protocol = protocol;
  }

  ping(): void {
    this.#asked.push(undefined);
    this.#protocol().ping();
  }

  /**
   * Sends one that wants a reply. What belongs to the answer (undefined: it is refused) is read by `read` before anything that the peer has sent behind it, and is a view. Resolves or
   * rejects as `read` returns or throws; rejects where the connection is lost.
   */
  ask<T>(send: (protocol: Protocol) => void, read: (answer: Uint8Array | undefined) => T): Promise<T> {
    if (this.#over !== undefined) return Promise.reject(this.#over);
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const answered = (answer: Uint8Array | undefined): void => {
      try {
        resolve(read(answer));
      } catch (error) {
        reject(error);
      }
    };
    this.#asked.push({ answered, reject });
    send(this.#protocol());
    return promise;
  }

  /** The peer's answer to the oldest of what it was asked. An answer to nothing is none. */
  answered(data: Uint8Array | undefined): void {
    this.#asked.shift()?.answered(data);
  }

  /** A request of the peer. Throws `limit-exceeded` where too many wait. A promise that rejects is a refusal. */
  take(wantReply: boolean, answer: GlobalReply | Promise<GlobalReply>): void {
    if (!wantReply) {
      if (answer instanceof Promise) answer.then(answerOf, () => {});
      else answerOf(answer);
      return;
    }
    if (this.#owed.length >= mostOwed) throw new GatewayFault('limit-exceeded', { publicMessage: `more than ${mostOwed} requests wait` });
    const owed: { answer: GlobalReply | undefined } = { answer: answer instanceof Promise ? undefined : answer };
    this.#owed.push(owed);
    const settle = (settled: GlobalReply): void => {
      owed.answer = settled;
      this.#answer();
    };
    if (answer instanceof Promise) answer.then(settle, () => settle(false));
    else this.#answer();
  }

  lost(fault: GatewayFault): void {
    this.#over = fault;
    this.#owed = [];
    for (const asked of this.#asked) asked?.reject(fault);
    this.#asked = [];
  }

  #answer(): void {
    for (let head = this.#owed[0]; head?.answer !== undefined; head = this.#owed[0]) {
      this.#owed.shift();
      const answer = answerOf(head.answer);
      if (answer === false) this.#protocol().requestFailure();
      else this.#protocol().requestSuccess(answer === true ? undefined : Buffer.from(answer));
    }
  }
}

interface Asked {
  readonly answered: (data: Uint8Array | undefined) => void;
  readonly reject: (fault: GatewayFault) => void;
}

function answerOf(reply: GlobalReply): GlobalAnswer {
  return typeof reply === 'function' ? reply() : reply;
}

const mostOwed = 256;
