import { at, isObject, isSame, type Json, type JsonObject } from './json.ts';
import { any, fieldOf, type Schema } from './schema.ts';

/**
 * Sets of fields as managed fields write them (FieldsV1, https://kubernetes.io/docs/reference/using-api/server-side-apply/): each field is
 * its way from the root, of elements `f:name`, `k:{"key":"value"}` (an item by its keys) and `v:value` (an item of a set).
 */
export type Path = readonly string[];

/** By the path's text. */
export type FieldSet = ReadonlyMap<string, Path>;

/** Every field of the value that can belong to somebody: leaves, lists and maps that are one value, and items of lists by themselves. */
export function fieldsOf(value: Json, schema: Schema): Map<string, Path> {
  const found = new Map<string, Path>();
  walk(value, schema, [], found);
  return found;
}

function walk(value: Json, schema: Schema, path: Path, found: Map<string, Path>): void {
  const isWhole = schema.kind === 'object' && schema.isAtomic;
  if (isObject(value) && !isWhole) {
    const names = Object.keys(value);
    if (path.length > 0 && (names.length === 0 || schema.kind === 'map' || schema.kind === 'any')) add(path, found);
    for (const name of names) {
      if (path.length === 0 && (name === 'apiVersion' || name === 'kind')) continue;
      if (path.length === 1 && path[0] === 'f:metadata' && serverOwned.has(name)) continue;
      walk(value[name] as Json, fieldOf(schema, name) ?? any, [...path, `f:${name}`], found);
    }
    return;
  }
  if (Array.isArray(value) && schema.kind === 'list' && schema.mapKeys !== undefined && value.length > 0) {
    for (const item of value) {
      const own = [...path, elementOf(item, schema.mapKeys)];
      add(own, found);
      if (isObject(item)) walk(item, schema.of, own, found);
    }
    return;
  }
  add(path, found);
}

/** How an item of a list is named. */
export function elementOf(item: Json, keys: readonly string[] | 'set'): string {
  if (keys === 'set') return `v:${JSON.stringify(item)}`;
  return `k:${JSON.stringify(Object.fromEntries(keys.flatMap((key) => withKey(item, key))))}`;
}

/** `protocol` is a key that may be left out, and means TCP then. */
function withKey(item: Json, key: string): [string, Json][] {
  const value = at(item, key) ?? (key === 'protocol' ? 'TCP' : undefined);
  return value === undefined ? [] : [[key, value]];
}

function add(path: Path, found: Map<string, Path>): void {
  found.set(path.join('\n'), path);
}

/** The value at a path, or undefined. */
export function valueAt(root: Json, path: Path, schema: Schema): Json | undefined {
  let [value, of]: [Json | undefined, Schema] = [root, schema];
  for (const element of path) {
    if (value === undefined) return undefined;
    if (element.startsWith('f:')) {
      const name = element.slice(2);
      [value, of] = [at(value, name), fieldOf(of, name) ?? any];
    } else {
      if (!Array.isArray(value) || of.kind !== 'list' || of.mapKeys === undefined) return undefined;
      const { mapKeys } = of;
      [value, of] = [value.find((item) => elementOf(item, mapKeys) === element), of.of];
    }
  }
  return value;
}

/** Fields that were set, changed or added between two states. */
export function changedFields(before: Json, after: Json, schema: Schema): Map<string, Path> {
  const changed = new Map<string, Path>();
  for (const [key, path] of fieldsOf(after, schema)) {
    const was = valueAt(before, path, schema);
    if (was === undefined || (!isItem(path) && !isSame(was, valueAt(after, path, schema)))) changed.set(key, path);
  }
  return changed;
}

/** An item of a list, or a map, by itself: it is the same however its content changes. */
function isItem(path: Path): boolean {
  return !path.at(-1)!.startsWith('f:');
}

export function toFieldsV1(set: FieldSet): JsonObject {
  const root: JsonObject = {};
  for (const path of set.values()) {
    let node = root;
    for (const element of path) {
      const next = node[element];
      node = isObject(next) ? next : (node[element] = {});
    }
    if (isItem(path)) node['.'] = {};
  }
  return root;
}

export function fromFieldsV1(fields: Json): Map<string, Path> {
  const found = new Map<string, Path>();
  const read = (node: Json, path: Path): void => {
    if (!isObject(node)) return;
    const names = Object.keys(node);
    if (path.length > 0 && (names.length === 0 || names.includes('.'))) add(path, found);
    for (const name of names) if (name !== '.') read(node[name] as Json, [...path, name]);
  };
  read(fields, []);
  return found;
}

const serverOwned = new Set([
  'name',
  'namespace',
  'uid',
  'resourceVersion',
  'generation',
  'creationTimestamp',
  'deletionTimestamp',
  'deletionGracePeriodSeconds',
  'selfLink',
  'managedFields',
]);
