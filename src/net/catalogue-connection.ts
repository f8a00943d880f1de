import type { Socket } from 'node:net';
import pg from 'pg';
import { GatewayFault } from '../core/fault.ts';
import type { CatalogueRows } from '../protocols/postgres/catalogue-build.ts';
import { CatalogueReadings } from './catalogue-readings.ts';
import { containDefects } from './contained-client.ts';

/**
 * The gateway's own connection to one database, kept for a second after it was used: signing on takes longer than reading a small catalogue,
 * and definitions come in bursts. No longer, because `DROP DATABASE` waits for others to leave, for five seconds at most, and not above a
 * minute in all, so that what was changed about the role applies here too.
 */
export class CatalogueConnection {
  readonly #config: pg.ClientConfig;
  #kept: Opened | undefined;
  #closing: NodeJS.Timeout | undefined;

  constructor(config: pg.ClientConfig) {
    this.#config = config;
  }

  /**
   * One reading at a time. A kept connection that turns out to be broken is replaced once. Throws `upstream-unavailable`, or
   * `upstream-refused` where the target refuses the gateway.
   */
  async read(): Promise<CatalogueRows> {
    const kept = this.#take();
    // Whatever was wrong with it, a new one will tell.
    return (kept === undefined ? undefined : await this.#readOver(kept).catch(() => undefined)) ?? this.#readOver(await open(this.#config));
  }

  async #readOver(opened: Opened): Promise<CatalogueRows> {
    try {
      const rows = await opened.readings.next();
      this.#keep(opened);
      return rows;
    } catch (error) {
      close(opened);
      throw unavailable(String(error), error);
    }
  }

  #take(): Opened | undefined {
    const kept = this.#kept;
    this.#kept = undefined;
    clearTimeout(this.#closing);
    if (kept !== undefined) socketOf(kept).ref();
    return kept;
  }

  #keep(opened: Opened): void {
    if (Date.now() - opened.atMs > maxAgeMs) {
      close(opened);
      return;
    }
    this.#kept = opened;
    // Neither the connection nor its timer keeps a process alive that has nothing else to do.
    socketOf(opened).unref();
    this.#closing = setTimeout(() => {
      const idle = this.#take();
      if (idle !== undefined) close(idle);
    }, idleMs).unref();
  }
}

interface Opened {
  readonly client: pg.Client;
  readonly readings: CatalogueReadings;
  readonly atMs: number;
}

async function open(config: pg.ClientConfig): Promise<Opened> {
  const client = new pg.Client({
    ...config,
    application_name: 'sallyport catalogue',
    connectionTimeoutMillis: 10_000,
    query_timeout: 60_000,
  });
  client.on('error', () => {});
  containDefects(client);
  if (config.ssl === false) refuseClearPassword(client);
  try {
    await client.connect();
    return { client, readings: new CatalogueReadings(client), atMs: Date.now() };
  } catch (error) {
    void client.end().catch(() => {});
    throw notConnected(error);
  }
}

function close({ client }: Opened): void {
  void client.end().catch(() => {});
}

function socketOf({ client }: Opened): Socket {
  return client.connection.stream as Socket;
}

/** node-postgres would send it to whoever asks. Its own listener comes after this one and finds the connection gone. */
function refuseClearPassword(client: pg.Client): void {
  const { connection } = client;
  connection.once('authenticationCleartextPassword', () => connection.stream.destroy(new Error(wantsClearPassword)));
}

/** A target that answers and refuses is told from one that does not answer: only the latter is worth another try. */
function notConnected(error: unknown): GatewayFault {
  const { code = '', message, syscall } = error as { code?: string; message: string; syscall?: string };
  if (error instanceof pg.DatabaseError) {
    const busy = /^(?:53|57P)/.test(code);
    return busy ? unavailable(String(error), error) : refused(`the target refused the gateway's connection (SQLSTATE ${code})`, error);
  }
  if (message === wantsClearPassword) return refused(message, error);
  if (message === withoutTls) return refused('the target does not offer TLS, which its configuration demands', error);
  if (code !== '' && syscall === undefined) return refused('TLS with the target failed', error);
  return unavailable(String(error), error);
}

function refused(publicMessage: string, cause: unknown): GatewayFault {
  return new GatewayFault('upstream-refused', {
    publicMessage,
    detail: String(cause),
    cause,
    hint: 'The gateway’s operators have the details.',
  });
}

/** Without words for the public beyond these: `detail` is for the operators. */
export function unavailable(detail: string, cause?: unknown): GatewayFault {
  return new GatewayFault('upstream-unavailable', {
    publicMessage: 'the target cannot be reached: its catalogue could not be read',
    detail,
    cause,
    hint: 'Try again in a moment.',
  });
}

const wantsClearPassword = 'the target wants a clear password without TLS';
/** What node-postgres says of a server that answers "N" to its SSLRequest. */
const withoutTls = 'The server does not support SSL connections';
const idleMs = 1_000;
const maxAgeMs = 60_000;
