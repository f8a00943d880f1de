import assert from 'node:assert/strict';
import { it } from 'node:test';
import * as fc from 'fast-check';
import { GatewayFault } from '../../core/fault.ts';
import { Pipeline } from '../../core/pipeline.ts';
import type { PipelineSession } from '../../core/pipeline-session.ts';
import { TestPorts } from '../../core/testing/ports.ts';
import { forwardOperation, forwardRule, isTaken } from '../../protocols/ssh/forward.ts';
import { testContext } from '../../protocols/ssh/testing.ts';
import { nodeCrypto } from '../crypto.ts';
import type { GlobalReply } from './global-requests.ts';
import { RemoteForwards } from './remote-forwards.ts';
import type { SshUpstream } from './upstream.ts';

const hosts = ['', '*', '0.0.0.0', 'localhost', '127.0.0.1'] as const;
const ports = [0, 0, 8080, 8081, 5432] as const;
const place = { host: fc.constantFrom(...hosts), port: fc.constantFrom(...ports, 40_001, 40_002) };
const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('listen' as const), ...place }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('cancel' as const), ...place }) },
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('answer' as const), willing: fc.boolean() }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('people' as const), approve: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('policy' as const), says: fc.constantFrom('allow', 'deny', 'hold') }) },
);

type Send = Parameters<SshUpstream['ask']>[0];

/** Places at a target that answers each question in its turn, as a server does: it listens on what is free. */
class Target implements SshUpstream {
  /** Where it listens, `host port`, and where it still would, had it not been asked to stop. */
  readonly listening = new Set<string>();
  readonly wanted = new Set<string>();
  readonly isOver = false;
  #nextPort = 40_000;
  readonly #asked: ((willing: boolean) => void)[] = [];

  open(): Promise<never> {
    return Promise.reject(new Error('no channel is opened'));
  }

  close(): void {
    assert.fail('the target kept to the rules');
  }

  ask<T>(send: Send, read: (answer: Uint8Array | undefined) => T): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const told = (answer: Uint8Array | undefined): void => {
      try {
        resolve(read(answer));
      } catch (error) {
        reject(error);
      }
    };
    send({
      tcpipForward: (host: string, port: number) => this.#asked.push((willing) => this.#listen(host, port, willing, told)),
      cancelTcpipForward: (host: string, port: number) => {
        this.wanted.delete(`${host} ${port}`);
        this.#asked.push(() => told(this.listening.delete(`${host} ${port}`) ? new Uint8Array() : undefined));
      },
    });
    return promise;
  }

  /** The oldest question. False: there is none. */
  answer(willing: boolean): boolean {
    const next = this.#asked.shift();
    next?.(willing);
    return next !== undefined;
  }

  #listen(host: string, port: number, willing: boolean, told: (answer: Uint8Array | undefined) => void): void {
    const chosen = port === 0 ? (this.#nextPort += 1) : port;
    const key = `${host} ${chosen}`;
    if (!willing || this.listening.has(key)) {
      told(undefined);
      return;
    }
    this.listening.add(key);
    this.wanted.add(key);
    const bytes = Buffer.alloc(port === 0 ? 4 : 0);
    if (port === 0) bytes.writeUInt32BE(chosen);
    told(bytes);
  }
}

it('fuzz: whatever is asked, answered and cancelled in whatever order, only what the target listens on for the client reaches it, and in the end it listens on nothing', async () => {
  const context = testContext(nodeCrypto);
  const rules = [forwardRule('db.internal', 5432, 'orders'), forwardRule('cache.internal', 40_002, 'cache')];
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 60, size: 'max' }), async (steps) => {
      const world = new TestPorts();
      world.target = { name: 'web', protocol: 'ssh', labels: {}, masking: 'taint', hold: 'wait' };
      const session = await signedIn(world);
      const target = new Target();
      const forwards = new RemoteForwards({
        session,
        upstream: async () => target,
        newForward: (request) => forwardOperation({ ...context, session }, request, rules),
        isTaken: (port) => isTaken(port, rules),
        tell: () => {},
      });
      const replies: Promise<GlobalReply>[] = [];
      for (const one of steps) {
        take(one, { world, target, forwards, replies });
        await settled();
        for (const host of hosts) {
          for (const port of [...ports, 40_001, 40_002, 40_003]) {
            const request = { type: 'forwarded-tcpip', sender: 0, window: 0, packetSize: 0, data: { destIP: host, destPort: port } };
            if (forwards.standing(request) !== undefined) assert.ok(target.wanted.has(`${host} ${port}`), `${host} ${port}`);
          }
        }
        assert.ok(![...target.wanted].some((key) => / (5432|40002)$/.test(key)), 'what belongs to a target of the gateway');
      }
      forwards.end(new GatewayFault('session-ended', { publicMessage: 'over' }));
      await settled();
      while (target.answer(true)) await settled();
      assert.deepEqual([target.listening.size, target.wanted.size, forwards.isAny], [0, 0, false]);
      await Promise.all(replies);
      const of = (type: string): number => world.audit.records.filter((record) => record.type === type).length;
      const allowed = world.audit.records.filter((record) => record.type === 'operation.decided' && record.decision === 'allow').length;
      assert.equal(of('operation.completed'), allowed);
    }),
    { numRuns: 400 },
  );
});

interface Places {
  readonly world: TestPorts;
  readonly target: Target;
  readonly forwards: RemoteForwards;
  readonly replies: Promise<GlobalReply>[];
}

type Step = typeof step extends fc.Arbitrary<infer One> ? One : never;

function take(one: Step, { world, target, forwards, replies }: Places): void {
  switch (one.kind) {
    case 'listen':
    case 'cancel': {
      const name = one.kind === 'listen' ? 'tcpip-forward' : 'cancel-tcpip-forward';
      replies.push(forwards.request(name, { bindAddr: one.host, bindPort: one.port })!);
      break;
    }
    case 'answer':
      target.answer(one.willing);
      break;
    case 'people':
      world.desk.requests.shift()?.reply(one.approve ? { kind: 'approved', by: ['erin'] } : { kind: 'denied', by: 'erin', reason: 'no' });
      break;
    case 'policy':
      world.decision = decisions[one.says]!;
      break;
    default:
      one satisfies never;
  }
}

const decisions: Readonly<Record<string, TestPorts['decision']>> = {
  allow: { kind: 'allow', policies: [] },
  deny: { kind: 'deny', code: 'policy-denied', message: 'no', policies: [] },
  hold: {
    kind: 'hold',
    policies: [],
    reviews: [{ policy: 'p', group: 'dba', approvals: 1, expiresAfterMs: 60_000, message: undefined }],
  } as never,
};

function signedIn(world: TestPorts): Promise<PipelineSession> {
  return new Pipeline(world).open({
    signIn: { credential: 'good', targetName: 'web', acts: () => [], facts: {}, part: undefined, claimedUser: 'web' },
    listenerTarget: undefined,
    protocol: 'ssh',
    peer: '127.0.0.1:1',
  });
}

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
