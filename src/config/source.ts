import { isAlias, isMap, isPair, isScalar, isSeq, LineCounter, parseDocument, visit, type Document, type ErrorCode, type Node } from 'yaml';
import type { ConfigProblem } from './problem.ts';

export type Path = readonly (string | number)[];

/** Where a problem is pointed out: at the key (an unknown one) or at its value. */
export type Spot = 'key' | 'value';

/** A YAML file that knows where each of its values stands. */
export interface Source {
  /** Plain data; undefined where the file could not be read as YAML, with the reasons in `problems`. */
  readonly data: unknown;
  readonly problems: readonly ConfigProblem[];
  /** A problem with the value at `path`, or, where there is none, with the nearest thing that contains it. */
  problem(path: Path, message: string, spot?: Spot): ConfigProblem;
}

/**
 * Reads YAML 1.2 (core schema) with unique text keys and no custom tags. Problems are in this file's own words, because the parser's
 * quote the source, which may hold a secret.
 */
export function readSource(file: string, text: string): Source {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, stringKeys: true, uniqueKeys: true, version: '1.2' });

  const problemAt = (offset: number, path: Path, message: string): ConfigProblem => {
    const { line, col } = lines.linePos(Math.min(Math.max(offset, 0), text.length));
    return { file, line: Math.max(line, 1), column: Math.max(col, 1), path: formatPath(path), message };
  };
  const problem = (path: Path, message: string, spot: Spot = 'value'): ConfigProblem =>
    problemAt(offsetOf(document, path, spot), path, message);

  const problems = [
    ...[...document.errors, ...document.warnings].map((error) => problemAt(error.pos[0], [], wording(error.code))),
    ...forbiddenNodes(document).map(({ offset, message }) => problemAt(offset, [], message)),
  ];
  if (problems.length === 0 && !isMap(document.contents))
    problems.push(problemAt(0, [], 'expected keys and values: gateway, listeners, issuers, targets …'));
  return { data: problems.length === 0 ? document.toJS() : undefined, problems, problem };
}

/** `targets.orders.upstream.port`, `issuers[0].name`. */
export function formatPath(path: Path): string {
  return path.map((step, index) => (typeof step === 'number' ? `[${step}]` : index === 0 ? step : `.${step}`)).join('');
}

interface ForbiddenNode {
  readonly offset: number;
  readonly message: string;
}

/** What YAML allows and a configuration does better without: references can hide what is in force, tags can change what a value is. */
function forbiddenNodes(document: Document): ForbiddenNode[] {
  const found: ForbiddenNode[] = [];
  visit(document, {
    Node(_, node) {
      const offset = node.range?.[0] ?? 0;
      if (isAlias(node)) found.push({ offset, message: 'expected a value: aliases (*name) are not supported' });
      else if (node.anchor !== undefined) found.push({ offset, message: 'expected a value: anchors (&name) are not supported' });
    },
    Pair(_, pair) {
      if (isScalar(pair.key) && pair.key.value === '__proto__') {
        found.push({ offset: pair.key.range?.[0] ?? 0, message: 'expected another key: __proto__ cannot be used' });
      }
    },
  });
  return found;
}

function offsetOf(document: Document, path: Path, spot: Spot): number {
  let node: unknown = document.contents;
  let offset = startOf(node) ?? 0;
  for (const [index, step] of path.entries()) {
    const last = index === path.length - 1;
    if (isMap(node)) {
      const pair = node.items.find((item) => isPair(item) && isScalar(item.key) && item.key.value === step);
      if (pair === undefined) break;
      const keyOffset = startOf(pair.key) ?? offset;
      offset = last && spot === 'key' ? keyOffset : isEmpty(pair.value) ? keyOffset : (startOf(pair.value) ?? keyOffset);
      node = pair.value;
    } else if (isSeq(node) && typeof step === 'number') {
      node = node.items[step];
      offset = startOf(node) ?? offset;
    } else break;
  }
  return offset;
}

function startOf(node: unknown): number | undefined {
  return (node as Node | null | undefined)?.range?.[0];
}

function isEmpty(node: unknown): boolean {
  return node === null || node === undefined || (isScalar(node) && node.value === null && node.source === '');
}

function wording(code: ErrorCode): string {
  return wordings.get(code) ?? 'expected valid YAML';
}

const wordings: ReadonlyMap<ErrorCode, string> = new Map([
  ['BAD_DQ_ESCAPE', 'expected a valid escape in double quotes (use single quotes for text with backslashes)'],
  ['BAD_INDENT', 'expected consistent indentation, or a closing bracket before this line'],
  ['BAD_SCALAR_START', 'expected a value; text that starts with this character needs quotes'],
  ['BLOCK_AS_IMPLICIT_KEY', 'expected a key and a value on one line'],
  ['DUPLICATE_KEY', 'expected each key once'],
  ['MISSING_CHAR', 'expected a closing quote, bracket, comma or colon'],
  ['MULTILINE_IMPLICIT_KEY', 'expected a key and a value on one line'],
  ['MULTIPLE_DOCS', 'expected one document'],
  ['NON_STRING_KEY', 'expected a key that is text; put it in quotes'],
  ['TAB_AS_INDENT', 'expected spaces, not tabs, for indentation'],
  ['TAG_RESOLVE_FAILED', 'expected a value without a tag (text that starts with ! needs quotes)'],
]);
