import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { GatewayFault } from '../../core/fault.ts';
import { compileJsonPath } from '../../masking/json-path.ts';
import type { ReceivedRequest } from '../request.ts';
import { bodyFacts } from './body-facts.ts';

const places = Object.entries({ currency: '$.currency', amount: '$.lines[*].amount', kind: '$.kind' }).map(([name, path]) => ({
  name,
  path: compileJsonPath(path),
}));

function facts(type: string, body: string | Uint8Array, more: Record<string, string> = {}): readonly string[] | string {
  const bytes = typeof body === 'string' ? new TextEncoder().encode(body) : body;
  const fields = Object.entries({ 'content-type': type, ...more }).map(([name, value]) => ({ name, value }));
  const found = bodyFacts(places, { fields, body: { kind: 'whole', bytes } } as unknown as ReceivedRequest);
  return found instanceof GatewayFault ? found.publicMessage : found;
}

describe('values in bodies that policy asks about', () => {
  it('of JSON: at their places, looked into lists, as text', () => {
    const body = { currency: 'EUR', lines: [{ amount: 5 }, { amount: 1e3 }, { other: 1 }], kind: [null, true, { deep: 1 }] };
    assert.deepEqual(facts('application/json', JSON.stringify(body)), [
      'amount=1000',
      'amount=5',
      'currency=EUR',
      'kind=null',
      'kind=true',
    ]);
    assert.deepEqual(facts('application/merge-patch+json', '{"a":{"currency":"EUR"}}'), []);
    assert.deepEqual(facts('application/json', '{"currency":"E\\u0055R"}'), ['currency=EUR']);
    assert.deepEqual(facts('application/json', '{"currency":"a:\\"b:\\\\"}'), ['currency=a:"b:\\']);
  });

  it('of forms and multipart forms: every value of a field', () => {
    assert.deepEqual(facts('application/x-www-form-urlencoded', 'currency=EUR&kind=a+b&%6Bind=c'), ['currency=EUR', 'kind=a b', 'kind=c']);
    const part = (name: string, value: string, more = ''): string =>
      `--b\r\nContent-Disposition: form-data; name="${name}"${more}\r\n\r\n${value}\r\n`;
    const body = `${part('currency', 'EUR')}${part('kind', 'in a file', '; filename="x"')}${part('kind', 'x')}--b--\r\n`;
    assert.deepEqual(facts('multipart/form-data; boundary=b', body), ['currency=EUR', 'kind=x']);
  });

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
    ['many values', 'application/json', JSON.stringify({ kind: Array.from({ length: 200 }, (_, index) => index) }), /more than 100 values/],
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
