import type { Socket } from 'node:net';
import ssh2, { type ParsedKey } from 'ssh2';
import { GatewayFault, toFault } from '../../core/fault.ts';
import { Failures } from '../failures.ts';
import type { Accepting } from '../listener.ts';
import { ServedConnection, type ServedOptions } from './served-connection.ts';

export interface SshConnectionsOptions extends Omit<ServedOptions, 'client' | 'failures' | 'hostKey'> {
  /** OpenSSH's format or PEM. */
  readonly hostKey: string;
}

/** The SSH connections of one port, whoever accepted them. */
export class SshConnections implements Accepting {
  readonly #options: SshConnectionsOptions;
  readonly #hostKey: ParsedKey;
  readonly #failures = new Failures();
  readonly #open = new Set<ServedConnection>();

  constructor(options: SshConnectionsOptions) {
    this.#options = options;
    this.#hostKey = parseHostKey(options.hostKey);
  }

  /** Resolves when the connection is over. */
  async accept(client: Socket): Promise<void> {
    // Whoever has not signed in yet costs a key exchange; more of them than people and pipelines make are dropped before.
    let strangers = 0;
    for (const one of this.#open) if (!one.isSignedIn) strangers += 1;
    if (strangers >= mostStrangers) {
      client.destroy();
      return;
    }
    const served = new ServedConnection({ ...this.#options, client, hostKey: this.#hostKey, failures: this.#failures });
    this.#open.add(served);
    await served.over;
    this.#open.delete(served);
  }

  notAccepted(error: unknown): void {
    this.#options.report('connection not accepted', toFault(error), undefined);
  }

  /** Ends every connection, signed in or not; resolves when all are over. */
  async close(reason: string): Promise<void> {
    const fault = new GatewayFault('shutting-down', { publicMessage: reason });
    for (const served of this.#open) served.end(fault);
    await Promise.all([...this.#open].map(({ over }) => over));
  }
}

function parseHostKey(text: string): ParsedKey {
  const parsed = ssh2.utils.parseKey(text);
  const key = Array.isArray(parsed) ? parsed[0] : parsed;
  if (key === undefined || key instanceof Error || !key.isPrivateKey()) {
    throw new GatewayFault('internal', { publicMessage: 'internal gateway error', detail: 'the SSH host key cannot be read' });
  }
  return key;
}

const mostStrangers = 500;
