import type { LiveSession } from '../core/ports.ts';
import type { AuditRecord } from '../core/record.ts';
import type { LoggedRecord } from '../audit/index.ts';
import type { ApiContext } from './context.ts';
import type { OperationSummary, SessionDetail, SessionSummary } from './schema.ts';

export interface SessionQuery {
  readonly state: 'live' | 'recent' | 'all';
  readonly target?: string | undefined;
  readonly limit: number;
}

/** Live sessions from memory, ended ones from the audit log (newest first): the log is the only memory of the past. */
export async function listSessions(context: ApiContext, query: SessionQuery, gone: () => boolean): Promise<SessionSummary[]> {
  const matches = (target: string): boolean => query.target === undefined || query.target === target;
  const live = context.sessions.list().filter((session) => matches(session.target.name));
  const liveIds = new Set(context.sessions.list().map((session) => session.id));
  const found = query.state === 'recent' ? [] : live.map(liveSummary).slice(0, query.limit);
  if (query.state === 'live') return found;
  const closed = new Map<string, Closed>();
  for await (const { record } of context.audit.query({ types: ['session.opened', 'session.closed'], order: 'newest' })) {
    if (found.length >= query.limit || gone()) break;
    if (record.type === 'session.closed') closed.set(record.session, record);
    if (record.type !== 'session.opened' || liveIds.has(record.session) || !matches(record.target)) continue;
    found.push(pastSummary(record, closed.get(record.session)));
    closed.delete(record.session);
  }
  return found;
}

/** One session with its operations, at most `maximumOperations` of them. */
export async function findSession(context: ApiContext, id: string, gone: () => boolean): Promise<SessionDetail | undefined> {
  const live = context.sessions.find(id);
  let opened: Opened | undefined;
  let closed: Closed | undefined;
  let truncated = false;
  const operations = new Map<string, OperationSummary>();
  for await (const entry of context.audit.query({ session: id, order: 'oldest' })) {
    if (gone()) break;
    const { record } = entry;
    if (record.type === 'session.opened') opened = record;
    else if (record.type === 'session.closed') closed = record;
    else if (record.type === 'operation.decided' || record.type === 'operation.completed') {
      truncated = !addOperation(operations, entry) || truncated;
    }
  }
  const session = live === undefined ? opened && pastSummary(opened, closed) : liveSummary(live);
  return session && { session, operations: [...operations.values()], truncated };
}

/** False where there is no room for one more. */
function addOperation(operations: Map<string, OperationSummary>, { record }: LoggedRecord): boolean {
  if (record.type === 'operation.completed') {
    const decided = operations.get(record.operation);
    if (decided === undefined) return true;
    decided.completed = {
      outcome: record.outcome,
      error_code: record.error_code ?? null,
      rows: record.rows,
      bytes: record.bytes,
      duration_ms: record.duration_ms,
      masked: { ...record.masked },
    };
    return true;
  }
  if (record.type !== 'operation.decided') return true;
  if (operations.size >= maximumOperations) return false;
  operations.set(record.operation, {
    id: record.operation,
    time: record.time,
    decision: record.decision,
    code: record.code ?? null,
    policies: listOf(record.policies),
    acts: listOf(record.acts),
    text: textOf(record.text),
    runs: record.runs === undefined ? [] : Array.isArray(record.runs) ? [...record.runs] : [textOf(record.runs)],
    completed: null,
  });
  return true;
}

/** A member too large for its record is stored beside the log, and `{ sha256, bytes }` stands in its place. */
function textOf(member: unknown): string {
  if (typeof member === 'string') return member;
  const { sha256, bytes } = (member ?? {}) as { sha256?: unknown; bytes?: unknown };
  return `(${String(bytes)} bytes beside the log, sha256 ${String(sha256)})`;
}

function listOf<T>(member: readonly T[]): T[] {
  return Array.isArray(member) ? [...member] : [];
}

function liveSummary(session: LiveSession): SessionSummary {
  const { principal } = session;
  return {
    id: session.id,
    state: 'live',
    target: session.target.name,
    protocol: session.target.protocol,
    peer: session.peer,
    principal: {
      issuer: principal.issuer,
      subject: principal.subject,
      kind: principal.kind,
      display: principal.display,
      groups: [...principal.groups],
      claims: { ...principal.claims },
    },
    started: new Date(session.startedAtMs).toISOString(),
    ended: null,
    reason: null,
    operations: session.operations,
    recording: null,
  };
}

function pastSummary(opened: Opened, closed: Closed | undefined): SessionSummary {
  return {
    id: opened.session,
    state: closed === undefined ? 'interrupted' : 'closed',
    target: opened.target,
    protocol: opened.protocol,
    peer: opened.peer,
    principal: {
      issuer: opened.issuer,
      subject: opened.subject,
      kind: opened.kind,
      display: opened.display,
      groups: [...opened.groups],
      claims: { ...opened.claims },
    },
    started: opened.time,
    ended: closed?.time ?? null,
    reason: closed?.reason ?? null,
    operations: closed?.operations ?? null,
    recording: closed?.recording ?? null,
  };
}

type Stored<T extends AuditRecord['type']> = Extract<LoggedRecord['record'], { readonly type: T }>;
type Opened = Stored<'session.opened'>;
type Closed = Stored<'session.closed'>;

const maximumOperations = 1_000;
