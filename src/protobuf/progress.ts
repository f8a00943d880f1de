import type { JsonPath } from '../masking/json-path.ts';

/**
 * How far paths have been followed on the way to a value: for each of them the index of its rule and the steps taken, as one number,
 * in order, each once. A path may stand at several places at a time.
 */
export type Progress = readonly number[];

interface Placed {
  readonly path: JsonPath;
}

export const nowhere: Progress = [];

/** The path of the rule with this index has not been followed yet. */
export function atStart(rule: number): number {
  return rule * mostSteps;
}

/** The rules whose paths end here. */
export function ended(rules: readonly Placed[], progress: Progress): readonly number[] {
  return progress.filter((one) => stepsTaken(one) === rules[ruleOf(one)]!.path.steps.length).map(ruleOf);
}

/** Into a member that has these names. */
export function intoMember(rules: readonly Placed[], progress: Progress, names: readonly string[]): Progress {
  return follow(rules, progress, (step) => step === undefined || (typeof step === 'string' && names.includes(step)));
}

/** The same where only a path that says so goes: the JSON of the message has no such member. */
export function intoNamedMember(rules: readonly Placed[], progress: Progress, names: readonly string[]): Progress {
  return follow(rules, progress, (step) => typeof step === 'string' && names.includes(step));
}

/** Into the value under this key of a map, as JSON has keys. */
export function intoEntry(rules: readonly Placed[], progress: Progress, key: string): Progress {
  return follow(rules, progress, (step) => step === undefined || String(step) === key);
}

/** Into a value under a key that no path names. */
export function intoOtherEntry(rules: readonly Placed[], progress: Progress): Progress {
  return follow(rules, progress, (step) => step === undefined);
}

/** The keys that make a difference. */
export function namedKeys(rules: readonly Placed[], progress: Progress): ReadonlySet<string> {
  const steps = progress.map((one) => rules[ruleOf(one)]!.path.steps[stepsTaken(one)]);
  return new Set(steps.flatMap((step) => (step === undefined ? [] : [String(step)])));
}

/**
 * Into any element of a repeated field. Which one it is cannot be told from a part of a message, so that `[3]` names every element; a key looks
 * into each, as everywhere (`masking/json-path.ts`).
 */
export function intoElement(rules: readonly Placed[], progress: Progress): Progress {
  const consumed = follow(rules, progress, (step) => typeof step !== 'string');
  const lax = progress.filter((one) => typeof rules[ruleOf(one)]!.path.steps[stepsTaken(one)] === 'string');
  return together(consumed, lax);
}

export function together(a: Progress, b: Progress): Progress {
  if (a.length === 0) return b;
  if (b.length === 0) return a;
  return [...new Set([...a, ...b])].sort((one, other) => one - other);
}

function follow(rules: readonly Placed[], progress: Progress, takes: (step: string | number | undefined) => boolean): Progress {
  return progress
    .filter((one) => {
      const { steps } = rules[ruleOf(one)]!.path;
      const taken = stepsTaken(one);
      return taken < steps.length && takes(steps[taken]);
    })
    .map((one) => one + 1);
}

/** The index of the rule. */
export function ruleOf(one: number): number {
  return Math.floor(one / mostSteps);
}

function stepsTaken(one: number): number {
  return one % mostSteps;
}

/** More than fit into a line of the configuration. */
const mostSteps = 2 ** 20;
