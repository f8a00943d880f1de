import type { TranscriptPart } from '../../../core/operation.ts';
import type { Watcher } from '../../../core/watching.ts';
import type { Channel } from './channel.ts';
import type { WorkerSide } from './messages.ts';

/** People who watch sessions of a worker. */
export class RemoteWatches {
  readonly #channel: Pick<Channel<WorkerSide>, 'tell'>;
  readonly #watchers = new Map<number, Watcher>();
  #next = 0;

  constructor(channel: Pick<Channel<WorkerSide>, 'tell'>) {
    this.#channel = channel;
  }

  /** The answer ends it. */
  begin(session: string, watcher: Watcher): () => void {
    const watch = (this.#next += 1);
    const { issuer, subject, groups } = watcher.principal;
    this.#watchers.set(watch, watcher);
    this.#channel.tell('watch', { watch, session, principal: { issuer, subject, groups } });
    return () => {
      if (this.#watchers.delete(watch)) this.#channel.tell('unwatch', { watch });
    };
  }

  seen(watch: number, operation: string, part: TranscriptPart): void {
    this.#watchers.get(watch)?.see(operation, part);
  }

  ended(watch: number): void {
    const watcher = this.#watchers.get(watch);
    this.#watchers.delete(watch);
    watcher?.ended();
  }

  /** The worker is gone. */
  end(): void {
    for (const watch of this.#watchers.keys()) this.ended(watch);
  }
}
