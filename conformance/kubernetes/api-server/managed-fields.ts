import { changedFields, fieldsOf, fromFieldsV1, toFieldsV1, valueAt, type FieldSet, type Path } from './field-set.ts';
import { listAt, textAt, type Json, type JsonObject, type KubeObject } from './json.ts';
import type { Schema } from './schema.ts';

export interface Manager {
  readonly name: string;
  readonly operation: 'Apply' | 'Update';
  readonly subresource: string;
}

export interface Managed extends Manager {
  readonly apiVersion: string;
  readonly time: string;
  readonly fields: FieldSet;
}

export function readManaged(object: KubeObject | undefined): Managed[] {
  return listAt(object, 'metadata', 'managedFields').map((entry) => ({
    name: textAt(entry, 'manager'),
    operation: textAt(entry, 'operation') === 'Apply' ? 'Apply' : 'Update',
    subresource: textAt(entry, 'subresource'),
    apiVersion: textAt(entry, 'apiVersion'),
    time: textAt(entry, 'time'),
    fields: fromFieldsV1((entry as JsonObject)['fieldsV1'] ?? {}),
  }));
}

export function writeManaged(object: KubeObject, managed: readonly Managed[]): void {
  const entries = managed
    .filter(({ fields }) => fields.size > 0)
    .map((one): JsonObject => ({
      manager: one.name,
      operation: one.operation,
      apiVersion: one.apiVersion,
      time: one.time,
      fieldsType: 'FieldsV1',
      fieldsV1: toFieldsV1(one.fields),
      ...(one.subresource === '' ? {} : { subresource: one.subresource }),
    }));
  if (entries.length > 0) object.metadata['managedFields'] = entries;
  else delete object.metadata['managedFields'];
}

/** After an update: what it changed belongs to its manager alone, and what is no longer there to nobody. */
export function noteUpdate(before: KubeObject | undefined, after: KubeObject, manager: Manager, schema: Schema, now: string): void {
  const changed = changedFields((before as Json | undefined) ?? {}, after, schema);
  const present = fieldsOf(after, schema);
  const isOwn = (one: Manager): boolean => isSameManager(one, manager);
  // Who writes managed fields himself (as kubectl does when it goes over to server-side apply) sets what the rest is reckoned from.
  const managed = readManaged(after.metadata['managedFields'] === undefined ? before : after);
  const others = managed.map((one) => ({ ...one, fields: without(one.fields, isOwn(one) ? () => false : has(changed), present) }));
  if (changed.size === 0) return writeManaged(after, others);
  const own = others.find(isOwn);
  const fields = new Map([...(own?.fields ?? []), ...changed]);
  const entry = { ...manager, apiVersion: after.apiVersion, time: now, fields };
  writeManaged(after, own === undefined ? [...others, entry] : others.map((one) => (one === own ? entry : one)));
}

export function isSameManager(one: Manager, other: Manager): boolean {
  return one.name === other.name && one.operation === other.operation && one.subresource === other.subresource;
}

/** Fields of others that an applied configuration would change. */
export function conflicts(
  live: KubeObject,
  applied: Json,
  fields: FieldSet,
  manager: Manager,
  schema: Schema,
  isSame: (one: Json | undefined, other: Json | undefined) => boolean,
): { readonly manager: Managed; readonly path: Path }[] {
  return readManaged(live)
    .filter((one) => !isSameManager(one, manager))
    .flatMap((one) =>
      [...fields]
        .filter(([key, path]) => one.fields.has(key) && path.at(-1)!.startsWith('f:'))
        .filter(([, path]) => !isSame(valueAt(live, path, schema), valueAt(applied, path, schema)))
        .map(([, path]) => ({ manager: one, path })),
    );
}

function has(set: FieldSet): (key: string) => boolean {
  return (key) => set.has(key);
}

function without(fields: FieldSet, isTaken: (key: string) => boolean, present: FieldSet): FieldSet {
  return new Map([...fields].filter(([key]) => !isTaken(key) && present.has(key)));
}
