import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { GatewayFault } from '../../core/fault.ts';
import { compileJsonPath } from '../../masking/json-path.ts';
import type { ReceivedRequest } from '../request.ts';
import { bodyFacts } from './body-facts.ts';

const places = Object.entries({ currency: '$.currency', amount: '$.lines[*].amount', kind: '$.kind', tags: '$.tags[*]' }).map(
  ([name, path]) => ({
    name,
    path: compileJsonPath(path),
  }),
);

function facts(type: string, body: string | Uint8Array, more: Record<string, string> = {}): readonly string[] | string {
  const bytes = typeof body === 'string' ? new TextEncoder().encode(body) : body;
  const fields = Object.entries({ 'content-type': type, ...more }).map(([name, value]) => ({ name, value }));
  const found = bodyFacts(places, { fields, body: { kind: 'whole', bytes } } as unknown as ReceivedRequest);
  return found instanceof GatewayFault ? found.publicMessage : found;
}

const urlencoded = 'application/x-www-form-urlencoded';
const multipart = 'multipart/form-data; boundary=b';
const part = (name: string, value: string, more = ''): string =>
  `--b\r\nContent-Disposition: form-data; name="${name}"${more}\r\n\r\n${value}\r\n`;

describe('values in bodies that policy asks about', () => {
  it('of JSON: at their places, looked into lists, as text', () => {
    const body = { currency: 'EUR', lines: [{ amount: 5 }, { amount: 1e3 }, { other: 1 }], kind: [null, { deep: 1 }], tags: [true, false] };
    assert.deepEqual(facts('application/json', JSON.stringify(body)), [
      'amount=1000',
      'amount=5',
      'currency=EUR',
      'kind=null',
      'tags=false',
      'tags=true',
    ]);
    assert.deepEqual(facts('application/merge-patch+json', '{"a":{"currency":"EUR"}}'), []);
    assert.deepEqual(facts('application/json', '{"currency":"E\\u0055R"}'), ['currency=EUR']);
    assert.deepEqual(facts('application/json', '{"currency":"a:\\"b:\\\\"}'), ['currency=a:"b:\\']);
  });

  it('of forms and multipart forms: those of their fields', () => {
    assert.deepEqual(facts(urlencoded, '&currency=EUR&%6Bind=a+b&other=1&other=2'), ['currency=EUR', 'kind=a b']);
    assert.deepEqual(facts(urlencoded, 'tags=a&tags=b&x%5Bkind%5D=c'), ['tags=a', 'tags=b']);
    const body = `${part('currency', 'EUR')}${part('other', 'in a file', '; filename="x"')}${part('kind', 'x')}--b--\r\n`;
    assert.deepEqual(facts(multipart, body), ['currency=EUR', 'kind=x']);
  });

  // A policy that permits what has "currency=EUR" permitted this, of which servers take the last, the first, or the one that is a list.
  for (const [name, type, body, expected] of [
    ['a field that is given twice', urlencoded, 'currency=EUR&currency=USD', /currency is given twice/],
    ['one of a multipart form', multipart, `${part('kind', 'a')}${part('kind', 'b')}--b--\r\n`, /kind is given twice/],
    ['a list beside a field', urlencoded, 'currency=EUR&currency%5B%5D=USD', /a field has almost the name currency/],
    ['a list of one', urlencoded, 'currency%5B0%5D=USD', /a field has almost the name currency/],
    ['a list of lists', urlencoded, 'lines%5B0%5D%5Bamount%5D=9', /a field has almost the name lines/],
    ['capitals', urlencoded, 'Currency=USD', /a field has almost the name currency/],
    ['a variable of PHP', urlencoded, 'tags=a&%20tags=b', /a field has almost the name tags/],
    ['an escape of an escape', urlencoded, 'currency=%2545UR', /an escape of an escape/],
    ['a file for a field', multipart, `${part('kind', 'x', '; filename="x"')}--b--\r\n`, /kind is a file/],
    ['very many fields', urlencoded, 'a=1&'.repeat(1_001), /more than 1000 fields/],
  ] as const) {
    it(`of forms are not guessed: ${name}`, () => {
      assert.match(String(facts(type, body)), expected);
    });
  }

  it('are none of a request without a body', () => {
    assert.deepEqual(bodyFacts(places, { fields: [], body: { kind: 'none' } } as unknown as ReceivedRequest), []);
  });

  const unread: readonly (readonly [
    name: string,
    type: string,
    body: string | Uint8Array,
    expected: RegExp,
    more?: Record<string, string>,
  ])[] = [
    ['a name that stands twice', 'application/json', '{"kind":"read","kind":"write"}', /a name stands twice/],
    ['a name that stands twice by an escape', 'application/json', '{"kind":"read","k\\u0069nd":"write"}', /a name stands twice/],
    ['a list of values where one is expected', 'application/json', '{"currency":["EUR","USD"]}', /currency has several values/],
    ['a list on the way to it', 'application/json', '[{"currency":"EUR"},{"currency":"USD"}]', /currency has several values/],
    ['what is no JSON', 'application/json', '{"kind":"read"', /it is no JSON/],
    ['depth', 'application/json', `${'['.repeat(300)}${']'.repeat(300)}`, /too deep/],
    ['another charset', 'application/json; charset=utf-16', '{}', /no UTF-8/],
    ['no UTF-8', 'application/json', Uint8Array.of(0x22, 0xff, 0x22), /no UTF-8/],
    ['another type', 'application/xml', '<kind>read</kind>', /it is application\/xml/],
    ['no type', '', '{}', /its media type is missing/],
    ['a coding', 'application/json', '{}', /a content coding/, { 'content-encoding': 'gzip' }],
    ['a form that cannot be decoded', 'application/x-www-form-urlencoded', 'kind=%zz', /cannot be decoded/],
    ['a multipart form without its end', 'multipart/form-data; boundary=b', '--b\r\n\r\n', /cannot be told with certainty/],
    ['a long value', 'application/json', JSON.stringify({ kind: 'x'.repeat(300) }), /longer than 256 characters/],
    ['many values', 'application/json', JSON.stringify({ tags: Array.from({ length: 200 }, (_, index) => index) }), /more than 100 values/],
  ];
  for (const [name, type, body, expected, more] of unread) {
    it(`are not guessed: ${name}`, () => {
      const found = facts(type, body, more);
      assert.ok(typeof found === 'string');
      assert.match(found, expected);
    });
  }

  it('of a body that passes as it comes are not known', () => {
    const found = bodyFacts(places, { fields: [], body: { kind: 'streamed', octets: 1 } } as unknown as ReceivedRequest);
    assert.ok(found instanceof GatewayFault);
  });
});
