import { GatewayFault } from '../../core/fault.ts';
import { TILE_HASHES } from '../tiles.ts';
import type { Journal } from './journal.ts';
import type { WriterLock } from './lock.ts';
import type { Publisher, Snapshot } from './publish.ts';

export interface CadenceParts {
  readonly journal: Journal;
  readonly lock: WriterLock;
  readonly publisher: Publisher;
  readonly retryMs: number;
  /** The log at a moment between two batches, with everything flushed. */
  readonly snapshot: () => Promise<Snapshot>;
  /** Another process has the lock. */
  readonly onLost: () => void;
  /** `failure` may be another one now. */
  readonly onChange: () => void;
}

/** Signs checkpoints one after the other, and tries again where that failed. */
export class CheckpointCadence {
  /** Why the last attempt failed; undefined after one that did not. */
  failure: string | undefined;
  readonly #parts: CadenceParts;
  #last: Promise<unknown> = Promise.resolve();
  #running = false;
  #stopped = false;
  #signedAt = 0;
  #retry: NodeJS.Timeout | undefined;

  constructor(parts: CadenceParts) {
    this.#parts = parts;
  }

  /** Milliseconds since the last checkpoint of this run. */
  get age(): number {
    return performance.now() - this.#signedAt;
  }

  /** Signs one in the background, unless that is happening already. */
  signSoon(): void {
    if (this.#running || this.#stopped) return;
    void this.sign().catch(() => {});
  }

  /** Signs one after those under way; its note, durable. Throws `audit-unavailable`. */
  sign(): Promise<string> {
    const turn = this.#last.then(() => this.#signNow());
    this.#last = turn.catch(() => {});
    return turn;
  }

  /** No more in the background. */
  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#retry);
  }

  async #signNow(): Promise<string> {
    const { journal, lock, onChange, onLost, publisher, retryMs, snapshot } = this.#parts;
    this.#running = true;
    try {
      if (!(await lock.isHeld())) {
        onLost();
        throw new Error('another process has taken the audit log');
      }
      const state = await snapshot();
      const note = await publisher.publish(state);
      await journal.deleteBelow(Math.floor(state.size / TILE_HASHES) * TILE_HASHES);
      this.#signedAt = performance.now();
      this.failure = undefined;
      return note;
    } catch (error) {
      const detail = `the checkpoint cannot be written: ${error instanceof GatewayFault ? error.detail : (error as Error).message}`;
      this.failure = detail;
      clearTimeout(this.#retry);
      if (!this.#stopped) this.#retry = setTimeout(() => this.signSoon(), retryMs);
      throw new GatewayFault('audit-unavailable', { publicMessage: 'the audit log cannot be signed', detail, cause: error });
    } finally {
      this.#running = false;
      onChange();
    }
  }
}
