import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { RE2JS } from 're2js';
import { nodeCrypto } from '../net/crypto.ts';
import { compileDataClasses, type DataClasses } from './classes.ts';
import { compileDetectors, type DetectorSet } from './detect.ts';
import { compilePattern, type Pattern } from './pattern.ts';
import { rowsOf } from './pattern-row.ts';
import { streamMasker } from './stream.ts';
import { streamNoise, streamPatterns, streamValues, withoutLookahead } from './testing/stream-texts.ts';
import type { DataClass, Detector, RecogniserName } from './types.ts';

const names: readonly RecogniserName[] = ['card-number', 'us-ssn', 'aba-routing', 'iban', 'email', 'phone'];
const recogniser = (name: RecogniserName): Detector => ({ kind: 'recogniser', name });
const pattern = (source: string): Detector => ({ kind: 'pattern', pattern: source });
const classOf = (name: string, mask: DataClass['mask'], ...detect: Detector[]): DataClass => ({
  name,
  columns: [],
  paths: [],
  detect,
  mask,
});
const compiled = (...classes: DataClass[]): DataClasses => compileDataClasses(classes, nodeCrypto, new Uint8Array(32));
const detectorsOf = (...detect: Detector[]): DetectorSet => compileDetectors([{ name: 'x', detect }]);

const everyKind: readonly Detector[] = [...names.map(recogniser), ...streamPatterns.map(pattern)];
const sets: readonly DataClasses[] = [
  compiled(classOf('card', 'partial-last4', recogniser('card-number')), classOf('ssn', 'redact', recogniser('us-ssn'))),
  compiled(...names.map((name) => classOf(name, 'partial-last4', recogniser(name)))),
  compiled(...names.map((name) => classOf(name, 'null', recogniser(name))), classOf('own', 'redact', ...streamPatterns.map(pattern))),
  ...everyKind.map((detector) => compiled(classOf('one', 'partial-last4', detector))),
];

const part = fc.oneof(
  { weight: 2, arbitrary: fc.constantFrom(...streamValues) },
  { weight: 5, arbitrary: fc.constantFrom(...streamNoise) },
  { weight: 1, arbitrary: fc.string({ unit: 'grapheme-ascii', maxLength: 8 }) },
);
/** How large the pieces are in which it comes, in turn; 0: what is held back is released. Whole, too, since little is looked ahead in small ones. */
const cuts = fc.oneof(
  fc.constant([]),
  fc.array(fc.integer({ min: 100, max: 500 }), { minLength: 1, maxLength: 4 }),
  fc.array(fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 12 }), fc.integer({ min: 13, max: 400 })), { maxLength: 8 }),
);

/** What came of each piece, as it came, and how things stood then. */
function steps(classes: DataClasses, detectors: DetectorSet, whole: Buffer, sizes: readonly number[]): unknown[] {
  const masker = streamMasker(classes, detectors);
  const seen: unknown[] = [];
  const note = (pieces: readonly Uint8Array[]): void => void seen.push(Buffer.concat(pieces).toString('latin1'), masker.heldFrom);
  for (let at = 0, turn = 0; at < whole.length; turn += 1) {
    const size = sizes.every((one) => one === 0) ? whole.length : sizes[turn % sizes.length]!;
    note(size === 0 ? masker.release() : masker.push(whole.subarray(at, at + size)));
    at += size;
  }
  note(masker.end());
  return [...seen, [...masker.masked]];
}

describe('looking ahead', () => {
  it('changes nothing of what a stream shows, holds back and counts, however it is cut and released', () => {
    fc.assert(
      fc.property(
        fc.array(part, { minLength: 3, maxLength: 60 }),
        cuts,
        fc.constantFrom(...sets),
        fc.boolean(),
        (parts, sizes, classes, isRaw) => {
          const whole = Buffer.from(parts.join(''), isRaw ? 'latin1' : 'utf8');
          const { detectors } = classes;
          assert.deepEqual(steps(classes, detectors, whole, sizes), steps(classes, withoutLookahead(detectors), whole, sizes));
        },
      ),
      { numRuns: 2_500 },
    );
  });

  it('changes nothing of what is found in a whole text', () => {
    const hints = [undefined, 'json', 'SSN', 'taxpayer'];
    let found = 0;
    fc.assert(
      fc.property(fc.array(part, { maxLength: 40 }), fc.constantFrom(...sets), fc.constantFrom(...hints), (parts, { detectors }, hint) => {
        const text = parts.join('');
        const spans = detectors.scan(text, hint);
        assert.deepEqual(spans, withoutLookahead(detectors).scan(text, hint), JSON.stringify(text));
        if (spans.length === 0) return;
        found += 1;
        // Each by itself, so that little stands beside it.
        for (const { start, end } of spans) {
          const one = `${'a, '.repeat(30)}${text.slice(start, end)}${' ,b'.repeat(30)}`;
          assert.deepEqual(detectors.scan(one, hint), withoutLookahead(detectors).scan(one, hint), JSON.stringify(one));
        }
      }),
      { numRuns: 2_500 },
    );
    assert.ok(found > 200, `something was found in ${found} only`);
  });

  it('passes over nothing that a detector finds', () => {
    const plain = (text: string): string => text.replace(/[^\n\r\t\x20-\x7e]/g, '');
    fc.assert(
      fc.property(fc.array(part, { maxLength: 20 }), fc.constantFrom(...everyKind), fc.nat({ max: 80 }), (parts, detector, before) => {
        const text = plain(parts.join(''));
        const set = detectorsOf(detector);
        const [span] = withoutLookahead(set).scan(text);
        const padding = '\n'.repeat(before);
        const bytes = Buffer.from(padding + text);
        for (const lookout of set.lookouts) {
          const first = lookout.first(bytes, before, bytes.length, 0);
          if (span !== undefined)
            assert.ok(first < before + span.end, `${JSON.stringify(detector)} at ${span.start}, seen at ${first - before}`);
        }
      }),
      { numRuns: 2_500 },
    );
  });
});

describe('looking ahead sees', () => {
  const shown = (detector: Detector, ...pieces: string[]): string => {
    const classes = compiled(classOf('x', 'redact', detector));
    const masker = streamMasker(classes, classes.detectors);
    const out = [...pieces.map((piece) => Buffer.concat(masker.push(Buffer.from(piece)))), Buffer.concat(masker.end())];
    return Buffer.concat(out).toString();
  };
  const more = `; ${'and so on and on '.repeat(8)}`;
  const shows = (text: string): string => text.replaceAll('#', '[redacted:x]');

  it('words that a control sequence parts, or that came before', () => {
    const ssn = recogniser('us-ssn');
    assert.equal(shown(ssn, `s\u001B[1ms\u001B[mn no;123456789${more}`), shows(`s\u001B[1ms\u001B[mn no;#${more}`));
    assert.equal(shown(ssn, `${more}ｓｓｎ no;123456789${more}`), shows(`${more}ｓｓｎ no;#${more}`));
    assert.equal(shown(ssn, `${more}ssn no;`, `123456789${more}`), shows(`${more}ssn no;#${more}`));
    assert.equal(shown(ssn, `${more}ssn;${' '.repeat(43)};123456789${more}`), shows(`${more}ssn;${' '.repeat(43)};#${more}`));
    assert.equal(shown(ssn, `${more}123456789${' '.repeat(12)} ssn${more}`), shows(`${more}#${' '.repeat(12)} ssn${more}`));
  });

  it('what is written beyond ASCII', () => {
    const card = recogniser('card-number');
    for (const value of ['4\u200b111111111111111', '４１１１１１１１１１１１１１１１', '4111\u007f111111111111', '٤١١١١١١١١١١١١١١١']) {
      assert.equal(shown(card, `${more}${value}${more}`).replace('\u007f', ''), shows(`${more}#${more}`), JSON.stringify(value));
    }
  });

  it('what stands right behind a control sequence', () => {
    assert.equal(shown(recogniser('iban'), `\u001B[1mDE89370400440532013000${more}`), shows(`\u001B[1m#${more}`));
    assert.equal(shown(recogniser('card-number'), `\u001B74111111111111111${more}`), shows(`\u001B7#${more}`));
    assert.equal(shown(recogniser('us-ssn'), `\u001B7123-45-6789${more}`), shows(`\u001B7#${more}`));
  });

  it('the shortest of its kind, and the second where the first is none', () => {
    assert.equal(shown(recogniser('phone'), `call +6834002${more}`), shows(`call #${more}`));
    assert.equal(shown(recogniser('phone'), `call (+6834002)${more}`), shows(`call (#)${more}`));
    assert.equal(shown(recogniser('email'), `a@b, c@d.ef${more}`), shows(`a@b, #${more}`));
    assert.equal(shown(recogniser('card-number'), `4111111111111112, 4222222222222${more}`), shows(`4111111111111112, #${more}`));
  });

  it('what stands behind a control sequence of which half was released', () => {
    const classes = sets[1]!;
    const whole = Buffer.from(`\u009b1mGB29 NWBK 6016 1331 9268 19{}${more}`);
    assert.deepEqual(
      steps(classes, classes.detectors, whole, [2, 0, 400]),
      steps(classes, withoutLookahead(classes.detectors), whole, [2, 0, 400]),
    );
    assert.ok(!String(steps(classes, classes.detectors, whole, [2, 0, 400])[4]).includes('6016'));
  });

  it('matches that began in lines before, also where those are not plain', () => {
    const token = pattern('token=[^,]{2,9}');
    for (const word of ['token=', 'tok\u001B[men=', 'ｔoken=']) {
      assert.equal(shown(token, `${more}\n${word}\nabcdefghijkl${more}\n`), `${more}\n${word}\n********ijkl${more}\n`);
    }
  });
});

describe('what stands in every match of a pattern', () => {
  const lengths = (source: string): number[] | undefined => rowsOf(source)?.rows.map((row) => row.length);

  it('is read off what patterns for values are made of', () => {
    for (const [source, expected] of [
      ['KEY-[A-Z]{4,8}', [8]],
      [String.raw`\b\d{3}-\d{2}-\d{4}\b`, [11]],
      ['(?i)api[_-]?key', [3]],
      [String.raw`(?P<id>ab|cd)\x41[[\]]+$`, [4]],
      ['(?:abc|de)f', [2]],
      ['one|three', [3, 5]],
      ['[^a]b', [1]],
      ['a{,5}', [5]],
      ['x{64}', [31]],
      [String.raw`\d+(?:\.\d+)?%`, [1]],
    ] as const) {
      assert.deepEqual(lengths(source), expected, source);
    }
  });

  it('is nothing where nobody can tell', () => {
    for (const source of [String.raw`\pN`, '[[:alpha:]]x', String.raw`\Qa.b\E`, 'a|.', 'a?b?c?|x', '.', String.raw`\123`, '(?i:[^k])']) {
      assert.equal(lengths(source), undefined, source);
    }
  });

  it('may have the end of a line in it', () => {
    for (const [source, expected] of [
      ['ab', false],
      [String.raw`a\sb`, true],
      ['a[^b]*c', true],
      ['a.c', false],
      ['(?s)a.c', true],
      [String.raw`a\D+c`, true],
      ['a(?:b|\n)c', true],
    ] as const) {
      assert.equal(rowsOf(source)?.crossesLines, expected, source);
    }
  });

  it('may be any character, also beyond ASCII', () => {
    for (const [source, text] of [
      ['7.7', '7a7'],
      ['a.b', 'a😀b'],
      ['(?i)mask', 'MAS\u212a'],
      ['(?i)mask', 'ma\u017fk'],
      ['a[^b]c', 'aéc'],
      [String.raw`a\Wc`, 'aéc'],
      ['a[à-ü]c', 'aéc'],
      ['aéc', 'aéc'],
      ['(?i)É', 'é'],
    ] as const) {
      const seen: string[] = [];
      compilePattern(source).find(text, (start, end) => seen.push(text.slice(start, end)));
      assert.deepEqual(seen, [text], source);
    }
  });

  it('stands in each that is found', () => {
    const atom = fc.constantFrom(
      'a',
      'b',
      'K',
      '-',
      '7',
      String.raw`\d`,
      String.raw`\w`,
      String.raw`\s`,
      '.',
      '[a-c]',
      '[^a]',
      String.raw`[\d_]`,
      '[a-]',
      '[]b]',
      String.raw`\x61`,
      String.raw`\.`,
      String.raw`\b`,
      '^',
      '$',
    );
    const quantifier = fc.constantFrom('', '', '', '?', '*', '+', '{2}', '{1,2}', '{2,}', '+?', '{0}');
    const { pattern: tree } = fc.letrec<{ pattern: string; piece: string }>((tie) => ({
      piece: fc.oneof(
        { maxDepth: 3 },
        fc.tuple(atom, quantifier).map(([one, count]) => one + (one === '^' || one === '$' || one === String.raw`\b` ? '' : count)),
        fc
          .tuple(fc.constantFrom('(', '(?:', '(?i:', '(?P<n>'), tie('pattern'), quantifier)
          .map(([open, inner, count]) => `${open}${inner})${count}`),
      ),
      pattern: fc
        .array(fc.array(tie('piece'), { minLength: 1, maxLength: 3 }), { minLength: 1, maxLength: 2 })
        .map((all) => all.map((one) => one.join('')).join('|')),
    }));
    const characters = fc.constantFrom('a', 'b', 'c', 'A', 'k', 'K', '-', '7', '_', ' ', '\n', '.', ']', 'é', '\u212a', '😀');
    let found = 0;
    fc.assert(
      fc.property(tree, fc.array(characters, { maxLength: 30 }), (source, all) => {
        let compiled: Pattern;
        try {
          compiled = compilePattern(source);
        } catch {
          return;
        }
        const text = all.join('');
        const expected: number[] = [];
        for (const matcher = RE2JS.compile(source).matcher(text); matcher.find();) {
          if (matcher.end() > matcher.start()) expected.push(matcher.start(), matcher.end());
        }
        const seen: number[] = [];
        compiled.find(text, (start, end) => seen.push(start, end));
        assert.deepEqual(seen, expected, `${source} in ${JSON.stringify(text)}`);
        if (compiled.rows === undefined || expected.length === 0) return;
        found += 1;
        if (Buffer.byteLength(text) > text.length) return;
        const bytes = Buffer.from(`${'\n'.repeat(96)}${text}`);
        const [lookout] = detectorsOf(pattern(source)).lookouts;
        assert.ok(lookout!.first(bytes, 96, bytes.length, 0) < 96 + expected[1]!, `${source} in ${JSON.stringify(text)}`);
      }),
      { numRuns: 2_500 },
    );
    assert.ok(found > 100, String(found));
  });
});
