import assert from 'node:assert/strict';
import { it } from 'node:test';
import fc from 'fast-check';
import { Passing } from './passing.ts';

it('every byte goes once and in order, whatever lies beside what', () => {
  const part = fc.record({ source: fc.nat(2), start: fc.nat(9_000), length: fc.nat(9_000), behindTheLast: fc.boolean() });
  fc.assert(
    fc.property(fc.array(part, { maxLength: 30 }), (parts) => {
      const sources = [0, 1, 2].map((seed) => Uint8Array.from({ length: 18_000 }, (_, index) => (index * 7 + seed * 31) % 251));
      const passing = new Passing();
      const expected: number[] = [];
      let last = { source: 0, end: 0 };
      for (const { source, start, length, behindTheLast } of parts) {
        const from = behindTheLast ? last : { source, end: start };
        const end = Math.min(from.end + length, 18_000);
        passing.pass(sources[from.source]!, from.end, end);
        expected.push(...sources[from.source]!.subarray(from.end, end));
        last = { source: from.source, end };
      }
      assert.deepEqual(
        passing.take().flatMap((piece) => [...piece]),
        expected,
      );
      assert.deepEqual(passing.take(), []);
    }),
  );
});

it('neighbours are one view, large pieces are not copied, small ones are copied together', () => {
  const bytes = new Uint8Array(20_000);
  const passing = new Passing();
  passing.pass(bytes, 0, 100);
  passing.pass(bytes, 100, 10_000);
  const [view, ...none] = passing.take();
  assert.deepEqual([view?.buffer, view?.byteOffset, view?.length, none.length], [bytes.buffer, 0, 10_000, 0]);

  passing.pass(bytes, 0, 10);
  passing.pass(bytes, 20, 30);
  passing.pass(bytes, 5_000, 15_000);
  passing.pass(bytes, 3, 4);
  const pieces = passing.take();
  assert.deepEqual(
    pieces.map((piece) => piece.length),
    [20, 10_000, 1],
  );
  assert.equal(pieces[1]?.buffer, bytes.buffer);
  assert.notEqual(pieces[0]?.buffer, bytes.buffer);
});
