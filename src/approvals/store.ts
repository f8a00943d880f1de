import type { Answer, Approval, StoredState } from './approval.ts';

/**
 * Where requests are kept. Every call that changes something is durable when it returns, or throws and changed nothing. Synchronous, so
 * that a change cannot be overtaken between its check and its effect.
 */
export interface ApprovalStore {
  insert(approval: Approval): void;
  find(id: string): Approval | undefined;
  /** Newest first, at most 1,000. */
  list(state: StoredState | undefined): readonly Approval[];
  /** Those in `filing`, `pending` or `approved`. */
  open(): readonly Approval[];
  /** The newest `refuse-and-retry` request for this very operation that is pending, approved or denied. */
  findByBinding(binding: string): Approval | undefined;
  /** Open requests of one principal. */
  countOpen(issuer: string, subject: string): number;
  /** Compare and set: false where the request is not in one of `from` any more. */
  change(id: string, change: StateChange): boolean;
  /** Ended requests whose `approval.ended` is not known to be durable. */
  unrecordedEnds(): readonly Pick<Approval, 'id' | 'state'>[];
  endRecorded(id: string): void;
  /** Forgets requests that ended, and are on record, before this time. */
  purge(beforeMs: number): void;
}

export interface StateChange {
  readonly from: readonly StoredState[];
  readonly to: StoredState;
  readonly atMs: number;
  readonly reason?: string;
  readonly answer?: Answer;
  /** True where the record of `to` is durable already. */
  readonly recorded: boolean;
}
