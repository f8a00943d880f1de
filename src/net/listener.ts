import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import type { WireSession } from '../core/effect.ts';
import { drive, type DriveOptions } from './drive.ts';

export interface ListenerOptions extends Omit<DriveOptions, 'client' | 'wire'> {
  /** Undefined: every interface. */
  readonly host: string | undefined;
  readonly port: number;
  readonly newSession: () => WireSession;
  /** Connections beyond this are closed at once. */
  readonly maxConnections: number;
}

export interface Listener {
  readonly port: number;
  /** Stops accepting; open connections are the session registry's business. */
  close(): Promise<void>;
}

/** Accepts connections of one wire protocol. Rejects where the port cannot be bound. */
export async function listen(options: ListenerOptions): Promise<Listener> {
  const server = createServer({ noDelay: true, keepAlive: true }, (client) => accept(client, options));
  server.maxConnections = options.maxConnections;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ port: options.port, ...(options.host === undefined ? {} : { host: options.host }) }, () => {
      server.off('error', reject);
      resolve();
    });
  });
  return { port: (server.address() as AddressInfo).port, close: () => closed(server) };
}

function accept(client: Socket, options: ListenerOptions): void {
  drive({ ...options, client, wire: options.newSession() });
}

function closed(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
  });
}
