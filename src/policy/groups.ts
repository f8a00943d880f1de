import type { PolicyJson } from './cedar.ts';
import { entityLiterals, join, joinConditions, rewrite, usesVariable, visitConditions, type Expression, type Json } from './expression.ts';

/**
 * A policy as it must be read for a principal whose group membership is unknown (the token says "too many groups"). Unknown is not
 * none: a `forbid` must bite if it would match under any membership, a `permit` may apply only if it would match under every one.
 *
 * A membership test is an `in` on the principal whose right side names groups. Each distinct test of the conditions becomes either
 * "true" or itself (so that memberships which are known still count), in every combination; a forbid joins the combinations by "or",
 * a permit by "and". Tests are taken as independent of each other, which errs towards refusing.
 */
export function forUnknownGroups(policy: PolicyJson): PolicyJson {
  const tests = membershipTests(policy);
  const forbids = policy.effect === 'forbid';
  const principal = forbids ? withoutGroup(policy.principal) : policy.principal;
  if (tests.length === 0) return { ...policy, principal };
  const whole = joinConditions(policy);
  const cases = combinations(tests).map(
    (taken) => rewrite(whole, (node) => (taken.has(JSON.stringify(node)) ? assumeMember(node) : undefined)) as Expression,
  );
  const body = join(forbids ? '||' : '&&', cases);
  return { ...policy, principal, conditions: [{ kind: 'when', body }] as unknown as PolicyJson['conditions'] };
}

/** How many distinct membership tests a policy's conditions may hold: each doubles what must be evaluated. */
export const maxMembershipTests = 6;

/** The distinct membership tests of a policy's conditions, each as its JSON text. */
export function membershipTests(policy: PolicyJson): readonly string[] {
  const found = new Set<string>();
  visitConditions(policy, (node) => {
    if (isMembershipTest(node)) found.add(JSON.stringify(node));
  });
  return [...found];
}

function isMembershipTest(node: Expression): boolean {
  const plain = node['in'] as { left: Json; right: Json } | undefined;
  if (plain !== undefined) return usesVariable(plain.left, 'principal') && mayNameGroup(plain.right);
  const typed = node['is'] as { left: Json; in?: Json } | undefined;
  return typed?.in !== undefined && usesVariable(typed.left, 'principal') && mayNameGroup(typed.in);
}

/** Anything that is not plainly made of other entities may be a group. */
function mayNameGroup(node: Json): boolean {
  const literals = entityLiterals(node);
  return literals.length === 0 || literals.some((literal) => literal.type === 'Group');
}

function assumeMember(test: Expression): Expression {
  const typed = test['is'] as { left: Json; entity_type: string } | undefined;
  return typed === undefined ? { Value: true } : { is: { left: typed.left, entity_type: typed.entity_type } };
}

function withoutGroup(scope: PolicyJson['principal']): PolicyJson['principal'] {
  const named = entityLiterals(scope).some((literal) => literal.type === 'Group');
  if (!named) return scope;
  if (scope.op === 'in') return { op: 'All' };
  return scope.op === 'is' ? { op: 'is', entity_type: scope.entity_type } : scope;
}

function combinations(items: readonly string[]): readonly ReadonlySet<string>[] {
  return items.reduce<readonly ReadonlySet<string>[]>(
    (sets, item) => [...sets, ...sets.map((set) => new Set([...set, item]))],
    [new Set()],
  );
}
