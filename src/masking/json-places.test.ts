import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { nodeCrypto } from '../net/crypto.ts';
import { compileDataClasses } from './classes.ts';
import { compileJsonPath } from './json-path.ts';
import { maskPaths } from './json-places.ts';
import { broken, jsonText, jsonTree, maskedTree, parses } from './testing/json-trees.ts';

const kinds = ['null', 'redact', 'hash', 'pseudonym', 'partial-last4'] as const;
const classes = compileDataClasses(
  kinds.map((mask) => ({ name: `"${mask}" é`, columns: [], paths: [], detect: [], mask })),
  nodeCrypto,
  new Uint8Array(32),
);

describe('maskPaths', () => {
  const rule = { class: 'pan', kind: 'partial-last4' } as const;
  const at = (path: string, text: string) => maskPaths(classes, [{ rule, path: compileJsonPath(path) }], text);

  it('masks the value at the place and leaves every other byte', () => {
    assert.equal(at('$.ssn', '{ "a": 1.0, "ssn" : "123-45-6789" , "b":[ ]}')?.text, '{ "a": 1.0, "ssn" : "***-**-6789" , "b":[ ]}');
    assert.equal(at('$.a.b', '{"a":{"b":123,"c":"123"}}')?.text, '{"a":{"b":null,"c":"123"}}');
    assert.equal(at('$.a[1]', '{"a":["12345678","12345678"]}')?.text, '{"a":["12345678","****5678"]}');
    assert.equal(at('$.a[*].b', '{"a":[{"b":"12345678"},{"b":true}]}')?.text, '{"a":[{"b":"****5678"},{"b":null}]}');
    assert.equal(at('$.*', '{"a":"12345678","b":{"c":1}}')?.text, '{"a":"****5678","b":null}');
    assert.equal(at("$['odd \\'key']", `{"odd 'key":"12345678"}`)?.text, `{"odd 'key":"****5678"}`);
  });

  it('finds the key however it is written, every time, and through arrays', () => {
    assert.equal(at('$.ssn', '{"s\\u0073n":"12345678"}')?.text, '{"s\\u0073n":"****5678"}');
    assert.equal(at('$.ssn', '{"ssn":"12345678","ssn":"87654321"}')?.text, '{"ssn":"****5678","ssn":"****4321"}');
    assert.equal(at('$.ssn', '[{"ssn":"12345678"},[{"ssn":"87654321"}]]')?.text, '[{"ssn":"****5678"},[{"ssn":"****4321"}]]');
    assert.equal(
      at('$.größe', '{"grösse":"12345678","größe":"12345678","gröse":1,"gr\\u00f6ße":2}')?.text,
      '{"grösse":"12345678","größe":"****5678","gröse":1,"gr\\u00f6ße":null}',
    );
  });

  it('says when nothing is there, and when it cannot know', () => {
    assert.equal(at('$.ssn', '{"a":{"ssn":"12345678"}}'), undefined);
    assert.equal(at('$.ssn', '{"ssn":null}'), undefined);
    assert.equal(maskPaths(classes, [], '{"ssn":1}'), undefined);
    assert.equal(maskPaths(classes, [], '{"ssn":1'), null);
    assert.equal(at('$.ssn', '{"ssn":'), null);
  });

  it('looks into 500 levels, whether something may be there or not', () => {
    const nested = (levels: number, inside: string): string => `${'[{"b":'.repeat(levels / 2)}${inside}${'}]'.repeat(levels / 2)}`;
    for (const name of ['b', 'a']) {
      const text = (levels: number, inside: string): string => `{"${name}":${nested(levels, inside)}}`;
      const path = `$${'.b'.repeat(250)}`;
      assert.notEqual(at(path, text(498, '[1]')), null);
      assert.equal(at(path, text(498, '[[[1]]]')), null);
      assert.equal(at(path, text(2_000, '1')), null);
    }
  });

  it('always gives JSON of the same shape', () => {
    fc.assert(
      fc.property(fc.json(), fc.constantFrom('$.*', '$[*]', '$.a', '$.*.*', '$[0]'), (text, path) => {
        const result = at(path, text);
        assert.notEqual(result, null);
        if (result?.text !== undefined) assert.equal(typeof JSON.parse(result.text), typeof JSON.parse(text));
      }),
    );
  });

  it('masks exactly what the first of its rules leads to, of any rules, in any spelling', () => {
    const paths = [
      '$',
      '$.a',
      '$.a.b',
      '$.*',
      '$.*.b',
      '$[0]',
      '$[1].a',
      '$[*].ssn',
      '$.ssn',
      '$.größe',
      '$["x \\"y"]',
      '$.a[0].b',
      '$.*[1]',
      '$.a.*.ssn',
      '$.b.b',
      "$['']",
    ];
    const parts = {
      names: ['a', 'b', 'ssn', 'snn', 'größe', 'x "y', '', '0', '__proto__'],
      texts: ['078-05-1120', '', '4111 1111 1111 1111', '"quoted" \\ 12345678', 'größe 12345678', '😀12345678', '\n\u0000', 'null'],
    };
    const rules = fc.array(
      fc.record({
        path: fc.constantFrom(...paths).map(compileJsonPath),
        rule: fc.constantFrom(...classes.names).map((name) => classes.strongest([name])!),
      }),
      { maxLength: 5 },
    );
    let masked = 0;
    fc.assert(
      fc.property(rules, fc.gen(), (some, generate) => {
        const choose = (below: number): number => generate(fc.nat, { max: below - 1 });
        // The rules are the same for several documents.
        for (let left = 2; left >= 0; left -= 1) {
          const tree = jsonTree(choose, parts, 5);
          const text = jsonText(tree);
          const expected = maskedTree(tree, some, classes);
          const result = maskPaths(classes, some, text);
          assert.deepEqual(result === undefined ? { text, found: [] } : { text: result?.text, found: result?.found }, expected);
          if (result !== undefined) masked += 1;
          const worse = broken(choose, text);
          assert.equal(maskPaths(classes, some, worse) === null, !parses(worse), worse);
        }
      }),
      { numRuns: 2_000 },
    );
    assert.ok(masked > 1_000, `something was masked in ${masked} only`);
  });
});
