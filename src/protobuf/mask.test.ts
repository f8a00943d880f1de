import assert from 'node:assert/strict';
import { describe as suite, it } from 'node:test';
import type { JsonObject } from '@bufbuild/protobuf';
import { concatenated } from '../core/bytes.ts';
import { nodeCrypto } from '../net/crypto.ts';
import { account, accountMasks, get, read, shown } from './testing/accounts.ts';
import { testClasses } from './testing/classes.ts';
import { encodedRecord, encodedTag, encodedVarint } from './wire.ts';

const { masksFor, detecting } = accountMasks(nodeCrypto);

suite('places', () => {
  for (const [name, paths, json, expected] of [
    [
      'of a method',
      ['acme.v1.Accounts/Get#$.owner.ssn'],
      { owner: { name: 'A', ssn: '078-05-1120' } },
      { owner: { name: 'A', ssn: '***-**-1120' } },
    ],
    ['of another method', ['acme.v1.Accounts/Put#$.owner.ssn'], { owner: { ssn: '078-05-1120' } }, { owner: { ssn: '078-05-1120' } }],
    [
      'of a type, wherever it is',
      ['acme.v1.Owner#$.ssn'],
      {
        owner: { ssn: '078-05-1120', spouse: { ssn: '078-05-1121' } },
        others: [{ ssn: '078-05-1122' }],
        byRole: { x: { ssn: '078-05-1123' } },
      },
      {
        owner: { ssn: '***-**-1120', spouse: { ssn: '***-**-1121' } },
        others: [{ ssn: '***-**-1122' }],
        byRole: { x: { ssn: '***-**-1123' } },
      },
    ],
    ['of any method', ['acme.v1.Accounts/*#$.others.ssn'], { others: [{ ssn: '078-05-1120' }] }, { others: [{ ssn: '***-**-1120' }] }],
    [
      'each element',
      ['acme.v1.Owner#$.phones'],
      { owner: { phones: ['555-0100-1234', 'x'] } },
      { owner: { phones: ['***-****-1234', '*'] } },
    ],
    [
      'an element is any element',
      ['acme.v1.Owner#$.phones[1]'],
      { owner: { phones: ['555-0100-1234'] } },
      { owner: { phones: ['***-****-1234'] } },
    ],
    [
      'in one entry of a map',
      ['acme.v1.Account#$.by_role.main.ssn'],
      { byRole: { main: { ssn: '078-05-1120' }, other: { ssn: '078-05-1121' } } },
      { byRole: { main: { ssn: '***-**-1120' }, other: { ssn: '078-05-1121' } } },
    ],
    [
      'in every entry',
      ['acme.v1.Account#$.byRole.*.ssn'],
      { byRole: { main: { ssn: '078-05-1120' } } },
      { byRole: { main: { ssn: '***-**-1120' } } },
    ],
    [
      'a map, keys too',
      ['acme.v1.Account#$.notes'],
      { notes: { '078-05-1120': '078-05-1121' } },
      { notes: { '***-**-1120': '***-**-1121' } },
    ],
    [
      'the values of a map',
      ['acme.v1.Account#$.notes.*'],
      { notes: { '078-05-1120': '078-05-1121' } },
      { notes: { '078-05-1120': '***-**-1121' } },
    ],
    [
      'an entry by its number',
      ['acme.v1.Account#$.numbered["7"]'],
      { numbered: { 7: '078-05-1120', 8: '078-05-1121' } },
      { numbered: { 7: '***-**-1120', 8: '078-05-1121' } },
    ],
    ['a message whole', ['acme.v1.Account#$.owner'], { id: '1', owner: { ssn: '078-05-1120' } }, { id: '1', owner: {} }],
    ['a wrapper', ['acme.v1.Account#$.alias'], { alias: '078-05-1120' }, { alias: '***-**-1120' }],
    ['a time', ['acme.v1.Account#$.opened'], { opened: '2026-01-01T00:00:00Z' }, { opened: '1970-01-01T00:00:00Z' }],
    [
      'numbers, bools and enums',
      [
        'acme.v1.Owner#$.tax_number',
        'acme.v1.Owner#$.pins',
        'acme.v1.Owner#$.level',
        'acme.v1.Owner#$.is_vip',
        'acme.v1.Owner#$.income',
        'acme.v1.Owner#$.member',
      ],
      { owner: { name: 'A', taxNumber: '123456789012', pins: [1234, 5], level: 'LEVEL_HIGH', isVip: true, income: 1.5, member: '99' } },
      { owner: { name: 'A', pins: [0, 0] } },
    ],
    [
      'in a Struct',
      [
        'acme.v1.Account#$.profile.person.ssn',
        'acme.v1.Account#$.profile.list[*]',
        'acme.v1.Account#$.profile.number',
        'acme.v1.Account#$.profile.tree',
      ],
      { profile: { ssn: 'kept', person: [{ ssn: '078-05-1120', a: 1 }], list: ['078-05-1121', 7, null], number: 42, tree: { a: 'b' } } },
      { profile: { ssn: 'kept', person: [{ ssn: '***-**-1120', a: 1 }], list: ['***-**-1121', null, null], number: null, tree: null } },
    ],
    ['a Struct whole', ['acme.v1.Account#$.profile'], { profile: { a: 'b' } }, { profile: {} }],
    [
      'a Value',
      ['acme.v1.Account#$.anything.deep.ssn'],
      { anything: { deep: { ssn: '078-05-1120' } } },
      { anything: { deep: { ssn: '***-**-1120' } } },
    ],
    ['a Value whole', ['acme.v1.Account#$.anything'], { anything: [1] }, { anything: null }],
    [
      'in an Any',
      ['acme.v1.Account#$.detail.ssn', 'acme.v1.Owner#$.passport'],
      { detail: { '@type': 'type.googleapis.com/acme.v1.Owner', ssn: '078-05-1120', passport: '078-05-1121', name: 'A' } },
      { detail: { '@type': 'type.googleapis.com/acme.v1.Owner', ssn: '***-**-1120', passport: '***-**-1121', name: 'A' } },
    ],
  ] as const) {
    it(name, () => {
      const { bytes } = shown(
        masksFor(paths)
          .masker(get, 'response')
          .mask(account(json as JsonObject)),
      );
      assert.deepEqual(read(bytes), expected);
    });
  }

  it('of a field option', () => {
    const classes = testClasses(nodeCrypto, { secret: { mask: 'redact' } });
    const { bytes, masked } = shown(
      masksFor([], { classes })
        .masker(get, 'response')
        .mask(account({ owner: { name: 'A', marked: 'x' } })),
    );
    assert.deepEqual(read(bytes), { owner: { name: 'A', marked: '[redacted:secret]' } });
    assert.deepEqual([...masked], [['secret', 1]]);
  });

  it('of a field option whose class nobody configured: nothing is shown, and reveal does not help', () => {
    const masker = masksFor([], { revealed: new Set(['ssn']) }).masker(get, 'response');
    assert.deepEqual(read(shown(masker.mask(account({ owner: { name: 'A', marked: 'x' } }))).bytes), { owner: { name: 'A' } });
    assert.ok(masker.hides);
  });

  it('of a class that may be seen', () => {
    const message = account({ owner: { ssn: '078-05-1120' } });
    const masker = masksFor(['acme.v1.Owner#$.ssn'], { revealed: new Set(['ssn', 'secret']) }).masker(get, 'response');
    assert.equal(masker.hides, false);
    assert.deepEqual(masker.hiddenClasses, []);
    assert.equal(shown(masker.mask(message)).bytes, message);
  });

  it('text that is shown as nothing keeps its place', () => {
    const { bytes } = shown(
      masksFor(['acme.v1.Owner#$.passport'], {}, 'null')
        .masker(get, 'response')
        .mask(account({ owner: { passport: 'P1' } })),
    );
    assert.deepEqual(read(bytes), { owner: { passport: '' } });
  });

  it('the message that is masked is not changed, also where it is a Buffer', () => {
    const message = Buffer.from(account({ owner: { ssn: '078-05-1120' } }));
    const before = message.toString('hex');
    assert.deepEqual(read(shown(masksFor(['acme.v1.Owner#$.ssn']).masker(get, 'response').mask(message)).bytes), {
      owner: { ssn: '***-**-1120' },
    });
    assert.equal(message.toString('hex'), before);
  });

  it('what is not hidden stays byte for byte, in the same view where nothing is', () => {
    const message = account({ id: 'a', owner: { name: 'A', pins: [1, 2, 3] }, profile: { a: [1, 'x', { b: null }] } });
    assert.equal(shown(masksFor(['acme.v1.Owner#$.ssn']).masker(get, 'response').mask(message)).bytes, message);
  });
});

suite('detectors', () => {
  for (const [name, json, expected] of [
    ['strings', { id: 'pay 4111111111111111 now' }, { id: 'pay ************1111 now' }],
    [
      'with the name of the field as a hint',
      { owner: { ssn: '078051120', name: '078051120' } },
      { owner: { ssn: '*****1120', name: '078051120' } },
    ],
    ['keys of maps', { notes: { '4111111111111111': 'x' } }, { notes: { '************1111': 'x' } }],
    ['values of maps, with the key as a hint', { notes: { ssn: '078051120' } }, { notes: { ssn: '*****1120' } }],
    ['numbers', { owner: { taxNumber: '4111111111111111', pins: [7] } }, { owner: { pins: [7] } }],
    [
      'texts in bytes',
      { owner: { scan: Buffer.from('a 4111111111111111').toString('base64') } },
      { owner: { scan: Buffer.from('a ************1111').toString('base64') } },
    ],
    [
      'in a Struct',
      { profile: { card: 4111111111111111, text: ['4111111111111111'], ssn: '078051120' } },
      { profile: { card: null, text: ['************1111'], ssn: '*****1120' } },
    ],
    [
      'in an Any',
      { detail: { '@type': 'type.googleapis.com/acme.v1.Owner', name: '4111111111111111' } },
      { detail: { '@type': 'type.googleapis.com/acme.v1.Owner', name: '************1111' } },
    ],
  ] as const) {
    it(name, () => {
      const { bytes } = shown(
        detecting()
          .masker(get, 'response')
          .mask(account(json as JsonObject)),
      );
      assert.deepEqual(read(bytes), expected);
    });
  }

  it('bytes that are no text are nothing where a value is found in them, and in strict mode always', () => {
    const card = Buffer.concat([Buffer.from([0xff, 0xfe]), Buffer.from('4111111111111111')]).toString('base64');
    const picture = Buffer.from([0xff, 0xd8, 0xff]).toString('base64');
    const message = (scan: string): Uint8Array => account({ id: 'a', owner: { name: 'A', scan } });
    assert.deepEqual(read(shown(detecting().masker(get, 'response').mask(message(card))).bytes), { id: 'a', owner: { name: 'A' } });
    assert.deepEqual(read(shown(detecting().masker(get, 'response').mask(message(picture))).bytes), {
      id: 'a',
      owner: { name: 'A', scan: picture },
    });
    const strict = detecting('partial-last4', { mode: 'strict' });
    assert.deepEqual(read(shown(strict.masker(get, 'response').mask(message(picture))).bytes), { id: 'a', owner: { name: 'A' } });
  });

  it('a class that is shown as nothing empties the text', () => {
    assert.deepEqual(
      read(
        shown(
          detecting('null')
            .masker(get, 'response')
            .mask(account({ id: 'pay 4111111111111111', alias: 'b' })),
        ).bytes,
      ),
      { alias: 'b' },
    );
  });

  it('unsafe_origin: only places are hidden, and unknown fields stay', () => {
    const message = concatenated([account({ id: '4111111111111111' }), encodedRecord(99, Buffer.from('more'))]);
    const masker = detecting('partial-last4', { mode: 'unsafe_origin' }).masker(get, 'response');
    assert.equal(shown(masker.mask(message)).bytes, message);
    // Some decoders would read it as the field that it is not wired as.
    const miswired = concatenated([encodedTag(1, 0), encodedVarint(4_111)]);
    assert.equal(shown(masker.mask(concatenated([message, miswired]))).bytes.length, message.length);
  });
});
