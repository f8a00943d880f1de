import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import type { WireSession } from '../core/effect.ts';
import { toFault } from '../core/fault.ts';
import { drive, type Driven, type DriveOptions } from './drive.ts';

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
  /** Stops accepting and ends every connection, signed in or not; resolves when all are over. */
  close(reason: string): Promise<void>;
}

/** Accepts connections of one wire protocol. Rejects where the port cannot be bound. */
export async function listen(options: ListenerOptions): Promise<Listener> {
  const open = new Set<Driven>();
  const server = createServer({ noDelay: true, keepAlive: true }, (client) => accept(client, options, open));
  server.maxConnections = options.maxConnections;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ port: options.port, ...(options.host === undefined ? {} : { host: options.host }) }, () => {
      server.off('error', reject);
      // Such as no file descriptors left: that connection is lost, the next one may not be.
      server.on('error', (error) => options.report('connection not accepted', toFault(error), undefined));
      resolve();
    });
  });
  return { port: (server.address() as AddressInfo).port, close: (reason) => close(server, open, reason) };
}

function accept(client: Socket, options: ListenerOptions, open: Set<Driven>): void {
  const driven = drive({ ...options, client, wire: options.newSession() });
  open.add(driven);
  void driven.over.then(() => open.delete(driven));
}

async function close(server: Server, open: ReadonlySet<Driven>, reason: string): Promise<void> {
  const closed = new Promise<void>((resolve) => {
    server.close(() => resolve());
  });
  for (const driven of open) driven.end(reason);
  await Promise.all([closed, ...[...open].map(({ over }) => over)]);
}
