import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { endOfValue, isJson, stringsOf } from './json-bytes.ts';
import { Outline } from './outline.ts';
import { broken, jsonText, jsonTree, parses } from './testing/json-trees.ts';

const parts = {
  names: ['a', 'ssn', '', 'größe', '"', '\\', '😀'],
  texts: ['', 'x', 'a/b', '"\\\b\f\n\r\t\u0000\u001f', 'é€😀\ud800', '}],:'],
};

describe('what is JSON', () => {
  it('is what JSON.parse takes', () => {
    let [taken, refused] = [0, 0];
    fc.assert(
      fc.property(fc.gen(), (generate) => {
        const choose = (below: number): number => generate(fc.nat, { max: below - 1 });
        const whole = jsonText(jsonTree(choose, parts, 4));
        const text = choose(3) === 0 ? whole : broken(choose, whole);
        assert.equal(isJson(text), parses(text), JSON.stringify(text));
        if (parses(text)) taken += 1;
        else refused += 1;
      }),
      { numRuns: 3_000 },
    );
    assert.ok(taken > 500 && refused > 500, `${taken} taken, ${refused} refused`);
  });

  it('is so after every character that may be the next, in every place', () => {
    const all = Array.from({ length: 0x81 }, (_, code) => String.fromCharCode(code));
    for (const whole of ['{"a":[1.5e+3,"x\\u00e9\\n"],"b":{}}', ' [ true , false , null , -0 ] ', '"\\"\\\\\\/"', '-10.01E-20']) {
      for (let at = 0; at <= whole.length; at += 1) {
        for (const character of all) {
          for (const text of [
            whole.slice(0, at) + character + whole.slice(at),
            whole.slice(0, at) + character + whole.slice(at + 1),
            whole.slice(0, at),
          ])
            assert.equal(isJson(text), parses(text), JSON.stringify(text));
        }
      }
    }
  });

  it('may be deep, unless that is limited', () => {
    const deep = (depth: number): string => `${'[{"a":'.repeat(depth)}1${'}]'.repeat(depth)}`;
    assert.equal(isJson(deep(50_000)), true);
    assert.equal(isJson(`${deep(50_000)}]`), false);
    const bytes = new Outline().of(deep(3));
    for (const [deepest, end] of [
      [6, 25],
      [5, -1],
      [0, -1],
    ] as const)
      assert.equal(endOfValue(bytes, 0, deepest), end);
  });

  it('ends where the text does, whatever stood there before', () => {
    assert.equal(isJson('[12345678]'), true);
    for (const text of ['[1234567', '[12345678', '"1234567', '', '[', 'tru', '"\\u123', '-', '1.', '1e'])
      assert.equal(isJson(text), false, text);
  });
});

it('strings are told where they stand, names too', () => {
  const text = '{"a" : ["b\\"c", 1, {"":"\\\\"}]}';
  const strings = stringsOf(text)!;
  const shown = Array.from({ length: strings.length / 2 }, (_, index) => text.slice(strings[2 * index], strings[2 * index + 1]));
  assert.deepEqual(shown, ['"a"', '"b\\"c"', '""', '"\\\\"']);
  assert.equal(stringsOf('{"a"'), undefined);
});
