import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { GatewayFault } from '../core/fault.ts';
import type { PendingApproval } from '../core/ports.ts';
import { agent, DeskBench, heldOperation, person, settle, type HeldChange } from './testing/desk.ts';

let bench: DeskBench;
beforeEach(() => {
  bench = new DeskBench();
});

const alice = person('alice');
const hold = 'refuse-and-retry';

async function request(change: HeldChange = {}): Promise<PendingApproval> {
  const pending = bench.desk.request(heldOperation(change));
  await settle();
  return pending;
}

async function approved(change: HeldChange = {}): Promise<PendingApproval> {
  const pending = await request(change);
  await bench.desk.answer(pending.id, alice, 'approve', '');
  return pending;
}

function refusedWith(code: string) {
  return (error: unknown) => error instanceof GatewayFault && error.code === code;
}

async function stateOf(id: string): Promise<string | undefined> {
  return (await bench.desk.find(id))?.state;
}

describe('while the disk works', () => {
  it('a request is seen and answered only once its record is durable', async () => {
    bench.audit.disk = 'wait';
    const told: string[] = [];
    bench.desk.subscribe(({ state }) => told.push(state));
    const pending = await request();
    assert.equal(await stateOf(pending.id), undefined);
    assert.deepEqual(await bench.desk.list({ state: undefined }), []);
    assert.equal(await bench.desk.exactText(pending.id), undefined);
    await assert.rejects(bench.desk.answer(pending.id, alice, 'approve', ''), refusedWith('access-denied'));
    assert.deepEqual(told, []);
    bench.audit.flush();
    await settle();
    assert.equal(await stateOf(pending.id), 'pending');
    assert.deepEqual(told, ['pending']);
  });

  it('an answer counts only once its record is durable', async () => {
    const pending = await request();
    bench.audit.disk = 'wait';
    let answered = false;
    void pending.answer.then(() => {
      answered = true;
    });
    const answer = bench.desk.answer(pending.id, alice, 'approve', '');
    await settle();
    assert.equal(answered, false);
    assert.equal(await stateOf(pending.id), 'pending');
    assert.equal(await pending.use(), false);
    bench.audit.flush();
    await answer;
    assert.equal((await pending.answer).kind, 'approved');
  });

  it('a use counts only once its record is durable', async () => {
    const pending = await approved();
    bench.audit.disk = 'wait';
    let used: boolean | undefined;
    const use = pending.use().then((result) => {
      used = result;
    });
    await settle();
    assert.equal(used, undefined);
    assert.equal(await pending.use(), false);
    bench.audit.flush();
    await use;
    assert.equal(used, true);
  });

  it('expiry overtakes an answer: it does not count', async () => {
    const pending = await request();
    bench.audit.disk = 'wait';
    const answer = bench.desk.answer(pending.id, alice, 'approve', '');
    await settle();
    bench.time.advance(900_000);
    assert.deepEqual(await pending.answer, { kind: 'expired' });
    bench.audit.flush();
    await assert.rejects(answer, refusedWith('approval-expired'));
    assert.equal(await pending.use(), false);
    assert.equal(await stateOf(pending.id), 'expired');
  });

  it('the clock passes the end without its timer: the answer does not count', async () => {
    const pending = await request();
    bench.audit.disk = 'wait';
    const answer = bench.desk.answer(pending.id, alice, 'approve', '');
    await settle();
    bench.time.nowMs += 900_000;
    bench.audit.flush();
    await assert.rejects(answer, refusedWith('approval-expired'));
    assert.deepEqual(await pending.answer, { kind: 'expired' });
  });

  it('the client goes away: an answer on its way does not count', async () => {
    const pending = await request();
    bench.audit.disk = 'wait';
    const answer = bench.desk.answer(pending.id, alice, 'approve', '');
    await settle();
    pending.cancel('the client disconnected');
    assert.deepEqual(await pending.answer, { kind: 'cancelled', reason: 'the client disconnected' });
    bench.audit.flush();
    await assert.rejects(answer, refusedWith('approval-cancelled'));
    assert.equal(await stateOf(pending.id), 'cancelled');
  });

  it('the client goes away, or policy changes, before a use is durable: it was for nothing', async () => {
    for (const overtake of [(pending: PendingApproval) => pending.cancel('gone'), () => void (bench.policyVersion = 'policy-2')]) {
      bench = new DeskBench();
      const pending = await approved();
      bench.audit.disk = 'wait';
      const use = pending.use();
      await settle();
      overtake(pending);
      bench.audit.flush();
      assert.equal(await use, false);
    }
  });

  it('policy changes while an answer is on its way: it does not count', async () => {
    const pending = await request();
    bench.audit.disk = 'wait';
    const answer = bench.desk.answer(pending.id, alice, 'approve', '');
    await settle();
    bench.policyVersion = 'policy-2';
    bench.audit.flush();
    await assert.rejects(answer, refusedWith('approval-cancelled'));
    assert.equal((await pending.answer).kind, 'cancelled');
  });
});

describe('the audit log cannot be written', () => {
  it('when asking, at once: nothing is asked', async () => {
    bench.audit.refuse = () => true;
    assert.throws(() => bench.desk.request(heldOperation()), refusedWith('audit-unavailable'));
    assert.deepEqual(await bench.desk.list({ state: 'pending' }), []);
    bench.audit.refuse = undefined;
    bench.time.advance(1000);
    assert.deepEqual(bench.audit.story, []);
    await request();
    assert.deepEqual(bench.audit.story, ['requested']);
  });

  it('when asking, later: the session is told, nobody sees the request', async () => {
    bench.audit.disk = 'fail';
    const pending = await request();
    const answer = await pending.answer;
    assert.equal(answer.kind, 'cancelled');
    assert.match(answer.reason, /audit log/);
    await assert.rejects(bench.desk.answer(pending.id, alice, 'approve', ''), refusedWith('approval-cancelled'));
    assert.equal(await pending.use(), false);
  });

  it('when answering, at once: the answer does not count and may be given again', async () => {
    const pending = await request();
    bench.audit.refuse = ({ type }) => type === 'approval.answered';
    await assert.rejects(bench.desk.answer(pending.id, alice, 'approve', ''), refusedWith('audit-unavailable'));
    assert.equal(await stateOf(pending.id), 'pending');
    assert.equal(await pending.use(), false);
    bench.audit.refuse = undefined;
    await bench.desk.answer(pending.id, alice, 'approve', '');
    assert.equal(await pending.use(), true);
  });

  // A record that could not be flushed may still be written when the disk is back. Were the request left open, the log could read
  // "denied by alice, then used".
  it('when answering, after the answer was put down: neither approval nor denial counts, and the request ends', async () => {
    for (const answer of ['approve', 'deny'] as const) {
      const pending = await request();
      bench.audit.disk = 'fail';
      await assert.rejects(bench.desk.answer(pending.id, alice, answer, ''), refusedWith('audit-unavailable'));
      bench.audit.disk = 'now';
      assert.equal(await stateOf(pending.id), 'cancelled');
      assert.equal(await pending.use(), false);
    }
    const pending = await request();
    bench.audit.refuse = ({ type }) => type === 'approval.ended';
    await assert.rejects(bench.desk.answer(pending.id, alice, 'approve', ''), refusedWith('audit-unavailable'));
    bench.audit.refuse = undefined;
    assert.equal(await stateOf(pending.id), 'cancelled');
    assert.equal(await pending.use(), false);
  });

  it('when using: it is used up, and nothing was permitted; the end goes on record later', async () => {
    for (const fail of [() => void (bench.audit.disk = 'fail'), () => void (bench.audit.refuse = () => true)]) {
      bench = new DeskBench();
      const pending = await approved();
      fail();
      assert.equal(await pending.use(), false);
      bench.audit.disk = 'now';
      bench.audit.refuse = undefined;
      assert.equal(await pending.use(), false);
      bench.time.advance(1000);
      await settle();
      assert.equal(bench.audit.story.at(-1), 'ended used');
    }
  });

  it('when a request ends: it has ended all the same, and goes on record as soon as it can', async () => {
    const expiring = await request();
    const leaving = await request();
    bench.audit.refuse = () => true;
    leaving.cancel('gone');
    bench.time.advance(900_000);
    await settle();
    assert.deepEqual(await expiring.answer, { kind: 'expired' });
    bench.time.advance(1000);
    await settle();
    assert.deepEqual(bench.audit.story, ['requested', 'requested']);
    bench.audit.refuse = undefined;
    bench.time.advance(1000);
    await settle();
    assert.deepEqual(bench.audit.story.slice(2), ['ended cancelled', 'ended expired']);
    bench.time.advance(10_000);
    await settle();
    assert.equal(bench.audit.story.length, 4);
  });
});

describe('the store cannot be written', () => {
  const breakStore = (): void => bench.database.exec("PRAGMA query_only = 'ON'");

  it('when asking: nothing is asked', () => {
    breakStore();
    assert.throws(() => bench.desk.request(heldOperation()), refusedWith('audit-unavailable'));
    assert.deepEqual(bench.audit.story, []);
  });

  it('when answering or using: it does not count', async () => {
    const pending = await request();
    breakStore();
    await assert.rejects(bench.desk.answer(pending.id, alice, 'approve', ''));
    bench.database.exec("PRAGMA query_only = 'OFF'");
    await bench.desk.answer(pending.id, alice, 'approve', '');
    breakStore();
    assert.equal(await pending.use(), false);
  });

  it('when the client goes away: nobody can answer any more all the same', async () => {
    const pending = await request();
    breakStore();
    pending.cancel('gone');
    assert.deepEqual(await pending.answer, { kind: 'cancelled', reason: 'gone' });
    await assert.rejects(bench.desk.answer(pending.id, alice, 'approve', ''), refusedWith('approval-cancelled'));
  });
});

describe('after a restart', () => {
  it('requests of sessions are cancelled, on record; whatever their state', async () => {
    const pending = await request();
    const answered = await approved();
    bench.restart();
    await settle();
    for (const { id } of [pending, answered]) {
      assert.equal(await stateOf(id), 'cancelled');
      await assert.rejects(bench.desk.answer(id, person('bob'), 'approve', ''), refusedWith('approval-cancelled'));
    }
    assert.deepEqual(bench.audit.story.slice(-2), ['ended cancelled', 'ended cancelled']);
    bench.restart();
    await settle();
    assert.equal(bench.audit.story.filter((line) => line === 'ended cancelled').length, 2);
  });

  it('a request whose record may not be durable is cancelled', async () => {
    bench.audit.disk = 'wait';
    const pending = await request({ hold });
    bench.audit.disk = 'now';
    bench.restart();
    assert.equal(await stateOf(pending.id), 'cancelled');
  });

  it('refuse-and-retry: pending ones can be answered, approved ones used, once', async () => {
    const pending = await request({ hold });
    bench.restart();
    await bench.desk.answer(pending.id, alice, 'approve', '');
    bench.restart();
    const retry = await request({ hold, sessionId: 'session-9' });
    assert.equal(retry.alreadyApproved, true);
    assert.deepEqual(await retry.answer, { kind: 'approved', by: ['alice'] });
    assert.equal(await retry.use(), true);
    bench.restart();
    assert.equal((await request({ hold })).alreadyApproved, false);
  });

  it('half an approval stays half: the same person cannot add the other half', async () => {
    const reviews = [{ ...heldOperation().reviews[0]!, approvals: 2 }];
    const pending = await request({ hold, reviews });
    await bench.desk.answer(pending.id, alice, 'approve', '');
    bench.restart();
    await assert.rejects(bench.desk.answer(pending.id, alice, 'approve', ''), refusedWith('access-denied'));
    assert.equal((await bench.desk.answer(pending.id, person('bob'), 'approve', '')).state, 'approved');
  });

  it('what expired meanwhile has expired; what policy changed meanwhile is cancelled', async () => {
    const expired = await request({ hold });
    bench.time.nowMs += 900_000;
    bench.restart();
    assert.equal(await stateOf(expired.id), 'expired');
    const stale = await request({ hold });
    bench.policyVersion = 'policy-2';
    bench.restart();
    assert.equal(await stateOf(stale.id), 'cancelled');
  });

  it('a use that was kept but not recorded goes on record, and is not used again', async () => {
    const pending = await approved({ hold });
    bench.audit.disk = 'wait';
    void pending.use();
    await settle();
    bench.audit.records.pop();
    bench.audit.disk = 'now';
    bench.restart();
    await settle();
    assert.equal(bench.audit.story.at(-1), 'ended used');
    assert.equal((await request({ hold })).alreadyApproved, false);
  });

  it('what ended long ago is forgotten', async () => {
    const old = await request();
    old.cancel('gone');
    await settle();
    bench.time.nowMs += 31 * 86_400_000;
    bench.restart();
    assert.equal(await stateOf(old.id), undefined);
  });
});

describe('policy changes', () => {
  it('requests under another version are cancelled, pending and approved; sessions are told to run it again', async () => {
    const pending = await request();
    const waiting = await approved({ hold });
    bench.policyVersion = 'policy-2';
    bench.desk.policyChanged();
    const answer = await pending.answer;
    assert.equal(answer.kind, 'cancelled');
    assert.match(answer.reason, /policy changed meanwhile; run it again/);
    assert.equal(await stateOf(waiting.id), 'cancelled');
    assert.equal((await request({ hold, policyVersion: 'policy-2' })).alreadyApproved, false);
  });

  it('what is under the version in force stays', async () => {
    const pending = await request();
    bench.desk.policyChanged();
    assert.equal(await stateOf(pending.id), 'pending');
  });

  it('nobody can answer or use what is stale, even before it was cancelled', async () => {
    const pending = await request();
    const approvedOne = await approved();
    bench.policyVersion = 'policy-2';
    assert.equal(await approvedOne.use(), false);
    assert.equal(await stateOf(approvedOne.id), 'approved');
    await assert.rejects(bench.desk.answer(pending.id, alice, 'approve', ''), refusedWith('approval-cancelled'));
    assert.throws(() => bench.desk.request(heldOperation()), refusedWith('approval-cancelled'));
  });
});

it('bytes that changed after approval cannot use it', async () => {
  const held = heldOperation();
  let bytes = 'DELETE FROM customers WHERE id = 1';
  const changing = { ...held, operation: { ...held.operation, exact: () => new TextEncoder().encode(bytes) } };
  const pending = bench.desk.request(changing);
  await settle();
  await bench.desk.answer(pending.id, alice, 'approve', '');
  bytes = 'DELETE FROM customers';
  assert.equal(await pending.use(), false);
});

it('stopping ends the requests of sessions and keeps the others', async () => {
  const waiting = await request();
  const kept = await request({ hold, principal: { ...agent, subject: 'job-8' } });
  bench.desk.stop();
  assert.deepEqual(await waiting.answer, { kind: 'cancelled', reason: 'the gateway is stopping' });
  assert.equal(await stateOf(kept.id), 'pending');
  assert.equal(bench.time.pending, 0);
});
