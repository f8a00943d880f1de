import type { SshChannel } from './channel.ts';
import type { SshUpstream } from './upstream.ts';

/**
 * A channel at the target, opened while what is to run in it is decided and put on record, so that the one way to the target and back is over by then. It is empty: nothing runs in a
 * channel before it is asked to, and that takes a grant. Where people are asked it is closed again: targets have few (`MaxSessions`), and those that wait are to take none.
 */
export class OpenAhead {
  readonly #upstream: () => Promise<SshUpstream>;
  #opening: Promise<SshChannel> | undefined;

  constructor(upstream: () => Promise<SshUpstream>) {
    this.#upstream = upstream;
  }

  begin(): void {
    this.#opening = this.#open();
    // Whoever takes it is told.
    this.#opening.catch(() => {});
  }

  /** It is the caller's from now on. Rejects with a fault. */
  async take(): Promise<SshChannel> {
    const opening = this.#opening;
    this.#opening = undefined;
    const channel = await opening;
    return channel === undefined || channel.isOver ? this.#open() : channel;
  }

  drop(): void {
    this.#opening?.then(
      (channel) => channel.close(true),
      () => {},
    );
    this.#opening = undefined;
  }

  async #open(): Promise<SshChannel> {
    const connection = await this.#upstream();
    return connection.open((protocol, id, window, packet) => protocol.session(id, window, packet));
  }
}
