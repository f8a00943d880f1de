import assert from 'node:assert/strict';
import { connect } from 'node:http2';
import { request } from 'node:https';
import { connect as connectTls } from 'node:tls';
import { after, before, beforeEach, describe, it } from 'node:test';
import { eventually } from '../harness.ts';
import { readText, startHouse, type House } from './house.ts';

/** Fields behind a body reach clients that take them (RFC 9110 section 6.5), over HTTP/1.1 in chunks and over HTTP/2. */
describe('trailers of an HTTP API', () => {
  for (const hides of [false, true]) {
    describe(hides ? 'where something is hidden' : 'where nothing is hidden', () => {
      let house: House;
      before(async () => {
        house = await startHouse({
          handle(_request, response) {
            response.setHeader('content-type', 'text/plain');
            response.write('body');
            response.addTrailers({ 'x-checksum': 'abc', 'proxy-status': 'inside' });
            response.end();
          },
          adjust: (config) => (hides ? undefined : (config['data_classes'] = {})),
        });
      });
      after(() => house.close());

      for (const te of ['trailers', undefined]) {
        const expected = te !== undefined && !hides ? 'abc' : undefined;

        it(`${expected === undefined ? 'do not reach' : 'reach'} a client of HTTP/1.1 ${te === undefined ? 'that does not take them' : 'that takes them'}`, async () => {
          const headers = {
            authorization: `Bearer ${await house.token('pipeline')}`,
            ...(te === undefined ? {} : { te, connection: 'te' }),
          };
          const trailers = await new Promise<Readonly<Record<string, unknown>>>((resolve, reject) => {
            request(`${house.crm}/a`, { headers, ca: readText(house.authorityFile) }, (response) => {
              response.resume().once('end', () => resolve(response.trailers));
            })
              .once('error', reject)
              .end();
          });
          assert.deepEqual([trailers['x-checksum'], trailers['proxy-status']], [expected, undefined]);
        });

        it(`${expected === undefined ? 'do not reach' : 'reach'} a client of HTTP/2 ${te === undefined ? 'that does not take them' : 'that takes them'}`, async () => {
          const session = connect(`https://localhost:${house.httpsPort}`, { ca: readText(house.authorityFile) });
          const authorization = `Bearer ${await house.token('pipeline')}`;
          const stream = session.request({ ':path': '/http/crm/a', authorization, ...(te === undefined ? {} : { te }) });
          let seen: unknown;
          stream.once('trailers', (trailers) => (seen = trailers['x-checksum']));
          await new Promise((resolve) => {
            stream.resume().once('end', resolve);
          });
          session.close();
          assert.equal(seen, expected);
        });
      }
    });
  }
});

/** Fields behind the body of a request reach the target, as far as they are safe there, in chunks of the gateway's own. */
describe('trailers of requests to an HTTP API', () => {
  let house: House;
  let seen: { readonly url: string; readonly body: string; readonly head: readonly string[]; readonly trailers: readonly string[] }[] = [];
  before(async () => {
    house = await startHouse({
      handle(request, response) {
        let body = '';
        request.on('data', (part: Buffer) => (body += part.toString()));
        request.on('end', () => {
          seen.push({ url: request.url ?? '', body, head: request.rawHeaders, trailers: request.rawTrailers });
          response.setHeader('content-type', 'application/json').end('{}');
        });
      },
      policies: `@id("all") permit (principal, action, resource);
@id("deletes wait for a DBA") @review("dba") @approvals("1") @expires("15m") forbid (principal, action == Action::"http:delete", resource);`,
    });
  });
  beforeEach(() => (seen = []));
  after(() => house.close());

  const sent = {
    'x-checksum': 'abc',
    'x-card': '4111 1111 1111 1111',
    authorization: 'Bearer x',
    'x-forwarded-for': '1.2.3.4',
    'content-type': 'text/evil',
    'if-match': '"x"',
    'x-api-key': 'k',
  };
  const asSeen = ['x-checksum', 'abc', 'x-card', '4111 1111 1111 1111'];
  const short = 'short';
  const long = 'l'.repeat(3 * 1024 * 1024);

  async function overHttp1(method: string, path: string, body: string): Promise<number> {
    const headers = {
      authorization: `Bearer ${await house.token('pipeline')}`,
      'transfer-encoding': 'chunked',
      trailer: 'X-Checksum, Content-Length',
    };
    return new Promise((resolve, reject) => {
      const call = request(`${house.crm}${path}`, { method, headers, ca: readText(house.authorityFile) }, (response) => {
        response.resume().once('end', () => resolve(response.statusCode ?? 0));
      }).once('error', reject);
      call.write(body);
      call.addTrailers(sent);
      call.end();
    });
  }

  async function overHttp2(method: string, path: string, body: string): Promise<number> {
    const session = connect(`https://localhost:${house.httpsPort}`, { ca: readText(house.authorityFile) });
    const authorization = `Bearer ${await house.token('pipeline')}`;
    const headers = { ':path': `/http/crm${path}`, ':method': method, authorization, trailer: 'x-checksum, content-length' };
    const stream = session.request(headers, { waitForTrailers: true });
    stream.once('wantTrailers', () => stream.sendTrailers(sent));
    const status = new Promise<number>((resolve, reject) => {
      stream.once('response', (fields) => resolve(Number(fields[':status']))).once('error', reject);
    });
    stream.end(body);
    stream.resume();
    try {
      return await status;
    } finally {
      session.close();
    }
  }

  for (const [version, send] of [
    ['HTTP/1.1', overHttp1],
    ['HTTP/2', overHttp2],
  ] as const) {
    for (const [name, body] of [
      ['gathered', short],
      ['that passes as it comes', long],
      ['that is empty', ''],
    ] as const) {
      it(`${version}, behind a body ${name}`, async () => {
        assert.equal(await send('POST', '/a', body), 200);
        const [one] = seen;
        assert.equal(one?.body, body);
        assert.deepEqual(one.trailers, asSeen);
        const head = one.head.map((text) => text.toLowerCase());
        assert.equal(head[head.indexOf('trailer') + 1], 'x-checksum');
        assert.deepEqual([head[head.indexOf('transfer-encoding') + 1], head.includes('content-length')], ['chunked', false]);
      });
    }
  }

  it('are shown to reviewers, and on record masked', async () => {
    const answer = overHttp1('DELETE', '/held', short);
    const erin = await house.api('dba-erin');
    const approval = await eventually('the request for approval', async () => {
      const { approvals } = await erin.get<{ approvals: { id: string; text: string }[] }>('/api/v1/approvals');
      return approvals.find(({ text }) => text.includes('/held'));
    });
    assert.match(approval.text, /^trailer x-checksum: abc$/m);
    assert.match(approval.text, /^trailer x-card: \*{4} \*{4} \*{4} 1111$/m);
    await erin.post(`/api/v1/approvals/${approval.id}/approve`, { reason: 'seen' });
    assert.equal(await answer, 200);
    assert.deepEqual(seen[0]?.trailers, asSeen);
  });

  it('that are malformed end in a refusal, and nothing of the request is taken for whole', async () => {
    const token = await house.token('pipeline');
    const head = `POST /http/crm/a HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${token}\r\nTransfer-Encoding: chunked\r\n\r\n`;
    for (const trailer of ['x y: 1', 'x: \u00e9', 'Content-Length: 1\r\nContent-Length: 2']) {
      const socket = connectTls({
        host: 'localhost',
        port: house.httpsPort,
        ALPNProtocols: ['http/1.1'],
        ca: readText(house.authorityFile),
      });
      let text = '';
      socket.on('data', (part: Buffer) => (text += part.toString())).on('error', () => {});
      socket.write(`${head}5\r\nshort\r\n0\r\n${trailer}\r\n\r\n`, 'latin1');
      await new Promise((resolve) => socket.once('close', resolve));
      assert.match(text, /^HTTP\/1\.1 400/, trailer);
    }
    assert.equal(seen.length, 0);
  });
});
