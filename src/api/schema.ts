import * as z from 'zod';

/**
 * Shapes of the API's answers, for the OpenAPI document and for the command line (which takes the types only). Times are RFC 3339,
 * UTC, with milliseconds.
 */
const time = z.iso.datetime();
const claims = z.record(z.string(), z.union([z.string(), z.number(), z.boolean()]));
const role = z.enum(['admin', 'reviewer', 'auditor', 'operator']);
const approvalState = z.enum(['pending', 'approved', 'denied', 'expired', 'cancelled', 'used']);

const act = z.object({ action: z.string(), object: z.string() });

export const who = z.object({
  issuer: z.string(),
  subject: z.string(),
  kind: z.string(),
  display: z.string(),
});

export const whoami = who.extend({
  groups: z.array(z.string()),
  groups_known: z.boolean(),
  claims,
  roles: z.array(role),
  expires: time,
});

export const wellKnown = z.object({
  name: z.string(),
  version: z.string(),
  api: z.literal('v1'),
  token_endpoint: z.string(),
  issuers: z.array(
    z.object({
      name: z.string(),
      issuer: z.string(),
      client_id: z.string(),
      audience: z.string(),
      scopes: z.array(z.string()),
      resource: z.string().nullable(),
    }),
  ),
  agents: z.array(z.object({ issuer: z.string(), audience: z.string() })),
  verifier_key: z.string(),
});

export const issuedToken = z.object({
  /** The token; for a key for SSH its fingerprint. */
  access_token: z.string(),
  issued_token_type: z.enum(['urn:ietf:params:oauth:token-type:access_token', 'urn:sallyport:token-type:ssh-key']),
  token_type: z.enum(['Bearer', 'N_A']),
  expires_in: z.int(),
  /** The public id, for records and revocation. */
  token_id: z.string(),
  target: z.string(),
  connection: z
    .object({
      protocol: z.string(),
      host: z.string(),
      port: z.int(),
      name: z.string(),
      path: z.string().optional(),
      /** Of SSH: the line `ssh-ed25519 AAAA…` by which clients know the gateway. */
      host_key: z.string().optional(),
    })
    .optional(),
});

const session = z.object({
  id: z.string(),
  /** `interrupted`: opened, never closed on record, and not alive: the gateway died under it. */
  state: z.enum(['live', 'closed', 'interrupted']),
  target: z.string(),
  protocol: z.string(),
  peer: z.string(),
  principal: who.extend({ groups: z.array(z.string()), claims }),
  started: time,
  ended: time.nullable(),
  reason: z.string().nullable(),
  operations: z.int().nullable(),
  recording: z.object({ file: z.string(), sha256: z.string(), bytes: z.int() }).nullable(),
});

/** What passes in a session that is watched. Nothing in `text` is neutralised: a terminal would follow its control sequences. */
export const transcriptPart = z.object({ operation: z.string(), stream: z.enum(['input', 'output', 'error', 'resize']), text: z.string() });

export const sessionList = z.object({ sessions: z.array(session) });

const operation = z.object({
  id: z.string(),
  time,
  decision: z.enum(['allow', 'deny']),
  code: z.string().nullable(),
  policies: z.array(z.string()),
  acts: z.array(act),
  text: z.string(),
  /** What it ran by names given earlier. */
  runs: z.array(z.string()),
  /** `null`: decided, and never completed on record. */
  completed: z
    .object({
      outcome: z.string(),
      error_code: z.string().nullable(),
      rows: z.int(),
      bytes: z.int(),
      duration_ms: z.number(),
      masked: z.record(z.string(), z.int()),
    })
    .nullable(),
});

export const sessionDetail = z.object({
  session,
  operations: z.array(operation),
  /** More operations are on record than are listed; read them with the audit query. */
  truncated: z.boolean(),
});

const answer = z.object({ by: z.string(), answer: z.enum(['approved', 'denied']), reason: z.string(), time });

export const approval = z.object({
  id: z.string(),
  state: approvalState,
  session: z.string(),
  operation: z.string(),
  target: z.string(),
  /** What the client does meanwhile: it waits, or was refused and runs the very same operation again. */
  hold: z.enum(['wait', 'refuse-and-retry']),
  principal: who.extend({ claims }),
  acts: z.array(act),
  data_classes: z.array(z.string()),
  /** Masked. */
  text: z.string(),
  /** What it would run by names given earlier, masked. */
  runs: z.array(z.string()),
  reviews: z.array(z.object({ policy: z.string(), group: z.string(), approvals: z.int(), message: z.string(), answers: z.array(answer) })),
  requested: time,
  expires: time,
  /** Why it ended, where that is more than its state says. */
  end_reason: z.string(),
});

export const approvalList = z.object({ approvals: z.array(approval) });

export const approvalDetail = approval.extend({
  /** What exactly will run; only for those who may answer, and only while it is pending. */
  exact: z.object({ text: z.string(), runs: z.array(z.string()), parameters: z.array(z.string().nullable()) }).nullable(),
});

export const auditEntry = z.object({
  /** Which of several logs (`gateway`, `workers/1`); absent where there is but one. */
  log: z.string().optional(),
  sequence: z.int(),
  record: z.looseObject({ type: z.string(), time, gateway: z.string() }),
});

export const auditPage = z.object({
  records: z.array(auditEntry),
  /** Ask again with `sequence` set to this for what follows; `null` at the end. */
  next: z.union([z.int(), z.string()]).nullable(),
});

export const checkpoint = z.object({ checkpoint: z.string(), verifier_key: z.string(), records: z.int() });

const credential = z.object({
  id: z.string(),
  kind: z.enum(['gateway-token', 'ssh-key']),
  /** Of a key for SSH: `SHA256:…`. */
  fingerprint: z.string().nullable(),
  principal: who,
  target: z.string(),
  issued: time,
  expires: time,
});

export const sshHostKeys = z.object({
  host: z.string(),
  port: z.int(),
  keys: z.array(
    z.object({
      type: z.literal('ssh-ed25519'),
      public_key: z.string(),
      fingerprint: z.string(),
      /** For `known_hosts`. */
      known_hosts: z.string(),
      /** For the zone of the gateway's name, signed by DNSSEC. */
      sshfp: z.array(z.string()),
    }),
  ),
});

export const credentialList = z.object({ credentials: z.array(credential) });

const decisionKind = z.enum(['allow', 'deny', 'hold', 'unavailable']);

export const explanation = z.object({
  /** `unavailable`: policy could not be evaluated, and the gateway denies. */
  decision: decisionKind,
  message: z.string(),
  acts: z.array(
    act.extend({
      decision: decisionKind,
      message: z.string(),
      policies: z.array(
        z.object({
          id: z.string(),
          effect: z.enum(['permit', 'forbid']),
          review: z.string().nullable(),
          file: z.string(),
          line: z.int(),
          outcome: z.enum(['applies', 'conditions-unmet', 'elsewhere', 'failed']),
        }),
      ),
    }),
  ),
  reviews: z.array(z.object({ policy: z.string(), group: z.string(), approvals: z.int() })),
  /** Data classes that the principal would see masked; `null` where that was not looked at. */
  masked: z.array(z.string()).nullable(),
});

export const done = z.object({ done: z.literal(true) });

export const health = z.object({ status: z.enum(['ok', 'unavailable']), problems: z.array(z.string()) });

export const approvalFilter = approvalState;

export type WellKnown = z.output<typeof wellKnown>;
export type WhoAmI = z.output<typeof whoami>;
export type IssuedToken = z.output<typeof issuedToken>;
export type SshHostKeys = z.output<typeof sshHostKeys>;
export type SessionSummary = z.output<typeof session>;
export type SessionList = z.output<typeof sessionList>;
export type TranscriptPart = z.output<typeof transcriptPart>;
export type SessionDetail = z.output<typeof sessionDetail>;
export type OperationSummary = z.output<typeof operation>;
export type Approval = z.output<typeof approval>;
export type ApprovalList = z.output<typeof approvalList>;
export type ApprovalDetail = z.output<typeof approvalDetail>;
export type AuditPage = z.output<typeof auditPage>;
export type AuditRow = z.output<typeof auditEntry>;
export type Explained = z.output<typeof explanation>;
