import { GatewayFault } from '../core/fault.ts';
import { isGenuine, type Grant } from '../core/grant.ts';
import type { RequestHead } from '../protocols/http2/index.ts';
import { untilAborted } from './http-aborted.ts';
import { unavailable } from './http-faults.ts';
import { hostOf, type Forwarded } from './http-upstream.ts';
import type { Upstream, UpstreamAnswer } from './http-upstream-answer.ts';
import type { Http2Connection } from './http2-connection.ts';
import { openHttp2 } from './http2-open.ts';
import type { StopSignal } from './stop.ts';
import type { UpstreamAddress } from './upstream.ts';

/**
 * The connections to one target that speaks HTTP/2: as many streams on each as the target takes, and another connection when all are full. What
 * the target refuses before it looks at it (REFUSED_STREAM; a stream above the last one of a GOAWAY) is sent once more on another connection, where all of it is there.
 */
export class Http2Upstream implements Upstream {
  readonly #address: UpstreamAddress;
  readonly #scheme: RequestHead['scheme'];
  readonly #authority: string;
  readonly #shortAnswerMs: number;
  #connections: Http2Connection[] = [];
  #opening: Promise<Http2Connection> | undefined;
  #isClosed = false;

  /** `shortAnswerMs`: how long the head of a short answer waits for the rest, which servers send along with it, or a turn later. */
  constructor(address: UpstreamAddress, shortAnswerMs = 10) {
    this.#address = address;
    this.#scheme = address.tls === undefined ? 'http' : 'https';
    this.#authority = hostOf(address);
    this.#shortAnswerMs = shortAnswerMs;
  }

  send(forwarded: Forwarded, grant: Grant, sessionId: string, signal: StopSignal): Promise<UpstreamAnswer> {
    return new Promise((resolve, reject) => {
      this.#try({ forwarded, grant, sessionId, signal, resolve, reject, triesLeft: mostTries, opened: 0 });
    });
  }

  close(): void {
    this.#isClosed = true;
    for (const connection of this.#connections) connection.drain();
  }

  /** Throws what `send` rejects with, or sees to it later. */
  #try(sending: Sending): void {
    sending.signal.throwIfAborted();
    const connection = this.#free();
    if (connection !== undefined) {
      this.#call(connection, sending);
      return;
    }
    if (sending.opened >= mostConnections) throw tooMany();
    // Others who wait for it may be first: then it is full.
    untilAborted(this.#open(), sending.signal)
      .then(() => this.#try({ ...sending, opened: sending.opened + 1 }))
      .catch(sending.reject);
  }

  #call(connection: Http2Connection, sending: Sending): void {
    const { forwarded, grant, sessionId, signal, resolve, reject } = sending;
    // After the last wait: what was revoked meanwhile does not go.
    if (!isGenuine(grant, sessionId)) {
      throw new GatewayFault('internal', { publicMessage: 'internal gateway error', detail: 'forward without a genuine grant' });
    }
    const { method, target, fields, body, trailers, hasShortAnswer } = forwarded;
    const head = { method, scheme: this.#scheme, authority: this.#authority, path: target, fields };
    connection.call(head, body, trailers, {
      method,
      waitMs: hasShortAnswer === true ? this.#shortAnswerMs : 0,
      isWhole: body.kind !== 'streamed',
      signal,
      caller: { answered: resolve, failed: reject, refused: () => this.#again(sending) },
    });
  }

  #again(sending: Sending): void {
    if (sending.triesLeft <= 1) {
      sending.reject(unavailable('it refused the call twice', 'REFUSED_STREAM'));
      return;
    }
    try {
      this.#try({ ...sending, triesLeft: sending.triesLeft - 1 });
    } catch (error) {
      sending.reject(error);
    }
  }

  #free(): Http2Connection | undefined {
    for (const connection of this.#connections) if (connection.hasRoom) return connection;
    return undefined;
  }

  /** One at a time: those who wait share it, as far as it has room. */
  async #open(): Promise<void> {
    this.#connections = this.#connections.filter(({ isOpen }) => isOpen);
    if (this.#isClosed) throw unavailable('the gateway closes its connections', 'closed');
    if (this.#connections.length >= mostConnections) throw tooMany();
    this.#opening ??= openHttp2(this.#address).finally(() => {
      this.#opening = undefined;
    });
    const opened = await this.#opening;
    if (!this.#connections.includes(opened)) this.#connections.push(opened);
    if (this.#isClosed) opened.drain();
  }
}

function tooMany(): GatewayFault {
  return unavailable('too many calls run there', 'no stream is free');
}

interface Sending {
  readonly forwarded: Forwarded;
  readonly grant: Grant;
  readonly sessionId: string;
  readonly signal: StopSignal;
  readonly resolve: (answer: UpstreamAnswer) => void;
  readonly reject: (reason: unknown) => void;
  readonly triesLeft: number;
  /** Connections that were opened for it. */
  readonly opened: number;
}

const mostTries = 2;
const mostConnections = 16;
