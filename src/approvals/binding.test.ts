import assert from 'node:assert/strict';
import { it } from 'node:test';
import { bindingBytes } from './binding.ts';
import { heldOperation, person, type HeldChange } from './testing/desk.ts';

function hex(change: HeldChange): string {
  return Buffer.from(bindingBytes(heldOperation(change))).toString('hex');
}

const relation = { type: 'Relation', id: 'orders/public.customers' } as const;
const changes: readonly (readonly [what: string, change: HeldChange])[] = [
  ['one byte of the statement', { fullText: "DELETE FROM customers WHERE ssn = '078-05-1121'" }],
  ['a trailing space', { fullText: "DELETE FROM customers WHERE ssn = '078-05-1120' " }],
  ['the principal', { principal: person('job-8', { issuer: 'github' }) }],
  ['the principal’s issuer', { principal: person('job-7', { issuer: 'gitlab' }) }],
  ['the target', { target: 'payments' }],
  ['the policy', { policyVersion: 'policy-2' }],
  ['the acts', { acts: [{ action: 'sql:update', object: relation }] }],
  [
    'one more act',
    {
      acts: [
        { action: 'sql:delete', object: relation },
        { action: 'sql:select', object: relation },
      ],
    },
  ],
];

for (const hold of ['wait', 'refuse-and-retry'] as const) {
  it(`${hold}: everything that is bound changes the binding, each in its own way`, () => {
    const bindings = [hex({ hold }), ...changes.map(([, change]) => hex({ ...change, hold }))];
    assert.equal(new Set(bindings).size, changes.length + 1);
  });

  it(`${hold}: the same operation binds the same, whatever its id and its masked text`, () => {
    assert.equal(hex({ hold, operationId: 'another', text: 'masked otherwise' }), hex({ hold }));
  });
}

it('wait binds the session; refuse-and-retry does not, for the retry comes in another one', () => {
  assert.notEqual(hex({ sessionId: 'session-2' }), hex({}));
  assert.equal(hex({ hold: 'refuse-and-retry', sessionId: 'session-2' }), hex({ hold: 'refuse-and-retry' }));
});

it('nothing moves from one part to the next', () => {
  const a = hex({ target: 'ab', policyVersion: 'c' });
  assert.notEqual(a, hex({ target: 'a', policyVersion: 'bc' }));
});
