import type { Grant } from '../../../core/grant.ts';

/** One forwarded connection. */
export class Connection {
  /** In the words of the client's form. */
  readonly id: string;
  readonly port: number;
  readonly operationId: string;
  way: 'undecided' | 'target' | 'diverted' = 'undecided';
  grant: Grant | undefined;
  targetData: number | undefined;
  targetError: number | undefined;
  /** It waits for people. */
  isHeld = false;
  clientEnded = false;
  targetEnded = false;
  hasFailed = false;
  isOver = false;
  bytes = 0;
  #kept: Uint8Array[] = [];
  #keptBytes = 0;

  constructor(id: string, port: number, operationId: string) {
    this.id = id;
    this.port = port;
    this.operationId = operationId;
  }

  /** Until it is decided on. */
  keep(bytes: Uint8Array): void {
    this.#keptBytes += bytes.length;
    this.#kept.push(bytes.slice());
  }

  get hasKeptMuch(): boolean {
    return this.#keptBytes > maxKeptBytes;
  }

  kept(): readonly Uint8Array[] {
    const kept = this.#kept;
    this.#kept = [];
    return kept;
  }
}

/** Until a connection is decided on. */
export const maxKeptBytes = 256 * 1024;
