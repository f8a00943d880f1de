import type { AuditPort } from '../core/ports.ts';
import type { StoredState } from './approval.ts';
import type { ApprovalStore } from './store.ts';
import type { Timers } from './timers.ts';

interface Ended {
  readonly id: string;
  readonly state: StoredState;
}

/**
 * Puts the end of requests on record. What could not be recorded is kept as such in the store and tried again every second, and at the
 * next start, until it is durable.
 */
export class EndRecorder {
  readonly #store: Pick<ApprovalStore, 'unrecordedEnds' | 'endRecorded'>;
  readonly #audit: Pick<AuditPort, 'append' | 'durable'>;
  readonly #timers: Timers;
  readonly #underway = new Set<string>();
  #stopTimer: (() => void) | undefined;
  #stopped = false;

  constructor(store: Pick<ApprovalStore, 'unrecordedEnds' | 'endRecorded'>, audit: Pick<AuditPort, 'append' | 'durable'>, timers: Timers) {
    this.#store = store;
    this.#audit = audit;
    this.#timers = timers;
  }

  /** Appends, before it returns, the records that are missing. */
  recordAll(): void {
    for (const ended of this.#store.unrecordedEnds()) void this.record(ended);
  }

  /** Appends before it returns; resolves true when the record is durable, false when it could not be made so now. */
  async record({ id, state }: Ended): Promise<boolean> {
    if (state === 'filing' || state === 'pending' || this.#underway.has(id)) return false;
    this.#underway.add(id);
    try {
      const sequence = this.#audit.append({ type: 'approval.ended', approval: id, state });
      await this.#audit.durable(sequence);
      this.#store.endRecorded(id);
      return true;
    } catch {
      this.#retryLater();
      return false;
    } finally {
      this.#underway.delete(id);
    }
  }

  stop(): void {
    this.#stopped = true;
    this.#stopTimer?.();
  }

  #retryLater(): void {
    if (this.#stopped || this.#stopTimer !== undefined) return;
    this.#stopTimer = this.#timers.after(retryMs, () => {
      this.#stopTimer = undefined;
      this.recordAll();
    });
  }
}

const retryMs = 1000;
