import assert from 'node:assert/strict';
import { connect, type ClientHttp2Session } from 'node:http2';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { eventually } from '../harness.ts';
import { bodyOf, readText, startHouse, type House } from './house.ts';
import { exchange } from './upstreams/exchange.ts';
import { goaway, preface, requestFrames, resetFrame } from './upstreams/frames.ts';

const longerThanGathered = 1_500_000;
const surplus = 'GET /v2/smuggled HTTP/1.1\r\nHost: x\r\n\r\n';

/**
 * Written down as HTTP/1, octets beyond the announced length are the next request on the target's connection. Node resets such a request, but ends its body like any
 * other: whoever only waits for the end takes a part for the whole.
 */
describe('a body of HTTP/2', () => {
  /** Complete requests at the target. */
  let whole: string[] = [];
  let house: House;
  let token: string;
  let socket: TLSSocket;
  let client: ClientHttp2Session;
  before(async () => {
    house = await startHouse({
      plainUpstream: true,
      handle(request, response) {
        bodyOf(request).then(
          (body) => {
            whole.push(`${request.method} ${request.url} ${body.length}`);
            response.end();
          },
          () => {},
        );
      },
    });
    token = await house.token('pipeline');
  });
  after(() => house.close());
  beforeEach(() => {
    whole = [];
    socket = connectTls({
      port: house.httpsPort,
      host: 'localhost',
      servername: 'localhost',
      ca: readText(house.authorityFile),
      ALPNProtocols: ['h2'],
    });
    client = connect(`https://localhost:${house.httpsPort}`, { createConnection: () => socket });
    client.on('error', () => {});
  });
  afterEach(() => client.close());

  for (const length of [5, longerThanGathered]) {
    it(`of ${length} octets, as announced, arrives`, async () => {
      assert.equal(await post(length, 'x'.repeat(length)), 200);
      assert.deepEqual(whole, [`POST /v2/notes ${length}`]);
    });

    it(`of more than the ${length} octets that are announced is refused, and the surplus is no request`, async () => {
      assert.notEqual(await post(length, `${'x'.repeat(length)}${surplus}`), 200);
      await nothingButTheNextOne();
    });

    it(`of less than the ${length} octets that are announced is refused`, async () => {
      assert.notEqual(await post(length, 'x'.repeat(length - 1)), 200);
      await nothingButTheNextOne();
    });

    it(`that is cut off after ${length} octets with its connection is not taken for a whole one`, async () => {
      const stream = client.request(head({}), { endStream: false });
      stream.on('error', () => {});
      await new Promise<void>((resolve) => {
        stream.write('x'.repeat(length), () => setTimeout(resolve, 50));
      });
      socket.destroy();
      await nothingButTheNextOne();
    });
  }

  it('that is given up is not taken for a whole one', async () => {
    const fields = Object.entries(head({ ':scheme': 'https', ':authority': `localhost:${house.httpsPort}` })).sort(([one]) =>
      one.startsWith(':') ? -1 : 1,
    );
    const request = Buffer.concat([preface, requestFrames(1, fields.flat(), 'hello', [], false), resetFrame(1), goaway]);
    await exchange({ port: house.httpsPort, ca: readText(house.authorityFile), alpn: 'h2' }, request.toString('latin1'));
    await nothingButTheNextOne();
  });

  async function post(announced: number, body: string): Promise<number | undefined> {
    const stream = client.request(head({ 'content-length': String(announced) }));
    let status: number | undefined;
    stream.on('response', (fields) => (status = fields[':status']));
    stream.on('error', () => {});
    stream.resume();
    stream.end(body);
    await new Promise((resolve) => {
      stream.once('close', resolve);
    });
    return status;
  }

  /** A good request goes through behind it, and the target has seen no other. */
  async function nothingButTheNextOne(): Promise<void> {
    const next = await house.fetch('pipeline', '/next');
    assert.equal(next.status, 200);
    await eventually('the next one', () => (whole.length > 0 ? true : undefined));
    assert.deepEqual(whole, ['GET /v2/next 0']);
  }

  function head(more: Readonly<Record<string, string>>): Record<string, string> {
    return { ':method': 'POST', ':path': '/http/crm/notes', authorization: `Bearer ${token}`, ...more };
  }
});
