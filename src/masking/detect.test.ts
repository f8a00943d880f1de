import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { compileDetectors, type DetectorSet } from './detect.ts';
import { fold } from './fold.ts';
import type { Detector, RecogniserName } from './types.ts';

const recogniser = (name: RecogniserName): Detector => ({ kind: 'recogniser', name });
const pattern = (source: string): Detector => ({ kind: 'pattern', pattern: source });
const names: readonly RecogniserName[] = ['card-number', 'us-ssn', 'aba-routing', 'iban', 'email', 'phone'];
const everything = compileDetectors(names.map((name) => ({ name, detect: [recogniser(name)] })));

const only = (source: string): DetectorSet => compileDetectors([{ name: 'x', detect: [pattern(source)] }]);
const compiling = (source: string) => (): unknown => only(source);

function mayContain(set: DetectorSet, text: string): boolean {
  const bytes = Buffer.from(`\0\0${text}\0`);
  return set.mayContain(bytes, 2, bytes.length - 1);
}

describe('detector sets', () => {
  it('joins overlapping matches under the strongest class', () => {
    const set = compileDetectors([
      { name: 'strong', detect: [pattern('\\d{4}-\\d')] },
      { name: 'weak', detect: [pattern('ab\\d{4}'), pattern('-\\dcd')] },
    ]);
    assert.deepEqual(set.scan('xxab1234-5cdxx ab9999'), [
      { start: 2, end: 12, class: 'strong' },
      { start: 15, end: 21, class: 'weak' },
    ]);
  });

  it('without() leaves classes out, and forNumbers what makes no sense for numbers', () => {
    assert.deepEqual(
      everything
        .without(new Set(['email']))
        .scan('a@example.com 4111111111111111')
        .map((span) => span.class),
      ['card-number'],
    );
    assert.equal(everything.without(new Set(names)).isEmpty, true);
    assert.deepEqual(
      everything.scan('2125551234').map((span) => span.class),
      ['phone'],
    );
    assert.deepEqual(everything.forNumbers.scan('2125551234'), []);
    assert.equal(everything.forNumbers.scan('4111111111111111').length, 1);
    assert.equal(compileDetectors([]).isEmpty, true);
    assert.equal(mayContain(compileDetectors([]), '4111111111111111'), false);
  });

  it('says where a bad pattern is bad', () => {
    assert.throws(compiling('ab[z-a]'), { name: 'RangeError', message: /invalid character class range at character 4/ });
    assert.throws(compiling('a(b'), { name: 'RangeError', message: /missing closing \)/ });
    assert.throws(compiling('(a)\\1'), { name: 'RangeError', message: /invalid escape sequence at character 4/ });
    assert.throws(compiling('a(?=b)'), RangeError);
    assert.throws(compiling('\\d*'), { name: 'RangeError', message: /empty text/ });
  });

  it('runs a pattern that would stall a backtracking engine', () => {
    const set = compileDetectors([{ name: 'x', detect: [pattern('(a+)+$')] }]);
    assert.deepEqual(set.scan(`${'a'.repeat(5000)}!`), []);
  });

  it('runs patterns over what is written and over what is meant', () => {
    const set = compileDetectors([{ name: 'x', detect: [pattern('ACC-\\d{4}'), pattern('é\\d')] }]);
    assert.deepEqual(set.scan('ＡＣＣ－１２３４'), [{ start: 0, end: 8, class: 'x' }]);
    assert.deepEqual(set.scan('é1'), [{ start: 0, end: 2, class: 'x' }]);
  });

  it('takes a text that is too long for a pattern as one match', () => {
    const set = compileDetectors([{ name: 'x', detect: [pattern('\\d{3}')] }]);
    const text = `1${' '.repeat(1_048_576)}`;
    assert.deepEqual(set.scan(text), [{ start: 0, end: text.length, class: 'x' }]);
  });
});

describe('the prefilter', () => {
  it('rules out plain cells', () => {
    for (const text of ['', 'Alice Example', '12 Main Street', 'active', '123456', 'Straße 12', 'Москва', 'ok-ok. ok/ok']) {
      assert.equal(mayContain(everything, text), false, text);
    }
  });

  it('reads the number of digits off a plain pattern', () => {
    assert.equal(mayContain(only('\\b\\d{3}-\\d{2}-\\d{4}\\b'), 'abc 12-34-567'), false);
    assert.equal(mayContain(only('\\b\\d{3}-\\d{2}-\\d{4}\\b'), 'abc 123-45-6789'), true);
    assert.equal(mayContain(only('ACC[0-9]{2,}1?'), 'ACC1'), false);
    assert.equal(mayContain(only('ACC[0-9]{2,}1?'), 'ACC12'), true);
    assert.equal(mayContain(only('\\d{3}|x'), 'x'), true, 'an alternative: nothing can be ruled out');
    assert.equal(mayContain(only('secret'), 'a secret'), true);
    assert.equal(mayContain(only('(?i)\\d{9}|k'), 'K'), true);
  });

  it('never rules out what a scan would find', () => {
    const piece = fc.oneof(
      fc.constantFrom(
        '4111111111111111',
        '123-45-6789',
        '021000021',
        'GB82WEST12345698765432',
        'a@example.com',
        '+1 212 555 1234',
        'ssn 123456789',
      ),
      fc.string({ unit: 'grapheme', maxLength: 8 }),
    );
    const disguise = fc.constantFrom<(text: string) => string>(
      (text) => text,
      (text) => text.replace(/\d/g, (digit) => String.fromCodePoint(0xff10 + Number(digit))),
      (text) => text.replace(/\d/g, (digit) => String.fromCodePoint(0x1d7ce + Number(digit))),
      (text) => text.replace(/\d/g, (digit) => String.fromCodePoint(0x966 + Number(digit))),
      (text) => text.replace(/[-\s]/g, '\u2007'),
      (text) => text.replace(/\d/g, '$&\u200b\u200b\u00ad'),
      (text) => text.replace('@', '\uff20'),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 4 }), disguise, (pieces, hide) => {
        const text = hide(pieces.join(' '));
        for (const name of names) {
          const set = compileDetectors([{ name, detect: [recogniser(name)] }]);
          if (set.scan(text).length === 0) continue;
          assert.equal(mayContain(set, text), true, `${name} in ${text}`);
          assert.equal(set.mayContainText(text), true, `${name} in ${text}`);
        }
      }),
      { numRuns: 500 },
    );
  });
});

describe('fold', () => {
  it('maps every span back into the text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const folded = fold(text);
        let last = 0;
        for (let index = 0; index < folded.text.length; index++) {
          assert.ok(folded.startOf(index) >= last || folded.startOf(index) === folded.startOf(index - 1));
          assert.ok(folded.endOf(index) > folded.startOf(index) && folded.endOf(index) <= text.length);
          last = folded.startOf(index);
        }
      }),
    );
  });

  it('knows every decimal digit of Unicode', () => {
    for (let code = 0; code <= 0x1ffff; code++) {
      const character = String.fromCodePoint(code);
      if (/^\p{Nd}$/u.test(character)) assert.match(fold(character).text, /^[0-9]$/, code.toString(16));
    }
    assert.equal(fold('٠١٢٣٤٥٦٧٨٩').text, '0123456789');
    assert.equal(fold('𝟎𝟗𝟘𝟡').text, '0909');
  });
});
