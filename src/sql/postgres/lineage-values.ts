/** What a value is computed from, and the names under which a query can reach values. */
import type { AccessStep, Source } from '../lineage.ts';

/** Immutable. `document`: the value is what stands at the sources' paths, so that a further step leads further in. */
export interface Value {
  readonly sources: ReadonlyMap<string, Source>;
  readonly document: boolean;
}

export interface Column {
  /** Undefined: the server gives it a name that is not known here, so that any name may mean it. */
  readonly name: string | undefined;
  readonly value: Value;
  /**
   * Its values are those of one of these stored columns and nothing else (or NULL). Undefined: not known. More than that its one source is:
   * a column of VALUES has no source for what the statement itself wrote there.
   */
  readonly stored?: readonly StoredColumn[] | undefined;
  /** Columns of queries around its own that it looks at. */
  readonly looksAt?: ReadonlyMap<Column, Item>;
}

export interface StoredColumn {
  readonly relation: number;
  readonly column: string;
}

/** Something in FROM under the name it has there. */
export interface Item {
  readonly alias: string | undefined;
  readonly columns: readonly Column[];
  /** Which columns it has, or in which order, is not known: no `*` can be written out. */
  readonly open: boolean;
  /** It is a table or view: it has system columns. */
  readonly stored: boolean;
}

/**
 * What one comparison (or sort expression) looks at: columns and the item of FROM that each is in. `where g = left(ssn, 3)::integer` makes a
 * column of another item say what `ssn` is, so that what is compared over two items has the sources of both.
 */
export interface Link {
  readonly touched: ReadonlyMap<Column, Item>;
  /** Compared as well, but not among the columns of the query at hand. */
  readonly beside: Value;
  /**
   * `equals`: two columns are equal and nothing else, so that how many rows meet says nothing that joining them does not. `same`: one is made
   * of the other, whose sources it has already; what either is compared with says something of both.
   */
  readonly kind: 'compares' | 'equals' | 'same';
}

/** The rows of a query or of something in FROM. */
export interface Rows {
  readonly columns: readonly Column[];
  /** What decides which rows there are. */
  readonly predicates: Value;
  /** What decides how many there are in another way than by choosing among those that are stored: what a function unfolds, LIMIT. */
  readonly counted: Value;
  /** Comparisons with columns of the queries around it. */
  readonly links: readonly Link[];
}

/** Outputs of a query, and what each of them looks at. */
export interface Listed {
  readonly columns: readonly Column[];
  readonly links: readonly (readonly Link[])[];
}

/** Where it cannot be proven what a name or a node means. Never leaves `traceLineage`. */
export class Unresolved extends Error {}

export function unresolved(why: string): never {
  throw new Unresolved(why);
}

export const nothing: Value = { sources: new Map(), document: false };

export function columnValue(relation: number, column: string): Value {
  return { sources: new Map([[`${relation} ${column}`, { relation, column, path: [] }]]), document: true };
}

/** Of one value it is the value itself. Copies nothing where the largest has all the sources of the others. */
export function union(values: readonly Value[]): Value {
  let largest = nothing;
  for (const value of values) if (value.sources.size > largest.sources.size) largest = value;
  let isOne = true;
  let sources: Map<string, Source> | undefined;
  for (const value of values) {
    if (value.sources.size === 0 || value === largest) continue;
    isOne = false;
    for (const [key, source] of value.sources) {
      if ((sources ?? largest.sources).has(key)) continue;
      sources ??= new Map(largest.sources);
      sources.set(key, source);
    }
  }
  if (sources === undefined) return isOne ? largest : computed(largest);
  return sources.size > mostSources ? unresolved('too many sources') : { sources, document: false };
}

/** The same sources, but no longer the document itself. */
export function computed(value: Value): Value {
  return value.document ? { sources: value.sources, document: false } : value;
}

/** What `steps` into the value give. Of what is no document they give what it is computed from. */
export function stepInto(value: Value, steps: readonly AccessStep[]): Value {
  if (!value.document || steps.length === 0) return value;
  const sources = new Map<string, Source>();
  for (const [key, source] of value.sources) {
    if (source.path.length + steps.length > mostSteps) return computed(value);
    sources.set(`${key} ${JSON.stringify(steps)}`, { ...source, path: [...source.path, ...steps] });
  }
  return { sources, document: true };
}

export function unionOfColumns(columns: readonly Column[]): Value {
  return union(columns.map((column) => column.value));
}

/** Where the values of any of them are stored. */
export function allStored(columns: readonly Column[]): readonly StoredColumn[] | undefined {
  const all: StoredColumn[] = [];
  for (const { stored } of columns) {
    if (stored === undefined) return undefined;
    all.push(...stored);
  }
  return all;
}

/** Columns under the names of an alias list, which may be shorter. */
export function renamed(columns: readonly Column[], names: readonly string[]): readonly Column[] {
  if (names.length === 0) return columns;
  if (names.length > columns.length) return unresolved('more aliases than columns');
  return columns.map((column, index) => (names[index] === undefined ? column : { ...column, name: names[index] }));
}

const mostSteps = 32;
/** Of one value. Keeps the cost of long expressions down. */
const mostSources = 2_000;
