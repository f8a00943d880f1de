import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { everySplit } from '../core/testing/every-split.ts';
import { nodeCrypto } from '../net/crypto.ts';
import { compileDataClasses, type DataClasses } from './classes.ts';
import { streamMasker, type StreamMasker } from './stream.ts';
import { terminalText } from './terminal-text.ts';
import { maskProse } from './text.ts';
import type { DataClass, Detector } from './types.ts';

const classOf = (name: string, mask: DataClass['mask'], ...detect: Detector[]): DataClass => ({
  name,
  columns: [],
  paths: [],
  detect,
  mask,
});
const recogniser = (name: (Detector & { kind: 'recogniser' })['name']): Detector => ({ kind: 'recogniser', name });
const compiled = (...classes: DataClass[]): DataClasses => compileDataClasses(classes, nodeCrypto, new Uint8Array(32));

const card = classOf('card', 'partial-last4', recogniser('card-number'));
const ssn = classOf('ssn', 'redact', recogniser('us-ssn'));
const iban = classOf('iban', 'pseudonym', recogniser('iban'));
const email = classOf('email', 'hash', recogniser('email'));
const phone = classOf('phone', 'null', recogniser('phone'));
const routing = classOf('routing', 'partial-last4', recogniser('aba-routing'));
const key = classOf('key', 'redact', { kind: 'pattern', pattern: 'KEY-[A-Z]{4,8}' });
const cards = compiled(card);
const recognised = compiled(card, ssn, iban, email, phone, routing);
const all = compiled(card, ssn, iban, email, phone, routing, key);

const bytes = (text: string): Buffer => Buffer.from(text, 'utf8');
const textOf = (some: Uint8Array): string => terminalText(some, 0, some.length).text;
const take = (pieces: readonly Uint8Array[]): Buffer => Buffer.concat(pieces);

function masked(classes: DataClasses, chunks: Iterable<Uint8Array>): Buffer {
  const masker = streamMasker(classes, classes.detectors);
  const out: Buffer[] = [];
  for (const chunk of chunks) out.push(take(masker.push(chunk)));
  out.push(take(masker.end()));
  return Buffer.concat(out);
}
const maskedText = (classes: DataClasses, text: string): string => masked(classes, [bytes(text)]).toString('utf8');

const values = [
  '4111111111111111',
  '4111 1111 1111 1111',
  '4111-1111-1111-1111',
  '378282246310005',
  '123-45-6789',
  'GB29 NWBK 6016 1331 9268 19',
  'DE89370400440532013000',
  'jane.doe@example.com',
  '+1 (212) 555-0123',
  'KEY-ABCDEF',
  '４１１１１１１１１１１１１１１１',
];
const canaries = ['4111111111111111', '4111 1111 1111 1111', '123-45-6789', 'DE89370400440532013000', 'jane.doe@example.com', 'KEY-ABCDEF'];
const noise = fc.oneof(
  fc.constantFrom(
    ' ',
    '\n',
    '\r\n',
    '\t',
    ', ',
    'total ',
    'ssn ',
    'é',
    '€',
    '\u200b',
    '😀',
    '(',
    '+',
    '-',
    'a@',
    'DE8',
    '12 ',
    '7',
    '"',
    'GB29 NWBK',
  ),
  fc.constantFrom(
    '\x1b[1;31m',
    '\x1b[0m',
    '\x1b[K',
    '\x1b]0;title\x07',
    '\x1b]8;;http://x\x1b\\',
    '\x1b(B',
    '\x07',
    '\b',
    '\x1b',
    '\x1b[',
    '\x1b]',
    '\x9b',
  ),
  fc.string({ unit: 'grapheme-ascii', maxLength: 12 }),
  fc.string({ unit: 'binary', maxLength: 4 }),
);
const stream = fc.array(fc.oneof({ weight: 3, arbitrary: noise }, { weight: 1, arbitrary: fc.constantFrom(...values) }), { maxLength: 24 });

describe('a masked stream', () => {
  it('shows masks in place of values, and every other byte as it was', () => {
    assert.equal(maskedText(all, 'paid 4111 1111 1111 1111, ok\n'), 'paid **** **** **** 1111, ok\n');
    assert.equal(maskedText(all, 'ssn: 123456789\n'), 'ssn: [redacted:ssn]\n');
    assert.equal(maskedText(all, '123456789 is the ssn of x\n'), '[redacted:ssn] is the ssn of x\n');
    assert.equal(maskedText(all, '123456789 of nothing\n'), '123456789 of nothing\n');
    assert.equal(maskedText(all, 'KEY-ABCDEF.'), '[redacted:key].');
    assert.equal(maskedText(all, 'call (212) 555-0123 now'), 'call  now');
    const binary = Buffer.from(Array.from({ length: 4096 }, (_, index) => (index * 7919) & 0xff));
    assert.deepEqual(masked(cards, [binary]), binary);
  });

  it('is masked the same wherever it is cut', () => {
    for (const text of [
      ...values.map((value) => `a ${value} b`),
      'x\x1b[1m4111\x1b[0m 1111 1111\x1b]0;t\x07 1111\x1b[K y',
      'é4111111111111111€',
      '\x1b]0;jane.doe@example.com\x07\xff$',
      'GB29 NWBK DE89370400440532013000 ssn 123456789',
    ]) {
      const whole = masked(all, [bytes(text)]);
      everySplit(bytes(text), (chunks) => assert.deepEqual(masked(all, chunks).toString(), whole.toString()));
    }
  });

  it('is masked as a whole line would be, with each kind of detector by itself', () => {
    for (const [classes, texts] of [
      [compiled(ssn), ['123456789 (ssn) x', 'ssn 123456789', '123-45-6789-1 123 45 6789']],
      [compiled(iban), ['x GB29 NWBK 6016 1331 9268 19 y', 'GB29 NWBK DE89370400440532013000.', 'GB29NWBK60161331926819Z']],
      [compiled(phone), ['+(1)(212) 555-0123', 'call +44 20 7946 0958, 12']],
    ] as const) {
      for (const text of texts) {
        const whole = maskProse(classes, classes.detectors, text);
        everySplit(bytes(text), (chunks) => assert.equal(masked(classes, chunks).toString(), whole));
      }
    }
  });

  it('is masked the same whatever it is and however it is cut', () => {
    const cuts = fc.array(fc.nat({ max: 400 }), { maxLength: 12 });
    fc.assert(
      fc.property(stream, cuts, fc.constantFrom(cards, recognised, all), fc.boolean(), (parts, at, classes, isRaw) => {
        const whole = Buffer.from(parts.join(''), isRaw ? 'latin1' : 'utf8');
        const places = [0, ...at.filter((place) => place < whole.length).sort((a, b) => a - b), whole.length];
        const chunks = places.slice(1).map((place, index) => whole.subarray(places[index], place));
        assert.deepEqual(masked(classes, chunks), masked(classes, [whole]));
      }),
      { numRuns: 3_000 },
    );
  });

  it('is masked as a whole line would be', () => {
    const plain = fc.array(
      fc.oneof(fc.constantFrom(...values), fc.string({ unit: 'grapheme-ascii', maxLength: 10 }), fc.constantFrom(' ', ', ', '\t', '€')),
    );
    fc.assert(
      fc.property(plain, (parts) => {
        const line = parts.join('').replace(/[\n\r]/g, '');
        assert.equal(maskedText(recognised, line), maskProse(recognised, recognised.detectors, line));
      }),
      { numRuns: 3_000 },
    );
  });

  it('lets no canary pass, colours inside or not, and holds nothing back in the end', () => {
    const colours = fc.constantFrom('', '', '\x1b[7m', '\x1b[0m', '\x1b[38;5;196m', '\x1b]0;x\x07', '\x07', '\0');
    const word = fc.constantFrom('', 'total ', '\n', 'x,', '"', '\x1b[K', ' <', '\x1b]2;t\x07');
    const painted = fc
      .tuple(fc.constantFrom(...canaries), fc.array(colours, { minLength: 30, maxLength: 30 }))
      .map(([value, paint]) => Array.from(value, (character, index) => `${character}${paint[index] ?? ''}`).join(''));
    fc.assert(
      fc.property(fc.array(fc.tuple(word, painted, word)), fc.array(fc.integer({ min: 1, max: 30 })), (parts, sizes) => {
        const masker = streamMasker(all, all.detectors);
        let out = '';
        const whole = bytes(parts.flatMap(([before, value, after]) => [before, '\n', value, '\n', after]).join(''));
        for (let at = 0, index = 0; at < whole.length; index += 1) {
          const size = sizes[index % sizes.length] ?? whole.length;
          out += take(masker.push(whole.subarray(at, at + size))).toString();
          at += size;
        }
        out += take(masker.end()).toString();
        assert.equal(masker.heldFrom, undefined);
        for (const text of [out, shown(out)]) for (const canary of canaries) assert.ok(!text.includes(canary), canary);
      }),
      { numRuns: 1_000 },
    );
  });

  // However long, a title before a number was taken for a part of it: 96 bytes were kept as they came, and a sequence that began before them was no sequence any more.
  it('is masked behind control sequences of any length as if they were not there', () => {
    for (const control of [
      `\x1b]0;${'7'.repeat(200)}\x07`,
      `\x1b]0;${'a'.repeat(1_000)}\x1b\\`,
      `\x1bP${'b'.repeat(140)}\x9c`,
      '\x1b[38;5;196m'.repeat(40),
      '\x1b[1;31m'.repeat(20),
    ]) {
      for (const value of values) {
        for (const classes of [all, recognised]) {
          const expected = maskedText(classes, `x ${value}\n`);
          assert.equal(textOf(bytes(maskedText(classes, `x ${control}${value}\n`))), expected, value);
        }
      }
      for (const classes of [all, recognised, compiled(ssn)]) {
        assert.equal(textOf(bytes(maskedText(classes, `ssn ${control}123456789\n`))), 'ssn [redacted:ssn]\n');
      }
      // Longer ones take their time.
      if (control.length > 250) continue;
      everySplit(bytes(`x ${control}GB29 NWBK 6016 1331 9268 19\n`), (chunks) => {
        assert.equal(textOf(masked(compiled(ssn, iban), chunks)), maskedText(compiled(iban), 'x GB29 NWBK 6016 1331 9268 19\n'));
      });
    }
  });

  // A screen is written with the cursor moved between its words: no blank stands before a number then, and what stood before it in the stream was taken for a part of it.
  it('is masked where a value begins or ends at a control sequence, whatever stands behind that', () => {
    for (const [before, after] of [
      ['total\x1b[5;20H', '\x1b[6;1Hnext'],
      ['12\x1b[G', '\x1b[K34'],
      ['DE8\x1b[1m', '\x1b[0m9'],
      ['a\x07', '\x07a'],
      ['\x1b[1mA\x1b[m', '\x1b[m,'],
      ['7\x1b]0;t\x07', '\x1b(B7'],
    ] as const) {
      for (const [value, classes] of [
        ['KEY-ABCDEF', compiled(key)],
        ['4111 1111 1111 1111', cards],
        ['4111 1111 1111 1111', recognised],
        ['123-45-6789', compiled(ssn)],
        ['DE89370400440532013000', compiled(iban)],
        ['jane.doe@example.com', compiled(email)],
        ['jane.doe@example.com', all],
      ] as const) {
        everySplit(bytes(`${before}${value}${after}\n`), (chunks) => {
          const seen = masked(classes, chunks).toString();
          assert.ok(!seen.includes(value), JSON.stringify(seen));
        });
      }
    }
    // Where much is open its beginning is judged alone: here up to right before the number.
    const title = `\x1b]0;${'a'.repeat(200)}\x07`;
    const long = `${'x'.repeat(8_192 - 2_048 - 'ssn '.length - title.length)}ssn ${title}`;
    assert.ok(maskedText(compiled(ssn, key), `${long}123456789 ${'x'.repeat(4_000)}\n`).startsWith(`${long}[redacted:ssn] `));
    assert.equal(maskedText(compiled(ssn), '9\x1b[G123456789\x1b[5G (ssn)\n'), '9\x1b[G[redacted:ssn]\x1b[5G (ssn)\n');
    assert.equal(maskedText(all, '4111\x1b[m 1111 1111 1111\x1b[m\n'), '****\x1b[m **** **** 1111\x1b[m\n');
  });

  it('shows of no value more than it shows without control sequences, nor of one between two of them', () => {
    const word = fc.constantFrom('x ', 'ssn ', 'ssn', 'a', '7', '12 ', 'DE8', '"', ', ', '\n', '€', ...values);
    const text = fc.oneof(fc.constantFrom('7', 'a', ' ', 'ssn ', 'é'), fc.string({ unit: 'grapheme-ascii', maxLength: 3 }));
    const string = fc
      .tuple(
        fc.constantFrom('\x1b]0;', '\x1bP', '\u009d'),
        text,
        fc.integer({ min: 0, max: 400 }),
        fc.constantFrom('\x07', '\x1b\\', '\u009c'),
      )
      .map(([begin, one, times, end]) => begin + one.repeat(times) + end);
    const colours = fc
      .tuple(fc.constantFrom('\x1b[1;31m', '\x1b[0m', '\x07', '\0'), fc.integer({ min: 1, max: 40 }))
      .map(([one, times]) => one.repeat(times));
    const parts = fc.array(fc.oneof({ weight: 2, arbitrary: word }, string, colours), { maxLength: 16 });
    fc.assert(
      fc.property(parts, fc.array(fc.integer({ min: 1, max: 700 }), { minLength: 1, maxLength: 6 }), (some, sizes) => {
        const whole = bytes(some.join(''));
        const chunks: Buffer[] = [];
        for (let at = 0, index = 0; at < whole.length; index += 1) chunks.push(whole.subarray(at, (at += sizes[index % sizes.length]!)));
        const out = masked(all, chunks);
        const [seen, plain] = [textOf(out), masked(all, [bytes(textOf(whole))]).toString()];
        for (const canary of canaries) assert.ok(plain.includes(canary) || !seen.includes(canary), `${canary} in ${seen}`);
      }),
      { numRuns: 3_000 },
    );
  });

  it('control sequences stay where they were', () => {
    assert.equal(maskedText(cards, '\x1b[1m4111\x1b[0m11111111\x1b[K1111\x1b[m'), '\x1b[1m****\x1b[0m********\x1b[K1111\x1b[m');
    assert.equal(maskedText(compiled(ssn), '123-\x1b[1m45-6789\x1b[m'), '[redacted:ssn]\x1b[1m\x1b[m');
    assert.equal(maskedText(cards, '\x1b]0;4111111111111111\x07'), '\x1b]0;************1111\x07');
    assert.equal(maskedText(cards, '41\x1b]0;4111111111111111\x0711111111111111'), '**\x1b]0;************1111\x07**********1111');
    assert.equal(maskedText(cards, '\x1b[4111111111111111m'), '\x1b[************1111m');
    assert.equal(maskedText(cards, `\x1b]${'x'.repeat(1500)} 4111111111111111`), `\x1b]${'x'.repeat(1500)} ************1111`);
  });
});

describe('a masked stream that keeps its length', () => {
  const kept = (classes: DataClasses, chunks: Iterable<Uint8Array>): Buffer => {
    const masker = streamMasker(classes, classes.detectors, { keepsLength: true });
    const out: Buffer[] = [];
    for (const chunk of chunks) out.push(take(masker.push(chunk)));
    return Buffer.concat([...out, take(masker.end())]);
  };
  const keptText = (classes: DataClasses, text: string): string => kept(classes, [bytes(text)]).toString('utf8');

  it('shows a mask where it fits, stars where it does not', () => {
    assert.equal(keptText(all, 'paid 4111 1111 1111 1111, ok\n'), 'paid **** **** **** 1111, ok\n');
    assert.equal(keptText(all, 'ssn: 123-45-6789 KEY-ABCDEF\n'), 'ssn: *********** **********\n');
    assert.equal(keptText(all, 'call (212) 555-0123 now'), 'call ************** now');
    assert.equal(keptText(compiled(ssn), '123-\x1b[1m45-6789\x1b[m'), '****\x1b[1m*******\x1b[m');
    assert.equal(keptText(cards, '４１１１ 1111 1111 1111'), `${'*'.repeat(12)} **** **** 1111`, 'three bytes each');
    assert.match(keptText(compiled(iban), 'x GB29NWBK60161331926819 y'), /^x [A-Z]{2}\d{2}[A-Z]{4}\d{14} y$/);
  });

  it('and every byte that is not hidden where it was, however it is cut', () => {
    const cuts = fc.array(fc.nat({ max: 400 }), { maxLength: 12 });
    fc.assert(
      fc.property(stream, cuts, (parts, at) => {
        const whole = bytes(parts.join(''));
        const places = [0, ...at.filter((place) => place < whole.length).sort((a, b) => a - b), whole.length];
        const out = kept(
          all,
          places.slice(1).map((place, index) => whole.subarray(places[index], place)),
        );
        assert.equal(out.length, whole.length);
        assert.deepEqual(out, kept(all, [whole]));
      }),
      { numRuns: 1_000 },
    );
  });
});

describe('what a masked stream holds back', () => {
  const goesAtOnce = (masker: StreamMasker, text: string): void => {
    for (const character of text) assert.equal(take(masker.push(bytes(character))).toString(), character, `in ${text}`);
  };

  it('is nothing that cannot become sensitive', () => {
    goesAtOnce(streamMasker(cards, cards.detectors), '$ ls -la --color=auto | grep "x"\r\n\x07é');
    goesAtOnce(streamMasker(compiled(ssn, iban), compiled(ssn, iban).detectors), 'whoami\n');
    const none = compiled();
    goesAtOnce(streamMasker(none, none.detectors), '4111111111111111');
  });

  it('goes as soon as it is told apart', () => {
    const masker = streamMasker(cards, cards.detectors);
    assert.equal(take(masker.push(bytes('12'))).toString(), '');
    assert.equal(masker.heldFrom, 0);
    assert.equal(take(masker.push(bytes('m'))).toString(), '12m');
    assert.equal(masker.heldFrom, undefined);
    assert.equal(take(masker.push(bytes('ab4'))).toString(), 'ab');
    assert.equal(masker.heldFrom, 5);
  });

  it('is released, and what completes it then is starred', () => {
    const masker = streamMasker(cards, cards.detectors);
    assert.equal(take(masker.push(bytes('no. 4111 1111'))).toString(), 'no. ');
    assert.equal(take(masker.release()).toString(), '4111 1111');
    assert.equal(masker.heldFrom, undefined);
    assert.equal(take(masker.push(bytes(' 1111 1111\n'))).toString(), ' **** ****\n');
    assert.deepEqual([...masker.masked], [['card', 1]]);
    assert.equal(take(masker.push(bytes('4111 1111 1111 1111'))).toString(), '');
    assert.equal(take(masker.release()).toString(), '**** **** **** 1111');
  });

  it('has a bound, and what lies across it is found', () => {
    for (const filler of ['9 ', 'a', 'é', '+', '\0']) {
      const masker = streamMasker(recognised, recognised.detectors);
      let out = take(masker.push(bytes('1')));
      for (let index = 0; index < 20; index += 1) {
        out = Buffer.concat([out, take(masker.push(bytes(filler.repeat(1000))))]);
        assert.ok(masker.heldFrom === undefined || index * 1000 * bytes(filler).length + 1001 - masker.heldFrom < 10_000 + 2000);
      }
    }
    fc.assert(
      fc.property(fc.integer({ min: 5_900, max: 8_400 }), fc.constantFrom('x', '1', '+', '='), (length, filler) => {
        const text = maskedText(compiled(card, email), `${filler.repeat(length)}=jane.doe@example.com ${filler} 4111-1111-1111-1111`);
        assert.ok(!text.includes('@') && !text.includes('4111-1111'), text.slice(-200));
      }),
      { numRuns: 300 },
    );
  });
});

/** As a terminal would show it: without control sequences. */
function shown(text: string): string {
  // eslint-disable-next-line no-control-regex
  return text.replace(/\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b\[[0-9;]*[A-Za-z]|[\x00-\x08]/g, '');
}
