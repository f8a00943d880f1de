import type { Decision, Review } from './decision.ts';
import type { Act, Completion, Facts, Operation, ResultSample, TranscriptPart } from './operation.ts';
import type { Principal } from './principal.ts';
import type { AuditRecord, SealedRecording } from './record.ts';
import type { Target } from './target.ts';
import type { Watcher } from './watching.ts';

/**
 * What the pipeline needs from the rest of the house, written from what it calls. Each is implemented in the folder of its name and
 * put together in `cli/gateway.ts`.
 */

/** `identity/`: turns a bearer credential into a principal, or throws `authentication-failed` with the failed check in `detail`. */
export interface IdentityPort {
  /** `targetName`: the target asked for; a gateway token bound to another one is refused. */
  authenticate(credential: string, targetName: string): Promise<Principal>;
}

/** `identity/`: keys that were bound to a principal and a target, for the transport of SSH, which alone verifies signatures. */
export interface SshKeyPort {
  /** Whether a signature of this key would be accepted: the answer to a query without one (RFC 4252 section 7). Opens nothing. */
  offered(publicKeyBlob: Uint8Array, targetName: string): Promise<boolean>;
  /**
   * Only when the client's signature by this very key over this connection's session identifier was verified: a credential for `IdentityPort.authenticate`, for one use,
   * in this process, within seconds. Undefined where the key opens nothing.
   */
  credentialFor(publicKeyBlob: Uint8Array, targetName: string): Promise<string | undefined>;
}

/** `policy/`: pure and synchronous. Throws `policy-unavailable` for any evaluation error: the caller denies. */
export interface PolicyPort {
  /** Digest of the active policy set; changes with every reload, which empties all caches of decisions. */
  readonly version: string;
  decide(question: PolicyQuestion): Decision;
  /** Data classes of `classes` that the principal may see unmasked on this target. */
  reveals(principal: Principal, target: Target, classes: readonly string[]): ReadonlySet<string>;
}

export interface PolicyQuestion {
  readonly principal: Principal;
  readonly target: Target;
  readonly acts: readonly Act[];
  readonly facts: Facts;
  /** Object identity under which the decision may be cached for this principal and policy version. */
  readonly cacheKey: object | undefined;
}

/** `audit/`: the append-only log. */
export interface AuditPort {
  /**
   * Queues one record and returns its sequence number (from 0, no gaps). Throws `audit-unavailable` at once while the log cannot be
   * written. In which order records are appended is the order in which they stand in the log.
   */
  append(record: AuditRecord): number;
  /** Number of records that are durable: the record with sequence `n` is durable once `durableCount > n`. Never goes back. */
  readonly durableCount: number;
  /** Resolves when the record with this sequence is durable; rejects with `audit-unavailable` when it cannot be made so. */
  durable(sequence: number): Promise<void>;
  /** A keyed digest (HMAC-SHA-256, hex) of bytes that must be comparable later without being guessable. */
  digest(bytes: Uint8Array): string;
}

/** `approvals/`: the desk at which people answer. */
export interface ApprovalPort {
  /**
   * Files a request for one held operation, or finds the approved one that this very operation may now use (`refuse-and-retry`).
   * The request's own records are appended by the desk; it resolves `ready` when `approval.requested` is durable. By promise where the desk
   * is in another process.
   */
  request(held: HeldOperation): PendingApproval | Promise<PendingApproval>;
}

export interface HeldOperation {
  readonly operation: Operation;
  readonly principal: Principal;
  readonly target: Target;
  readonly reviews: readonly Review[];
  readonly policyVersion: string;
  /** The audit log in which its session is, where that is not the desk's own. */
  readonly log?: string;
}

export interface PendingApproval {
  readonly id: string;
  /** Already approved by everyone needed (a retry of an approved operation): use it at once. */
  readonly alreadyApproved: boolean;
  readonly expiresAtMs: number;
  /** One line for the client: who is asked, the link, when it expires. */
  readonly message: string;
  /** Resolves once; never rejects. */
  readonly answer: Promise<ApprovalAnswer>;
  /** Consumes the approval, durable before it resolves; false when it was used, revoked or expired meanwhile. */
  use(): Promise<boolean>;
  /** The client is gone or the session ended: nobody can answer any more. */
  cancel(reason: string): void;
}

export type ApprovalAnswer =
  | { readonly kind: 'approved'; readonly by: readonly string[] }
  | { readonly kind: 'denied'; readonly by: string; readonly reason: string }
  | { readonly kind: 'expired' }
  | { readonly kind: 'cancelled'; readonly reason: string };

/** `recordings/`: one replayable file a session. Any call throws `recording-unavailable` when the file cannot be written. */
export interface RecordingPort {
  open(session: RecordedSession): SessionRecording;
}

export interface RecordedSession {
  readonly sessionId: string;
  readonly target: Target;
  readonly principal: Principal;
  readonly startedAtMs: number;
}

export interface SessionRecording {
  decided(operation: Operation, decision: 'allow' | 'deny', code: string | undefined): void;
  sample(sample: ResultSample): void;
  /** Undefined: there is room for more. Else much waits to be written, and whoever can wait does; it never rejects. */
  transcript(operationId: string, part: TranscriptPart): Promise<void> | undefined;
  completed(completion: Completion, durationMs: number): void;
  note(event: string, detail: Readonly<Record<string, string | number>>): void;
  /** Flushes, closes and digests the file. */
  seal(): Promise<SealedRecording>;
}

/** What is known of sessions now, for operators: list, kill. */
export interface LiveSession {
  readonly id: string;
  readonly principal: Principal;
  readonly target: Target;
  readonly peer: string;
  readonly startedAtMs: number;
  readonly operations: number;
  /** Ends the session within 5 seconds, with the reason in the client's own protocol. */
  end(reason: string): void;
  /** The group of which someone must watch. */
  readonly moderators?: string | undefined;
  /** Shows what passes while it passes; the answer ends it. Undefined where nothing can be shown. */
  readonly watch?: ((watcher: Watcher) => () => void) | undefined;
}

export interface ClockPort {
  /** Milliseconds since 1970. */
  now(): number;
  /** Milliseconds from an arbitrary origin, never going back. */
  monotonic(): number;
}

/** All of them, and what the composition knows of targets and sessions. */
export interface PipelinePorts {
  readonly identity: IdentityPort;
  readonly policy: PolicyPort;
  readonly approvals: ApprovalPort;
  readonly audit: AuditPort;
  readonly recordings: RecordingPort;
  readonly clock: ClockPort;
  readonly findTarget: (name: string) => Target | undefined;
  /** A fresh, unique, sortable session id. */
  readonly newSessionId: () => string;
  /** Longest life of a session, milliseconds, whatever its credential says. */
  readonly maxSessionMs: () => number;
}
