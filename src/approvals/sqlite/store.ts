import type { DatabaseSync, SQLOutputValue } from 'node:sqlite';
import { migrate, transaction } from '../../store/sqlite.ts';
import type { Answer, Approval, StoredState } from '../approval.ts';
import type { ApprovalStore, StateChange } from '../store.ts';

/** Requests and answers in the gateway's embedded database. */
export class SqliteApprovalStore implements ApprovalStore {
  readonly #database: DatabaseSync;

  constructor(database: DatabaseSync) {
    migrate(database, 'approvals', migrations);
    this.#database = database;
  }

  insert(approval: Approval): void {
    const { id, state, hold, binding, policyVersion, requestedAtMs, expiresAtMs, endReason, answers: _, ...described } = approval;
    this.#database
      .prepare(
        `INSERT INTO approvals (id, state, hold, binding, issuer, subject, policy_version, requested_at, expires_at, end_reason, described)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      )
      .run(
        id,
        state,
        hold,
        binding,
        approval.principal.issuer,
        approval.principal.subject,
        policyVersion,
        requestedAtMs,
        expiresAtMs,
        endReason,
        JSON.stringify(described),
      );
  }

  find(id: string): Approval | undefined {
    return this.#read('WHERE id = ?', id)[0];
  }

  list(state: StoredState | undefined): readonly Approval[] {
    return state === undefined
      ? this.#read('ORDER BY requested_at DESC, rowid DESC LIMIT 1000')
      : this.#read('WHERE state = ? ORDER BY requested_at DESC, rowid DESC LIMIT 1000', state);
  }

  open(): readonly Approval[] {
    return this.#read(`WHERE ${isOpen}`);
  }

  findByBinding(binding: string): Approval | undefined {
    return this.#read(
      `WHERE binding = ? AND hold = 'refuse-and-retry' AND state IN ('filing', 'pending', 'approved', 'denied')
       ORDER BY requested_at DESC, rowid DESC LIMIT 1`,
      binding,
    )[0];
  }

  countOpen(issuer: string, subject: string): number {
    const row = this.#database
      .prepare(`SELECT count(*) AS n FROM approvals WHERE issuer = ? AND subject = ? AND ${isOpen}`)
      .get(issuer, subject);
    return Number(row?.n);
  }

  change(id: string, change: StateChange): boolean {
    return transaction(this.#database, () => {
      const places = change.from.map(() => '?').join(', ');
      const { changes } = this.#database
        .prepare(`UPDATE approvals SET state = ?, changed_at = ?, end_reason = ?, end_recorded = ? WHERE id = ? AND state IN (${places})`)
        .run(change.to, change.atMs, change.reason ?? '', change.recorded ? 1 : 0, id, ...change.from);
      if (changes !== 1) return false;
      if (change.answer !== undefined) this.#addAnswer(id, change.answer);
      return true;
    });
  }

  unrecordedEnds(): readonly Pick<Approval, 'id' | 'state'>[] {
    return this.#database
      .prepare(`SELECT id, state FROM approvals WHERE end_recorded = 0 AND NOT ${isOpen} ORDER BY changed_at, rowid`)
      .all()
      .map((row) => ({ id: String(row.id), state: String(row.state) as StoredState }));
  }

  endRecorded(id: string): void {
    this.#database.prepare('UPDATE approvals SET end_recorded = 1 WHERE id = ?').run(id);
  }

  purge(beforeMs: number): void {
    this.#database.prepare(`DELETE FROM approvals WHERE end_recorded = 1 AND NOT ${isOpen} AND changed_at < ?`).run(beforeMs);
  }

  #addAnswer(id: string, answer: Answer): void {
    this.#database
      .prepare(
        `INSERT INTO approval_answers (approval, issuer, issuer_url, subject, display, groups, answer, reason, at)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      )
      .run(
        id,
        answer.issuer,
        answer.issuerUrl,
        answer.subject,
        answer.display,
        JSON.stringify(answer.groups),
        answer.answer,
        answer.reason,
        answer.atMs,
      );
  }

  #read(where: string, ...values: readonly string[]): Approval[] {
    const answers = this.#database.prepare('SELECT * FROM approval_answers WHERE approval = ? ORDER BY number');
    return this.#database
      .prepare(`SELECT * FROM approvals ${where}`)
      .all(...values)
      .map((row) => approvalOf(row, answers.all(String(row.id)).map(answerOf)));
  }
}

type Row = Record<string, SQLOutputValue>;

function approvalOf(row: Row, answers: readonly Answer[]): Approval {
  const described = JSON.parse(String(row.described)) as Pick<
    Approval,
    'session' | 'operation' | 'target' | 'principal' | 'acts' | 'text' | 'runs' | 'parameters' | 'dataClasses' | 'reviews'
  >;
  return {
    ...described,
    id: String(row.id),
    state: String(row.state) as StoredState,
    hold: String(row.hold) as Approval['hold'],
    binding: String(row.binding),
    policyVersion: String(row.policy_version),
    requestedAtMs: Number(row.requested_at),
    expiresAtMs: Number(row.expires_at),
    endReason: String(row.end_reason),
    answers,
  };
}

function answerOf(row: Row): Answer {
  return {
    issuer: String(row.issuer),
    issuerUrl: String(row.issuer_url),
    subject: String(row.subject),
    display: String(row.display),
    groups: JSON.parse(String(row.groups)) as string[],
    answer: String(row.answer) as Answer['answer'],
    reason: String(row.reason),
    atMs: Number(row.at),
  };
}

const isOpen = `state IN ('filing', 'pending', 'approved')`;

const migrations = [
  `CREATE TABLE approvals (
     id TEXT PRIMARY KEY,
     state TEXT NOT NULL CHECK (state IN ('filing', 'pending', 'approved', 'denied', 'expired', 'cancelled', 'used')),
     hold TEXT NOT NULL CHECK (hold IN ('wait', 'refuse-and-retry')),
     binding TEXT NOT NULL,
     issuer TEXT NOT NULL,
     subject TEXT NOT NULL,
     policy_version TEXT NOT NULL,
     requested_at INTEGER NOT NULL,
     expires_at INTEGER NOT NULL,
     changed_at INTEGER,
     end_reason TEXT NOT NULL,
     end_recorded INTEGER NOT NULL DEFAULT 0 CHECK (end_recorded IN (0, 1)),
     described TEXT NOT NULL
   ) STRICT;
   CREATE INDEX approvals_by_binding ON approvals (binding);
   CREATE INDEX approvals_by_state ON approvals (state, requested_at);
   CREATE INDEX approvals_unrecorded ON approvals (changed_at) WHERE end_recorded = 0;
   CREATE TABLE approval_answers (
     number INTEGER PRIMARY KEY,
     approval TEXT NOT NULL REFERENCES approvals (id) ON DELETE CASCADE,
     issuer TEXT NOT NULL,
     issuer_url TEXT NOT NULL,
     subject TEXT NOT NULL,
     display TEXT NOT NULL,
     groups TEXT NOT NULL,
     answer TEXT NOT NULL CHECK (answer IN ('approved', 'denied')),
     reason TEXT NOT NULL,
     at INTEGER NOT NULL
   ) STRICT;
   CREATE UNIQUE INDEX one_approval_a_person ON approval_answers (approval, issuer_url, subject) WHERE answer = 'approved';
   CREATE INDEX answers_by_approval ON approval_answers (approval);`,
  `UPDATE approvals SET described = json_set(described, '$.runs', json('[]'))`,
];
