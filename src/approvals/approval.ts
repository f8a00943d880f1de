import type { Review } from '../core/decision.ts';
import type { UnmaskedOperation } from '../core/operation.ts';
import type { Principal } from '../core/principal.ts';
import type { RecordedAct } from '../core/record.ts';
import type { HoldMode } from '../core/target.ts';

/**
 * Where a request stands. `filing`: its record is not durable yet, so that nobody sees it. From `pending` it goes to `approved`, `denied`,
 * `expired` or `cancelled`; from `approved` to `used`, `expired` or `cancelled`; from nowhere else anywhere.
 */
export type StoredState = 'filing' | ApprovalState;
export type ApprovalState = 'pending' | 'approved' | 'denied' | 'expired' | 'cancelled' | 'used';

/** One held operation's request, as it is kept. Holds nothing unmasked: the exact operation is here only as its keyed digest. */
export interface Approval {
  readonly id: string;
  readonly state: StoredState;
  readonly hold: HoldMode;
  /** Keyed digest of what exactly may run, for whom and where (`binding.ts`). */
  readonly binding: string;
  readonly session: string;
  readonly operation: string;
  readonly target: string;
  readonly principal: Requester;
  readonly acts: readonly RecordedAct[];
  /** Masked, whole. */
  readonly text: string;
  /** What it would run by names given earlier: masked. */
  readonly runs: readonly string[];
  /** Masked. */
  readonly parameters: readonly (string | null)[];
  readonly dataClasses: readonly string[];
  readonly reviews: readonly Review[];
  readonly policyVersion: string;
  readonly requestedAtMs: number;
  readonly expiresAtMs: number;
  /** Why it ended, where that is more than its state says. */
  readonly endReason: string;
  /** In the order in which they were given. */
  readonly answers: readonly Answer[];
}

export type Requester = Pick<Principal, 'issuer' | 'issuerUrl' | 'subject' | 'kind' | 'display' | 'claims'>;

export interface Answer {
  readonly issuer: string;
  readonly issuerUrl: string;
  readonly subject: string;
  readonly display: string;
  /** The groups of the request's reviews that the person was in. */
  readonly groups: readonly string[];
  readonly answer: 'approved' | 'denied';
  readonly reason: string;
  readonly atMs: number;
}

/** What a person is shown. Every text in it is safe to print: what is invisible or moves the cursor stands as `\u{…}`. */
export interface ApprovalView {
  readonly id: string;
  readonly state: ApprovalState;
  readonly hold: HoldMode;
  readonly session: string;
  readonly operation: string;
  readonly target: string;
  readonly principal: Pick<Principal, 'issuer' | 'subject' | 'kind' | 'display' | 'claims'>;
  readonly acts: readonly RecordedAct[];
  readonly text: string;
  readonly runs: readonly string[];
  readonly dataClasses: readonly string[];
  readonly reviews: readonly ReviewView[];
  readonly requestedAtMs: number;
  readonly expiresAtMs: number;
  readonly endReason: string;
}

export interface ReviewView extends Pick<Review, 'policy' | 'group' | 'approvals' | 'message'> {
  readonly answers: readonly {
    readonly by: string;
    readonly answer: 'approved' | 'denied';
    readonly reason: string;
    readonly atMs: number;
  }[];
}

/** What exactly will run, for the one who decides on it. */
export type ExactText = UnmaskedOperation;
