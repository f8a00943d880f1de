import assert from 'node:assert/strict';
import { it } from 'node:test';
import * as fc from 'fast-check';
import { PolicyLoadError } from './compile.ts';
import { act, agent, customers, engineFor, question } from './fixture.test.ts';

const groups = ['a', 'b', 'c'];

const membership = fc.constantFrom(
  'principal is Agent',
  ...groups.map((group) => `!(principal in Group::"${group}")`),
  'principal in Group::"a" || !(principal in Group::"b")',
  'if principal in Group::"a" then principal in Group::"b" else principal is Agent',
);

/** Conditions over membership, of every operator that can stand around a test. */
const { condition } = fc.letrec<{ condition: string }>((tie) => ({
  condition: fc.oneof(
    { maxDepth: 3, depthSize: 'small', withCrossShrink: true },
    fc.constantFrom(
      ...groups.map((group) => `principal in Group::"${group}"`),
      'principal in [Group::"a", Group::"b"]',
      'principal is Agent in Group::"c"',
      'principal is User in Group::"a"',
      'principal in Issuer::"github"',
      '(if context.groups_known then principal else principal) in Group::"b"',
    ),
    tie('condition').map((inner) => `!(${inner})`),
    fc.tuple(tie('condition'), tie('condition')).map(([left, right]) => `(${left} && ${right})`),
    fc.tuple(tie('condition'), tie('condition')).map(([left, right]) => `(${left} || ${right})`),
    fc.tuple(tie('condition'), tie('condition')).map(([left, right]) => `((${left}) == (${right}))`),
    fc.tuple(tie('condition'), tie('condition'), tie('condition')).map(([test, yes, no]) => `(if ${test} then ${yes} else ${no})`),
  ),
}));

it('unknown membership is refused whatever some membership would be refused', () => {
  fc.assert(
    fc.property(membership, condition, fc.subarray(groups), fc.constantFrom('when', 'unless'), (permit, forbid, known, clause) => {
      fc.pre(loads(`@id("f") forbid(principal, action, resource) when { ${forbid} };`));
      const engine = engineFor(`
        @id("p") permit(principal, action, resource) when { ${permit} };
        @id("f") forbid(principal, action == Action::"sql:select", resource) ${clause} { context has opaque && (${forbid}) };`);
      const decide = (members: readonly string[], groupsKnown: boolean): string =>
        engine.decide(
          question([act('sql:select', customers)], { principal: agent({ groups: members, groupsKnown }), facts: { opaque: true } }),
        ).kind;
      const possible = subsets(groups).filter((members) => known.every((group) => members.includes(group)));
      const unknown = decide(known, false);
      if (possible.some((members) => decide(members, true) === 'deny')) assert.equal(unknown, 'deny');
    }),
    { numRuns: 20, endOnFailure: true },
  );
});

/** Whether the generated policy is one that can be loaded: it may test membership in too many ways, or never apply. */
function loads(text: string): boolean {
  try {
    engineFor(text);
    return true;
  } catch (error) {
    if (error instanceof PolicyLoadError) return false;
    throw error;
  }
}

function subsets(items: readonly string[]): readonly (readonly string[])[] {
  return items.reduce<readonly (readonly string[])[]>((sets, item) => [...sets, ...sets.map((set) => [...set, item])], [[]]);
}
