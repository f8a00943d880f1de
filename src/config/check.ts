import type { z } from 'zod';
import type { ConfigProblem } from './problem.ts';
import { configSchema, refusedKeys, type RawConfig } from './schema.ts';
import type { Path, Source } from './source.ts';

/** Checks a file's shape. What is wrong is pointed out at the very key or value. */
export function checkShape(source: Source): { readonly raw: RawConfig | undefined; readonly problems: readonly ConfigProblem[] } {
  const result = configSchema.safeParse(source.data);
  if (result.success) return { raw: result.data, problems: [] };
  return { raw: undefined, problems: result.error.issues.flatMap((issue) => problemsOf(source, issue)) };
}

function problemsOf(source: Source, issue: z.core.$ZodIssue): ConfigProblem[] {
  const path = issue.path.filter((step) => typeof step !== 'symbol');
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => source.problem([...path, key], unknownKey(source, [...path, key]), 'key'));
  }
  // A key of a record that is no name: zod words it as a problem of the record, with the key as the path's last step.
  if (issue.code === 'invalid_key') return [source.problem(path, issue.issues[0]?.message ?? issue.message, 'key')];
  if (missing(source.data, path)) return [source.problem(path, `required: ${issue.message}`)];
  return [source.problem(path, issue.message)];
}

function unknownKey(source: Source, path: Path): string {
  const key = String(path.at(-1));
  const refused = refusedKeys.get(path.map((step, index) => (isName(path, index) ? '*' : step)).join('.'));
  if (refused !== undefined) return refused;
  const known = keysAt(source.data, path.slice(0, -1));
  const near = known.find((candidate) => editDistance(candidate, key) <= (candidate.length > 4 ? 2 : 1));
  return near === undefined ? `unknown key; expected ${known.join(', ')}` : `unknown key; did you mean ${near}?`;
}

/** True for the step that names a target. */
function isName(path: Path, index: number): boolean {
  return index === 1 && path[0] === 'targets';
}

/** The keys that the schema knows at a path, where it depends on the data: of those that it has there. */
function keysAt(data: unknown, path: Path): readonly string[] {
  let schema: unknown = unwrap(configSchema, data);
  let value = data;
  for (const step of path) {
    value = typeof value === 'object' && value !== null ? (value as Record<string | number, unknown>)[step] : undefined;
    schema = unwrap(below(schema, step), value);
  }
  return Object.keys((schema as SchemaNode | undefined)?.def.shape ?? {});
}

interface SchemaNode {
  readonly def: {
    readonly shape?: Readonly<Record<string, unknown>>;
    readonly innerType?: unknown;
    readonly valueType?: unknown;
    readonly element?: unknown;
    /** Of a union that one property decides. */
    readonly discriminator?: string;
    readonly options?: readonly SchemaNode[];
  };
  readonly safeParse: (value: unknown) => { readonly success: boolean };
}

function unwrap(schema: unknown, value: unknown): unknown {
  let inner = schema as SchemaNode | undefined;
  while (inner?.def.innerType !== undefined) inner = inner.def.innerType as SchemaNode;
  const { discriminator, options } = inner?.def ?? {};
  if (discriminator === undefined) return inner;
  const tag = (value as Readonly<Record<string, unknown>> | undefined)?.[discriminator];
  return options?.find((option) => (option.def.shape?.[discriminator] as SchemaNode | undefined)?.safeParse(tag).success === true);
}

function below(schema: unknown, step: string | number): unknown {
  const def = (schema as SchemaNode | undefined)?.def;
  return def?.shape?.[step] ?? def?.valueType ?? def?.element;
}

function missing(data: unknown, path: Path): boolean {
  let value = data;
  for (const step of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, step)) return true;
    value = (value as Record<string | number, unknown>)[step];
  }
  return false;
}

/** Levenshtein's distance, for texts that are too long to be one another's misspelling a large number. */
function editDistance(a: string, b: string): number {
  if (Math.abs(a.length - b.length) > 2) return Number.POSITIVE_INFINITY;
  let previous = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i += 1) {
    const current = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const substitution = previous[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      current.push(Math.min(previous[j]! + 1, current[j - 1]! + 1, substitution));
    }
    previous = current;
  }
  return previous.at(-1)!;
}
