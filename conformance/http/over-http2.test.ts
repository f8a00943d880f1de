import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { connect, constants, type Http2ServerResponse, type ServerHttp2Session } from 'node:http2';
import { request as requestOverTls } from 'node:https';
import { createServer as createTcpServer, type AddressInfo, type Socket } from 'node:net';
import { Readable } from 'node:stream';
import { after, before, beforeEach, describe, it } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { verifyLog } from '../../verifier/index.ts';
import { eventually } from '../harness.ts';
import { bodyOf, readText, startHouse, upstreamToken, type House } from './house.ts';

const megabyte = 1024 * 1024;
const ssn = '078-05-1120';

interface Asked {
  readonly method: string;
  readonly url: string;
  readonly version: string;
  readonly fields: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly body: string;
  readonly trailers: readonly string[];
}

/** An HTTP API that is spoken to in HTTP/2 answers as one of HTTP/1.1 does, whatever the client speaks. */
for (const plainUpstream of [true, false]) {
  describe(`an API of HTTP/2 ${plainUpstream ? 'with prior knowledge' : 'over TLS'}`, () => {
    let house: House;
    let asked: Asked[] = [];
    let poured = 0;
    /** Ends the events. */
    let goOn = (): void => {};
    const sessions = new Set<ServerHttp2Session>();

    const streamOf = (response: ServerResponse) => (response as unknown as Http2ServerResponse).stream;

    async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
      const path = (request.url ?? '').replace(/^\/v2/, '').replace(/\?.*/, '');
      if (request.httpVersion === '2.0') sessions.add(streamOf(response).session as ServerHttp2Session);
      if (path === '/hash') {
        const hash = createHash('sha256');
        let length = 0;
        for await (const part of request as AsyncIterable<Buffer>) {
          length += part.length;
          hash.update(part);
        }
        response.end(`${length} ${hash.digest('hex')}`);
        return;
      }
      if (path === '/cut-up') {
        request.on('aborted', () => asked.push({ ...seenOf(request), body: 'aborted' }));
        return;
      }
      if (path === '/early') {
        response.writeHead(413).end('too large');
        return;
      }
      const body = await bodyOf(request);
      asked.push({ ...seenOf(request), body, trailers: request.rawTrailers });
      if (path === '/large') {
        const part = Buffer.alloc(megabyte, 7);
        for (poured = 0; poured < 100 * megabyte; poured += megabyte) if (!response.write(part)) await once(response, 'drain');
        response.end();
      } else if (path === '/customers/1') {
        response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ ssn, note: `call ${ssn}` }));
      } else if (path === '/events') {
        response.writeHead(200, { 'content-type': 'text/event-stream' }).write(`data: {"ssn":"${ssn}"}\n\n`);
        goOn = () => response.end('data: {"n":2}\n\n');
      } else if (path === '/trailers') {
        response.writeHead(200, { 'content-type': 'text/plain' }).write('body');
        response.addTrailers({ 'x-checksum': 'abc' });
        response.end();
      } else if (path === '/none') response.writeHead(204).end();
      else if (path === '/same') response.writeHead(304, { etag: '"1"' }).end();
      else if (path === '/moved') response.writeHead(302, { location: `${request.headers.origin ?? ''}/v2/elsewhere` }).end();
      else if (path === '/breaks') {
        response.writeHead(200, { 'content-type': 'application/octet-stream', 'content-length': '100' }).write('some');
        setTimeout(() => streamOf(response).close(constants.NGHTTP2_INTERNAL_ERROR), 50);
      } else if (path === '/short') response.writeHead(200, { 'content-type': 'application/octet-stream', 'content-length': '2' }).end('x');
      else response.writeHead(200, { 'content-type': 'text/plain' }).end('ok');
    }

    function seenOf(request: IncomingMessage): Asked {
      const { method = '', url = '', httpVersion: version, headers: fields } = request;
      return { method, url, version, fields, body: '', trailers: [] };
    }

    before(async () => {
      house = await startHouse({
        overHttp2: true,
        plainUpstream,
        upgrade(request, socket) {
          const accept = createHash('sha1').update(`${request.headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`);
          const head = 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n';
          socket.on('error', () => {}).write(`${head}Sec-WebSocket-Accept: ${accept.digest('base64')}\r\n\r\n`);
          socket.write(Buffer.concat([Buffer.from([0x81, 8]), Buffer.from(`over ${request.httpVersion}`)]));
        },
        handle: (request, response) => void handle(request, response).catch(() => response.destroy()),
        adjust: (config) => {
          const targets = config['targets'] as Record<string, Record<string, unknown>>;
          // At other paths nothing is hidden.
          config['data_classes'] = { ssn: { paths: ['crm/customers/*#$.ssn', 'crm/events#$.ssn'], mask: 'partial-last4' } };
          targets['hurried'] = { ...targets['crm'], limits: { bytes: 1000, statement_timeout: '1s' } };
        },
        policies: `@id("all but reveal") permit (principal, action in [Action::"connect", Action::"read", Action::"write", Action::"http:websocket"], resource);
@id("the fraud desk sees") permit (principal in Group::"fraud", action == Action::"reveal", resource);
@id("deletes wait for a DBA") @review("dba") @approvals("1") @expires("15m") forbid (principal, action == Action::"http:delete", resource);`,
      });
    });
    beforeEach(() => (asked = []));
    after(() => house.close());

    it('is asked what policy was asked about, as whom the gateway is there', async () => {
      const answer = await house.fetch('fraud-omar', '/a%20b/c?q=1&q=%2F', { headers: { 'x-own': 'v', cookie: 'a=1' } });
      assert.equal(await answer.text(), 'ok');
      const [one] = asked;
      assert.deepEqual([one?.method, one?.url, one?.version], ['GET', '/v2/a%20b/c?q=1&q=%2F', '2.0']);
      assert.match(String(one?.fields[':authority']), /^localhost:\d+$/);
      assert.equal(one?.fields['authorization'], `Bearer ${upstreamToken}`);
      assert.deepEqual([one?.fields['x-own'], one?.fields['cookie'], one?.fields['host']], ['v', undefined, undefined]);
    });

    it('has its sensitive values masked, in JSON and in events as they come', async () => {
      const document = (await (await house.fetch('pipeline', '/customers/1')).json()) as { ssn: string; note: string };
      assert.equal(document.ssn, '***-**-1120');
      const events = await house.fetch('pipeline', '/events');
      const reader = events.body!.getReader();
      const next = async (): Promise<string> => Buffer.from((await reader.read()).value ?? []).toString();
      assert.equal(await next(), 'data: {"ssn":"***-**-1120"}\n\n');
      goOn();
      assert.equal(await next(), 'data: {"n":2}\n\n');
      assert.equal((await reader.read()).done, true);
    });

    it('is told how long a body is that is known, and gets it', async () => {
      await house.fetch('fraud-omar', '/x', { method: 'POST', body: 'seven77' });
      assert.deepEqual([asked[0]?.body, asked[0]?.fields['content-length']], ['seven77', '7']);
      const { stdout } = await house.curl('fraud-omar', '--data-binary', `@${house.largeFile()}`, `${house.crm}/hash`);
      const hash = createHash('sha256')
        .update(Buffer.alloc(20 * megabyte, 0x61))
        .digest('hex');
      assert.equal(stdout, `${20 * megabyte} ${hash}`);
    });

    it('gets a body of 40 MB without a length, whole', async () => {
      const parts = Array.from({ length: 40 }, () => randomBytes(megabyte));
      const hash = createHash('sha256');
      for (const part of parts) hash.update(part);
      const body = Readable.toWeb(Readable.from(parts)) as ReadableStream;
      const answer = await house.fetch('fraud-omar', '/hash', { method: 'POST', body, duplex: 'half' });
      assert.equal(await answer.text(), `${40 * megabyte} ${hash.digest('hex')}`);
    });

    it('sends 100 MB at the client’s pace: the gateway keeps little of it', async () => {
      const answer = await house.fetch('fraud-omar', '/large');
      const reader = answer.body!.getReader();
      let length = (await reader.read()).value!.length;
      await pause(800);
      assert.ok(poured < 40 * megabyte, `the target could send ${Math.round(poured / megabyte)} MB that nobody had read`);
      for (let part = await reader.read(); !part.done; part = await reader.read()) length += part.value.length;
      assert.equal(length, 100 * megabyte);
    });

    it('may answer with no body, with another place, and before it has the body of the request', async () => {
      const statuses: number[] = [];
      for (const path of ['/none', '/same', '/moved'])
        statuses.push((await house.fetch('fraud-omar', path, { redirect: 'manual' })).status);
      const head = await house.fetch('fraud-omar', '/x', { method: 'HEAD' });
      assert.deepEqual([...statuses, head.status, await head.text()], [204, 304, 302, 200, '']);
      const { stdout } = await house.curl(
        'fraud-omar',
        '-o',
        '/dev/null',
        '-w',
        '%{http_code}',
        '--data-binary',
        `@${house.largeFile()}`,
        `${house.crm}/early`,
      );
      assert.equal(stdout, '413');
      assert.equal((await house.fetch('fraud-omar', '/x')).status, 200);
    });

    // Over TLS the two agree on HTTP/1.1 for it; a server of HTTP/2 with prior knowledge that takes HTTP/1.1 as well is none of Node's.
    if (!plainUpstream) {
      it('is asked for a WebSocket in HTTP/1.1', async () => {
        const headers = { authorization: `Bearer ${await house.token('fraud-omar')}` };
        const socket = new WebSocket(`wss://localhost:${house.httpsPort}/http/crm/socket`, { headers });
        const message = await new Promise((resolve, reject) => {
          socket.addEventListener('message', ({ data }) => resolve(data));
          socket.addEventListener('error', () => reject(new Error('not opened')));
        });
        socket.close();
        assert.equal(message, 'over 1.1');
      });
    }

    it('has trailers both ways', async () => {
      const token = await house.token('fraud-omar');
      const headers = { authorization: `Bearer ${token}`, 'transfer-encoding': 'chunked', te: 'trailers', connection: 'te' };
      const trailers = await new Promise((resolve, reject) => {
        const call = requestOverTls(`${house.crm}/trailers`, { method: 'POST', headers, ca: readText(house.authorityFile) }, (answer) => {
          answer.resume().once('end', () => resolve(answer.trailers));
        }).once('error', reject);
        call.write('short');
        call.addTrailers({ 'x-digest': '7', authorization: 'Bearer x' });
        call.end();
      });
      assert.deepEqual([asked[0]?.body, asked[0]?.trailers], ['short', ['x-digest', '7']]);
      assert.deepEqual({ ...(trailers as object) }, { 'x-checksum': 'abc' });
    });

    it('whose answer is not whole cuts off the client’s, or is no answer where nothing of it was sent yet, and the next one is whole', async () => {
      for (const path of ['/breaks', '/short']) {
        // How far the client got by then is a matter of moments: to nothing, to the head, or to a part of the body.
        const seen = house.fetch('fraud-omar', path).then((answer) => answer.text());
        assert.match(await seen.catch(() => 'cut off'), /^cut off$|upstream-unavailable/);
      }
      assert.equal(await (await house.fetch('fraud-omar', '/x')).text(), 'ok');
    });

    it('sees that a client broke off its body', async () => {
      const session = connect(`https://localhost:${house.httpsPort}`, { ca: readText(house.authorityFile) });
      const stream = session.request({
        ':path': '/http/crm/cut-up',
        ':method': 'POST',
        authorization: `Bearer ${await house.token('fraud-omar')}`,
      });
      stream.on('error', () => {});
      stream.write(Buffer.alloc(2 * megabyte));
      await pause(500);
      stream.close(constants.NGHTTP2_CANCEL);
      await eventually('the target to see it', () => asked.some(({ body }) => body === 'aborted') || undefined);
      session.destroy();
    });

    it('is asked by many at once over one connection', async () => {
      sessions.clear();
      const answers = await Promise.all(Array.from({ length: 60 }, async () => (await house.fetch('fraud-omar', '/x')).text()));
      assert.ok(answers.every((text) => text === 'ok'));
      assert.equal(sessions.size, 1);
    });

    it('may say that it goes away: the next request goes over another connection', async () => {
      await house.fetch('fraud-omar', '/x');
      for (const session of sessions) session.close();
      sessions.clear();
      assert.equal((await house.fetch('fraud-omar', '/x')).status, 200);
      assert.equal(sessions.size, 1);
    });

    it('is held by a limit of bytes and of time', async () => {
      const url = (path: string): string => `https://localhost:${house.httpsPort}/http/hurried${path}`;
      const authorization = `Bearer ${await house.token('fraud-omar')}`;
      await assert.rejects(fetch(url('/large'), { headers: { authorization } }).then((large) => large.arrayBuffer()));
      const slow = await fetch(url('/cut-up'), { headers: { authorization } });
      assert.equal(slow.status, 504);
    });

    it('is not asked before a DBA has approved', async () => {
      const answer = house.fetch('fraud-omar', '/held', { method: 'DELETE' });
      const erin = await house.api('dba-erin');
      const approval = await eventually('the request for approval', async () => {
        const { approvals } = await erin.get<{ approvals: { id: string; text: string }[] }>('/api/v1/approvals');
        return approvals.find(({ text }) => text.includes('/held'));
      });
      assert.ok(!asked.some(({ method }) => method === 'DELETE'));
      await erin.post(`/api/v1/approvals/${approval.id}/approve`, { reason: 'seen' });
      assert.equal((await answer).status, 200);
      assert.ok(asked.some(({ method, url }) => method === 'DELETE' && url === '/v2/held'));
    });

    it('is spoken to in the version that the configuration says now', async () => {
      const config = readText(house.configFile);
      const until = (version: string) =>
        eventually(`version ${version}`, async () => {
          asked = [];
          await house.fetch('fraud-omar', '/x');
          return asked.at(-1)?.version === version || undefined;
        });
      await until('2.0');
      if (plainUpstream) return;
      writeFileSync(house.configFile, config.replaceAll('http_version: 2', 'http_version: 1.1'));
      await until('1.1');
      writeFileSync(house.configFile, config);
      await until('2.0');
    });

    it('leaves a log that is whole', async () => {
      await house.gateway.close();
      const report = await verifyLog({ folder: `${house.folder}/data/audit`, recordings: `${house.folder}/data/recordings` });
      assert.ok(report.ok, JSON.stringify(report.problems));
    });
  });
}

describe('an API that does not speak HTTP/2, but was said to', () => {
  it('cannot be reached, and the client is told why', async () => {
    const connections = new Set<Socket>();
    const server = createTcpServer((socket) => {
      connections.add(socket);
      socket.on('error', () => {}).once('data', () => socket.end('HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n'));
    });
    await new Promise<void>((resolve) => {
      server.listen(0, '127.0.0.1', resolve);
    });
    const house = await startHouse({
      handle: (_request, response) => response.end('over HTTP/1.1 all the same'),
      adjust: (config) => {
        const targets = config['targets'] as Record<string, Record<string, unknown>>;
        const { crm } = targets;
        targets['agreed'] = { ...crm, upstream: { ...(crm!['upstream'] as object), http_version: 2 } };
        const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
        targets['known'] = { ...crm, upstream: { url, tls: 'unsafe_disable', http_version: 2 } };
      },
      policies: '@id("all") permit (principal, action, resource);',
    });
    try {
      const authorization = `Bearer ${await house.token('pipeline')}`;
      for (const target of ['agreed', 'known']) {
        const answer = await fetch(`https://localhost:${house.httpsPort}/http/${target}/x`, { headers: { authorization } });
        const problem = (await answer.json()) as { detail?: string; title?: string };
        assert.ok([502, 503].includes(answer.status), String(answer.status));
        assert.match(JSON.stringify(problem), /HTTP\/2|the target/, target);
      }
    } finally {
      await house.close();
      for (const socket of connections) socket.destroy();
      server.close();
    }
  });
});
