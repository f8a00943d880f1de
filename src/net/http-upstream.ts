import { Agent as HttpAgent, request as requestPlain, type ClientRequest, type IncomingMessage } from 'node:http';
import { Agent as HttpsAgent, request as requestTls } from 'node:https';
import { isIP } from 'node:net';
import type { Duplex } from 'node:stream';
import { GatewayFault } from '../core/fault.ts';
import { isGenuine, type Grant } from '../core/grant.ts';
import type { HeaderField } from '../protocols/request.ts';
import { sendPieces } from './http-pieces.ts';
import { answerOfHttp1, type Upstream, type UpstreamAnswer } from './http-upstream-answer.ts';
import type { UpgradeName } from '../protocols/tunnel.ts';
import { upgradeOf, upgradeRequest, type Upgraded } from './http-upgrade.ts';
import type { UpstreamAddress } from './upstream.ts';

/** What is forwarded. */
export interface Forwarded {
  readonly method: string;
  /** In origin form. */
  readonly target: string;
  readonly fields: readonly HeaderField[];
  readonly body: ForwardedBody;
}

export type ForwardedBody =
  | { readonly kind: 'none' }
  | { readonly kind: 'whole'; readonly bytes: Uint8Array }
  /** `write` gives each piece and waits for room; `octets`: undefined where the length is not known. */
  | { readonly kind: 'streamed'; readonly octets: number | undefined; readonly pieces: AsyncIterable<Uint8Array> };

/**
 * The connections to one HTTP target: HTTP/1.1, kept alive, one request at a time on each. Names are resolved once for each connection, which then is
 * verified against the name; no TLS session is resumed. Redirects are answers like any other. A connection on which anything comes between two
 * answers would have it taken for the next one's; Node's agent closes it, and `conformance/http/transport.test.ts` sees that it does.
 */
export class HttpUpstream implements Upstream {
  readonly #address: UpstreamAddress;
  readonly #agent: HttpAgent;
  /** For connections that serve one request. */
  readonly #single: HttpAgent;

  constructor(address: UpstreamAddress) {
    this.#address = address;
    // `timeout` closes idle connections only: no request of ours listens to it.
    const options = { keepAlive: true, maxFreeSockets: 64, scheduling: 'lifo', timeout: idleTimeoutMs } as const;
    const { tls, host } = address;
    const single = { keepAlive: false, allowHalfOpen: true };
    const secured =
      tls === undefined
        ? undefined
        : {
            maxCachedSessions: 0,
            minVersion: 'TLSv1.2' as const,
            rejectUnauthorized: tls.verifyChain,
            ...(isIP(host) === 0 ? { servername: host } : {}),
            ...(tls.verifyName ? {} : { checkServerIdentity: () => undefined }),
            ...(tls.ca === undefined ? {} : { ca: tls.ca }),
            ...(tls.certificate === undefined ? {} : { cert: tls.certificate }),
            ...(tls.key === undefined ? {} : { key: tls.key }),
          };
    this.#agent = secured === undefined ? new HttpAgent(options) : new HttpsAgent({ ...options, ...secured });
    this.#single = secured === undefined ? new HttpAgent(single) : new HttpsAgent({ ...single, ...secured });
  }

  async send(forwarded: Forwarded, grant: Grant, sessionId: string, signal: AbortSignal): Promise<UpstreamAnswer> {
    const first = await this.#try(forwarded, [], grant, sessionId, signal, this.#agent, answerOf);
    if (first !== 'stale') return answerOfHttp1(first);
    // Closed by the target while it was idle, and nothing of the request can have been read.
    const second = await this.#try(forwarded, [], grant, sessionId, signal, this.#agent, answerOf);
    if (second === 'stale') throw unavailable('the target closed the connection', 'closed again and again');
    return answerOfHttp1(second);
  }

  /** Asks for another protocol, on a connection of its own. An answer that is not 101 is one like any other. Throws as `send` does. */
  async upgrade(
    forwarded: Forwarded,
    protocol: UpgradeName,
    grant: Grant,
    sessionId: string,
    signal: AbortSignal,
  ): Promise<Upgraded | UpstreamAnswer> {
    const asked = upgradeRequest(protocol);
    const answer = await this.#try(forwarded, asked.fields, grant, sessionId, signal, this.#single, (request) => upgradeOf(request, asked));
    // Its connection was never used before.
    if (answer === 'stale') throw unavailable('the target closed the connection', 'closed at once');
    return 'unread' in answer ? answer : answerOfHttp1(answer);
  }

  close(): void {
    this.#agent.destroy();
  }

  #try<T>(
    forwarded: Forwarded,
    more: readonly HeaderField[],
    grant: Grant,
    sessionId: string,
    signal: AbortSignal,
    agent: HttpAgent,
    answered: (request: ClientRequest) => Promise<T>,
  ): Promise<T | 'stale'> {
    if (!isGenuine(grant, sessionId)) {
      throw new GatewayFault('internal', { publicMessage: 'internal gateway error', detail: 'forward without a genuine grant' });
    }
    signal.throwIfAborted();
    const { host, port, tls } = this.#address;
    const { body } = forwarded;
    const request = (tls === undefined ? requestPlain : requestTls)({
      agent,
      host,
      port,
      method: forwarded.method,
      path: forwarded.target,
      headers: [{ name: 'host', value: hostOf(this.#address) }, ...forwarded.fields, ...more, ...framing(forwarded)].flatMap(
        ({ name, value }) => [name, value],
      ),
      maxHeaderSize: maxHeaderBytes,
      insecureHTTPParser: false,
    });
    return new Promise((resolve, reject) => {
      const abort = (): void => void request.destroy(signal.reason as Error);
      signal.addEventListener('abort', abort, { once: true });
      // What was switched to has a life of its own.
      for (const event of ['close', 'upgrade']) request.once(event, () => signal.removeEventListener('abort', abort));
      const connecting = setTimeout(
        () => request.destroy(unavailable('connection timed out', `not connected within ${connectTimeoutMs} ms`)),
        connectTimeoutMs,
      );
      request.once('socket', (socket: Duplex) => {
        const connected = (): void => clearTimeout(connecting);
        if (request.reusedSocket) connected();
        else socket.once(tls === undefined ? 'connect' : 'secureConnect', connected);
      });
      request.on('error', (error: NodeJS.ErrnoException) => {
        clearTimeout(connecting);
        if (signal.aborted) reject(signal.reason as Error);
        else if (error instanceof GatewayFault) reject(error);
        else if (request.reusedSocket && error.code === 'ECONNRESET' && isRepeatable(forwarded)) resolve('stale');
        else reject(faultOf(error));
      });
      void answered(request).then(resolve, reject);
      if (body.kind === 'streamed') void sendPieces(request, body.pieces, (error) => request.destroy(brokenOff(error)));
      else if (body.kind === 'whole') request.end(body.bytes);
      else request.end();
    });
  }
}

/** Nothing more is forwarded of a body whose sender went away: the target sees that it is not whole. */
function brokenOff(error: unknown): GatewayFault {
  return unavailable('the client went away in the middle of the body', String(error));
}

function answerOf(request: ClientRequest): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    request.once('response', resolve);
    request.once('upgrade', (_answer, socket: Duplex) => {
      socket.destroy();
      reject(unavailable('the target switched protocols without being asked to', 'unexpected 101'));
    });
  });
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

/** Every request is framed anew. */
function framing({ method, body }: Forwarded): readonly HeaderField[] {
  switch (body.kind) {
    case 'none':
      // Left to itself, Node sends an empty chunked body where another method than these has none.
      return usuallyBodiless.has(method) ? [] : [{ name: 'content-length', value: '0' }];
    case 'whole':
      return [{ name: 'content-length', value: String(body.bytes.length) }];
    case 'streamed':
      return body.octets === undefined
        ? [{ name: 'transfer-encoding', value: 'chunked' }]
        : [{ name: 'content-length', value: String(body.octets) }];
    default:
      return body satisfies never;
  }
}

function faultOf(error: NodeJS.ErrnoException): GatewayFault {
  const code = error.code ?? '';
  if (REFUSED.test(code)) {
    return new GatewayFault('upstream-refused', {
      publicMessage: 'the target cannot be reached: TLS with the target failed',
      detail: error.message,
      cause: error,
    });
  }
  const what = code.startsWith('HPE_') ? 'its answer is malformed' : 'connection refused, reset or timed out';
  return unavailable(what, error.message, error);
}

function unavailable(what: string, detail: string, cause?: unknown): GatewayFault {
  return new GatewayFault('upstream-unavailable', { publicMessage: `the target cannot be reached: ${what}`, detail, cause });
}

/** Codes of OpenSSL's verification and of Node's own name check. */
const REFUSED = /CERT|ERR_TLS|ERR_SSL|SELF_SIGNED|UNABLE_TO|EPROTO/;
const connectTimeoutMs = 10_000;
/** Less than most servers keep a connection open. */
const idleTimeoutMs = 4_000;
const maxHeaderBytes = 64 * 1024;
const usuallyBodiless: ReadonlySet<string> = new Set(['GET', 'HEAD', 'DELETE', 'OPTIONS']);
