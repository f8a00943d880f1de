import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { nodeCrypto } from '../net/crypto.ts';
import { compileDataClasses } from './classes.ts';
import { compileJsonPath, maskPaths } from './json-path.ts';
import { maskJson } from './json.ts';
import type { DataClass } from './types.ts';

const pan: DataClass = {
  name: 'pan',
  columns: [],
  paths: [],
  detect: [{ kind: 'recogniser', name: 'card-number' }],
  mask: 'partial-last4',
};
const ssn: DataClass = { name: 'ssn', columns: [], paths: [], detect: [{ kind: 'recogniser', name: 'us-ssn' }], mask: 'redact' };
const odd: DataClass = { name: 'odd', columns: [], paths: [], detect: [{ kind: 'pattern', pattern: 'x":"y' }], mask: 'redact' };
const classes = compileDataClasses([pan, ssn, odd], nodeCrypto, new Uint8Array(32));
const masked = (text: string) => maskJson(classes, classes.detectors, text)?.text;

describe('maskJson', () => {
  it('masks inside strings and keys, and numbers whole', () => {
    assert.equal(masked('{"a":"card 4111111111111111!"}'), '{"a":"card ************1111!"}');
    assert.equal(masked('{"4111111111111111": true}'), '{"************1111": true}');
    assert.equal(masked('{"a":4111111111111111, "b":[1, 2.5e3, false]}'), '{"a":null, "b":[1, 2.5e3, false]}');
    assert.equal(masked('{"ssn":123456789,"n":12}'), '{"ssn":null,"n":12}');
    assert.equal(masked('4111111111111111'), 'null');
  });

  it('sees through escapes', () => {
    assert.equal(masked('"\\u0034111\\u002d1111-1111-1111\\n"'), '"****-****-****-1111\\n"');
  });

  it('replaces the whole text where a match is not one value', () => {
    assert.equal(masked('{"x":"y"}'), '"[redacted:odd]"');
    assert.equal(masked('not json 4111111111111111'), '"[redacted:pan]"');
    assert.equal(masked('[4111,1111,1111,1111]'), undefined);
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
});

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
  });

  it('says when nothing is there, and when it cannot know', () => {
    assert.equal(at('$.ssn', '{"a":{"ssn":"12345678"}}'), undefined);
    assert.equal(at('$.ssn', '{"ssn":null}'), undefined);
    assert.equal(at('$.ssn', '{"ssn":'), null);
    assert.equal(at('$.ssn', `${'['.repeat(2000)}${']'.repeat(2000)}`), null);
  });

  it('refuses paths that it cannot follow', () => {
    for (const path of ['ssn', '$..ssn', '$.a[?(@.b)]', '$.a.', '$[-1]']) assert.throws(() => compileJsonPath(path), RangeError, path);
    assert.throws(() => compileJsonPath('$.a[x]'), /at character 4/);
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
});
