import assert from 'node:assert/strict';
import { it } from 'node:test';
import { deserialize, serialize } from 'node:v8';
import { GatewayFault } from '../../../core/fault.ts';
import type { ApprovalAnswer, HeldOperation, PendingApproval } from '../../../core/ports.ts';
import { Channel, type Pipe } from './channel.ts';
import { Holds } from './holds.ts';
import type { PrimarySide, WorkerSide } from './messages.ts';
import { RemoteDesk } from './remote-desk.ts';

it('a request reaches the desk with what exactly will run, and its answer comes back', async () => {
  const world = new World();
  const pending = await world.desk.request(held());
  assert.deepEqual([pending.id, pending.message, pending.alreadyApproved], ['a1', 'waiting', false]);
  assert.equal(Buffer.from(world.asked!.operation.exact()).toString(), 'exact bytes');
  assert.deepEqual(world.asked!.operation.unmasked(), { text: 'execute d', runs: ['drop table t'], parameters: ['1', null] });
  assert.deepEqual(world.asked!.operation.runs, ['drop table ***']);
  assert.equal(world.asked!.log, 'workers/1');
  world.answer({ kind: 'approved', by: ['erin'] });
  assert.deepEqual(await pending.answer, { kind: 'approved', by: ['erin'] });
  assert.equal(await pending.use(), true);
  assert.equal(await pending.use(), false, 'it is used once');
});

it('what the desk refuses is refused with its own fault', async () => {
  const world = new World();
  world.refuses = new GatewayFault('limit-exceeded', { publicMessage: 'too many', hint: 'Wait.' });
  await assert.rejects(async () => world.desk.request(held()), { code: 'limit-exceeded', publicMessage: 'too many', hint: 'Wait.' });
});

it('a primary that is gone approves nothing: not a request, not a use', async () => {
  const world = new World();
  const pending = await world.desk.request(held());
  world.answer({ kind: 'approved', by: ['erin'] });
  await pending.answer;
  world.cut();
  assert.equal(await pending.use(), false);
  await assert.rejects(async () => world.desk.request(held()), { code: 'approval-cancelled' });
});

it('a wait ends with the request’s own expiry where the desk says nothing', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout', 'Date'] });
  const world = new World();
  const pending = await world.desk.request(held());
  t.mock.timers.tick(60_000 + 5_000);
  assert.deepEqual(await pending.answer, { kind: 'expired' });
});

it('a client that is gone cancels at once here, and at the desk; a used approval that came too late does not count', async () => {
  const world = new World();
  const pending = await world.desk.request(held());
  const use = pending.use();
  pending.cancel('client disconnected\u0007');
  assert.deepEqual(await pending.answer, { kind: 'cancelled', reason: 'client disconnected\\u{7}' });
  assert.equal(await use, false);
});

it('a worker that dies, or whose session closes, leaves nothing that can be answered', async () => {
  const world = new World();
  await world.desk.request(held());
  world.holds.sessionClosed('s1');
  assert.deepEqual(world.cancelled, ['its session has ended']);
  await world.desk.request(held());
  world.holds.end('the gateway lost the session');
  assert.deepEqual(world.cancelled, ['its session has ended', 'the gateway lost the session']);
});

/** Both ends of a channel, joined by what a pipe does to messages: they are cloned. */
class World {
  readonly desk: RemoteDesk;
  readonly holds: Holds;
  asked: HeldOperation | undefined;
  refuses: GatewayFault | undefined;
  readonly cancelled: string[] = [];
  readonly #worker: Channel<PrimarySide>;
  #answer: (answer: ApprovalAnswer) => void = () => {};

  constructor() {
    const [here, there] = pipes();
    const primary = new Channel<WorkerSide>(
      there,
      {
        holdRequested: (packed) => this.holds.request(packed),
        holdUsed: ({ hold }) => this.holds.use(hold),
        holdCancelled: ({ hold, reason }) => this.holds.cancel(hold, reason),
      } satisfies Partial<PrimarySide>,
      assert.fail,
    );
    this.holds = new Holds({ request: (one) => this.#request(one) }, 'workers/1', (hold, answer) =>
      primary.tell('holdAnswered', { hold, answer }),
    );
    this.#worker = new Channel<PrimarySide>(
      here,
      { holdAnswered: ({ hold, answer }) => this.desk.answered(hold, answer) } satisfies Partial<WorkerSide>,
      assert.fail,
    );
    this.desk = new RemoteDesk(this.#worker);
  }

  answer(answer: ApprovalAnswer): void {
    this.#answer(answer);
  }

  cut(): void {
    this.#worker.close();
  }

  #request(one: HeldOperation): PendingApproval {
    if (this.refuses !== undefined) throw this.refuses;
    this.asked = one;
    const { promise, resolve } = Promise.withResolvers<ApprovalAnswer>();
    this.#answer = resolve;
    let used = 0;
    return {
      id: 'a1',
      alreadyApproved: false,
      expiresAtMs: Date.now() + 60_000,
      message: 'waiting',
      answer: promise,
      use: async () => (used += 1) === 1,
      cancel: (reason) => {
        this.cancelled.push(reason);
        resolve({ kind: 'cancelled', reason });
      },
    };
  }
}

function pipes(): [Pipe, Pipe] {
  const listeners: ((message: unknown, socket: undefined) => void)[] = [];
  const end = (own: number): Pipe => ({
    send: (message, _socket, sent) => {
      const cloned = deserialize(serialize(message)) as unknown;
      queueMicrotask(() => listeners[1 - own]?.(cloned, undefined));
      sent(null);
    },
    onMessage: (listener) => (listeners[own] = listener),
  });
  return [end(0), end(1)];
}

function held(): HeldOperation {
  return {
    operation: {
      id: 's1-1',
      sessionId: 's1',
      protocol: 'postgres',
      acts: [],
      facts: {},
      pureRead: false,
      naming: false,
      text: 'execute d',
      runs: ['drop table ***'],
      textIsExact: false,
      dataClasses: [],
      exact: () => Buffer.from('exact bytes'),
      unmasked: () => ({ text: 'execute d', runs: ['drop table t'], parameters: ['1', null] }),
    },
    principal: {
      issuer: 'ci',
      issuerUrl: 'https://ci.example',
      subject: 'job',
      kind: 'agent',
      groups: [],
      groupsKnown: true,
      claims: {},
      display: 'job',
      tokenId: undefined,
      expiresAtMs: 0,
      authenticatedBy: 'oidc-token',
    },
    target: { name: 'orders', protocol: 'postgres', labels: {}, masking: 'taint', hold: 'wait' },
    reviews: [],
    policyVersion: 'p1',
  };
}
