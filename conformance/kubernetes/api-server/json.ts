export type Json = null | boolean | number | string | Json[] | JsonObject;
export interface JsonObject {
  [name: string]: Json;
}

/** An object of the API (https://kubernetes.io/docs/reference/using-api/api-concepts/). */
export interface KubeObject extends JsonObject {
  apiVersion: string;
  kind: string;
  metadata: JsonObject;
}

export function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** What stands below these names; undefined where something is missing on the way. */
export function at(value: Json | undefined, ...names: readonly string[]): Json | undefined {
  let found = value;
  for (const name of names) found = isObject(found) && Object.hasOwn(found, name) ? found[name] : undefined;
  return found;
}

/** The text there, or an empty one. */
export function textAt(value: Json | undefined, ...names: readonly string[]): string {
  const found = at(value, ...names);
  return typeof found === 'string' ? found : '';
}

export function numberAt(value: Json | undefined, ...names: readonly string[]): number | undefined {
  const found = at(value, ...names);
  return typeof found === 'number' ? found : undefined;
}

export function listAt(value: Json | undefined, ...names: readonly string[]): Json[] {
  const found = at(value, ...names);
  return Array.isArray(found) ? found : [];
}

export function objectAt(value: Json | undefined, ...names: readonly string[]): JsonObject {
  const found = at(value, ...names);
  return isObject(found) ? found : {};
}

/** The object there, made where it is missing. */
export function ensure(value: JsonObject, ...names: readonly string[]): JsonObject {
  let found = value;
  for (const name of names) {
    const next = found[name];
    if (isObject(next)) found = next;
    else found = found[name] = {};
  }
  return found;
}

export function copy<T extends Json>(value: T): T {
  return structuredClone(value);
}

/** Two values of JSON are the same; the order of names does not count. */
export function isSame(one: Json | undefined, other: Json | undefined): boolean {
  if (one === other) return true;
  if (Array.isArray(one)) {
    return Array.isArray(other) && one.length === other.length && one.every((item, index) => isSame(item, other[index]));
  }
  if (!isObject(one) || !isObject(other)) return false;
  const names = Object.keys(one);
  return names.length === Object.keys(other).length && names.every((name) => Object.hasOwn(other, name) && isSame(one[name], other[name]));
}

/** Text, a number or a truth value as text; empty for anything else. */
export function plain(value: Json | undefined): string {
  return value === undefined || value === null || typeof value === 'object' ? '' : String(value);
}
