import type { Protocol } from './target.ts';

/**
 * What one act asks to do. SQL actions are shared by every SQL protocol. The groups in which they stand (`read`, `write`,
 * `define` …) are the policy schema's business (`policy/schema.ts`).
 */
export type ActionName = 'connect' | 'reveal' | `${'sql' | 'ssh' | 'http' | 'grpc' | 'kubernetes' | 'cosmos'}:${string}`;

export type ObjectType =
  | 'Target'
  | 'Database'
  | 'Schema'
  | 'Relation'
  | 'Function'
  | 'Setting'
  | 'Role'
  | 'DataClass'
  | 'Namespace'
  | 'Resource'
  | 'Path'
  | 'Method'
  | 'Command'
  | 'File'
  | 'Forward';

/**
 * A policy object, named by path: `Relation` `orders/public.customers`. Parents are given nearest first and are transitive: the
 * target and its labels are added by the policy engine, so a relation names only its schema and database.
 */
export interface ObjectRef {
  readonly type: ObjectType;
  readonly id: string;
  readonly parents?: readonly ObjectRef[];
}

export interface Act {
  readonly action: ActionName;
  readonly object: ObjectRef;
}

/** Facts of an operation for policy's `context`; every key is declared in the policy schema. */
export type FactValue = string | number | boolean | readonly string[];
export type Facts = Readonly<Record<string, FactValue>>;

/** One thing asked inside a session. Immutable once built; decided on exactly the bytes that will be forwarded. */
export interface Operation {
  readonly id: string;
  readonly sessionId: string;
  readonly protocol: Protocol;
  readonly acts: readonly Act[];
  readonly facts: Facts;
  /**
   * True only where nothing can change: no write, no volatile function, no side effect. Such an operation may be forwarded while
   * its record is being written; its answer is held until the record is durable. Everything else waits for the disk first.
   */
  readonly pureRead: boolean;
  /**
   * Naming is not executing: a statement is only being prepared. What policy denies is refused (and recorded) already now; anything else
   * passes under the session's own grant, unrecorded, and is decided when it executes.
   */
  readonly naming: boolean;
  /** It only ends what was begun (COMMIT, ROLLBACK): counted, but never refused for having asked too often, which would leave it open. */
  readonly ends?: boolean;
  /** For people and the record: the statement or request with every sensitive literal masked. */
  readonly text: string;
  /** False where `text` had something masked or cut, so that the record carries a keyed digest of the exact bytes as well. */
  readonly textIsExact: boolean;
  /** For people and the record: bound parameters in order, masked; absent where there are none. */
  readonly parameters?: readonly (string | null)[] | undefined;
  /**
   * For people and the record: what it runs by names given earlier (EXECUTE, FETCH), in order, masked; absent where it names nothing. Beside `text`, never
   * in it: whoever writes a statement writes its comments too, and could show a reviewer another text behind the name than the one that runs.
   */
  readonly runs?: readonly string[] | undefined;
  /** Data classes that the operation touches without the principal being allowed to see them. */
  readonly dataClasses: readonly string[];
  /** Exactly what an approval binds: the bytes to be forwarded and their parameters. Built only when it is needed. */
  exact(): Uint8Array;
  /** The same object for operations whose `exact()` is the same: the pipeline keeps their digest in it. Absent: nothing is known of such. */
  readonly sameExact?: { digest?: string } | undefined;
  /** For the reviewer, who decides on it; never kept. */
  unmasked(): UnmaskedOperation;
  /** Same value, same decision (under one policy version and principal): the key of the decision cache. Absent: not cached. */
  readonly cacheKey?: object | undefined;
}

/** What will run, nothing masked. */
export interface UnmaskedOperation {
  readonly text: string;
  /** What it runs by names given earlier, in order. */
  readonly runs: readonly string[];
  readonly parameters: readonly (string | null)[];
}

/** How an operation ended. */
export interface Completion {
  readonly operationId: string;
  readonly outcome: 'succeeded' | 'failed' | 'cancelled' | 'unknown';
  /** The upstream's own error code where it failed (an SQLSTATE, an HTTP status). */
  readonly errorCode?: string | undefined;
  /** Why the gateway stopped it, where it did: the limit that was passed. */
  readonly reason?: string | undefined;
  readonly rows: number;
  /** Bytes of answer sent to the client. */
  readonly bytes: number;
  /** Cells masked, by data class. */
  readonly masked: Readonly<Record<string, number>>;
  /** Files that went through. */
  readonly transfers?: readonly Transfer[] | undefined;
}

/** A file, or a stream of files, that went through. A record carries it as it is. */
export interface Transfer {
  /** Where it lies at the target, or what was moved where that has no path; values of data classes masked. */
  readonly path: string;
  /** `download`: from the target to the client. */
  readonly direction: 'download' | 'upload';
  readonly bytes: number;
  /** Of the bytes as they were delivered, in the order in which they were. */
  readonly sha256: string;
  /** They were delivered from the first one on, without gap or repetition: `sha256` is the file's, as far as it went. */
  readonly in_order: boolean;
}

/** A piece of what passed in a stream, for the recording, masked. Of `resize` it is columns and rows: `80x24`. */
export interface TranscriptPart {
  readonly stream: 'input' | 'output' | 'error' | 'resize';
  readonly text: string;
}

/** A few masked result rows for the recording. `null` is SQL NULL. */
export interface ResultSample {
  readonly operationId: string;
  readonly columns: readonly string[];
  readonly rows: readonly (readonly (string | null)[])[];
}
