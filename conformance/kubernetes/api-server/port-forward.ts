import { connect } from 'node:net';
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
    error.write(
      `error forwarding port ${port} to pod, uid : failed to execute portforward: dial tcp4 127.0.0.1:${port}: connect: ${words(problem)}`,
    );
    error.end();
    data.end();
    socket.destroy();
  });
  data.on('close', () => socket.destroy());
  data.pipe(socket);
  socket.pipe(data);
  socket.on('end', () => error.end());
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
