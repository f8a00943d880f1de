import type { ApprovalView } from '../../approvals/index.ts';
import type { Decision } from '../../core/decision.ts';
import { GatewayFault } from '../../core/fault.ts';
import type { LiveSession } from '../../core/ports.ts';
import type { Principal } from '../../core/principal.ts';
import type { AuditRecord } from '../../core/record.ts';
import { answerExchange } from '../../identity/exchange.ts';
import type { ExchangeRequest } from '../../identity/exchange.ts';
import { LogsTogether, type LoggedRecord, type RecordQuery, type TailOptions } from '../../audit/index.ts';
import type { IssuedCredential } from '../../identity/index.ts';
import type { ApiContext, Connection, Role } from '../context.ts';

/**
 * An `ApiContext` in memory, for tests of the API and of the command line. Tokens are `<name>` of a person below; what happened
 * stands in `events`, in order, so that a test can tell what came before what.
 */
export class TestContext implements ApiContext {
  readonly name = 'gw-test';
  readonly version = '0.1.0';
  signIn: ApiContext['signIn'] = [
    {
      name: 'people',
      issuer: 'https://issuer.example',
      clientId: 'sallyport-cli',
      audience: 'https://gw.example',
      scopes: ['openid'],
      resource: undefined,
    },
  ];
  agents: ApiContext['agents'] = [{ issuer: 'https://ci.example', audience: 'https://gw.example' }];
  readonly events: string[] = [];
  readonly entries: LoggedRecord[] = [];
  readonly reports: string[] = [];
  readonly live = new Map<string, LiveSession>();
  readonly filed = new Map<string, ApprovalView>();
  readonly issued = new Map<string, IssuedCredential>();
  readonly recorded = new Map<string, string>();
  readonly people = new Map<string, Principal>();
  readonly exchanges: ExchangeRequest[] = [];
  auditDown = false;
  /** Set: records become durable only when it resolves. */
  disk: Promise<void> | undefined;
  ready = true;
  readonly #listeners = new Set<(approval: ApprovalView) => void>();
  readonly #tails = new Set<() => void>();

  constructor() {
    for (const role of ['admin', 'reviewer', 'auditor', 'operator'] as const) this.people.set(role, person(role, [role, 'dba']));
    this.people.set('stranger', person('stranger', []));
    this.people.set('other-reviewer', person('other-reviewer', ['reviewer', 'fraud']));
    this.people.set('job', { ...person('job', ['admin']), kind: 'agent' });
  }

  roles(principal: Principal): ReadonlySet<Role> {
    return new Set((['admin', 'reviewer', 'auditor', 'operator'] as const).filter((role) => principal.groups.includes(role)));
  }

  readonly identity: ApiContext['identity'] = {
    authenticateOidc: async (token) => {
      const principal = this.people.get(token);
      if (principal !== undefined) return principal;
      throw new GatewayFault('authentication-failed', { publicMessage: 'the token was not accepted', detail: 'signature' });
    },
    exchange: async (form, record) =>
      await answerExchange(
        form,
        async (request) => {
          this.exchanges.push(request);
          const principal = await this.identity.authenticateOidc(request.subjectToken);
          if (request.target !== 'orders') throw new GatewayFault('target-unknown', { publicMessage: 'no such target for you' });
          const isKey = request.sshPublicKey !== undefined;
          const stored = {
            ...credential(isKey ? 'ssk_new' : 'gtk_new', principal),
            ...(isKey ? { fingerprint: 'SHA256:of-the-key' } : {}),
          };
          await record(stored);
          this.events.push('exchanged');
          this.issued.set(stored.id, stored);
          return { credential: stored.fingerprint ?? 'spt_secret-handle', stored };
        },
        Date.now,
      ),
    listCredentials: async () => [...this.issued.values()],
    revoke: async (id) => {
      this.events.push(`revoked ${id}`);
      return this.issued.delete(id);
    },
  };

  connectionOf: Connection = { protocol: 'postgres', host: '127.0.0.1', port: 5432, name: 'orders' };

  connection(target: string): Connection | undefined {
    return target === 'orders' ? this.connectionOf : undefined;
  }

  sshOf: ReturnType<ApiContext['ssh']>;

  ssh(): ReturnType<ApiContext['ssh']> {
    return this.sshOf;
  }

  readonly sessions: ApiContext['sessions'] = {
    list: () => [...this.live.values()],
    find: (id) => this.live.get(id),
  };

  readonly approvals: ApiContext['approvals'] = {
    list: async ({ state }) => [...this.filed.values()].filter((approval) => state === undefined || approval.state === state),
    find: async (id) => this.filed.get(id),
    exactText: async (id) =>
      this.filed.get(id)?.state === 'pending'
        ? { text: "delete from t where ssn = '123-45-6789'", runs: [], parameters: ['1', null] }
        : undefined,
    answer: async (id, by, answer, reason) => {
      const approval = this.filed.get(id);
      if (approval?.state !== 'pending') throw new GatewayFault('approval-cancelled', { publicMessage: 'nobody can answer this any more' });
      if (approval.principal.subject === by.subject) throw new GatewayFault('access-denied', { publicMessage: 'this request is your own' });
      this.events.push(`${answer} ${id} by ${by.subject}: ${reason}`);
      const next: ApprovalView = { ...approval, state: answer === 'approve' ? 'approved' : 'denied' };
      this.file(next);
      return next;
    },
    subscribe: (listener) => {
      this.#listeners.add(listener);
      return () => this.#listeners.delete(listener);
    },
  };

  /** Files or changes an approval and tells everyone who listens. */
  file(approval: ApprovalView): void {
    this.filed.set(approval.id, approval);
    for (const listener of this.#listeners) listener(approval);
  }

  get listeners(): number {
    return this.#listeners.size;
  }

  readonly audit: ApiContext['audit'] = this.#log();

  readonly recordings: ApiContext['recordings'] = {
    read: async (session) => {
      const text = this.recorded.get(session);
      if (text === undefined) return undefined;
      return (async function* () {
        yield new TextEncoder().encode(text);
      })();
    },
  };

  readonly policy: ApiContext['policy'] = {
    version: 'policy-1',
    explain: async ({ principal }) => {
      const held = principal.groups.includes('deployers');
      const policy = {
        id: 'schema changes wait',
        effect: 'forbid' as const,
        review: 'dba',
        file: 'production.cedar',
        line: 7,
        outcome: 'applies' as const,
      };
      const message = 'Schema changes need a DBA.';
      const review = { policy: policy.id, group: 'dba', approvals: 1, expiresMs: 900_000, message };
      const decision: Decision = held
        ? { kind: 'hold', policies: [policy.id], reviews: [review], message }
        : { kind: 'deny', code: 'policy-denied', policies: [], message: 'nothing permits this' };
      const act = { action: 'sql:drop-table', object: 'Relation::"orders/public.t"', decision, failure: undefined, policies: [policy] };
      return { decision, failure: undefined, acts: [act], masked: ['ssn'] };
    },
  };

  health(): { ready: boolean; problems: readonly string[] } {
    return { ready: this.ready, problems: this.ready ? [] : ['the audit log cannot be written'] };
  }

  metrics(): string {
    return '# TYPE sallyport_sessions gauge\nsallyport_sessions 1\n';
  }

  report(what: string): void {
    this.reports.push(what);
  }

  #log(): ApiContext['audit'] {
    const { entries, events } = this;
    const append = (record: AuditRecord): number => {
      if (this.auditDown) throw unavailable();
      entries.push({ sequence: entries.length, record: stored(record) });
      for (const wake of this.#tails) wake();
      return entries.length - 1;
    };
    const own = {
      name: 'gateway',
      query: async function* (filter: RecordQuery) {
        const list = filter.order === 'newest' ? entries.toReversed() : entries;
        yield* [...list].filter((entry) => matches(filter, entry));
      },
      length: async () => entries.length,
      tail: (options: TailOptions) => this.#tail(options.first ?? entries.length, options.signal ?? new AbortController().signal),
    };
    const together = new LogsTogether(own, () => []);
    return {
      append,
      get durableCount() {
        return entries.length;
      },
      durable: async (sequence) => {
        await this.disk;
        if (this.auditDown) throw unavailable();
        events.push(`durable ${entries[sequence]?.record.type}`);
      },
      query: (query) => together.query(query),
      tail: (options) => together.tail(options),
      end: () => together.end(),
      checkpoint: async () => 'gw-test\n1\nAAAA\n\n— gw-test sig\n',
      verifierKey: 'gw-test+00000000+AAAA',
    };
  }

  async *#tail(from: number, signal: AbortSignal): AsyncGenerator<LoggedRecord> {
    for (let next = from; !signal.aborted;) {
      const entry = this.entries[next];
      if (entry !== undefined) {
        next++;
        yield entry;
        continue;
      }
      await new Promise<void>((resolve) => {
        const wake = (): void => {
          this.#tails.delete(wake);
          resolve();
        };
        this.#tails.add(wake);
        signal.addEventListener('abort', wake, { once: true });
      });
    }
  }
}

export function person(subject: string, groups: readonly string[]): Principal {
  return {
    issuer: 'people',
    issuerUrl: 'https://issuer.example',
    subject,
    kind: 'user',
    groups,
    groupsKnown: true,
    claims: { name: subject },
    display: subject,
    tokenId: `jti-${subject}`,
    expiresAtMs: Date.now() + 3_600_000,
    authenticatedBy: 'oidc-token',
  };
}

export function credential(id: string, principal: Principal): IssuedCredential {
  const issuedAtMs = Date.now();
  return {
    id,
    target: 'orders',
    principal,
    issuerFingerprint: '',
    issuedAtMs,
    expiresAtMs: issuedAtMs + 600_000,
    revocation: undefined,
  };
}

export function approval(id: string, changes: Partial<ApprovalView> = {}): ApprovalView {
  return {
    id,
    state: 'pending',
    hold: 'wait',
    dataClasses: ['ssn'],
    endReason: '',
    session: 's-1',
    operation: 's-1.4',
    target: 'orders',
    principal: { issuer: 'ci', subject: 'repo:7741', kind: 'agent', display: 'deploy.yml', claims: { run_id: '99' } },
    acts: [{ action: 'sql:delete', object: 'Relation::"orders/public.t"' }],
    text: "delete from t where ssn = '***'",
    runs: [],
    reviews: [{ policy: 'unbounded deletes wait', group: 'dba', approvals: 1, message: 'A DBA must look.', answers: [] }],
    requestedAtMs: Date.now(),
    expiresAtMs: Date.now() + 900_000,
    ...changes,
  };
}

/** A live session; `ended` receives the reason. */
export function liveSession(id: string, ended: (reason: string) => void): LiveSession {
  return {
    id,
    principal: { ...person('repo:7741', ['deployers']), kind: 'agent' },
    target: { name: 'orders', protocol: 'postgres', labels: {}, masking: 'taint', hold: 'wait' },
    peer: '10.0.0.9:41234',
    startedAtMs: Date.now() - 5_000,
    operations: 3,
    end: ended,
    watch: (watcher) => {
      watcher.see(`${id}-1`, { stream: 'output', text: 'hello\n' });
      watcher.ended();
      return () => {};
    },
  };
}

function stored(record: AuditRecord): LoggedRecord['record'] {
  return { ...record, v: 1, time: new Date().toISOString(), gateway: 'gw-test', policy_version: 'policy-1' };
}

function matches(filter: RecordQuery, { sequence, record }: LoggedRecord): boolean {
  if (filter.types !== undefined && !filter.types.includes(record.type)) return false;
  if (filter.session !== undefined && (record as { session?: string }).session !== filter.session) return false;
  if (filter.target !== undefined && (record as { target?: string }).target !== filter.target) return false;
  return sequence >= (filter.first ?? 0) && sequence < (filter.end ?? Infinity);
}

function unavailable(): GatewayFault {
  return new GatewayFault('audit-unavailable', { publicMessage: 'the audit log cannot be written' });
}
