import type { ObjectRef } from '../../core/operation.ts';

/**
 * Policy objects of a PostgreSQL target, named by path. Objects of the target's own database are `<target>/<schema>.<name>`; those of
 * another database of the same server are `<target>/<database>/<schema>.<name>`. A name with a dot, a slash or a double quote in it
 * stands in double quotes, its own doubled: `"a.b".c` is another relation than `a."b.c"`.
 */
export interface Place {
  readonly target: string;
  /** Undefined: the target's own database. */
  readonly database: string | undefined;
  /** Its name at the server. */
  readonly databaseName: string;
}

export function databaseObject(target: string, database: string): ObjectRef {
  return { type: 'Database', id: `${target}/${part(database)}` };
}

export function schemaObject(place: Place, schema: string): ObjectRef {
  return { type: 'Schema', id: `${prefix(place)}${part(schema)}`, parents: [databaseObject(place.target, place.databaseName)] };
}

export function relationObject(place: Place, schema: string, name: string): ObjectRef {
  return { type: 'Relation', id: `${prefix(place)}${part(schema)}.${part(name)}`, parents: [schemaObject(place, schema)] };
}

export function functionObject(place: Place, schema: string, name: string): ObjectRef {
  return { type: 'Function', id: `${prefix(place)}${part(schema)}.${part(name)}`, parents: [schemaObject(place, schema)] };
}

export function settingObject(place: Place, setting: string): ObjectRef {
  return { type: 'Setting', id: `${place.target}/${setting}` };
}

export function roleObject(place: Place, role: string): ObjectRef {
  return { type: 'Role', id: `${place.target}/${part(role)}` };
}

function prefix(place: Place): string {
  return place.database === undefined ? `${place.target}/` : `${place.target}/${part(place.database)}/`;
}

function part(name: string): string {
  return /[./"]/.test(name) ? `"${name.replaceAll('"', '""')}"` : name;
}
