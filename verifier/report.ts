/**
 * What is wrong, by what an attacker (or a disk) would have done:
 *
 * - `altered`: bytes are not the ones that were signed or sealed (a flipped byte, an edited record, an edited file)
 * - `removed`, `inserted`, `reordered`: records
 * - `truncated`: the end is gone, of the log, of its journal or of its checkpoint history
 * - `rewritten`: records and tiles agree with each other, but not with what was signed or with the checkpoint that the auditor kept
 * - `forged-checkpoint`: a checkpoint without a valid signature of the log's key
 * - `split-view`: the log's own key has signed two histories that cannot both be true
 * - `wrong-key`: `log.pub` is not the key that the auditor pinned
 * - `missing`: a file is gone
 * - `malformed`: something correctly signed that the format does not allow
 * - `bookkeeping`: what the records say about sessions and operations cannot be
 * - `approval`: an operation ran on an approval that the records do not bear out
 */
export type ProblemKind =
  | 'altered'
  | 'removed'
  | 'inserted'
  | 'reordered'
  | 'truncated'
  | 'rewritten'
  | 'forged-checkpoint'
  | 'split-view'
  | 'wrong-key'
  | 'missing'
  | 'malformed'
  | 'bookkeeping'
  | 'approval';

export interface Problem {
  readonly kind: ProblemKind;
  /** A path below the folder, a record (`record 512`), or both. */
  readonly where: string;
  readonly detail: string;
}

/** An operation by its ids, and the sequence of the record that decided it. */
export interface UnknownOutcome {
  readonly session: string;
  readonly operation: string;
  readonly record: number;
}

export interface VerifyReport {
  /** True where there is no problem at all. */
  readonly ok: boolean;
  /** One sentence for people, with what it rests on. */
  readonly statement: string;
  readonly problems: readonly Problem[];
  /** Problems found beyond those listed. */
  readonly problemsNotListed: number;
  /** Worth knowing, yet nothing wrong. */
  readonly notes: readonly string[];
  readonly origin: string;
  /** The verifier key that signatures were checked with; empty where there was none. */
  readonly key: string;
  /** False: the key came from the folder itself, so whoever wrote the folder chose it. */
  readonly keyPinned: boolean;
  /** Records that the newest checkpoint signs. */
  readonly size: number;
  /** Its root, base64. */
  readonly root: string;
  /** All records: `size` and the durable ones that no checkpoint signs yet. */
  readonly records: number;
  readonly uncheckpointed: number;
  /** Entries of the checkpoint history. */
  readonly checkpoints: number;
  readonly knownCheckpoint: 'none' | 'contained' | 'not contained';
  /** Bytes at the journal's end that a crash tore; the next start of the gateway cuts them off. */
  readonly tornBytes: number;
  /** As in the `gateway.started` records. */
  readonly durability: readonly string[];
  /** Operations allowed, of which no record says how they ended. */
  readonly decidedWithoutCompletion: { readonly count: number; readonly first: readonly UnknownOutcome[] };
  /** Sessions without a `session.closed`: still open, or cut off by a crash (`ended`: the gateway has started again since). */
  readonly sessionsOpen: { readonly open: number; readonly ended: number; readonly first: readonly string[] };
  readonly bodies: { readonly checked: number; readonly missing: number; readonly altered: number };
  /** All zero where no folder of recordings was given. */
  readonly recordings: { readonly checked: number; readonly missing: number; readonly altered: number };
  /** Of the gateway's workers. What is wrong with them is among the problems, too. */
  readonly logs: readonly LogReport[];
  /** Of the records, by the machine's clock; empty for an empty log. */
  readonly times: { readonly first: string; readonly last: string; readonly stepsBack: number; readonly largestStepBackMs: number };
}

export interface LogReport {
  /** Path below the folder: `workers/1`. */
  readonly log: string;
  readonly report: Omit<VerifyReport, 'logs'>;
}

/** Gathers problems and notes; keeps the first of them and counts the rest, so that a ruined log gives a readable report. */
export class Findings {
  readonly problems: Problem[] = [];
  readonly notes: string[] = [];
  #notListed = 0;

  get count(): number {
    return this.problems.length + this.#notListed;
  }

  get notListed(): number {
    return this.#notListed;
  }

  problem(kind: ProblemKind, where: string, detail: string): void {
    if (this.problems.length < MAX_LISTED) this.problems.push({ kind, where, detail });
    else this.#notListed += 1;
  }

  note(text: string): void {
    if (this.notes.length < MAX_LISTED) this.notes.push(text);
  }

  /** Takes over what was gathered elsewhere. */
  add(other: Findings): void {
    for (const { kind, where, detail } of other.problems) this.problem(kind, where, detail);
    for (const text of other.notes) this.note(text);
    this.#notListed += other.#notListed;
  }

  /** A copy that goes its own way. */
  fork(): Findings {
    const copy = new Findings();
    copy.add(this);
    return copy;
  }
}

const MAX_LISTED = 200;
