import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import type { AuditRecord } from '../core/record.ts';
import { RecordEncoder } from './encoder.ts';
import { encodeRecord, type Stamp } from './record.ts';

type Decided = AuditRecord & { type: 'operation.decided' };
type Completed = AuditRecord & { type: 'operation.completed' };

test('any record is encoded to the very bytes that encodeRecord gives, however much of it is the same as before', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.oneof(decided, completed, note), stamp), { minLength: 1, maxLength: 20 }), (records) => {
      const encoder = new RecordEncoder();
      for (const [record, stamped] of records) assert.equal(encoder.encode(record, stamped), encodeRecord(record, stamped));
    }),
    { numRuns: 400 },
  );
});

test('one member after the other is changed, while the rest stays the same objects', () => {
  const encoder = new RecordEncoder();
  const [one, other] = fc.sample(decided, { numRuns: 2, seed: 3 }) as [Decided, Decided];
  const [now, later] = fc.sample(stamp, { numRuns: 2, seed: 3 }) as [Stamp, Stamp];
  const check = (record: Decided, stamped: Stamp): void => assert.equal(encoder.encode(record, stamped), encodeRecord(record, stamped));
  for (const name of Object.keys(decidedMembers)) {
    check(one, now);
    check({ ...one, [name]: other[name as keyof Decided] }, now);
    for (const stamped of ['time', 'gateway', 'policy_version'] as const) check(one, { ...now, [stamped]: later[stamped] });
  }
});

test('what was encoded once cannot be changed afterwards', () => {
  const [record] = fc.sample(decided, { numRuns: 1 }) as [Decided];
  const acts = [{ action: 'sql:select', object: 'Relation::"a"' }];
  const facts = { statements: ['select'] };
  new RecordEncoder().encode(
    { ...record, acts, facts, code: undefined, approvals: undefined, runs: undefined },
    { v: 1, time: '', gateway: '', policy_version: '' },
  );
  assert.throws(() => (acts[0]!.action = 'sql:insert'), TypeError);
  assert.throws(() => facts.statements.push('delete'), TypeError);
});

/** From few values, so that the same ones (objects too) come again in other records. */
function few<Value>(...values: readonly Value[]): fc.Arbitrary<Value> {
  return fc.constantFrom(...values);
}

const text = fc.oneof(fc.string({ unit: 'binary' }), fc.string(), few('', '"', '\\', '\ud800', 'é😀\u2028\u0000'));
const id = few('ses_1', 'ses_2', 'a"b', '\udfff');

/** All members by name: one that is added to the type has to be added here, and is then compared. */
const decidedMembers: { readonly [Name in keyof Required<Decided>]: fc.Arbitrary<Decided[Name]> } = {
  type: fc.constant('operation.decided'),
  session: id,
  operation: text,
  target: few('orders', 'ledger'),
  principal: few('ci|a', 'ci|b\u00e9'),
  decision: few<'allow' | 'deny'>('allow', 'deny'),
  code: few(undefined, undefined, 'denied'),
  policies: few<readonly string[]>([], ['a "policy"', 'b']),
  acts: few<Decided['acts']>([], [{ action: 'sql:select', object: 'Relation::"a"' }], [{ object: 'x', action: 'sql:insert' }]),
  facts: few<Decided['facts']>({}, { b: ['select', '\ud800'], a: true }, { a: 1.5, b: 'x' }),
  text,
  text_exact: fc.boolean(),
  digest: few(undefined, 'd'.repeat(64)),
  parameters: fc.oneof(fc.constant(undefined), fc.array(fc.oneof(text, fc.constant(null)), { maxLength: 3 })),
  runs: few<Decided['runs']>(undefined, undefined, ['prepare a as "b"']),
  data_classes: few<readonly string[]>([], ['ssn']),
  approvals: few(undefined, undefined, ['apr_1']),
  pure_read: fc.boolean(),
};
const completedMembers: { readonly [Name in keyof Required<Completed>]: fc.Arbitrary<Completed[Name]> } = {
  type: fc.constant('operation.completed'),
  session: id,
  operation: text,
  outcome: few('succeeded', 'failed', 'un"known'),
  error_code: fc.oneof(fc.constant(undefined), text),
  reason: fc.oneof(fc.constant(undefined), text),
  rows: fc.nat(),
  bytes: few(0, -0, 1e21, 2 ** 53),
  duration_ms: fc.double({ noNaN: true, noDefaultInfinity: true }),
  masked: fc.dictionary(fc.string(), fc.nat(), { maxKeys: 3 }),
  transfers: few<Completed['transfers']>(undefined, undefined, [
    { path: '/a "b"', direction: 'download', bytes: 3, sha256: 'd'.repeat(64), in_order: true },
  ]),
};
const decided = fc.record(decidedMembers) as fc.Arbitrary<Decided>;
const completed = fc.record(completedMembers) as fc.Arbitrary<Completed>;
const note: fc.Arbitrary<AuditRecord> = fc.record({ type: fc.constant('session.note'), session: id, event: text, detail: fc.constant({}) });
const stamp: fc.Arbitrary<Stamp> = fc.record({
  v: fc.constant(1),
  time: few('2026-11-21T10:00:00.000Z', '2026-11-21T10:00:00.001Z'),
  gateway: few('gw', 'g"w'),
  policy_version: few('', 'p'.repeat(64)),
});
