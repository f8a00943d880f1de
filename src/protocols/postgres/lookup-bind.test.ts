import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { GatewayFault } from '../../core/fault.ts';
import { compileDataClasses } from '../../masking/classes.ts';
import { nodeCrypto } from '../../net/crypto.ts';
import { decodeClient } from './decode.ts';
import { bindValues } from './lookup-bind.ts';
import { HEADER_BYTES, type Bind, type Format } from './messages.ts';

const column = { target: 'orders', database: undefined, schema: 'public', relation: 'c', column: 'ssn' };
const classes = compileDataClasses(
  [{ name: 'ssn', mask: 'pseudonym', lookup: true, columns: [column], paths: [], detect: [] }],
  nodeCrypto,
  new Uint8Array(32).fill(7),
);
const shown = (value: string) => classes.mask({ class: 'ssn', kind: 'pseudonym' }, value)!;

function bound(
  value: Uint8Array | string | null,
  form: 'one' | 'array',
  options: { padded?: boolean; type?: number; format?: Format } = {},
) {
  const bytes = typeof value === 'string' ? Buffer.from(value) : value;
  const { padded = false, type = 0, format = 0 } = options;
  const message: Bind = {
    kind: 'Bind',
    portal: 'p',
    statement: 's',
    parameterFormats: [0, format],
    parameters: [Buffer.from('first'), bytes],
    resultFormats: [1],
  };
  const lookups = { byNumber: new Map([[2, { class: 'ssn', form, padded }]]), constants: [], trace: () => undefined };
  const replaced = bindValues(message, [0, type], lookups, classes);
  if (replaced instanceof GatewayFault) return `${replaced.publicMessage} ${replaced.hint}`;
  const decoded = decodeClient(0x42, replaced, HEADER_BYTES) as Bind;
  assert.deepEqual({ ...decoded, parameters: [] }, { ...message, parameters: [] });
  assert.equal(Buffer.from(decoded.parameters[0]!).toString(), 'first');
  return decoded.parameters[1] === null ? null : Buffer.from(decoded.parameters[1]!);
}

describe('a bound pseudonym is replaced by its value', () => {
  it('one, in either format, whatever text type it is declared as', () => {
    for (const type of [0, 25, 1043, 1042, 705])
      for (const format of [0, 1] as const) assert.equal(String(bound(shown('123-45-6789'), 'one', { type, format })), '123-45-6789');
    assert.equal(bound(null, 'one'), null);
    assert.equal(String(bound('', 'one')), '');
    assert.equal(String(bound(`${shown('400000000001')}   `, 'one', { padded: true })), '400000000001');
  });

  it('arrays of text, as PostgreSQL writes them', () => {
    const [a, b] = [shown('123-45-6789'), shown('1"2\\3,4{5}678')];
    assert.equal(String(bound(`{${a}}`, 'array')), '{"123-45-6789"}');
    assert.equal(
      String(bound(` { ${a} ,NULL, "${b.replaceAll(/["\\]/g, '\\$&')}" , "" } `, 'array')),
      String.raw`{"123-45-6789",NULL,"1\"2\\3,4{5}678",""}`,
    );
    assert.equal(String(bound('{}', 'array')), '{}');
    assert.equal(String(bound(`{${a.replaceAll('-', '\\-')}}`, 'array')), '{"123-45-6789"}');
  });

  it('arrays of anything that has a way back, in text and in binary', () => {
    const value = fc
      .array(fc.constantFrom('0', '5', '9', 'a', 'Z', ' ', '"', '\\', ',', '{', '}', "'", '-', '\n', '€'), { minLength: 8, maxLength: 20 })
      .map((all) => `123456${all.join('')}`);
    fc.assert(
      fc.property(fc.array(fc.option(value), { minLength: 1, maxLength: 5 }), (values) => {
        const quoted = (text: string | null) => (text === null ? 'NULL' : `"${text.replaceAll(/["\\]/g, '\\$&')}"`);
        const literal = (all: readonly (string | null)[]) => `{${all.map(quoted).join(',')}}`;
        const binary = (all: readonly (string | null)[]) =>
          Buffer.concat([
            ints(1, 0, 25, all.length, 1),
            ...all.flatMap((text) => (text === null ? [ints(-1)] : [ints(Buffer.byteLength(text)), Buffer.from(text)])),
          ]);
        const pseudonyms = values.map((text) => (text === null ? null : shown(text)));
        assert.equal(String(bound(literal(pseudonyms), 'array')), literal(values));
        assert.deepEqual(bound(binary(pseudonyms), 'array', { format: 1, type: 1009 }), binary(values));
      }),
    );
  });
});

describe('what cannot be replaced is refused', () => {
  it('more than the gateway has time for while others wait', () => {
    const one = shown('1234567890123456');
    const many = (count: number) => `{${Array.from({ length: count }, () => one).join(',')}}`;
    const started = performance.now();
    assert.match(String(bound(many(1_000_000), 'array')), /one of too many.*at most 4,000/);
    assert.ok(performance.now() - started < 2_000);
    assert.equal(String(bound(many(4_000), 'array')).split(',').length, 4_000);
  });

  it('a value that is no pseudonym with a way back', () => {
    for (const value of ['12345', 'Müller 1234567', '--', 'x'.repeat(300)])
      assert.match(String(bound(value, 'one')), /no pseudonym that can be turned back/);
    assert.match(String(bound('{12345}', 'array')), /no pseudonym/);
  });

  it('another type, text that is no UTF-8, arrays of another form', () => {
    assert.match(String(bound('123-45-6789', 'one', { type: 19 })), /of another type.*Declare it as text/);
    assert.match(String(bound('{123-45-6789}', 'array', { type: 25 })), /of another type.*Declare it as text\[\]/);
    assert.match(String(bound(Buffer.from([0x31, 0xff, 0x32]), 'one')), /cannot be read/);
    const item = '123-45-6789';
    for (const literal of [
      '',
      item,
      '{',
      '}',
      `{${item}`,
      `{${item},}`,
      `{,${item}}`,
      `{{${item}}}`,
      `[1:1]={${item}}`,
      `{"${item}}`,
      `{"${item}"x}`,
      `{${item}"x"}`,
    ])
      assert.match(String(bound(literal, 'array')), /cannot be read/, literal);
    const binary = [
      ints(),
      ints(1, 0, 25),
      ints(2, 0, 25, 1, 1, 1, 1, -1),
      ints(1, 0, 23, 1, 1, -1),
      ints(1, 0, 25, 2, 1, -1),
      ints(1, 0, 25, 1, 1, 9),
      ints(1, 0, 25, 0, 1, -1),
    ];
    for (const bytes of binary) assert.match(String(bound(bytes, 'array', { format: 1 })), /cannot be read/, bytes.toString('hex'));
  });
});

function ints(...values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 4);
  for (const [index, value] of values.entries()) bytes.writeInt32BE(value, index * 4);
  return bytes;
}
