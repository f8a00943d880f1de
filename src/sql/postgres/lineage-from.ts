/** What stands in FROM: relations, queries, functions, joins. */
import { same } from './lineage-links.ts';
import { stepInto, type Column, type Item, type Link, type Rows, type Value } from './lineage-values.ts';
import { allStored, columnValue, computed, nothing, renamed, union, unionOfColumns, unresolved } from './lineage-values.ts';
import { builtinFunction, checkType, condition, usedValue, usedValues, type Tracing } from './lineage-expression.ts';
import { cteNamed, withItems, type QueryScope } from './lineage-scope.ts';
import type { AccessStep } from '../lineage.ts';
import { bodyOf, inline, items, listOf, relationName, requiredText, strings, tagged, text, type Body } from './nodes.ts';

/** What one node of FROM adds: names for others to use, and its columns in the order of a `*`. */
export interface FromItem extends Rows {
  readonly items: readonly Item[];
  /** The order or number of its columns is not known. */
  readonly open: boolean;
}

/** A comma in FROM: each sees those before it (LATERAL; who may not, cannot name them either). */
export function fromList(nodes: unknown, scope: QueryScope, tracing: Tracing): FromItem {
  let all: FromItem = emptyFrom;
  for (const node of listOf(nodes)) all = beside(all, fromItem(node, withItems(scope, all.items), tracing));
  return all;
}

export function fromItem(node: unknown, scope: QueryScope, tracing: Tracing): FromItem {
  tracing.step();
  const found = tagged(node) ?? unresolved('nothing in FROM');
  switch (found.tag) {
    case 'RangeVar':
      return relation(found.body, scope, tracing);
    case 'RangeSubselect':
      return derived(found.body, tracing.query(found.body['subquery'], scope));
    case 'JoinExpr':
      return join(found.body, scope, tracing);
    case 'RangeFunction':
      return functions(found.body, scope, tracing);
    case 'RangeTableFunc':
    case 'JsonTable':
      return tableFunction(found.body, scope, tracing);
    case 'RangeTableSample': {
      const sample = fromItem(found.body['relation'], scope, tracing);
      const chosen = usedValues([...listOf(found.body['args']), found.body['repeatable']], scope, tracing);
      return { ...sample, predicates: union([sample.predicates, chosen]), counted: union([sample.counted, chosen]) };
    }
    default:
      return unresolved(`no rule for ${found.tag} in FROM`);
  }
}

/** The relation that a statement writes to: never a CTE. */
export function targetItem(rangeVar: Body, tracing: Tracing): Item {
  const { alias } = aliasOf(rangeVar);
  const name = relationName(rangeVar);
  return { alias: alias ?? name.name, columns: columnsOf(rangeVar, tracing), open: false, stored: true };
}

function relation(rangeVar: Body, scope: QueryScope, tracing: Tracing): FromItem {
  const name = requiredText(rangeVar['relname'], 'relation name');
  const cte = rangeVar['schemaname'] === undefined ? cteNamed(scope, name) : undefined;
  const { alias = name, names } = aliasOf(rangeVar);
  const rows = cte?.rows() ?? { ...emptyFrom, columns: columnsOf(rangeVar, tracing) };
  const columns = ownColumns(renamed(rows.columns, names));
  const item = { alias, columns, open: false, stored: cte === undefined };
  return { ...rows, links: [...rows.links, ...looking(rows.columns, item)], items: [item], columns, open: false };
}

function columnsOf(rangeVar: Body, { catalogue }: Tracing): readonly Column[] {
  const name = relationName(rangeVar);
  const known = catalogue.relation(name) ?? unresolved(`relation ${name.name}`);
  return known.columns.map((column) => ({ name: column, value: columnValue(known.id, column), stored: [{ relation: known.id, column }] }));
}

function derived(body: Body, rows: Rows): FromItem {
  const { alias, names } = aliasOf(body);
  const columns = ownColumns(renamed(rows.columns, names));
  const item = itemOf(alias, columns);
  return { ...rows, items: [item], columns, links: [...rows.links, ...looking(rows.columns, item)], open: false };
}

function join(body: Body, scope: QueryScope, tracing: Tracing): FromItem {
  const left = fromItem(body['larg'], scope, tracing);
  const right = fromItem(body['rarg'], withItems(scope, left.items), tracing);
  const both = beside(left, right);
  const on = condition(body['quals'], withItems(scope, both.items), tracing);
  const using = body['isNatural'] === true ? commonNames(left, right) : strings(body['usingClause']);
  const joined = using.map((name) => [...columnsNamed(left, name), ...columnsNamed(right, name)]);
  const merged = using.map((name, index) => ({ name, value: unionOfColumns(joined[index]!), stored: allStored(joined[index]!) }));
  const compared = unionOfColumns(merged);
  tracing.use(compared);
  const rest = both.columns.filter((column) => column.name === undefined || !using.includes(column.name));
  const { alias, names } = aliasOf(body);
  const unnamedJoin = [...merged, ...rest];
  const columns = alias === undefined ? unnamedJoin : ownColumns(renamed(unnamedJoin, names));
  const usingAlias = inline(body['join_using_alias']);
  const added = [
    itemOf(usingAlias === undefined ? undefined : text(usingAlias['aliasname']), merged),
    ...(alias === undefined ? [] : [itemOf(alias, columns, both.open)]),
  ];
  const itemsOf = new Map([...both.items, ...added].flatMap((item) => item.columns.map((column) => [column, item] as const)));
  const alike = (some: readonly Column[]): Link =>
    same(some.flatMap((column) => (itemsOf.has(column) ? [[column, itemsOf.get(column)!] as const] : [])));
  return {
    items: [...both.items, ...added],
    columns,
    predicates: union([both.predicates, on.value, compared]),
    counted: both.counted,
    links: [
      ...both.links,
      ...on.links,
      ...merged.map((column, index) => alike([column, ...joined[index]!])),
      ...(alias === undefined ? [] : columns.map((column, index) => alike([column, unnamedJoin[index]!]))),
    ],
    open: both.open,
  };
}

function commonNames(left: FromItem, right: FromItem): readonly string[] {
  const names = (side: FromItem): readonly string[] =>
    side.columns.map((column) => column.name ?? unresolved('NATURAL JOIN of unnamed columns'));
  if (left.open || right.open) return unresolved('NATURAL JOIN of unknown columns');
  const others = names(right);
  return names(left).filter((name) => others.includes(name));
}

function columnsNamed(side: FromItem, name: string): readonly Column[] {
  const found = side.columns.filter((column) => column.name === undefined || column.name === name);
  return found.length === 0 ? unresolved(`no ${name} to join by`) : found;
}

/** Functions in FROM, one or more of them (ROWS FROM), each with columns of its own. */
function functions(body: Body, scope: QueryScope, tracing: Tracing): FromItem {
  const { alias, names } = aliasOf(body);
  const calls = listOf(body['functions']).map(items);
  const parts = calls.map(([call, definitions]) => {
    const own = tagged(definitions) === undefined ? [] : items(definitions);
    const given = own.length > 0 ? own : listOf(body['coldeflist']);
    const called = calls.length === 1 ? alias : undefined;
    const { made, links } = tracing.collected(() => functionColumns(call, given, called, scope, tracing));
    return { ...made, links };
  });
  const ordinality = body['ordinality'] === true ? [{ name: 'ordinality', value: nothing }] : [];
  const columns = [...parts.flatMap((part) => part.columns), ...ordinality];
  const open = parts.some((part) => part.open);
  const called = calls.length === 1 ? calledName(calls[0]?.[0]) : undefined;
  const shown = open ? renamedOpen(columns, names) : ownColumns(renamed(columns, names));
  const item = itemOf(alias ?? called, shown, open);
  const counted = union(parts.map((part) => part.value));
  return { items: [item], columns: shown, predicates: nothing, counted, links: linked(parts, item), open };
}

function functionColumns(
  call: unknown,
  definitions: readonly unknown[],
  alias: string | undefined,
  scope: QueryScope,
  tracing: Tracing,
): { readonly columns: readonly Column[]; readonly value: Value; readonly open: boolean } {
  const value = usedValue(call, scope, tracing);
  if (definitions.length > 0)
    return { columns: definitions.map((node) => ({ name: definedName(node), value: computed(value) })), value, open: false };
  const found = tagged(call);
  const name = found?.tag === 'FuncCall' ? builtinFunction(listOf(found.body['funcname']), tracing.catalogue) : undefined;
  const document = name === undefined || !unfolding.has(name) ? undefined : usedValue(listOf(found?.body['args'])[0], scope, tracing);
  const inner = document === undefined ? value : stepInto(document, [name!.includes('each') ? anyKey : anyElement]);
  if (name?.endsWith('_each') === true || name?.endsWith('_each_text') === true)
    return {
      columns: [
        { name: 'key', value: computed(value) },
        { name: 'value', value: inner },
      ],
      value,
      open: false,
    };
  const isOne = name !== undefined && (oneColumn.has(name) || (name === 'unnest' && value.sources.size === 0));
  if (!isOne) return { columns: [{ name: undefined, value: computed(value) }], value, open: true };
  // By its parameter, or else as the function is called here (PostgreSQL manual, 7.2.1.4).
  return { columns: [{ name: document === undefined ? (alias ?? name) : 'value', value: inner }], value, open: false };
}

/** What a function makes of columns beside it says something of them. */
function linked(parts: readonly { readonly links: readonly Link[] }[], item: Item): readonly Link[] {
  const own = item.columns.slice(0, 1).map((column) => [column, item] as const);
  const passed = parts.flatMap(({ links }) => links.slice(1));
  return [...passed, ...parts.flatMap(({ links }) => links.slice(0, 1).map((link) => same([...link.touched, ...own])))];
}

/** The same for the columns of a query in FROM that looks at what stands beside it. */
function looking(given: readonly Column[], item: Item): readonly Link[] {
  return given.flatMap(({ looksAt }, index) => (looksAt === undefined ? [] : [same([...looksAt, [item.columns[index]!, item]])]));
}

/** XMLTABLE and JSON_TABLE: columns by name, each of whatever the document and its own expressions hold. */
function tableFunction(body: Body, scope: QueryScope, tracing: Tracing): FromItem {
  const { alias, names } = aliasOf(body);
  const given = [body['docexpr'], body['rowexpr'], ...listOf(body['namespaces']), ...listOf(body['passing'])];
  const context = inline(body['context_item']);
  if (context !== undefined) given.push({ JsonValueExpr: context });
  const expressions: unknown[] = [];
  const found: string[] = [];
  const pending = [...listOf(body['columns'])].toReversed();
  while (pending.length > 0) {
    const node = tagged(pending.pop());
    if (node?.tag === 'RangeTableFuncCol') expressions.push(node.body['colexpr'], node.body['coldefexpr']);
    else if (node?.tag === 'JsonTableColumn') {
      for (const behaviour of [node.body['on_empty'], node.body['on_error']])
        if (behaviour !== undefined) expressions.push({ JsonBehavior: bodyOf(behaviour) });
      if (node.body['coltype'] === 'JTC_NESTED') {
        pending.push(...[...listOf(node.body['columns'])].toReversed());
        continue;
      }
    } else return unresolved('a table function with an unknown column');
    const type = inline(node.body['typeName']);
    if (type !== undefined) checkType(type);
    found.push(requiredText(node.body['colname'] ?? node.body['name'], 'column name'));
  }
  const { made, links } = tracing.collected(() => usedValues([...given, ...expressions], scope, tracing));
  const value = computed(made);
  const columns = renamed(
    found.map((name) => ({ name, value })),
    names,
  );
  const item = itemOf(alias ?? 'xmltable', columns);
  return { items: [item], columns, predicates: nothing, counted: value, links: linked([{ links }], item), open: false };
}

function beside(left: FromItem, right: FromItem): FromItem {
  return {
    items: [...left.items, ...right.items],
    columns: [...left.columns, ...right.columns],
    predicates: union([left.predicates, right.predicates]),
    counted: union([left.counted, right.counted]),
    links: [...left.links, ...right.links],
    open: left.open || right.open,
  };
}

function itemOf(alias: string | undefined, columns: readonly Column[], open = false): Item {
  return { alias, columns, open, stored: false };
}

function renamedOpen(columns: readonly Column[], names: readonly string[]): readonly Column[] {
  const all = unionOfColumns(columns);
  return [...columns, ...names.map((name) => ({ name, value: all }))];
}

/** A CTE may stand in FROM twice: what is compared with the columns of one is not compared with those of the other. */
function ownColumns(columns: readonly Column[]): readonly Column[] {
  return columns.map(({ name, value, stored }) => ({ name, value, stored }));
}

function definedName(node: unknown): string {
  const found = tagged(node);
  if (found?.tag !== 'ColumnDef') return unresolved('a column definition was expected');
  checkType(inline(found.body['typeName']) ?? unresolved('a column without a type'));
  return requiredText(found.body['colname'], 'column name');
}

function calledName(call: unknown): string | undefined {
  const found = tagged(call);
  return found?.tag === 'FuncCall' ? strings(found.body['funcname']).at(-1) : undefined;
}

function aliasOf(body: Body): { readonly alias: string | undefined; readonly names: readonly string[] } {
  const alias = inline(body['alias']);
  return alias === undefined ? { alias: undefined, names: [] } : { alias: text(alias['aliasname']), names: strings(alias['colnames']) };
}

export const emptyFrom: FromItem = { items: [], columns: [], predicates: nothing, counted: nothing, links: [], open: false };
const anyKey: AccessStep = { key: undefined, anyKey: true, element: false, lax: false };
const anyElement: AccessStep = { key: undefined, anyKey: false, element: true, lax: false };
const unfolding: ReadonlySet<string> = new Set(
  `json_each json_each_text jsonb_each jsonb_each_text json_array_elements json_array_elements_text jsonb_array_elements
   jsonb_array_elements_text`.split(/\s+/),
);
/** Functions that give one column, whatever their arguments are. */
const oneColumn: ReadonlySet<string> = new Set(
  `generate_series generate_subscripts regexp_split_to_table string_to_table jsonb_object_keys json_object_keys regexp_matches
   jsonb_path_query jsonb_path_query_tz json_array_elements json_array_elements_text jsonb_array_elements jsonb_array_elements_text`.split(
    /\s+/,
  ),
);
