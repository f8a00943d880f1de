import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Decision } from './decision.ts';
import type { Outcome } from './effect.ts';
import { GatewayFault } from './fault.ts';
import { isGenuine, takeMint, type Grant } from './grant.ts';
import type { Operation } from './operation.ts';
import { Pipeline } from './pipeline.ts';
import type { PipelineSession } from './pipeline-session.ts';
import { auditDown, TestPorts } from './testing/ports.ts';

const hold: Decision = { kind: 'hold', policies: ['p'], reviews: [], message: 'Ask the DBA.' };
const deny: Decision = { kind: 'deny', code: 'policy-denied', policies: ['p'], message: 'No.' };
const held = (): void => undefined;

describe('the first door', () => {
  it('opens for who may connect, on record before anything else', async () => {
    const { ports, session } = await opened();
    assert.deepEqual(ports.audit.types(), ['session.opened']);
    assert.equal(isGenuine(session.grant, session.id), true);
    assert.equal(session.endsAtMs, 30_000, 'the identity ends before the longest session would');
  });

  it('waits for the record', async () => {
    const ports = new TestPorts();
    ports.audit.immediate = false;
    let isOpen = false;
    const opening = open(ports).then(() => (isOpen = true));
    await turns();
    assert.equal(isOpen, false);
    ports.audit.makeDurable();
    await opening;
    assert.equal(isOpen, true);
  });

  for (const [what, arrange, code] of [
    ['a bad credential', () => ({ credential: 'bad' }), 'authentication-failed'],
    ['an unknown target', () => ({ targetName: 'nowhere' }), 'target-unknown'],
    ['no target at all', () => ({ targetName: undefined }), 'target-unknown'],
    ['a target of another protocol', (ports: TestPorts) => void (ports.target = { ...ports.target, protocol: 'ssh' }), 'target-unknown'],
    ['who may not connect', (ports: TestPorts) => void (ports.connect = deny), 'access-denied'],
    ['a connection that would have to wait for approval', (ports: TestPorts) => void (ports.connect = hold), 'access-denied'],
  ] as const) {
    it(`stays shut for ${what}, on record`, async () => {
      const ports = new TestPorts();
      const signIn = arrange(ports) ?? {};
      await assert.rejects(open(ports, signIn), { code });
      assert.deepEqual(ports.audit.types(), ['sign-in.refused']);
    });
  }

  it('stays shut where the log is down, or its record cannot be made durable', async () => {
    const down = new TestPorts();
    down.audit.down = true;
    await assert.rejects(open(down), { code: 'audit-unavailable' });
    const late = new TestPorts();
    late.audit.immediate = false;
    const opening = open(late);
    await turns();
    late.audit.fail();
    await assert.rejects(opening, { code: 'audit-unavailable' });
  });

  it('stays shut where the session could not be recorded, and what was opened on record is closed on record', async () => {
    const ports = new TestPorts();
    ports.recording.broken = true;
    await assert.rejects(open(ports), { code: 'recording-unavailable' });
    assert.deepEqual(ports.audit.types(), ['session.opened', 'session.closed', 'sign-in.refused']);
  });

  it('takes the listener’s target before the client’s word', async () => {
    const ports = new TestPorts();
    const session = await open(ports, { targetName: 'nowhere' }, 'orders');
    assert.equal(session.target.name, 'orders');
  });
});

describe('the second door', () => {
  it('grants a pure read before its record is durable', async () => {
    const { ports, session } = await opened();
    ports.audit.immediate = false;
    const outcome = session.decide(operation(session, { pureRead: true }), held);
    assert.equal(granted(outcome).sequence, 1);
    assert.equal(ports.audit.durableCount, 1, 'only the session’s own record is');
  });

  it('grants anything else only once its record is durable', async () => {
    const { ports, session } = await opened();
    ports.audit.immediate = false;
    const answers: Outcome[] = [];
    const deciding = Promise.resolve(session.decide(operation(session), held)).then((outcome) => answers.push(outcome));
    await turns();
    assert.deepEqual(answers, []);
    ports.audit.makeDurable();
    await deciding;
    assert.equal(isGenuine(granted(answers[0]!), session.id), true);
  });

  it('stays shut where the record never becomes durable', async () => {
    const { ports, session } = await opened();
    ports.audit.immediate = false;
    const outcome = session.decide(operation(session), held);
    ports.audit.fail();
    assert.equal(refusal(await outcome), 'audit-unavailable');
  });

  it('stays shut where the log is down, for reads too', async () => {
    const { ports, session } = await opened();
    ports.audit.down = true;
    for (const pureRead of [true, false])
      assert.equal(refusal(await session.decide(operation(session, { pureRead }), held)), 'audit-unavailable');
  });

  it('stays shut where the session can no longer be recorded', async () => {
    const { ports, session } = await opened();
    ports.recording.broken = true;
    for (const pureRead of [true, false])
      assert.equal(refusal(await session.decide(operation(session, { pureRead }), held)), 'recording-unavailable');
  });

  it('stays shut for what policy denies, on record, and where policy fails', async () => {
    const { ports, session } = await opened();
    ports.decision = deny;
    assert.equal(refusal(await session.decide(operation(session), held)), 'policy-denied');
    ports.decision = new GatewayFault('policy-unavailable', { publicMessage: 'x' });
    assert.equal(refusal(await session.decide(operation(session), held)), 'policy-unavailable');
    assert.deepEqual(
      ports.audit.records.map((record) => (record.type === 'operation.decided' ? `${record.decision} ${record.code}` : record.type)),
      ['session.opened', 'deny policy-denied', 'deny policy-unavailable'],
    );
  });

  it('refuses where policy denies even though the log is down: a denial needs no record', async () => {
    const { ports, session } = await opened();
    ports.decision = deny;
    ports.audit.down = true;
    assert.equal(refusal(await session.decide(operation(session), held)), 'policy-denied');
  });

  it('lets a statement be named under the session’s grant, unrecorded, unless policy denies it', async () => {
    const { ports, session } = await opened();
    for (const decision of [{ kind: 'allow', policies: [] }, hold] as const) {
      ports.decision = decision;
      assert.equal(granted(session.decide(operation(session, { naming: true }), held)), session.grant);
    }
    ports.decision = deny;
    assert.equal(refusal(await session.decide(operation(session, { naming: true }), held)), 'policy-denied');
    assert.deepEqual(ports.audit.types(), ['session.opened', 'operation.decided']);
  });

  it('records what the protocol itself refuses', async () => {
    const { ports, session } = await opened();
    const fault = new GatewayFault('unclassified', { publicMessage: 'x' });
    assert.equal(refusal(session.refuse(operation(session), fault)), 'unclassified');
    assert.deepEqual(ports.audit.types(), ['session.opened', 'operation.decided']);
  });
});

describe('a grant', () => {
  it('ends with its operation, whose end is on record once', async () => {
    const { ports, session } = await opened();
    const grant = granted(await session.decide(operation(session), held));
    session.complete({ operationId: grant.operationId, outcome: 'succeeded', rows: 1, bytes: 2, masked: {} });
    assert.equal(isGenuine(grant, session.id), false);
    session.complete({ operationId: grant.operationId, outcome: 'failed', rows: 1, bytes: 2, masked: {} });
    assert.deepEqual(ports.audit.types(), ['session.opened', 'operation.decided', 'operation.completed']);
  });

  it('cannot be made, copied, changed or carried into another session', async () => {
    const { session } = await opened();
    const grant = granted(await session.decide(operation(session), held));
    assert.equal(isGenuine({ sessionId: session.id, operationId: 's1-1', sequence: 1 }, session.id), false);
    assert.equal(isGenuine({ ...grant }, session.id), false);
    assert.equal(isGenuine(Object.create(grant) as Grant, session.id), false);
    assert.equal(isGenuine(structuredClone(grant), session.id), false);
    assert.equal(isGenuine(new Proxy(grant, {}), session.id), false);
    const made = grant.constructor as new (...parts: unknown[]) => Grant;
    assert.throws(() => new made(undefined, session.id, 's1-1', 1), { code: 'internal' });
    class Heir extends made {}
    assert.throws(() => new Heir(Symbol('mint'), session.id, 's1-1', 1), { code: 'internal' });
    assert.equal(isGenuine(grant, 's2'), false);
    assert.throws(() => Object.assign(grant, { sessionId: 's2' }), TypeError);
  });

  it('comes from one mint, which the pipeline has', () => {
    assert.throws(() => takeMint(), { code: 'internal' });
  });
});

describe('an operation that waits for people', () => {
  it('tells the client at once and runs when approved, after its use and its record', async () => {
    const { ports, session } = await opened();
    ports.decision = hold;
    const messages: string[] = [];
    const outcome = session.decide(operation(session, { pureRead: true }), (message) => messages.push(message));
    assert.deepEqual(messages, ['waiting for approval by dba']);
    const [approval] = ports.desk.requests;
    approval!.reply({ kind: 'approved', by: ['ann'] });
    granted(await outcome);
    assert.equal(approval!.uses, 1);
    const decided = ports.audit.records.at(-1);
    assert.deepEqual(decided?.type === 'operation.decided' && decided.approvals, ['a1']);
  });

  it('even a read waits for the disk once it was approved', async () => {
    const { ports, session } = await opened();
    ports.decision = hold;
    const answers: Outcome[] = [];
    const deciding = Promise.resolve(session.decide(operation(session, { pureRead: true }), held)).then((one) => answers.push(one));
    ports.audit.immediate = false;
    ports.desk.requests[0]!.reply({ kind: 'approved', by: ['ann'] });
    await turns();
    assert.deepEqual(answers, []);
    ports.audit.makeDurable();
    await deciding;
    granted(answers[0]!);
  });

  for (const [answer, code] of [
    [{ kind: 'denied', by: 'ann', reason: 'not today' }, 'approval-denied'],
    [{ kind: 'expired' }, 'approval-expired'],
    [{ kind: 'cancelled', reason: 'gone' }, 'approval-cancelled'],
  ] as const) {
    it(`is refused when ${answer.kind}`, async () => {
      const { ports, session } = await opened();
      ports.decision = hold;
      const outcome = session.decide(operation(session), held);
      ports.desk.requests[0]!.reply(answer);
      assert.equal(refusal(await outcome), code);
      assert.deepEqual(ports.audit.types(), ['session.opened', 'operation.decided']);
    });
  }

  it('ends when its client cancels', async () => {
    const { ports, session } = await opened();
    ports.decision = hold;
    const asked = operation(session);
    const outcome = session.decide(asked, held);
    assert.equal(session.cancelHold('another', 'x'), false);
    assert.equal(session.cancelHold(asked.id, 'cancelled by the client'), true);
    assert.equal(refusal(await outcome), 'approval-cancelled');
    assert.equal(session.cancelHold(asked.id, 'x'), false);
  });

  it('is not run under another policy than it was approved under, however late that changes', async () => {
    for (const late of [false, true]) {
      const { ports, session } = await opened();
      ports.decision = hold;
      const outcome = session.decide(operation(session), held);
      const [approval] = ports.desk.requests;
      const change = (): void => void (ports.policyVersion = 'v2');
      if (late) approval!.whileUsing = change;
      else change();
      approval!.reply({ kind: 'approved', by: ['ann'] });
      assert.equal(refusal(await outcome), 'approval-cancelled');
      assert.equal(approval!.uses, late ? 1 : 0, 'an approval that is stale is not used up');
    }
  });

  it('is not run where the approval was used meanwhile, or its use cannot be recorded', async () => {
    for (const [usable, code] of [
      [false, 'approval-cancelled'],
      [auditDown(), 'audit-unavailable'],
    ] as const) {
      const { ports, session } = await opened();
      ports.decision = hold;
      const outcome = session.decide(operation(session), held);
      ports.desk.requests[0]!.usable = usable;
      ports.desk.requests[0]!.reply({ kind: 'approved', by: ['ann'] });
      assert.equal(refusal(await outcome), code);
    }
  });

  it('is refused where nobody can be asked, or the client cannot be told', async () => {
    const { ports, session } = await opened();
    ports.decision = hold;
    const untold = await session.decide(operation(session), () => {
      throw new Error('the client is gone');
    });
    assert.equal(refusal(untold), 'internal');
    assert.deepEqual(await ports.desk.requests[0]!.answer, { kind: 'cancelled', reason: 'the operation was refused' });
    ports.audit.down = true;
    assert.equal(refusal(await session.decide(operation(session), held)), 'audit-unavailable');
  });

  it('ends with its session, also while its approval is being used', async () => {
    for (const late of [false, true]) {
      const { ports, session } = await opened();
      ports.decision = hold;
      const outcome = session.decide(operation(session), held);
      const [approval] = ports.desk.requests;
      if (late) {
        approval!.whileUsing = () => void session.close('the end');
        approval!.reply({ kind: 'approved', by: ['ann'] });
      } else await session.close('the end');
      assert.equal(refusal(await outcome), 'approval-cancelled');
    }
  });
});

describe('refuse and retry', () => {
  const retrying = async (): Promise<{ ports: TestPorts; session: PipelineSession }> => {
    const ports = new TestPorts();
    ports.target = { ...ports.target, hold: 'refuse-and-retry' };
    ports.decision = hold;
    return { ports, session: await open(ports) };
  };

  it('refuses at once, naming the approval', async () => {
    const { session } = await retrying();
    const outcome = await session.decide(operation(session), held);
    assert.equal(refusal(outcome), 'approval-required');
    assert.match((outcome as { fault: GatewayFault }).fault.hint ?? '', /a1/);
  });

  it('grants what was approved meanwhile, once', async () => {
    const { ports, session } = await retrying();
    ports.desk.alreadyApproved = true;
    granted(await session.decide(operation(session), held));
    assert.equal(ports.desk.requests[0]!.uses, 1);
  });

  it('tells what a reviewer refused', async () => {
    const { ports, session } = await retrying();
    ports.desk.known = { kind: 'denied', by: 'ann', reason: '' };
    assert.equal(refusal(await session.decide(operation(session), held)), 'approval-denied');
  });
});

describe('the end of a session', () => {
  it('leaves nothing open: what runs is unknown, what is held ends, nothing is granted any more', async () => {
    const { ports, session } = await opened();
    const grant = granted(await session.decide(operation(session), held));
    await session.close('the end');
    await session.close('again');
    assert.deepEqual(ports.audit.types(), ['session.opened', 'operation.decided', 'operation.completed', 'session.closed']);
    const [, , completed, closed] = ports.audit.records;
    assert.equal(completed?.type === 'operation.completed' && completed.outcome, 'unknown');
    assert.equal(closed?.type === 'session.closed' && closed.recording?.file, 's1.jsonl');
    assert.equal(isGenuine(grant, session.id), false);
    assert.equal(isGenuine(session.grant, session.id), false);
    assert.equal(refusal(await session.decide(operation(session), held)), 'session-ended');
  });

  it('that comes before a record is durable leaves its operation refused', async () => {
    const { ports, session } = await opened();
    ports.audit.immediate = false;
    const outcome = session.decide(operation(session), held);
    const closing = session.close('the end');
    ports.audit.makeDurable();
    assert.equal(refusal(await outcome), 'session-ended');
    await closing;
  });

  it('is on record whatever else fails', async () => {
    const { ports, session } = await opened();
    granted(await session.decide(operation(session), held));
    ports.decision = hold;
    const outcome = session.decide(operation(session), held);
    ports.desk.requests[0]!.cancel = () => {
      throw auditDown();
    };
    ports.recording.broken = true;
    await session.close('the end');
    assert.deepEqual(ports.audit.types(), ['session.opened', 'operation.decided', 'operation.completed', 'session.closed']);
    const closed = ports.audit.records.at(-1);
    assert.equal(closed?.type === 'session.closed' && closed.recording, undefined);
    ports.desk.requests[0]!.reply({ kind: 'approved', by: ['ann'] });
    assert.notEqual(refusal(await outcome), 'granted');
  });
});

async function opened(): Promise<{ ports: TestPorts; session: PipelineSession }> {
  const ports = new TestPorts();
  return { ports, session: await open(ports) };
}

function open(
  ports: TestPorts,
  signIn: { readonly credential?: string; readonly targetName?: string | undefined } = {},
  listenerTarget?: string,
): Promise<PipelineSession> {
  return new Pipeline(ports).open({
    signIn: {
      credential: 'good',
      targetName: 'orders',
      acts: (name) => [{ action: 'connect', object: { type: 'Target', id: name } }],
      facts: {},
      part: undefined,
      claimedUser: 'agent',
      ...signIn,
    },
    listenerTarget,
    protocol: 'postgres',
    peer: '127.0.0.1:1',
  });
}

function operation(session: PipelineSession, some: Partial<Operation> = {}): Operation {
  return {
    id: session.nextOperationId(),
    sessionId: session.id,
    protocol: 'postgres',
    acts: [{ action: 'sql:delete', object: { type: 'Relation', id: 'orders/public.orders' } }],
    facts: {},
    pureRead: false,
    naming: false,
    text: 'delete from orders',
    textIsExact: true,
    dataClasses: [],
    exact: () => new Uint8Array(0),
    unmasked: () => ({ text: 'delete from orders', runs: [], parameters: [] }),
    ...some,
  };
}

function granted(outcome: Outcome | Promise<Outcome>): Grant {
  if (outcome instanceof Promise) assert.fail('not answered yet');
  if (outcome.kind !== 'granted') assert.fail(outcome.fault.message);
  return outcome.grant;
}

function refusal(outcome: Outcome | Promise<Outcome>): string {
  if (outcome instanceof Promise) assert.fail('not answered yet');
  return outcome.kind === 'refused' ? outcome.fault.code : 'granted';
}

/** Everything that can happen without the disk has happened. */
async function turns(): Promise<void> {
  for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
}
