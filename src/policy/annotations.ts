/**
 * The annotations that a policy may carry. `@id` names it in answers and on record. A `forbid` with `@review` asks for people instead
 * of refusing: `@review` is the group whose members may approve, `@approvals` how many different ones, `@expires` how long they have.
 */
export interface Annotations {
  readonly id: string;
  readonly review: ReviewTerms | undefined;
  readonly message: string | undefined;
}

export interface ReviewTerms {
  readonly group: string;
  readonly approvals: number;
  readonly expiresMs: number;
}

export interface AnnotationProblem {
  /** The annotation's name, to find its place; undefined where it is missing. */
  readonly annotation: string | undefined;
  readonly message: string;
  readonly hint: string;
}

/** Reads a policy's annotations; `report` hears of everything that is wrong with them, and the answer is then of no use. */
export function readAnnotations(
  effect: 'permit' | 'forbid',
  given: Readonly<Record<string, string | null>>,
  report: (problem: AnnotationProblem) => void,
): Annotations {
  for (const name of Object.keys(given)) {
    if (!known.includes(name))
      report({ annotation: name, message: `unknown annotation @${name}`, hint: `known are @${known.join(', @')}` });
  }
  const text = (name: string, maxLength: number): string | undefined => {
    if (!Object.hasOwn(given, name)) return undefined;
    const value = given[name] ?? '';
    if (value.trim() === '' || value.length > maxLength || /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u.test(value)) {
      report({
        annotation: name,
        message: `@${name} is not 1 to ${maxLength} visible characters`,
        hint: `write @${name}("…") on one line`,
      });
    }
    return value;
  };
  const id = text('id', 200);
  if (id === undefined) {
    report({ annotation: undefined, message: 'the policy has no @id', hint: 'name it: @id("pipelines may read production")' });
  }
  return { id: id ?? '', review: readReview(effect, given, text, report), message: text('message', 500) };
}

function readReview(
  effect: 'permit' | 'forbid',
  given: Readonly<Record<string, string | null>>,
  text: (name: string, maxLength: number) => string | undefined,
  report: (problem: AnnotationProblem) => void,
): ReviewTerms | undefined {
  const group = text('review', 200);
  const approvals = Object.hasOwn(given, 'approvals') ? (given['approvals'] ?? '') : '1';
  const expires = Object.hasOwn(given, 'expires') ? (given['expires'] ?? '') : '15m';
  if (group === undefined) {
    for (const name of ['approvals', 'expires']) {
      if (Object.hasOwn(given, name)) {
        report({ annotation: name, message: `@${name} without @review`, hint: 'name the reviewing group: @review("dba")' });
      }
    }
    return undefined;
  }
  if (effect === 'permit') {
    report({
      annotation: 'review',
      message: '@review on a permit',
      hint: 'only a forbid can wait for review; write the permit without it',
    });
  }
  if (!/^[1-9][0-9]?$/.test(approvals)) {
    report({ annotation: 'approvals', message: '@approvals is not a whole number from 1 to 99', hint: 'for example @approvals("2")' });
  }
  const expiresMs = durationMs(expires);
  if (expiresMs === undefined) {
    report({
      annotation: 'expires',
      message: '@expires is not a duration of at most 24h',
      hint: 'for example @expires("30s"), ("15m") or ("8h")',
    });
  }
  return { group, approvals: Number(approvals), expiresMs: expiresMs ?? 0 };
}

function durationMs(text: string): number | undefined {
  const match = /^([1-9][0-9]{0,4})([smh])$/.exec(text);
  const unit = match === null ? undefined : unitMs.get(match[2] ?? '');
  if (match === null || unit === undefined) return undefined;
  const ms = Number(match[1]) * unit;
  return ms > maxExpiresMs ? undefined : ms;
}

const known: readonly string[] = ['id', 'review', 'approvals', 'expires', 'message'];
const unitMs: ReadonlyMap<string, number> = new Map([
  ['s', 1_000],
  ['m', 60_000],
  ['h', 3_600_000],
]);
const maxExpiresMs = 24 * 3_600_000;
