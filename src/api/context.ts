import type { AuditPort, LiveSession } from '../core/ports.ts';
import type { Principal } from '../core/principal.ts';
import type { AuditRecord, AuditRecordType, RecordedAct } from '../core/record.ts';
import type { Protocol } from '../core/target.ts';
import type { Identity } from '../identity/index.ts';

/**
 * What the API needs from the rest of the house, written from what it calls. Put together in `cli/gateway.ts`.
 * Anything here may throw a `GatewayFault`; the API words it as a problem document (`problem.ts`).
 */
export interface ApiContext {
  /** The gateway's name in its configuration. */
  readonly name: string;
  readonly version: string;
  /** Issuers at which people sign in, for `sallyport login`. */
  readonly signIn: readonly SignInIssuer[];
  /** Issuers of agents' tokens: which audience a job must ask its issuer for. */
  readonly agents: readonly { readonly issuer: string; readonly audience: string }[];
  readonly identity: ApiIdentity;
  /** Undefined where the target has no listener or does not exist. */
  connection(target: string): Connection | undefined;
  /** What the principal's groups allow at this API; empty for a stranger. */
  roles(principal: Principal): ReadonlySet<Role>;
  readonly sessions: ApiSessions;
  readonly approvals: ApiApprovals;
  readonly audit: ApiAudit;
  readonly recordings: ApiRecordings;
  readonly policy: ApiPolicy;
  health(): Health;
  /** Prometheus text exposition format 0.0.4. */
  metrics(): string;
  /** Something failed that no client may see in full: for the operator's log. */
  report(what: string, error: unknown): void;
}

export type Role = 'admin' | 'reviewer' | 'auditor' | 'operator';

export interface SignInIssuer {
  readonly name: string;
  /** The issuer's URL, under which its discovery document is found. */
  readonly issuer: string;
  /** The public client (no secret) registered for the command line, with a loopback redirect. */
  readonly clientId: string;
  /** What a token must have in `aud`. */
  readonly audience: string;
  readonly scopes: readonly string[];
  /** RFC 8707 resource indicator to send; undefined where the issuer takes the audience from the scopes (Entra refuses it). */
  readonly resource: string | undefined;
}

/** The identity layer as it is; the API keeps the record of what is issued and revoked here. */
export type ApiIdentity = Pick<Identity, 'authenticateOidc' | 'exchange' | 'listGatewayTokens' | 'revoke'>;

/** Where a standard client finds the target's listener, and what it must name there. */
export interface Connection {
  readonly protocol: Protocol;
  readonly host: string;
  readonly port: number;
  /** What the client names to choose the target: a database name, a user name, a URL path. */
  readonly name: string;
}

export interface ApiSessions {
  list(): readonly LiveSession[];
  find(id: string): LiveSession | undefined;
}

export type ApprovalState = 'pending' | 'approved' | 'denied' | 'expired' | 'cancelled' | 'used';

export interface ApprovalView {
  readonly id: string;
  readonly state: ApprovalState;
  readonly session: string;
  readonly operation: string;
  readonly target: string;
  readonly principal: Pick<Principal, 'issuer' | 'subject' | 'kind' | 'display' | 'claims'>;
  readonly acts: readonly RecordedAct[];
  /** Masked: safe for everyone who may see that the request exists. */
  readonly text: string;
  readonly reviews: readonly ReviewView[];
  readonly requestedAtMs: number;
  readonly expiresAtMs: number;
}

export interface ReviewView {
  readonly policy: string;
  readonly group: string;
  /** How many different people must approve. */
  readonly approvals: number;
  readonly message: string;
  readonly answers: readonly AnswerView[];
}

export interface AnswerView {
  readonly by: string;
  readonly answer: 'approved' | 'denied';
  readonly reason: string;
  readonly atMs: number;
}

export interface ApiApprovals {
  list(filter: { readonly state: ApprovalState | undefined }): Promise<readonly ApprovalView[]>;
  find(id: string): Promise<ApprovalView | undefined>;
  /** What exactly will run, nothing masked, while the request is pending on this gateway; undefined afterwards. */
  exactText(id: string): Promise<ExactText | undefined>;
  /**
   * One person's answer for every review of theirs. Resolves when `approval.answered` is durable. Throws `access-denied` (own request,
   * not in the group), `approval-cancelled`/`approval-expired` (nobody can answer any more), `audit-unavailable`.
   */
  answer(id: string, by: Principal, answer: 'approve' | 'deny', reason: string): Promise<ApprovalView>;
  /** Every change of every approval from now on; returns how to stop. The listener must not throw. */
  subscribe(listener: (approval: ApprovalView) => void): () => void;
}

export interface ExactText {
  readonly text: string;
  readonly parameters: readonly (string | null)[];
}

export interface ApiAudit extends Pick<AuditPort, 'append' | 'durable' | 'durableCount'> {
  /** Durable records in the order of the log, or newest first. Reads no more than the caller takes. */
  query(filter: AuditFilter): AsyncIterable<AuditEntry>;
  /** Durable records from this sequence on, as they come, until the signal. */
  tail(fromSequence: number, signal: AbortSignal): AsyncIterable<AuditEntry>;
  /** The newest signed checkpoint, a C2SP signed note. */
  checkpoint(): Promise<string>;
  /** C2SP note verifier key: `name+hash+base64`. */
  readonly verifierKey: string;
}

export interface AuditFilter {
  readonly types?: readonly AuditRecordType[] | undefined;
  readonly session?: string | undefined;
  readonly operation?: string | undefined;
  readonly target?: string | undefined;
  /** `issuer|subject`. */
  readonly principal?: string | undefined;
  readonly fromMs?: number | undefined;
  readonly toMs?: number | undefined;
  /** First sequence to look at, or, newest first, the last one. */
  readonly sequence?: number | undefined;
  readonly newestFirst?: boolean | undefined;
}

export interface AuditEntry {
  readonly sequence: number;
  readonly record: StoredRecord;
}

/** A record as it stands in the log. */
export type StoredRecord = AuditRecord & {
  readonly v: number;
  /** RFC 3339, UTC, milliseconds. */
  readonly time: string;
  readonly gateway: string;
  readonly policy_version: string;
};

export interface ApiRecordings {
  /** The recording of a session, sealed or still growing, as it is stored (JSON lines); undefined where there is none. */
  read(sessionId: string): Promise<AsyncIterable<Uint8Array> | undefined>;
}

export interface ApiPolicy {
  readonly version: string;
  /** Why would this be allowed? Asks nothing of the target; throws `target-unknown`, `unclassified`. */
  explain(question: ExplainQuestion): Promise<Explanation>;
}

export interface ExplainQuestion {
  readonly target: string;
  /** The statement, for SQL targets. Absent: may the principal connect? */
  readonly statement: string | undefined;
  readonly principal: Pick<Principal, 'issuer' | 'subject' | 'kind' | 'groups' | 'claims'>;
}

export interface Explanation {
  readonly decision: 'allow' | 'deny' | 'hold';
  readonly policies: readonly string[];
  readonly message: string;
  readonly acts: readonly RecordedAct[];
  readonly reviews: readonly { readonly policy: string; readonly group: string; readonly approvals: number }[];
  /** Data classes that the operation touches and the principal would see masked. */
  readonly masked: readonly string[];
}

export interface Health {
  /** False while the audit log cannot be written and while the gateway stops: nothing can be done through it. */
  readonly ready: boolean;
  /** One line each, in operators' words; nothing secret. */
  readonly problems: readonly string[];
}
