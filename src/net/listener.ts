import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import type { WireSession } from '../core/effect.ts';
import { toFault } from '../core/fault.ts';
import { drive, type Driven, type DriveOptions } from './drive.ts';

export interface ConnectionOptions extends Omit<DriveOptions, 'client' | 'wire'> {
  readonly newSession: () => WireSession;
}

export interface ListenerOptions {
  /** Undefined: every interface. */
  readonly host: string | undefined;
  readonly port: number;
  /** Connections beyond this are closed at once. */
  readonly maxConnections: number;
  readonly connections: Accepting;
}

/** Takes connections that were accepted. */
export interface Accepting {
  /** Resolves when the connection is over. */
  accept(client: Socket): Promise<void>;
  notAccepted(error: unknown): void;
  /** Ends every connection, signed in or not; resolves when all are over. */
  close(reason: string): Promise<void>;
}

export interface Listener {
  readonly port: number;
  /** Stops accepting and ends every connection, signed in or not; resolves when all are over. */
  close(reason: string): Promise<void>;
}

/** The connections of one listener, whoever accepted them. */
export class Connections implements Accepting {
  readonly #options: ConnectionOptions;
  readonly #open = new Set<Driven>();

  constructor(options: ConnectionOptions) {
    this.#options = options;
  }

  /** Resolves when the connection is over. */
  async accept(client: Socket): Promise<void> {
    const driven = drive({ ...this.#options, client, wire: this.#options.newSession() });
    this.#open.add(driven);
    await driven.over;
    this.#open.delete(driven);
  }

  notAccepted(error: unknown): void {
    this.#options.report('connection not accepted', toFault(error), undefined);
  }

  /** Ends every connection, signed in or not; resolves when all are over. */
  async close(reason: string): Promise<void> {
    for (const driven of this.#open) driven.end(reason);
    await Promise.all([...this.#open].map(({ over }) => over));
  }
}

/** Accepts connections of one wire protocol. Rejects where the port cannot be bound. */
export async function listen(options: ListenerOptions): Promise<Listener> {
  const { connections } = options;
  const server = createServer({ noDelay: true, keepAlive: true }, (client) => void connections.accept(client));
  server.maxConnections = options.maxConnections;
  // Such as no file descriptors left: that connection is lost, the next one may not be.
  const port = await bind(server, options, (error) => connections.notAccepted(error));
  return { port, close: (reason) => close(server, connections, reason) };
}

/** Binds a server and gives its port; what fails afterwards is told to `failed`. Rejects where the port cannot be bound. */
export async function bind(
  server: Server,
  address: Pick<ListenerOptions, 'host' | 'port'>,
  failed: (error: unknown) => void,
): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ port: address.port, ...(address.host === undefined ? {} : { host: address.host }) }, () => {
      server.off('error', reject);
      server.on('error', failed);
      resolve();
    });
  });
  return (server.address() as AddressInfo).port;
}

async function close(server: Server, connections: Accepting, reason: string): Promise<void> {
  const closed = new Promise<void>((resolve) => {
    server.close(() => resolve());
  });
  await Promise.all([closed, connections.close(reason)]);
}
