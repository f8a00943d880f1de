import type { SessionEffect, Statement } from '../../src/sql/statement.ts';
import type { Understanding } from '../../src/protocols/postgres/understanding.ts';
import type { Observed } from './observe.ts';
import { reaches, runsFunctions } from './schema.ts';

/** Why the gateway's reading of a statement falls short of what was seen; undefined where it does not. */
export function shortfall(meaning: Understanding, observed: readonly Observed[], nested: readonly SessionEffect[]): string | undefined {
  const pure = meaning.pureRead ? observed.find(impure) : undefined;
  if (pure !== undefined) return `called a pure read, but ${told(pure)}`;
  const actions = meaning.acts.map((act) => act.action);
  const runsCode = meaning.facts['opaque'] === true && actions.some((action) => codeAction.test(action));
  for (const seen of observed) {
    if (runsCode) return undefined;
    const missing = unexplained(meaning, actions, seen, nested);
    if (missing) return `${told(seen)}, and no act says so`;
  }
  return undefined;
}

/**
 * Why a statement should not have passed at a target that is for reading only, where it did; undefined where nothing speaks against it.
 * What the functions behind relations do is left to the server's own read-only mode.
 */
export function letThrough(meaning: Understanding, observed: readonly Observed[]): string | undefined {
  if (meaning.refusal !== undefined || meaning.maskFacts.relations.some(({ name }) => runsFunctions.has(name))) return undefined;
  const wrote = observed.find(
    (seen) => seen.kind === 'rows' || seen.kind === 'sequence' || (seen.kind === 'lock' && seen.name.startsWith('advisory')),
  );
  return wrote === undefined ? undefined : `passes for reading only, but ${told(wrote)}`;
}

/** What a pure read may not do. The locks that planning takes (of readers and of writers, also where nothing runs) exclude nobody's rows. */
function impure(seen: Observed): boolean {
  if (seen.kind === 'cursor' || seen.kind === 'prepared' || (seen.kind === 'setting' && seen.name.startsWith('plpgsql.'))) return false;
  return seen.kind !== 'lock' || !isPlanners(seen.name);
}

function isPlanners(lock: string): boolean {
  return lock.startsWith('relation RowShareLock') || lock.startsWith('relation RowExclusiveLock');
}

function unexplained(meaning: Understanding, actions: readonly string[], seen: Observed, nested: readonly SessionEffect[]): boolean {
  const some = (pattern: RegExp): boolean => actions.some((action) => pattern.test(action));
  switch (seen.kind) {
    case 'rows':
      if (seen.relation.startsWith('pg_toast')) return false;
      if (seen.relation.startsWith('pg_largeobject')) return !some(/large-object/) && !some(defining);
      if (seen.relation.startsWith('pg_')) return !some(defining) && !some(/truncate|discard|refresh|prepare-transaction/);
      return !rowsExplained(meaning, seen);
    case 'sequence':
      return !some(/nextval|insert|update|delete|copy-from|truncate|sequence|table|discard/);
    case 'setting':
      // They are there once the language has been used.
      if (seen.name.startsWith('plpgsql.')) return false;
      return !nested.some((effect) => setsIt(effect, seen.name)) && !some(/set-role|session-authorization/);
    case 'identity':
      return !some(/set-role|session-authorization|reset|discard|schema|set$/);
    case 'function':
      // A cast from or to a type of the database, its domain's CHECK: no act of their own, but never a pure read.
      if (meaning.statements.concat(nested.flatMap(namedBy)).some(({ types }) => types.length > 0)) return false;
      return !meaning.maskFacts.relations.some(({ name }) => runsFunctions.get(name)?.includes(seen.name)) && !some(defining);
    case 'lock':
      return seen.name.startsWith('advisory') ? !some(/lock|discard/) : meaning.pureRead && !isPlanners(seen.name);
    case 'channel':
      return !meaning.statements.some(({ kind }) => /listen|discard/.test(kind));
    case 'prepared':
      return !nested.some(({ kind }) => kind === 'prepare' || kind === 'deallocate' || kind === 'discard');
    case 'cursor':
      return !nested.some(({ kind }) =>
        ['declare-cursor', 'close-cursor', 'discard', 'fetch', 'rollback', 'commit', 'savepoint'].includes(kind),
      );
    case 'transaction':
      return meaning.pureRead;
  }
}

/** What PREPARE and DECLARE name is a statement of its own, which EXECUTE and FETCH run. */
function namedBy(effect: SessionEffect): readonly Statement[] {
  return effect.kind === 'prepare' || effect.kind === 'declare-cursor' ? [effect.statement] : [];
}

/** An act on the relation itself, on what reaches it, or one that makes or drops it. */
function rowsExplained(meaning: Understanding, seen: Observed & { kind: 'rows' }): boolean {
  const name = seen.relation.replace(/^.*\./, '');
  for (const { action, object } of meaning.acts) {
    if (defining.test(action) || action === 'sql:truncate' || action === 'sql:refresh') return true;
    if (object.type !== 'Relation') continue;
    const named = object.id.replace(/^.*[./]/, '');
    if (named === name && directly(action, seen)) return true;
    if (closure(named).has(name) && writing.test(action)) return true;
  }
  return false;
}

/** An update may move a row to another partition: it goes here and comes there. */
function directly(action: string, { inserted, updated, deleted }: Observed & { kind: 'rows' }): boolean {
  if (action === 'sql:update') return true;
  if (action === 'sql:insert' || action === 'sql:copy-from') return inserted && !updated && !deleted;
  return action === 'sql:delete' && deleted;
}

function closure(name: string): ReadonlySet<string> {
  const found = new Set<string>();
  const pending = [name];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    for (const other of reaches.get(next) ?? []) {
      if (found.has(other)) continue;
      found.add(other);
      pending.push(other);
    }
  }
  return found;
}

function setsIt(effect: SessionEffect, name: string): boolean {
  if (effect.kind === 'discard') return effect.what === 'all';
  if (['begin', 'commit', 'rollback'].includes(effect.kind)) return name.startsWith('transaction_');
  if (effect.kind !== 'set') return false;
  const changed = name.toLowerCase();
  return effect.setting === 'all' || effect.setting === changed || ['role', 'session_authorization'].includes(effect.setting);
}

function told(seen: Observed): string {
  if (seen.kind === 'rows') {
    const what = [seen.inserted ? 'inserted' : '', seen.updated ? 'updated' : '', seen.deleted ? 'deleted' : ''].filter(
      (word) => word !== '',
    );
    return `rows of ${seen.relation.replace(/\d+/g, 'N')} were ${what.join(' and ')}`;
  }
  return 'name' in seen ? `${seen.kind} ${seen.name.replace(/\d+/g, 'N')} was touched` : `the ${seen.kind} changed`;
}

const writing = /^sql:(insert|update|delete|copy-from|truncate|merge)/;
const codeAction = /^sql:(call-function|call|do|create-|alter-|refresh|large-object|server-|remote-query|load|import)/;
const defining =
  /^sql:(create|alter|drop|comment|grant|revoke|reindex|cluster|vacuum|analyze|security-label|reassign|drop-owned|import|checkpoint|load|set-role|discard)/;
