import type { DatabaseSync } from 'node:sqlite';
import type { Review } from '../../core/decision.ts';
import { GatewayFault } from '../../core/fault.ts';
import type { Operation } from '../../core/operation.ts';
import type { AuditPort, HeldOperation } from '../../core/ports.ts';
import type { Principal } from '../../core/principal.ts';
import type { AuditRecord } from '../../core/record.ts';
import type { HoldMode } from '../../core/target.ts';
import { openDatabase } from '../../store/sqlite.ts';
import { ApprovalDesk } from '../desk.ts';
import { SqliteApprovalStore } from '../sqlite/store.ts';
import type { Timers } from '../timers.ts';

export const startMs = Date.UTC(2030, 0, 2, 14, 17);

/** An audit log in memory whose disk the test holds in its hand. */
export class TestAudit implements Pick<AuditPort, 'append' | 'durable' | 'digest'> {
  readonly records: AuditRecord[] = [];
  /** `now`: durable at once. `wait`: until `flush`. `fail`: never. */
  disk: 'now' | 'wait' | 'fail' = 'now';
  refuse: ((record: AuditRecord) => boolean) | undefined;
  #waiting: (() => void)[] = [];

  append(record: AuditRecord): number {
    if (this.refuse?.(record) === true) throw unavailable();
    return this.records.push(record) - 1;
  }

  durable(): Promise<void> {
    if (this.disk === 'fail') return Promise.reject(unavailable());
    if (this.disk === 'now') return Promise.resolve();
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
    });
  }

  flush(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  /** Readable and injective: good enough to compare. */
  digest(bytes: Uint8Array): string {
    return Buffer.from(bytes).toString('hex');
  }

  /** The approvals' records in the order of the log: `requested`, `answered approved`, `ended used`. */
  get story(): string[] {
    return this.records.map((record) => {
      if (record.type === 'approval.answered') return `answered ${record.answer}`;
      if (record.type === 'approval.ended') return `ended ${record.state}`;
      return record.type.replace('approval.', '');
    });
  }
}

/** Time that passes when the test says so. */
export class TestTime implements Timers {
  nowMs = startMs;
  #timers: { atMs: number; action: () => void }[] = [];

  now(): number {
    return this.nowMs;
  }

  after(delayMs: number, action: () => void): () => void {
    const timer = { atMs: this.nowMs + delayMs, action };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  }

  advance(ms: number): void {
    this.nowMs += ms;
    const due = this.#timers.filter((timer) => timer.atMs <= this.nowMs);
    this.#timers = this.#timers.filter((timer) => timer.atMs > this.nowMs);
    for (const { action } of due) action();
  }

  get pending(): number {
    return this.#timers.length;
  }
}

/** A desk on a real database, and everything around it that a test turns. */
export class DeskBench {
  readonly audit = new TestAudit();
  readonly time = new TestTime();
  readonly database: DatabaseSync = openDatabase(':memory:');
  policyVersion = 'policy-1';
  desk = this.restart();

  /** Another run of the gateway on the same database. The earlier one is gone as after a crash. */
  restart(): ApprovalDesk {
    this.desk = new ApprovalDesk({
      store: new SqliteApprovalStore(this.database),
      audit: this.audit,
      clock: this.time,
      timers: this.time,
      policyVersion: () => this.policyVersion,
      apiUrl: () => 'https://gw.example:8080',
    });
    return this.desk;
  }
}

/** Lets everything that waits for no one run to its end. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 3; turn += 1) await new Promise(setImmediate);
}

export function person(name: string, change: Partial<Principal> = {}): Principal {
  return {
    issuer: 'entra',
    issuerUrl: 'https://login.example/tenant',
    subject: name,
    kind: 'user',
    groups: ['dba'],
    groupsKnown: true,
    claims: {},
    display: name,
    tokenId: `token-${name}`,
    expiresAtMs: startMs + 3_600_000,
    authenticatedBy: 'oidc-token',
    ...change,
  };
}

export const agent: Principal = person('job-7', {
  issuer: 'github',
  issuerUrl: 'https://token.example',
  kind: 'agent',
  groups: ['deployers'],
  claims: { repository: 'bank/orders', actor: 'eve\u202e' },
});

export const dbaReview: Review = { policy: 'schema changes wait', group: 'dba', approvals: 1, expiresMs: 900_000, message: 'Ask a DBA.' };

export interface HeldChange {
  readonly hold?: HoldMode;
  readonly text?: string;
  readonly fullText?: string;
  readonly runs?: readonly string[];
  readonly fullRuns?: readonly string[];
  readonly sessionId?: string;
  readonly operationId?: string;
  readonly principal?: Principal;
  readonly target?: string;
  readonly policyVersion?: string;
  readonly reviews?: readonly Review[];
  readonly acts?: Operation['acts'];
}

export function heldOperation(change: HeldChange = {}): HeldOperation {
  const fullText = change.fullText ?? "DELETE FROM customers WHERE ssn = '078-05-1120'";
  const operation: Operation = {
    id: change.operationId ?? 'session-1-1',
    sessionId: change.sessionId ?? 'session-1',
    protocol: 'postgres',
    acts: change.acts ?? [{ action: 'sql:delete', object: { type: 'Relation', id: 'orders/public.customers' } }],
    facts: {},
    pureRead: false,
    naming: false,
    text: change.text ?? "DELETE FROM customers WHERE ssn = '***'",
    textIsExact: false,
    ...(change.runs === undefined ? {} : { runs: change.runs }),
    dataClasses: ['ssn'],
    exact: () => new TextEncoder().encode(fullText),
    unmasked: () => ({ text: fullText, runs: change.fullRuns ?? [], parameters: [] }),
  };
  const name = change.target ?? 'orders';
  return {
    operation,
    principal: change.principal ?? agent,
    target: { name, protocol: 'postgres', labels: {}, masking: 'taint', hold: change.hold ?? 'wait' },
    reviews: change.reviews ?? [dbaReview],
    policyVersion: change.policyVersion ?? 'policy-1',
  };
}

function unavailable(): GatewayFault {
  return new GatewayFault('audit-unavailable', { publicMessage: 'the audit log cannot be written' });
}
