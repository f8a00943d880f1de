import assert from 'node:assert/strict';
import { it } from 'node:test';
import { concatenated } from '../core/bytes.ts';
import { account, schema } from './testing/accounts.ts';
import { messageText } from './text.ts';
import { encodedRecord } from './wire.ts';

const type = schema.type('acme.v1.Account')!;
const options = { maxCharacters: 10_000, leaveOut: (name: string) => name === 'token' || name === 'passport', leftOut: '[redacted]' };

it('a message reads like its JSON', () => {
  const bytes = account({
    id: 'a\n"b"',
    owner: {
      taxNumber: '-5',
      pins: [1, 2],
      level: 'LEVEL_HIGH',
      isVip: true,
      income: 1.5,
      scan: '//8=',
      passport: 'P',
      phones: ['1', '2'],
    },
    byRole: { main: { name: 'M' } },
    notes: { token: 'x', note: 'y' },
    numbered: { 7: 'seven' },
    alias: 'A',
    profile: { list: [1, 'x', null, true], token: 'x' },
    detail: { '@type': 'type.googleapis.com/acme.v1.Owner', name: 'N' },
    anything: null,
  });
  const read = JSON.parse(messageText(schema, type, bytes, options).replace('(2 bytes that are no text)', '2')) as unknown;
  assert.deepEqual(read, {
    id: 'a\n"b"',
    owner: {
      tax_number: -5,
      scan: 2,
      phones: ['1', '2'],
      pins: [1, 2],
      level: 'LEVEL_HIGH',
      is_vip: true,
      income: 1.5,
      passport: '[redacted]',
    },
    by_role: { main: { name: 'M' } },
    notes: { token: '[redacted]', note: 'y' },
    numbered: { 7: 'seven' },
    alias: 'A',
    profile: { list: [1, 'x', null, true], token: '[redacted]' },
    detail: { '@type': 'type.googleapis.com/acme.v1.Owner', value: { name: 'N' } },
    anything: null,
  });
});

it('what came twice stands there twice, and what is not in the schema is counted', () => {
  const bytes = concatenated([account({ id: 'a' }), account({ id: 'b' }), encodedRecord(99, Buffer.from('secret'))]);
  assert.equal(messageText(schema, type, bytes, options), '{\n  "id": "a",\n  "id": "b",\n  "#99": (not in the schema, 6 bytes)\n}');
});

it('is cut where it is too long', () => {
  const text = messageText(schema, type, account({ id: 'x'.repeat(1_000), alias: 'y' }), { ...options, maxCharacters: 100 });
  assert.equal(text.length, 101);
  assert.ok(text.endsWith('x…'));
});

it('bytes that are no message, or too deep, are counted', () => {
  assert.match(
    messageText(schema, type, Uint8Array.of(0x0a, 0x05), options),
    /^\(2 bytes that cannot be read as acme\.v1\.Account: a length reaches past the end\)$/,
  );
  let owner: Uint8Array = new Uint8Array(0);
  for (let depth = 0; depth < 150; depth += 1) owner = encodedRecord(10, owner);
  assert.match(messageText(schema, type, encodedRecord(2, owner), { ...options, maxCharacters: 1e6 }), /nested more than 100 deep/);
});
