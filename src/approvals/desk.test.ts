import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { inspect } from 'node:util';
import { GatewayFault } from '../core/fault.ts';
import type { PendingApproval } from '../core/ports.ts';
import type { ApprovalView } from './approval.ts';
import { agent, dbaReview, DeskBench, heldOperation, person, settle, startMs, type HeldChange } from './testing/desk.ts';

let bench: DeskBench;
beforeEach(() => {
  bench = new DeskBench();
});

const alice = person('alice');
const bob = person('bob');

async function request(change: HeldChange = {}): Promise<PendingApproval> {
  const pending = bench.desk.request(heldOperation(change));
  await settle();
  return pending;
}

function refusedWith(code: string, text = /./) {
  return (error: unknown) => error instanceof GatewayFault && error.code === code && text.test(error.publicMessage);
}

describe('a waiting session', () => {
  it('is told who is asked, where and until when', async () => {
    const pending = await request();
    assert.match(pending.id, /^[0-9a-f]{16}$/);
    assert.equal(pending.message, `waiting for approval by dba: https://gw.example:8080/approvals/${pending.id}, expires 14:32 UTC`);
    assert.equal(pending.expiresAtMs, startMs + 900_000);
    assert.equal(pending.alreadyApproved, false);
  });

  it('several groups and people are named, and a distant end has its date', async () => {
    const day = 86_400_000;
    const reviews = [
      { ...dbaReview, approvals: 2, expiresMs: 3 * day },
      { ...dbaReview, group: 'security', expiresMs: 2 * day },
    ];
    const pending = await request({ reviews });
    assert.match(pending.message, /by dba \(2 people\) and security: .*, expires 2030-01-04 14:17 UTC$/);
  });

  it('goes on once it is approved, and only once', async () => {
    const pending = await request();
    await bench.desk.answer(pending.id, alice, 'approve', 'checked with the team');
    assert.deepEqual(await pending.answer, { kind: 'approved', by: ['alice'] });
    assert.equal(await pending.use(), true);
    assert.equal(await pending.use(), false);
    assert.deepEqual(bench.audit.story, ['requested', 'answered approved', 'ended approved', 'ended used']);
    assert.equal((await bench.desk.find(pending.id))?.state, 'used');
  });

  it('of two uses at once, one succeeds', async () => {
    const pending = await request();
    await bench.desk.answer(pending.id, alice, 'approve', '');
    assert.deepEqual((await Promise.all([pending.use(), pending.use()])).filter(Boolean), [true]);
    assert.equal(bench.audit.story.filter((line) => line === 'ended used').length, 1);
  });

  it('cannot use what nobody approved', async () => {
    const pending = await request();
    assert.equal(await pending.use(), false);
    assert.equal((await bench.desk.find(pending.id))?.state, 'pending');
  });

  it('is told who refused and why', async () => {
    const pending = await request();
    await bench.desk.answer(pending.id, alice, 'deny', 'not during\nthe close\u202e');
    assert.deepEqual(await pending.answer, { kind: 'denied', by: 'alice', reason: 'not during\\u{a}the close\\u{202e}' });
    assert.equal(await pending.use(), false);
    assert.deepEqual(bench.audit.story, ['requested', 'answered denied', 'ended denied']);
  });

  it('expires: nobody can answer or use it', async () => {
    const pending = await request();
    bench.time.advance(900_000);
    assert.deepEqual(await pending.answer, { kind: 'expired' });
    await assert.rejects(bench.desk.answer(pending.id, alice, 'approve', ''), refusedWith('approval-expired'));
    assert.equal(await pending.use(), false);
    assert.deepEqual(bench.audit.story, ['requested', 'ended expired']);
  });

  it('expires after it was approved but not used', async () => {
    const pending = await request();
    await bench.desk.answer(pending.id, alice, 'approve', '');
    bench.time.nowMs += 900_000;
    assert.equal(await pending.use(), false);
    assert.deepEqual(bench.audit.story.at(-1), 'ended expired');
  });

  it('a timer that fires early is not an expiry', async () => {
    const pending = await request();
    bench.time.advance(899_999);
    assert.equal((await bench.desk.find(pending.id))?.state, 'pending');
    bench.time.advance(1);
    assert.deepEqual(await pending.answer, { kind: 'expired' });
  });

  it('that goes away takes its request with it, before and after approval', async () => {
    for (const approve of [false, true]) {
      const pending = await request();
      if (approve) await bench.desk.answer(pending.id, alice, 'approve', '');
      pending.cancel('the client disconnected');
      pending.cancel('again');
      assert.equal((await pending.answer).kind, approve ? 'approved' : 'cancelled');
      await assert.rejects(bench.desk.answer(pending.id, bob, 'approve', ''), refusedWith('approval-cancelled'));
      assert.equal(await pending.use(), false);
      assert.equal((await bench.desk.find(pending.id))?.endReason, 'the client disconnected');
    }
    assert.equal(bench.audit.story.filter((line) => line === 'ended cancelled').length, 2);
  });

  it('asks anew for the same statement: an approval is for one operation', async () => {
    const first = await request();
    await bench.desk.answer(first.id, alice, 'approve', '');
    const second = await request({ operationId: 'session-1-2' });
    assert.notEqual(second.id, first.id);
    assert.equal(second.alreadyApproved, false);
  });

  it('leaves no timer behind', async () => {
    const pending = await request();
    await bench.desk.answer(pending.id, alice, 'approve', '');
    await pending.use();
    (await request()).cancel('gone');
    assert.equal(bench.time.pending, 0);
  });
});

describe('answers', () => {
  it('of strangers do not count and are not on record', async () => {
    const pending = await request();
    for (const stranger of [
      { ...agent, groups: ['dba'] },
      person('mallory', { groups: [] }),
      person('carol', { groupsKnown: false }),
      person('dave', { kind: 'agent' }),
      person('job-7', { issuer: 'github', issuerUrl: 'https://token.example' }),
    ]) {
      await assert.rejects(bench.desk.answer(pending.id, stranger, 'approve', ''), refusedWith('access-denied'));
    }
    assert.deepEqual(bench.audit.story, ['requested']);
  });

  it('to a request that there is not', async () => {
    await assert.rejects(bench.desk.answer('0123456789abcdef', alice, 'approve', ''), refusedWith('access-denied', /no such request/));
  });

  it('two people are needed where the policy says two, and they must be different', async () => {
    const pending = await request({ reviews: [{ ...dbaReview, approvals: 2 }] });
    assert.equal((await bench.desk.answer(pending.id, alice, 'approve', '')).state, 'pending');
    await assert.rejects(bench.desk.answer(pending.id, alice, 'approve', ''), refusedWith('access-denied', /already/));
    await assert.rejects(
      bench.desk.answer(pending.id, person('alice', { issuer: 'entra-2' }), 'approve', ''),
      refusedWith('access-denied', /already/),
    );
    assert.equal(await pending.use(), false);
    assert.equal((await bench.desk.answer(pending.id, bob, 'approve', '')).state, 'approved');
    assert.deepEqual(await pending.answer, { kind: 'approved', by: ['alice', 'bob'] });
  });

  it('of two that race, the same person’s count once', async () => {
    const pending = await request({ reviews: [{ ...dbaReview, approvals: 2 }] });
    bench.audit.disk = 'wait';
    const both = Promise.allSettled([
      bench.desk.answer(pending.id, alice, 'approve', ''),
      bench.desk.answer(pending.id, alice, 'approve', ''),
    ]);
    await settle();
    bench.audit.disk = 'now';
    bench.audit.flush();
    assert.deepEqual(
      (await both).map(({ status }) => status),
      ['fulfilled', 'rejected'],
    );
    assert.equal((await bench.desk.find(pending.id))?.state, 'pending');
    assert.deepEqual(bench.audit.story, ['requested', 'answered approved']);
  });

  it('of two that race, approval and denial, the first decides', async () => {
    for (const [first, second] of [
      ['approve', 'deny'],
      ['deny', 'approve'],
    ] as const) {
      const pending = await request();
      const [one, other] = await Promise.allSettled([
        bench.desk.answer(pending.id, alice, first, ''),
        bench.desk.answer(pending.id, bob, second, ''),
      ]);
      assert.deepEqual([one.status, other.status], ['fulfilled', 'rejected']);
      assert.equal((await pending.answer).kind, first === 'approve' ? 'approved' : 'denied');
    }
  });

  it('one denial is enough, even after an approval', async () => {
    const pending = await request({ reviews: [{ ...dbaReview, approvals: 2 }] });
    await bench.desk.answer(pending.id, alice, 'approve', '');
    await bench.desk.answer(pending.id, alice, 'deny', 'saw it again');
    assert.deepEqual(await pending.answer, { kind: 'denied', by: 'alice', reason: 'saw it again' });
  });

  it('every review must be approved; one who is in the groups of two answers both', async () => {
    const reviews = [dbaReview, { ...dbaReview, policy: 'security too', group: 'security' }];
    const pending = await request({ reviews });
    await bench.desk.answer(pending.id, alice, 'approve', '');
    await assert.rejects(bench.desk.answer(pending.id, bob, 'approve', ''), refusedWith('access-denied', /waits for security/));
    await bench.desk.answer(pending.id, person('carol', { groups: ['security'] }), 'approve', '');
    assert.equal((await pending.answer).kind, 'approved');

    const other = await request({ reviews });
    const view = await bench.desk.answer(other.id, person('dora', { groups: ['dba', 'security'] }), 'approve', 'both');
    assert.equal(view.state, 'approved');
    assert.deepEqual(
      view.reviews.map(({ answers }) => answers),
      [
        [{ by: 'dora', answer: 'approved', reason: 'both', atMs: startMs }],
        [{ by: 'dora', answer: 'approved', reason: 'both', atMs: startMs }],
      ],
    );
  });

  it('cannot be replayed at another request', async () => {
    const first = await request();
    await bench.desk.answer(first.id, alice, 'approve', '');
    await assert.rejects(bench.desk.answer(first.id, alice, 'approve', ''), refusedWith('approval-cancelled', /was approved already/));
    await first.use();
    await assert.rejects(bench.desk.answer(first.id, bob, 'approve', ''), refusedWith('approval-cancelled', /was used already/));
  });
});

describe('what is shown', () => {
  it('to everyone: masked and escaped; to reviewers: the exact text, as long as it is pending', async () => {
    const pending = await request({
      fullText: "DELETE FROM customers -- \u202e'078-05-1120'\u001b[2K",
      text: 'DELETE FROM customers -- \u202e',
    });
    const view = await bench.desk.find(pending.id);
    assert.equal(view?.text, 'DELETE FROM customers -- \\u{202e}');
    assert.equal(view?.principal.claims.actor, 'eve\\u{202e}');
    assert.deepEqual(view?.acts, [{ action: 'sql:delete', object: 'Relation::"orders/public.customers"' }]);
    assert.deepEqual(await bench.desk.exactText(pending.id), {
      text: "DELETE FROM customers -- \\u{202e}'078-05-1120'\\u{1b}[2K",
      runs: [],
      parameters: [],
    });
    await bench.desk.answer(pending.id, alice, 'approve', '');
    assert.equal(await bench.desk.exactText(pending.id), undefined);
    assert.equal(await bench.desk.exactText('0123456789abcdef'), undefined);
  });

  it('nothing unmasked is kept or recorded', async () => {
    for (const hold of ['wait', 'refuse-and-retry'] as const) {
      bench.audit.digest = () => 'keyed digest';
      const pending = await request({ hold });
      await bench.desk.answer(pending.id, alice, 'approve', '');
      await pending.use();
    }
    const kept = ['approvals', 'approval_answers'].map((table) => bench.database.prepare(`SELECT * FROM ${table}`).all());
    for (const text of [inspect(kept, { depth: 9 }), JSON.stringify(bench.audit.records)]) assert.ok(!text.includes('078-05-1120'), text);
  });

  it('what runs by name, beside the statement that names it', async () => {
    const pending = await request({
      text: 'EXECUTE a',
      runs: ["PREPARE a AS DELETE\u202e FROM t WHERE id = '…'"],
      fullRuns: ["DELETE\u202e '7'"],
    });
    assert.deepEqual((await bench.desk.find(pending.id))?.runs, ["PREPARE a AS DELETE\\u{202e} FROM t WHERE id = '…'"]);
    assert.deepEqual((await bench.desk.exactText(pending.id))?.runs, ["DELETE\\u{202e} '7'"]);
    await request({ text: 'EXECUTE a', runs: ['x'.repeat(7_999), 'y'.repeat(100_000)] });
    await request();
    assert.deepEqual(
      bench.audit.records.map((record) => record.type === 'approval.requested' && record.runs?.map((text) => text.length)),
      [[42], [7_999, 1], undefined],
    );
  });

  it('requests of before there was a list of what runs by name have none', async () => {
    const { id } = await request({ hold: 'refuse-and-retry' });
    bench.database.exec(
      "UPDATE approvals SET described = json_remove(described, '$.runs'); UPDATE schema_versions SET version = 1 WHERE component = 'approvals'",
    );
    bench.restart();
    assert.deepEqual((await bench.desk.find(id))?.runs, []);
  });

  it('long text is whole for reviewers and cut in the record', async () => {
    const text = 'x'.repeat(100_000);
    const pending = await request({ text });
    assert.equal((await bench.desk.find(pending.id))?.text, text);
    const [record] = bench.audit.records;
    assert.ok(record?.type === 'approval.requested' && record.text.length < 10_000);
  });

  it('lists by state, newest first, and tells every change until one stops listening', async () => {
    const told: ApprovalView[] = [];
    const stop = bench.desk.subscribe((view) => told.push(view));
    const first = await request();
    bench.time.nowMs += 1;
    const second = await request();
    assert.deepEqual(
      (await bench.desk.list({ state: 'pending' })).map(({ id }) => id),
      [second.id, first.id],
    );
    await bench.desk.answer(first.id, alice, 'approve', '');
    await first.use();
    second.cancel('gone');
    assert.deepEqual(
      told.map(({ id, state }) => [id === first.id ? 1 : 2, state]),
      [
        [1, 'pending'],
        [2, 'pending'],
        [1, 'approved'],
        [1, 'used'],
        [2, 'cancelled'],
      ],
    );
    stop();
    await request();
    assert.equal(told.length, 5);
    assert.equal((await bench.desk.list({ state: undefined })).length, 3);
  });

  it('a listener that throws harms nobody', async () => {
    bench.desk.subscribe(() => {
      throw new Error('listener');
    });
    const told: string[] = [];
    bench.desk.subscribe(({ state }) => told.push(state));
    const pending = await request();
    await bench.desk.answer(pending.id, alice, 'approve', '');
    assert.deepEqual(told, ['pending', 'approved']);
  });
});

describe('refuse-and-retry', () => {
  const hold = 'refuse-and-retry';

  it('the retry of the very same operation uses the approval, in any session of the principal, once', async () => {
    const refused = await request({ hold });
    refused.cancel('refused');
    await bench.desk.answer(refused.id, alice, 'approve', '');
    const retry = await request({ hold, sessionId: 'session-2', operationId: 'session-2-5' });
    assert.deepEqual([retry.id, retry.alreadyApproved], [refused.id, true]);
    assert.match(retry.message, /^approved: /);
    assert.equal(await retry.use(), true);
    assert.equal(await retry.use(), false);
    const after = await request({ hold });
    assert.notEqual(after.id, refused.id);
    assert.equal(after.alreadyApproved, false);
  });

  it('a retry while it is pending asks nobody twice', async () => {
    const first = await request({ hold });
    const second = await request({ hold });
    assert.equal(second.id, first.id);
    assert.equal(second.alreadyApproved, false);
    assert.deepEqual(bench.audit.story, ['requested']);
  });

  it('of two retries at once, one goes through', async () => {
    const refused = await request({ hold });
    await bench.desk.answer(refused.id, alice, 'approve', '');
    const retries = await Promise.all([request({ hold, sessionId: 'a' }), request({ hold, sessionId: 'b' })]);
    assert.deepEqual(
      retries.map(({ alreadyApproved }) => alreadyApproved),
      [true, true],
    );
    assert.deepEqual((await Promise.all(retries.map((retry) => retry.use()))).filter(Boolean), [true]);
  });

  it('other bytes, another principal, target or policy find nothing', async () => {
    const refused = await request({ hold });
    await bench.desk.answer(refused.id, alice, 'approve', '');
    for (const change of [
      { fullText: 'DELETE FROM customers' },
      { principal: person('job-8', { kind: 'agent' }) },
      { target: 'payments' },
    ] satisfies HeldChange[]) {
      assert.equal((await request({ hold, ...change })).alreadyApproved, false);
    }
  });

  it('who was refused is told so until the request would have expired, then may ask anew', async () => {
    const refused = await request({ hold });
    await bench.desk.answer(refused.id, alice, 'deny', 'no');
    const retry = await request({ hold });
    assert.equal(retry.id, refused.id);
    assert.match(retry.message, /^approval refused by alice: no /);
    assert.deepEqual(await retry.answer, { kind: 'denied', by: 'alice', reason: 'no' });
    bench.time.advance(900_000);
    assert.notEqual((await request({ hold })).id, refused.id);
  });

  it('people see the masked text only', async () => {
    const pending = await request({ hold });
    assert.equal(await bench.desk.exactText(pending.id), undefined);
    assert.equal((await bench.desk.find(pending.id))?.hold, 'refuse-and-retry');
  });

  it('a handle whose client is gone uses nothing', async () => {
    const refused = await request({ hold });
    await bench.desk.answer(refused.id, alice, 'approve', '');
    const retry = await request({ hold });
    retry.cancel('gone');
    assert.equal(await retry.use(), false);
    assert.equal((await request({ hold })).alreadyApproved, true);
  });
});

it('one principal cannot bury the others’ requests', async () => {
  for (let count = 0; count < 50; count += 1) await request();
  assert.throws(() => bench.desk.request(heldOperation()), refusedWith('limit-exceeded'));
  await request({ principal: person('job-8', { kind: 'agent' }) });
});

it('a hold that nobody could approve is a defect, not an approval', () => {
  assert.throws(() => bench.desk.request(heldOperation({ reviews: [] })), refusedWith('internal'));
});
