/** Queries and what changes rows: which relations are read and written, which names hide which, what is stored. */
import type { QualifiedName } from '../statement.ts';
import { rowsAreBounded } from './bounds.ts';
import {
  bodyOf,
  constantText,
  inline,
  listOf,
  refuse,
  relationName,
  requiredText,
  stringNode,
  strings,
  tagged,
  text,
  type Body,
} from './nodes.ts';
import { checkFields, isCte, type CteName, type Rule, type Scope, type Walk } from './walk.ts';

export const queryRules: ReadonlyMap<string, Rule> = new Map<string, Rule>([
  ['SelectStmt', select],
  ['InsertStmt', insert],
  ['UpdateStmt', update],
  ['DeleteStmt', delete_],
  ['MergeStmt', merge],
  ['RangeVar', fromRelation],
  ['JoinExpr', join],
  ['RangeSubselect', derivedTable('RangeSubselect')],
  ['RangeFunction', derivedTable('RangeFunction')],
  ['RangeTableFunc', derivedTable('RangeTableFunc')],
  ['JsonTable', jsonTable],
  ['ReturningClause', returning],
]);

/** SELECT INTO and CREATE TABLE AS: a relation is made of the query's rows. */
export function createFromQuery(into: Body, action: `sql:${string}`, scope: Scope, walk: Walk): void {
  checkFields('IntoClause', into);
  walk.found.write(action, relationName(bodyOf(into['rel'])));
  walk.found.stores = true;
  walk.fields('IntoClause', into, scope, ['rel']);
}

/** `FROM pg_settings WHERE name = 'a constant'`, which is how pg_dump finds out whether the server knows a setting that it wants to set. */
function settingRow(body: Body, ctes: CteName | undefined): string | undefined {
  const from = listOf(body['fromClause']).map(tagged);
  const [view, condition] = [from[0], tagged(body['whereClause'])];
  if (from.length !== 1 || view?.tag !== 'RangeVar' || isCteReference(view.body, ctes) || inline(view.body['alias']) !== undefined)
    return undefined;
  const { schema = 'pg_catalog', name } = relationName(view.body);
  if (schema !== 'pg_catalog' || name !== 'pg_settings' || condition?.tag !== 'A_Expr' || condition.body['kind'] !== 'AEXPR_OP')
    return undefined;
  const operator = strings(condition.body['name']);
  const [left, right] = [tagged(condition.body['lexpr']), tagged(condition.body['rexpr'])];
  if (operator.length !== 1 || operator[0] !== '=' || left?.tag !== 'ColumnRef' || right?.tag !== 'A_Const') return undefined;
  const column = listOf(left.body['fields']).map(stringNode);
  return column.length === 1 && column[0] === 'name' ? constantText(condition.body['rexpr']) : undefined;
}

/** Where SELECT … INTO stands: in the first SELECT of a set operation. */
export function intoOf(body: Body): Body | undefined {
  for (let first: Body | undefined = body; first !== undefined; first = inline(first['larg'])) {
    const into = inline(first['intoClause']);
    if (into !== undefined) return into;
  }
  return undefined;
}

function select(body: Body, scope: Scope, walk: Walk): void {
  const storing = scope.storing || intoOf(body) !== undefined;
  const inner = withClause(body['withClause'], { ...scope, storing, locked: undefined }, walk);
  const here = {
    ...inner,
    starCoversRelation: coversRelation(body['fromClause'], inner.ctes),
    locked: undefined,
    settingRow: settingRow(body, inner.ctes),
  };
  const into = inline(body['intoClause']);
  if (into !== undefined) createFromQuery(into, 'sql:create-table', here, walk);
  walk.nodes(body['fromClause'], { ...here, locked: scope.locked === 'all' ? 'all' : lockedNames(body['lockingClause'], walk) });
  walk.fields('SelectStmt', body, here, ['withClause', 'intoClause', 'lockingClause', 'fromClause']);
}

function insert(body: Body, scope: Scope, walk: Walk): void {
  const { found } = walk;
  const storing = withClause(body['withClause'], { ...scope, storing: true }, walk);
  const plain = { ...storing, storing: scope.storing };
  found.stores = true;
  found.write('sql:insert', target(body, walk));
  walk.nodes(body['cols'], plain);
  walk.node(body['selectStmt'], storing);
  const conflict = inline(body['onConflictClause']);
  if (conflict !== undefined) onConflict(conflict, relationName(bodyOf(body['relation'])), plain, walk);
  walk.body('ReturningClause', body['returningClause'], plain);
}

function onConflict(clause: Body, relation: QualifiedName, scope: Scope, walk: Walk): void {
  checkFields('OnConflictClause', clause);
  walk.found.rowOfRelation('excluded');
  switch (clause['action']) {
    case 'ONCONFLICT_NOTHING':
      break;
    case 'ONCONFLICT_UPDATE':
      walk.found.write('sql:update', relation);
      break;
    default:
      refuse('unknown ON CONFLICT action');
  }
  walk.body('InferClause', clause['infer'], scope);
  walk.nodes(clause['targetList'], { ...scope, storing: true });
  walk.node(clause['whereClause'], scope);
}

function update(body: Body, scope: Scope, walk: Walk): void {
  const { found } = walk;
  const storing = withClause(body['withClause'], { ...scope, storing: true }, walk);
  const plain = { ...storing, storing: scope.storing };
  found.stores = true;
  found.write('sql:update', target(body, walk));
  refuseSettingsView(relationName(bodyOf(body['relation'])));
  if (!rowsAreBounded(body['whereClause'], targetAlias(body))) found.unbounded = true;
  walk.nodes(body['targetList'], storing);
  walk.nodes(body['fromClause'], storing);
  walk.node(body['whereClause'], plain);
  walk.body('ReturningClause', body['returningClause'], plain);
}

function delete_(body: Body, scope: Scope, walk: Walk): void {
  const inner = withClause(body['withClause'], scope, walk);
  walk.found.write('sql:delete', target(body, walk));
  if (!rowsAreBounded(body['whereClause'], targetAlias(body))) walk.found.unbounded = true;
  walk.fields('DeleteStmt', body, inner, ['withClause', 'relation']);
}

/** MERGE is asked about as what it does: the inserts, updates and deletes of its WHEN clauses. */
function merge(body: Body, scope: Scope, walk: Walk): void {
  const { found } = walk;
  const storing = withClause(body['withClause'], { ...scope, storing: true }, walk);
  const plain = { ...storing, storing: scope.storing };
  const name = target(body, walk);
  refuseSettingsView(name);
  found.stores = true;
  const joined = rowsAreBounded(body['joinCondition'], targetAlias(body));
  let writes = false;
  for (const node of listOf(body['mergeWhenClauses'])) {
    const clause = tagged(node);
    if (clause?.tag !== 'MergeWhenClause') return refuse('a WHEN clause was expected');
    checkFields(clause.tag, clause.body);
    const command = requiredText(clause.body['commandType'], 'WHEN command');
    const action = mergeActions.get(command);
    if (action !== undefined) {
      found.write(action, name);
      writes = true;
    } else if (command !== 'CMD_NOTHING') return refuse(`unknown WHEN command ${command}`);
    if (command === 'CMD_UPDATE' || command === 'CMD_DELETE') {
      const matched = clause.body['matchKind'] !== 'MERGE_WHEN_NOT_MATCHED_BY_SOURCE' && joined;
      if (!matched && !rowsAreBounded(clause.body['condition'], targetAlias(body))) found.unbounded = true;
    }
    walk.node(clause.body['condition'], plain);
    walk.nodes(clause.body['targetList'], storing);
    walk.nodes(clause.body['values'], storing);
  }
  if (!writes) found.read(name);
  walk.node(body['sourceRelation'], storing);
  walk.node(body['joinCondition'], plain);
  walk.body('ReturningClause', body['returningClause'], plain);
}

/** RETURNING sees the target's columns, and its rows before and after as OLD and NEW (from version 18, where not renamed). */
function returning(body: Body, scope: Scope, walk: Walk): void {
  for (const name of ['old', 'new']) walk.found.rowOfRelation(name);
  for (const option of listOf(body['options'])) {
    const found = tagged(option);
    if (found?.tag !== 'ReturningOption') return refuse('a RETURNING option was expected');
    checkFields(found.tag, found.body);
    walk.found.rowOfRelation(requiredText(found.body['value'], 'RETURNING alias'));
  }
  walk.nodes(body['exprs'], { ...scope, starCoversRelation: true });
}

/** The relation that is written: never a CTE, whatever its name. */
function target(body: Body, walk: Walk): QualifiedName {
  const relation = bodyOf(body['relation']);
  checkFields('RangeVar', relation);
  walk.found.rowOfRelation(targetAlias(body));
  return relationName(relation);
}

function targetAlias(body: Body): string {
  return exposedName(bodyOf(body['relation']));
}

/** `UPDATE pg_settings` is SET by another name: its rule calls set_config with whatever the row says. */
function refuseSettingsView(name: QualifiedName): void {
  if (name.name === 'pg_settings') refuse('a write to pg_settings', 'Settings are changed with SET, not by writing to pg_settings.');
}

/**
 * The scope behind WITH. A name hides a relation in the queries after it and in the statement itself; with RECURSIVE, in every query of
 * the clause. Where a query of the clause stores rows, what the others give may be stored.
 */
function withClause(clause: unknown, scope: Scope, walk: Walk): Scope {
  const body = inline(clause);
  if (body === undefined) return scope;
  checkFields('WithClause', body);
  const queries = listOf(body['ctes']).map((node) => {
    const found = tagged(node);
    return found?.tag === 'CommonTableExpr' ? found.body : refuse('a common table expression was expected');
  });
  const withStores = scope.withStores ?? queries.some((query) => storesRows(query));
  const storing = scope.storing || withStores;
  let ctes: CteName | undefined = scope.ctes;
  const recursive = body['recursive'] === true;
  const hide = (query: Body): void => {
    ctes = { name: requiredText(query['ctename'], 'CTE name'), outer: ctes };
  };
  if (recursive) queries.forEach(hide);
  for (const query of queries) {
    walk.body('CommonTableExpr', query, { ...scope, ctes, storing, withStores, starCoversRelation: false });
    if (!recursive) hide(query);
  }
  return { ...scope, ctes };
}

function storesRows(node: unknown): boolean {
  const pending: unknown[] = [node];
  while (pending.length > 0) {
    const value = pending.pop();
    if (typeof value !== 'object' || value === null) continue;
    for (const [key, inner] of Object.entries(value)) {
      if (storingNodes.has(key)) return true;
      pending.push(inner);
    }
  }
  return false;
}

/** A relation in FROM, or a CTE of that name. */
function fromRelation(body: Body, scope: Scope, walk: Walk): void {
  const alias = exposedName(body);
  if (isCteReference(body, scope.ctes)) {
    walk.found.rowDerived(alias);
    return;
  }
  walk.found.read(relationName(body));
  if (isLocked(alias, scope)) walk.found.actOnRelation('sql:lock', relationName(body));
  walk.found.rowOfRelation(alias);
  if (renamesColumns(body)) walk.found.mentionAll(scope.storing);
}

function join(body: Body, scope: Scope, walk: Walk): void {
  for (const column of strings(body['usingClause'])) walk.found.mention(column, scope.storing);
  if (body['isNatural'] === true) walk.found.mentionAll(scope.storing);
  if (body['isNatural'] === true || listOf(body['usingClause']).length > 0) walk.found.operator({ schema: undefined, name: '=' });
  const alias = inline(body['alias']);
  if (alias !== undefined) {
    if (coversRelation([{ JoinExpr: body }], scope.ctes)) {
      walk.found.rowOfRelation(aliasName(alias));
      if (renamesColumns(body)) walk.found.mentionAll(scope.storing);
    } else walk.found.rowDerived(aliasName(alias));
  }
  const using = inline(body['join_using_alias']);
  if (using !== undefined) walk.found.rowDerived(aliasName(using));
  const locked = alias !== undefined && isLocked(aliasName(alias), scope) ? 'all' : scope.locked;
  walk.fields('JoinExpr', body, { ...scope, locked }, ['usingClause', 'alias', 'join_using_alias']);
}

/** A sub-select, function, XMLTABLE: its own text says what it gives. */
function derivedTable(tag: string): Rule {
  return (body, scope, walk) => {
    const alias = inline(body['alias']);
    if (alias !== undefined) walk.found.rowDerived(aliasName(alias));
    const locked = isLocked(alias === undefined ? undefined : aliasName(alias), scope) ? 'all' : undefined;
    walk.fields(tag, body, { ...scope, locked }, ['alias']);
  };
}

/** Servers before version 17 read it as a call of a function `json_table`. */
function jsonTable(body: Body, scope: Scope, walk: Walk): void {
  walk.found.function({ schema: undefined, name: 'json_table' });
  derivedTable('JsonTable')(body, scope, walk);
}

/**
 * FOR UPDATE, NO KEY UPDATE, SHARE, KEY SHARE: of the names given, else of everything in FROM; of a sub-select or join, everything in it.
 */
function lockedNames(clauses: unknown, walk: Walk): 'all' | ReadonlySet<string> | undefined {
  const names = new Set<string>();
  let all = false;
  for (const clause of listOf(clauses)) {
    const found = tagged(clause);
    if (found?.tag !== 'LockingClause') return refuse('a locking clause was expected');
    checkFields(found.tag, found.body);
    const given = listOf(found.body['lockedRels']).map((node) => requiredText(tagged(node)?.body['relname'], 'locked relation'));
    if (given.length === 0) all = true;
    for (const name of given) names.add(name);
    walk.found.changes = true;
  }
  return all ? 'all' : names.size === 0 ? undefined : names;
}

function isLocked(alias: string | undefined, { locked }: Scope): boolean {
  return locked === 'all' || (alias !== undefined && locked?.has(alias) === true);
}

/** Whether a `*` over this FROM list gives a relation's columns directly. */
function coversRelation(from: unknown, ctes: CteName | undefined): boolean {
  return listOf(from).some((node) => {
    const item = tagged(node);
    if (item?.tag === 'RangeVar') return !isCteReference(item.body, ctes);
    if (item?.tag === 'RangeTableSample') return true;
    return item?.tag === 'JoinExpr' && coversRelation([item.body['larg'], item.body['rarg']], ctes);
  });
}

function isCteReference(rangeVar: Body, ctes: CteName | undefined): boolean {
  return rangeVar['schemaname'] === undefined && isCte(ctes, requiredText(rangeVar['relname'], 'relation name'));
}

function exposedName(rangeVar: Body): string {
  const alias = inline(rangeVar['alias']);
  return alias === undefined ? requiredText(rangeVar['relname'], 'relation name') : aliasName(alias);
}

function aliasName(alias: Body): string {
  checkFields('Alias', alias);
  return text(alias['aliasname']) ?? '';
}

/** A column alias list: the columns can be reached without being named. */
function renamesColumns(item: Body): boolean {
  const names = listOf(inline(item['alias'])?.['colnames']);
  return names.some((name) => stringNode(name) !== undefined);
}

const mergeActions: ReadonlyMap<string, `sql:${string}`> = new Map([
  ['CMD_INSERT', 'sql:insert'],
  ['CMD_UPDATE', 'sql:update'],
  ['CMD_DELETE', 'sql:delete'],
]);

const storingNodes: ReadonlySet<string> = new Set(['InsertStmt', 'UpdateStmt', 'MergeStmt', 'intoClause']);
