import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { GatewayFault } from '../../core/fault.ts';
import { nodeCrypto } from '../../net/crypto.ts';
import { jsonOf } from './json-body.ts';
import { answered, asked, customers, environmentWith, query, received, session, type Sent } from './testing/requests.ts';

const environment = environmentWith(nodeCrypto, {});
const path = fc.oneof(
  fc.constantFrom(
    '/',
    '/dbs',
    '/dbs/shop',
    '/dbs/shop/colls',
    customers,
    `${customers}/docs`,
    `${customers}/docs/7`,
    `${customers}/sprocs/x`,
    '/offers/a',
    '/dbs/shop/users/u/permissions/p',
  ),
  fc
    .array(fc.constantFrom('dbs', 'colls', 'docs', 'shop', 'customers', 'users', 'operations', 'partitionkeydelete', 'x', ''), {
      maxLength: 8,
    })
    .map((parts) => `/${parts.join('/')}`),
);
const headers = fc.dictionary(
  fc.constantFrom(
    'x-ms-documentdb-isquery',
    'x-ms-documentdb-is-upsert',
    'x-ms-cosmos-is-batch-request',
    'x-ms-cosmos-is-query-plan-request',
    'a-im',
    'content-type',
    'x-ms-documentdb-partitionkey',
    'x-ms-documentdb-pre-trigger-include',
    'x-ms-offer-throughput',
    'x-ms-unknown',
    'if-match',
  ),
  fc.constantFrom('true', 'False', 'application/query+json', 'application/json', 'Incremental feed', '["x"]', 'stamp', '400', ''),
  { maxKeys: 4 },
);
const json = fc.oneof(
  fc.json({ maxDepth: 4 }),
  fc.constantFrom(
    '{"query":"SELECT * FROM c"}',
    '{"query":1}',
    '[{"operationType":"Read","id":"1"}]',
    '[{"operationType":"Patch","id":"1","resourceBody":[]}]',
    '{"operations":[{"op":"move","from":"/a","path":"/b"}]}',
    '{"id":"7","ssn":"1"}',
    '{"a":1,"a":2}',
    '{',
    '',
    '[]',
    'null',
  ),
);
const sent: fc.Arbitrary<Sent> = fc.record(
  { method: fc.constantFrom('GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD', 'OPTIONS'), path, headers, body: json },
  { requiredKeys: ['method', 'path', 'headers'] },
);

test('any request is understood or refused, has acts, and can be put on record', () => {
  fc.assert(
    fc.property(sent, (one) => {
      try {
        received(one);
      } catch (error) {
        assert.ok(error instanceof GatewayFault);
        return;
      }
      const request = asked(one, environment);
      const operation = request.operation(session);
      assert.ok(operation.acts.length > 0 && operation.text.length > 0);
      assert.ok(request.refusal === undefined || request.refusal.code !== 'internal', request.refusal?.detail);
      operation.exact();
      operation.unmasked();
    }),
    { numRuns: 2_000 },
  );
});

test('any answer is shown without what is hidden, or not at all', () => {
  const item = fc.record({
    ssn: fc.constant('canary'),
    accounts: fc.array(fc.record({ number: fc.constant('canary'), more: fc.json({ maxDepth: 2 }) })),
    job: fc.record({ salary: fc.constant('canary') }),
    other: fc.jsonValue({ maxDepth: 3 }),
  });
  fc.assert(
    fc.property(fc.array(item, { maxLength: 3 }), fc.boolean(), fc.nat(), (items, spaced, cut) => {
      const body = JSON.stringify({ _rid: 'x', Documents: items, _count: items.length }, null, spaced ? 1 : 0);
      for (const text of [body, body.slice(0, cut % body.length)])
        assert.ok(!answered(asked(query('SELECT * FROM c'), environment), text).includes('canary'), text);
    }),
  );
});

test('a body cut anywhere is refused, and one that is whole is what JSON.parse says', () => {
  const bytes = new TextEncoder().encode('{"query":"SELECT \\u0063 FROM c","parameters":[{"name":"@ä","value":{"a":[1,"}"]}}]}');
  for (let at = 0; at < bytes.length; at += 1) assert.throws(() => jsonOf(bytes.subarray(0, at)), GatewayFault);
  fc.assert(
    fc.property(fc.json({ maxDepth: 5 }), (text) => {
      assert.deepEqual(jsonOf(new TextEncoder().encode(text)), JSON.parse(text));
    }),
  );
  assert.throws(() => jsonOf(new TextEncoder().encode('['.repeat(200) + ']'.repeat(200))), GatewayFault);
});
