/** Reading PostgreSQL's parse tree as JSON: a node is `{ Tag: body }`, a missing one `{}`, a default value is left out. */
import { GatewayFault } from '../../core/fault.ts';
import type { QualifiedName } from '../statement.ts';

export type Body = Readonly<Record<string, unknown>>;

export interface Tagged {
  readonly tag: string;
  readonly body: Body;
}

/** What is not understood with certainty is refused: `detail` says why, for the operator. */
export function refuse(detail: string, publicMessage = 'This statement could not be classified, so it was refused.'): never {
  throw new GatewayFault('unclassified', { publicMessage, detail });
}

/** Undefined for `{}`, which stands for a node that is not there. */
export function tagged(node: unknown): Tagged | undefined {
  if (node === undefined || node === null) return undefined;
  if (typeof node !== 'object' || Array.isArray(node)) return refuse('a node was expected');
  const tags = Object.keys(node);
  const tag = tags[0];
  if (tag === undefined) return undefined;
  if (tags.length !== 1) return refuse(`a node with ${tags.length} tags: ${tags.join(', ')}`);
  return { tag, body: bodyOf((node as Body)[tag]) };
}

export function bodyOf(value: unknown): Body {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return refuse('a node body was expected');
  return value as Body;
}

export function inline(value: unknown): Body | undefined {
  return value === undefined || value === null ? undefined : bodyOf(value);
}

export function listOf(value: unknown): readonly unknown[] {
  if (value === undefined || value === null) return [];
  return Array.isArray(value) ? value : refuse('a list was expected');
}

export function text(value: unknown): string | undefined {
  if (value === undefined || value === null) return undefined;
  return typeof value === 'string' ? value : refuse('a text was expected');
}

/** A text that must be there. */
export function requiredText(value: unknown, what: string): string {
  return text(value) ?? refuse(`${what} is missing`);
}

/** The text of a String node; undefined for any other node. */
export function stringNode(node: unknown): string | undefined {
  const found = tagged(node);
  return found?.tag === 'String' ? (text(found.body['sval']) ?? '') : undefined;
}

/** The texts of a list of String nodes; anything else in it is refused. */
export function strings(list: unknown): readonly string[] {
  return listOf(list).map((node) => stringNode(node) ?? refuse('a name was expected'));
}

/** The items of a List node, or of a bare list. */
export function items(node: unknown): readonly unknown[] {
  if (Array.isArray(node)) return node;
  const found = tagged(node);
  return found?.tag === 'List' ? listOf(found.body['items']) : refuse('a list node was expected');
}

/** The text of a constant: undefined for NULL and for anything that is not a constant. Booleans read `true` and `false`. */
export function constantText(node: unknown): string | undefined {
  const found = tagged(node);
  if (found === undefined) return undefined;
  switch (found.tag) {
    case 'A_Const':
      return constantBody(found.body);
    case 'String':
      return text(found.body['sval']) ?? '';
    case 'Integer':
      return integerText(found.body);
    case 'Float':
      return text(found.body['fval']);
    case 'Boolean':
      return found.body['boolval'] === true ? 'true' : 'false';
    default:
      return undefined;
  }
}

function constantBody(body: Body): string | undefined {
  if (body['isnull'] === true) return undefined;
  if (body['sval'] !== undefined) return text(bodyOf(body['sval'])['sval']) ?? '';
  if (body['ival'] !== undefined) return integerText(bodyOf(body['ival']));
  if (body['fval'] !== undefined) return text(bodyOf(body['fval'])['fval']);
  if (body['boolval'] !== undefined) return bodyOf(body['boolval'])['boolval'] === true ? 'true' : 'false';
  return undefined;
}

function integerText(integer: Body): string {
  const value = integer['ival'] ?? 0;
  return typeof value === 'number' ? String(value) : refuse('a number was expected');
}

/** `name`, `schema.name` or `database.schema.name`: the server refuses any database but its own, so that part says nothing. */
export function qualifiedName(parts: readonly string[]): QualifiedName {
  const name = parts.at(-1);
  if (name === undefined || parts.length > 3) return refuse(`a name of ${parts.length} parts`);
  return { schema: parts.at(-2), name };
}

/** A relation by its RangeVar. A temporary relation that is created without a schema stands in `pg_temp`. */
export function relationName(rangeVar: Body): QualifiedName {
  const schema = text(rangeVar['schemaname']) ?? (rangeVar['relpersistence'] === 't' ? 'pg_temp' : undefined);
  return { schema, name: requiredText(rangeVar['relname'], 'relation name') };
}

export function nameKey(name: QualifiedName): string {
  return JSON.stringify([name.schema ?? null, name.name]);
}
