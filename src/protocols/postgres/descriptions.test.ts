import assert from 'node:assert/strict';
import { it } from 'node:test';
import { nodeCrypto } from '../../net/crypto.ts';
import { Descriptions } from './descriptions.ts';
import * as encode from './encode.ts';
import { HEADER_BYTES } from './messages.ts';
import { factsOf, testContext } from './testing/masking.ts';
import type { Understanding } from './understanding.ts';

const context = testContext(nodeCrypto);
const revealing = testContext(nodeCrypto, { revealed: ['ssn', 'card', 'account', 'secret', 'digest', 'note'] });

/** The body of a description of one column of the customers. */
function described(name: string, column: number): Uint8Array {
  const field = { name, tableOid: 20_001, column, typeOid: 25, typeSize: -1, typeModifier: -1, format: 0 } as const;
  return encode.rowDescription([field]).subarray(HEADER_BYTES);
}

function understanding(): Understanding {
  return { maskFacts: factsOf({ mentions: ['ssn'] }) } as Understanding;
}

it('the same bytes are the same fields, other bytes are others, and the oldest are forgotten', () => {
  const known = new Descriptions();
  const ssn = known.read(described('ssn', 3));
  assert.equal(known.read(described('ssn', 3)), ssn);
  assert.deepEqual(
    known.read(described('ssm', 3)).map((field) => field.name),
    ['ssm'],
  );
  for (const name of ['a', 'b', 'c', 'd']) known.read(described(name, 2));
  const again = known.read(described('ssn', 3));
  assert.notEqual(again, ssn);
  assert.deepEqual(again, ssn);
});

it('keeps no view of the bytes that it read', () => {
  const known = new Descriptions();
  const body = described('ssn', 3);
  known.read(body);
  body.set(described('nam', 2));
  assert.deepEqual(
    known.read(body).map((field) => field.column),
    [2],
  );
});

it('a plan serves as long as statement, context and formats are the same', () => {
  const known = new Descriptions();
  const fields = known.read(described('ssn', 3));
  const statement = understanding();
  const plan = known.plan(context, statement, fields, undefined);
  assert.equal(plan.isIdentity, false);
  assert.equal(known.plan(context, statement, fields, undefined), plan);
  assert.notEqual(known.plan(context, understanding(), fields, undefined), plan);
  assert.equal(known.plan(revealing, statement, fields, undefined).isIdentity, true);
  assert.equal(known.plan(context, statement, fields, undefined).isIdentity, false);
  assert.equal(known.plan(context, statement, fields, [1]).columns[0]?.field.format, 1);
  assert.equal(known.plan(context, statement, fields, [0]).columns[0]?.field.format, 0);
});
