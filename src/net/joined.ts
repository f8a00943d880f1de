import type { Socket } from 'node:net';
import { duplexPair, type Duplex } from 'node:stream';

/** A connection within this process. */
export interface Joined {
  /** For whoever takes connections of clients. What is told of its peer is told of the client that it stands for. */
  readonly accepted: Socket;
  readonly client: Duplex;
}

/** `peer`: `address:port` of the client that it stands for. */
export function joined(peer: string): Joined {
  const [client, accepted] = duplexPair();
  const at = peer.lastIndexOf(':');
  const socket = Object.assign(accepted, {
    remoteAddress: peer.slice(0, at),
    remotePort: Number(peer.slice(at + 1)),
    setNoDelay: () => accepted,
    setKeepAlive: () => accepted,
  });
  // Neither side hears of it where the other one is destroyed.
  client.once('close', () => accepted.destroy());
  accepted.once('close', () => client.end().destroy());
  client.on('error', () => {});
  return { accepted: socket as unknown as Socket, client };
}
