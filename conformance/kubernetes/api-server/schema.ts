/**
 * What fields the kinds of this server have. From it come the OpenAPI documents, strict validation, strategic merge patches and managed
 * fields, as in the real server, where they come from Go types and their tags.
 */
export type Schema =
  | { readonly kind: 'string' | 'integer' | 'boolean' | 'any' | 'int-or-string' | 'quantity' | 'time' | 'bytes' }
  | ObjectSchema
  | { readonly kind: 'map'; readonly of: Schema }
  | ListSchema;

export interface ObjectSchema {
  readonly kind: 'object';
  /** As in the OpenAPI documents: `io.k8s.api.core.v1.Pod`. Objects without one are written where they stand. */
  readonly name: string;
  readonly about: string;
  readonly fields: Readonly<Record<string, Schema>>;
  readonly required: readonly string[];
  readonly isAtomic: boolean;
}

export interface ListSchema {
  readonly kind: 'list';
  readonly of: Schema;
  /** A strategic merge patch merges by this field; `''`: by value. Undefined: it replaces the list. */
  readonly mergeKey: string | undefined;
  /** Server-side apply tells items apart by these fields; `'set'`: by value. Undefined: the list is one value. */
  readonly mapKeys: readonly string[] | 'set' | undefined;
}

export const string: Schema = { kind: 'string' };
export const integer: Schema = { kind: 'integer' };
export const boolean: Schema = { kind: 'boolean' };
export const any: Schema = { kind: 'any' };
export const intOrString: Schema = { kind: 'int-or-string' };
export const quantity: Schema = { kind: 'quantity' };
export const time: Schema = { kind: 'time' };
export const bytes: Schema = { kind: 'bytes' };
export const strings: Schema = list(string);

export function map(of: Schema): Schema {
  return { kind: 'map', of };
}

export function list(of: Schema): ListSchema {
  return { kind: 'list', of, mergeKey: undefined, mapKeys: undefined };
}

/** A list of which server-side apply knows the items too. */
export function listBy(of: Schema, mergeKey: string, mapKeys: readonly string[] = [mergeKey]): ListSchema {
  return { kind: 'list', of, mergeKey, mapKeys };
}

export function setOf(of: Schema): ListSchema {
  return { kind: 'list', of, mergeKey: '', mapKeys: 'set' };
}

export function object(
  name: string,
  about: string,
  fields: Readonly<Record<string, Schema>>,
  required: readonly string[] = [],
): ObjectSchema {
  return { kind: 'object', name, about, fields, required, isAtomic: false };
}

export function atomic(schema: ObjectSchema): ObjectSchema {
  return { ...schema, isAtomic: true };
}

/** The schema of one field, or undefined where there is none of this name. */
export function fieldOf(schema: Schema, name: string): Schema | undefined {
  if (schema.kind === 'any') return any;
  if (schema.kind === 'map') return schema.of;
  if (schema.kind === 'object') return Object.hasOwn(schema.fields, name) ? schema.fields[name] : undefined;
  return undefined;
}
