import type { SqlAct, Statement } from '../../sql/statement.ts';
import type { Understanding } from './understanding.ts';

/** Of which statements of other sessions a definition may change the meaning. Names are last names, as in `QualifiedName`. Plain data. */
export interface Footprint {
  readonly relations: readonly string[];
  readonly functions: readonly string[];
  /** What views show that exist already. */
  readonly views: boolean;
  /** Of all that name anything. */
  readonly anything: boolean;
}

/**
 * Undefined where nobody else's statement can mean anything else afterwards: nothing is defined, or indexes, comments, sequences, roles,
 * things in the session's own `pg_temp`.
 */
export function footprintOf(statements: readonly Statement[]): Footprint | undefined {
  const parts = statements.flatMap((statement) => statement.acts.flatMap((act) => partOf(act, statement) ?? []));
  const prepared = statements.some(({ kind }) => kind === 'commit-prepared');
  return prepared ? anything : parts.reduce<Footprint | undefined>((sum, part) => joined(sum, part), undefined);
}

export function joined(one: Footprint | undefined, other: Footprint): Footprint {
  if (one === undefined) return other;
  const relations = [...new Set([...one.relations, ...other.relations])];
  const functions = [...new Set([...one.functions, ...other.functions])];
  return {
    relations,
    functions,
    views: one.views || other.views,
    anything: one.anything || other.anything || relations.length + functions.length > mostNames,
  };
}

/** True where the statement may mean something else behind the definition than before it. */
export function concerns(footprint: Footprint, { statements, maskFacts }: Understanding): boolean {
  if (statements.some(runsByName)) return true;
  if (!statements.some(namesSomething)) return false;
  if (footprint.anything || maskFacts.opaque) return true;
  if (footprint.views && [...maskFacts.relations, ...maskFacts.written].some(({ kind }) => kind === 'view' || kind === 'materialized-view'))
    return true;
  return statements.some(
    ({ relations, functions, attributes }) =>
      relations.some(({ name }) => footprint.relations.includes(name)) ||
      functions.some(({ name }) => footprint.functions.includes(name)) ||
      attributes.some((name) => footprint.functions.includes(name)),
  );
}

function partOf({ action, object }: SqlAct, { mentionsAll }: Statement): Footprint | undefined {
  if (!defining.test(action) || harmless.test(action)) return undefined;
  if (object.type === 'Function')
    return object.name.schema === own ? undefined : { ...nothing, functions: [object.name.name], anything: action.startsWith('sql:alter') };
  if (object.type === 'Schema' && object.schema === own) return undefined;
  if (object.type !== 'Relation') return anything;
  if (object.name.schema === own) return undefined;
  const relations = [object.name.name];
  if (making.test(action)) return { ...nothing, relations, views: action === 'sql:create-view' };
  // A new name or another schema is named nowhere in the acts; the analysis says so by counting all that the relation shows as copied.
  return mentionsAll && action.startsWith('sql:alter') ? anything : { ...nothing, relations, views: true };
}

/** What runs another statement is one whose own names say nothing. */
function runsByName({ sessionEffects }: Statement): boolean {
  return sessionEffects.some(({ kind }) => kind === 'execute' || kind === 'fetch');
}

function namesSomething({ relations, functions, operators, types, opaque }: Statement): boolean {
  return opaque || relations.length + functions.length + operators.length + types.length > 0;
}

const nothing: Footprint = { relations: [], functions: [], views: false, anything: false };
export const anything: Footprint = { ...nothing, anything: true };
const own = 'pg_temp';
const defining = /^sql:(?:create|alter|drop)/;
const harmless =
  /^sql:(?:(?:create|alter|drop)-(?:index|sequence|statistics|role|database|tablespace|publication|subscription|user-mapping)|alter-(?:owner|system|default-privileges)$)/;
const making = /^sql:create-(?:table|view|materialized-view|foreign-table)$/;
/** More than that counts as anything. */
const mostNames = 200;
