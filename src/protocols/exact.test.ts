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

it('texts of every length and script are their UTF-8 with its length in front, and no two results share a byte', () => {
  const texts = fc.array(
    fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.nat(5_000).map((length) => 'é'.repeat(length % 7) + 'x'.repeat(length)),
    ),
  );
  fc.assert(
    fc.property(texts, texts, (one, other) => {
      const first = lengthPrefixed(one);
      const before = Buffer.from(first);
      lengthPrefixed(other).fill(0xff);
      assert.deepEqual(Buffer.from(first), before);
      const expected = one.flatMap((text) => {
        const bytes = new TextEncoder().encode(text);
        const length = Buffer.alloc(4);
        length.writeUInt32BE(bytes.length);
        return [length, bytes];
      });
      assert.deepEqual(before, Buffer.concat(expected));
    }),
  );
});
