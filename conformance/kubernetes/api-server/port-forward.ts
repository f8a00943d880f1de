import { connect, type Socket } from 'node:net';
import { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';
import { SpdyServer, type SpdyStream } from './spdy.ts';

export const portForwardProtocol = 'portforward.k8s.io';
export const tunnelProtocol = 'SPDY/3.1+portforward.k8s.io';

/** Where a port of a pod really is. */
export type Dial = (port: number) => { readonly host: string; readonly port: number };

/**
 * Port forwarding: each connection is a pair of streams with the headers `port` and `requestid`, one of type `data`, one of type `error`,
 * on which what went wrong is told in words.
 */
export async function forwardPorts(transport: Duplex, dial: Dial, onPort: (port: number) => void): Promise<void> {
  const waiting = new Map<string, SpdyStream>();
  const server = new SpdyServer(transport, (stream) => {
    const [id, type, port] = ['requestid', 'streamtype', 'port'].map((name) => stream.headers.get(name) ?? '') as [string, string, string];
    const other = waiting.get(id);
    if (other === undefined) return void waiting.set(id, stream);
    waiting.delete(id);
    onPort(Number(port));
    if (type === 'data') join(stream, other, Number(port), dial);
    else join(other, stream, Number(port), dial);
  });
  await server.run();
}

function join(data: SpdyStream, error: SpdyStream, port: number, dial: Dial): void {
  error.resume();
  const socket = connect({ ...dial(port), allowHalfOpen: true });
  socket.on('error', (problem: NodeJS.ErrnoException) => {
    error.write(failure(port, problem));
    error.end();
    data.end();
    socket.destroy();
  });
  data.on('close', () => socket.destroy());
  data.pipe(socket);
  socket.pipe(data);
  socket.on('end', () => error.end());
}

/** Sub-protocols of channels, the first of those that a client offers; `''`: it offers none. Undefined: none of those offered is spoken. */
export function chooseChannels(offered: readonly string[]): string | undefined {
  return offered.length === 0 ? '' : offered.find((name) => name === 'v4.channel.k8s.io' || name === 'v4.base64.channel.k8s.io');
}

/** Those that the query names, as the kubelet reads them for WebSockets. Throws the words of its 400. */
export function channelPorts(query: URLSearchParams): readonly number[] {
  const texts = query.getAll('ports');
  if (texts.length === 0) throw new Error('query parameter "port" is required');
  return texts.flatMap((text) =>
    text.split(',').map((one) => {
      if (!/^\d+$/.test(one) || Number(one) > 65_535)
        throw new Error(`unable to parse "${one}" as a port: strconv.ParseUint: parsing "${one}"`);
      if (Number(one) === 0) throw new Error(`port "${one}" must be > 0`);
      return Number(one);
    }),
  );
}

/**
 * Port forwarding over channels (kubelet `portforward/websocket.go`): two for each port, of data and of errors, on both of which the port comes first, as two octets. Every port is
 * connected to at once. What comes for another channel, or is no base64 where it should be, is passed over. That one connection has ended is not told; the last one ends the whole.
 */
export async function forwardChannels(
  socket: WebSocket,
  protocol: string,
  ports: readonly number[],
  dial: Dial,
  onPort: (port: number) => void,
): Promise<void> {
  const isText = protocol.includes('base64');
  const send = (channel: number, bytes: Buffer, done = (): void => {}): void => {
    if (socket.readyState !== socket.OPEN) done();
    else if (isText) socket.send(String.fromCharCode(0x30 + channel) + bytes.toString('base64'), done);
    else socket.send(Buffer.concat([Buffer.from([channel]), bytes]), { binary: true }, done);
  };
  for (const [index, port] of ports.entries())
    for (const channel of [2 * index, 2 * index + 1]) send(channel, Buffer.from([port & 0xff, port >> 8]));
  const sockets = ports.map((port) => {
    onPort(port);
    return connect({ ...dial(port), allowHalfOpen: true });
  });
  socket.on('message', (data: Buffer) => {
    const channel = isText ? data[0]! - 0x30 : data[0]!;
    const to = channel % 2 === 0 ? sockets[channel / 2] : undefined;
    if (to === undefined || !to.writable) return;
    // Whatever comes behind it waits too.
    if (to.write(isText ? Buffer.from(data.toString('latin1', 1), 'base64') : data.subarray(1))) return;
    socket.pause();
    for (const event of ['drain', 'close']) to.once(event, () => socket.resume());
  });
  socket.on('error', () => {});
  socket.on('close', () => {
    for (const one of sockets) {
      one.end();
      setTimeout(() => one.destroy(), 1_000).unref();
    }
  });
  await Promise.all(sockets.map((one, index) => pass(one, ports[index]!, (offset, bytes, done) => send(2 * index + offset, bytes, done))));
  socket.close(1000);
}

/** From a port to the client, until there is no more. */
function pass(socket: Socket, port: number, send: (offset: 0 | 1, bytes: Buffer, done: () => void) => void): Promise<void> {
  return new Promise((resolve) => {
    socket.on('data', (bytes: Buffer) => {
      socket.pause();
      send(0, bytes, () => socket.resume());
    });
    socket.on('error', (problem: NodeJS.ErrnoException) => send(1, Buffer.from(failure(port, problem)), resolve));
    socket.on('end', () => {
      socket.end();
      resolve();
    });
    socket.on('close', (hasFailed) => {
      if (!hasFailed) resolve();
    });
  });
}

function failure(port: number, problem: NodeJS.ErrnoException): string {
  return `error forwarding port ${port} to pod, uid : failed to execute portforward: dial tcp4 127.0.0.1:${port}: connect: ${words(problem)}`;
}

function words(problem: NodeJS.ErrnoException): string {
  return problem.code === 'ECONNREFUSED' ? 'connection refused' : (problem.code ?? problem.message);
}

/** The binary messages of a WebSocket as a stream of octets. */
export function tunnelOf(socket: WebSocket): Duplex {
  const stream = new Duplex({
    read: () => socket.resume(),
    write: (chunk: Buffer, _, done) => socket.send(chunk, { binary: true }, () => done()),
    final: (done) => {
      socket.close(1000);
      done();
    },
    destroy: (error, done) => {
      socket.terminate();
      done(error);
    },
  });
  stream.on('error', () => {});
  socket.on('message', (data: Buffer) => {
    if (!stream.push(data)) socket.pause();
  });
  socket.on('close', () => {
    if (!stream.readableEnded) stream.push(null);
  });
  socket.on('error', () => stream.push(null));
  return stream;
}
