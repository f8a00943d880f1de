import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { nodeCrypto } from '../../net/crypto.ts';
import type { MaskKind } from '../../masking/types.ts';
import { documentCellMask, searchedCellMask, wholeCellMask } from './mask-cell.ts';
import { citext, fieldOf, testContext } from './testing/masking.ts';

const context = testContext(nodeCrypto);
const kinds: readonly MaskKind[] = ['null', 'redact', 'hash', 'pseudonym', 'partial-last4'];

function whole(
  type: number,
  kind: MaskKind,
  value: string | Uint8Array,
  options: { format?: 0 | 1; typeModifier?: number } = {},
): Buffer | null {
  const bytes = Buffer.concat([Buffer.from('<<'), Buffer.from(value as string), Buffer.from('>>')]);
  const masked = wholeCellMask(context, fieldOf(1, 1, { typeOid: type, ...options }), { class: 'ssn', kind })(bytes, 2, bytes.length - 2);
  assert.deepEqual(masked?.classes, ['ssn']);
  return masked.bytes === null ? null : Buffer.from(masked.bytes);
}

/** What the detectors leave of a cell; undefined: all of it. */
function searched(type: number, value: string | Uint8Array, format: 0 | 1 = 0, name = 'column'): string | null | undefined {
  const bytes = Buffer.from(value as string);
  const masked = searchedCellMask(context, fieldOf(1, 1, { typeOid: type, format, name }))?.(bytes, 0, bytes.length);
  return masked === undefined ? undefined : masked.bytes === null ? null : Buffer.from(masked.bytes).toString();
}

describe('a whole cell', () => {
  it('of a text type holds the masked text, in both formats', () => {
    for (const type of [25, 1043, 705, 2275, 1790, 19, citext]) {
      for (const format of [0, 1] as const) {
        assert.equal(whole(type, 'redact', '123-45-6789', { format })?.toString(), '[redacted:ssn]', String(type));
        assert.equal(whole(type, 'partial-last4', '123-45-6789', { format })?.toString(), '***-**-6789');
        assert.match(whole(type, 'hash', '123-45-6789', { format })!.toString(), /^hash:[0-9a-f]{16}$/);
        assert.match(whole(type, 'pseudonym', '123-45-6789', { format })!.toString(), /^\d{3}-\d\d-\d{4}$/);
        assert.equal(whole(type, 'null', '123-45-6789', { format }), null);
      }
    }
  });

  it('of a type that cannot hold text is NULL, in both formats', () => {
    const types = [
      16, 17, 18, 20, 21, 23, 26, 650, 700, 701, 790, 869, 1000, 1007, 1009, 1082, 1114, 1184, 1186, 1700, 2249, 2950, 3904, 99_999,
    ];
    for (const type of types)
      for (const format of [0, 1] as const) for (const kind of kinds) assert.equal(whole(type, kind, '12345678', { format }), null);
  });

  it('is never longer than the declared length', () => {
    assert.equal(whole(1043, 'redact', '1234567', { typeModifier: 4 + 7 })?.toString(), '[redact');
    assert.equal(whole(1043, 'hash', 'é', { typeModifier: 4 + 1 })?.toString(), 'h');
    assert.equal(whole(19, 'partial-last4', 'é'.repeat(70))!.length <= 63, true);
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 12 }), fc.constantFrom(...kinds), (text, kind) => {
        const most = Array.from(text).length;
        const shown = whole(1043, kind, text, { typeModifier: 4 + most });
        assert.ok(shown === null || Array.from(shown.toString()).length <= most);
      }),
    );
  });

  it('of char(n) is padded to exactly n', () => {
    assert.equal(whole(1042, 'partial-last4', '123456789   ', { typeModifier: 4 + 12 })?.toString(), '*****6789   ');
    assert.equal(whole(1042, 'redact', 'x  ', { typeModifier: 4 + 3 })?.toString(), '[re');
    assert.equal(whole(1042, 'redact', 'x', { typeModifier: -1 })?.toString(), '[redacted:ssn]');
    assert.equal(Array.from(whole(1042, 'hash', 'é', { typeModifier: 4 + 30 })!.toString()).length, 30);
  });

  it('of a JSON type is JSON', () => {
    for (const kind of kinds) {
      for (const type of [114, 3802]) {
        const shown = whole(type, kind, '{"ssn": "123-45-6789"}');
        if (kind === 'null') assert.equal(shown, null);
        else assert.match(JSON.parse(shown!.toString()) as string, /^(\[redacted:ssn\]|hash:[0-9a-f]{16})$/);
      }
      const binary = whole(3802, kind, '\u0001{"ssn": "123-45-6789"}', { format: 1 });
      if (binary !== null) assert.deepEqual([binary[0], typeof JSON.parse(binary.subarray(1).toString())], [1, 'string']);
    }
  });

  it('of XML stays XML', () => {
    for (const kind of ['redact', 'pseudonym', 'partial-last4'] as const)
      assert.equal(whole(142, kind, '<a>12345678</a>')?.toString(), '[redacted:ssn]');
  });
});

describe('a searched cell', () => {
  it('of any text type has the matches replaced', () => {
    for (const type of [25, 1043, 19, 705, citext])
      assert.equal(searched(type, 'a 4111111111111111 b'), 'a [redacted:card] b', String(type));
    assert.equal(searched(142, '<p>4111111111111111</p>'), '<p>[redacted:card]</p>');
    assert.equal(searched(25, 'nothing'), undefined);
  });

  it('of char(n) keeps its length', () => {
    const field = fieldOf(1, 1, { typeOid: 1042, typeModifier: 4 + 20 });
    const bytes = Buffer.from('4111111111111111    ');
    assert.equal(Buffer.from(searchedCellMask(context, field)!(bytes, 0, bytes.length)!.bytes!).toString(), '[redacted:card]     ');
  });

  it('of JSON types stays JSON, escapes seen through', () => {
    assert.equal(searched(114, '{"a": "123-45-6789"}'), '{"a": "***-**-6789"}');
    assert.equal(searched(114, '{"a": "\\u0031\\u0032\\u0033-45-6789"}'), '{"a": "***-**-6789"}');
    assert.equal(searched(3802, '\u0001{"a": 4111111111111111}', 1), '\u0001{"a": null}');
    assert.equal(searched(114, '"\\n"'), undefined);
  });

  it('of a number is NULL, by its integer part only', () => {
    assert.equal(searched(20, '4111111111111111'), null);
    assert.equal(searched(1700, '-4111111111111111.50'), null);
    assert.equal(searched(1700, '1.4111111111111111'), undefined);
    assert.equal(searched(20, '123456789', 0, 'customer_ssn'), null);
    assert.equal(searched(20, '123456789'), undefined);
    const int8 = Buffer.alloc(8);
    int8.writeBigInt64BE(4111111111111111n);
    assert.equal(searched(20, int8, 1), null);
    int8.writeBigInt64BE(17n);
    assert.equal(searched(20, int8, 1), undefined);
    assert.equal(searched(20, Buffer.alloc(3), 1), undefined);
    // 4111111111111111: base-10,000 digits, weight 3
    assert.equal(searched(1700, Buffer.from('0004000300000000100f045704570457', 'hex'), 1), null);
  });

  it('of bytea, arrays, rows and made types is NULL', () => {
    assert.equal(searched(17, `\\x${Buffer.from('card 4111111111111111').toString('hex')}`), null);
    assert.equal(searched(17, 'card 4111111111111111', 1), null);
    assert.equal(searched(17, '\\xdeadbeef'), undefined);
    for (const type of [1009, 2249, 99_999]) assert.equal(searched(type, '{a,4111111111111111}'), null, String(type));
    assert.equal(searched(1009, Buffer.concat([Buffer.alloc(24), Buffer.from('4111111111111111')]), 1), null);
  });

  it('of a fixed type is not looked at', () => {
    for (const type of [16, 23, 701, 1114, 2950]) assert.equal(searchedCellMask(context, fieldOf(1, 1, { typeOid: type })), undefined);
    assert.equal(searchedCellMask(testContext(nodeCrypto, { detect: false }), fieldOf(1, 1)), undefined);
  });
});

describe('a document with sensitive places', () => {
  const rules = [{ class: 'ssn', path: '$.ssn' }];
  const document = (type: number, value: string, format: 0 | 1 = 0) => {
    const bytes = Buffer.from(value);
    const masked = documentCellMask(context, fieldOf(1, 1, { typeOid: type, format }), rules)(bytes, 0, bytes.length);
    return masked === undefined
      ? undefined
      : { text: masked.bytes === null ? null : Buffer.from(masked.bytes).toString(), classes: masked.classes };
  };

  it('has only these masked, and the rest searched', () => {
    assert.deepEqual(document(3802, '{"ssn": "12345678", "b": 1}'), { text: '{"ssn": "****5678", "b": 1}', classes: ['ssn'] });
    assert.deepEqual(document(3802, '\u0001{"ssn": 5}', 1), { text: '\u0001{"ssn": null}', classes: ['ssn'] });
    assert.deepEqual(document(114, '{"ssn": "12345678", "b": "4111111111111111"}'), {
      text: '{"ssn": "****5678", "b": "[redacted:card]"}',
      classes: ['ssn', 'card'],
    });
    assert.deepEqual(document(25, '{"b": "4111111111111111"}'), { text: '{"b": "[redacted:card]"}', classes: ['card'] });
    assert.equal(document(25, '{"b": 2}'), undefined);
  });

  it('is masked whole where it is none, or cannot be one', () => {
    assert.deepEqual(document(25, 'ssn 12345678'), { text: '[redacted:ssn]', classes: ['ssn'] });
    assert.deepEqual(document(20, '12345678'), { text: null, classes: ['ssn'] });
    assert.deepEqual(document(1009, '{"{\\"ssn\\":1}"}'), { text: null, classes: ['ssn'] });
  });
});
