import type { IncomingMessage } from 'node:http';
import { Duplex, PassThrough, Readable, Writable } from 'node:stream';
import { WebSocketServer, type WebSocket } from 'ws';
import { plain, type JsonObject } from './json.ts';
import type { Size } from './process.ts';
import type { RemoteStreams } from './remote.ts';
import { SpdyServer, type SpdyStream } from './spdy.ts';

/** Which streams an exec or attach has (query parameters `stdin`, `stdout`, `stderr`, `tty`). */
export interface Asked {
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
  readonly tty: boolean;
}

/** `current`: as from 1.31 on. `before-v5`: WebSockets know no v5 and no tunnels. `spdy`: no WebSockets at all. */
export type Generation = 'current' | 'before-v5' | 'spdy';

export interface Upgraded {
  /** As negotiated. */
  readonly protocol: string;
  readonly streams: RemoteStreams;
}

/** The sub-protocol of a WebSocket for exec and attach. Undefined: none of those offered. */
export function chooseWebSocketProtocol(offered: readonly string[], generation: Generation): string | undefined {
  const known = generation === 'current' ? ['v5.channel.k8s.io', ...olderWebSockets] : olderWebSockets;
  if (offered.length === 0) return '';
  return offered.find((name) => known.includes(name));
}

export function chooseSpdyProtocol(offered: readonly string[]): string | undefined {
  return offered.find((name) => spdyProtocols.includes(name));
}

/** Ends the handshake with this sub-protocol. */
export function acceptWebSocket(request: IncomingMessage, socket: Duplex, head: Buffer, protocol: string): Promise<WebSocket> {
  const server = new WebSocketServer({
    noServer: true,
    handleProtocols: () => (protocol === '' ? false : protocol),
    perMessageDeflate: false,
  });
  return new Promise((resolve) => {
    server.handleUpgrade(request, socket, head, resolve);
  });
}

/** Channels in one WebSocket: the first octet (or character) of every message names one. */
export function webSocketStreams(socket: WebSocket, protocol: string, asked: Asked): RemoteStreams {
  const isText = protocol.includes('base64');
  const isFirstGeneration = !/^v[45]\./.test(protocol);
  const send = (channel: number, bytes: Buffer): Promise<void> =>
    new Promise((resolve) => {
      if (socket.readyState !== socket.OPEN) return resolve();
      if (isText) socket.send(String(channel) + bytes.toString('base64'), () => resolve());
      else socket.send(Buffer.concat([Buffer.from([channel]), bytes]), { binary: true }, () => resolve());
    });
  const output = (channel: number): Writable =>
    new Writable({ write: (chunk: Buffer, _, done) => void send(channel, chunk).then(() => done()) }).on('error', () => {});
  const stdin = asked.stdin ? new PassThrough() : undefined;
  const sizes: ((size: Size) => void)[] = [];
  const early: Size[] = [];
  const { promise: gone, resolve: leave } = Promise.withResolvers<void>();
  socket.on('message', (data: Buffer, isBinary) => {
    if (data.length === 0) return;
    const channel = isBinary ? data[0]! : data[0]! - 0x30;
    const bytes = isBinary ? Buffer.from(data.subarray(1)) : Buffer.from(data.toString('latin1', 1), 'base64');
    if (channel === stdinChannel) {
      if (stdin !== undefined && !stdin.writableEnded && !stdin.write(bytes)) {
        socket.pause();
        stdin.once('drain', () => socket.resume());
      }
    } else if (channel === resizeChannel) {
      const size = readSize(bytes.toString());
      if (size === undefined) return;
      if (sizes.length === 0) early.push(size);
      for (const listener of sizes) listener(size);
    } else if (channel === closeChannel && protocol.startsWith('v5.') && bytes[0] === stdinChannel) stdin?.end();
  });
  socket.on('error', () => {});
  socket.on('close', () => {
    stdin?.end();
    leave();
  });
  const [stdout, stderr] = [
    asked.stdout ? output(stdoutChannel) : undefined,
    asked.stderr && !asked.tty ? output(stderrChannel) : undefined,
  ];
  // As the real server does, so that clients know that it has begun.
  void send(stdout === undefined ? (stderr === undefined ? errorChannel : stderrChannel) : stdoutChannel, Buffer.alloc(0));
  return {
    stdin,
    stdout,
    stderr,
    onResize: (listener) => {
      sizes.push(listener);
      for (const size of early.splice(0)) listener(size);
    },
    async finish(status) {
      await Promise.all([stdout, stderr].map(ended));
      if (!isFirstGeneration) await send(errorChannel, Buffer.from(JSON.stringify(status)));
      else if (status['status'] !== 'Success') await send(errorChannel, Buffer.from(plain(status['message'])));
      socket.close(1000);
      await gone;
    },
    gone,
  };
}

/** A stream of SPDY for each, opened by the client and named by its header `streamtype`. Undefined: they did not come. */
export async function spdyStreams(socket: Duplex, protocol: string, asked: Asked): Promise<RemoteStreams | undefined> {
  const found = new Map<string, SpdyStream>();
  const hasResize = asked.tty && protocol !== 'channel.k8s.io' && protocol !== 'v2.channel.k8s.io';
  const wanted = [
    'error',
    ...(['stdin', 'stdout'] as const).filter((name) => asked[name]),
    ...(asked.stderr && !asked.tty ? ['stderr'] : []),
    ...(hasResize ? ['resize'] : []),
  ];
  const { promise: complete, resolve } = Promise.withResolvers<boolean>();
  const server = new SpdyServer(socket, (stream) => {
    found.set(stream.headers.get('streamtype') ?? '', stream);
    if (wanted.every((name) => found.has(name))) resolve(true);
  });
  const gone = server.run();
  const limit = setTimeout(() => resolve(false), streamsTimeoutMs);
  void gone.then(() => resolve(false));
  const isComplete = await complete;
  clearTimeout(limit);
  if (!isComplete) {
    socket.destroy();
    return undefined;
  }
  // Streams that only the server writes are not read for data, but their end has to be noticed.
  for (const name of ['error', 'stdout', 'stderr']) found.get(name)?.resume();
  const [stdout, stderr, error] = [found.get('stdout'), found.get('stderr'), found.get('error')!];
  return {
    stdin: found.get('stdin'),
    stdout,
    stderr,
    onResize: (listener) => void readSizes(found.get('resize'), listener),
    async finish(status) {
      await Promise.all([stdout, stderr].map(ended));
      const isPlain = protocol !== 'v4.channel.k8s.io';
      if (!isPlain) error.write(JSON.stringify(status));
      else if (status['status'] !== 'Success') error.write(plain(status['message']));
      await ended(error);
      await server.flushed;
      server.close();
    },
    gone,
  };
}

function ended(stream: Writable | undefined): Promise<void> {
  return new Promise((resolve) => {
    if (stream === undefined || stream.destroyed) return resolve();
    stream.once('close', resolve);
    stream.end(resolve);
  });
}

async function readSizes(stream: Readable | undefined, listener: (size: Size) => void): Promise<void> {
  let text = '';
  for await (const chunk of (stream ?? []) as AsyncIterable<Buffer>) {
    text += chunk.toString();
    for (let end = text.indexOf('}'); end >= 0; end = text.indexOf('}')) {
      const size = readSize(text.slice(0, end + 1));
      text = text.slice(end + 1);
      if (size !== undefined) listener(size);
    }
  }
}

function readSize(text: string): Size | undefined {
  try {
    const { Width, Height } = JSON.parse(text) as JsonObject;
    return typeof Width === 'number' && typeof Height === 'number' ? { columns: Width, rows: Height } : undefined;
  } catch {
    return undefined;
  }
}

const [stdinChannel, stdoutChannel, stderrChannel, errorChannel, resizeChannel, closeChannel] = [0, 1, 2, 3, 4, 255];
const olderWebSockets = ['v4.channel.k8s.io', 'v4.base64.channel.k8s.io', 'channel.k8s.io', 'base64.channel.k8s.io'];
const spdyProtocols = ['v4.channel.k8s.io', 'v3.channel.k8s.io', 'v2.channel.k8s.io', 'channel.k8s.io'];
const streamsTimeoutMs = 30_000;
