import type { ColumnPathConfig, DocumentPlaceConfig } from './types.ts';

/** A name or place that cannot be read; the message says what was expected. */
export class PathProblem extends Error {
  override readonly name = 'PathProblem';
}

/**
 * `target/schema.relation.column` or `target/database/schema.relation.column`. Names are PostgreSQL's (chapter 4.1.1): in double quotes
 * anything goes and `""` is a quote; unquoted they are lower case, because the server folds them, and a column that was meant
 * but not named would go unmasked.
 */
export function parseColumnPath(text: string): ColumnPathConfig {
  const steps = splitOutsideQuotes(text, '/');
  const [target = ''] = steps;
  const database = steps.length === 3 ? identifier(steps[1]!) : undefined;
  const names = splitOutsideQuotes(steps.at(-1) ?? '', '.');
  if ((steps.length !== 2 && steps.length !== 3) || target === '' || names.length !== 3) {
    throw new PathProblem('expected target/schema.relation.column or target/database/schema.relation.column');
  }
  const [schema = '', relation = '', column = ''] = names.map(identifier);
  return { target, database, schema, relation, column };
}

/** `target/schema.relation.column#$.path`. The path is kept as it stands; it starts with `$`. */
export function parseDocumentPath(text: string): { readonly column: ColumnPathConfig; readonly path: string } {
  const parts = splitOutsideQuotes(text, '#');
  const column = parts[0] ?? '';
  const path = text.slice(column.length + 1);
  if (parts.length < 2 || !/^\$(?:\.|\[)/.test(path)) throw new PathProblem('expected target/schema.relation.column#$.path');
  return { column: parseColumnPath(column), path };
}

/** The target that a column or path names first, which decides how the rest is read. */
export function targetOf(text: string): string {
  return text.split('/', 1)[0]!;
}

/** `target/customers/*#$.customer.ssn`: segments of a canonical path, `*` for any one, `**` at the end for any rest. */
export function parseDocumentPlace(text: string): DocumentPlaceConfig {
  const at = text.indexOf('#');
  const path = text.slice(at + 1);
  if (at < 0 || !/^\$(?:\.|\[)/.test(path)) throw new PathProblem('expected target/path/*#$.path');
  const [target = '', ...segments] = text.slice(0, at).split('/');
  if (target === '' || segments.length === 0) throw new PathProblem('expected target/path/*#$.path');
  if (segments.slice(0, -1).includes('**')) throw new PathProblem('expected ** only at the end of the path');
  for (const segment of segments) {
    if (segment === '' && segments.length > 1) throw new PathProblem('expected no empty segment in the path');
    if (segment === '.' || segment === '..' || (segment.includes('*') && segment !== '*' && segment !== '**'))
      throw new PathProblem('expected segments as they are, * for any one, or ** for any rest');
  }
  return { target, segments: segments.length === 1 && segments[0] === '' ? [] : segments, path };
}

/**
 * A place in objects of a Kubernetes target: `target/secrets#$.data.password` in all of them, `target/prod/secrets#…` in a namespace, `target/prod/secrets/db#…` in
 * one; other groups than the core as `deployments.apps`. Segments: resource, namespace, name; `*` for any.
 */
export function parseObjectPlace(text: string): DocumentPlaceConfig {
  const { target, segments, path } = parseDocumentPlace(text);
  if (segments.includes('**') || segments.length === 0 || segments.length > 3) throw new PathProblem(objectExpected);
  const [namespace, resource, name] = segments.length === 1 ? ['*', segments[0]!, '*'] : [segments[0]!, segments[1]!, segments[2] ?? '*'];
  // Nobody calls a namespace so, and a rule that names nothing would leave open what it is about.
  if (segments.length === 2 && COMMON_RESOURCES.has(namespace)) throw new PathProblem(objectExpected);
  if (!/^(?:\*|[a-z0-9][a-z0-9.-]*)$/.test(resource)) throw new PathProblem(objectExpected);
  return { target, segments: [resource, namespace, name], path };
}

const objectExpected =
  'expected target/resource#$.path, target/namespace/resource#$.path or target/namespace/resource/name#$.path, such as aks/prod/secrets#$.data';
const COMMON_RESOURCES: ReadonlySet<string> = new Set(['secrets', 'configmaps', 'pods', 'deployments', 'services', 'jobs']);

function splitOutsideQuotes(text: string, separator: string): string[] {
  const parts = [''];
  let quoted = false;
  for (const character of text) {
    if (character === '"') quoted = !quoted;
    if (character === separator && !quoted) parts.push('');
    else parts[parts.length - 1] += character;
  }
  if (quoted) throw new PathProblem('expected a closing double quote');
  return parts;
}

function identifier(text: string): string {
  const quoted = /^"((?:[^"]|"")+)"$/.exec(text)?.[1];
  if (quoted === undefined && !/^[a-z_\u0080-\uffff][a-z0-9_$\u0080-\uffff]*$/.test(text)) {
    throw new PathProblem(
      /^[A-Za-z_][A-Za-z0-9_$]*$/.test(text)
        ? 'expected lower case (PostgreSQL folds unquoted names), or the name in double quotes'
        : 'expected names; special characters and capitals need double quotes',
    );
  }
  const name = quoted === undefined ? text : quoted.replaceAll('""', '"');
  if (new TextEncoder().encode(name).length > maximumNameBytes) {
    throw new PathProblem(`expected names of at most ${maximumNameBytes} bytes, as in PostgreSQL`);
  }
  return name;
}

/** NAMEDATALEN - 1: the server cuts longer names. */
const maximumNameBytes = 63;
