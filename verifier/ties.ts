import type { LogRecord } from './record.ts';

/** A log that the gateway's own log tells of. */
export interface NamedLog {
  /** Verifier keys that it was said to be signed with; a log has one. */
  readonly keys: Set<string>;
  /** The largest checkpoint of it that is on record, a signed note. */
  checkpoint: { readonly note: string; readonly size: number; readonly record: number } | undefined;
  /** The record that named it first. */
  readonly record: number;
}

/** An operation of a worker's session that ran on an approval, whose records are in the gateway's own log. */
export interface UseElsewhere {
  readonly record: number;
  readonly approval: string;
  readonly decided: LogRecord;
  /** Of the session; undefined where that is not on record. */
  readonly issuerUrl: string | undefined;
}

/** What one log says of the others of its gateway. */
export class Ties {
  /** By their path below the folder of the gateway's own log. */
  readonly named = new Map<string, NamedLog>();
  readonly uses: UseElsewhere[] = [];
  /** The worker that this log says it is of; undefined for the gateway's own. */
  worker: number | undefined;
  sessions = 0;

  /** `worker.started` or `log.witnessed`. */
  tellsOf(sequence: number, record: LogRecord): void {
    const name = String(record['log']);
    const log = this.named.get(name) ?? { keys: new Set(), checkpoint: undefined, record: sequence };
    this.named.set(name, log);
    if (typeof record['verifier_key'] === 'string') log.keys.add(record['verifier_key']);
    const note = String(record['checkpoint']);
    const size = Number(note.split('\n')[1]);
    if (Number.isSafeInteger(size) && size >= (log.checkpoint?.size ?? 0)) log.checkpoint = { note, size, record: sequence };
  }
}

/** `workers/<number>`: nothing else can be named, so that no record leads a verifier out of its folder. */
export const workerLogName = /^workers\/([1-9]\d?)$/;
