import { toFault, type GatewayFault } from '../../core/fault.ts';
import type { Grant } from '../../core/grant.ts';
import type { AuditPort } from '../../core/ports.ts';

/**
 * What goes to a client's channel, in order: data, answers to requests, endings. What belongs to a grant is done once the grant's record is durable, and everything
 * behind it waits too (as `Outbox`, for what is not only bytes).
 */
export class Withheld {
  readonly #audit: Pick<AuditPort, 'durableCount' | 'durable'>;
  readonly #onFault: (fault: GatewayFault) => void;
  readonly #onReleased: () => void;
  #waiting: Waiting[] = [];
  #bytes = 0;
  #releasing = false;

  constructor(audit: Pick<AuditPort, 'durableCount' | 'durable'>, onFault: (fault: GatewayFault) => void, onReleased: () => void) {
    this.#audit = audit;
    this.#onFault = onFault;
    this.#onReleased = onReleased;
  }

  get isFull(): boolean {
    return this.#bytes > mostBytes;
  }

  /** Bytes that have to wait are copied. */
  put(bytes: Uint8Array, grant: Grant | undefined, act: (bytes: Uint8Array) => void): void {
    const sequence = grant === undefined ? -1 : grant.sequence;
    if (this.#waiting.length === 0 && this.#audit.durableCount > sequence) {
      act(bytes);
      return;
    }
    const kept = Uint8Array.from(bytes);
    this.#waiting.push({ sequence, length: kept.length, act: () => act(kept) });
    this.#bytes += kept.length;
    if (!this.#releasing) void this.#release();
  }

  /** Behind everything before it. */
  behind(act: () => void): void {
    if (this.#waiting.length === 0) act();
    else this.#waiting.push({ sequence: -1, length: 0, act });
  }

  /** What has no durable record is never shown. */
  discard(): void {
    this.#waiting = [];
    this.#bytes = 0;
  }

  async #release(): Promise<void> {
    this.#releasing = true;
    try {
      for (let head = this.#waiting[0]; head !== undefined; head = this.#waiting[0]) {
        if (this.#audit.durableCount <= head.sequence) await this.#audit.durable(head.sequence);
        if (this.#waiting[0] !== head) continue;
        this.#waiting.shift();
        this.#bytes -= head.length;
        head.act();
      }
    } catch (error) {
      this.discard();
      this.#onFault(toFault(error));
    } finally {
      this.#releasing = false;
    }
    this.#onReleased();
  }
}

interface Waiting {
  readonly sequence: number;
  readonly length: number;
  readonly act: () => void;
}

const mostBytes = 1024 * 1024;
