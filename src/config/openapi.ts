import { parseDocument } from 'yaml';
import { overlapOf, parseTemplate, type Template } from '../core/path-template.ts';

/** An operation of an OpenAPI document. Structurally the `ListedOperation` of `protocols/http`, which stands above this layer. */
export interface OpenApiOperation {
  /** Upper case. */
  readonly method: string;
  /** As the document has it: `/customers/{id}`. */
  readonly template: string;
  readonly segments: Template;
  /** `operationId`; undefined where the document gives none. */
  readonly id: string | undefined;
}

/**
 * Reads the operations of an OpenAPI document, 3.0 or 3.1, JSON or YAML, for matching requests with them: paths, methods and operationIds, nothing else. Returns
 * what is wrong with it instead, in our own words, where it is no such document, or where a request could be two of its operations: OpenAPI 3.1.1 section 4.8.8.2
 * leaves that to the tool, and this one does not guess.
 */
export function readOpenApi(text: string): readonly OpenApiOperation[] | string {
  try {
    return operationsOf(text);
  } catch (error) {
    if (error instanceof DocumentProblem) return error.message;
    throw error;
  }
}

function operationsOf(text: string): readonly OpenApiOperation[] {
  const yaml = parseDocument(text, { prettyErrors: false, uniqueKeys: true, version: '1.2' });
  if (yaml.errors.length > 0) throw new DocumentProblem('expected JSON or YAML without repeated keys');
  const document = mapping(plain(yaml), 'an OpenAPI document');
  if (typeof document['openapi'] !== 'string' || !/^3\.[01]\.\d+/.test(document['openapi'])) {
    throw new DocumentProblem('expected openapi: 3.0.x or 3.1.x');
  }
  const found: OpenApiOperation[] = [];
  for (const [path, value] of Object.entries(mapping(document['paths'] ?? {}, 'paths'))) {
    if (path.startsWith('x-')) continue;
    const segments = parseTemplate(path);
    if (segments === undefined)
      throw new DocumentProblem(`path ${shown(path)}: expected a slash and segments, in each at most one {parameter}`);
    const item = referenced(document, mapping(value, `path ${shown(path)}`), path);
    if (item['servers'] !== undefined) throw elsewhere(path);
    for (const method of METHODS) {
      if (item[method] === undefined) continue;
      const operation = mapping(item[method], `${method} of path ${shown(path)}`);
      if (operation['servers'] !== undefined) throw elsewhere(path);
      found.push({ method: method.toUpperCase(), template: path, segments, id: idOf(operation, path) });
    }
  }
  if (found.length === 0) throw new DocumentProblem('expected paths with operations');
  if (found.length > maxOperations) throw new DocumentProblem(`expected at most ${maxOperations} operations`);
  checkUnique(found);
  return found;
}

/** Few aliases, so that a short text cannot become an endless document. */
function plain(yaml: ReturnType<typeof parseDocument>): unknown {
  try {
    return yaml.toJS({ maxAliasCount: 100 });
  } catch {
    throw new DocumentProblem('expected few aliases (*name), if any');
  }
}

function idOf(operation: Mapping, path: string): string | undefined {
  const id = operation['operationId'];
  if (id === undefined) return undefined;
  if (typeof id !== 'string' || !/^[\x21-\x7e]{1,128}$/.test(id)) {
    throw new DocumentProblem(`path ${shown(path)}: expected an operationId of 1 to 128 printable characters without spaces`);
  }
  return id;
}

/** One operationId, one operation; one request, at most one template that fits it best. */
function checkUnique(operations: readonly OpenApiOperation[]): void {
  const ids = new Map<string, OpenApiOperation>();
  for (const operation of operations) {
    if (operation.id === undefined) continue;
    const other = ids.get(operation.id);
    if (other !== undefined) {
      throw new DocumentProblem(
        `operationId ${shown(operation.id)} stands twice: at ${shown(other.template)} and at ${shown(operation.template)}`,
      );
    }
    ids.set(operation.id, operation);
  }
  const templates = new Map(operations.map(({ template, segments }) => [template, segments]));
  const bySize = Map.groupBy(templates, ([, segments]) => segments.length);
  for (const group of bySize.values()) {
    for (const [index, [a, first]] of group.entries()) {
      for (const [b, second] of group.slice(index + 1)) {
        const overlap = overlapOf(first, second);
        if (overlap === 'same')
          throw new DocumentProblem(`paths ${shown(a)} and ${shown(b)} are the same but for the names of their parameters`);
        if (overlap === 'crossing') {
          throw new DocumentProblem(`paths ${shown(a)} and ${shown(b)} fit the same requests, and neither is the more specific one`);
        }
      }
    }
  }
}

type Mapping = Readonly<Record<string, unknown>>;

function mapping(value: unknown, what: string): Mapping {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new DocumentProblem(`expected ${what} to be keys and values`);
  return value as Mapping;
}

/** A path item may stand in `components` (OpenAPI 3.1); what is in another file is not looked for. */
function referenced(document: Mapping, item: Mapping, path: string): Mapping {
  const reference = item['$ref'];
  if (reference === undefined) return item;
  const name = typeof reference === 'string' ? /^#\/components\/pathItems\/([A-Za-z0-9._-]+)$/.exec(reference)?.[1] : undefined;
  const items = mapping(mapping(document['components'] ?? {}, 'components')['pathItems'] ?? {}, 'components.pathItems');
  if (name === undefined || !Object.hasOwn(items, name) || Object.keys(item).length > 1) {
    throw new DocumentProblem(`path ${shown(path)}: expected its operations, or nothing but a $ref to #/components/pathItems/…`);
  }
  const found = mapping(items[name], `components.pathItems.${name}`);
  if (found['$ref'] !== undefined) throw new DocumentProblem(`path ${shown(path)}: expected no $ref to a $ref`);
  return found;
}

function elsewhere(path: string): DocumentProblem {
  return new DocumentProblem(`path ${shown(path)}: expected no servers of its own: every path of a target is at its upstream`);
}

function shown(text: string): string {
  return JSON.stringify(text.length > 100 ? `${text.slice(0, 100)}…` : text);
}

class DocumentProblem extends Error {
  override readonly name = 'DocumentProblem';
}

const METHODS = ['get', 'put', 'post', 'delete', 'options', 'head', 'patch', 'trace'] as const;
/** Each pair of templates is compared when the file is read. */
const maxOperations = 5_000;
