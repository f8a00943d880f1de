import type { Crypto } from '../core/crypto.ts';
import { compileDetectors, type DetectorSet } from './detect.ts';
import { foldSegment, reachesPath } from './document-path.ts';
import { compileJsonPath, type JsonPath } from './json-path.ts';
import { createMasker, type MaskRule } from './mask.ts';
import type { ColumnPath, DataClass, MaskKind } from './types.ts';

/** One rule that reaches a column. `path` undefined: the whole value is sensitive; else only that place in the document it holds. */
export interface ColumnRule {
  readonly class: string;
  readonly path: string | undefined;
}

/** One rule that reaches into the JSON at a path of an HTTP target. */
export interface DocumentRule {
  readonly class: string;
  readonly path: JsonPath;
}

/** The configured data classes, ready to be looked up and applied. Immutable; a reload compiles a new one. */
export interface DataClasses {
  /** Strongest mask first (`null`, `redact`, `hash`, `pseudonym`, `partial-last4`), then by name. */
  readonly names: readonly string[];
  /** Of every class that has any; `without` leaves out those that a principal may see. */
  readonly detectors: DetectorSet;
  /** The rules that name exactly this column, strongest first. */
  rulesOf(column: ColumnPath): readonly ColumnRule[];
  /** Classes that name a column, or a place in one, of this target; strongest first. */
  columnClasses(target: string): readonly string[];
  /** The rules for JSON at this path of an HTTP target, decoded segments, strongest first. */
  documentRules(target: string, segments: readonly string[]): readonly DocumentRule[];
  /** All rules for JSON of this target with their paths' segments, folded (`foldSegment`), strongest first. */
  documentPlaces(target: string): readonly (DocumentRule & { readonly segments: readonly string[] })[];
  /** Classes with rules for JSON at any path of this target; strongest first. */
  documentClasses(target: string): readonly string[];
  /** The rule to apply where a value belongs to all of `classes`: the strongest one. Undefined for no known class. */
  strongest(classes: Iterable<string>): MaskRule | undefined;
  /** What is shown in place of `text`; null is SQL NULL (or its like). */
  mask(rule: MaskRule, text: string): string | null;
  /** Whether values of this class may be looked up by their pseudonyms. */
  isLookup(name: string): boolean;
  /** The value of a class that may be looked up, by its pseudonym; undefined where there is no way back. */
  lookUp(name: string, pseudonym: string): string | undefined;
}

/**
 * `key`: at least 32 secret bytes, from which one key a class is derived for `hash` and `pseudonym`. Whoever changes it changes
 * every pseudonym. Throws `RangeError` for a bad pattern or path (with its place), for a class named twice and for a short key.
 */
export function compileDataClasses(dataClasses: readonly DataClass[], crypto: Crypto, key: Uint8Array): DataClasses {
  if (key.length < 32) throw new RangeError('the masking key must have at least 32 bytes');
  const ordered = [...dataClasses].sort(byStrength);
  const ranks = new Map<string, number>();
  const columns = new Map<string, ColumnRule[]>();
  const columnNames = new Set<string>();
  const targets = new Map<string, Set<string>>();
  const documents = new Map<string, (DocumentRule & { readonly segments: readonly string[] })[]>();
  for (const [rank, dataClass] of ordered.entries()) {
    if (ranks.has(dataClass.name)) throw new RangeError(`data class '${dataClass.name}' is defined twice`);
    ranks.set(dataClass.name, rank);
    const places = [...dataClass.columns.map((column) => ({ column, path: undefined })), ...dataClass.paths];
    for (const { column, path } of places) {
      if (path !== undefined) compileJsonPath(path);
      append(columns, columnKey(column), { class: dataClass.name, path });
      columnNames.add(column.column);
      const classes = targets.get(column.target) ?? new Set();
      targets.set(column.target, classes.add(dataClass.name));
    }
    for (const { target, segments, path } of dataClass.documents ?? []) {
      append(documents, target, { class: dataClass.name, path: compileJsonPath(path), segments: segments.map(foldSegment) });
    }
  }
  const masker = createMasker(crypto, key);
  const lookups = new Set(ordered.filter(isLookup).map(({ name }) => name));
  return {
    names: ordered.map((dataClass) => dataClass.name),
    detectors: compileDetectors(ordered),
    // A catalogue asks for each of its columns, and few have such a name.
    rulesOf: (column) => (columnNames.has(column.column) ? (columns.get(columnKey(column)) ?? NO_RULES) : NO_RULES),
    columnClasses: (target) => [...(targets.get(target) ?? [])],
    documentRules: (target, segments) => (documents.get(target) ?? []).filter((rule) => reachesPath(rule.segments, segments)),
    documentPlaces: (target) => documents.get(target) ?? [],
    documentClasses: (target) => [...new Set(documents.get(target)?.map((rule) => rule.class))],
    strongest(classes) {
      let best = Infinity;
      for (const name of classes) best = Math.min(best, ranks.get(name) ?? Infinity);
      const found = ordered[best];
      return found === undefined ? undefined : { class: found.name, kind: found.mask };
    },
    mask: (rule, text) => masker.mask(rule, text),
    lookUp: (name, pseudonym) => (lookups.has(name) ? masker.valueOf(name, pseudonym) : undefined),
    isLookup: (name) => lookups.has(name),
  };
}

function isLookup({ lookup, mask }: DataClass): boolean {
  return lookup === true && mask === 'pseudonym';
}

function byStrength(a: DataClass, b: DataClass): number {
  return STRENGTH[a.mask] - STRENGTH[b.mask] || (a.name < b.name ? -1 : 1);
}

function columnKey(column: ColumnPath): string {
  return JSON.stringify([column.target, column.database ?? null, column.schema, column.relation, column.column]);
}

function append<K, V>(map: Map<K, V[]>, key: K, value: V): void {
  const values = map.get(key);
  if (values === undefined) map.set(key, [value]);
  else values.push(value);
}

const NO_RULES: readonly ColumnRule[] = [];
/** What shows least comes first. */
const STRENGTH: Readonly<Record<MaskKind, number>> = { null: 0, redact: 1, hash: 2, pseudonym: 3, 'partial-last4': 4 };
