import assert from 'node:assert/strict';
import { it } from 'node:test';
import * as fc from 'fast-check';
import { jsonText, jsonTree } from '../../masking/testing/json-trees.ts';
import { LEFT_OUT, speaksOfCredential, withoutSecretMembers } from './credentials.ts';

it('leaves out whatever stands under a name that speaks of a credential, however it is written, and nothing else', () => {
  const names = [
    'a',
    'code',
    'PIN',
    'codes',
    'opinion',
    'Access_Token',
    'x-api-key',
    'sig',
    'signatures',
    'apikey\n',
    'code"',
    'größe',
    'Cookie',
  ];
  const parts = { names, texts: ['', 'password', '"code":1', '{"pin":"x"}', '\\u0070in', 'x', '"token"', 'a\nb/c'] };
  let leftOut = 0;
  fc.assert(
    fc.property(fc.gen(), (generate) => {
      const choose = (below: number): number => generate(fc.nat, { max: below - 1 });
      const tree = jsonTree(choose, parts, 4);
      const text = jsonText(tree);
      const expected = jsonText(tree, {
        value: (way) =>
          speaksOfCredential(typeof way.at(-1) === 'string' ? String(way.at(-1)) : '') ? JSON.stringify(LEFT_OUT) : undefined,
      });
      assert.equal(withoutSecretMembers(text), expected);
      assert.equal(withoutSecretMembers(text, undefined, true), expected);
      for (const enough of [0, choose(text.length + 1), text.length]) {
        const beginning = withoutSecretMembers(text, enough)!;
        assert.ok(beginning.length >= Math.min(enough, expected.length) && beginning.slice(0, enough) === expected.slice(0, enough), text);
      }
      assert.equal(withoutSecretMembers(`${text},`), undefined);
      if (expected !== text) leftOut += 1;
    }),
    { numRuns: 2_000 },
  );
  assert.ok(leftOut > 300, `something was left out of ${leftOut} only`);
});

it('knows a name that is one only as a whole, in any case, and one that is written with escapes', () => {
  for (const name of ['code', 'Pin', 'OTP', 'sig', 'pwd', '\\u0063ode', 'to\\u006ben', 'p\\u0061ssword'])
    assert.equal(withoutSecretMembers(`{"a":1,"${name}" : ["x"],"b":2}`), `{"a":1,"${name}" : "[redacted]","b":2}`);
  for (const text of ['{"codes":1}', '{"a":"code"}', '{"a":["pin","token"]}', '{"a":"\\u0063ode"}', '"token"', '{"zip\\/code":1}'])
    assert.equal(withoutSecretMembers(text), text);
});
