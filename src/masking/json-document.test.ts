import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { nodeCrypto } from '../net/crypto.ts';
import { compileDataClasses } from './classes.ts';
import { maskDocument, type DocumentMasks, type Place } from './json-document.ts';

const classes = compileDataClasses(
  [
    { name: 'ssn', columns: [], paths: [], detect: [{ kind: 'recogniser', name: 'us-ssn' }], mask: 'partial-last4' },
    { name: 'nothing', columns: [], paths: [], detect: [{ kind: 'pattern', pattern: 'canary' }], mask: 'null' },
  ],
  nodeCrypto,
  new Uint8Array(32),
);

function masksFor(...places: readonly Place[]): DocumentMasks {
  return {
    classes,
    detectors: classes.detectors,
    rules: places.map((place) => ({ place, rule: { class: 'ssn', kind: 'redact' } })),
    systemOf: [[]],
    systemKeys: new Set(['_etag']),
  };
}

function shown(text: string, ...places: readonly Place[]): string | undefined {
  return maskDocument(masksFor(...places), text)?.text;
}

test('values at a place are masked whole, everything else stays as it was', () => {
  assert.equal(shown('{ "a" : "x", "n":1.0, "b":{"a":"y"} }', ['a']), '{ "a" : "[redacted:ssn]", "n":1.0, "b":{"a":"y"} }');
  assert.equal(shown('{"a":{"deep":["}"]},"b":5e0}', ['a']), '{"a":null,"b":5e0}');
  assert.equal(shown('{"a":null,"a":7}', ['a']), '{"a":null,"a":null}');
  assert.equal(shown('{"\\u0061":"x"}', ['a']), '{"\\u0061":"[redacted:ssn]"}');
  assert.equal(shown('["x",["y"]]', [undefined]), '["[redacted:ssn]",null]');
  assert.equal(shown('{"list":[{"a":"x"},[{"a":"y"}]]}', ['list', 'a']), '{"list":[{"a":"[redacted:ssn]"},[{"a":"[redacted:ssn]"}]]}');
  assert.equal(shown('"x"', []), '"[redacted:ssn]"');
});

test('what is computed is shown as one text, whatever it is', () => {
  const masks = { ...masksFor(), rules: [{ place: ['a'], rule: { class: 'ssn', kind: 'redact' }, isOpaque: true }] } as const;
  for (const value of ['"x"', '7', 'null', 'true', '{"b":1}', '[]'])
    assert.equal(maskDocument(masks, `{"a":${value},"b":1}`)?.text, '{"a":"[redacted:ssn]","b":1}');
});

test('detectors look at each value and each key, through escapes, with the key as the hint', () => {
  assert.equal(shown('{"text":"of 078-05-1120, yes"}'), '{"text":"of ***-**-1120, yes"}');
  assert.equal(shown('{"text":"078\\u002d05-1120"}'), '{"text":"***-**-1120"}');
  assert.equal(shown('{"078-05-1120":1}'), '{"***-**-1120":1}');
  assert.equal(shown('{"ssn":"078051120","other":"078051120"}'), '{"ssn":"*****1120","other":"078051120"}');
  assert.equal(shown('{"ssn":78051120,"a":["x canary"],"canary":1}'), '{"ssn":78051120,"a":[null],"":1}');
  assert.deepEqual([...maskDocument(masksFor(['b']), '{"a":"078-05-1120","b":"x"}')!.masked], [['ssn', 2]]);
});

test('what the database says of an item is not looked at, and only there', () => {
  assert.equal(shown('{"_etag":"078-05-1120","in":{"_etag":"078-05-1120"}}'), '{"_etag":"078-05-1120","in":{"_etag":"***-**-1120"}}');
});

test('what is no JSON, or too deep, is not shown', () => {
  assert.equal(shown('{"a":'), undefined);
  assert.equal(shown(`${'['.repeat(600)}${']'.repeat(600)}`), undefined);
});

test('any JSON stays what it was, but for what is hidden', () => {
  fc.assert(
    fc.property(fc.json({ maxDepth: 6 }), fc.boolean(), (text, spaced) => {
      const json = spaced ? JSON.stringify(JSON.parse(text), null, 2) : text;
      assert.equal(shown(json, ['canary place']), json);
      const all = shown(json, []);
      assert.ok(all === 'null' || all === '"[redacted:ssn]"', all);
    }),
  );
});
