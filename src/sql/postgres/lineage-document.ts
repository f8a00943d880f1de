/** How an expression leads into a document, where the way is written down as constants (PostgreSQL manual, 9.16 and 8.14). */
import type { AccessStep } from '../lineage.ts';
import { constantText, listOf, tagged, type Body } from './nodes.ts';

/** The steps of `document operator right`; undefined for other operators and for a way that is not known. */
export function steppedInto(operator: string, right: unknown): readonly AccessStep[] | undefined {
  if (operator === '->' || operator === '->>') return [memberOf(right)];
  return operator === '#>' || operator === '#>>' ? pathOfArray(right) : undefined;
}

/** `document['a'][1]`: undefined where something else than subscripts stands there. */
export function subscripts(steps: readonly unknown[]): readonly AccessStep[] | undefined {
  const found: AccessStep[] = [];
  for (const step of steps) {
    const index = tagged(step);
    if (index?.tag !== 'A_Indices' || index.body['is_slice'] === true) return undefined;
    found.push(memberOf(index.body['uidx']));
  }
  return found;
}

/** The steps that a function leads into its first argument; undefined for other functions and for a way that is not known. */
export function extractedPath(name: string, call: Body): readonly AccessStep[] | undefined {
  if (call['agg_filter'] !== undefined || call['over'] !== undefined || call['func_variadic'] === true) return undefined;
  const [, ...rest] = listOf(call['args']);
  if (extracting.has(name)) return rest.map(memberOf);
  if (!querying.has(name) || rest.length !== 1) return undefined;
  const path = constantOf(rest[0]);
  return path === undefined ? undefined : stepsOfJsonPath(path);
}

/** Numbers are not told apart: texts that differ in them share one analysis. */
function memberOf(node: unknown): AccessStep {
  const constant = isNumber(node) ? undefined : constantOf(node);
  return constant === undefined ? anyMember : named(constant);
}

function isNumber(node: unknown): boolean {
  const found = tagged(node);
  return found?.tag === 'A_Const' && found.body['sval'] === undefined;
}

/** Whether a constant in the text says which place is read. */
export function namesPlace(node: unknown): boolean {
  const found = tagged(node);
  return found !== undefined && !isNumber(node) && found.tag !== 'ParamRef' && found.tag !== 'ColumnRef';
}

/** A number may be the key of an object as well as the place in an array. */
function named(key: string): AccessStep {
  return { key, anyKey: false, element: /^\s*[+-]?\d+\s*$/.test(key), lax: false };
}

/** `'{a,b}'` or `array['a', 'b']`. */
function pathOfArray(node: unknown): readonly AccessStep[] | undefined {
  const found = tagged(node);
  if (found?.tag === 'A_ArrayExpr') return listOf(found.body['elements']).map(memberOf);
  const literal = constantOf(node)?.trim();
  if (literal === undefined || !literal.startsWith('{') || !literal.endsWith('}') || /["\\{}]/.test(literal.slice(1, -1))) return undefined;
  const inner = literal.slice(1, -1).trim();
  return inner === '' ? [] : inner.split(',').map((part) => named(part.trim()));
}

/** Plain member accessors only; filters, methods and arithmetic are not followed. */
function stepsOfJsonPath(path: string): readonly AccessStep[] | undefined {
  const steps: AccessStep[] = [];
  let rest = path.trim();
  if (rest.startsWith('lax ')) rest = rest.slice(4).trim();
  if (!rest.startsWith('$')) return undefined;
  rest = rest.slice(1);
  while (rest !== '') {
    const found = accessor.exec(rest);
    if (found === null) return undefined;
    const [whole, plain, quoted, anyKey] = found;
    const key = plain ?? quoted;
    steps.push({ key, anyKey: anyKey !== undefined, element: key === undefined && anyKey === undefined, lax: true });
    rest = rest.slice(whole.length);
  }
  return steps;
}

/** A constant, also under casts to text or a number. */
function constantOf(node: unknown): string | undefined {
  const found = tagged(node);
  return found?.tag === 'TypeCast' ? constantOf(found.body['arg']) : constantText(node);
}

const anyMember: AccessStep = { key: undefined, anyKey: true, element: true, lax: false };
const extracting: ReadonlySet<string> = new Set([
  'json_extract_path',
  'json_extract_path_text',
  'jsonb_extract_path',
  'jsonb_extract_path_text',
]);
const querying: ReadonlySet<string> = new Set(['jsonb_path_query', 'jsonb_path_query_first']);
/** `.key`, `."key"`, `.*`, `[*]`, `[3]`. */
const accessor = /^\s*(?:\.\s*([A-Za-z_][A-Za-z0-9_]*)|\.\s*"([^"\\]*)"|(\.\s*\*(?!\*))|\[\s*(?:\*|\d+)\s*\])(?![\w"({])/;
