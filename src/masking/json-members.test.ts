import assert from 'node:assert/strict';
import { it } from 'node:test';
import { replaceMembers } from './json-members.ts';

const replaced = (text: string): string | undefined => replaceMembers(text, /^secret$/i, '"-"');

it('replaces the value of every such member, at any depth, whatever it is, and nothing else', () => {
  for (const [text, expected] of [
    ['{"secret":"x","a":1}', '{"secret":"-","a":1}'],
    ['{"secret" : "x" , "secret":[1,{"b":"}"}],"a":"secret"}', '{"secret" : "-" , "secret":"-","a":"secret"}'],
    ['[{"a":{"SECRET":true}},{"s\\u0065cret":-1.5e3}]', '[{"a":{"SECRET":"-"}},{"s\\u0065cret":"-"}]'],
    ['{"a":"\\"secret\\":1","secret":null}', '{"a":"\\"secret\\":1","secret":"-"}'],
    ['{"secret":{"secret":{}},"b":[]}', '{"secret":"-","b":[]}'],
    ['"secret"', '"secret"'],
    ['{}', '{}'],
  ] as const) {
    const result = replaced(text);
    assert.equal(result, expected);
    JSON.parse(result);
  }
  assert.equal(replaced('{"secret":'), undefined);
});

it('gives the beginning of a long text where that will do, with every member in it replaced', () => {
  const text = '{"a":"one","secret":"x","b":{"secret":[1,2,{"c":"d"}]},"e":"\\"secret\\"","f":[true,null],"secret":1}';
  const whole = replaced(text)!;
  for (let enough = 0; enough <= whole.length + 1; enough += 1) {
    const beginning = replaceMembers(text, /^secret$/i, '"-"', enough)!;
    assert.ok(whole.startsWith(beginning) && beginning.length >= Math.min(enough, whole.length), `${enough}: ${beginning}`);
  }
  assert.equal(replaceMembers('{"a":"b","secret":', /^secret$/, '"-"', 1), undefined);
});
