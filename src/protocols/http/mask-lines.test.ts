import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { everySplit } from '../../core/testing/every-split.ts';
import { GatewayFault } from '../../core/fault.ts';
import { compileDataClasses } from '../../masking/classes.ts';
import { streamNoise, streamPatterns, streamValues, withoutLookahead } from '../../masking/testing/stream-texts.ts';
import type { Detector } from '../../masking/types.ts';
import { nodeCrypto } from '../../net/crypto.ts';
import { lineMasker } from './mask-lines.ts';
import type { HttpMasks } from './masks.ts';
import { testMasks } from './testing/masks.ts';

const placeMasks = testMasks(nodeCrypto, { documents: ['events#$.ssn'], at: ['events'] });
const textMasks = testMasks(nodeCrypto, { documents: [], at: [] });

const recognisers = ['card-number', 'us-ssn', 'aba-routing', 'iban', 'email', 'phone'].map(
  (name) => ({ kind: 'recogniser', name }) as Detector,
);

function detecting(detect: readonly Detector[]): HttpMasks {
  const classes = compileDataClasses([{ name: 'x', columns: [], paths: [], detect, mask: 'redact' }], nodeCrypto, new Uint8Array(32));
  return { classes, detectors: classes.detectors, rules: [], holdsDocuments: false, isStrict: false, hides: true, ruleClasses: [] };
}

function through(masks: HttpMasks, chunks: Iterable<Uint8Array>): string {
  const masker = lineMasker(masks);
  const shown: Buffer[] = [];
  // What is given back may be views of what was pushed.
  for (const chunk of chunks) shown.push(Buffer.concat(masker.push(chunk)));
  return Buffer.concat([...shown, ...masker.end()]).toString('latin1');
}
const shown = (masks: HttpMasks, text: string): string => Buffer.from(through(masks, [Buffer.from(text)]), 'latin1').toString();

describe('lines', () => {
  it('are masked one by one where places are hidden', () => {
    const text = '{"ssn":"078-05-1120"}\r\n\n{"a":1}\n{"ssn":"x"';
    const expected = '{"ssn":"***-**-1120"}\r\n\n{"a":1}\n"[redacted:ssn]"';
    everySplit(Buffer.from(text), (chunks) => assert.equal(through(placeMasks, chunks), expected));
  });

  it('are texts, or JSON whose escapes are seen through', () => {
    for (const [text, expected] of [
      ['paid 4111111111111111\nok\n', 'paid ************1111\nok\n'],
      ['"4111\\u003111111111111"\n', '"************1111"\n'],
      ['{"a":"123-45\\u002d6789"}\n', '{"a":"***-**-6789"}\n'],
      ['not JSON: "4111\\u003111111111111"\n', 'not JSON: "4111\\u003111111111111"\n'],
      ['{"path":"C:\\\\4111111111111111\\n"}\n', '{"path":"C:\\\\************1111\\n"}\n'],
      ['"x\\n4111111111111111"\n', '"x\\n************1111"\n'],
    ] as const) {
      everySplit(Buffer.from(text), (chunks) => assert.equal(through(textMasks, chunks), expected));
    }
  });

  it('are JSON in which an escape stands beside a value, or in it', () => {
    for (const [text, expected] of [
      ['{"a":"to\\nDE89370400440532013000"}\n', '{"a":"to\\n[redacted:x]"}\n'],
      ['{"a":"212\\/555\\/0123"}\n', '{"a":"[redacted:x]"}\n'],
      ['to\\nDE89370400440532013000\n', 'to\\nDE89370400440532013000\n'],
    ] as const) {
      assert.equal(shown(detecting(recognisers), text), expected);
    }
  });

  it('in which nothing is found go out in one piece', () => {
    const masker = lineMasker(textMasks);
    const lines = Buffer.from('2026-11-30T11:40:00.123456789Z took 12 ms\n{"msg":"GET \\"/\\""}\n'.repeat(50));
    for (const cut of [0, 1, 100, 1000]) {
      assert.ok(masker.push(lines.subarray(0, cut)).length <= 1);
      assert.equal(masker.push(lines.subarray(cut)).length, 1);
    }
    assert.deepEqual(masker.end(), []);
  });

  it('are read to the last byte that no lookout understands, wherever it stands in a word', () => {
    // Long, so that bytes are read several at a time.
    const before = 'level=info msg=taken\n'.repeat(20);
    for (let offset = 0; offset < 8; offset += 1) {
      const clear = before + 'x'.repeat(offset);
      for (const [line, expected] of [
        ['"4111\\u003111111111111"\n', '"************1111"\n'],
        ['４１１１１１１１１１１１１１１１\n', '************１１１１\n'],
      ] as const) {
        assert.equal(shown(textMasks, `${clear}\n${line}`), `${clear}\n${expected}`);
      }
      assert.throws(() => shown(textMasks, `${clear}\0\n`), GatewayFault);
    }
  });

  it('hide nothing among others with escapes, which are looked at together', () => {
    const other = '{"msg":"GET \\"/\\" took\\t3 ms"}\n';
    const lines = 300;
    for (const [line, expected] of [
      ['"x\\n4111111111111111"\n', '"x\\n************1111"\n'],
      ['"4111\\u003111111111111"\n', '"************1111"\n'],
      ['paid 4111111111111111\n', 'paid ************1111\n'],
      ['"\\"4111 1111\\u00201111 1111"\n', '"\\"**** **** **** 1111"\n'],
    ] as const) {
      for (let place = 0; place <= lines; place += 1) {
        const [before, behind] = [other.repeat(place), other.repeat(lines - place)];
        assert.equal(shown(textMasks, before + line + behind), before + expected + behind, `line ${place}`);
      }
    }
  });

  it('are counted by what was masked', () => {
    const masker = lineMasker(textMasks);
    masker.push(Buffer.from('078-05-1120\nx\n4111111111111111\n078-05-1120'));
    masker.end();
    assert.deepEqual(Object.fromEntries(masker.masked), { ssn: 2, 'card-number': 1 });
  });

  it('that begin with a byte order mark keep it, and what hides behind characters beyond ASCII is found', () => {
    assert.equal(shown(textMasks, '\ufeffx\n'), '\ufeffx\n');
    assert.equal(shown(textMasks, 'é 4\u200b111111111111111\n'), 'é *************1111\n');
    assert.equal(shown(textMasks, '４１１１１１１１１１１１１１１１\n'), '************１１１１\n');
  });

  it('are shown as if each were read, however they are cut', () => {
    const own = streamPatterns.map((pattern): Detector => ({ kind: 'pattern', pattern }));
    const sets = [recognisers.slice(0, 2), recognisers, [...recognisers, ...own], own].map(detecting);
    const json = fc.constantFrom(
      '{"a":"',
      '"}\n',
      '["',
      '"]\n',
      '\\n',
      '\\/',
      '\\"',
      '\\\\',
      '\\u0031',
      '\\u002d',
      '\\',
      '\\t',
      '":"',
      '","',
    );
    const values = fc.constantFrom(...streamValues);
    const part = fc.oneof(
      { weight: 2, arbitrary: values },
      { weight: 3, arbitrary: fc.constantFrom(...streamNoise) },
      { weight: 3, arbitrary: json },
    );
    const outcome = (masks: HttpMasks, chunks: readonly Uint8Array[]): string => {
      try {
        return through(masks, chunks);
      } catch (error) {
        assert.ok(error instanceof GatewayFault);
        return error.publicMessage;
      }
    };
    fc.assert(
      fc.property(
        fc.array(part, { minLength: 2, maxLength: 40 }),
        // Several bytes are read at a time where there are many.
        fc.array(fc.oneof(fc.integer({ min: 1, max: 200 }), fc.integer({ min: 200, max: 2_000 })), { minLength: 1, maxLength: 5 }),
        fc.constantFrom(...sets),
        (parts, sizes, masks) => {
          const whole = Buffer.from(parts.join(''));
          const chunks: Uint8Array[] = [];
          for (let at = 0; at < whole.length; at += chunks.at(-1)!.length) {
            chunks.push(whole.subarray(at, at + sizes[chunks.length % sizes.length]!));
          }
          const read = { ...masks, detectors: withoutLookahead(masks.detectors) };
          assert.equal(outcome(masks, chunks), outcome(read, chunks));
        },
      ),
      { numRuns: 1_500 },
    );
  });
});
