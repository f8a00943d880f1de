/** Statements on the session itself: transactions, DISCARD, LISTEN and NOTIFY. */
import { currentDatabase } from './findings.ts';
import { refuse, requiredText, type Body } from './nodes.ts';
import type { At, StatementRule } from './rule.ts';
import { setTransactionModes } from './settings.ts';
import type { SessionEffect } from '../statement.ts';

export const sessionStatements: ReadonlyMap<string, StatementRule> = new Map<string, StatementRule>([
  ['TransactionStmt', transaction],
  ['ConstraintsSetStmt', setConstraints],
  ['DiscardStmt', discard],
  ['ListenStmt', channel('listen', 'sql:listen')],
  ['UnlistenStmt', channel('unlisten', undefined)],
  ['NotifyStmt', channel('notify', 'sql:notify')],
]);

/** Transaction control needs no permission; its modes are settings, and what is prepared outlives the session. */
function transaction(body: Body, { found }: At): void {
  const kind = requiredText(body['kind'], 'TransactionStmt.kind');
  const known = transactions.get(kind) ?? refuse(`unknown transaction statement ${kind}`);
  found.kind = known.kind;
  found.literalSensitive = known.prepared;
  if (known.prepared) found.changes = true;
  else if (known.changes) found.changesSession = true;
  found.effects.push(...known.effects);
  if (body['chain'] === true) found.effects.push({ kind: 'begin' });
  if (known.prepared) found.act('sql:prepare-transaction', currentDatabase);
  setTransactionModes(body['options'], '', found);
}

/** When constraints are checked; they are checked all the same. */
function setConstraints(_body: Body, { found }: At): void {
  found.kind = 'set-constraints';
  found.changesSession = true;
}

function discard(body: Body, { found }: At): void {
  const what = discards.get(requiredText(body['target'], 'DISCARD target')) ?? refuse('unknown DISCARD');
  found.kind = 'discard';
  found.changesSession = true;
  found.act('sql:discard', currentDatabase);
  found.effects.push({ kind: 'discard', what });
}

function channel(kind: string, action: `sql:${string}` | undefined): StatementRule {
  return (_body, { found }) => {
    found.kind = kind;
    if (kind === 'notify') found.changes = true;
    else found.changesSession = true;
    if (action !== undefined) found.act(action, currentDatabase);
  };
}

interface Transaction {
  readonly kind: string;
  readonly effects: readonly SessionEffect[];
  readonly changes: boolean;
  readonly prepared: boolean;
}

function control(kind: string, effect: 'begin' | 'commit' | 'rollback' | 'savepoint', changes: boolean): Transaction {
  return { kind, effects: [{ kind: effect }], changes, prepared: false };
}

const transactions: ReadonlyMap<string, Transaction> = new Map([
  ['TRANS_STMT_BEGIN', control('begin', 'begin', false)],
  ['TRANS_STMT_START', control('begin', 'begin', false)],
  ['TRANS_STMT_COMMIT', control('commit', 'commit', true)],
  ['TRANS_STMT_ROLLBACK', control('rollback', 'rollback', false)],
  ['TRANS_STMT_SAVEPOINT', control('savepoint', 'savepoint', false)],
  ['TRANS_STMT_RELEASE', control('release-savepoint', 'savepoint', false)],
  ['TRANS_STMT_ROLLBACK_TO', control('rollback-to-savepoint', 'savepoint', false)],
  ['TRANS_STMT_PREPARE', { kind: 'prepare-transaction', effects: [{ kind: 'commit' }], changes: true, prepared: true }],
  ['TRANS_STMT_COMMIT_PREPARED', { kind: 'commit-prepared', effects: [], changes: true, prepared: true }],
  ['TRANS_STMT_ROLLBACK_PREPARED', { kind: 'rollback-prepared', effects: [], changes: true, prepared: true }],
]);

const discards: ReadonlyMap<string, 'all' | 'plans' | 'sequences' | 'temp'> = new Map([
  ['DISCARD_ALL', 'all'],
  ['DISCARD_PLANS', 'plans'],
  ['DISCARD_SEQUENCES', 'sequences'],
  ['DISCARD_TEMP', 'temp'],
]);
