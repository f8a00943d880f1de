import type { Decision } from '../core/decision.ts';
import { toFault, type FaultCode } from '../core/fault.ts';
import type { Act, Facts } from '../core/operation.ts';
import type { PolicyQuestion } from '../core/ports.ts';
import type { Principal } from '../core/principal.ts';
import type { Target } from '../core/target.ts';
import { CaseFileError, readCases, type Case, type CaseAct } from './case-format.ts';
import type { PolicySet } from './compile.ts';
import { createPolicyEngine, type PolicyEngine } from './engine.ts';

export interface CaseOptions {
  /** Targets that cases may name instead of describing them. */
  readonly targets: readonly Target[];
  /** What a statement or request asks for on a target; without it cases cannot have a `statement`. Throws `CaseFileError` for a text that is neither. */
  readonly understand?: (statement: string, target: Target, asking: CaseAsking) => { readonly acts: readonly Act[]; readonly facts: Facts };
}

/** Who asks, in a case. */
export interface CaseAsking {
  readonly principal: Principal;
  /** Of these data classes, those that the policies let the principal see. */
  readonly reveals: (classes: readonly string[]) => ReadonlySet<string>;
}

export interface CaseResult {
  readonly name: string;
  readonly passed: boolean;
  /** What differs, in one line each: `expected decision deny, got allow`. Empty where the case passed. */
  readonly differences: readonly string[];
  /** Undefined where policy could not be evaluated or the statement not be understood. */
  readonly decision: Decision | undefined;
  /** For `policy explain`. Undefined where the statement could not be understood. */
  readonly question: PolicyQuestion | undefined;
  /** The case's own time, milliseconds since 1970. */
  readonly now: number;
}

/**
 * Runs test cases (the parsed content of a cases file, see docs/reference/policy.md) against policies. Throws `CaseFileError`,
 * naming the place, for anything in the file that is not as the format says: a case that tests nothing must not pass.
 */
export function runCases(set: PolicySet, content: unknown, options: CaseOptions): readonly CaseResult[] {
  let now = 0;
  const engine = createPolicyEngine(set, { now: () => now });
  return readCases(content).map((entry) => {
    now = entry.now;
    return runCase(entry, options, engine);
  });
}

function runCase(entry: Case, options: CaseOptions, engine: PolicyEngine): CaseResult {
  const { name, now, expected } = entry;
  const target = typeof entry.target === 'string' ? namedTarget(entry.target, entry, options.targets) : entry.target;
  let question: PolicyQuestion | undefined;
  try {
    const reveals = (classes: readonly string[]): ReadonlySet<string> => engine.reveals(entry.principal, target, classes);
    const understood = understand(entry, target, { principal: entry.principal, reveals }, options);
    question = { principal: entry.principal, target, ...understood, cacheKey: undefined };
    const decision = engine.decide(question);
    const differences = compare(expected, decision);
    return { name, passed: differences.length === 0, differences, decision, question, now };
  } catch (error) {
    if (error instanceof CaseFileError) throw error;
    const fault = toFault(error);
    const refused = expected.decision === 'deny' && refusals.has(fault.code) && expected.policies === undefined;
    const differences = refused ? [] : [`expected decision ${expected.decision}, got ${fault.code}: ${fault.detail}`];
    return { name, passed: differences.length === 0, differences, decision: undefined, question, now };
  }
}

function understand(
  entry: Case,
  target: Target,
  asking: CaseAsking,
  options: CaseOptions,
): { readonly acts: readonly Act[]; readonly facts: Facts } {
  if (entry.statement === undefined) return { acts: entry.acts.map((act) => toAct(act, target)), facts: entry.facts };
  if (options.understand === undefined) throw badCase(entry, 'statements cannot be understood here; write acts');
  try {
    const understood = options.understand(entry.statement, target, asking);
    return { acts: understood.acts, facts: { ...understood.facts, ...entry.facts } };
  } catch (error) {
    throw error instanceof CaseFileError ? badCase(entry, error.message) : error;
  }
}

/** Objects are named by path, so a relation's schema and another database follow from its name. */
function toAct({ action, type, id, parents }: CaseAct, target: Target): Act {
  if (parents !== undefined) return { action, object: { type, id, parents } };
  const derived: { type: 'Database' | 'Schema'; id: string }[] = [];
  const path = splitOutsideQuotes(id, '/');
  if ((type === 'Relation' || type === 'Function') && path[0] === target.name) {
    const last = path[path.length - 1] ?? '';
    const [schema = '', ...name] = splitOutsideQuotes(last, '.');
    const above = path.slice(0, -1);
    if (name.length > 0) derived.push({ type: 'Schema', id: [...above, schema].join('/') });
    if (above.length > 1) derived.push({ type: 'Database', id: above.join('/') });
  }
  if (type === 'Schema' && path.length > 2) derived.push({ type: 'Database', id: path.slice(0, -1).join('/') });
  return { action, object: { type, id, parents: derived } };
}

/** A name with a separator in it stands in double quotes. */
function splitOutsideQuotes(text: string, separator: string): readonly string[] {
  const parts = [''];
  let quoted = false;
  for (const character of text) {
    if (character === '"') quoted = !quoted;
    if (character === separator && !quoted) parts.push('');
    else parts[parts.length - 1] += character;
  }
  return parts;
}

function compare(expected: Case['expected'], decision: Decision): readonly string[] {
  const differences: string[] = [];
  if (decision.kind !== expected.decision) {
    const why = decision.kind === 'allow' ? '' : `: ${decision.message}`;
    differences.push(`expected decision ${expected.decision}, got ${decision.kind}${why}`);
  }
  compareLists('policies', expected.policies, decision.policies, differences);
  const reviewers = decision.kind === 'hold' ? decision.reviews.map((review) => review.group) : [];
  compareLists('reviewers', expected.reviewers, reviewers, differences);
  return differences;
}

function compareLists(what: string, expected: readonly string[] | undefined, actual: readonly string[], differences: string[]): void {
  if (expected === undefined) return;
  if (sorted(expected) !== sorted(actual)) differences.push(`expected ${what} ${sorted(expected)}, got ${sorted(actual)}`);
}

function sorted(items: readonly string[]): string {
  return JSON.stringify([...new Set(items)].sort());
}

function namedTarget(name: string, entry: Case, targets: readonly Target[]): Target {
  const found = targets.find((target) => target.name === name);
  if (found === undefined) throw badCase(entry, `target ${JSON.stringify(name)} is not in the configuration`);
  return found;
}

function badCase(entry: Case, message: string): CaseFileError {
  return new CaseFileError(`case ${JSON.stringify(entry.name)}: ${message}`);
}

/** How an operation is refused before policy is asked: as good as a denial to whoever wrote the case. */
const refusals: ReadonlySet<FaultCode> = new Set([
  'unclassified',
  'unsupported',
  'masking-refused',
  'limit-exceeded',
  'read-only',
  'policy-denied',
] as const);
