import type { ApprovalDesk } from '../approvals/index.ts';
import type { AuditLog, LogsTogether } from '../audit/index.ts';
import type { LiveSession } from '../core/ports.ts';
import type { Principal } from '../core/principal.ts';
import type { Protocol } from '../core/target.ts';
import type { Identity } from '../identity/index.ts';
import type { Explanation as PolicyExplanation } from '../policy/index.ts';

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
  /** Where SSH clients find the gateway, and the line by which they know it; undefined without such a listener. */
  ssh(): { readonly host: string; readonly port: number; readonly publicKey: string } | undefined;
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

interface SignInIssuer {
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
type ApiIdentity = Pick<Identity, 'authenticateOidc' | 'exchange' | 'listCredentials' | 'revoke'>;

/** Where a standard client finds the target's listener, and what it must name there. */
export interface Connection {
  readonly protocol: Protocol;
  readonly host: string;
  readonly port: number;
  /** What the client names to choose the target: a database name, a user name, a URL path. */
  readonly name: string;
  /** In front of every path, where clients speak HTTP: empty, or begins with a slash and ends with none. */
  readonly path?: string | undefined;
  /** Of SSH: the public line of the gateway's host key. */
  readonly hostKey?: string | undefined;
}

export interface ApiSessions {
  list(): readonly LiveSession[];
  find(id: string): LiveSession | undefined;
}

/** The desk as it is; it appends `approval.answered` itself, durable before `answer` resolves. Texts of its views are safe to print. */
export type ApiApprovals = Pick<ApprovalDesk, 'list' | 'find' | 'exactText' | 'answer' | 'subscribe'>;

/** The gateway's own log, to which everything that the API does is appended, and every log of the gateway, to be read as one. */
export type ApiAudit = Pick<AuditLog, 'append' | 'durable' | 'durableCount' | 'checkpoint' | 'verifierKey'> &
  Pick<LogsTogether, 'query' | 'tail' | 'end'>;

export interface ApiRecordings {
  /** The recording of a session, sealed or still growing, as it is stored (JSON lines); undefined where there is none. */
  read(sessionId: string): Promise<AsyncIterable<Uint8Array> | undefined>;
}

export interface ApiPolicy {
  readonly version: string;
  /** Why would this be allowed? Asks nothing of the target; throws `target-unknown`, `unclassified`. */
  explain(question: ExplainQuestion): Promise<Explanation>;
}

/** What policy answers, and what would be masked. An operation that is refused before policy is asked: a `deny` with its code, no acts. */
export interface Explanation extends PolicyExplanation {
  /** Data classes that the operation touches and the principal would see masked. */
  readonly masked: readonly string[];
}

export interface ExplainQuestion {
  readonly target: string;
  /** The statement, for SQL targets. Absent: may the principal connect? */
  readonly statement: string | undefined;
  readonly principal: Pick<Principal, 'issuer' | 'subject' | 'kind' | 'groups' | 'claims'>;
}

export interface Health {
  /** False while the audit log cannot be written and while the gateway stops: nothing can be done through it. */
  readonly ready: boolean;
  /** One line each, in operators' words; nothing secret. */
  readonly problems: readonly string[];
}
