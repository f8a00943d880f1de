/** Queries: which columns they give, and what decides which rows. */
import type { LineageCatalogue } from '../lineage.ts';
import { bareColumn, condition, usedValue, usedValues, valueOf, type Tracing } from './lineage-expression.ts';
import { emptyFrom, fromItem, fromList, targetItem, type FromItem } from './lineage-from.ts';
import { bind, boundColumns, boundItems, outward } from './lineage-links.ts';
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
  type Link,
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
  /** `isResult`: its rows are what the statement shows, so that nobody chooses among them any more. */
  query(node: unknown, scope: QueryScope, isResult = false): Rows {
    const found = tagged(node) ?? unresolved('a query was expected');
    const here = inside(scope);
    switch (found.tag) {
      case 'SelectStmt':
        return this.#select(found.body, here, isResult);
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

  #select(body: Body, outer: QueryScope, isResult = false): Rows {
    const { scope, predicates } = this.#with(body['withClause'], outer);
    const rows = this.#rows(body, scope, isResult);
    const { made, links } = this.collected(() => usedValues([body['limitOffset'], body['limitCount']], scope, this));
    if (made.sources.size === 0) return { ...rows, predicates: union([predicates, rows.predicates]) };
    // OFFSET by a value picks the row that tells it.
    return {
      columns: rows.columns.map((column) => ({ ...column, value: union([column.value, made]) })),
      predicates: union([predicates, rows.predicates, made]),
      counted: union([rows.counted, made]),
      links: [...rows.links, ...links],
    };
  }

  #rows(body: Body, scope: QueryScope, isResult: boolean): Rows {
    if (body['op'] !== undefined && body['op'] !== 'SETOP_NONE') return this.#setOperation(body, scope);
    const lists = listOf(body['valuesLists']);
    return lists.length > 0 ? this.#values(lists, body, scope) : this.#plain(body, scope, isResult);
  }

  /** UNION, INTERSECT, EXCEPT: by position. Which rows there are depends on every column of both. */
  #setOperation(body: Body, scope: QueryScope): Rows {
    const left = this.#select(bodyOf(body['larg']), inside(scope));
    const right = this.#select(bodyOf(body['rarg']), inside(scope));
    if (left.columns.length !== right.columns.length) return unresolved('a set operation of unequal width');
    const columns = left.columns.map((column, index) => {
      const other = right.columns[index]!;
      const looksAt = looksAtAll([column.looksAt, other.looksAt]);
      return { name: column.name, value: union([inBranch(column, left), inBranch(other, right)]), ...looksAt };
    });
    const compared = unionOfColumns(columns);
    this.use(compared);
    const isPlain = body['op'] === 'SETOP_UNION' && body['all'] === true && listOf(body['sortClause']).length === 0;
    return {
      columns,
      predicates: union([left.predicates, right.predicates, isPlain ? nothing : compared]),
      counted: union([left.counted, right.counted]),
      links: [...left.links, ...right.links],
    };
  }

  #values(lists: readonly unknown[], body: Body, scope: QueryScope): Rows {
    const links: Link[] = [];
    const rows = lists.map((list) =>
      listOf(tagged(list)?.body['items']).map((node) => {
        const cell = this.collected(() => usedValue(node, scope, this));
        links.push(...cell.links);
        return { value: cell.made, looksAt: lookedAt(cell.links, []) };
      }),
    );
    const width = rows[0]?.length ?? 0;
    if (rows.some((row) => row.length !== width)) return unresolved('VALUES of unequal width');
    const columns = Array.from({ length: width }, (_, index) => ({
      name: `column${index + 1}`,
      value: union(rows.map((row) => row[index]!.value)),
      ...looksAtAll(rows.map((row) => row[index]!.looksAt)),
    }));
    const sorted = listOf(body['sortClause']).length > 0 ? unionOfColumns(columns) : nothing;
    return { columns, predicates: sorted, counted: nothing, links };
  }

  #plain(body: Body, outer: QueryScope, isResult: boolean): Rows {
    const from = fromList(body['fromClause'], outer, this);
    const before = withItems(outer, from.items);
    const where = condition(body['whereClause'], before, this);
    const having = condition(body['havingClause'], before, this);
    const listed = this.#list(body, before, from);
    const order = [...listOf(body['groupClause']), ...listOf(body['sortClause'])];
    const sorted = order.map((node) => this.collected(() => this.#oneByOutput(node, listed, before)));
    // Whoever stands around a query may choose by its outputs.
    const looked = isResult ? [] : listed.links.flat();
    const links = [...from.links, ...where.links, ...having.links, ...sorted.flatMap((one) => one.links), ...looked];
    const bound = bind(links, () => this.step());
    const counted = union([from.counted, bound.counted]);
    const changes = bound.values.size > 0 || counted.sources.size > 0;
    const after: QueryScope = { ...withItems(outer, boundItems(from.items, bound)), counted };
    const shown = changes ? this.#list(body, after, { ...from, columns: boundColumns(from.columns, from.items, bound) }) : listed;
    const distinct = this.#distinct(body, shown.columns, after);
    const predicates = [from.predicates, where.value, having.value, ...sorted.map(({ made }) => made), distinct.predicates];
    const passed = outward(links, from.items, bound);
    const columns = distinct.columns.map(({ name, value }, index) => {
      const looksAt = lookedAt(listed.links[index]!, from.items);
      for (const [column, item] of looksAt ?? []) this.touch(column, item);
      return { name, value, ...(looksAt === undefined ? {} : { looksAt }) };
    });
    return { columns, predicates: union(predicates), counted, links: passed };
  }

  #list(body: Body, scope: QueryScope, from: FromItem): Listed {
    const implied = usedValues(body['windowClause'], scope, this);
    return this.#targets(body['targetList'], { ...scope, implied }, from);
  }

  /** DISTINCT ON decides which of several rows is shown. */
  #distinct(body: Body, columns: readonly Column[], scope: QueryScope): Pick<Rows, 'columns' | 'predicates'> {
    const clause = listOf(body['distinctClause']);
    if (clause.length === 0) return { columns, predicates: nothing };
    if (tagged(clause[0]) === undefined) {
      this.use(unionOfColumns(columns));
      return { columns, predicates: unionOfColumns(columns) };
    }
    const chosen = this.#byOutput(clause, { columns, links: [] }, scope);
    return { columns: columns.map(({ name, value }) => ({ name, value: union([value, chosen]) })), predicates: nothing };
  }

  #targets(list: unknown, scope: QueryScope, from: Pick<FromItem, 'columns' | 'open'> | undefined): Listed {
    const columns: Column[] = [];
    const links: (readonly Link[])[] = [];
    for (const node of listOf(list)) {
      const target = tagged(node);
      if (target?.tag !== 'ResTarget') return unresolved('an output was expected');
      const found = this.collected(() => this.#target(target.body, scope, from));
      columns.push(...found.made);
      for (const _ of found.made) links.push(found.links);
      if (columns.length > mostColumns) return unresolved('too many columns');
    }
    return { columns, links };
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
  #byOutput(nodes: readonly unknown[], listed: Listed, scope: QueryScope): Value {
    return union(nodes.map((node) => this.#oneByOutput(node, listed, scope)));
  }

  #oneByOutput(node: unknown, listed: Listed, scope: QueryScope): Value {
    const { columns } = listed;
    const found = tagged(node);
    if (found === undefined) return nothing;
    if (found.tag === 'SortBy')
      return union([this.#oneByOutput(found.body['node'], listed, scope), usedSortOperator(found.body, scope, this)]);
    if (found.tag === 'GroupingSet') return this.#byOutput(listOf(found.body['content']), listed, scope);
    if (found.tag === 'RowExpr') return this.#byOutput(listOf(found.body['args']), listed, scope);
    if (found.tag === 'A_Const') {
      // The number of an output, but texts that differ in it share one analysis.
      this.use(unionOfColumns(columns));
      for (const links of listed.links) this.pass(links);
      return unionOfColumns(columns);
    }
    const parts = found.tag === 'ColumnRef' ? listOf(found.body['fields']) : [];
    const name = parts.length === 1 ? stringNode(parts[0]) : undefined;
    const named = name === undefined ? [] : columns.filter((column) => column.name === undefined || column.name === name);
    if (named.length === 0) return usedValue(node, scope, this);
    const output = unionOfColumns(named);
    this.use(output);
    for (const [index, links] of listed.links.entries()) if (named.includes(columns[index]!)) this.pass(links);
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
    if (body?.['op'] !== 'SETOP_UNION' || body['withClause'] !== undefined) return emptyFrom;
    const first = this.#select(bodyOf(body['larg']), inside(scope));
    return { ...first, columns: renamed(first.columns, strings(query['aliascolnames'])) };
  }

  #cteRows(query: Body, scope: QueryScope): Rows {
    if (query['search_clause'] !== undefined || query['cycle_clause'] !== undefined) return unresolved('SEARCH or CYCLE');
    const rows = this.query(query['ctequery'], scope);
    return { ...rows, columns: renamed(rows.columns, strings(query['aliascolnames'])) };
  }

  // ---- statements that write, as far as they return rows

  #insert(body: Body, outer: QueryScope): Rows {
    const { scope, predicates } = this.#with(body['withClause'], outer);
    const given = tagged(body['selectStmt']) === undefined ? emptyFrom : this.query(body['selectStmt'], scope);
    const target = targetItem(bodyOf(body['relation']), this);
    const conflict = inline(body['onConflictClause']);
    const inConflict = withItems(scope, [target, { ...target, alias: 'excluded' }]);
    const changed = conflict === undefined ? nothing : usedValues(conflict['targetList'], inConflict, this);
    const chosen = conflict === undefined ? nothing : usedValue(conflict['whereClause'], inConflict, this);
    const met = conflict === undefined ? nothing : this.#conflictKeys(conflict, withItems(scope, [target]));
    const stored = union([unionOfColumns(given.columns), changed]);
    const from = { ...emptyFrom, predicates: given.predicates, counted: given.counted, links: given.links };
    return this.#returning(body, scope, target, stored, from, [predicates, chosen, met], []);
  }

  /** ON CONFLICT (…): whether a row of such a key is there decides what happens. */
  #conflictKeys(conflict: Body, scope: QueryScope): Value {
    const infer = inline(conflict['infer']);
    if (infer === undefined) return nothing;
    if (infer['conname'] !== undefined) return unresolved('a constraint by its name');
    const keys = listOf(infer['indexElems']).map((node) => {
      const element = tagged(node)?.body ?? unresolved('a key was expected');
      const name = text(element['name']);
      return usedValue(name === undefined ? element['expr'] : { ColumnRef: { fields: [{ String: { sval: name } }] } }, scope, this);
    });
    return union([...keys, usedValue(infer['whereClause'], scope, this)]);
  }

  #update(body: Body, outer: QueryScope): Rows {
    const { scope, predicates } = this.#with(body['withClause'], outer);
    const target = targetItem(bodyOf(body['relation']), this);
    const from = fromList(body['fromClause'], withItems(scope, [target]), this);
    const inner = withItems(scope, [target, ...from.items]);
    const stored = usedValues(body['targetList'], inner, this);
    const where = condition(body['whereClause'], inner, this);
    return this.#returning(body, scope, target, stored, from, [predicates, where.value], where.links);
  }

  #delete(body: Body, outer: QueryScope): Rows {
    const { scope, predicates } = this.#with(body['withClause'], outer);
    const target = targetItem(bodyOf(body['relation']), this);
    const from = fromList(body['usingClause'], withItems(scope, [target]), this);
    const where = condition(body['whereClause'], withItems(scope, [target, ...from.items]), this);
    return this.#returning(body, scope, target, nothing, from, [predicates, where.value], where.links);
  }

  #merge(body: Body, outer: QueryScope): Rows {
    const { scope, predicates } = this.#with(body['withClause'], outer);
    const target = targetItem(bodyOf(body['relation']), this);
    const source = fromItem(body['sourceRelation'], scope, this);
    const inner = withItems(scope, [target, ...source.items]);
    const stored: Value[] = [];
    const on = condition(body['joinCondition'], inner, this);
    const conditions = [predicates, on.value];
    const links = [...on.links];
    for (const node of listOf(body['mergeWhenClauses'])) {
      const clause = tagged(node)?.body ?? unresolved('a WHEN clause was expected');
      const when = condition(clause['condition'], inner, this);
      conditions.push(when.value);
      links.push(...when.links);
      stored.push(usedValues(clause['targetList'], inner, this), usedValues(clause['values'], inner, this));
    }
    // Which of both comes first in a * is not relied upon.
    return this.#returning(body, scope, target, union([...stored, ...conditions]), { ...source, open: true }, conditions, links);
  }

  /** RETURNING shows the target's columns, which may hold what was just stored, its old and new rows, and what stands beside it. */
  #returning(
    body: Body,
    scope: QueryScope,
    target: Item,
    stored: Value,
    beside: FromItem,
    conditions: readonly Value[],
    compared: readonly Link[],
  ): Rows {
    const predicates = union([...conditions, beside.predicates]);
    const links = [...beside.links, ...compared];
    const items = [target, ...beside.items];
    const clause = inline(body['returningClause']);
    const bound = bind(links, () => this.step());
    const counted = union([beside.counted, bound.counted]);
    const passed = outward(links, items, bound);
    if (clause === undefined) return { columns: [], predicates, counted, links: passed };
    const columns = boundColumns(target.columns, [target], bound).map(({ name, value }) => ({ name, value: union([value, stored]) }));
    const after = { ...target, columns };
    const aliases = listOf(clause['options']).map((node) => requiredText(tagged(node)?.body['value'], 'RETURNING alias'));
    const rows = [target.alias, 'old', 'new', ...aliases].map((alias) => ({ ...after, alias }));
    const named = beside.items.some((item) => item.alias === 'old' || item.alias === 'new' || item.alias === target.alias);
    if (named) return unresolved('a name that RETURNING may mean otherwise');
    const from = { columns: [...columns, ...boundColumns(beside.columns, beside.items, bound)], open: beside.open };
    const inner: QueryScope = { ...withItems(scope, [...rows, ...boundItems(beside.items, bound)]), implied: predicates, counted };
    const listed = this.#targets(clause['exprs'], inner, from);
    return { columns: listed.columns, predicates, counted, links: passed };
  }

  // ---- what is looked at

  readonly touch = (column: Column, item: Item): void => {
    this.step();
    this.#looking?.touched.set(column, item);
  };

  compare(value: Value): void {
    if (this.#looking !== undefined && value.sources.size > 0) this.#looking.beside.push(value);
  }

  pass(links: readonly Link[]): void {
    this.#looking?.passed.push(...links);
  }

  collected<T>(make: () => T): { readonly made: T; readonly links: readonly Link[] } {
    const around = this.#looking;
    const looking: Looking = { touched: new Map(), beside: [], passed: [] };
    this.#looking = looking;
    try {
      const made = make();
      return { made, links: [{ touched: looking.touched, beside: union(looking.beside), kind: 'compares' }, ...looking.passed] };
    } finally {
      this.#looking = around;
    }
  }

  #looking: Looking | undefined;
}

/** What the comparison at hand has looked at so far. */
interface Looking {
  readonly touched: Map<Column, Item>;
  readonly beside: Value[];
  /** What queries inside it compare with columns around them. */
  readonly passed: Link[];
}

/** Outputs, and what each of them looks at. */
interface Listed {
  readonly columns: readonly Column[];
  readonly links: readonly (readonly Link[])[];
}

/** Columns that are not of `items`; undefined for none. */
function lookedAt(links: readonly Link[], items: readonly Item[]): ReadonlyMap<Column, Item> | undefined {
  const outside = links.flatMap(({ touched }) => [...touched].filter(([, item]) => !items.includes(item)));
  return outside.length === 0 ? undefined : new Map(outside);
}

function looksAtAll(some: readonly (ReadonlyMap<Column, Item> | undefined)[]): Pick<Column, 'looksAt'> {
  const all = some.flatMap((looksAt) => [...(looksAt ?? [])]);
  return all.length === 0 ? {} : { looksAt: new Map(all) };
}

/** A constant in one of several branches says that the branch has rows: `select '000' … where ssn like '000%' union select '001' …`. */
function inBranch({ value }: Column, branch: Rows): Value {
  return value.sources.size === 0 ? computed(branch.predicates) : value;
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
  const counted = both(known.counted, next.counted);
  const same =
    known.columns.length === columns.length &&
    columns.every(({ value }, index) => sameSources(value, known.columns[index]!.value)) &&
    predicates.sources.size === known.predicates.sources.size &&
    counted.sources.size === known.counted.sources.size;
  return same ? undefined : { columns, predicates, counted, links: next.links };
}

function both(one: Value, other: Value): Value {
  return sameSources(one, other) ? one : computed(union([one, other]));
}

function sameSources(one: Value, other: Value): boolean {
  if (one.document !== other.document || one.sources.size !== other.sources.size) return false;
  for (const key of other.sources.keys()) if (!one.sources.has(key)) return false;
  return true;
}

/** Nodes of one statement, and columns looked at. */
const mostSteps = 40_000;
/** MaxTupleAttributeNumber of the server. */
const mostColumns = 1_664;
const mostRounds = 20;
