import type { Socket } from 'node:net';
import { TLSSocket, type SecureContext } from 'node:tls';
import { GatewayFault } from '../core/fault.ts';

/** Starts the server's side of TLS on a connected socket. `unread` are bytes of the handshake that were read already. */
export function startServerTls(
  plain: Socket,
  unread: Uint8Array | undefined,
  secureContext: SecureContext,
  alpn: readonly string[],
): TLSSocket {
  deafen(plain);
  plain.pause();
  if (unread !== undefined && unread.length > 0) plain.unshift(unread);
  const secured = new TLSSocket(plain, { isServer: true, secureContext, ALPNProtocols: [...alpn] });
  plain.on('error', () => secured.destroy());
  return secured;
}

/** Waits for a client's handshake. Rejects with `protocol-violation`. */
export async function handshake(secured: TLSSocket): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    secured.once('secure', resolve);
    secured.once('error', (error) => reject(clientTlsFailed(error)));
    secured.once('close', () => reject(clientTlsFailed(new Error('closed during the handshake'))));
  });
  secured.removeAllListeners('error');
  secured.removeAllListeners('close');
}

/**
 * Takes our listeners off a socket that TLS takes over, event by event: `removeAllListeners()` makes the stream reconsider whether it
 * flows (Node 24), and what is put back into it for the handshake is lost.
 */
export function deafen(socket: Socket): void {
  for (const event of ['data', 'error', 'close', 'end', 'drain']) socket.removeAllListeners(event);
}

/** What was written goes out; a peer that does not read has two seconds. Resolves when the socket is closed. */
export async function endSocket(socket: Socket): Promise<void> {
  socket.on('error', () => {});
  if (socket.closed) return;
  const closed = new Promise<void>((resolve) => {
    socket.once('close', () => resolve());
  });
  socket.end();
  const impatience = setTimeout(() => socket.destroy(), 2_000);
  await closed;
  clearTimeout(impatience);
}

function clientTlsFailed(error: Error): GatewayFault {
  return new GatewayFault('protocol-violation', { publicMessage: 'TLS handshake failed', detail: error.message, cause: error });
}
