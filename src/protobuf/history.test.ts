import assert from 'node:assert/strict';
import { it } from 'node:test';
import { fromJson, toBinary } from '@bufbuild/protobuf';
import { GatewayFault } from '../core/fault.ts';
import { nodeCrypto } from '../net/crypto.ts';
import { changesBetween, schemaWithHistory } from './history.ts';
import { messageMasks } from './masks.ts';
import { schemaOf, type Schema } from './schema.ts';
import { testClasses } from './testing/classes.ts';
import { describe, fieldOption } from './testing/describe.ts';

const methods = ['Get(Owner) returns (Account)'];
const account = ['repeated Owner owners = 1'];
const before = describe({ Account: account, Owner: ['string ssn = 1', 'string code = 2 [secret]', 'string gone = 3'] }, methods);
const after = describe({ Account: account, Owner: ['string social = 1', 'string code = 2', 'string ssn = 4'] }, methods);
const earlier = schemaOf([before.set], { fieldOption });
const later = schemaOf([after.set], { fieldOption });

/** What is shown of a message in the later spelling. */
function shown(schema: Schema): string {
  const classes = testClasses(nodeCrypto, { ssn: { mask: 'redact', paths: ['acme.v1.Owner#$.ssn'] }, secret: { mask: 'redact' } });
  const masks = messageMasks({ schema, target: 'billing', classes, revealed: new Set(), mode: 'taint', unknownFields: 'drop' });
  const type = after.registry.getMessage('acme.v1.Account')!;
  const bytes = toBinary(type, fromJson(type, { owners: [{ social: 'ONE', code: 'TWO', ssn: 'FOUR' }] }));
  const masked = masks.masker(schema.method('/acme.v1.Accounts/Get')!, 'response').mask(bytes);
  if (masked instanceof GatewayFault) throw masked;
  return Buffer.from(masked.bytes).toString('latin1');
}

it('a field that a target renamed, or no longer marks, stays hidden', () => {
  assert.match(shown(later), /ONE.*TWO/s);
  assert.doesNotMatch(shown(schemaWithHistory(earlier, later)), /ONE|TWO|FOUR/);
});

it('says what changed', () => {
  assert.deepEqual(changesBetween(earlier, earlier), []);
  assert.deepEqual(changesBetween(earlier, later), [
    '- acme.v1.Owner.1: string ssn',
    '- acme.v1.Owner.2: string code [secret]',
    '- acme.v1.Owner.3: string gone',
    '+ acme.v1.Owner.1: string social',
    '+ acme.v1.Owner.2: string code',
    '+ acme.v1.Owner.4: string ssn',
  ]);
});

it('a type that refers to itself, or holds an Any, keeps what it is', () => {
  const recursive = schemaOf([
    describe({ Node: ['Node next = 1', 'google.protobuf.Any any = 2'], Account: account, Owner: ['string a = 1'] }, methods).set,
  ]);
  const node = schemaWithHistory(recursive, recursive).type('acme.v1.Node')!;
  assert.equal(node.fields.get(1)!.message, node);
  assert.ok(node.reachesAny);
});
