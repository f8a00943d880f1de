import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { PolicyQuestion } from '../core/ports.ts';
import { explain, type Explanation } from './explain.ts';
import { act, agent, compile, customers, engineFor, payments, question } from './fixture.test.ts';

const policies = `
@id("read") permit(principal in Group::"deployers", action in Action::"read", resource in Target::"orders");
@id("write") permit(principal in Group::"deployers", action in Action::"write", resource);
@id("others") permit(principal in Group::"others", action in Action::"write", resource);
@id("hold") @review("dba") forbid(principal, action in Action::"write", resource) when { context has unbounded && context.unbounded };
@id("never") forbid(principal, action == Action::"sql:truncate", resource);
@id("fails") forbid(principal, action == Action::"sql:merge", resource) when { 9007199254740991 * (if context.groups_known then 9007199254740991 else 0) > 1 };
`;

describe('explain', () => {
  it('tells of every policy that can concern an act whether it applies', () => {
    const { decision, acts } = explained(
      question([act('sql:delete', customers), act('sql:select', payments)], { facts: { unbounded: false } }),
    );
    assert.equal(decision?.kind, 'allow');
    assert.deepEqual(
      acts.map((entry) => [entry.action, entry.object, entry.decision?.kind, entry.policies.map(({ id, outcome }) => [id, outcome])]),
      [
        [
          'sql:delete',
          'Relation::"orders/public.customers"',
          'allow',
          [
            ['write', 'applies'],
            ['others', 'elsewhere'],
            ['hold', 'conditions-unmet'],
          ],
        ],
        ['sql:select', 'Relation::"orders/public.payments"', 'allow', [['read', 'applies']]],
      ],
    );
    assert.deepEqual(acts[0]?.policies[2], {
      id: 'hold',
      effect: 'forbid',
      review: 'dba',
      file: 'test.cedar',
      line: 5,
      outcome: 'conditions-unmet',
    });
  });

  it('answers as the engine decides', () => {
    const asked: readonly PolicyQuestion[] = [
      question([act('sql:delete', customers)], { facts: { unbounded: true } }),
      question([act('sql:truncate', customers), act('sql:select', payments)]),
      question([act('sql:select', customers)], { principal: agent({ groups: [], groupsKnown: false }) }),
      question([]),
    ];
    const engine = engineFor(policies);
    for (const entry of asked) assert.deepEqual(explained(entry).decision, engine.decide(entry));
  });

  it('shows the permits that a forbid overrules', () => {
    const [entry] = explained(question([act('sql:truncate', customers)])).acts;
    assert.deepEqual(
      entry?.policies.filter((policy) => policy.outcome === 'applies').map((policy) => policy.id),
      ['write', 'never'],
    );
  });

  it('names what cannot be evaluated', () => {
    const failing = explained(question([act('sql:merge', customers)]));
    assert.equal(failing.decision, undefined);
    assert.match(failing.failure ?? '', /overflow/);
    assert.equal(failing.acts[0]?.policies.find((policy) => policy.id === 'fails')?.outcome, 'failed');
    assert.match(explained(question([act('sql:nonsense', customers)])).failure ?? '', /not in the policy schema/);
    assert.match(explained(question([act('sql:select', customers)], { facts: { wrong: 1 } })).failure ?? '', /fact wrong/);
  });
});

function explained(asked: PolicyQuestion): Explanation {
  return explain(compile(policies), asked, Date.UTC(2027, 0, 1));
}
