import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { nodeCrypto } from '../net/crypto.ts';
import { createPseudonyms } from './pseudonym.ts';

const made = () => createPseudonyms(nodeCrypto, new Uint8Array(32).fill(7));
const one = made();
const otherKey = createPseudonyms(nodeCrypto, new Uint8Array(32).fill(8));
const shape = (value: string) => value.replace(/[0-9]/g, '9').replace(/[a-z]/g, 'a').replace(/[A-Z]/g, 'A');

/** Values that have a way back: six letters and digits at least, with anything between them that is neither. */
const identifier = fc
  .array(
    fc.oneof(
      fc.constantFrom(...'0123456789abcxyzABCXYZ'.split('')),
      fc.constantFrom(' ', '-', '.', '_', '/', '@', ':', '\n', '"', '€', '😀'),
    ),
    { minLength: 6, maxLength: 120 },
  )
  .map((characters) => characters.join(''))
  .filter((text) => text.replace(/[^0-9a-zA-Z]/g, '').length >= 6);

describe('a pseudonym with a way back', () => {
  it('keeps the shape and leads back, whatever the value', () => {
    fc.assert(
      fc.property(identifier, (value) => {
        const pseudonym = one.pseudonymOf(value);
        assert.equal(shape(pseudonym), shape(value));
        assert.equal(one.valueOf(pseudonym), value);
        assert.equal(made().pseudonymOf(value), pseudonym, 'what is remembered changes nothing');
        assert.equal(one.pseudonymOf(one.valueOf(value)!), value, 'every value is the pseudonym of one');
      }),
      { numRuns: 500 },
    );
  });

  it('is no one else’s: 60,000 values of the smallest shape have 60,000 pseudonyms', () => {
    const seen = new Set<string>();
    for (let value = 0; value < 60_000; value++) seen.add(one.pseudonymOf(String(value).padStart(6, '0')));
    assert.equal(seen.size, 60_000);
  });

  it('of neighbours is unrelated, and differs by key and by the characters that stay', () => {
    assert.notEqual(one.pseudonymOf('1234567890'), otherKey.pseudonymOf('1234567890'));
    assert.notEqual(one.pseudonymOf('123-45-6789').replaceAll('-', ''), one.pseudonymOf('123 45 6789').replaceAll(' ', ''));
    let alike = 0;
    for (let value = 0; value < 1_000; value++) {
      const [a, b] = [one.pseudonymOf(String(10_000_000 + value)), one.pseudonymOf(String(10_000_000 + value + 1))];
      for (let at = 0; at < a.length; at++) if (a[at] === b[at]) alike += 1;
    }
    assert.ok(alike > 650 && alike < 950, `${alike} of 8,000 digits are the same, 800 expected`);
  });

  it('spreads evenly, at each place, over digits and letters', () => {
    const counts = Array.from({ length: 8 }, () => new Map<string, number>());
    for (let value = 0; value < 5_200; value++)
      for (const [place, character] of one
        .pseudonymOf(`AA${String(value).padStart(6, '0')}`)
        .split('')
        .entries())
        counts[place]!.set(character, (counts[place]!.get(character) ?? 0) + 1);
    for (const [place, count] of counts.entries()) {
      assert.equal(count.size, place < 2 ? 26 : 10);
      const expected = 5_200 / count.size;
      for (const [character, times] of count)
        assert.ok(Math.abs(times - expected) < 6 * Math.sqrt(expected), `${place} ${character} ${times}`);
    }
  });
});

describe('a pseudonym without a way back', () => {
  it('is that of a small shape, of letters and digits beyond ASCII, of a long text', () => {
    for (const value of [
      '',
      '--',
      '12345',
      'abcd',
      '12-34',
      'Müller 1234567',
      '१२३४५६७८',
      'ﬁ123456',
      'x'.repeat(257),
      '-'.repeat(1_020) + '123456',
    ]) {
      assert.equal(one.valueOf(value), undefined, value);
      assert.equal(one.pseudonymOf(value).length, value.length, value);
    }
    assert.notEqual(one.valueOf('123456'), undefined);
    assert.notEqual(one.valueOf('x'.repeat(256)), undefined);
  });
});
