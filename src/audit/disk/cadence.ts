import { GatewayFault } from '../../core/fault.ts';
import { TILE_HASHES } from '../tiles.ts';
import type { Journal } from './journal.ts';
import type { WriterLock } from './lock.ts';
import type { Publisher } from './publish.ts';

export interface CadenceParts {
  readonly journal: Journal;
  readonly lock: WriterLock;
  readonly publisher: Publisher;
  readonly retryMs: number;
  /** Takes something of the log at once; resolves with it when what was acknowledged at that moment is flushed. */
  readonly flushed: <Taken>(take: () => Taken) => Promise<Taken>;
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
  /** While one was under way, one of all records was asked for. */
  #again = false;
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

  /** Signs one in the background, after one that is under way. `tiled`: unless one is under way; the records behind the last full tile can wait for the next. */
  signSoon(tiled = false): void {
    if (this.#stopped) return;
    if (this.#running) {
      this.#again ||= !tiled;
      return;
    }
    void this.#sign(tiled).catch(() => {});
  }

  /** Signs one of all records after those under way; its note, durable. Throws `audit-unavailable`. */
  sign(): Promise<string> {
    return this.#sign(false);
  }

  /** Stores full bundles and tiles ahead of the next checkpoint, in the background, unless that or a checkpoint is under way or the last one failed. */
  storeSoon(): void {
    if (this.#running || this.#stopped || this.failure !== undefined) return;
    const { flushed, publisher } = this.#parts;
    void this.#inTurn(async () => publisher.store(await flushed(() => publisher.filled()))).catch(() => {});
  }

  #sign(tiled: boolean): Promise<string> {
    const { flushed, journal, publisher } = this.#parts;
    return this.#inTurn(async () => {
      const state = await flushed(() => publisher.snapshot(tiled));
      const note = await publisher.publish(state);
      await journal.deleteBelow(Math.floor(state.size / TILE_HASHES) * TILE_HASHES);
      this.#signedAt = performance.now();
      this.failure = undefined;
      return note;
    });
  }

  /** No more in the background. */
  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#retry);
  }

  #inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
    const turn = this.#last.then(() => this.#attempt(work));
    this.#last = turn.catch(() => {});
    return turn;
  }

  async #attempt<Result>(work: () => Promise<Result>): Promise<Result> {
    const { lock, onChange, onLost, retryMs } = this.#parts;
    this.#running = true;
    this.#again = false;
    try {
      if (!(await lock.isHeld())) {
        onLost();
        throw new Error('another process has taken the audit log');
      }
      return await work();
    } catch (error) {
      const detail = `the checkpoint cannot be written: ${error instanceof GatewayFault ? error.detail : (error as Error).message}`;
      this.failure = detail;
      clearTimeout(this.#retry);
      if (!this.#stopped) this.#retry = setTimeout(() => this.signSoon(), retryMs);
      throw new GatewayFault('audit-unavailable', { publicMessage: 'the audit log cannot be signed', detail, cause: error });
    } finally {
      this.#running = false;
      onChange();
      if (this.#again && this.failure === undefined) this.signSoon();
    }
  }
}
