import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { freePort } from '../../src/cli/demo/free-port.ts';
import { eventually } from '../harness.ts';
import { bodyOf, startHouse, upstreamToken, type House } from './house.ts';

let house: House;
let ownPort: number;
before(async () => {
  ownPort = await freePort();
  house = await startHouse({
    adjust: ({ targets }) => Object.assign(targets?.['crm'] as object, { listen: `127.0.0.1:${ownPort}` }),
    handle(request, response) {
      void bodyOf(request).then((body) => {
        response.setHeader('content-type', 'application/json');
        response.end(JSON.stringify({ method: request.method, url: request.url, body }));
      });
    },
  });
});
after(() => house.close());

const field = (rawHeaders: readonly string[], name: string): string | undefined => {
  const at = rawHeaders.findIndex((one, index) => index % 2 === 0 && one.toLowerCase() === name);
  return at < 0 ? undefined : rawHeaders[at + 1];
};

describe('a request that policy allows', () => {
  for (const version of ['--http1.1', '--http2']) {
    it(`goes to the target with the gateway’s credential, and comes back (curl ${version})`, async () => {
      house.seen.length = 0;
      const { stdout, stderr } = await house.curl(
        'pipeline',
        version,
        '-H',
        'X-Forwarded-For: 1.2.3.4',
        '-H',
        'Cookie: session=1',
        '-H',
        'Prefer: return=minimal',
        '-w',
        ' %{http_code} %{http_version}',
        `${house.crm}/orders/7?expand=lines`,
      );
      assert.equal(
        stdout,
        `{"method":"GET","url":"/v2/orders/7?expand=lines","body":""} 200 ${version === '--http2' ? '2' : '1.1'}`,
        stderr,
      );
      const [{ rawHeaders }] = house.seen as [House['seen'][number]];
      assert.equal(field(rawHeaders, 'authorization'), `Bearer ${upstreamToken}`);
      assert.equal(field(rawHeaders, 'prefer'), 'return=minimal');
      for (const name of ['x-forwarded-for', 'cookie', 'forwarded']) assert.equal(field(rawHeaders, name), undefined, name);
      assert.match(field(rawHeaders, 'host') ?? '', /^localhost:\d+$/);
    });
  }

  it('may have a body, whose bytes arrive', async () => {
    const response = await house.fetch('pipeline', '/orders', {
      method: 'POST',
      body: '{"a":1}',
      headers: { 'content-type': 'application/json' },
    });
    assert.deepEqual(await response.json(), { method: 'POST', url: '/v2/orders', body: '{"a":1}' });
  });

  it('finds its target by the host’s name, too', async () => {
    const { stdout } = await house.curl(
      'pipeline',
      '--resolve',
      `crm.localhost:${house.httpsPort}:127.0.0.1`,
      `https://crm.localhost:${house.httpsPort}/orders/8`,
    );
    assert.match(stdout, /"url":"\/v2\/orders\/8"/);
  });

  it('finds its target at a port of its own, where every path is the target’s', async () => {
    const { stdout } = await house.curl('pipeline', `https://localhost:${ownPort}/http/elsewhere/9`);
    assert.match(stdout, /"url":"\/v2\/http\/elsewhere\/9"/);
  });

  it('is on record: decided, completed, its session opened once for one credential', async () => {
    const token = await house.token('pipeline');
    for (let index = 0; index < 3; index += 1) {
      await fetch(`${house.crm}/once/${index}`, { headers: { authorization: `Bearer ${token}` } }).then((one) => one.text());
    }
    const decided = (await house.records(['operation.decided'])).filter(({ text }) => String(text).startsWith('GET /once'));
    assert.equal(decided.length, 3);
    assert.equal(new Set(decided.map(({ session }) => session)).size, 1);
    assert.deepEqual(decided[0]?.['acts'], [{ action: 'http:get', object: 'Path::"crm/once/0"' }]);
    const completed = (await house.records(['operation.completed'])).filter(({ session }) => session === decided[0]?.['session']);
    assert.deepEqual(new Set(completed.map(({ outcome }) => outcome)), new Set(['succeeded']));
  });
});

describe('a request that is refused', () => {
  const problem = async (as: string | undefined, path: string, ...more: readonly string[]) => {
    const { stdout } = await house.curl(
      as,
      '-w',
      '\n%{http_code} %header{content-type} %header{www-authenticate}',
      ...more,
      `${house.crm}${path}`,
    );
    const [body = '', , line = ''] = stdout.split('\n');
    const [status = '', type = '', ...challenge] = line.split(' ');
    return { ...(JSON.parse(body) as Record<string, unknown>), status: Number(status), mediaType: type, challenge: challenge.join(' ') };
  };

  it('without a token: 401 and how to sign in', async () => {
    const answer = await problem(undefined, '/orders');
    assert.deepEqual([answer.status, answer.mediaType], [401, 'application/problem+json']);
    assert.match(answer.challenge, /^Bearer /);
  });

  it('with a token that is none, or has expired: 401', async () => {
    for (const token of ['nonsense', await house.issuer.mint('pipeline', { exp: Math.floor(Date.now() / 1000) - 600 })]) {
      const answer = await problem(undefined, '/orders', '-H', `Authorization: Bearer ${token}`);
      assert.equal(answer.status, 401);
      assert.equal((answer as Record<string, unknown>)['type'], 'urn:sallyport:problem:authentication-failed');
    }
  });

  it('by a stranger, or for a target that there is not: the same words', async () => {
    const stranger = await problem('stranger', '/orders');
    assert.equal(stranger.status, 403);
    const { stdout } = await house.curl('pipeline', `https://localhost:${house.httpsPort}/http/elsewhere/x`);
    const unknown = JSON.parse(stdout) as Record<string, unknown>;
    assert.deepEqual([unknown['status'], unknown['title']], [403, (stranger as Record<string, unknown>)['title']]);
  });

  it('by policy: 403 with the operation’s id, and the target hears nothing', async () => {
    house.seen.length = 0;
    const answer = await problem('pipeline', '/admin/users');
    assert.equal(answer.status, 403);
    assert.match(String((answer as Record<string, unknown>)['detail']), /forbidden by policy "nobody administers"/);
    const operation = (answer as Record<string, unknown>)['operation'];
    // A refusal does not wait for its record.
    const record = await eventually('the record', async () =>
      (await house.records(['operation.decided'])).find((one) => one['operation'] === operation),
    );
    assert.deepEqual([record['decision'], record['code']], ['deny', 'policy-denied']);
    assert.equal(house.seen.length, 0);
  });

  it('for a path that servers read in different ways: 400, on record', async () => {
    for (const path of ['/orders/..%2fadmin', '/orders/%2e%2e/admin', '/orders;x=1/7', '//admin', '/orders%00']) {
      const answer = await problem('pipeline', path, '--path-as-is');
      assert.equal(answer.status, 400, path);
    }
    await eventually('the notes', async () => {
      const notes = (await house.records(['session.note'])).filter(({ event }) => event === 'request-refused');
      return notes.length === 5 || undefined;
    });
    assert.deepEqual(
      house.seen.filter(({ url }) => url.includes('admin')),
      [],
    );
  });

  it('for an upgrade: 501 that says so', async () => {
    const answer = await problem('pipeline', '/orders', '--http1.1', '-H', 'Connection: Upgrade', '-H', 'Upgrade: SPDY/3.1');
    assert.equal(answer.status, 501);
    assert.match(String((answer as Record<string, unknown>)['detail']), /cannot be one for an upgrade to spdy\/3\.1/);
  });

  it('for a method in a parameter or in a form', async () => {
    for (const more of [
      ['-X', 'POST'],
      ['-d', '_method=DELETE'],
      ['-d', 'a=b&%5Fmethod=DELETE'],
      ['-F', '_method=DELETE'],
    ]) {
      const answer = await problem('pipeline', more[0] === '-X' ? '/orders/7?_method=DELETE' : '/orders/7', ...more);
      assert.equal(answer.status, 501, JSON.stringify(answer));
      assert.match(String((answer as Record<string, unknown>)['detail']), /names another method/);
    }
  });
});
