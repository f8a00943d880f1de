import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { GatewayFault } from '../core/fault.ts';
import type { Grant } from '../core/grant.ts';
import { turns, until, World } from './testing/http-world.ts';

describe('a request', () => {
  it('that may change something reaches the target only once its record is durable', async () => {
    const world = await World.open();
    await world.ask('GET', '/warm');
    world.ports.audit.immediate = false;
    const answer = world.ask('POST', '/a');
    await world.recorded('operation.decided', 2);
    await turns();
    assert.deepEqual(world.seen, ['GET /warm']);
    world.ports.audit.immediate = true;
    world.ports.audit.makeDurable();
    assert.equal((await answer).status, 200);
    assert.deepEqual(world.seen, ['GET /warm', 'POST /a']);
  });

  it('that changes nothing is forwarded at once, and its answer withheld until its record is durable', async () => {
    const world = await World.open();
    await world.ask('GET', '/warm');
    world.ports.audit.immediate = false;
    let answered = false;
    const answer = world.ask('GET', '/a').finally(() => (answered = true));
    await until(() => world.seen.length === 2);
    await turns();
    assert.equal(answered, false);
    world.ports.audit.makeDurable();
    assert.equal((await answer).text, 'upstream');
  });

  it('whose record never becomes durable is answered 503, and nothing of the target’s answer', async () => {
    const world = await World.open();
    await world.ask('GET', '/warm');
    world.ports.audit.immediate = false;
    const answer = world.ask('GET', '/a');
    await until(() => world.seen.length === 2);
    world.ports.audit.fail();
    const { status, text, headers } = await answer;
    assert.deepEqual([status, headers['retry-after']], [503, '5']);
    assert.ok(!text.includes('upstream'));
    assert.equal((await world.ask('GET', '/b')).status, 503, 'while the log is down');
    assert.deepEqual(world.seen, ['GET /warm', 'GET /a']);
  });

  it('without a genuine grant is not forwarded', async () => {
    const world = await World.open();
    await world.ask('GET', '/warm');
    const forged: Grant = { sessionId: 's1', operationId: 's1-1', sequence: 0 };
    const sending = world.upstream.send(
      { method: 'GET', target: '/forged', fields: [], body: { kind: 'none' } },
      forged,
      's1',
      new AbortController().signal,
    );
    await assert.rejects(sending, (error) => error instanceof GatewayFault && error.code === 'internal');
    assert.deepEqual(world.seen, ['GET /warm']);
  });

  it('that policy cannot be asked about is denied', async () => {
    const world = await World.open();
    world.ports.decision = new GatewayFault('policy-unavailable', { publicMessage: 'policy could not be evaluated' });
    assert.equal((await world.ask('GET', '/a')).status, 503);
    assert.deepEqual(world.seen, []);
  });

  it('that cannot be recorded is refused, and its session ends', async () => {
    const world = await World.open();
    await world.ask('GET', '/warm');
    world.ports.recording.broken = true;
    assert.equal((await world.ask('POST', '/a')).status, 503);
    await world.recorded('session.closed', 1);
    assert.deepEqual(world.seen, ['GET /warm']);
  });

  it('of a principal who is refused at the first door opens nothing', async () => {
    const world = await World.open();
    const { status, headers } = await world.ask('GET', '/a', 'bad');
    assert.deepEqual([status, headers.connection], [401, 'close']);
    assert.match(String(headers['www-authenticate']), /^Bearer /);
    assert.equal(world.sessions.list().length, 0);
    assert.deepEqual(world.ports.audit.types(), ['sign-in.refused']);
  });
});

describe('a request by the place of another protocol', () => {
  it('does not reach the target, also where its credential has a session there', async () => {
    const world = await World.open();
    assert.equal((await world.ask('GET', '/a')).status, 200);
    const { status, text } = await world.askAt('/k8s/crm/b');
    assert.deepEqual([status, text], [403, 'Status target-unknown']);
    assert.deepEqual(world.seen, ['GET /a']);
    assert.equal(world.sessions.list().length, 1);
  });

  it('is answered in its words also before anyone is signed in', async () => {
    const world = await World.open();
    assert.equal((await world.askAt('/k8s/crm/b', 'bad')).text, 'Status authentication-failed');
    assert.match((await world.askAt('/http/crm/b', 'bad')).text, /urn:sallyport:problem/);
  });
});

describe('a request that can be judged only by what its target says', () => {
  const judged = (world: World): void => {
    world.reads = [{ target: '/state', fields: [] }];
    world.asked = (asked, [state]) => {
      const reason = `${state?.status} ${String(Buffer.from(state?.body ?? []))}`;
      return {
        ...asked,
        operation: (session) => Object.assign(asked.operation(session), { facts: { reason } }),
      };
    };
  };

  it('has it read first, under the grant of its session', async () => {
    const world = await World.open();
    judged(world);
    assert.equal((await world.ask('GET', '/a')).status, 200);
    assert.deepEqual(world.seen, ['GET /state', 'GET /a']);
    assert.deepEqual(world.ports.questions.at(-1)?.facts, { reason: '200 calm' });
  });

  it('is told where it cannot be read', async () => {
    const world = await World.open();
    judged(world);
    world.reads = [{ target: '/large', fields: [] }];
    await world.ask('GET', '/a');
    assert.deepEqual(world.ports.questions.at(-1)?.facts, { reason: '0 ' });
  });

  for (const [state, status, seen] of [
    ['calm', 200, ['GET /state', 'GET /state', 'POST /a']],
    ['upset', 403, ['GET /state', 'GET /state']],
  ] as const) {
    it(`is read again once people have answered: ${state}`, async () => {
      const world = await World.open();
      judged(world);
      world.hold();
      const answer = world.ask('POST', '/a');
      await until(() => world.ports.desk.requests.length === 1);
      world.state = state;
      world.ports.desk.requests[0]?.reply({ kind: 'approved', by: ['erin'] });
      assert.equal((await answer).status, status);
      assert.deepEqual(world.seen, seen);
      await world.recorded('operation.completed', 1);
      const completed = world.ports.audit.records.find(({ type }) => type === 'operation.completed');
      assert.equal((completed as { outcome?: string }).outcome, status === 200 ? 'succeeded' : 'cancelled');
    });
  }
});

describe('what a protocol says of a request', () => {
  it('may put another body in the place of the one that came', async () => {
    const world = await World.open();
    world.asked = (asked) => ({ ...asked, upstream: { ...asked.upstream, body: Buffer.from('judged') } });
    assert.equal((await world.ask('POST', '/echo')).text, 'judged');
  });

  it('counts rows, which have limits', async () => {
    const world = await World.open();
    const counted = (rows: number): void => {
      world.asked = (asked) => ({
        ...asked,
        answer: () => ({
          kind: 'whole',
          coding: undefined,
          maxBytes: 100,
          tooLong: () => new GatewayFault('masking-refused', { publicMessage: 'too long' }),
          mask: (body) => ({ fields: [], body, rows, masked: new Map() }),
        }),
      });
    };
    world.ports.target = { ...world.ports.target, limits: { rows: 5, rowsPerMinute: 8 } };
    counted(5);
    assert.equal((await world.ask('GET', '/a')).status, 200);
    const completed = world.ports.audit.records.find(({ type }) => type === 'operation.completed');
    assert.equal((completed as { rows?: number }).rows, 5);
    assert.match((await world.ask('GET', '/b')).text, /rows_per_minute \(8\)/);
    counted(6);
    assert.match((await world.ask('GET', '/c')).text, /rows \(5\) of target crm is exceeded/);
  });
});

describe('whoever guesses tokens', () => {
  it('is heard no more after twenty, also with a good one; who has a session goes on', async () => {
    const world = await World.open();
    assert.equal((await world.ask('GET', '/a')).status, 200);
    const statuses = new Set<number>();
    for (let attempt = 0; attempt < 25; attempt += 1)
      statuses.add((await world.ask('GET', '/b', `bad ${attempt}`.replace(' ', '-'))).status);
    assert.deepEqual([...statuses], [401, 429]);
    assert.equal(world.ports.audit.types().filter((type) => type === 'sign-in.refused').length, 20);
    assert.equal((await world.ask('GET', '/a')).status, 200);
    world.sessions.end(() => true, 'over');
    const { status, headers, text } = await world.ask('GET', '/a');
    assert.equal(status, 429);
    assert.match(text, /too many failed sign-ins from this address/);
    assert.ok(Number(headers['retry-after']) > 0);
  });
});

describe('a held request', () => {
  it('whose client goes away is cancelled', async () => {
    const world = await World.open();
    world.hold();
    const { call, gone } = world.begin('POST', '/a');
    await until(() => world.ports.desk.requests.length === 1);
    call.destroy();
    await gone;
    assert.deepEqual(await world.ports.desk.requests[0]?.answer, { kind: 'cancelled', reason: 'the client went away' });
    assert.deepEqual(world.seen, []);
  });

  it('ends with its session', async () => {
    const world = await World.open();
    world.hold();
    const answer = world.ask('POST', '/a');
    await until(() => world.ports.desk.requests.length === 1);
    world.sessions.end(() => true, 'an operator said so');
    assert.match((await answer).text, /an operator said so/);
    assert.deepEqual(world.seen, []);
  });
});

describe('a session', () => {
  it('is one for a credential, and ends when nothing was asked for a while', async () => {
    const world = await World.open({ idleMs: 50 });
    await Promise.all([world.ask('GET', '/a'), world.ask('GET', '/b')]);
    assert.equal(world.sessions.list().length, 1);
    await until(() => world.sessions.list().length === 0);
    assert.deepEqual(
      world.ports.audit.types().filter((type) => type.startsWith('session')),
      ['session.opened', 'session.closed'],
    );
    assert.equal((await world.ask('GET', '/c')).status, 200);
  });

  it('does not end while something runs', async () => {
    const world = await World.open({ idleMs: 50 });
    const answer = world.ask('GET', '/slow');
    await until(() => world.release !== undefined);
    await turns(30);
    assert.equal(world.sessions.list().length, 1);
    world.release?.();
    assert.equal((await answer).status, 200);
  });

  it('that opens when the gateway stops is refused, and what runs is told so', async () => {
    const world = await World.open();
    const answer = world.ask('GET', '/slow');
    await until(() => world.release !== undefined);
    const closing = world.listener.close('the gateway is stopping');
    const { status, text } = await answer;
    assert.equal(status, 503);
    assert.match(text, /shutting-down/);
    await closing;
  });
});
