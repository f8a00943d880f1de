import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';

/** How long nothing may come before a connection is given up: its server waits for the rest of a message that is not coming. */
const QUIET_MS = 4_000;

/** A Unix socket, or the port of a server that speaks TLS. */
export type Address = { readonly path: string } | { readonly port: number; readonly ca: string; readonly alpn: 'http/1.1' | 'h2' };

/**
 * Sends octets as they are (a character each) on a connection of their own, and waits until the server closes it or has nothing more to say. Gives
 * back what the server said, a character for each octet.
 */
export function exchange(address: Address, octets: string): Promise<string> {
  return new Promise((resolve) => {
    let answer = '';
    const socket = open(address, () => socket.write(Buffer.from(octets, 'latin1')));
    socket.setTimeout(QUIET_MS, () => socket.destroy());
    socket.on('data', (chunk: Buffer) => (answer += chunk.toString('latin1')));
    // A server that refuses may reset the connection while the rest is still being written.
    socket.on('error', () => {});
    socket.once('close', () => resolve(answer));
  });
}

function open(address: Address, connected: () => void): Socket {
  if ('path' in address) return connect(address.path, connected);
  const { port, ca, alpn } = address;
  return connectTls({ port, host: '127.0.0.1', servername: 'localhost', ca, ALPNProtocols: [alpn] }, connected);
}
