import assert from 'node:assert/strict';
import { it } from 'node:test';
import * as fc from 'fast-check';
import { Outline } from './outline.ts';

const outline = new Outline();
const expected = (text: string): number[] => [...Array.from({ length: text.length }, (_, at) => Math.min(text.charCodeAt(at), 0x80)), 0];
const outlined = (text: string): number[] => [...outline.of(text).subarray(0, text.length + 1)];

it('has a byte for each unit of a text and a zero behind them, however little of it is ASCII', () => {
  const part = fc.oneof(
    fc.string({ unit: 'binary-ascii', maxLength: 60 }),
    fc.string({ unit: 'binary', maxLength: 6 }),
    fc.constantFrom('é', 'Ł', '中', '😀', '\ud800', '\udc00', '\0', '\u0080', '\u07ff', '\u0800', '\uffff'),
  );
  fc.assert(
    fc.property(fc.array(part, { maxLength: 12 }), (parts) => {
      const text = parts.join('');
      assert.deepEqual(outlined(text), expected(text));
      assert.equal(
        outline.isAscii,
        text.split('').every((unit) => unit < '\u0080'),
      );
    }),
    { numRuns: 1_000 },
  );
});

it('is of the text that was asked for last, after long ones too', () => {
  for (const text of ['x'.repeat(300_000), 'short', `${'é'.repeat(100_000)}x`, '', 'é']) assert.deepEqual(outlined(text), expected(text));
});

it('finds what is beyond ASCII from any place on', () => {
  const text = `${'a'.repeat(37)}é${'b'.repeat(50)}中${'c'.repeat(9)}`;
  outline.of(text);
  for (let start = 0; start <= text.length; start += 1) {
    for (const end of [text.length, 80, start]) {
      const found = text.split('').findIndex((unit, at) => at >= start && unit > '\u007f');
      assert.equal(outline.nextBeyondAscii(start, end), found < 0 || found > end ? Math.max(start, end) : found, `${start} to ${end}`);
    }
  }
});
