import type { NamedLog } from '../../audit/index.ts';
import type { LiveSession } from '../../core/ports.ts';
import type { Ports } from './doors.ts';
import type { Change } from './in-force.ts';

/** Where clients' connections live: in this process (`DataPath`), or in workers (`workers/pool.ts`). */
export interface Plane {
  /** Live sessions, of every process. */
  readonly sessions: { list(): readonly LiveSession[]; find(id: string): LiveSession | undefined };
  /** Logs besides the gateway's own. */
  readonly logs: readonly NamedLog[];
  /** Accepts connections from now on. Rejects where a port cannot be bound. */
  start(): Promise<Ports>;
  /** Has every process check the next configuration. Where one refuses it, this rejects and says why. */
  prepare(change: Change): Promise<void>;
  /** What was prepared does not come into force. */
  abandon(): void;
  /** What was prepared is in force in every process when this resolves, and sessions that it ends are ending. */
  commit(change: Change): Promise<void>;
  /** Puts checkpoints of the other logs on record in the gateway's own. */
  witness(): Promise<void>;
  /** What workers use; empty without workers. */
  use(): readonly WorkerUse[];
  /** Why nothing can be done through the gateway: one line each, in operators' words. */
  problems(): readonly string[];
  /** Accepts nothing more and ends every connection. */
  close(reason: string): Promise<void>;
}

export interface WorkerUse {
  readonly worker: number;
  readonly records: number;
  readonly running: boolean;
  /** Its log can be written. */
  readonly healthy: boolean;
  readonly residentBytes: number;
  readonly cpuSeconds: number;
}
