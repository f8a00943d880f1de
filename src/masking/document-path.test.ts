import assert from 'node:assert/strict';
import { it } from 'node:test';
import { foldSegment, reachesPath } from './document-path.ts';

const reaches = (rule: string, path: string): boolean => {
  const segments = (text: string): string[] => (text === '' ? [] : text.split('/'));
  return reachesPath(segments(rule).map(foldSegment), segments(path));
};

it('a rule names a path by its segments: * is any one, ** any rest', () => {
  for (const [rule, path, expected] of [
    ['customers/*', 'customers/7', true],
    ['customers/*', 'customers', false],
    ['customers/*', 'customers/7/orders', false],
    ['customers/**', 'customers', true],
    ['customers/**', 'customers/7/orders', true],
    ['customers/**', 'customer/7', false],
    ['**', '', true],
    ['**', 'a/b/c', true],
    ['', '', true],
    ['', 'a', false],
    ['*/7', 'customers/7', true],
  ] as const) {
    assert.equal(reaches(rule, path), expected, `${rule} ${path}`);
  }
});

it('a path that servers may take for the same is the same: capitals, compatibility forms, a slash at the end', () => {
  for (const path of ['Customers/7', 'CUSTOMERS/7', 'ｃustomers/7', 'cuſtomers/7', 'customers/7/'])
    assert.ok(reaches('customers/*', path), path);
});
