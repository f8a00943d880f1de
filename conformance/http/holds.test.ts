import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { eventually, start } from '../harness.ts';
import { bodyOf, startHouse, type House } from './house.ts';

interface Approval {
  readonly id: string;
  readonly text: string;
}

let done: string[] = [];

async function newHouse(hold: 'wait' | 'refuse-and-retry'): Promise<House> {
  return startHouse({
    adjust: (config) => {
      const target = (config['targets'] as Record<string, Record<string, unknown>>)['crm']!;
      target['hold'] = hold;
    },
    handle(request, response) {
      void bodyOf(request).then((body) => {
        done.push(`${request.method} ${request.url} ${body}`);
        response.setHeader('content-type', 'text/plain');
        response.end('gone');
      });
    },
  });
}

async function pending(house: House): Promise<Approval> {
  const erin = await house.api('dba-erin');
  return eventually('the request for approval', async () => {
    const { approvals } = await erin.get<{ approvals: readonly Approval[] }>('/api/v1/approvals', { state: 'pending' });
    return approvals[0];
  });
}

async function answer(house: House, { id }: Approval, how: 'approve' | 'deny'): Promise<void> {
  await (await house.api('dba-erin')).post(`/api/v1/approvals/${id}/${how}`, { reason: 'because' });
}

describe('hold: wait', () => {
  let house: House;
  before(async () => {
    house = await newHouse('wait');
  });
  after(() => house.close());

  for (const version of ['--http1.1', '--http2']) {
    const isTold = version === '--http2';
    it(`${isTold ? 'tells the client that it takes time, and ' : ''}goes on once it is approved (curl ${version})`, async () => {
      done = [];
      const deleting = start(
        'curl',
        [
          '-sSv',
          '-m',
          '30',
          version,
          '--cacert',
          house.authorityFile,
          '-H',
          `Authorization: Bearer ${await house.token('pipeline')}`,
          '-X',
          'DELETE',
          '-d',
          '{"why":"old"}',
          '-H',
          'Content-Type: application/json',
          `${house.crm}/orders/7`,
        ],
        process.env,
      );
      const approval = await pending(house);
      assert.match(approval.text, /^DELETE \/orders\/7\ncontent-type: application\/json\n\n\{"why":"old"\}$/);
      assert.deepEqual(done, [], 'nothing was forwarded');
      if (isTold) await eventually('102', () => /^< HTTP\/2 102/m.test(deleting.stderr()) || undefined);
      await answer(house, approval, 'approve');
      const { stdout, stderr } = await deleting.done;
      assert.match(stderr, isTold ? /^< HTTP\/2 200/m : /^< HTTP\/1\.1 200/m);
      if (!isTold) assert.doesNotMatch(stderr, /^< HTTP\/\S+ 1/m);
      assert.equal(stdout, 'gone');
      assert.deepEqual(done, ['DELETE /v2/orders/7 {"why":"old"}']);
    });
  }

  it('goes on for a client that takes an informational answer for the answer (http.client of Python)', async () => {
    done = [];
    const script = [
      'import http.client, ssl, sys',
      'host, port, authority, token = sys.argv[1:]',
      'c = http.client.HTTPSConnection(host, int(port), context=ssl.create_default_context(cafile=authority), timeout=60)',
      'c.request("DELETE", "/http/crm/orders/11", headers={"Authorization": "Bearer " + token})',
      'a = c.getresponse()',
      'print(a.status, a.read().decode())',
    ].join('\n');
    const token = await house.token('pipeline');
    const deleting = start('python3', ['-c', script, 'localhost', String(house.httpsPort), house.authorityFile, token], process.env);
    await answer(house, await pending(house), 'approve');
    const { stdout, stderr } = await deleting.done;
    assert.equal(stdout, '200 gone\n', stderr);
  });

  it('is a problem that names the approval once it is refused (fetch)', async () => {
    done = [];
    const deleting = house.fetch('pipeline', '/orders/8', { method: 'DELETE' });
    const approval = await pending(house);
    await answer(house, approval, 'deny');
    const response = await deleting;
    assert.equal(response.status, 403);
    const problem = (await response.json()) as Record<string, unknown>;
    assert.equal(problem['type'], 'urn:sallyport:problem:approval-denied');
    assert.equal((problem['approval'] as { id: string }).id, approval.id);
    assert.deepEqual(done, []);
  });

  it('ends when the client goes away', async () => {
    const leave = new AbortController();
    const deleting = house.fetch('pipeline', '/orders/9', { method: 'DELETE', signal: leave.signal });
    const { id } = await pending(house);
    leave.abort();
    await assert.rejects(deleting);
    const erin = await house.api('dba-erin');
    await eventually('the approval to end', async () => {
      const { state } = await erin.get<{ state: string }>(`/api/v1/approvals/${id}`);
      return state === 'cancelled' || undefined;
    });
  });

  it('a body that is too long to be shown to a reviewer is refused', async () => {
    const response = await house.fetch('pipeline', '/orders/9', { method: 'DELETE', body: 'x'.repeat(1024 * 1024 + 1) });
    assert.equal(response.status, 413);
    assert.match(((await response.json()) as { detail: string }).detail, /cannot be shown to a reviewer/);
  });

  it('the requests of one connection are served in their order', async () => {
    done = [];
    const token = await house.token('pipeline');
    const { connect } = await import('node:tls');
    const socket = connect({
      host: 'localhost',
      port: house.httpsPort,
      ALPNProtocols: ['http/1.1'],
      ca: (await import('node:fs')).readFileSync(house.authorityFile),
    });
    let text = '';
    socket.on('data', (part: Buffer) => (text += part.toString()));
    const head = (line: string, more = '') => `${line} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${token}\r\n${more}\r\n`;
    socket.write(head('DELETE /http/crm/first') + head('POST /http/crm/second', 'Content-Length: 0\r\n'));
    const approval = await pending(house);
    assert.deepEqual(done, []);
    await answer(house, approval, 'approve');
    await eventually('both', () => done.length === 2 || undefined);
    assert.deepEqual(done, ['DELETE /v2/first ', 'POST /v2/second ']);
    await eventually('both answers', () => text.split('HTTP/1.1 200').length === 3 || undefined);
    socket.destroy();
  });
});

describe('hold: refuse-and-retry', () => {
  let house: House;
  before(async () => {
    house = await newHouse('refuse-and-retry');
  });
  after(() => house.close());

  const send = async (body: string, headers: Record<string, string> = {}) => {
    const response = await house.fetch('pipeline', '/orders/7', {
      method: 'DELETE',
      body,
      headers: { 'content-type': 'application/json', ...headers },
    });
    return { status: response.status, text: await response.text() };
  };

  it('refuses with the approval’s id and link; the very same request goes through once it is approved, and once only', async () => {
    done = [];
    const refused = await send('{"a":1}');
    assert.equal(refused.status, 403);
    const problem = JSON.parse(refused.text) as { type: string; approval: { id: string; link: string } };
    assert.equal(problem.type, 'urn:sallyport:problem:approval-required');
    assert.match(problem.approval.link, new RegExp(`^https://localhost:\\d+/approvals/${problem.approval.id}$`));
    const approval = await pending(house);
    assert.equal(approval.id, problem.approval.id);
    await answer(house, approval, 'approve');

    for (const [other, headers] of [
      ['{"a":2}', {}],
      ['{"a":1}', { 'idempotency-key': 'x' }],
      ['{"a":1} ', {}],
    ] as const) {
      assert.equal((await send(other, headers)).status, 403, 'another request under the same approval');
    }
    assert.deepEqual(done, []);
    assert.deepEqual(await send('{"a":1}', { traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01' }), {
      status: 200,
      text: 'gone',
    });
    assert.equal((await send('{"a":1}')).status, 403);
    assert.deepEqual(done, ['DELETE /v2/orders/7 {"a":1}']);
  });

  for (const version of ['--http1.1', '--http2']) {
    it(`is understood by a script around curl ${version}, which makes the same request again`, async () => {
      done = [];
      const body = (reason: number): string => JSON.stringify({ reason, version });
      const curl = async (reason: number) => {
        const request = [version, '-X', 'DELETE', '-d', body(reason), '-H', 'Content-Type: application/json', `${house.crm}/orders/7`];
        const { stdout } = await house.curl('pipeline', '-w', '\n%{http_code} %{content_type}', ...request);
        const [text = '', how] = stdout.split(/\n(?=.*$)/);
        return { text, how };
      };
      const refused = await curl(1);
      assert.equal(refused.how, '403 application/problem+json');
      const problem = JSON.parse(refused.text) as { type: string; approval: Approval };
      assert.equal(problem.type, 'urn:sallyport:problem:approval-required');
      const approval = await pending(house);
      assert.equal(approval.id, problem.approval.id);
      await answer(house, approval, 'approve');
      assert.match((await curl(2)).how!, /^403/, 'another request under the same approval');
      assert.deepEqual(done, []);
      assert.deepEqual(await curl(1), { text: 'gone', how: '200 text/plain' });
      assert.match((await curl(1)).how!, /^403/, 'an approval is used up');
      assert.deepEqual(done, [`DELETE /v2/orders/7 ${body(1)}`]);
    });
  }
});
