import { elementOf, fieldsOf, valueAt, type Path } from './field-set.ts';
import { copy, isObject, isSame, type Json, type JsonObject, type KubeObject } from './json.ts';
import { conflicts, isSameManager, readManaged, writeManaged, type Managed, type Manager } from './managed-fields.ts';
import { fieldOf, type Schema } from './schema.ts';
import { StatusError } from './status.ts';

export interface Applied {
  readonly object: KubeObject;
  /** Puts the managers on the object once defaults are set. */
  own(object: KubeObject): void;
}

/** Server-side apply: the configuration is merged in, what its manager applied before and no longer does goes, others' fields are conflicts. */
export function serverSideApply(
  live: KubeObject | undefined,
  applied: KubeObject,
  schema: Schema,
  options: { readonly manager: Manager; readonly isForced: boolean; readonly now: string },
): Applied {
  const { manager } = options;
  const fields = fieldsOf(applied, schema);
  const found = live === undefined ? [] : conflicts(live, applied, fields, manager, schema, isSame);
  if (found.length > 0 && !options.isForced) throw conflictStatus(found);
  const before = readManaged(live);
  const own = before.find((one) => isSameManager(one, manager));
  const others = before
    .filter((one) => one !== own)
    .map((one) => ({
      ...one,
      fields: new Map([...one.fields].filter(([key]) => !found.some((it) => it.manager.name === one.name && it.path.join('\n') === key))),
    }));
  const merged = merge((live as Json | undefined) ?? {}, applied, schema) as KubeObject;
  const dropped = [...(own?.fields ?? [])].filter(([key]) => !fields.has(key) && !others.some((one) => one.fields.has(key)));
  for (const [, path] of dropped.sort(([, one], [, other]) => other.length - one.length)) {
    if (![...fields.values()].some((kept) => isBelow(kept, path))) removeAt(merged, path, schema);
  }
  return {
    object: merged,
    own(object) {
      const isUnchanged = own !== undefined && own.fields.size === fields.size && [...fields.keys()].every((key) => own.fields.has(key));
      const entry: Managed = {
        ...manager,
        apiVersion: applied.apiVersion,
        time: isUnchanged && isSame(live, merged) ? own.time : options.now,
        fields,
      };
      writeManaged(
        object,
        own === undefined ? [...others, entry] : before.map((one) => (one === own ? entry : others.find((it) => isSameManager(it, one))!)),
      );
    },
  };
}

function conflictStatus(found: readonly { readonly manager: Managed; readonly path: Path }[]): StatusError {
  const causes = found.map(({ manager, path }) => ({
    reason: 'FieldManagerConflict',
    message: `conflict with "${manager.name}"${manager.subresource === '' ? '' : ` with subresource "${manager.subresource}"`} using ${manager.apiVersion}`,
    field: path
      .map((element) => (element.startsWith('f:') ? `.${element.slice(2)}` : `[${element.slice(2).replace(/^\{|\}$/g, '')}]`))
      .join(''),
  }));
  const names = [...new Set(causes.map(({ message }) => message.replace('conflict with ', '')))];
  const fields = causes.map(({ field }) => `- ${field}`).join('\n');
  const one = causes.length === 1;
  const message = `Apply failed with ${causes.length} conflict${one ? '' : 's'}: ${one ? `conflict with ${names[0]}: ${causes[0]!.field}` : `conflicts with ${names.join(', ')}:\n${fields}`}`;
  return new StatusError(409, 'Conflict', message, { causes });
}

function merge(live: Json, applied: Json, schema: Schema): Json {
  if (schema.kind === 'object' && schema.isAtomic) return copy(applied);
  if (isObject(applied)) {
    const result: JsonObject = isObject(live) ? copy(live) : {};
    for (const [name, value] of Object.entries(applied)) {
      result[name] = merge(result[name] ?? null, value, fieldOf(schema, name) ?? { kind: 'any' });
    }
    return result;
  }
  if (Array.isArray(applied) && schema.kind === 'list' && schema.mapKeys !== undefined) {
    const { mapKeys } = schema;
    const result = Array.isArray(live) ? copy(live) : [];
    for (const item of applied) {
      const index = result.findIndex((one) => elementOf(one, mapKeys) === elementOf(item, mapKeys));
      if (index < 0) result.push(copy(item));
      else result[index] = merge(result[index] as Json, item, schema.of);
    }
    return result;
  }
  return copy(applied);
}

function isBelow(path: Path, above: Path): boolean {
  return path.length >= above.length && above.every((element, index) => path[index] === element);
}

function removeAt(root: Json, path: Path, schema: Schema): void {
  const holder = valueAt(root, path.slice(0, -1), schema);
  const last = path.at(-1)!;
  if (isObject(holder) && last.startsWith('f:')) delete holder[last.slice(2)];
  else if (Array.isArray(holder)) {
    const keys = last.startsWith('v:') ? 'set' : Object.keys(JSON.parse(last.slice(2)) as JsonObject);
    const index = holder.findIndex((item) => elementOf(item, keys) === last);
    if (index >= 0) holder.splice(index, 1);
  }
}
