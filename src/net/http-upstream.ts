import type { Socket } from 'node:net';
import { GatewayFault } from '../core/fault.ts';
import { isGenuine, type Grant } from '../core/grant.ts';
import type { HeaderField } from '../protocols/request.ts';
import type { UpgradeName } from '../protocols/tunnel.ts';
import { untilAborted } from './http-aborted.ts';
import { unavailable } from './http-faults.ts';
import type { Upstream, UpstreamAnswer } from './http-upstream-answer.ts';
import { upgradeRequest } from './http-upgrade.ts';
import type { Http1Answer } from './http1-answer.ts';
import { closedUnanswered, Http1Connection, type SwitchedProtocols } from './http1-connection.ts';
import { Http1Idle } from './http1-idle.ts';
import type { Http1Request } from './http1-request.ts';
import type { StopSignal } from './stop.ts';
import { dial, encrypt, type UpstreamAddress } from './upstream.ts';

/** What is forwarded. */
export interface Forwarded {
  readonly method: string;
  /** In origin form. */
  readonly target: string;
  readonly fields: readonly HeaderField[];
  readonly body: ForwardedBody;
  /** What goes behind the body; asked for when all of that was sent. */
  readonly trailers?: (() => readonly HeaderField[]) | undefined;
  /** All of its answer may be waited for, a moment long. */
  readonly hasShortAnswer?: boolean | undefined;
}

export type ForwardedBody =
  | { readonly kind: 'none' }
  | { readonly kind: 'whole'; readonly bytes: Uint8Array }
  /** `octets`: undefined where the length is not known. */
  | { readonly kind: 'streamed'; readonly octets: number | undefined; readonly pieces: AsyncIterable<Uint8Array> };

/**
 * The connections to one HTTP target: HTTP/1.1, kept alive, one request at a time on each. Names are resolved once for each connection, which then is
 * verified against the name; no TLS session is resumed. Redirects are answers like any other.
 */
export class HttpUpstream implements Upstream {
  readonly #address: UpstreamAddress;
  readonly #host: string;
  readonly #idle = new Http1Idle();

  constructor(address: UpstreamAddress) {
    this.#address = address;
    this.#host = hostOf(address);
  }

  async send(forwarded: Forwarded, grant: Grant, sessionId: string, signal: StopSignal): Promise<UpstreamAnswer> {
    const request: Http1Request = { ...forwarded, host: this.#host, upgrades: false };
    const kept = this.#idle.take();
    if (kept !== undefined) {
      const answer = await exchange(kept, request, grant, sessionId, signal);
      if (answer !== closedUnanswered) return answer as Http1Answer;
      // Closed by the target while it was idle, and nothing of the request can have been read.
      if (!isRepeatable(forwarded)) throw unavailable('connection refused, reset or timed out', 'an idle connection was closed');
    }
    const answer = await exchange(await this.#connect(signal), request, grant, sessionId, signal);
    if (answer === closedUnanswered) throw closedAtOnce();
    return answer as Http1Answer;
  }

  /** Asks for another protocol, on a connection of its own. An answer that is not 101 is one like any other. Throws as `send` does. */
  async upgrade(
    forwarded: Forwarded,
    protocol: UpgradeName,
    grant: Grant,
    sessionId: string,
    signal: StopSignal,
  ): Promise<SwitchedProtocols | UpstreamAnswer> {
    const { fields, verify } = upgradeRequest(protocol);
    const connection = await this.#connect(signal, true);
    const request = { ...forwarded, fields: [...forwarded.fields, ...fields], host: this.#host, upgrades: true };
    const answer = await exchange(connection, request, grant, sessionId, signal);
    if (answer === closedUnanswered) throw closedAtOnce();
    if (!('unread' in answer)) return answer;
    try {
      verify(answer.fields);
      return answer;
    } catch (error) {
      answer.socket.destroy();
      throw error;
    }
  }

  close(): void {
    this.#idle.close();
  }

  /** `isSingle`: for one request, whose answer may go on when we have nothing more to say. */
  #connect(signal: StopSignal, isSingle = false): Promise<Http1Connection> {
    const opening = this.#open(isSingle);
    return untilAborted(opening, signal).catch((error: unknown) => {
      opening.then(
        (connection) => connection.close(),
        () => {},
      );
      throw error;
    });
  }

  async #open(isSingle: boolean): Promise<Http1Connection> {
    const idle = this.#idle;
    const connectionOn = (socket: Socket): Http1Connection =>
      new Http1Connection(
        socket,
        (connection) => (isSingle ? connection.close() : idle.put(connection)),
        (connection) => idle.remove(connection),
      );
    if (this.#address.tls === undefined && !isSingle) {
      let connection: Http1Connection | undefined;
      let isEarly = false;
      const socket = await dial(this.#address, (piece) => {
        if (connection === undefined) isEarly = true;
        else connection.take(piece);
      });
      connection = connectionOn(socket);
      // It speaks before it was asked.
      if (isEarly) connection.close();
      return connection;
    }
    const plain = await dial(this.#address);
    const socket = this.#address.tls === undefined ? plain : await encrypt(plain, this.#address, 'http/1.1');
    socket.allowHalfOpen = isSingle;
    return connectionOn(socket);
  }
}

/** One request on a connection that is free. */
function exchange(
  connection: Http1Connection,
  request: Http1Request,
  grant: Grant,
  sessionId: string,
  signal: StopSignal,
): ReturnType<Http1Connection['send']> {
  // After the last wait: what was revoked meanwhile does not go.
  if (isGenuine(grant, sessionId) && !signal.aborted) return connection.send(request, signal);
  connection.close();
  signal.throwIfAborted();
  throw new GatewayFault('internal', { publicMessage: 'internal gateway error', detail: 'forward without a genuine grant' });
}

/** Only what changes nothing is ever sent twice. */
export function isRepeatable({ method, body }: Forwarded): boolean {
  return body.kind !== 'streamed' && (method === 'GET' || method === 'HEAD' || method === 'OPTIONS' || method === 'QUERY');
}

/** What the Host field says. */
export function hostOf({ host, port, tls }: UpstreamAddress): string {
  const name = host.includes(':') ? `[${host}]` : host;
  return port === (tls === undefined ? 80 : 443) ? name : `${name}:${port}`;
}

function closedAtOnce(): GatewayFault {
  return unavailable('the target closed the connection', 'it closed a new connection without an answer');
}
