import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { after, beforeEach, describe, it } from 'node:test';
import * as schema from './schema.ts';
import { startApi } from './server.ts';
import type { ApiServer } from './server.ts';
import { approval, credential, liveSession, person, TestContext } from './testing/context.ts';

let context: TestContext;
let server: ApiServer;
let url: string;
const killed: string[] = [];

beforeEach(async () => {
  context = new TestContext();
  killed.length = 0;
  context.live.set(
    's-1',
    liveSession('s-1', (reason) => killed.push(reason)),
  );
  context.file(approval('a-1'));
  context.issued.set('cred-1', credential('cred-1', person('repo:7741', [])));
  context.recorded.set('s-1', '{"v":1}\n');
  await server?.close();
  server = await startApi(context, { host: '127.0.0.1', port: 0, heartbeatMs: 20 });
  url = `http://127.0.0.1:${server.port}`;
});
after(async () => await server.close());

const ask = async (path: string, token?: string, init: RequestInit = {}): Promise<Response> =>
  await fetch(`${url}${path}`, {
    ...init,
    headers: { ...(token === undefined ? {} : { authorization: `Bearer ${token}` }), ...(init.headers as Record<string, string>) },
  });

const post = async (path: string, token: string | undefined, body: unknown): Promise<Response> =>
  await ask(path, token, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });

describe('who may do what', () => {
  /** Every route that needs a sign-in, how it is asked, and who may. A route that is missing here fails the last test. */
  const explain = { target: 'orders', principal: {} };
  const matrix: readonly [route: string, path: string, body: unknown, allowed: readonly string[]][] = [
    ['GET /api/v1/whoami', '/api/v1/whoami', undefined, ['admin', 'reviewer', 'auditor', 'operator', 'stranger']],
    ['GET /api/v1/credentials', '/api/v1/credentials', undefined, ['admin', 'operator']],
    ['DELETE /api/v1/credentials/{id}', '/api/v1/credentials/cred-1?reason=r', undefined, ['admin', 'operator']],
    ['GET /api/v1/sessions', '/api/v1/sessions', undefined, ['admin', 'auditor', 'operator']],
    ['GET /api/v1/sessions/{id}', '/api/v1/sessions/s-1', undefined, ['admin', 'auditor', 'operator']],
    ['GET /api/v1/sessions/{id}/recording', '/api/v1/sessions/s-1/recording', undefined, ['auditor', 'operator']],
    ['GET /api/v1/sessions/{id}/watch', '/api/v1/sessions/s-1/watch', undefined, ['admin', 'auditor', 'operator']],
    ['DELETE /api/v1/sessions/{id}', '/api/v1/sessions/s-1?reason=r', undefined, ['admin', 'operator']],
    ['GET /api/v1/approvals', '/api/v1/approvals', undefined, ['admin', 'reviewer', 'auditor', 'operator']],
    ['GET /api/v1/approvals/events', '/api/v1/approvals/events', undefined, ['admin', 'reviewer', 'auditor', 'operator']],
    ['GET /api/v1/approvals/{id}', '/api/v1/approvals/a-1', undefined, ['admin', 'reviewer', 'auditor', 'operator']],
    ['POST /api/v1/approvals/{id}/approve', '/api/v1/approvals/a-1/approve', {}, ['reviewer']],
    ['POST /api/v1/approvals/{id}/deny', '/api/v1/approvals/a-1/deny', { reason: 'no' }, ['reviewer']],
    ['GET /api/v1/audit/records', '/api/v1/audit/records', undefined, ['auditor']],
    ['GET /api/v1/audit/tail', '/api/v1/audit/tail', undefined, ['auditor']],
    ['GET /api/v1/audit/checkpoint', '/api/v1/audit/checkpoint', undefined, ['admin', 'auditor', 'operator']],
    ['POST /api/v1/policy/explain', '/api/v1/policy/explain', explain, ['admin', 'auditor', 'operator']],
  ];
  const open = ['/healthz', '/readyz', '/metrics', '/.well-known/sallyport', '/openapi.json', '/approvals/a-1'];

  for (const [route, path, body, allowed] of matrix) {
    const request = async (token: string | undefined): Promise<number> => {
      const [method] = route.split(' ') as [string];
      const response = method === 'POST' ? await post(path, token, body) : await ask(path, token, { method });
      await response.body?.cancel();
      return response.status;
    };
    for (const role of ['admin', 'reviewer', 'auditor', 'operator', 'stranger']) {
      it(`${route} as ${role}: ${allowed.includes(role) ? 'done' : 'refused'}`, async () => {
        assert.equal(await request(role), allowed.includes(role) ? 200 : 403);
        if (!allowed.includes(role)) assert.equal(context.entries.at(-1)?.record.type, 'administration');
      });
    }
    it(`${route} without or with a wrong token, or as a job: not signed in`, async () => {
      assert.equal(await request(undefined), 401);
      assert.equal(await request('forged'), 401);
      assert.equal(await request('job'), 401);
      assert.deepEqual(killed, []);
    });
  }

  for (const path of open) {
    it(`${path} is open`, async () => assert.equal((await ask(path)).status, 200));
  }

  it('covers every route', () => {
    const covered = new Set([
      ...matrix.map(([route]) => route),
      ...open.map((path) => `GET ${path.replace('a-1', '{id}')}`),
      'POST /oauth/token',
      // 404 without such a listener: see token.test.ts.
      'GET /.well-known/sallyport/ssh-host-keys',
    ]);
    assert.deepEqual(
      [...server.routes].filter((route) => !covered.has(route)),
      [],
    );
  });
});

describe('the record comes first', () => {
  const reads = [
    '/api/v1/sessions',
    '/api/v1/sessions/s-1',
    '/api/v1/sessions/s-1/recording',
    '/api/v1/audit/records',
    '/api/v1/audit/checkpoint',
  ];
  for (const path of reads) {
    it(`${path}: no answer before its record is durable`, async () => {
      const { promise, resolve } = Promise.withResolvers<void>();
      context.disk = promise;
      let answered = false;
      const response = ask(path, 'auditor').then((response) => {
        answered = true;
        return response;
      });
      while (context.entries.length === 0) await new Promise((resolve) => setImmediate(resolve));
      for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
      assert.equal(answered, false);
      assert.equal(context.entries[0]?.record.type, 'evidence.read');
      resolve();
      assert.equal((await response).status, 200);
    });

    it(`${path}: 503 and nothing else while the log cannot be written`, async () => {
      context.auditDown = true;
      const response = await ask(path, 'auditor');
      assert.equal(response.status, 503);
      assert.equal(response.headers.get('content-type'), 'application/problem+json; charset=utf-8');
      assert.equal(response.headers.get('retry-after'), '1');
      assert.deepEqual(Object.keys((await response.json()) as object), ['type', 'title', 'status', 'code', 'detail']);
    });
  }

  it('a session is killed only after that is on record', async () => {
    context.auditDown = true;
    assert.equal((await ask('/api/v1/sessions/s-1?reason=runaway', 'operator', { method: 'DELETE' })).status, 503);
    assert.deepEqual(killed, []);
    context.auditDown = false;
    assert.equal((await ask('/api/v1/sessions/s-1?reason=runaway', 'operator', { method: 'DELETE' })).status, 200);
    assert.deepEqual(killed, ['runaway']);
    const record = context.entries.at(-1)?.record;
    assert.equal(record?.type === 'administration' && record.action, 'session.kill');
  });

  it('the exact text of a request goes only to those who may answer, and that is on record', async () => {
    const seen = schema.approvalDetail.parse(await (await ask('/api/v1/approvals/a-1', 'reviewer')).json());
    assert.equal(seen.exact?.text, "delete from t where ssn = '123-45-6789'");
    const record = context.entries.at(-1)?.record;
    assert.equal(record?.type === 'evidence.read' && record.what, 'approval.exact');
    const masked = await (await ask('/api/v1/approvals/a-1', 'auditor')).text();
    assert.ok(!masked.includes('123-45'));
    assert.equal((await ask('/api/v1/approvals/a-1', 'other-reviewer')).status, 404);
  });
});

describe('answers', () => {
  it('have the shapes that the OpenAPI document promises', async () => {
    const shapes = [
      ['/api/v1/whoami', 'auditor', schema.whoami],
      ['/api/v1/sessions', 'auditor', schema.sessionList],
      ['/api/v1/sessions/s-1', 'auditor', schema.sessionDetail],
      ['/api/v1/approvals', 'auditor', schema.approvalList],
      ['/api/v1/credentials', 'operator', schema.credentialList],
      ['/api/v1/audit/records', 'auditor', schema.auditPage],
      ['/api/v1/audit/checkpoint', 'auditor', schema.checkpoint],
      ['/.well-known/sallyport', undefined, schema.wellKnown],
    ] as const;
    for (const [path, token, shape] of shapes) shape.parse(await (await ask(path, token)).json());
  });

  it('sessions: live, closed and interrupted ones are told apart', async () => {
    for (const session of ['s-0', 's-x', 's-1']) context.audit.append(opened(session));
    context.audit.append({ type: 'session.closed', session: 's-0', reason: 'client left', operations: 2, duration_ms: 5 });
    const { sessions } = schema.sessionList.parse(await (await ask('/api/v1/sessions', 'operator')).json());
    assert.deepEqual(
      sessions.map(({ id, state }) => `${id} ${state}`),
      ['s-1 live', 's-x interrupted', 's-0 closed'],
    );
  });

  it('what an operation ran by name is listed beside its text, also where it lies beside the log', async () => {
    const decided = { session: 's-1', target: 'orders', principal: 'ci|repo:7741', decision: 'allow', policies: [], acts: [] } as const;
    const rest = { facts: {}, text: 'execute a', text_exact: false, data_classes: [], pure_read: false } as const;
    const runs = [undefined, ['prepare a as delete from t'], { bytes: 70_000, sha256: 'ab' } as unknown as readonly string[]];
    for (const [index, each] of runs.entries())
      context.audit.append({ type: 'operation.decided', operation: `s-1.${index}`, ...decided, ...rest, runs: each });
    const { operations } = schema.sessionDetail.parse(await (await ask('/api/v1/sessions/s-1', 'operator')).json());
    assert.deepEqual(
      operations.map((operation) => operation.runs),
      [[], ['prepare a as delete from t'], ['(70000 bytes beside the log, sha256 ab)']],
    );
  });

  it('audit records page through to the end', async () => {
    for (let index = 0; index < 5; index++) context.audit.append({ type: 'gateway.stopped', reason: `r${index}` });
    const first = schema.auditPage.parse(await (await ask('/api/v1/audit/records?limit=3&type=gateway.stopped', 'auditor')).json());
    assert.equal(first.next, 3);
    const rest = schema.auditPage.parse(
      await (await ask('/api/v1/audit/records?limit=3&type=gateway.stopped&sequence=3', 'auditor')).json(),
    );
    assert.deepEqual([first.records.length, rest.records.length, rest.next], [3, 2, null]);
    assert.equal((await ask('/api/v1/audit/records?type=nonsense', 'auditor')).status, 400);
    assert.equal((await ask('/api/v1/audit/records?unknown=1', 'auditor')).status, 400);
  });

  it('readiness follows the audit log', async () => {
    context.ready = false;
    const response = await ask('/readyz');
    assert.equal(response.status, 503);
    assert.deepEqual(await response.json(), { status: 'unavailable', problems: ['the audit log cannot be written'] });
  });

  it('a request of one’s own cannot be approved, and the fault is worded as a problem', async () => {
    context.people.set('requester', person('repo:7741', ['reviewer', 'dba']));
    const response = await post('/api/v1/approvals/a-1/approve', 'requester', {});
    assert.equal(response.status, 403);
    assert.equal(((await response.json()) as { code: string }).code, 'access-denied');
    assert.equal(context.filed.get('a-1')?.state, 'pending');
  });
});

describe('hostile requests', () => {
  it('failed sign-ins slow down, also for a token that would be right', async () => {
    const statuses = new Set<number>();
    for (let attempt = 0; attempt < 30; attempt++) statuses.add((await ask('/api/v1/whoami', 'forged')).status);
    assert.deepEqual([...statuses], [401, 429]);
    const refused = await ask('/api/v1/whoami', 'admin');
    assert.equal(refused.status, 429);
    assert.ok(Number(refused.headers.get('retry-after')) > 0);
    assert.equal(context.entries.filter(({ record }) => record.type === 'sign-in.refused').length, 20);
  });

  it('two Authorization headers are one too many', async () => {
    const answer = await raw(
      'GET /api/v1/whoami HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer admin\r\nAuthorization: Bearer auditor\r\nConnection: close\r\n\r\n',
    );
    assert.match(answer, /^HTTP\/1\.1 401 /);
  });

  it('nothing but the expected media type, size, path and parameters', async () => {
    const body = 'x'.repeat(200_000);
    assert.equal(
      (await ask('/api/v1/approvals/a-1/deny', 'reviewer', { method: 'POST', headers: { 'content-type': 'application/json' }, body }))
        .status,
      413,
    );
    assert.equal(
      (await ask('/api/v1/approvals/a-1/deny', 'reviewer', { method: 'POST', headers: { 'content-type': 'text/plain' }, body: '{}' }))
        .status,
      415,
    );
    assert.equal(
      (
        await ask('/api/v1/approvals/a-1/deny', 'reviewer', {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: '{"reason":',
        })
      ).status,
      400,
    );
    assert.equal((await post('/api/v1/approvals/a-1/deny', 'reviewer', { reason: 'x', as: 'admin' })).status, 400);
    assert.equal((await ask(`/healthz?${'x'.repeat(5000)}`)).status, 414);
    assert.equal((await ask('/nothing')).status, 404);
    assert.equal((await ask('/approvals/%3Cscript%3E')).status, 404);
    assert.equal(context.filed.get('a-1')?.state, 'pending');
  });

  it('what went wrong inside stays inside', async () => {
    context.sessions.list = () => {
      throw new Error('password=hunter2');
    };
    const response = await ask('/api/v1/sessions', 'auditor');
    assert.equal(response.status, 500);
    assert.ok(!(await response.text()).includes('hunter2'));
    assert.equal(context.reports.length, 1);
  });

  it('every answer carries the headers that keep it out of caches, frames and other sites', async () => {
    for (const path of ['/healthz', '/approvals/a-1', '/nothing', '/api/v1/whoami']) {
      const { headers } = await ask(path);
      assert.equal(headers.get('cache-control'), 'no-store');
      assert.equal(headers.get('x-content-type-options'), 'nosniff');
      assert.match(headers.get('content-security-policy') ?? '', /default-src 'none'/);
      assert.equal(headers.get('access-control-allow-origin'), null);
      assert.equal(headers.get('set-cookie'), null);
    }
  });
});

async function raw(request: string): Promise<string> {
  const socket = connect(server.port, '127.0.0.1');
  socket.end(request);
  let text = '';
  for await (const chunk of socket) text += String(chunk);
  return text;
}

const opened = (session: string) => ({
  type: 'session.opened' as const,
  session,
  operation: `${session}.0`,
  target: 'orders',
  protocol: 'postgres',
  peer: '10.0.0.9:1',
  claimed_user: 'app',
  acts: [],
  policies: [],
  issuer: 'ci',
  issuer_url: 'https://ci.example',
  subject: 'repo:7741',
  kind: 'agent',
  groups: [],
  groups_known: true,
  claims: {},
  display: 'deploy.yml',
  token_id: '',
  token_expires: new Date().toISOString(),
});
