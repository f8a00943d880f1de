import { toFault, type GatewayFault } from '../../core/fault.ts';
import { connectUpstream, type ConnectOptions, type SshAddress, type SshUpstream } from './upstream.ts';

export interface SessionUpstreamOptions extends Pick<ConnectOptions, 'opened' | 'lost'> {
  /** Throws a fault. */
  readonly address: () => SshAddress;
  /** It was not connected, or not signed on to. Whoever waits is told besides. */
  readonly failed: (fault: GatewayFault) => void;
}

/** The one connection of a session to its target: dialed as the session begins, and again by the next channel where that failed or it was lost. */
export class SessionUpstream {
  readonly #options: SessionUpstreamOptions;
  #connecting: Promise<SshUpstream> | undefined;
  #closed: GatewayFault | undefined;

  constructor(options: SessionUpstreamOptions) {
    this.#options = options;
  }

  begin(): void {
    this.connected().catch(() => {});
  }

  /** Rejects with a fault. */
  connected(): Promise<SshUpstream> {
    if (this.#closed !== undefined) return Promise.reject(this.#closed);
    this.#connecting ??= this.#connect();
    return this.#connecting;
  }

  close(fault: GatewayFault): void {
    this.#closed = fault;
    this.#connecting?.then((upstream) => upstream.close(fault)).catch(() => {});
  }

  async #connect(): Promise<SshUpstream> {
    const forget = (): void => {
      this.#connecting = undefined;
    };
    const { address, opened, lost, failed } = this.#options;
    try {
      return await connectUpstream({
        address: address(),
        opened,
        lost: (fault) => {
          forget();
          lost(fault);
        },
      });
    } catch (error) {
      // Whoever waits for this one is told; the next one tries anew.
      setImmediate(forget);
      failed(toFault(error));
      throw error;
    }
  }
}
