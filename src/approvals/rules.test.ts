import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Principal } from '../core/principal.ts';
import type { Answer, Approval } from './approval.ts';
import { newApproval } from './request.ts';
import { expiresAtMs, groupsToAnswerFor, isApproved, refusal } from './rules.ts';
import { agent, dbaReview, heldOperation, person, startMs } from './testing/desk.ts';

function approval(change: Partial<Approval> = {}): Approval {
  return { ...newApproval(heldOperation(), 'binding', startMs), state: 'pending', ...change };
}

function answerBy(who: Principal, answer: Answer['answer'] = 'approved', groups: readonly string[] = ['dba']): Answer {
  const { issuer, issuerUrl, subject, display } = who;
  return { issuer, issuerUrl, subject, display, groups, answer, reason: '', atMs: startMs };
}

describe('who may answer', () => {
  const alice = person('alice');
  const requestedByAlice = approval({ principal: { ...person('alice'), kind: 'agent' } });
  const two = { ...dbaReview, approvals: 2 };

  it('a member of the review’s group', () => {
    assert.equal(refusal(approval(), alice, 'approved', startMs), undefined);
    assert.equal(refusal(approval(), alice, 'denied', startMs), undefined);
  });

  const refused: readonly (readonly [name: string, approval: Approval, by: Principal, code: string, text: RegExp])[] = [
    ['an agent', approval(), person('alice', { kind: 'agent' }), 'access-denied', /only people/],
    ['an expired sign-in', approval(), person('alice', { expiresAtMs: startMs }), 'access-denied', /sign-in has expired/],
    ['the requester', requestedByAlice, alice, 'access-denied', /request of their own/],
    [
      'the requester through the same issuer under another name',
      requestedByAlice,
      person('alice', { issuer: 'entra-2' }),
      'access-denied',
      /request of their own/,
    ],
    ['someone whose groups are unknown', approval(), person('alice', { groupsKnown: false }), 'access-denied', /groups are not known/],
    ['someone of another group', approval(), person('alice', { groups: ['dbas', 'DBA', 'db'] }), 'access-denied', /waits for dba/],
    ['someone of no group', approval(), person('alice', { groups: [] }), 'access-denied', /waits for dba/],
    ['anyone once it was approved', approval({ state: 'approved' }), alice, 'approval-cancelled', /was approved already/],
    ['anyone once it was denied', approval({ state: 'denied' }), alice, 'approval-cancelled', /was denied already/],
    ['anyone once it was cancelled', approval({ state: 'cancelled' }), alice, 'approval-cancelled', /was cancelled already/],
    ['anyone once it was used', approval({ state: 'used' }), alice, 'approval-cancelled', /was used already/],
    ['anyone once it expired', approval({ state: 'expired' }), alice, 'approval-expired', /expired/],
    ['anyone at the moment it expires', approval({ expiresAtMs: startMs }), alice, 'approval-expired', /expired/],
    ['anyone while it is not on record', approval({ state: 'filing' }), alice, 'approval-cancelled', /filing/],
    [
      'the same person twice',
      approval({ reviews: [two], answers: [answerBy(alice)] }),
      alice,
      'access-denied',
      /approved this request already/,
    ],
    [
      'the same person through the same issuer under another name',
      approval({ reviews: [two], answers: [answerBy(alice)] }),
      person('alice', { issuer: 'entra-2' }),
      'access-denied',
      /approved this request already/,
    ],
    [
      'one whose group has approved',
      approval({ reviews: [dbaReview, { ...dbaReview, group: 'security' }], answers: [answerBy(person('bob'))] }),
      alice,
      'access-denied',
      /dba approved already; this request waits for security/,
    ],
  ];
  for (const [name, request, by, code, text] of refused) {
    it(`not ${name}`, () => {
      const fault = refusal(request, by, 'approved', startMs);
      assert.equal(fault?.code, code);
      assert.match(fault?.publicMessage ?? '', text);
    });
  }

  it('a stranger does not learn the state', () => {
    const stranger = person('mallory', { groups: [] });
    assert.equal(refusal(approval({ state: 'denied' }), stranger, 'approved', startMs)?.code, 'access-denied');
  });

  it('the same subject at another issuer is another person', () => {
    const other = person('alice', { issuer: 'other', issuerUrl: 'https://other.example' });
    assert.equal(refusal(requestedByAlice, other, 'approved', startMs), undefined);
  });

  it('who approved may still refuse', () => {
    assert.equal(refusal(approval({ reviews: [two], answers: [answerBy(alice)] }), alice, 'denied', startMs), undefined);
  });
});

describe('when it is approved', () => {
  const alice = answerBy(person('alice'));
  const bob = answerBy(person('bob'));

  it('once every review has its number of different people', () => {
    const reviews = [
      { ...dbaReview, approvals: 2 },
      { ...dbaReview, group: 'security' },
    ];
    const both = answerBy(person('carol'), 'approved', ['dba', 'security']);
    assert.equal(isApproved([dbaReview], [alice]), true);
    assert.equal(isApproved(reviews, [alice]), false);
    assert.equal(isApproved(reviews, [alice, bob]), false);
    assert.equal(isApproved(reviews, [alice, alice, both]), true);
    assert.equal(isApproved(reviews, [both]), false);
    assert.equal(isApproved(reviews, [alice, bob, answerBy(person('dave'), 'approved', ['security'])]), true);
  });

  it('never by the same person twice, by a denial, by another group, or without reviews', () => {
    const two = [{ ...dbaReview, approvals: 2 }];
    assert.equal(isApproved(two, [alice, alice]), false);
    assert.equal(isApproved(two, [alice, { ...alice, issuer: 'entra-2' }]), false);
    assert.equal(isApproved([dbaReview], [answerBy(person('bob'), 'denied')]), false);
    assert.equal(isApproved([dbaReview], [answerBy(person('bob'), 'approved', ['security'])]), false);
    assert.equal(isApproved([{ ...dbaReview, approvals: 0 }], []), false);
    assert.equal(isApproved([], [alice]), false);
  });
});

it('the first end of several reviews is the request’s', () => {
  assert.equal(expiresAtMs([dbaReview, { ...dbaReview, expiresMs: 60_000 }], startMs), startMs + 60_000);
});

it('a person answers for each of their groups once', () => {
  const reviews = [dbaReview, { ...dbaReview, policy: 'another' }, { ...dbaReview, group: 'security' }];
  assert.deepEqual(groupsToAnswerFor({ reviews }, person('alice', { groups: ['security', 'dba', 'x'] })), ['dba', 'security']);
  assert.deepEqual(groupsToAnswerFor({ reviews }, agent), []);
});
