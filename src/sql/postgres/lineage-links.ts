/**
 * What rows say of each other because they are chosen by comparing them: `from generate_series(0, 999) g, c where g = left(ssn, 3)::integer`
 * spells out what is in `ssn`.
 */
import { nothing, union, type Column, type Item, type Link, type Value } from './lineage-values.ts';

/** What is known of rows of FROM besides what is in them. */
export interface Bound {
  /** What the rows of an item are compared with. */
  readonly values: ReadonlyMap<Item, Value>;
  /** What the number of rows depends on by these comparisons. */
  readonly counted: Value;
}

/** Until nothing is added: a row that is compared with one that is compared with a third says something of that as well. */
export function bind(links: readonly Link[], step: () => void): Bound {
  const telling = links.filter(tells);
  const values = new Map<Item, Value>();
  const valueOf = (column: Column, item: Item): Value => union([column.value, values.get(item) ?? nothing]);
  for (let grows = telling.length > 0; grows;) {
    grows = false;
    for (const link of telling) {
      const { touched, beside } = link;
      for (const item of new Set(touched.values())) {
        const told = [...touched].filter(([, its]) => its !== item || isMadeUp(item, link));
        for (let count = -1; count < told.length; count += 1) step();
        const others = told.map(([column, its]) => (link.kind === 'same' ? (values.get(its) ?? nothing) : valueOf(column, its)));
        const before = values.get(item) ?? nothing;
        const after = union([before, beside, ...others]);
        if (after.sources.size === before.sources.size) continue;
        values.set(item, after);
        grows = true;
      }
    }
  }
  const counting = telling.filter((link) => link.kind === 'compares');
  const compared = counting.flatMap(({ touched, beside }) => [beside, ...[...touched].map(([column, item]) => valueOf(column, item))]);
  return { values, counted: union(compared) };
}

/** What is left of the links for the queries around these items. */
export function outward(links: readonly Link[], items: readonly Item[], { values }: Bound): readonly Link[] {
  const own = new Set(items);
  return links.flatMap((link) => {
    const outside = new Map([...link.touched].filter(([, item]) => !own.has(item)));
    if (outside.size === 0) return [];
    const inside = [...link.touched].filter(([, item]) => own.has(item));
    const told = inside.map(([column, item]) => union([link.kind === 'same' ? nothing : column.value, values.get(item) ?? nothing]));
    return [{ touched: outside, beside: union([link.beside, ...told]), kind: link.kind }];
  });
}

/**
 * Rows that a query made up say what they were compared with. Rows that are stored show what is stored in them: their columns by
 * themselves are shown as well, whichever rows these are.
 */
export function boundItems(items: readonly Item[], bound: Bound): readonly Item[] {
  return items.map((item) => {
    const columns = boundColumns(item.columns, [item], bound);
    return columns === item.columns ? item : { ...item, columns };
  });
}

/** `columns` are of `items`. */
export function boundColumns(columns: readonly Column[], items: readonly Item[], { values }: Bound): readonly Column[] {
  const told = new Map<Column, Value>();
  for (const item of items) {
    const value = item.stored ? undefined : values.get(item);
    if (value !== undefined) for (const column of item.columns) told.set(column, union([told.get(column) ?? nothing, value]));
  }
  if (!columns.some((column) => told.has(column))) return columns;
  return columns.map((column) => {
    const value = told.get(column);
    return value === undefined ? column : { name: column.name, value: union([column.value, value]), stored: column.stored };
  });
}

/** Columns that are one and the same, or made of each other. */
export function same(columns: readonly (readonly [Column, Item])[]): Link {
  return { touched: new Map(columns), beside: nothing, kind: 'same' };
}

/** Columns of one stored row belong together whatever is asked of them; those of a made-up one may be any with any. */
function isMadeUp(item: Item, { touched, kind }: Link): boolean {
  if (item.stored || kind === 'same') return false;
  let count = 0;
  for (const its of touched.values()) if (its === item) count += 1;
  return count > 1;
}

/** Stored columns that are equal say no more than each by itself. */
function tells(link: Link): boolean {
  const { touched, beside, kind } = link;
  if (touched.size === 0) return false;
  if (beside.sources.size > 0) return true;
  const items = new Set(touched.values());
  const [only] = items;
  if (items.size === 1) return isMadeUp(only!, link);
  return kind !== 'equals' || [...touched].some(([column, item]) => !item.stored && !column.value.document);
}
