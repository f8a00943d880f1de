import { isObject, isSame, copy, plain, type Json, type JsonObject } from './json.ts';
import { fieldOf, type ListSchema, type Schema } from './schema.ts';
import { badRequest, StatusError } from './status.ts';

/** JSON Merge Patch (RFC 7386). */
export function mergePatch(target: Json, patch: Json): Json {
  if (!isObject(patch)) return copy(patch);
  const result = isObject(target) ? copy(target) : {};
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) delete result[name];
    else result[name] = mergePatch(result[name] ?? null, value);
  }
  return result;
}

/** JSON Patch (RFC 6902). */
export function jsonPatch(target: Json, patch: Json): Json {
  if (!Array.isArray(patch)) throw badRequest('a JSON patch is a list of operations');
  const root: JsonObject = { root: copy(target) };
  for (const step of patch) {
    if (!isObject(step) || typeof step['op'] !== 'string' || typeof step['path'] !== 'string') throw badRequest('malformed JSON patch');
    applyStep(root, step, step['op'], step['path']);
  }
  return root['root'] as Json;
}

function applyStep(root: JsonObject, step: JsonObject, op: string, path: string): void {
  switch (op) {
    case 'add':
      return add(root, path, copy(step['value'] ?? null));
    case 'remove':
      remove(root, path);
      return;
    case 'replace':
      remove(root, path);
      return add(root, path, copy(step['value'] ?? null));
    case 'move':
      return add(root, path, remove(root, plain(step['from'])));
    case 'copy':
      return add(root, path, copy(read(root, plain(step['from']))));
    case 'test':
      if (!isSame(read(root, path), step['value'])) throw unprocessable(`testing value ${path} failed: test failed`);
      return;
    default:
      throw badRequest(`unknown operation ${op}`);
  }
}

function locate(root: JsonObject, pointer: string): { readonly holder: JsonObject | Json[]; readonly name: string } {
  const names = ['root', ...pointer.split('/').slice(1)].map((name) => name.replaceAll('~1', '/').replaceAll('~0', '~'));
  let holder: JsonObject | Json[] = root;
  for (const name of names.slice(0, -1)) {
    const next: Json | undefined = Array.isArray(holder) ? holder[Number(name)] : holder[name];
    if (!isObject(next) && !Array.isArray(next)) throw unprocessable(`doc is missing path: ${pointer}: missing value`);
    holder = next;
  }
  return { holder, name: names.at(-1)! };
}

function read(root: JsonObject, pointer: string): Json {
  const { holder, name } = locate(root, pointer);
  const value = Array.isArray(holder) ? holder[Number(name)] : holder[name];
  if (value === undefined) throw unprocessable(`doc is missing path: ${pointer}: missing value`);
  return value;
}

function add(root: JsonObject, pointer: string, value: Json): void {
  const { holder, name } = locate(root, pointer);
  if (Array.isArray(holder)) holder.splice(name === '-' ? holder.length : Number(name), 0, value);
  else holder[name] = value;
}

function remove(root: JsonObject, pointer: string): Json {
  const value = read(root, pointer);
  const { holder, name } = locate(root, pointer);
  if (Array.isArray(holder)) holder.splice(Number(name), 1);
  else delete holder[name];
  return value;
}

function unprocessable(message: string): StatusError {
  return new StatusError(422, 'Invalid', `the server rejected our request due to an error in our request: ${message}`, {});
}

/** Strategic merge patch: a merge patch that knows which lists are merged and by what (`$patch`, `$deleteFromPrimitiveList`, `$setElementOrder`). */
export function strategicMergePatch(target: Json, patch: Json, schema: Schema): Json {
  if (!isObject(patch)) return copy(patch);
  if (patch['$patch'] === 'delete') return {};
  if (patch['$patch'] === 'replace') return withoutDirectives(patch);
  const result = isObject(target) ? copy(target) : {};
  for (const [name, value] of Object.entries(patch)) {
    if (name === '$retainKeys' && Array.isArray(value)) {
      for (const own of Object.keys(result)) if (!value.includes(own)) delete result[own];
    }
  }
  for (const [name, value] of Object.entries(patch)) {
    if (name.startsWith('$deleteFromPrimitiveList/')) {
      const list = name.slice(name.indexOf('/') + 1);
      const gone = Array.isArray(value) ? value : [];
      result[list] = asList(result[list]).filter((item) => !gone.some((one) => isSame(one, item)));
    }
  }
  for (const [name, value] of Object.entries(patch)) {
    if (name.startsWith('$')) continue;
    const of = fieldOf(schema, name);
    if (value === null) delete result[name];
    else if (Array.isArray(value) && of?.kind === 'list' && of.mergeKey !== undefined) {
      result[name] = mergeList(asList(result[name]), value, of, asList(patch[`$setElementOrder/${name}`]));
    } else if (isObject(value)) result[name] = strategicMergePatch(result[name] ?? {}, value, of ?? { kind: 'any' });
    else result[name] = copy(value);
  }
  return result;
}

function mergeList(target: readonly Json[], patch: readonly Json[], schema: ListSchema, order: readonly Json[]): Json[] {
  const key = schema.mergeKey ?? '';
  const nameOf = (item: Json): Json => (key !== '' && isObject(item) ? (item[key] ?? null) : item);
  if (patch.some((item) => isObject(item) && item['$patch'] === 'replace')) {
    return patch.filter((item) => !(isObject(item) && item['$patch'] === 'replace')).map((item) => copy(item));
  }
  let merged = target.map((item) => copy(item));
  for (const item of patch) {
    const index = merged.findIndex((one) => isSame(nameOf(one), nameOf(item)));
    if (isObject(item) && item['$patch'] === 'delete') merged = merged.filter((one) => !isSame(nameOf(one), nameOf(item)));
    else if (index < 0) merged.push(withoutDirectives(item));
    else if (isObject(item)) merged[index] = strategicMergePatch(merged[index] as Json, item, schema.of);
  }
  if (order.length === 0) return merged;
  const place = (item: Json): number => order.findIndex((one) => isSame(nameOf(one), nameOf(item)));
  return merged
    .map((item, index) => ({ item, index, at: place(item) }))
    .sort((one, other) => (one.at < 0 || other.at < 0 ? one.index - other.index : one.at - other.at))
    .map(({ item }) => item);
}

function withoutDirectives(value: Json): Json {
  if (Array.isArray(value)) return value.map(withoutDirectives);
  if (!isObject(value)) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([name, of]) => !name.startsWith('$') && of !== null)
      .map(([name, of]) => [name, withoutDirectives(of)]),
  );
}

function asList(value: Json | undefined): Json[] {
  return Array.isArray(value) ? value : [];
}
