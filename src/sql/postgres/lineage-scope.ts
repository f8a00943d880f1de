/**
 * Which values a name may mean. Of all queries around it, not of the nearest alone: a name that means one thing is given the sources of
 * everything of that name in reach, so that a mistake about which one the server picks shows too little and never too much.
 */
import type { Column, Item, Rows, Value } from './lineage-values.ts';
import { computed, nothing, union, unionOfColumns, unresolved } from './lineage-values.ts';

export interface QueryScope {
  readonly items: readonly Item[];
  readonly outer: QueryScope | undefined;
  readonly ctes: CteScope | undefined;
  /** What is used here without being named: by OVER, the WINDOW clause; by merge_action(), the conditions of MERGE. */
  readonly implied: Value;
  /** What the number of rows that an aggregate or window function works on depends on. */
  readonly counted: Value;
}

/** Is told of every column that is looked at, and of the item that it is in. */
export type Touch = (column: Column, item: Item) => void;

export interface CteScope {
  readonly name: string;
  readonly rows: () => Rows;
  readonly outer: CteScope | undefined;
}

export const emptyScope: QueryScope = { items: [], outer: undefined, ctes: undefined, implied: nothing, counted: nothing };

export function withItems(scope: QueryScope, items: readonly Item[]): QueryScope {
  return { ...scope, items: [...scope.items, ...items] };
}

export function inside(scope: QueryScope): QueryScope {
  return { items: [], outer: scope, ctes: scope.ctes, implied: nothing, counted: nothing };
}

export function cteNamed(scope: QueryScope, name: string): CteScope | undefined {
  for (let cte = scope.ctes; cte !== undefined; cte = cte.outer) if (cte.name === name) return cte;
  return undefined;
}

/** What `name` means, and whether that is a column by itself. Undefined: nothing in reach. */
export function lookUp(scope: QueryScope, name: string, touch: Touch): { readonly value: Value; readonly bare: boolean } | undefined {
  const found: Value[] = [];
  let rows = false;
  let system = false;
  for (let level: QueryScope | undefined = scope; level !== undefined; level = level.outer) {
    for (const item of level.items) {
      for (const column of item.columns) {
        if (column.name !== undefined && column.name !== name) continue;
        found.push(column.value);
        touch(column, item);
      }
      if (item.alias === name) {
        rows = true;
        for (const column of item.columns) touch(column, item);
        found.push(computed(unionOfColumns(item.columns)));
      }
      if (item.stored && systemColumns.has(name)) system = true;
    }
  }
  const [only] = found;
  if (only === undefined) return system ? { value: nothing, bare: true } : undefined;
  return found.length === 1 && !rows ? { value: only, bare: true } : { value: union(found), bare: !rows };
}

/** `qualifier.name`: a column, or a function of the whole row. */
export function lookUpIn(
  scope: QueryScope,
  qualifier: string,
  name: string,
  touch: Touch,
): { readonly value: Value; readonly bare: boolean } {
  const found: Value[] = [];
  let known = false;
  let bare = true;
  for (const item of itemsNamed(scope, qualifier)) {
    known = true;
    const columns = item.columns.filter((column) => column.name === undefined || column.name === name);
    for (const column of columns.length > 0 ? columns : item.columns) touch(column, item);
    if (columns.length > 0) found.push(...columns.map((column) => column.value));
    else if (!item.stored || !systemColumns.has(name)) {
      bare = false;
      found.push(computed(unionOfColumns(item.columns)));
    }
  }
  if (!known) return unresolved(`no ${qualifier} in FROM`);
  return found.length === 1 ? { value: found[0]!, bare } : { value: union(found), bare };
}

export function isRow(scope: QueryScope, name: string): boolean {
  return itemsNamed(scope, name).next().done !== true;
}

/** Of every query in reach. */
export function columnsNamed(scope: QueryScope, name: string, touch: Touch): readonly Value[] {
  const found: Value[] = [];
  for (let level: QueryScope | undefined = scope; level !== undefined; level = level.outer)
    for (const item of level.items)
      for (const column of item.columns) {
        if (column.name !== undefined && column.name !== name) continue;
        found.push(column.value);
        touch(column, item);
      }
  return found;
}

/** The one thing whose columns `qualifier.*` writes out. */
export function starOf(scope: QueryScope, qualifier: string): Item {
  for (let level: QueryScope | undefined = scope; level !== undefined; level = level.outer) {
    const [item, ...more] = level.items.filter((one) => one.alias === qualifier);
    if (item === undefined) continue;
    return more.length > 0 || item.open ? unresolved(`${qualifier}.* may be several things`) : item;
  }
  return unresolved(`no ${qualifier} in FROM`);
}

function* itemsNamed(scope: QueryScope, alias: string): Generator<Item> {
  for (let level: QueryScope | undefined = scope; level !== undefined; level = level.outer)
    for (const item of level.items) if (item.alias === alias) yield item;
}

const systemColumns: ReadonlySet<string> = new Set(['ctid', 'xmin', 'xmax', 'cmin', 'cmax', 'tableoid']);
