import assert from 'node:assert/strict';
import { describe as suite, it } from 'node:test';
import { create, fromBinary, toBinary, toJson, type JsonValue } from '@bufbuild/protobuf';
import { AnySchema } from '@bufbuild/protobuf/wkt';
import { concatenated } from '../core/bytes.ts';
import { GatewayFault } from '../core/fault.ts';
import { nodeCrypto } from '../net/crypto.ts';
import { account, accountMasks, described, get, jsonOptions, owner, read, schema, shown } from './testing/accounts.ts';
import { encodedRecord, encodedTag, encodedVarint } from './wire.ts';

const { masksFor, detecting } = accountMasks(nodeCrypto);

suite('what decoders make of an odd spelling is what was masked', () => {
  const byPath = masksFor([
    'acme.v1.Owner#$.ssn',
    'acme.v1.Owner#$.passport',
    'acme.v1.Owner#$.pins',
    'acme.v1.Account#$.by_role.main.name',
  ]).masker(get, 'response');
  const text = (number: number, value: string): Uint8Array => encodedRecord(number, Buffer.from(value));
  const masked = (bytes: Uint8Array): JsonValue => read(shown(byPath.mask(bytes)).bytes);

  it('a singular field twice', () => {
    assert.deepEqual(masked(encodedRecord(2, concatenated([text(2, '078-05-1120'), text(2, '078-05-1121')]))), {
      owner: { ssn: '***-**-1121' },
    });
  });

  it('a message in two parts', () => {
    const parts = [encodedRecord(2, text(1, 'A')), text(1, 'id'), encodedRecord(2, text(2, '078-05-1120'))];
    assert.deepEqual(masked(concatenated(parts)), { id: 'id', owner: { name: 'A', ssn: '***-**-1120' } });
  });

  it('members of a oneof that replace each other', () => {
    assert.deepEqual(masked(encodedRecord(2, concatenated([text(12, 'L1'), text(11, 'PASSPORT7')]))), { owner: { passport: '*****ORT7' } });
  });

  it('repeated numbers, packed and not, in one field', () => {
    const pins = [
      encodedTag(6, 0),
      encodedVarint(1234),
      encodedRecord(6, concatenated([encodedVarint(99_999), encodedVarint(-1)])),
      encodedTag(6, 0),
      encodedVarint(7),
    ];
    assert.deepEqual(masked(encodedRecord(2, concatenated(pins))), { owner: { pins: [0, 0, 0, 0] } });
  });

  it('an entry of a map with its key behind its value, twice, or missing', () => {
    const value = encodedRecord(2, concatenated([text(1, 'NAMENAME'), text(2, '078-05-1120')]));
    const hidden = { name: '****NAME', ssn: '***-**-1120' };
    assert.deepEqual(masked(encodedRecord(4, concatenated([value, text(1, 'main')]))), { byRole: { main: hidden } });
    const twice = encodedRecord(4, concatenated([text(1, 'other'), value, text(1, 'main')]));
    assert.deepEqual(masked(twice), { byRole: { main: hidden } });
    assert.ok(!Buffer.from(shown(byPath.mask(twice)).bytes).includes('other'), 'which of the keys holds is not left to the decoder');
    assert.deepEqual(masked(encodedRecord(4, value)), { byRole: { '': { name: 'NAMENAME', ssn: '***-**-1120' } } });
    assert.deepEqual(masked(encodedRecord(4, text(1, 'main'))), { byRole: { main: {} } });
  });

  it('numbers that are longer than need be', () => {
    const ssn = Buffer.from('078-05-1120');
    const long = concatenated([Uint8Array.of(0x92, 0x80, 0x00), Uint8Array.of(0x8b, 0x80, 0x80, 0x00), ssn]);
    assert.deepEqual(masked(encodedRecord(2, long)), { owner: { ssn: '***-**-1120' } });
  });

  it('a field of another wire type is unknown to decoders, and left out', () => {
    const { bytes, dropped } = shown(
      byPath.mask(concatenated([text(1, 'id'), encodedTag(2, 0), encodedVarint(78_051_120), encodedTag(1, 5), new Uint8Array(4)])),
    );
    assert.deepEqual(read(bytes), { id: 'id' });
    assert.deepEqual([...bytes], [...text(1, 'id')]);
    assert.equal(dropped, 2);
  });

  it('unknown fields are left out, groups too, at any depth', () => {
    const secret = text(99, '078-05-1120');
    const group = concatenated([encodedTag(77, 3), secret, encodedTag(78, 3), encodedTag(78, 4), encodedTag(77, 4)]);
    const message = concatenated([secret, encodedRecord(2, concatenated([text(1, 'A'), secret])), group]);
    const result = shown(byPath.mask(message));
    assert.deepEqual([...result.bytes], [...encodedRecord(2, text(1, 'A'))]);
    assert.equal(result.dropped, 3);
  });

  it('unknown fields are refused where the target says so', () => {
    const masker = masksFor(['acme.v1.Owner#$.ssn'], { unknownFields: 'refuse' }).masker(get, 'response');
    const refused = masker.mask(concatenated([account({ id: 'a' }), text(99, 'x')]));
    assert.ok(refused instanceof GatewayFault);
    assert.equal(refused.code, 'masking-refused');
    assert.deepEqual(read(shown(masker.mask(account({ id: 'a' }))).bytes), { id: 'a' });
  });

  it('an Any of a type that the schema does not know shows its type alone', () => {
    const any = toBinary(AnySchema, create(AnySchema, { typeUrl: 'type.googleapis.com/other.Type', value: Buffer.from('078-05-1120') }));
    const { bytes, dropped } = shown(byPath.mask(encodedRecord(9, any)));
    assert.deepEqual([...bytes], [...encodedRecord(9, text(1, 'type.googleapis.com/other.Type'))]);
    assert.equal(dropped, 1);
    assert.ok(
      masksFor(['acme.v1.Owner#$.ssn'], { unknownFields: 'refuse' }).masker(get, 'response').mask(encodedRecord(9, any)) instanceof
        GatewayFault,
    );
  });

  it('an Any whose type comes behind its bytes, twice, or in another part of its message', () => {
    const content = owner({ name: 'NAME', ssn: '078-05-1120' });
    const url = (name: string): Uint8Array => text(1, `type.googleapis.com/acme.v1.${name}`);
    const value = encodedRecord(2, content);
    const expected = { detail: { '@type': 'type.googleapis.com/acme.v1.Owner', name: 'NAME', ssn: '***-**-1120' } };
    assert.deepEqual(masked(encodedRecord(9, concatenated([value, url('Owner')]))), expected);
    assert.deepEqual(masked(encodedRecord(9, concatenated([url('Other'), value, url('Owner')]))), expected);
    assert.deepEqual(
      masked(concatenated([encodedRecord(9, concatenated([url('Other'), value])), text(1, 'id'), encodedRecord(9, url('Owner'))])),
      {
        id: 'id',
        ...expected,
      },
    );
    const wrapped = schema.method('/acme.v1.Accounts/Watch')!;
    const outer = concatenated([
      encodedRecord(2, encodedRecord(9, concatenated([url('Other'), value]))),
      encodedRecord(2, encodedRecord(9, url('Owner'))),
    ]);
    const { bytes } = shown(masksFor(['acme.v1.Owner#$.ssn']).masker(wrapped, 'response').mask(outer));
    const wrappedType = described.registry.getMessage('acme.v1.Wrapped')!;
    assert.deepEqual(toJson(wrappedType, fromBinary(wrappedType, bytes), jsonOptions), { account: expected });
  });
});

suite('what is no message is refused', () => {
  const masker = detecting().masker(get, 'response');
  for (const [name, bytes] of [
    ['a field of the number 0', [0x02, 0x00]],
    ['a field number above 2^29 - 1', [0x80, 0x80, 0x80, 0x80, 0x10, 0x00]],
    ['a wire type that does not exist', [0x0e]],
    ['a length past the end', [0x0a, 0x05, 0x61]],
    ['a length of 2^64 - 1', [0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]],
    ['a number without end', [0x18, 0xff, 0xff]],
    ['a number of 65 bits', [0x18, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02]],
    ['the end of a group that did not begin', [0x0c]],
    ['a group without end', [0x0b]],
    ['a group that ends as another', [0x0b, 0x14]],
  ] as const) {
    it(name, () => {
      const refused = masker.mask(Uint8Array.from(bytes));
      assert.ok(refused instanceof GatewayFault);
      assert.equal(refused.code, 'masking-refused');
    });
  }

  it('nested too deep, as messages and as unknown groups', () => {
    let message: Uint8Array = new Uint8Array(0);
    for (let depth = 0; depth < 200; depth += 1) message = encodedRecord(10, message);
    assert.ok(masker.mask(encodedRecord(2, message)) instanceof GatewayFault);
    const groups = new Uint8Array(100_000).fill(0x0b);
    assert.ok(masker.mask(groups) instanceof GatewayFault);
  });
});
