import assert from 'node:assert/strict';
import { createServer, request, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, describe, it } from 'node:test';
import { GatewayFault } from '../core/fault.ts';
import type { Grant } from '../core/grant.ts';
import { Pipeline } from '../core/pipeline.ts';
import { TestPorts } from '../core/testing/ports.ts';
import { requestProtocols } from '../protocols/registry.ts';
import type { AskedRequest, RequestDialect, TargetAnswer, TargetRead } from '../protocols/request.ts';
import { testEnvironment } from '../protocols/http/testing/masks.ts';
import { nodeCrypto } from './crypto.ts';
import { NotedApprovals } from './http-approvals.ts';
import { exchange } from './http-exchange.ts';
import { listenHttp, type HttpListener } from './http-server.ts';
import { HttpSessions } from './http-sessions.ts';
import { HttpUpstream } from './http-upstream.ts';
import { SessionRegistry } from './sessions.ts';

const closers: (() => Promise<unknown>)[] = [];
after(() => Promise.all(closers.map((close) => close())));

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

/** Another protocol with a place of its own and words of its own. */
const kubernetes: RequestDialect = {
  ...requestProtocols.http,
  name: 'kubernetes',
  place: 'k8s',
  fault: (fault) => ({ status: 403, fields: [], body: new TextEncoder().encode(`Status ${fault.code}`) }),
};

interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly text: string;
}

/** A listener without TLS, a pipeline whose ports are in memory, and a target. */
class World {
  readonly ports = new TestPorts();
  readonly sessions = new SessionRegistry();
  readonly seen: string[] = [];
  /** What must be read at the target before a request can be judged. */
  reads: readonly TargetRead[] = [];
  /** What becomes of what was asked. */
  asked: (asked: AskedRequest, read: readonly TargetAnswer[]) => AskedRequest = (asked) => asked;
  /** What the target says at `/state`. */
  state = 'calm';
  /** Lets the slow answer go. */
  release: (() => void) | undefined;
  readonly #server: Server;
  listener!: HttpListener;
  upstream!: HttpUpstream;

  static async open(options: { readonly idleMs?: number } = {}): Promise<World> {
    const world = new World();
    await world.#start(options);
    return world;
  }

  constructor() {
    this.ports.target = { name: 'crm', protocol: 'http', labels: {}, masking: 'taint', hold: 'wait' };
    this.ports.now = Date.now();
    this.ports.identityEndsAtMs = this.ports.now + 60_000;
    this.#server = createServer((incoming, response) => {
      this.seen.push(`${incoming.method} ${incoming.url}`);
      response.setHeader('content-type', 'text/plain');
      if (incoming.url === '/state') response.end(this.state);
      else if (incoming.url === '/echo') incoming.pipe(response);
      else if (incoming.url === '/large') response.end(Buffer.alloc(5 * 1024 * 1024));
      else if (incoming.url === '/slow') this.release = () => response.end('slow');
      else response.end('upstream');
    });
  }

  async #start({ idleMs }: { readonly idleMs?: number }): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#server.listen(0, '127.0.0.1', resolve);
    });
    this.upstream = new HttpUpstream({ host: '127.0.0.1', port: (this.#server.address() as AddressInfo).port, tls: undefined });
    const approvals = new NotedApprovals(this.ports.approvals);
    const { identity, policy, audit, recordings, clock, newSessionId, maxSessionMs, findTarget } = this.ports;
    const pipeline = new Pipeline({ identity, policy, approvals, audit, recordings, clock, newSessionId, maxSessionMs, findTarget });
    const http = new HttpSessions({ pipeline, sessions: this.sessions, report: () => {}, ...(idleMs === undefined ? {} : { idleMs }) });
    this.listener = await listenHttp({
      host: '127.0.0.1',
      port: 0,
      tls: undefined,
      maxConnections: 100,
      handle: (client) =>
        exchange(client, {
          dialects: [requestProtocols.http, kubernetes],
          target: () => ({
            dialect: requestProtocols.http,
            reads: () => this.reads,
            ask: (request, _session, read) => this.asked(requestProtocols.http.ask(request, testEnvironment(nodeCrypto, []), []), read),
            upstream: this.upstream,
          }),
          sessions: http,
          policy,
          audit,
          approvals,
          gatewayHost: () => 'localhost',
          apiUrl: () => 'https://localhost:8080',
          report: () => {},
        }),
      end: (reason) => http.close(reason),
      failed: () => {},
    });
    closers.push(async () => {
      await this.listener.close('the test is over');
      this.upstream.close();
      this.#server.closeAllConnections();
      this.#server.close();
    });
  }

  hold(): void {
    this.ports.decision = {
      kind: 'hold',
      policies: ['p'],
      message: 'wait',
      reviews: [{ policy: 'p', group: 'dba', approvals: 1, expiresMs: 60_000, message: 'wait' }],
    };
  }

  async recorded(type: string, count: number): Promise<void> {
    await until(() => this.ports.audit.types().filter((one) => one === type).length >= count);
  }

  begin(method: string, path: string, token = 'good') {
    return this.#begin(method, `/http/crm${path}`, token);
  }

  #begin(method: string, path: string, token: string) {
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
    const call = request({
      host: '127.0.0.1',
      port: this.listener.port,
      method,
      path,
      headers: { authorization: `Bearer ${token}`, host: 'localhost' },
    });
    call.on('response', resolve).on('error', reject).end();
    promise.catch(() => {});
    const gone = new Promise<void>((done) => {
      call.once('close', () => done());
    });
    return { call, response: promise, gone };
  }

  ask(method: string, path: string, token?: string): Promise<Answer> {
    return this.#read(this.begin(method, path, token).response);
  }

  askAt(path: string, token = 'good'): Promise<Answer> {
    return this.#read(this.#begin('GET', path, token).response);
  }

  async #read(coming: Promise<IncomingMessage>): Promise<Answer> {
    const response = await coming;
    let text = '';
    for await (const part of response) text += String(part);
    return { status: response.statusCode ?? 0, headers: response.headers, text };
  }
}

async function turns(count = 10): Promise<void> {
  for (let index = 0; index < count; index += 1) {
    await new Promise((resolve) => {
      setTimeout(resolve, 5);
    });
  }
}

async function until(condition: () => boolean): Promise<void> {
  for (let index = 0; !condition(); index += 1) {
    if (index > 1_000) throw new Error('did not happen');
    await turns(1);
  }
}
