import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { once } from 'node:events';
import { dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { connect } from 'node:tls';
import { after, before, describe, it } from 'node:test';
import { createDemoAuthority } from '../../src/cli/demo/certificates.ts';
import { verifyLog } from '../../verifier/index.ts';
import { eventually, start } from '../harness.ts';
import { startHouse, type House } from './house.ts';

const policies = `@id("deployers do anything") permit (principal in Group::"deployers", action, resource);
@id("auditors and operators connect") permit (principal, action == Action::"connect", resource);`;
const megabyte = 1024 * 1024;
let house: House;
/** Answers that have begun and wait. */
let waiting: (() => void)[] = [];

before(async () => {
  const other = await createDemoAuthority();
  house = await startHouse({
    policies,
    adjust: (config) => {
      config['data_classes'] = {};
      const targets = config['targets'] as Record<string, Record<string, unknown>>;
      const { crm } = targets;
      targets['bounded'] = { ...crm, limits: { bytes: 1000, statement_timeout: '1s', operations_per_minute: 5 } };
      targets['reading'] = { ...crm, read_only: true, require_reason: true };
      targets['down'] = { ...crm, upstream: { url: 'https://localhost:1', ca: 'file:ca.crt' } };
      writeFileSync(join(dirname(process.env['SALLYPORT_CA']!), 'other.crt'), other.certificate);
      targets['unverified'] = { ...crm, upstream: { ...(crm!['upstream'] as object), ca: 'file:other.crt' } };
    },
    handle(request, response) {
      const path = (request.url ?? '').replace(/^\/v2/, '');
      if (path === '/hash') {
        const hash = createHash('sha256');
        let length = 0;
        request.on('data', (part: Buffer) => {
          length += part.length;
          hash.update(part);
        });
        request.on('end', () => response.end(`${length} ${hash.digest('hex')}`));
      } else if (path === '/large') {
        response.setHeader('content-type', 'application/octet-stream');
        void pour(response);
      } else if (path === '/slow') {
        // Nothing comes.
      } else if (path === '/begins') {
        response.write('begun');
        waiting.push(() => response.end(' ended'));
      } else if (path === '/breaks') {
        response.writeHead(200, { 'content-length': '100' });
        response.write('some');
        setTimeout(() => request.socket.destroy(), 50);
      } else if (path === '/switches') {
        request.socket.end('HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n');
      } else if (path === '/garbage') {
        request.socket.end('HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx');
      } else if (path === '/speaks-twice') {
        request.socket.write('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfirst');
        setTimeout(() => request.socket.write('HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\npoisoned'), 100);
      } else if (path === '/moved') {
        response.writeHead(302, { location: 'https://elsewhere.example/' }).end();
      } else if (path === '/unauthorized') {
        response.writeHead(401, { 'www-authenticate': 'Basic realm="upstream"' }).end();
      } else response.end('ok'.repeat(path === '/2000' ? 1000 : 1));
    },
  });
});
after(() => house.close());

let poured = 0;
async function pour(response: NodeJS.WritableStream): Promise<void> {
  const part = Buffer.alloc(megabyte, 7);
  for (poured = 0; poured < 100 * megabyte; poured += megabyte) if (!response.write(part)) await once(response, 'drain');
  response.end();
}

const pause = (ms: number): Promise<void> =>
  new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
const at = (target: string): string => house.crm.replace(/crm$/, target);
const get = async (url: string, init: RequestInit = {}) => {
  const token = await house.token('pipeline');
  const response = await fetch(url, { ...init, headers: { authorization: `Bearer ${token}`, ...(init.headers as object) } });
  return { status: response.status, text: await response.text(), headers: response.headers };
};

describe('a body of 100 MB where nothing is hidden', () => {
  it('streams down at the client’s pace: the gateway keeps little of it', async () => {
    const response = await fetch(`${house.crm}/large`, { headers: { authorization: `Bearer ${await house.token('pipeline')}` } });
    const body = response.body!.getReader();
    let length = (await body.read()).value!.length;
    await pause(1_000);
    assert.ok(poured < 40 * megabyte, `the target could send ${Math.round(poured / megabyte)} MB that nobody had read`);
    for (let part = await body.read(); !part.done; part = await body.read()) length += part.value.length;
    assert.equal(length, 100 * megabyte);
  });

  it('streams up, and arrives whole', async () => {
    const parts = Array.from({ length: 100 }, () => randomBytes(megabyte));
    const hash = createHash('sha256');
    for (const part of parts) hash.update(part);
    const body = Readable.toWeb(Readable.from(parts)) as ReadableStream;
    const init = { method: 'POST', body, duplex: 'half' } as RequestInit;
    const { text } = await get(`${house.crm}/hash`, init);
    assert.equal(text, `${100 * megabyte} ${hash.digest('hex')}`);
  });
});

describe('over HTTP/2 (curl)', () => {
  it('bodies stream both ways, too', async () => {
    const down = await house.curl('pipeline', '--http2', '-o', '/dev/null', '-w', '%{http_version} %{size_download}', `${house.crm}/large`);
    assert.equal(down.stdout, `2 ${100 * megabyte}`, down.stderr);
    const up = await house.curl('pipeline', '--http2', '--data-binary', `@${house.largeFile()}`, `${house.crm}/hash`);
    const hash = createHash('sha256').update(readFileSync(house.largeFile())).digest('hex');
    assert.equal(up.stdout, `${20 * megabyte} ${hash}`, up.stderr);
  });

  it('the end of a session resets what runs, and the connection serves on', async () => {
    waiting = [];
    const token = await house.token('pipeline');
    const authorization = ['-H', `Authorization: Bearer ${token}`];
    const two = start(
      'curl',
      [
        '-sS',
        '--http2',
        '--cacert',
        house.authorityFile,
        ...authorization,
        `${house.crm}/begins`,
        '--next',
        '-sS',
        '--cacert',
        house.authorityFile,
        ...authorization,
        `${house.crm}/x`,
      ],
      process.env,
    );
    await eventually('the answer to begin', () => waiting.length === 1 || undefined);
    const session = await eventually('the session', async () => {
      const decided = await house.records(['operation.decided']);
      return decided.findLast(({ text }) => text === 'GET /begins')?.['session'] as string | undefined;
    });
    await (await house.api('platform-pia')).delete(`/api/v1/sessions/${session}`, { reason: 'test' });
    const { stdout, stderr } = await two.done;
    assert.match(stderr, /\(92\)/, 'the stream was reset');
    assert.ok(stdout.endsWith('ok'), stdout);
  });
});

describe('what the target does wrong', () => {
  for (const [name, url, status, type] of [
    ['is down', () => `${at('down')}/x`, 502, 'upstream-unavailable'],
    ['has a certificate of somebody else', () => `${at('unverified')}/x`, 502, 'upstream-refused'],
    ['does not answer in time', () => `${at('bounded')}/slow`, 504, 'statement-timeout'],
    ['switches protocols unasked', () => `${house.crm}/switches`, 502, 'upstream-unavailable'],
    ['sends two lengths', () => `${house.crm}/garbage`, 502, 'upstream-unavailable'],
    ['does not accept the gateway’s credential', () => `${house.crm}/unauthorized`, 502, 'upstream-refused'],
    ['answers too much', () => `${at('bounded')}/2000`, 403, 'limit-exceeded'],
  ] as const) {
    it(`${name}: ${status}`, async () => {
      const answer = await get(url());
      assert.equal(answer.status, status, answer.text);
      const problem = JSON.parse(answer.text) as Record<string, string>;
      assert.equal(problem['type'], `urn:sallyport:problem:${type}`);
      assert.match(problem['operation'] ?? '', /^ses_/);
    });
  }

  it('is down while a long body is on its way: 502 all the same', async () => {
    const { stdout } = await house.curl('pipeline', '--data-binary', `@${house.largeFile()}`, '-H', 'Expect:', `${at('down')}/x`);
    assert.match(stdout, /"status":502/);
  });

  it('breaks off: the client sees that the answer is not whole', async () => {
    await assert.rejects(get(`${house.crm}/breaks`));
  });

  it('sends an answer that nobody asked for: it reaches nobody', async () => {
    assert.equal((await get(`${house.crm}/speaks-twice`)).text, 'first');
    await pause(250);
    assert.equal((await get(`${house.crm}/x`)).text, 'ok');
  });

  it('sends elsewhere: that is an answer, and nobody follows it', async () => {
    const { status, headers } = await get(`${house.crm}/moved`, { redirect: 'manual' });
    assert.deepEqual([status, headers.get('location')], [302, 'https://elsewhere.example/']);
  });
});

describe('what a target asks for besides policy', () => {
  it('read_only: nothing that may write', async () => {
    const { status, text } = await get(`${at('reading')}/x`, { method: 'POST', headers: { 'sallyport-reason': 'to test' } });
    assert.equal(status, 403);
    assert.match(text, /read-only/);
  });

  it('require_reason: the header, which goes on record and no further', async () => {
    assert.match((await get(`${at('reading')}/x`)).text, /Sallyport-Reason/);
    house.seen.length = 0;
    assert.equal((await get(`${at('reading')}/x`, { headers: { 'sallyport-reason': 'ticket 7' } })).status, 200);
    assert.ok(!house.seen[0]?.rawHeaders.some((name) => /sallyport/i.test(name)));
    const decided = await house.records(['operation.decided']);
    assert.ok(decided.some(({ facts }) => (facts as Record<string, unknown>)['reason'] === 'ticket 7'));
  });

  it('operations_per_minute: 429 with Retry-After', async () => {
    const statuses: number[] = [];
    let last: Awaited<ReturnType<typeof get>> | undefined;
    for (let index = 0; index < 6; index += 1) statuses.push((last = await get(`${at('bounded')}/x`)).status);
    assert.ok(statuses.includes(429), String(statuses));
    assert.notEqual(last?.headers.get('retry-after'), null);
  });
});

describe('the end of a session', () => {
  const begun = async () => {
    waiting = [];
    const token = await house.token('pipeline');
    const response = await fetch(`${house.crm}/begins`, { headers: { authorization: `Bearer ${token}` } });
    const body = response.body!.getReader();
    assert.equal(Buffer.from((await body.read()).value ?? []).toString(), 'begun');
    const pia = await house.api('platform-pia');
    const session = await eventually('the session', async () => {
      const decided = await house.records(['operation.decided']);
      return decided.findLast(({ text }) => text === 'GET /begins')?.['session'] as string | undefined;
    });
    return { body, pia, session };
  };

  it('by an operator ends what runs, within five seconds', async () => {
    const { body, pia, session } = await begun();
    const killed = Date.now();
    await pia.delete(`/api/v1/sessions/${session}`, { reason: 'test' });
    await assert.rejects(async () => {
      for (let part = await body.read(); !part.done; part = await body.read());
    });
    assert.ok(Date.now() - killed < 5_000);
    await eventually('the last record', async () => {
      const closed = await house.records(['session.closed']);
      return closed.find((one) => one['session'] === session);
    });
  });

  it('by revocation of its gateway token does, and the token is refused', async () => {
    waiting = [];
    const oidc = await house.token('pipeline');
    const pia = await house.api('platform-pia');
    const form = {
      grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
      subject_token: oidc,
      subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
      audience: 'crm',
    };
    const issued = (await (await pia.postForm('/oauth/token', form)).json()) as { access_token: string };
    const authorization = { authorization: `Bearer ${issued.access_token}` };
    const response = await fetch(`${house.crm}/begins`, { headers: authorization });
    assert.equal(response.status, 200);
    const { credentials } = await pia.get<{ credentials: { id: string }[] }>('/api/v1/credentials');
    await pia.delete(`/api/v1/credentials/${credentials[0]!.id}`, { reason: 'test' });
    await assert.rejects(response.text());
    assert.equal((await fetch(`${house.crm}/x`, { headers: authorization })).status, 401);
  });

  it('by the end of its token does', async () => {
    waiting = [];
    const token = await house.issuer.mint('pipeline', { exp: Math.floor(Date.now() / 1000) + 3 });
    const response = await fetch(`${house.crm}/begins`, { headers: { authorization: `Bearer ${token}` } });
    assert.equal(response.status, 200);
    await assert.rejects(response.text());
  });
});

describe('malformed requests', () => {
  for (const [name, head] of [
    [
      'both a length and chunks',
      'POST /http/crm/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    ],
    ['two Host headers', 'GET /http/crm/x HTTP/1.1\r\nHost: localhost\r\nHost: other\r\n\r\n'],
    [
      'another coding before chunked',
      'POST /http/crm/x HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: identity, chunked\r\n\r\n0\r\n\r\n',
    ],
    ['a bare line feed', 'GET /http/crm/x HTTP/1.1\nHost: localhost\n\n'],
  ] as const) {
    it(`${name}: 400, and the connection closes`, async () => {
      const socket = connect({
        host: 'localhost',
        port: house.httpsPort,
        ALPNProtocols: ['http/1.1'],
        ca: readFileSync(house.authorityFile),
      });
      let text = '';
      socket.on('data', (part: Buffer) => (text += part.toString()));
      socket.write(head);
      await once(socket, 'close');
      assert.match(text, /^HTTP\/1\.1 400/);
    });
  }
});

it('the audit log is whole, and recordings can be replayed from it', async () => {
  await house.gateway.close();
  const report = await verifyLog({ folder: `${house.folder}/data/audit`, recordings: `${house.folder}/data/recordings` });
  assert.ok(report.ok, JSON.stringify(report.problems));
});
