/** Queries: which columns they give, and what decides which rows. */
import type { LineageCatalogue } from '../lineage.ts';
import { bareColumn, condition, usedValue, usedValues, valueOf, type Tracing } from './lineage-expression.ts';
import { fromList, type FromItem } from './lineage-from.ts';
import { LookupFinder, storedColumns } from './lineage-lookup.ts';
import { bind, boundColumns, boundItems, outward } from './lineage-links.ts';
import { inside, starOf, withItems, type QueryScope } from './lineage-scope.ts';
import {
  allStored,
  computed,
  nothing,
  union,
  unionOfColumns,
  unresolved,
  type Column,
  type Item,
  type Link,
  type Listed,
  type Rows,
  type Value,
} from './lineage-values.ts';
import { withClause } from './lineage-with.ts';
import { delete_, insert, merge, update } from './lineage-write.ts';
import { bodyOf, listOf, stringNode, tagged, text, type Body } from './nodes.ts';

/** Traces one statement; collects on the way what is used otherwise than as an output by itself. */
export class QueryTracer implements Tracing {
  readonly catalogue: LineageCatalogue;
  readonly lookups: LookupFinder;
  readonly #used: Value[] = [];
  #steps = 0;

  constructor(catalogue: LineageCatalogue) {
    this.catalogue = catalogue;
    this.lookups = new LookupFinder(catalogue);
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
        return insert(found.body, here, this);
      case 'UpdateStmt':
        return update(found.body, here, this);
      case 'DeleteStmt':
        return delete_(found.body, here, this);
      case 'MergeStmt':
        return merge(found.body, here, this);
      default:
        return unresolved(`no rule for ${found.tag}`);
    }
  }

  #select(body: Body, outer: QueryScope, isResult = false): Rows {
    const { scope, predicates } = withClause(body['withClause'], outer, this);
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
      return {
        name: column.name,
        value: union([inBranch(column, left), inBranch(other, right)]),
        stored: allStored([column, other]),
        ...looksAt,
      };
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
    const columns = distinct.columns.map(({ name, value, stored }, index) => {
      const looksAt = lookedAt(listed.links[index]!, from.items);
      for (const [column, item] of looksAt ?? []) this.touch(column, item);
      return { name, value, stored, ...(looksAt === undefined ? {} : { looksAt }) };
    });
    return { columns, predicates: union(predicates), counted, links: passed };
  }

  #list(body: Body, scope: QueryScope, from: FromItem): Listed {
    const implied = usedValues(body['windowClause'], scope, this);
    return this.outputs(body['targetList'], { ...scope, implied }, from);
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

  outputs(list: unknown, scope: QueryScope, from: Pick<FromItem, 'columns' | 'open'> | undefined): Listed {
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
    return [{ name: text(body['name']) ?? stringNode(parts.at(-1)), value, stored: storedColumns(body['val'], scope) }];
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

/** Nodes of one statement, and columns looked at. */
const mostSteps = 40_000;
/** MaxTupleAttributeNumber of the server. */
const mostColumns = 1_664;
