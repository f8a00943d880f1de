import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { compileDataClasses } from './classes.ts';
import { compileJsonPath, mayReach, type PathStep } from './json-path.ts';
import { maskPaths } from './json-places.ts';
import { nodeCrypto } from '../net/crypto.ts';

const key = (name: string): PathStep => ({ key: name, anyKey: false, element: false, lax: false });
const anyKey: PathStep = { key: undefined, anyKey: true, element: false, lax: false };
const element: PathStep = { key: undefined, anyKey: false, element: true, lax: false };
const unknown: PathStep = { key: undefined, anyKey: true, element: true, lax: false };
const lax = (step: PathStep): PathStep => ({ ...step, lax: true });

describe('mayReach', () => {
  const cases: readonly (readonly [path: string, steps: readonly PathStep[], expected: boolean])[] = [
    ['$.a.b', [], true],
    ['$', [key('x')], true],
    ['$.a.b', [key('a')], true],
    ['$.a.b', [key('a'), key('b')], true],
    ['$.a.b', [key('a'), key('b'), key('c')], true],
    ['$.a.b', [key('b')], false],
    ['$.a.b', [key('a'), key('c')], false],
    ['$.a.b', [unknown, key('b')], true],
    ['$.a.b', [unknown, key('c')], false],
    ['$.a.b', [anyKey, anyKey], true],
    ['$.a', [element, element, key('a')], true],
    ['$.a', [element, key('b')], false],
    ['$.a[*].b', [key('a'), element, key('b')], true],
    ['$.a[*].b', [key('a'), element, key('c')], false],
    ['$.a[*].b', [key('a'), key('b')], true],
    ['$.a[0].b', [key('a'), key('b')], false],
    ['$.a[*].b', [lax(key('a')), lax(key('b'))], true],
    ['$.a[0].b', [lax(key('a')), lax(key('b'))], true],
    ['$.a[0].b', [lax(key('a')), lax(key('c'))], false],
    ['$.*.b', [key('x'), key('b')], true],
    ['$.*.b', [key('x'), key('c')], false],
    ['$.a', [lax(element), lax(key('a'))], true],
    ['$.a', [lax(element), lax(key('b'))], false],
  ];
  for (const [path, steps, expected] of cases) {
    const shown = steps.map((step) => `${step.lax ? 'lax ' : ''}${step.key ?? (step.anyKey ? '*' : '')}${step.element ? '[]' : ''}`);
    it(`${path} by ${shown.join(' / ')}: ${expected}`, () => assert.equal(mayReach(compileJsonPath(path), steps), expected));
  }

  it('misses nothing that is masked: where it says no, the masked document reads as the plain one', () => {
    const classes = compileDataClasses(
      [{ name: 'x', columns: [], paths: [], detect: [], mask: 'redact' }],
      nodeCrypto,
      new Uint8Array(32).fill(1),
    );
    const { value } = fc.letrec<{ value: unknown }>((tie) => ({
      value: fc.oneof(
        { maxDepth: 4, depthSize: 'large' },
        fc.constantFrom('one', 'two'),
        fc.array(tie('value'), { minLength: 1, maxLength: 2 }),
        fc.dictionary(fc.constantFrom('a', 'b', '0'), tie('value'), { minKeys: 1, maxKeys: 2 }),
      ),
    }));
    let denied = 0;
    fc.assert(
      fc.property(
        value,
        fc.constantFrom('$.a', '$.a.b', '$[*].a', '$.*.b', '$[0]', '$.a[1].b', '$.b.a', '$.*'),
        fc.array(fc.constantFrom<string | number>('a', 'b', '0', 0, 1), { minLength: 1, maxLength: 4 }),
        (document, path, way) => {
          const rule = { path: compileJsonPath(path), rule: { class: 'x', kind: 'redact' as const } };
          const text = JSON.stringify(document);
          const masked = maskPaths(classes, [rule], text);
          const steps = way.map((step): PathStep => (typeof step === 'number' ? element : key(step)));
          if (masked === null || mayReach(rule.path, steps)) return;
          denied += 1;
          assert.equal(JSON.stringify(follow(JSON.parse(masked?.text ?? text), way)), JSON.stringify(follow(document, way)));
        },
      ),
      { numRuns: 5_000 },
    );
    assert.ok(denied > 500, `only ${denied} ways were denied`);
  });
});

/** As `->` does. */
function follow(value: unknown, way: readonly (string | number)[]): unknown {
  let at = value;
  for (const step of way) {
    if (typeof at !== 'object' || at === null || Array.isArray(at) !== (typeof step === 'number')) return undefined;
    at = (at as Record<string | number, unknown>)[step];
  }
  return at;
}
