import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Act, Facts } from '../core/operation.ts';
import { CaseFileError } from './case-format.ts';
import { runCases, type CaseResult } from './cases.ts';
import { act, compile, customers, orders } from './fixture.test.ts';

const policies = compile(`
@id("read") permit(principal in Group::"deployers", action in Action::"read", resource in Schema::"orders/public");
@id("jobs of the repository") permit(principal, action in Action::"write", resource) when { principal.hasTag("repository_id") && principal.getTag("repository_id") == "7741" };
@id("hold") @review("dba") forbid(principal, action in Action::"write", resource) when { context has unbounded && context.unbounded };
@id("nights") forbid(principal, action, resource) when { context has hour && context.hour >= 22 };
@id("numbers") permit(principal in Group::"fraud", action == Action::"reveal", resource == DataClass::"card-number");
`);

const select = { action: 'sql:select', object: 'Relation::"orders/public.customers"' };
const base = { name: 'a case', principal: { groups: ['deployers'] }, target: 'orders', acts: [select], expect: 'allow' };

describe('cases', () => {
  it('pass where policy answers as expected', () => {
    const results = run([
      base,
      { ...base, policies: ['read'] },
      { ...base, principal: {}, expect: 'deny' },
      { ...base, at: '2027-03-05T22:30:00Z', expect: 'deny', policies: ['nights'] },
      { ...base, at: new Date('2027-03-05T21:30:00Z') },
      { ...base, acts: [{ action: 'sql:select', object: 'Relation::"orders/private.x"' }], expect: 'deny' },
      { ...base, acts: [{ ...select, in: ['Schema::"orders/other"'] }], expect: 'deny' },
      { ...base, acts: [{ action: 'sql:select', object: 'Relation::"orders/public.\\"line.items/2026\\""' }] },
      { ...base, acts: [{ action: 'sql:select', object: 'Relation::"orders/\\"public.x\\".items"' }], expect: 'deny' },
      {
        ...base,
        principal: { issuer: 'github', subject: 's', kind: 'agent', claims: { repository_id: 7741 } },
        acts: [{ action: 'sql:delete', object: 'Relation::"orders/public.customers"' }],
        facts: { unbounded: true },
        expect: 'hold',
        policies: ['hold'],
        reviewers: ['dba'],
      },
      { ...base, principal: { groups: ['fraud'] }, acts: [{ action: 'reveal', object: 'DataClass::"card-number"' }] },
      {
        ...base,
        principal: { groups: ['fraud'], groups_known: false },
        acts: [{ action: 'reveal', object: 'DataClass::"ssn"' }],
        expect: 'deny',
      },
      { ...base, target: { name: 'billing', protocol: 'tds', labels: { env: 'test' } }, expect: 'deny' },
    ]);
    assert.deepEqual(
      results.map((result) => result.differences),
      results.map(() => []),
    );
  });

  it('fail with what differs', () => {
    const [result] = run([{ ...base, expect: 'hold', policies: ['x'], reviewers: ['dba'] }]);
    assert.equal(result?.passed, false);
    assert.deepEqual(result?.differences, [
      'expected decision hold, got allow',
      'expected policies ["x"], got ["read"]',
      'expected reviewers ["dba"], got []',
    ]);
    assert.match(run([{ ...base, principal: {} }])[0]?.differences[0] ?? '', /got deny: No policy permits sql:select/);
  });

  it('understand statements with the help of a dialect', () => {
    const { acts: _, ...withoutActs } = base;
    const options = { targets: [orders], understand };
    const file = (statement: string): unknown => ({ cases: [{ ...withoutActs, statement }] });
    assert.equal(runCases(policies, file('select'), options)[0]?.passed, true);
    assert.match(
      runCases(policies, file('selct'), options)[0]?.differences[0] ?? '',
      /expected decision allow, got internal: cannot parse/,
    );
    assert.throws(() => runCases(policies, file('select'), { targets: [orders] }), CaseFileError);
  });

  it('refuse a file that is not as the format says, naming the place', () => {
    const wrong: readonly (readonly [unknown, RegExp])[] = [
      [undefined, /the file: expected a mapping/],
      [{ cases: {} }, /cases: expected a list/],
      [{ tests: [] }, /the file\.tests: expected one of: cases/],
      [{ cases: [{ ...base, expects: 'deny' }] }, /cases\[0\]\.expects/],
      [{ cases: [base, { ...base, expect: 'maybe' }] }, /cases\[1\]\.expect: expected one of: allow, deny, hold/],
      [{ cases: [{ ...base, acts: [] }] }, /either acts or a statement/],
      [{ cases: [{ ...base, statement: 'x' }] }, /either acts or a statement/],
      [{ cases: [{ ...base, acts: [{ ...select, action: 'sql:selct' }] }] }, /cases\[0\]\.acts\[0\]\.action/],
      [{ cases: [{ ...base, acts: [{ ...select, object: 'orders' }] }] }, /cases\[0\]\.acts\[0\]\.object/],
      [{ cases: [{ ...base, acts: [{ ...select, object: 'Table::"x"' }] }] }, /object: expected an object such as/],
      [{ cases: [{ ...base, target: 'nowhere' }] }, /"nowhere" is not in the configuration/],
      [{ cases: [{ ...base, facts: { unbound: true } }] }, /facts\.unbound/],
      [{ cases: [{ ...base, at: 'noon' }] }, /cases\[0\]\.at/],
      [{ cases: [{ ...base, principal: { groups: 'x' } }] }, /principal\.groups: expected a list/],
      [{ cases: [{ ...base, principal: { claims: { a: {} } } }] }, /principal\.claims\.a/],
    ];
    for (const [content, expected] of wrong) {
      assert.throws(
        () => runCases(policies, content, { targets: [orders] }),
        (error) => error instanceof CaseFileError && expected.test(error.message),
        String(expected),
      );
    }
  });

  it('fail, and do not pass as a denial, where a fact has the wrong type', () => {
    const [result] = run([{ ...base, facts: { unbounded: 'yes' }, expect: 'deny' }]);
    assert.match(result?.differences[0] ?? '', /policy-unavailable: fact unbounded is not a Bool/);
  });
});

function understand(statement: string): { readonly acts: readonly Act[]; readonly facts: Facts } {
  if (statement !== 'select') throw new Error('cannot parse');
  return { acts: [act('sql:select', customers)], facts: {} };
}

function run(cases: readonly unknown[]): readonly CaseResult[] {
  return runCases(policies, { cases }, { targets: [orders] });
}
