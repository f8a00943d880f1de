import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { connect, type ClientHttp2Session } from 'node:http2';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import type { MethodDefinition } from '@grpc/grpc-js';
import { freePort } from '../../src/cli/demo/free-port.ts';
import { startHouse, type House } from './house.ts';
import { startBank, type Account, type Bank } from './peers/bank.ts';
import { descriptorSet, loadProto } from './peers/protos.ts';
import { callWeb, readWeb, type WebAnswer } from './peers/web.ts';

const definition = loadProto('bank.proto');
const ledger = definition['bank.v1.Ledger'] as Readonly<Record<string, MethodDefinition<object, object>>>;

let bank: Bank;
let house: House;
let session: ClientHttp2Session;
/** May call. */
const page = 'https://app.bank.example';
/** Of the target alone. */
let port = 0;
before(async () => {
  house = await startHouse({
    dataClasses: { ssn: { paths: ['ledger/bank.v1.Account#$.ssn'], mask: 'partial-last4' } },
    async targets(certificate, folder) {
      bank = await startBank(definition, certificate);
      port = await freePort();
      writeFileSync(join(folder, 'bank.binpb'), descriptorSet(definition));
      const schema = { descriptor_sets: ['file:bank.binpb'] };
      const settings = { listen: `127.0.0.1:${port}`, web_origins: [page], schema };
      return { ledger: { port: bank.port, settings }, closed: { port: bank.port, settings: { schema } } };
    },
  });
  setDefaultCACertificates([...getCACertificates('bundled'), house.authority]);
  session = connect(`https://localhost:${house.httpsPort}`, { servername: 'ledger.localhost', ca: house.authority });
});
after(async () => {
  session.close();
  await house.close();
  bank.close();
});

/** By `fetch`, which speaks HTTP/1.1. */
async function byFetch(method: string, request: object, type: string, extra: Readonly<Record<string, string>> = {}): Promise<WebAnswer> {
  const { path, requestSerialize } = ledger[method]!;
  const token = await house.token('pipeline');
  return callWeb(`https://localhost:${port}${path}`, requestSerialize(request), type, {
    authorization: `Bearer ${token}`,
    ...extra,
  });
}

async function byHttp2(method: string, request: object, type: string): Promise<WebAnswer> {
  const { path, requestSerialize } = ledger[method]!;
  const stream = session.request({
    ':method': 'POST',
    ':path': path,
    ':authority': 'ledger.localhost',
    'content-type': type,
    authorization: `Bearer ${await house.token('pipeline')}`,
  });
  const headers = new Promise<Record<string, unknown>>((resolve) => {
    stream.once('response', (seen) => resolve(seen));
  });
  return readWeb(stream, requestSerialize(request), type, headers);
}

for (const type of ['application/grpc-web+proto', 'application/grpc-web-text']) {
  for (const [version, call] of [
    ['HTTP/1.1', byFetch],
    ['HTTP/2', byHttp2],
  ] as const) {
    describe(`${type} over ${version}`, () => {
      const accounts = ({ messages }: WebAnswer): Account[] =>
        messages.map((bytes) => ledger['Get']!.responseDeserialize(bytes) as Account);

      it('takes a unary call, its answer masked and its status in the body', async () => {
        const answer = await call('Get', { number: '7' }, type);
        assert.deepEqual([answer.contentType, answer.trailers.get('grpc-status')], [type, '0']);
        assert.deepEqual(
          accounts(answer).map(({ number, ssn }) => [number, ssn]),
          [['7', '***-**-4399']],
        );
        assert.equal(answer.trailers.get('sallyport-masked'), 'ssn=1');
      });

      it('takes a stream of answers', async () => {
        const answer = await call('List', { count: 3 }, type);
        assert.deepEqual(
          [answer.trailers.get('grpc-status'), accounts(answer).map(({ ssn }) => ssn)],
          ['0', ['***-**-4399', '***-**-4399', '***-**-4399']],
        );
      });

      it('tells of an error of the target', async () => {
        const answer = await call('Fail', {}, type);
        assert.deepEqual([answer.trailers.get('grpc-status'), answer.messages.length], ['5', 0]);
      });
    });
  }
}

it('what the gateway refuses comes as a head that says so', async () => {
  const answer = await byFetch('Get', {}, 'application/grpc-web+proto', { authorization: 'Bearer nonsense' });
  assert.deepEqual([answer.status, answer.trailers.get('grpc-status')], [200, '16']);
});

describe('a page of another origin', () => {
  /** On a stream of its own, with no token where there is none. Everything that the browser would go by, and the status. */
  const seenBy = async (method: string, authority: string, fields: Readonly<Record<string, string>>): Promise<Record<string, unknown>> => {
    // A refused sign-in ends its connection.
    const own = connect(`https://localhost:${house.httpsPort}`, { servername: 'ledger.localhost', ca: house.authority });
    const stream = own.request({ ':method': method, ':path': ledger['Get']!.path, ':authority': authority, ...fields });
    const head = await new Promise<Record<string, unknown>>((resolve) => {
      stream.once('response', resolve);
      stream.end(method === 'POST' ? Buffer.from([0, 0, 0, 0, 0]) : undefined);
    });
    own.destroy();
    return Object.fromEntries(Object.entries(head).filter(([name]) => /^(?::status|grpc-status|access-control-.*|vary)$/.test(name)));
  };
  const asks = { 'access-control-request-method': 'POST', 'access-control-request-headers': 'authorization,content-type,x-grpc-web' };
  const type = { 'content-type': 'application/grpc-web+proto' };

  it('is told that it may call where the target names it, and nothing anywhere else', async () => {
    const calls = bank.seen.length;
    assert.deepEqual(await seenBy('OPTIONS', 'ledger.localhost', { origin: page, ...asks }), {
      ':status': 204,
      'access-control-allow-origin': page,
      vary: 'origin',
      'access-control-allow-methods': 'POST',
      'access-control-allow-headers': 'authorization, content-type, x-grpc-web',
      'access-control-max-age': '600',
    });
    for (const [authority, origin] of [
      ['ledger.localhost', 'https://evil.example'],
      ['closed.localhost', page],
      ['nowhere.localhost', page],
    ] as const) {
      assert.deepEqual(await seenBy('OPTIONS', authority, { origin, ...asks }), { ':status': 401 }, authority);
    }
    assert.equal(bank.seen.length, calls);
  });

  it('sees answers and refusals, by its token alone', async () => {
    const authorization = `Bearer ${await house.token('pipeline')}`;
    const shown = { 'access-control-allow-origin': page, 'access-control-expose-headers': '*', vary: 'origin' };
    assert.deepEqual(await seenBy('POST', 'ledger.localhost', { origin: page, ...type, authorization }), { ':status': 200, ...shown });
    const refused = await seenBy('POST', 'ledger.localhost', { origin: page, ...type });
    assert.deepEqual(refused, { ':status': 200, 'grpc-status': '16', ...shown });
    const other = await seenBy('POST', 'ledger.localhost', { origin: 'https://evil.example', ...type, authorization });
    assert.deepEqual(other, { ':status': 200 }, 'a browser shows it nothing; who is no browser has a token');
  });
});

it('what is no call of gRPC gets 415', async () => {
  const response = await fetch(`https://localhost:${port}/bank.v1.Ledger/Get`, {
    method: 'POST',
    headers: { authorization: `Bearer ${await house.token('pipeline')}`, 'content-type': 'application/json' },
    body: '{}',
  });
  assert.equal(response.status, 415);
});
