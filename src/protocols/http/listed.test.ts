import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { fits, overlapOf, parseTemplate, specificityOf, type Template } from '../../core/path-template.ts';
import { listedOperations } from './listed.ts';

const template = (path: string): Template => parseTemplate(path) ?? assert.fail(path);
const operation = (method: string, path: string, id: string | undefined) => ({ method, segments: template(path), id });
const all = [
  operation('GET', '/customers', 'list'),
  operation('GET', '/customers/{id}', 'get'),
  operation('DELETE', '/customers/{id}', 'delete'),
  operation('GET', '/customers/export', 'export'),
  operation('GET', '/customers/{id}.json', 'getJson'),
  operation('PUT', '/customers/{id}', undefined),
  operation('GET', '/', 'root'),
];

describe('the operation of a request', () => {
  const find = (method: string, path: string) => listedOperations(all, 'deny').find(method, path === '/' ? [] : path.slice(1).split('/'));

  it('is that of the most specific template that fits', () => {
    assert.equal(find('GET', '/customers')?.id, 'list');
    assert.equal(find('GET', '/customers/7').id, 'get');
    assert.equal(find('GET', '/customers/export').id, 'export');
    assert.equal(find('GET', '/customers/7.json').id, 'getJson');
    assert.equal(find('GET', '/customers/.json').id, 'get');
    assert.equal(find('GET', '/').id, 'root');
  });

  it('is none where the most specific template has no such method, whatever wider ones have', () => {
    assert.match(find('DELETE', '/customers/export').refusal?.publicMessage ?? '', /lists no such method for this path/);
    assert.match(find('PATCH', '/customers/7').refusal?.publicMessage ?? '', /lists no such method for this path/);
  });

  it('is none for paths that are not listed: other segments, other capitals, a slash at the end', () => {
    for (const path of ['/accounts', '/customers/7/8', '/Customers', '/customers/', '/customers//']) {
      assert.match(find('GET', path).refusal?.publicMessage ?? '', /lists no such path/, path);
    }
    assert.equal(listedOperations(all, 'path').find('GET', ['accounts']).refusal, undefined);
  });

  it('may have no name', () => {
    const found = find('PUT', '/customers/7');
    assert.deepEqual([found.id, found.refusal], [undefined, undefined]);
  });
});

it('what overlaps is what fits the same paths, and the narrower one is the more specific', () => {
  const text = fc.constantFrom('', 'a', 'b', 'ab', 'aa');
  const segment = fc.oneof(
    fc.record({ kind: fc.constant('text' as const), text: fc.constantFrom('a', 'b', 'ab', 'aab') }),
    fc.record({ kind: fc.constant('parameter' as const), before: text, after: text }),
  );
  const pair = fc.integer({ min: 1, max: 3 }).chain((length) => {
    const one = fc.array(segment, { minLength: length, maxLength: length });
    const word = fc.array(fc.constantFrom('a', 'b'), { minLength: 1, maxLength: 6 }).map((letters) => letters.join(''));
    return fc.tuple(one, one, fc.array(word, { minLength: length, maxLength: length }));
  });
  fc.assert(
    fc.property(pair, ([first, second, path]) => {
      const fit = (one: Template): boolean => one.every((part, index) => fits(part, path[index]!));
      const [inFirst, inSecond] = [fit(first), fit(second)];
      const overlap = overlapOf(first, second);
      if (overlap === 'disjoint') assert.ok(!(inFirst && inSecond));
      if (overlap === 'same') assert.equal(inFirst, inSecond);
      if (overlap === 'narrower') {
        assert.ok(!inFirst || inSecond);
        assert.ok(specificityOf(first) > specificityOf(second));
      }
      if (overlap === 'wider') assert.ok(!inSecond || inFirst);
    }),
    { numRuns: 2_000 },
  );
});
