/** A statement's summary in one line, so that a table of cases can be read. Used by tests only. */
import type { QualifiedName, SessionEffect, SqlObjectName, Statement } from '../../statement.ts';
import { analyse } from '../analyse.ts';

/**
 * `kind: act object, …; written …; mentions …; copies …; flags; effects`, parts that say nothing left out. `*` in mentions or copies: all.
 * `database`: the connected one. Statements of one text are joined by ` // `, an analysis whose literals matter ends in ` [literals]`.
 */
export function summaryOf(sql: string): string {
  const { statements, literalSensitive } = analyse(sql);
  return statements.map(summarise).join(' // ') + (literalSensitive ? ' [literals]' : '');
}

function summarise(statement: Statement): string {
  const { copies } = statement;
  const flags = (['unbounded', 'cascade', 'pureRead', 'returnsRows', 'opaque'] as const).filter((flag) => statement[flag]);
  return [
    `${statement.kind}: ${statement.acts.map((act) => `${act.action.slice(4)} ${object(act.object)}`).join(', ')}`,
    part('names', named(statement)),
    part('written', statement.written.map(name)),
    part('mentions', [...(statement.mentionsAll ? ['*'] : []), ...statement.mentions]),
    copies === undefined ? '' : `copies ${[...(copies.mentionsAll ? ['*'] : []), ...copies.mentions].join(' ')}`.trim(),
    statement.copiesAny ? 'copies what it is told' : '',
    part('functions', statement.functions.map(name)),
    part('types', statement.types.map(name)),
    flags.join(' '),
    statement.copy === undefined ? '' : `${statement.copy.direction} ${statement.copy.format} ${statement.copy.columns.join(',')}`.trim(),
    ...statement.sessionEffects.map(effect),
  ]
    .filter((text) => text !== '')
    .join('; ');
}

/** Relations that no act is about. */
function named(statement: Statement): string[] {
  const acted = new Set(statement.acts.map((act) => object(act.object)));
  return statement.relations.map(name).filter((relation) => !acted.has(relation));
}

function part(label: string, names: readonly string[]): string {
  return names.length === 0 ? '' : `${label} ${names.join(' ')}`;
}

function object(of: SqlObjectName): string {
  switch (of.type) {
    case 'Relation':
      return name(of.name);
    case 'Function':
      return `${name(of.name)}()`;
    case 'Schema':
      return `${of.schema}.*`;
    case 'Database':
      return of.database === undefined ? 'database' : `database ${of.database}`;
    case 'Setting':
      return `setting ${of.setting}`;
    case 'Role':
      return `role ${of.role}`;
  }
}

function effect(of: SessionEffect): string {
  switch (of.kind) {
    case 'prepare':
    case 'declare-cursor':
      return `${of.kind} ${of.name} = {${summarise(of.statement)}}`;
    case 'set':
      return `${of.local ? 'local ' : ''}${of.setting} = ${of.values?.join('|') ?? '?'}`;
    case 'discard':
      return `discard-${of.what}`;
    case 'execute':
    case 'deallocate':
    case 'fetch':
    case 'close-cursor':
      return `${of.kind} ${of.name ?? 'all'}`;
    default:
      return of.kind;
  }
}

function name(of: QualifiedName): string {
  return of.schema === undefined ? of.name : `${of.schema}.${of.name}`;
}
