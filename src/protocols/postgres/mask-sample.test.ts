import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { GatewayFault } from '../../core/fault.ts';
import { nodeCrypto } from '../../net/crypto.ts';
import { dataRow } from './encode.ts';
import { planColumns, type ResultField } from './mask-plan.ts';
import { maskRow } from './mask-row.ts';
import { sampleRow } from './mask-sample.ts';
import { factsOf, fieldOf, testContext } from './testing/masking.ts';

function sample(
  fields: readonly ResultField[],
  cells: readonly (string | Uint8Array | null)[],
  revealed: readonly string[] = [],
): (string | null)[] {
  const plan = planColumns(testContext(nodeCrypto, { revealed }), factsOf({}), fields);
  const row = dataRow(cells.map((cell) => (cell === null ? null : Buffer.from(cell as string))));
  return sampleRow(plan, maskRow(plan, row, new Map()) ?? row);
}

const binary = (typeOid: number, hex: string): string | null =>
  sample([fieldOf(20_002, 1, { typeOid, format: 1 })], [Buffer.from(hex, 'hex')])[0]!;

describe('sampleRow', () => {
  it('shows text as it is, cut to 256 characters', () => {
    assert.deepEqual(sample([fieldOf(20_002, 1), fieldOf(20_002, 2)], ['plain', null]), ['plain', null]);
    assert.equal(sample([fieldOf(20_002, 1)], ['é'.repeat(300)])[0], `${'é'.repeat(256)}…`);
    assert.equal(sample([fieldOf(20_002, 1)], [`${'x'.repeat(255)}😀y`])[0], `${'x'.repeat(255)}…`);
  });

  it('shows binary values of common types', () => {
    const cases: readonly (readonly [type: number, hex: string, text: string])[] = [
      [16, '01', 't'],
      [16, '00', 'f'],
      [21, 'ffff', '-1'],
      [23, '0000002a', '42'],
      [20, '7fffffffffffffff', '9223372036854775807'],
      [26, 'ffffffff', '4294967295'],
      [700, '3fc00000', '1.5'],
      [701, '3ff8000000000000', '1.5'],
      [1082, '00000000', '2000-01-01'],
      [1082, 'ffffffff', '1999-12-31'],
      [1082, '7fffffff', 'infinity'],
      [1082, '7ffffff0', 'out of range'],
      [1114, '00000000000f4240', '2000-01-01 00:00:01.000'],
      [1184, '8000000000000000', '-infinity'],
      [2950, '00112233445566778899aabbccddeeff', '00112233-4455-6677-8899-aabbccddeeff'],
      [1700, '0002000000000002000104d2', '1.12'],
      [1700, '00010000400000000007', '-7'],
      [1700, '0001ffff0000000403e8', '0.1000'],
      [1700, '0000000000000000', '0'],
      [1700, '00000000c0000000', '\\x00000000c0000000'],
      [25, '6162', 'ab'],
      [3802, '017b7d', '{}'],
      [17, 'deadbeef', '\\xdeadbeef'],
      [23, '01', '\\x01'],
      [99_999, '0102', '\\x0102'],
    ];
    for (const [type, hex, text] of cases) assert.equal(binary(type, hex), text, `${type} ${hex}`);
    assert.equal(binary(17, 'ab'.repeat(400)), `\\x${'ab'.repeat(128)}`.slice(0, 256) + '…');
  });

  it('masks what the client may see but a recording may not show', () => {
    assert.deepEqual(sample([fieldOf(20_001, 3)], ['123-45-6789'], ['ssn']), ['***-**-6789']);
    assert.deepEqual(sample([fieldOf(20_002, 2)], ['4111111111111111'], ['card']), ['[redacted:card]']);
    assert.deepEqual(sample([fieldOf(20_001, 6)], ['hidden'], ['secret']), [null]);
    assert.deepEqual(sample([fieldOf(20_001, 4)], ['{"ssn": "12345678"}'], ['ssn']), ['{"ssn": "****5678"}']);
    assert.deepEqual(sample([fieldOf(20_002, 2, { typeOid: 17, format: 1 })], ['4111111111111111'], ['card']), [null]);
  });

  it('masks nothing twice', () => {
    assert.deepEqual(sample([fieldOf(20_001, 3)], ['123-45-6789']), ['***-**-6789']);
    assert.deepEqual(sample([fieldOf(20_001, 3), fieldOf(20_001, 8)], ['123-45-6789', 'x'], ['note']), ['***-**-6789', '[redacted:note]']);
  });

  it('refuses a row of another result', () => {
    const plan = planColumns(testContext(nodeCrypto), factsOf({}), [fieldOf(20_002, 1)]);
    assert.throws(
      () => sampleRow(plan, dataRow([])),
      (error) => error instanceof GatewayFault && error.code === 'protocol-violation',
    );
  });
});
