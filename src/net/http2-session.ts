import { connect, constants, type ClientHttp2Session, type ClientHttp2Stream } from 'node:http2';
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { GatewayFault } from '../core/fault.ts';
import { dial, encrypt, type UpstreamAddress } from './upstream.ts';

/** One HTTP/2 connection to a target. */
export class Http2Connection {
  readonly #session: ClientHttp2Session;
  readonly #watch: NodeJS.Timeout;
  #streams = 0;
  #isDraining = false;
  #idleSince = Date.now();
  #pinging = false;

  constructor(session: ClientHttp2Session) {
    this.#session = session;
    // The target takes no new streams here; those that run go on. Node destroys a connection that ends in an error.
    session.on('goaway', () => this.drain());
    session.on('close', () => this.#ended());
    // Whoever waits on one of its streams is told there.
    session.on('error', () => this.drain());
    session.on('stream', (stream: ClientHttp2Stream) => stream.close(constants.NGHTTP2_REFUSED_STREAM));
    this.#watch = setInterval(() => this.#look(), watchEveryMs);
    this.#watch.unref();
  }

  /** It takes another stream now. */
  get hasRoom(): boolean {
    return this.isOpen && this.#streams < Math.min(this.#session.remoteSettings?.maxConcurrentStreams ?? fewStreams, mostStreams);
  }

  get isOpen(): boolean {
    return !this.#isDraining && !this.#session.closed && !this.#session.destroyed;
  }

  /** `headers`: names and values in turn. Whoever takes a stream says when it is closed. */
  request(headers: readonly string[]): ClientHttp2Stream {
    const stream = this.#session.request(headers, keepsWriting);
    this.#streams += 1;
    return stream;
  }

  /** One of its streams is closed. */
  released(): void {
    this.#streams -= 1;
    this.#idleSince = Date.now();
  }

  /** It ends when nothing runs on it any more. */
  drain(): void {
    this.#isDraining = true;
    if (!this.#session.closed && !this.#session.destroyed) this.#session.close();
  }

  destroy(): void {
    this.#session.destroy();
  }

  #ended(): void {
    this.#isDraining = true;
    clearInterval(this.#watch);
  }

  /** A connection that is used must answer pings: else its streams would wait for a target that is gone. One that is not used closes. */
  #look(): void {
    if (this.#streams === 0) {
      if (Date.now() - this.#idleSince >= idleMs) this.drain();
      return;
    }
    if (this.#pinging || this.#session.destroyed) return;
    this.#pinging = true;
    const late = setTimeout(() => this.#session.destroy(new Error('the target does not answer pings')), pingTimeoutMs);
    late.unref();
    const answered = (): void => {
      clearTimeout(late);
      this.#pinging = false;
    };
    if (!this.#session.ping(answered)) answered();
  }
}

/**
 * Connects, verifies the target and begins HTTP/2: by ALPN over TLS (RFC 9113 section 3.2), with prior knowledge where the target does not encrypt (section 3.3). Throws
 * `upstream-unavailable` or `upstream-refused`.
 */
export async function openHttp2(address: UpstreamAddress): Promise<Http2Connection> {
  const plain = await dial(address);
  const socket = address.tls === undefined ? plain : await encrypt(plain, address, 'h2');
  if ('alpnProtocol' in socket && socket.alpnProtocol !== 'h2') {
    socket.destroy();
    throw new GatewayFault('upstream-refused', { publicMessage: 'the target cannot be reached: it does not speak HTTP/2' });
  }
  return new Http2Connection(await begin(socket, address));
}

function begin(socket: Socket | TLSSocket, { tls }: UpstreamAddress): Promise<ClientHttp2Session> {
  // The authority is each request's own; this one is for Node's bookkeeping.
  const session = connect(tls === undefined ? 'http://target' : 'https://target', {
    createConnection: () => socket,
    maxHeaderListPairs: mostHeaders,
    maxSessionMemory: 64,
    peerMaxConcurrentStreams: fewStreams,
    settings: { enablePush: false, initialWindowSize: streamWindowBytes, maxHeaderListSize: maxHeaderBytes },
  });
  return new Promise((resolve, reject) => {
    const fail = (detail: string, cause?: unknown): void => {
      clearTimeout(timer);
      session.destroy();
      reject(
        new GatewayFault('upstream-unavailable', {
          publicMessage: 'the target cannot be reached: it does not begin HTTP/2',
          detail,
          cause,
        }),
      );
    };
    const timer = setTimeout(() => fail(`no settings within ${settingsTimeoutMs} ms`), settingsTimeoutMs);
    const onError = (error: Error): void => fail(error.message, error);
    const onClose = (): void => fail('the connection was closed');
    session.once('error', onError).once('close', onClose);
    // Settings are the first thing that a server says: what sends none is no HTTP/2.
    session.once('remoteSettings', () => {
      clearTimeout(timer);
      session.off('error', onError).off('close', onClose);
      session.setLocalWindowSize(connectionWindowBytes);
      resolve(session);
    });
  });
}

const keepsWriting = { endStream: false };
/** Until the target says how many it takes. */
const fewStreams = 100;
const mostStreams = 250;
const mostHeaders = 256;
const maxHeaderBytes = 64 * 1024;
/** What one call can have unread in memory. */
const streamWindowBytes = 256 * 1024;
const connectionWindowBytes = 4 * 1024 * 1024;
const settingsTimeoutMs = 10_000;
const watchEveryMs = 20_000;
const pingTimeoutMs = 15_000;
const idleMs = 60_000;
