import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import {
  constants,
  createServer as createServer2,
  type Http2ServerRequest,
  type Http2ServerResponse,
  type ServerHttp2Session,
} from 'node:http2';
import type { Server, Socket } from 'node:net';
import { GatewayFault } from '../../src/core/fault.ts';
import { checkedHead, type CheckedHead, type RawHead } from '../../src/protocols/http/head.ts';
import { bearerOf } from '../../src/protocols/http/identify.ts';
import { canonicalTarget, type CanonicalTarget } from '../../src/protocols/http/path.ts';
import type { IdentifiedHead } from '../../src/protocols/request.ts';
import { caseNumber } from './upstreams/reporter.ts';

/** A request as policy would be asked about it, complete with its body. */
export interface Understood {
  readonly head: CheckedHead;
  readonly credential: string | undefined;
  readonly target: CanonicalTarget;
  /** A character for each octet; undefined where the head says that there is none. */
  readonly body: string | undefined;
  /** How many messages came before it on its connection, refused ones among them. */
  readonly at: number;
}

/** Node's parser with the checks of `protocols/http` behind it, and nothing else: what a request must pass before the gateway asks policy about it. */
export interface Front {
  /** What was understood of a case, in the order in which it was whole. */
  understood(number: number): readonly Understood[];
  close(): Promise<void>;
}

/** On a Unix socket. A connection ends with the first message whose framing cannot be trusted. */
export async function listenHttp1(path: string): Promise<Front> {
  const server = createServer({ maxHeaderSize: 65_536, insecureHTTPParser: false });
  const all = new Map<number, Understood[]>();
  const counts = new WeakMap<Socket, number>();
  const receive = (request: IncomingMessage, response: ServerResponse): void => {
    const at = counts.get(request.socket) ?? 0;
    counts.set(request.socket, at + 1);
    // Parsed before the message ahead of it was refused.
    if (request.socket.destroyed) return;
    understand(request, response, at, all, (fault) => {
      if (fault.code === 'protocol-violation' || fault.code === 'limit-exceeded') request.socket.destroy();
      else response.writeHead(400).end();
      request.resume();
    });
  };
  server.on('request', receive);
  server.on('checkExpectation', receive);
  server.on('upgrade', (_request, socket) => socket.destroy());
  server.on('connect', (_request, socket) => socket.destroy());
  server.on('clientError', (_error, socket) => socket.destroy());
  await listen(server, path);
  return {
    understood: (number) => all.get(number) ?? [],
    close() {
      server.closeAllConnections();
      return closed(server);
    },
  };
}

/** On a Unix socket, unencrypted. */
export async function listenHttp2(path: string): Promise<Front> {
  const server = createServer2();
  const all = new Map<number, Understood[]>();
  const sessions = new Set<ServerHttp2Session>();
  const receive = (request: Http2ServerRequest, response: Http2ServerResponse): void => {
    understand(request, response, 0, all, () => response.stream.close(constants.NGHTTP2_REFUSED_STREAM));
  };
  server.on('request', receive);
  server.on('checkExpectation', receive);
  server.on('sessionError', () => {});
  server.on('session', (session) => {
    sessions.add(session);
    session.once('close', () => sessions.delete(session));
  });
  await listen(server, path);
  return {
    understood: (number) => all.get(number) ?? [],
    close() {
      for (const session of sessions) session.destroy();
      return closed(server);
    },
  };
}

function understand(
  request: IncomingMessage | Http2ServerRequest,
  response: ServerResponse | Http2ServerResponse,
  at: number,
  all: Map<number, Understood[]>,
  refuse: (fault: GatewayFault) => void,
): void {
  const { httpVersion: version, method = '', url = '', rawHeaders } = request;
  request.on('error', () => {});
  const head = identified({ version, method, target: url, rawHeaders });
  const target = canonicalTarget(url);
  if (head instanceof GatewayFault || target instanceof GatewayFault) {
    refuse(head instanceof GatewayFault ? head : (target as GatewayFault));
    return;
  }
  let body = '';
  request.on('data', (chunk: Buffer) => (body += chunk.toString('latin1')));
  request.on('end', () => {
    // A request of HTTP/2 that was reset, or is not as long as it says, ends like any other.
    if (version === '2.0' ? request.aborted : !request.complete) return;
    const number = caseNumber(url);
    all.set(number, [...(all.get(number) ?? []), { ...head, target, body: head.head.body.kind === 'none' ? undefined : body, at }]);
    response.end();
  });
}

function identified(raw: RawHead): IdentifiedHead | GatewayFault {
  const head = checkedHead(raw);
  if (head instanceof GatewayFault) return head;
  try {
    return bearerOf(head);
  } catch (error) {
    return error as GatewayFault;
  }
}

function listen(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, () => resolve());
  });
}

function closed(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
  });
}
