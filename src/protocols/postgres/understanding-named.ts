import type { Statement } from '../../sql/statement.ts';
import type { NamedStatements } from './understanding.ts';
import { unknownName } from './unknown-name.ts';

/** EXECUTE and FETCH mean what they name, prepared earlier in the session or earlier in the same text. */
export function withNamed(statements: readonly Statement[], named: NamedStatements): readonly Statement[] {
  const prepared = new Map<string, Statement>();
  const cursors = new Map<string, Statement>();
  const all: Statement[] = [];
  for (const statement of statements) {
    all.push(statement);
    for (const effect of statement.sessionEffects) {
      if (effect.kind === 'prepare') prepared.set(effect.name, effect.statement);
      else if (effect.kind === 'declare-cursor') cursors.set(effect.name, effect.statement);
      else if (effect.kind === 'execute')
        all.push(statementOf(prepared.get(effect.name) ?? named.statement(effect.name), effect.name, named));
      else if (effect.kind === 'fetch') all.push(cursorOf(cursors.get(effect.name) ?? named.cursor(effect.name), effect.name, named));
    }
  }
  return all;
}

function statementOf(statement: Statement | undefined, name: string, named: NamedStatements): Statement {
  if (statement !== undefined) return statement;
  throw unknownName('prepared statement', name, named.mayExist?.('S', name) ?? true);
}

/** One that was not declared through the gateway is one that a function opened, where code ran that may have. */
function cursorOf(cursor: Statement | 'not followed' | undefined, name: string, named: NamedStatements): Statement {
  if (cursor === 'not followed') throw unknownName('cursor', name, true);
  if (cursor === undefined && named.mayExist?.('P', name) === false) throw unknownName('cursor', name, false);
  return cursor ?? cursorOfCode;
}

/** What code opened can be anything, as in a DO block. */
const cursorOfCode: Statement = {
  kind: 'do',
  acts: [{ action: 'sql:do', object: { type: 'Database', database: undefined } }],
  relations: [],
  written: [],
  functions: [],
  operators: [],
  types: [],
  mentions: [],
  mentionsAll: true,
  attributes: [],
  copies: undefined,
  copiesAny: false,
  evaluatesUnnamed: true,
  unbounded: false,
  cascade: false,
  pureRead: false,
  reads: false,
  lineage: () => undefined,
  returnsRows: true,
  opaque: true,
  copy: undefined,
  sessionEffects: [],
};
