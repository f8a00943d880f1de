import assert from 'node:assert/strict';
import { it } from 'node:test';
import * as fc from 'fast-check';
import { parseJsonObject } from './json.ts';

const limits = { depth: 4, members: 8 };
const parse = (text: string) => parseJsonObject(Buffer.from(text), limits);

const refused: readonly (readonly [text: string, why: string])[] = [
  ['{"a":1,"a":1}', 'duplicate-member'],
  ['{"a":1,"\\u0061":1}', 'duplicate-member'],
  ['{"":1,"":2}', 'duplicate-member'],
  ['{"x":{"a":1,"b":2,"a":3}}', 'duplicate-member'],
  ['{"x":[1,{"a":1,"a":2}]}', 'duplicate-member'],
  ['{"\\"":1,"\\u0022":2}', 'duplicate-member'],
  ['{"__proto__":1,"__proto__":2}', 'duplicate-member'],
  ['{"a":[[[[1]]]]}', 'too-complex'],
  ['{"a":{"b":{"c":{"d":{}}}}}', 'too-complex'],
  [`{${Array.from({ length: 9 }, (_, n) => `"${n}":0`).join(',')}}`, 'too-complex'],
  ['[{"a":1}]', 'malformed'],
  ['"a"', 'malformed'],
  ['{"a":1}{"b":2}', 'malformed'],
  ['{"a":01}', 'malformed'],
  ['{"a":"\n"}', 'malformed'],
];

for (const [text, why] of refused) it(`refuses ${text}: ${why}`, () => assert.equal(parse(text), why));

it('reads values that look like structure as what they are', () => {
  const text = '{ "a" : "{\\"b\\":[\\"", "b" : ["a","a",{"a":1}], "c\\\\" : "c\\\\", "__proto__" : {"a":1}, "]" : "}" }';
  const read = parse(text);
  assert.ok(read instanceof Map);
  assert.deepEqual([...read.keys()], ['a', 'b', 'c\\', '__proto__', ']']);
});

it('reads whatever JSON.stringify writes as JSON.parse does', () => {
  const wide = { depth: 1_000, members: 100_000 };
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (value) => {
      const text = JSON.stringify(value);
      assert.deepEqual(parseJsonObject(Buffer.from(text), wide), new Map(Object.entries(JSON.parse(text) as object)));
    }),
  );
});

it('finds a repeated name wherever it is put', () => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.string(), { minLength: 1, maxLength: 6 }), fc.nat(), (names, seed) => {
      const repeated = names[seed % names.length] ?? '';
      const members = [...names, repeated].map((name) => `${JSON.stringify(name)}:{"x":"}"}`);
      assert.equal(parseJsonObject(Buffer.from(`{${members.join(' , ')}}`), { depth: 9, members: 99 }), 'duplicate-member');
    }),
  );
});
