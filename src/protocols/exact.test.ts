import assert from 'node:assert/strict';
import { it } from 'node:test';
import fc from 'fast-check';
import { lengthPrefixed } from './exact.ts';

const parts = fc.array(fc.oneof(fc.string({ maxLength: 3 }), fc.uint8Array({ maxLength: 6 })), { maxLength: 5 });

it('two lists of parts are the same bytes only where they are the same parts', () => {
  const octets = (list: readonly (string | Uint8Array)[]): string[] => list.map((part) => Buffer.from(part).toString('hex'));
  fc.assert(
    fc.property(parts, parts, (one, other) => {
      const isSame = JSON.stringify(octets(one)) === JSON.stringify(octets(other));
      assert.equal(Buffer.from(lengthPrefixed(one)).equals(lengthPrefixed(other)), isSame);
    }),
  );
  assert.notDeepEqual(lengthPrefixed(['ab', 'c']), lengthPrefixed(['a', 'bc']), 'nothing moves from one part to the next');
  assert.notDeepEqual(lengthPrefixed(['a', Uint8Array.of(0, 0, 0, 0)]), lengthPrefixed(['a', '', '']));
});
