import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { GatewayFault } from '../core/fault.ts';
import { requestProtocols } from './registry.ts';
import type { ReceivedRequest } from './request.ts';
import { NotARequest, writtenRequest } from './written-request.ts';

type Name = keyof typeof requestProtocols;

const read = (name: Name, text: string): ReceivedRequest | GatewayFault => writtenRequest(text, requestProtocols[name]);
function request(name: Name, text: string): ReceivedRequest {
  const found = read(name, text);
  assert.ok(!(found instanceof GatewayFault), text);
  return found;
}
const body = ({ body: sent }: ReceivedRequest): string => (sent.kind === 'whole' ? Buffer.from(sent.bytes).toString() : sent.kind);
const fields = ({ forwardable }: ReceivedRequest): readonly string[] => forwardable.map(({ name, value }) => `${name}: ${value}`);

describe('a request that is written down', () => {
  it('has a first line, header fields and a body, as HTTP has them', () => {
    const one = request('http', 'POST /orders?dry=1\nSallyport-Reason: CHG-7\nX-Branch: bern\n\n{"a":\n\n1}\n');
    assert.deepEqual([one.method, one.target.path, one.target.query], ['POST', '/orders', 'dry=1']);
    assert.deepEqual(fields(one), ['x-branch: bern', 'content-type: application/json']);
    assert.ok(one.fields.some(({ name, value }) => name === 'sallyport-reason' && value === 'CHG-7'));
    assert.equal(body(one), '{"a":\n\n1}');
    assert.deepEqual([body(request('http', ' GET /orders \n')), request('http', 'GET /').host], ['none', '']);
  });

  it('says of itself what clients say by header fields, unless they are written', () => {
    assert.equal(request('http', 'WEBSOCKET /feed').upgrade, 'websocket');
    const docs = '/dbs/b/colls/c/docs';
    assert.deepEqual(fields(request('cosmos', `QUERY ${docs}\n\n{}`)), [
      'x-ms-documentdb-isquery: true',
      'content-type: application/query+json',
    ]);
    assert.deepEqual(fields(request('cosmos', `UPSERT ${docs}\ncontent-type: text/plain\n\n{}`)), [
      'content-type: text/plain',
      'x-ms-documentdb-is-upsert: true',
    ]);
    assert.deepEqual(
      [request('cosmos', `CHANGES ${docs}`).method, fields(request('cosmos', `CHANGES ${docs}`))],
      ['GET', ['a-im: Incremental feed']],
    );
    assert.equal(request('kubernetes', 'QUERY /api').method, 'QUERY', 'a word of Cosmos DB means nothing elsewhere');
  });

  it('of gRPC is a path, with a message in JSON or without', () => {
    for (const text of ['/a.B/C', ' /a.B/C {"x": 1} ', '/a.B/C\n{"x":\n\n1}', '/a.B/C\nx-branch: bern\n\n{"x": 1}']) {
      const call = request('grpc', text);
      assert.deepEqual([call.method, call.target.path, call.body.kind], ['POST', '/a.B/C', 'none'], text);
    }
    assert.deepEqual(fields(request('grpc', '/a.B/C\nx-branch: bern')), ['x-branch: bern', 'content-type: application/grpc']);
  });

  it('is refused as the one who sent it would be', () => {
    for (const [name, text, code] of [
      ['http', 'GET /a/../b', 'unclassified'],
      ['http', 'TRACE /', 'unsupported'],
      ['http', 'POST /\ncontent-length: 1\ntransfer-encoding: chunked', 'protocol-violation'],
      ['cosmos', 'GET /addresses', 'unsupported'],
      ['grpc', '/a.B/C?x', 'unsupported'],
    ] as const) {
      const found = read(name, text);
      assert.equal(found instanceof GatewayFault ? found.code : 'read', code, text);
    }
  });

  it('or is no request at all', () => {
    for (const [name, text] of [
      ['http', ''],
      ['http', 'GET'],
      ['http', 'get /orders'],
      ['http', '/orders'],
      ['http', 'GET /orders HTTP/1.1'],
      ['http', 'POST /orders\n{"a": 1}'],
      ['kubernetes', 'kubectl get pods'],
      ['cosmos', 'SELECT * FROM c'],
      ['grpc', 'a.B/C'],
      ['grpc', '/a.B/C {x}'],
      ['grpc', '/a.B/C\n\nx'],
    ] as const) {
      assert.throws(() => read(name, text), NotARequest, `${name} ${text}`);
    }
  });

  it('never ends in anything else', () => {
    const words = fc.constantFrom(
      'GET',
      'QUERY',
      ' ',
      '/a.B/C',
      '/dbs/b',
      '\n',
      '\r\n',
      '\n\n',
      'x: y',
      '{',
      '}',
      '"',
      ':',
      '\0',
      'host: x',
      'é',
    );
    fc.assert(
      fc.property(fc.constantFrom(...(Object.keys(requestProtocols) as Name[])), fc.array(words, { maxLength: 12 }), (name, parts) => {
        try {
          read(name, parts.join(''));
        } catch (error) {
          assert.ok(error instanceof NotARequest, String(error));
        }
      }),
    );
  });
});
