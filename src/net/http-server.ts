import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http';
import {
  createSecureServer,
  type Http2SecureServer,
  type Http2ServerRequest,
  type Http2ServerResponse,
  type Http2Session,
  type IncomingHttpHeaders,
  type ServerHttp2Stream,
} from 'node:http2';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import { ClientExchange } from './http-client.ts';
import { Http1Lines } from './http1-line.ts';
import { UpgradingSocket } from './http-upgrading.ts';
import { Http2Arrivals } from './http2-arrivals.ts';
import { Http2Call } from './http2-call.ts';
import { bind, type Listener } from './listener.ts';

export interface HttpListenerOptions {
  /** PEM. Undefined: clients do not encrypt, and speak HTTP/1.1 only. */
  readonly tls: HttpCertificate | undefined;
  /** Connections beyond this are closed at once. */
  readonly maxConnections: number;
  /** Never rejects. */
  readonly handle: (client: ClientExchange) => Promise<void>;
  /** Ends everything that runs; resolves when it is over. */
  readonly end: (reason: string) => Promise<void>;
  readonly failed: (error: unknown) => void;
}

export interface HttpAddress {
  /** Undefined: every interface. */
  readonly host: string | undefined;
  readonly port: number;
}

export interface HttpCertificate {
  readonly cert: string;
  readonly key: string;
}

export interface HttpListener extends Listener {
  /** For connections from now on. */
  replaceCertificate(tls: HttpCertificate): void;
}

export interface HttpServer extends Omit<HttpListener, 'port'> {
  /** Resolves with the port. Rejects where it cannot be bound. */
  listen(address: HttpAddress): Promise<number>;
  /** Takes a connection that was accepted elsewhere; resolves when it is over. */
  accept(socket: Socket): Promise<void>;
}

/** Accepts HTTP/1.1 and HTTP/2 (by ALPN) on one port. Rejects where the port cannot be bound. */
export async function listenHttp(options: HttpListenerOptions & HttpAddress): Promise<HttpListener> {
  const server = createHttp(options);
  return { port: await server.listen(options), replaceCertificate: server.replaceCertificate, close: server.close };
}

/** Serves the connections that it is given, and those of a port where it is told to listen. */
export function createHttp(options: HttpListenerOptions): HttpServer {
  const lines = new Http1Lines(options.handle);
  const arrivals = new Http2Arrivals(options.handle);
  const take = (request: IncomingMessage | Http2ServerRequest, response: ServerResponse | Http2ServerResponse): void =>
    lines.of((request as IncomingMessage).socket)?.take(request as IncomingMessage, response as ServerResponse);
  const server = options.tls === undefined ? plainServer() : secureServer(options.tls);
  const sockets = new Set<Socket>();
  const streams = new Set<Http2Session>();
  server.maxConnections = options.maxConnections;
  server.on('connection', (socket: Socket) => {
    // Of a TLS server Node does not do that by itself; each answer's last packet would wait for the acknowledgement of the one before, 40 ms.
    socket.setNoDelay(true);
    // What stands between forgets a connection on which a request waits for people.
    socket.setKeepAlive(true, keepAliveProbeMs);
    track(sockets, socket);
  });
  server.on('session', (session: Http2Session) => {
    track(streams, session);
    // What runs on it is waited for.
    session.setTimeout(keepAliveMs, () => session.close());
  });
  server.on('request', take);
  // The body is asked for once the head was found good and its sender is known.
  server.on('checkContinue', take);
  server.on('clientError', answerMalformed);
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    const line = lines.of(socket);
    line?.leave();
    const upgrading = new UpgradingSocket(request, socket, head);
    line?.take(request, upgrading.response, upgrading);
  });
  server.on(options.tls === undefined ? 'connection' : 'secureConnection', (socket: TLSSocket) => {
    if (socket.alpnProtocol !== 'h2') lines.add(socket);
  });
  // Node takes a connection for idle, and so closes it, while a request is served that its parser did not read.
  server.on('timeout', (idle?: Socket | Http2Session) => {
    if (!lines.isServingAgain(idle)) idle?.destroy();
  });
  const idling = server as Pick<Server, 'closeIdleConnections'>;
  const closeIdle = idling.closeIdleConnections.bind(server);
  idling.closeIdleConnections = () => {
    if (!lines.anyIsServingAgain) closeIdle();
  };
  // Whoever listens to requests has Node make them of streams of HTTP/2, too, which are taken as they are.
  server.removeAllListeners('stream');
  server.on('stream', (stream: ServerHttp2Stream, headers: IncomingHttpHeaders, _flags: number, rawHeaders: readonly string[]) => {
    arrivals.take(new ClientExchange(new Http2Call(stream, headers, rawHeaders)));
  });
  // Without listeners these would be answered by Node, or not at all.
  server.on('checkExpectation', take as RequestListener);
  server.on('connect', (_request: IncomingMessage, socket: Socket) =>
    socket.end('HTTP/1.1 501 Not Implemented\r\nConnection: close\r\n\r\n'),
  );
  server.on('sessionError', () => {});
  server.on('tlsClientError', () => {});
  return {
    listen: (address) => bind(server, address, options.failed),
    async accept(socket) {
      const closed = new Promise<void>((resolve) => {
        socket.once('close', () => resolve());
      });
      server.emit('connection', socket);
      await closed;
    },
    replaceCertificate: (tls) => 'setSecureContext' in server && server.setSecureContext({ ...tls, minVersion: 'TLSv1.2' }),
    async close(reason) {
      const closed = new Promise<void>((resolve) => {
        server.close(() => resolve());
      });
      for (const session of streams) session.close();
      await options.end(reason);
      const grace = setTimeout(() => {
        for (const session of streams) session.destroy();
        for (const socket of sockets) socket.destroy();
      }, closeGraceMs);
      idling.closeIdleConnections();
      await closed;
      await Promise.all([...sockets].map((socket) => new Promise((resolve) => socket.once('close', resolve))));
      clearTimeout(grace);
    },
  };
}

function plainServer(): Server {
  return createServer({
    maxHeaderSize: maxHeaderBytes,
    requireHostHeader: false,
    keepAlive: true,
    noDelay: true,
    optimizeEmptyRequests: true,
    keepAliveTimeout: keepAliveMs,
    headersTimeout: headersTimeoutMs,
    requestTimeout: 0,
  });
}

/**
 * The floods of HTTP/2: streams, resets, invalid frames and what one connection may keep in memory are bounded by Node; CONTINUATION by the size of a
 * header list.
 */
function secureServer(tls: HttpCertificate): Http2SecureServer {
  const server = createSecureServer({
    ...tls,
    allowHTTP1: true,
    minVersion: 'TLSv1.2',
    maxHeaderSize: maxHeaderBytes,
    maxHeaderListPairs: maxHeaders,
    maxSessionMemory: 32,
    maxSessionInvalidFrames: 100,
    maxSessionRejectedStreams: 100,
    streamResetBurst: 200,
    streamResetRate: 20,
    unknownProtocolTimeout: headersTimeoutMs,
    // A request of HTTP/1.1 without a body needs no stream that nobody reads.
    http1Options: { optimizeEmptyRequests: true },
    settings: { maxConcurrentStreams: 100, maxHeaderListSize: maxHeaderBytes, enableConnectProtocol: false },
  } as Parameters<typeof createSecureServer>[0]);
  return Object.assign(server, {
    headersTimeout: headersTimeoutMs,
    requestTimeout: 0,
    keepAliveTimeout: keepAliveMs,
    maxHeaderSize: maxHeaderBytes,
    requireHostHeader: false,
  });
}

/** Node refuses what is malformed before anyone sees it. */
function answerMalformed(_error: Error, socket: Socket): void {
  if (socket.writable) {
    socket.end(
      'HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Type: application/problem+json\r\n\r\n{"title":"Malformed request","status":400}\n',
    );
  }
  setTimeout(() => socket.destroy(), 1_000).unref();
}

function track<T extends { once(event: 'close', listener: () => void): unknown }>(all: Set<T>, one: T): void {
  all.add(one);
  one.once('close', () => all.delete(one));
}

/** A little more than `headBounds` allows, so that the refusal is worded by who knows why. */
const maxHeaderBytes = 48 * 1024;
const maxHeaders = 128;
const headersTimeoutMs = 20_000;
const keepAliveMs = 75_000;
const keepAliveProbeMs = 60_000;
const closeGraceMs = 2_000;
