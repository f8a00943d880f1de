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

/** The rows of a query or of something in FROM. `predicates`: what decides which rows there are. */
export interface Rows {
  readonly columns: readonly Column[];
  readonly predicates: Value;
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

/** Of one value it is the value itself. */
export function union(values: readonly Value[]): Value {
  const [first] = values;
  if (first === undefined) return nothing;
  let only: Value | undefined;
  let sources: Map<string, Source> | undefined;
  for (const value of values) {
    if (value.sources.size === 0 || value === only) continue;
    if (only === undefined) only = value;
    else {
      sources ??= new Map(only.sources);
      for (const [key, source] of value.sources) sources.set(key, source);
    }
  }
  if (sources !== undefined) return { sources, document: false };
  return only ?? nothing;
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

/** Columns under the names of an alias list, which may be shorter. */
export function renamed(columns: readonly Column[], names: readonly string[]): readonly Column[] {
  if (names.length === 0) return columns;
  if (names.length > columns.length) return unresolved('more aliases than columns');
  return columns.map((column, index) => (names[index] === undefined ? column : { name: names[index], value: column.value }));
}

const mostSteps = 32;
