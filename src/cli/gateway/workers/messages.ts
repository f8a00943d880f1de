import type { Socket } from 'node:net';
import type { LoggedRecord, RecordQuery } from '../../../audit/index.ts';
import type { PackedConfig } from '../../../config/index.ts';
import type { UsageReport } from '../../../core/limits.ts';
import type { TranscriptPart, UnmaskedOperation } from '../../../core/operation.ts';
import type { ApprovalAnswer, HeldOperation, LiveSession } from '../../../core/ports.ts';
import type { Watcher } from '../../../core/watching.ts';
import type { DefinitionBegun, DefinitionOver } from '../definition-book.ts';

/**
 * What a worker does for the primary process. A type, not an interface, as `Channel` asks for its members by name.
 *
 * `start` → `serve` → connections. A reload is `prepare`, then `commit` or `abandon`.
 */
export type WorkerSide = {
  /** Opens the worker's log and everything else, and serves nobody yet. */
  start(order: StartOrder): Promise<OpenedLog>;
  /** The log is on record in the gateway's own: connections may come. */
  serve(argument: undefined): void;
  /** A client's connection. No socket: the client had gone by the time that it came here. */
  connection(at: { readonly door: string }, socket?: Socket): Promise<void>;
  prepare(config: PackedConfig): void;
  commit(argument: undefined): Promise<void>;
  abandon(argument: undefined): void;
  endSession(ending: { readonly session: string; readonly reason: string }): void;
  /** A client's request with a key that another worker does not know. */
  cancel(request: { readonly key: Uint8Array }): void;
  /** Someone begins to watch a session here. The number is the primary's own. */
  watch(begun: { readonly watch: number; readonly session: string; readonly principal: Watcher['principal'] }): void;
  unwatch(over: { readonly watch: number }): void;
  /** What principals used in another worker. */
  usedElsewhere(used: { readonly worker: number; readonly reports: readonly UsageReport[] }): void;
  endedElsewhere(ended: { readonly worker: number }): void;
  /** A session of another worker is about to define something. Answered: every session here is judged with that in mind. */
  definitionElsewhere(begun: DefinitionBegun & { readonly worker: number }): Promise<void>;
  definitionOverElsewhere(over: DefinitionOver & { readonly worker: number }): void;
  holdAnswered(answered: { readonly hold: number; readonly answer: ApprovalAnswer }): void;
  /** Signs a checkpoint over every record so far; resolves with the note. */
  checkpoint(argument: undefined): Promise<string>;
  /** At most `limit` records. */
  query(asked: { readonly query: RecordQuery; readonly limit: number }): Promise<readonly LoggedRecord[]>;
  length(argument: undefined): number;
  /** Ends every session and closes the log; resolves with its last checkpoint. */
  stop(ending: { readonly reason: string }): Promise<string>;
};

/** What the primary process does for a worker. */
export type PrimarySide = {
  sessionOpened(session: OpenedSession): void;
  sessionClosed(session: { readonly id: string }): void;
  connectionOver(at: { readonly door: string }): void;
  status(status: WorkerStatus): void;
  /** What principals used here, for the other workers. */
  used(used: { readonly reports: readonly UsageReport[] }): void;
  /** A session here is about to define something. Answered when every other worker knows of it. */
  definitionBegun(begun: DefinitionBegun): Promise<void>;
  definitionOver(over: DefinitionOver): void;
  /** Not a key of this worker. */
  cancelElsewhere(request: { readonly key: Uint8Array }): void;
  holdRequested(held: PackedHold): Promise<FiledHold>;
  holdUsed(hold: { readonly hold: number }): Promise<boolean>;
  watchSeen(seen: { readonly watch: number; readonly operation: string; readonly part: TranscriptPart }): void;
  /** The session is over. */
  watchEnded(over: { readonly watch: number }): void;
  holdCancelled(cancelled: { readonly hold: number; readonly reason: string }): void;
};

export interface StartOrder {
  readonly worker: number;
  readonly config: PackedConfig;
  readonly version: string;
  readonly logLevel: string;
}

export interface OpenedLog {
  readonly verifierKey: string;
  /** A signed note over what is in it. */
  readonly checkpoint: string;
}

export interface OpenedSession extends Omit<LiveSession, 'operations' | 'end' | 'watch'> {
  readonly canBeWatched: boolean;
}

export interface WorkerStatus {
  readonly records: number;
  readonly healthy: boolean;
  readonly residentBytes: number;
  readonly cpuSeconds: number;
  /** Operations of the sessions in which there were new ones. */
  readonly operations: readonly (readonly [session: string, operations: number])[];
}

/** A held operation as plain data. The number is the worker's own. */
export interface PackedHold {
  readonly hold: number;
  readonly held: Omit<HeldOperation, 'operation' | 'log'> & {
    readonly operation: Omit<HeldOperation['operation'], 'exact' | 'unmasked' | 'cacheKey'>;
  };
  readonly exact: Uint8Array;
  /** Only where the session waits: nobody keeps it otherwise. */
  readonly unmasked: UnmaskedOperation | undefined;
}

export interface FiledHold {
  readonly id: string;
  readonly alreadyApproved: boolean;
  readonly expiresAtMs: number;
  readonly message: string;
  /** Where there was one at once. */
  readonly answer: ApprovalAnswer | undefined;
}

/** A worker's name wherever a log or a folder is named. */
export function workerLog(worker: number): string {
  return `workers/${worker}`;
}
