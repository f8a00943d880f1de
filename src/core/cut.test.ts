import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { cut, cutAll } from './cut.ts';

test('a text that is too long ends in a sign of it', () => {
  assert.equal(cut('abc', 3), 'abc');
  assert.equal(cut('abcd', 3), 'abc…');
});

test('texts that are too long together are kept from the first one on, and however many there are, little is kept', () => {
  assert.deepEqual(cutAll(['ab', 'c'], 4), ['ab', 'c']);
  assert.deepEqual(cutAll(['ab', 'cd', 'e'], 4), ['ab', 'c…', '…']);
  assert.deepEqual(cutAll(Array<string>(1_000).fill('a'), 4), ['a', 'a', '…']);
  fc.assert(
    fc.property(fc.array(fc.string()), fc.nat(50), (texts, maxLength) => {
      const kept = cutAll(texts, maxLength);
      assert.equal(kept.join('').replaceAll('…', '').length <= maxLength, true);
      assert.equal(kept.length <= maxLength + 1, true);
      if (kept.length < texts.length) assert.equal(kept.at(-1)!.endsWith('…'), true);
    }),
  );
});
