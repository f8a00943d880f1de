/** Queries: which columns they give, and what decides which rows. */
import type { LineageCatalogue } from '../lineage.ts';
import { bareColumn, usedValue, usedValues, valueOf, type Tracing } from './lineage-expression.ts';
import { fromItem, fromList, targetItem, type FromItem } from './lineage-from.ts';
import { inside, starOf, withItems, type CteScope, type QueryScope } from './lineage-scope.ts';
import {
  computed,
  nothing,
  renamed,
  union,
  unionOfColumns,
  unresolved,
  type Column,
  type Item,
  type Rows,
  type Value,
} from './lineage-values.ts';
import { bodyOf, inline, listOf, requiredText, stringNode, strings, tagged, text, type Body } from './nodes.ts';

/** Traces one statement; collects on the way what is used otherwise than as an output by itself. */
export class QueryTracer implements Tracing {
  readonly catalogue: LineageCatalogue;
  readonly #used: Value[] = [];
  #steps = 0;

  constructor(catalogue: LineageCatalogue) {
    this.catalogue = catalogue;
  }

  used(): Value {
    return union(this.#used);
  }

  use(value: Value): void {
    if (value.sources.size > 0) this.#used.push(value);
  }

  step(): void {
    this.#steps += 1;
    if (this.#steps > mostSteps) unresolved('too much to trace');
  }

  /** A query inside `scope`, whose names it may use. */
  query(node: unknown, scope: QueryScope): Rows {
    const found = tagged(node) ?? unresolved('a query was expected');
    const here = inside(scope);
    switch (found.tag) {
      case 'SelectStmt':
        return this.#select(found.body, here);
      case 'InsertStmt':
        return this.#insert(found.body, here);
      case 'UpdateStmt':
        return this.#update(found.body, here);
      case 'DeleteStmt':
        return this.#delete(found.body, here);
      case 'MergeStmt':
        return this.#merge(found.body, here);
      default:
        return unresolved(`no rule for ${found.tag}`);
    }
  }

  #select(body: Body, outer: QueryScope): Rows {
    const { scope, predicates } = this.#with(body['withClause'], outer);
    const rows = this.#rows(body, scope);
    const limits = usedValues([body['limitOffset'], body['limitCount']], scope, this);
    return { columns: rows.columns, predicates: union([predicates, rows.predicates, limits]) };
  }

  #rows(body: Body, scope: QueryScope): Rows {
    if (body['op'] !== undefined && body['op'] !== 'SETOP_NONE') return this.#setOperation(body, scope);
    const lists = listOf(body['valuesLists']);
    return lists.length > 0 ? this.#values(lists, body, scope) : this.#plain(body, scope);
  }

  /** UNION, INTERSECT, EXCEPT: by position. Which rows there are depends on every column of both. */
  #setOperation(body: Body, scope: QueryScope): Rows {
    const left = this.#select(bodyOf(body['larg']), inside(scope));
    const right = this.#select(bodyOf(body['rarg']), inside(scope));
    if (left.columns.length !== right.columns.length) return unresolved('a set operation of unequal width');
    const columns = left.columns.map(({ name, value }, index) => ({ name, value: union([value, right.columns[index]!.value]) }));
    const compared = unionOfColumns(columns);
    this.use(compared);
    const isPlain = body['op'] === 'SETOP_UNION' && body['all'] === true && listOf(body['sortClause']).length === 0;
    return { columns, predicates: union([left.predicates, right.predicates, isPlain ? nothing : compared]) };
  }

  #values(lists: readonly unknown[], body: Body, scope: QueryScope): Rows {
    const rows = lists.map((list) => listOf(tagged(list)?.body['items']).map((node) => usedValue(node, scope, this)));
    const width = rows[0]?.length ?? 0;
    if (rows.some((row) => row.length !== width)) return unresolved('VALUES of unequal width');
    const columns = Array.from({ length: width }, (_, index) => ({
      name: `column${index + 1}`,
      value: union(rows.map((row) => row[index]!)),
    }));
    const sorted = listOf(body['sortClause']).length > 0 ? unionOfColumns(columns) : nothing;
    return { columns, predicates: sorted };
  }

  #plain(body: Body, outer: QueryScope): Rows {
    const from = fromList(body['fromClause'], outer, this);
    const unwindowed = withItems(outer, from.items);
    const scope: QueryScope = { ...unwindowed, implied: usedValues(body['windowClause'], unwindowed, this) };
    const listed = this.#targets(body['targetList'], scope, from);
    const distinct = listOf(body['distinctClause']);
    const chosen = distinct.length === 0 ? nothing : this.#byOutput(distinct, listed, scope);
    const isDistinct = distinct.length > 0 && tagged(distinct[0]) === undefined;
    if (isDistinct) this.use(unionOfColumns(listed));
    // DISTINCT ON decides which of several rows is shown.
    const columns = chosen.sources.size === 0 ? listed : listed.map(({ name, value }) => ({ name, value: union([value, chosen]) }));
    return {
      columns,
      predicates: union([
        from.predicates,
        usedValue(body['whereClause'], scope, this),
        usedValue(body['havingClause'], scope, this),
        this.#byOutput(listOf(body['groupClause']), listed, scope),
        this.#byOutput(listOf(body['sortClause']), listed, scope),
        isDistinct ? unionOfColumns(listed) : nothing,
      ]),
    };
  }

  #targets(list: unknown, scope: QueryScope, from: Pick<FromItem, 'columns' | 'open'> | undefined): readonly Column[] {
    const columns: Column[] = [];
    for (const node of listOf(list)) {
      const target = tagged(node);
      if (target?.tag !== 'ResTarget') return unresolved('an output was expected');
      columns.push(...this.#target(target.body, scope, from));
      if (columns.length > mostColumns) return unresolved('too many columns');
    }
    return columns;
  }

  #target(body: Body, scope: QueryScope, from: Pick<FromItem, 'columns' | 'open'> | undefined): readonly Column[] {
    const expression = tagged(body['val']);
    const parts = expression?.tag === 'ColumnRef' ? listOf(expression.body['fields']) : [];
    if (tagged(parts.at(-1))?.tag === 'A_Star') {
      const qualifier = stringNode(parts.at(-2));
      if (qualifier !== undefined) return starOf(scope, qualifier).columns;
      if (from === undefined || from.open) return unresolved('a * over unknown columns');
      return from.columns;
    }
    if (expression?.tag === 'A_Indirection') {
      const last = listOf(expression.body['indirection']).at(-1);
      if (tagged(last)?.tag === 'A_Star') return unresolved('the fields of a row');
    }
    const value = bareColumn(body['val'], scope, this) ?? usedValue(body['val'], scope, this);
    return [{ name: text(body['name']) ?? stringNode(parts.at(-1)), value }];
  }

  /** Sort and group expressions: by an output's number or name as well. */
  #byOutput(nodes: readonly unknown[], columns: readonly Column[], scope: QueryScope): Value {
    return union(nodes.map((node) => this.#oneByOutput(node, columns, scope)));
  }

  #oneByOutput(node: unknown, columns: readonly Column[], scope: QueryScope): Value {
    const found = tagged(node);
    if (found === undefined) return nothing;
    if (found.tag === 'SortBy')
      return union([this.#oneByOutput(found.body['node'], columns, scope), usedSortOperator(found.body, scope, this)]);
    if (found.tag === 'GroupingSet') return this.#byOutput(listOf(found.body['content']), columns, scope);
    if (found.tag === 'RowExpr') return this.#byOutput(listOf(found.body['args']), columns, scope);
    if (found.tag === 'A_Const') {
      // The number of an output, but texts that differ in it share one analysis.
      this.use(unionOfColumns(columns));
      return unionOfColumns(columns);
    }
    const parts = found.tag === 'ColumnRef' ? listOf(found.body['fields']) : [];
    const name = parts.length === 1 ? stringNode(parts[0]) : undefined;
    const named = name === undefined ? [] : columns.filter((column) => column.name === undefined || column.name === name);
    if (named.length === 0) return usedValue(node, scope, this);
    const output = unionOfColumns(named);
    this.use(output);
    return union([output, this.#ifResolved(node, scope)]);
  }

  /** The name of an output need not be the name of anything in FROM. */
  #ifResolved(node: unknown, scope: QueryScope): Value {
    let value = nothing;
    try {
      value = valueOf(node, scope, this);
    } catch {
      return nothing;
    }
    this.use(value);
    return value;
  }

  // ---- WITH

  #with(clause: unknown, outer: QueryScope): { readonly scope: QueryScope; readonly predicates: Value } {
    const body = inline(clause);
    if (body === undefined) return { scope: outer, predicates: nothing };
    const queries = listOf(body['ctes']).map((node) => tagged(node)?.body ?? unresolved('a common table expression was expected'));
    const recursive = body['recursive'] === true;
    let scope = outer;
    const predicates: Value[] = [];
    for (const query of queries) {
      const before = scope;
      const cte: CteScope = recursive ? this.#recursive(query, outer, () => scope.ctes) : this.#plainCte(query, before);
      scope = { ...scope, ctes: cte };
    }
    for (let cte = scope.ctes; cte !== outer.ctes && cte !== undefined; cte = cte.outer) predicates.push(cte.rows().predicates);
    return { scope, predicates: union(predicates) };
  }

  #plainCte(query: Body, scope: QueryScope): CteScope {
    let rows: Rows | undefined;
    return { name: requiredText(query['ctename'], 'CTE name'), outer: scope.ctes, rows: () => (rows ??= this.#cteRows(query, scope)) };
  }

  /** It may name itself and, with RECURSIVE, every other query of the clause: what it gives grows until nothing is added. */
  #recursive(query: Body, outer: QueryScope, all: () => CteScope | undefined): CteScope {
    let rows: Rows | undefined;
    let growing: Rows | undefined;
    const evaluate = (): Rows => {
      if (rows !== undefined) return rows;
      if (growing !== undefined) return growing;
      const scope = { ...outer, ctes: all() };
      growing = this.#start(query, scope);
      for (let round = 0; round < mostRounds; round += 1) {
        const next = this.#cteRows(query, scope);
        const grown = grow(growing, next);
        if (grown === undefined) {
          rows = growing;
          return rows;
        }
        growing = grown;
      }
      return unresolved('a recursion that does not end');
    };
    return { name: requiredText(query['ctename'], 'CTE name'), outer: all(), rows: evaluate };
  }

  /** The part of a recursive query that does not name it; of any other, a query that must not name itself. */
  #start(query: Body, scope: QueryScope): Rows {
    const body = tagged(query['ctequery'])?.body;
    if (body?.['op'] !== 'SETOP_UNION' || body['withClause'] !== undefined) return { columns: [], predicates: nothing };
    const first = this.#select(bodyOf(body['larg']), inside(scope));
    return { columns: renamed(first.columns, strings(query['aliascolnames'])), predicates: first.predicates };
  }

  #cteRows(query: Body, scope: QueryScope): Rows {
    if (query['search_clause'] !== undefined || query['cycle_clause'] !== undefined) return unresolved('SEARCH or CYCLE');
    const rows = this.query(query['ctequery'], scope);
    return { columns: renamed(rows.columns, strings(query['aliascolnames'])), predicates: rows.predicates };
  }

  // ---- statements that write, as far as they return rows

  #insert(body: Body, outer: QueryScope): Rows {
    const { scope, predicates } = this.#with(body['withClause'], outer);
    const given = tagged(body['selectStmt']) === undefined ? undefined : this.query(body['selectStmt'], scope);
    const target = targetItem(bodyOf(body['relation']), this);
    const conflict = inline(body['onConflictClause']);
    const inConflict = withItems(scope, [target, { ...target, alias: 'excluded' }]);
    const changed = conflict === undefined ? nothing : usedValues(conflict['targetList'], inConflict, this);
    const condition = conflict === undefined ? nothing : usedValue(conflict['whereClause'], inConflict, this);
    const stored = union([given === undefined ? nothing : unionOfColumns(given.columns), changed]);
    return this.#returning(body, scope, target, stored, emptyFrom, [predicates, given?.predicates ?? nothing, condition]);
  }

  #update(body: Body, outer: QueryScope): Rows {
    const { scope, predicates } = this.#with(body['withClause'], outer);
    const target = targetItem(bodyOf(body['relation']), this);
    const from = fromList(body['fromClause'], withItems(scope, [target]), this);
    const inner = withItems(scope, [target, ...from.items]);
    const stored = usedValues(body['targetList'], inner, this);
    const condition = usedValue(body['whereClause'], inner, this);
    return this.#returning(body, scope, target, stored, from, [predicates, from.predicates, condition]);
  }

  #delete(body: Body, outer: QueryScope): Rows {
    const { scope, predicates } = this.#with(body['withClause'], outer);
    const target = targetItem(bodyOf(body['relation']), this);
    const from = fromList(body['usingClause'], withItems(scope, [target]), this);
    const condition = usedValue(body['whereClause'], withItems(scope, [target, ...from.items]), this);
    return this.#returning(body, scope, target, nothing, from, [predicates, from.predicates, condition]);
  }

  #merge(body: Body, outer: QueryScope): Rows {
    const { scope, predicates } = this.#with(body['withClause'], outer);
    const target = targetItem(bodyOf(body['relation']), this);
    const source = fromItem(body['sourceRelation'], scope, this);
    const inner = withItems(scope, [target, ...source.items]);
    const stored: Value[] = [];
    const conditions = [predicates, source.predicates, usedValue(body['joinCondition'], inner, this)];
    for (const node of listOf(body['mergeWhenClauses'])) {
      const clause = tagged(node)?.body ?? unresolved('a WHEN clause was expected');
      conditions.push(usedValue(clause['condition'], inner, this));
      stored.push(usedValues(clause['targetList'], inner, this), usedValues(clause['values'], inner, this));
    }
    // Which of both comes first in a * is not relied upon.
    const all = union([...stored, ...conditions]);
    return this.#returning(body, scope, target, all, { ...source, open: true }, conditions);
  }

  /** RETURNING shows the target's columns, which may hold what was just stored, its old and new rows, and what stands beside it. */
  #returning(body: Body, scope: QueryScope, target: Item, stored: Value, beside: FromItem, conditions: readonly Value[]): Rows {
    const predicates = union(conditions);
    const clause = inline(body['returningClause']);
    if (clause === undefined) return { columns: [], predicates };
    const columns = target.columns.map(({ name, value }) => ({ name, value: union([value, stored]) }));
    const after = { ...target, columns };
    const aliases = listOf(clause['options']).map((node) => requiredText(tagged(node)?.body['value'], 'RETURNING alias'));
    const rows = [target.alias, 'old', 'new', ...aliases].map((alias) => ({ ...after, alias }));
    const named = beside.items.some((item) => item.alias === 'old' || item.alias === 'new' || item.alias === target.alias);
    if (named) return unresolved('a name that RETURNING may mean otherwise');
    const from = { columns: [...columns, ...beside.columns], open: beside.open };
    const inner: QueryScope = { ...withItems(scope, [...rows, ...beside.items]), implied: predicates };
    return { columns: this.#targets(clause['exprs'], inner, from), predicates };
  }
}

function usedSortOperator(body: Body, scope: QueryScope, tracing: Tracing): Value {
  return listOf(body['useOp']).length === 0 ? nothing : usedValue({ SortBy: body }, scope, tracing);
}

/** Undefined where `next` adds nothing to what is known. */
function grow(known: Rows, next: Rows): Rows | undefined {
  if (known.columns.length !== 0 && known.columns.length !== next.columns.length) return unresolved('a recursion of unequal width');
  const columns = next.columns.map(({ name, value }, index) => {
    const before = known.columns[index];
    return { name: before?.name ?? name, value: before === undefined ? value : both(before.value, value) };
  });
  const predicates = both(known.predicates, next.predicates);
  const same =
    known.columns.length === columns.length &&
    columns.every(({ value }, index) => sameSources(value, known.columns[index]!.value)) &&
    predicates.sources.size === known.predicates.sources.size;
  return same ? undefined : { columns, predicates };
}

function both(one: Value, other: Value): Value {
  return sameSources(one, other) ? one : computed(union([one, other]));
}

function sameSources(one: Value, other: Value): boolean {
  if (one.document !== other.document || one.sources.size !== other.sources.size) return false;
  for (const key of other.sources.keys()) if (!one.sources.has(key)) return false;
  return true;
}

const emptyFrom: FromItem = { items: [], columns: [], predicates: nothing, open: false };
/** Nodes of one statement. */
const mostSteps = 20_000;
/** MaxTupleAttributeNumber of the server. */
const mostColumns = 1_664;
const mostRounds = 20;
