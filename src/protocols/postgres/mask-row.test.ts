import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { GatewayFault } from '../../core/fault.ts';
import { nodeCrypto } from '../../net/crypto.ts';
import { dataRow } from './encode.ts';
import type { MaskContext } from './mask-context.ts';
import { planColumns, type ResultField } from './mask-plan.ts';
import { maskRow } from './mask-row.ts';
import { citext, factsOf, fieldOf, testContext } from './testing/masking.ts';

const context = testContext(nodeCrypto);
const encoder = new TextEncoder();

/** The cells of a row after masking; null is SQL NULL. */
function mask(fields: readonly ResultField[], cells: readonly (Uint8Array | string | null)[], within: MaskContext = context) {
  const plan = planColumns(within, factsOf({}), fields);
  const row = dataRow(cells.map((cell) => (typeof cell === 'string' ? encoder.encode(cell) : cell)));
  const before = Buffer.from(row);
  const counts = new Map<string, number>();
  const masked = maskRow(plan, row, counts);
  assert.deepEqual(Buffer.from(row), before, 'the row that came is left as it is');
  return { cells: cellsOf(masked ?? row), counts: Object.fromEntries(counts), changed: masked !== undefined };
}

const bufferOf = (bytes: Uint8Array | undefined): Buffer | undefined => bytes && Buffer.from(bytes);
const texts = (cells: readonly (Buffer | null)[]): (string | null)[] => cells.map((cell) => cell?.toString() ?? null);

/** Reads a DataRow by its own rules, so that the masker's idea of one is not checked against itself. */
function cellsOf(row: Uint8Array): (Buffer | null)[] {
  const bytes = Buffer.from(row);
  assert.equal(bytes.toString('latin1', 0, 1), 'D');
  assert.equal(bytes.readInt32BE(1), bytes.length - 1);
  const cells: (Buffer | null)[] = [];
  let at = 7;
  for (let index = 0; index < bytes.readInt16BE(5); index++) {
    const length = bytes.readInt32BE(at);
    at += 4;
    cells.push(length < 0 ? null : bytes.subarray(at, at + length));
    at += Math.max(0, length);
  }
  assert.equal(at, bytes.length);
  return cells;
}

const bank = [
  fieldOf(20_001, 1, { typeOid: 23 }),
  fieldOf(20_001, 2),
  fieldOf(20_001, 3),
  fieldOf(20_001, 5),
  fieldOf(20_001, 6),
  fieldOf(20_001, 7),
  fieldOf(20_001, 8),
];

describe('maskRow', () => {
  it('in place is the same as anew, whatever the cells hold', () => {
    const fields = [fieldOf(20_001, 1, { typeOid: 23 }), fieldOf(20_001, 3), fieldOf(0, 0), fieldOf(20_001, 3)];
    const plan = planColumns(context, factsOf({}), fields);
    assert.equal(plan.masksInPlace, true);
    const anew = { ...plan, masksInPlace: false };
    const cell = fc.option(
      fc.oneof(fc.string({ unit: 'binary-ascii' }), fc.string({ unit: 'binary' }), fc.constant('4111 1111 1111 1111')),
    );
    fc.assert(
      fc.property(fc.array(cell, { minLength: 4, maxLength: 4 }), (cells) => {
        const row = dataRow(cells.map((text) => (text === null ? null : encoder.encode(text))));
        const before = Buffer.from(row);
        const [counted, countedAnew] = [new Map<string, number>(), new Map<string, number>()];
        const masked = maskRow(plan, row, counted);
        assert.deepEqual(bufferOf(masked), bufferOf(maskRow(anew, row, countedAnew)));
        assert.deepEqual(Object.fromEntries(counted), Object.fromEntries(countedAnew));
        assert.deepEqual(Buffer.from(row), before);
      }),
    );
  });

  it('masks each column by its rule, counts, and leaves the rest', () => {
    const { cells, counts } = mask(bank, ['7', 'Alice', '123-45-6789', '12-3456', 'secret', 'digest', 'note']);
    const [id, name, ssn, account, secret, digest, note] = texts(cells);
    assert.deepEqual([id, name, ssn, secret, note], ['7', 'Alice', '***-**-6789', null, '[redacted:note]']);
    assert.match(account!, /^\d\d-\d{4}$/);
    assert.notEqual(account, '12-3456');
    assert.match(digest!, /^hash:[0-9a-f]{16}$/);
    assert.deepEqual(counts, { ssn: 1, account: 1, secret: 1, digest: 1, note: 1 });
  });

  it('leaves NULL as it is, uncounted, and masks the empty text', () => {
    const { cells, counts, changed } = mask(bank, [null, null, null, null, null, null, null]);
    assert.deepEqual([texts(cells), counts, changed], [[null, null, null, null, null, null, null], {}, false]);
    assert.deepEqual(texts(mask([fieldOf(20_001, 8)], ['']).cells), ['[redacted:note]']);
  });

  it('masks what the detectors find, in text and number columns', () => {
    const free = [fieldOf(20_002, 2), fieldOf(20_002, 3, { typeOid: 20 }), fieldOf(0, 0, { typeOid: 1700 })];
    const { cells, counts } = mask(free, ['card 4111 1111 1111 1111, ssn 123-45-6789.', '4111111111111111', '4111111111111111.00']);
    assert.deepEqual(texts(cells), ['card [redacted:card], ssn ***-**-6789.', null, null]);
    assert.deepEqual(counts, { card: 3, ssn: 1 });
    assert.equal(mask(free, ['plain', '17', '0.4111111111111111']).changed, false);
    assert.equal(mask(free, ['4111111111111111', '1', '1'], testContext(nodeCrypto, { revealed: ['card'] })).changed, false);
  });

  it('keeps bytes that are no UTF-8 out of the way', () => {
    const odd = Buffer.concat([Buffer.from([0xff, 0xfe]), Buffer.from(' 4111111111111111')]);
    assert.deepEqual(texts(mask([fieldOf(20_002, 2)], [odd]).cells), ['[redacted:card]']);
    const plain = Buffer.from([0xff, 0xfe, 0x41]);
    assert.equal(mask([fieldOf(20_002, 2)], [plain]).changed, false);
  });

  it('every result stays a well-formed row whose other cells are the very bytes', () => {
    const cell = fc.option(
      fc.oneof(
        fc.uint8Array({ maxLength: 40 }),
        fc.string({ unit: 'grapheme' }).map((text) => encoder.encode(text)),
        fc.constantFrom('4111111111111111', '{"a":"123-45-6789"}').map((text) => encoder.encode(text)),
      ),
    );
    const field = fc.record({
      attribute: fc.integer({ min: -1, max: 8 }),
      table: fc.constantFrom(0, 20_001, 20_002, 20_003, 29_999),
      typeOid: fc.constantFrom(...knownTypes),
      typeModifier: fc.constantFrom(-1, 8, 14),
      format: fc.constantFrom<0 | 1>(0, 1),
    });
    fc.assert(
      fc.property(fc.array(fc.tuple(field, cell), { maxLength: 8 }), (columns) => {
        const fields = columns.map(([{ table, attribute, ...type }]) => fieldOf(table, table === 0 ? 0 : attribute, type));
        const plan = planColumns(context, factsOf({}), fields);
        const { cells } = mask(
          fields,
          columns.map(([, bytes]) => bytes),
        );
        for (const [index, masked] of cells.entries()) {
          const came = columns[index]![1];
          if (plan.columns[index]!.mask === undefined || came === null) assert.deepEqual(masked, came === null ? null : Buffer.from(came));
          if (plan.columns[index]!.rule?.kind === 'null') assert.equal(masked, null);
        }
      }),
      { numRuns: 400 },
    );
  });

  it('a masked value is nowhere in the row, in no spelling', () => {
    const canary = 'QX7-ZW93-KV48';
    const spellings = [
      canary,
      Array.from(canary).reverse().join(''),
      Buffer.from(canary).toString('hex'),
      Buffer.from(canary).toString('base64'),
      canary.toLowerCase(),
      encodeURIComponent(canary),
    ];
    for (const spelling of spellings) {
      for (const [typeOid, format] of knownTypes.flatMap((type) => [[type, 0] as const, [type, 1] as const])) {
        const fields = [3, 4, 5, 6, 7, 8].map((attribute) => fieldOf(20_001, attribute, { typeOid, format }));
        const { cells } = mask(
          [...fields, fieldOf(20_001, 0, { typeOid: 2249, format }), fieldOf(29_999, 1, { typeOid, format })],
          Array.from({ length: 8 }, () => `\u0001${spelling}`),
        );
        const seen = Buffer.concat(cells.map((cell) => cell ?? Buffer.alloc(0))).toString('latin1');
        assert.ok(!seen.includes(spelling), `${spelling} as type ${typeOid}`);
        assert.ok(!seen.includes(spelling.slice(0, -4)), `${spelling} as type ${typeOid}, cut`);
      }
    }
  });
});

describe('bytes that are no row of this result', () => {
  const plan = planColumns(context, factsOf({}), bank);
  const row = dataRow(['7', 'Alice', '123-45-6789', '12', 's', 'd', 'n'].map((text) => encoder.encode(text)));

  function refuses(bytes: Uint8Array): void {
    assert.throws(
      () => maskRow(plan, bytes, new Map()),
      (error) => error instanceof GatewayFault && error.code === 'protocol-violation',
    );
  }

  it('are refused when cut or longer', () => {
    for (let length = 0; length < row.length; length++) refuses(row.subarray(0, length));
    for (let length = 6; length < row.length; length++) {
      const cut = Uint8Array.from(row.subarray(0, length));
      new DataView(cut.buffer).setInt32(1, length - 1);
      refuses(cut);
    }
    refuses(Buffer.concat([row, Buffer.from([0])]));
    refuses(dataRow([encoder.encode('one column')]));
    refuses(Buffer.concat([Buffer.from('T'), row.subarray(1)]));
  });

  it('never throw anything else, whatever they are', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), fc.boolean(), (bytes, framed) => {
        const message = framed ? Buffer.concat([Buffer.from('D\0\0\0\0'), Buffer.from([0, bank.length]), bytes]) : Buffer.from(bytes);
        if (framed) message.writeInt32BE(message.length - 1, 1);
        try {
          const masked = maskRow(plan, message, new Map());
          if (masked !== undefined) cellsOf(masked);
        } catch (error) {
          assert.ok(error instanceof GatewayFault && error.code === 'protocol-violation', String(error));
        }
      }),
      { numRuns: 1000 },
    );
  });

  it('may have lengths that lie', () => {
    for (const length of [-2, -0x80000000, 0x7fffffff, 1000]) {
      const lying = Uint8Array.from(row);
      new DataView(lying.buffer).setInt32(7, length);
      refuses(lying);
    }
  });
});

/** Every built-in type that a driver meets, arrays, rows and made ones among them. */
const knownTypes = [
  16,
  17,
  18,
  19,
  20,
  21,
  23,
  25,
  26,
  114,
  142,
  600,
  650,
  700,
  701,
  705,
  790,
  829,
  869,
  1000,
  1007,
  1009,
  1015,
  1016,
  1042,
  1043,
  1082,
  1083,
  1114,
  1184,
  1186,
  1231,
  1266,
  1560,
  1562,
  1700,
  2249,
  2277,
  2278,
  2950,
  3614,
  3802,
  3807,
  3904,
  3906,
  4072,
  citext,
  99_999,
];
