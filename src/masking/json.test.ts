import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { nodeCrypto } from '../net/crypto.ts';
import { compileDataClasses } from './classes.ts';
import { maskJson } from './json.ts';
import { jsonText, jsonTree } from './testing/json-trees.ts';
import { maskText } from './text.ts';
import type { DataClass } from './types.ts';

const pan: DataClass = {
  name: 'pan',
  columns: [],
  paths: [],
  detect: [{ kind: 'recogniser', name: 'card-number' }],
  mask: 'partial-last4',
};
const email: DataClass = { ...pan, name: 'email', detect: [{ kind: 'recogniser', name: 'email' }], mask: 'redact' };
const ssn: DataClass = { name: 'ssn', columns: [], paths: [], detect: [{ kind: 'recogniser', name: 'us-ssn' }], mask: 'redact' };
const odd: DataClass = { name: 'odd', columns: [], paths: [], detect: [{ kind: 'pattern', pattern: 'x":"y|"abc|abc:d"' }], mask: 'redact' };
const classes = compileDataClasses([pan, ssn, odd], nodeCrypto, new Uint8Array(32));
const masked = (text: string) => maskJson(classes, classes.detectors, text)?.text;

describe('maskJson', () => {
  it('masks inside strings and keys, and numbers whole', () => {
    assert.equal(masked('{"a":"card 4111111111111111!"}'), '{"a":"card ************1111!"}');
    assert.equal(masked('{"4111111111111111": true}'), '{"************1111": true}');
    assert.equal(masked('{"a":4111111111111111, "b":[1, 2.5e3, false]}'), '{"a":null, "b":[1, 2.5e3, false]}');
    assert.equal(masked('{"ssn":123456789,"n":12}'), '{"ssn":null,"n":12}');
    assert.equal(masked('4111111111111111'), 'null');
    assert.equal(masked('[-4111111111111111, 1.4111111111111111, 4111111111111111e1,true]'), '[null, null, null,true]');
  });

  it('masks a number once that has many values in it, without reading it anew for each', () => {
    const digits = compileDataClasses([{ ...odd, detect: [{ kind: 'pattern', pattern: '123' }] }], nodeCrypto, new Uint8Array(32));
    assert.equal(maskJson(digits, digits.detectors, `[${'123'.repeat(50_000)},1.0]`)?.text, '[null,1.0]');
  });

  it('sees through escapes', () => {
    assert.equal(masked('"\\u0034111\\u002d1111-1111-1111\\n"'), '"****-****-****-1111\\n"');
  });

  it('replaces the whole text where a match is not one value', () => {
    for (const text of ['{"x":"y"}', '["abc"]', '["abc\\"x"]', '["xabc:d"]']) assert.equal(masked(text), '"[redacted:odd]"', text);
    assert.equal(masked('["xabc, abcx"]'), undefined);
    assert.equal(masked('not json 4111111111111111'), '"[redacted:pan]"');
    assert.equal(masked('[4111,1111,1111,1111]'), undefined);
    assert.equal(maskJson(classes, classes.detectors, 'not json 4111111111111111')?.wasJson, false);
  });

  it('leaves other texts alone', () => {
    assert.equal(masked('{"a":[1,2,{"b":null}]}'), undefined);
    assert.equal(masked('nothing'), undefined);
  });

  it('always gives JSON', () => {
    const value = fc.oneof(
      fc.string(),
      fc.constantFrom('4111111111111111', 'a "4111-1111-1111-1111" \\', '123-45-6789'),
      fc.constant(4111111111111111),
      fc.double(),
      fc.boolean(),
      fc.constant(null),
    );
    const { tree } = fc.letrec((tie) => ({
      tree: fc.oneof({ maxDepth: 4 }, value, fc.array(tie('tree')), fc.dictionary(fc.string(), tie('tree'))),
    }));
    fc.assert(
      fc.property(tree, fc.constantFrom(0, 2), (document, indent) => {
        const text = JSON.stringify(document, null, indent);
        const result = masked(text) ?? text;
        assert.doesNotThrow(() => JSON.parse(result) as unknown);
        assert.ok(!result.includes('4111111111111111') && !result.includes('123-45-6789'));
      }),
    );
  });

  it('masks each name and each value as it would be by itself, however it is written', () => {
    // Neither can reach over more than one value, and words beside them do not matter.
    const some = compileDataClasses([pan, email], nodeCrypto, new Uint8Array(32));
    const byItself = (text: string): string => JSON.stringify(maskText(some, some.detectors, text)?.text ?? text);
    const parts = {
      names: ['a', 'pan', '4111111111111111', 'größe'],
      texts: [
        '',
        'of 4111 1111 1111 1111,\n"jane@example.com"',
        '4111-1111-1111-1111',
        'é4111111111111111\\',
        '/jane.doe@example.com/',
        '😀", "',
      ],
    };
    let found = 0;
    fc.assert(
      fc.property(fc.gen(), (generate) => {
        const tree = jsonTree((below) => generate(fc.nat, { max: below - 1 }), parts, 4);
        const text = jsonText(tree);
        const expected = jsonText(tree, {
          name: byItself,
          value: (_, value) => {
            if (value.kind === 'text') return byItself(value.text);
            return value.kind === 'word' && some.detectors.scan(value.json).length > 0 ? 'null' : undefined;
          },
        });
        const result = maskJson(some, some.detectors, text);
        if (result !== undefined) found += 1;
        assert.deepEqual(JSON.parse(result?.text ?? text), JSON.parse(expected), text);
        assert.equal(result?.wasJson ?? true, true);
      }),
      { numRuns: 2_000 },
    );
    assert.ok(found > 500, `something was found in ${found} only`);
  });
});
