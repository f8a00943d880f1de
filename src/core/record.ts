import type { Act, Facts, Transfer } from './operation.ts';
import type { ClaimValue, Principal } from './principal.ts';

/**
 * What the audit log holds: one record, one leaf. `type` closes the set. Times are UTC, RFC 3339 with milliseconds. The log adds
 * `v`, `time`, `gateway` and `policy_version`; everything else is the record's own. No secret and no unmasked sensitive value, ever.
 */
export type AuditRecord =
  | {
      readonly type: 'gateway.started';
      readonly version: string;
      readonly durability: 'disk' | 'process';
      readonly config_digest: string;
      readonly unsafe: readonly string[];
      /** In the log of a worker: its number. */
      readonly worker?: number;
    }
  | { readonly type: 'gateway.stopped'; readonly reason: string }
  /** In the gateway's own log: from now on there is a log of this worker, signed with this key, that begins with what the checkpoint signs. */
  | {
      readonly type: 'worker.started';
      readonly worker: number;
      /** Path below the audit folder. */
      readonly log: string;
      readonly verifier_key: string;
      readonly checkpoint: string;
    }
  | { readonly type: 'worker.ended'; readonly worker: number; readonly reason: string }
  /** A checkpoint of another log of this gateway, as a signed note: what it signs can no longer be cut off unseen. */
  | { readonly type: 'log.witnessed'; readonly log: string; readonly checkpoint: string }
  | { readonly type: 'log.recovered'; readonly records: number; readonly dropped_bytes: number }
  | {
      readonly type: 'sign-in.refused';
      readonly target: string;
      readonly peer: string;
      readonly claimed_user: string;
      readonly code: string;
      readonly detail: string;
    }
  | ({
      readonly type: 'session.opened';
      readonly session: string;
      readonly operation: string;
      readonly target: string;
      readonly protocol: string;
      readonly peer: string;
      readonly claimed_user: string;
      readonly acts: readonly RecordedAct[];
      readonly policies: readonly string[];
    } & RecordedPrincipal)
  | {
      readonly type: 'session.closed';
      readonly session: string;
      readonly reason: string;
      readonly operations: number;
      readonly duration_ms: number;
      readonly recording?: SealedRecording;
    }
  | {
      readonly type: 'session.note';
      readonly session: string;
      readonly event: string;
      readonly detail: Readonly<Record<string, string | number>>;
    }
  /** The recording of a session that a killed gateway left open, sealed at the next start. */
  | { readonly type: 'recording.recovered'; readonly session: string; readonly dropped_bytes: number; readonly recording: SealedRecording }
  | {
      readonly type: 'operation.decided';
      readonly session: string;
      readonly operation: string;
      readonly target: string;
      readonly principal: string;
      readonly decision: 'allow' | 'deny';
      readonly code?: string | undefined;
      readonly policies: readonly string[];
      readonly acts: readonly RecordedAct[];
      readonly facts: Facts;
      readonly text: string;
      readonly text_exact: boolean;
      readonly digest?: string | undefined;
      readonly parameters?: readonly (string | null)[] | undefined;
      /** What it ran by names given earlier. */
      readonly runs?: readonly string[] | undefined;
      readonly data_classes: readonly string[];
      readonly approvals?: readonly string[] | undefined;
      readonly pure_read: boolean;
    }
  | {
      readonly type: 'operation.completed';
      readonly session: string;
      readonly operation: string;
      readonly outcome: string;
      readonly error_code?: string | undefined;
      readonly reason?: string | undefined;
      readonly rows: number;
      readonly bytes: number;
      readonly duration_ms: number;
      readonly masked: Readonly<Record<string, number>>;
      readonly transfers?: readonly Transfer[] | undefined;
    }
  | {
      readonly type: 'approval.requested';
      readonly approval: string;
      /** The log in which the session is, where that is another one. */
      readonly log?: string;
      readonly session: string;
      readonly operation: string;
      readonly target: string;
      readonly principal: string;
      readonly reviews: readonly { policy: string; group: string; approvals: number }[];
      readonly binding: string;
      readonly text: string;
      /** What it would run by names given earlier. */
      readonly runs?: readonly string[];
      readonly expires: string;
    }
  | ({
      readonly type: 'approval.answered';
      readonly approval: string;
      readonly session: string;
      readonly operation: string;
      readonly answer: 'approved' | 'denied';
      readonly reason: string;
      readonly group: string;
    } & RecordedPrincipal)
  | { readonly type: 'approval.ended'; readonly approval: string; readonly state: 'approved' | 'denied' | 'expired' | 'cancelled' | 'used' }
  | ({
      readonly type: 'credential.issued';
      readonly credential: string;
      readonly target: string;
      readonly expires: string;
      /** Fingerprint of a key for SSH. */
      readonly key?: string;
    } & RecordedPrincipal)
  | { readonly type: 'credential.revoked'; readonly credential: string; readonly by: string; readonly reason: string }
  | ({
      readonly type: 'administration';
      readonly action: string;
      readonly detail: Readonly<Record<string, string | number | boolean>>;
    } & RecordedPrincipal)
  | ({ readonly type: 'evidence.read'; readonly what: string; readonly query: string; readonly results: number } & RecordedPrincipal)
  | { readonly type: 'policy.changed'; readonly policy_digest: string; readonly policies: number; readonly previous: string }
  | { readonly type: 'config.changed'; readonly config_digest: string; readonly previous: string }
  | { readonly type: 'key.rotated'; readonly key: string; readonly previous: string };

export type AuditRecordType = AuditRecord['type'];

export interface RecordedAct {
  readonly action: string;
  /** `Relation::"orders/public.customers"`. */
  readonly object: string;
}

export interface RecordedPrincipal {
  readonly issuer: string;
  readonly issuer_url: string;
  readonly subject: string;
  readonly kind: string;
  readonly groups: readonly string[];
  readonly groups_known: boolean;
  readonly claims: Readonly<Record<string, ClaimValue>>;
  readonly display: string;
  readonly token_id: string;
  readonly token_expires: string;
}

export interface SealedRecording {
  /** Path below the recordings folder. */
  readonly file: string;
  readonly sha256: string;
  readonly bytes: number;
}

export function recordAct(act: Act): RecordedAct {
  return { action: act.action, object: `${act.object.type}::${JSON.stringify(act.object.id)}` };
}

/** The same array for the same acts: by it the log knows again what it has encoded already. */
export function recordActs(acts: readonly Act[]): readonly RecordedAct[] {
  let recorded = recordedActs.get(acts);
  if (recorded === undefined) recordedActs.set(acts, (recorded = acts.map(recordAct)));
  return recorded;
}

/** A principal as records carry it. */
export function recordPrincipal(principal: Principal): RecordedPrincipal {
  return {
    issuer: principal.issuer,
    issuer_url: principal.issuerUrl,
    subject: principal.subject,
    kind: principal.kind,
    groups: principal.groups,
    groups_known: principal.groupsKnown,
    claims: principal.claims,
    display: principal.display,
    token_id: principal.tokenId ?? '',
    token_expires: new Date(principal.expiresAtMs).toISOString(),
  };
}

const recordedActs = new WeakMap<readonly Act[], readonly RecordedAct[]>();
