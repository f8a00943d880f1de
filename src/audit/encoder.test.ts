import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import type { AuditRecord } from '../core/record.ts';
import { RecordEncoder } from './encoder.ts';
import { encodeRecord, MAX_LEAF_BYTES, type Stamp } from './record.ts';

type Decided = AuditRecord & { type: 'operation.decided' };
type Completed = AuditRecord & { type: 'operation.completed' };

test('any record is encoded to the very bytes that encodeRecord gives, however much of it is the same as before', () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.oneof(decided, completed, note), stamp), {
        minLength: 1,
        maxLength: 20,
      }),
      (records) => {
        const encoder = new RecordEncoder();
        for (const [record, stamped] of records) check(encoder, record, stamped);
      },
    ),
    { numRuns: 400 },
  );
});

test('one member after the other is changed, while the rest stays the same objects', () => {
  const encoder = new RecordEncoder();
  const [one, other] = fc.sample(decided, { numRuns: 2, seed: 3 }) as [Decided, Decided];
  const [now, later] = fc.sample(stamp, { numRuns: 2, seed: 3 }) as [Stamp, Stamp];
  for (const name of Object.keys(decidedMembers)) {
    check(encoder, one, now);
    check(encoder, { ...one, [name]: other[name as keyof Decided] }, now);
    for (const stamped of ['time', 'gateway', 'policy_version'] as const) check(encoder, one, { ...now, [stamped]: later[stamped] });
  }
});

test('what is changed after a record was given is not in it', () => {
  const encoder = new RecordEncoder();
  const [one] = fc.sample(decided, { numRuns: 1 }) as [Decided];
  const [now] = fc.sample(stamp, { numRuns: 1 }) as [Stamp];
  const parameters = ['a', null];
  const masked: Record<string, number> = { ssn: 1 };
  const operation: Decided = { ...one, code: undefined, approvals: undefined, runs: undefined, parameters };
  const ended: Completed = { ...(fc.sample(completed, { numRuns: 1 })[0] as Completed), transfers: undefined, masked };
  const expected = [operation, ended].map((record) => encodeRecord(record, now));
  const leaves = [operation, ended].map((record) => encoder.later(record, now));
  parameters.push('b');
  masked['ssn'] = 2;
  assert.deepEqual(
    leaves.map((leaf) => leaf?.encode()),
    expected,
  );
});

test('what may be too long for a leaf is not put together later', () => {
  const encoder = new RecordEncoder();
  const [one] = fc.sample(decided, { numRuns: 1 }) as [Decided];
  const [now] = fc.sample(stamp, { numRuns: 1 }) as [Stamp];
  const { text: _, ...common } = {
    ...one,
    code: undefined,
    approvals: undefined,
    runs: undefined,
    digest: undefined,
    parameters: undefined,
  };
  let longest = 0;
  for (let length = 1; length < 70_000; length += 1 + (length >> 4)) {
    const leaf = encoder.later({ ...common, text: '\0'.repeat(length) }, now);
    if (leaf === undefined) continue;
    longest = length;
    assert.ok(Buffer.byteLength(leaf.encode()) <= MAX_LEAF_BYTES);
  }
  assert.ok(longest > 8_000);
  assert.equal(encoder.later({ ...common, text: '', parameters: ['\0'.repeat(11_000)] }, now), undefined);
});

test('what was encoded once cannot be changed afterwards', () => {
  const [record] = fc.sample(decided, { numRuns: 1 }) as [Decided];
  const acts = [{ action: 'sql:select', object: 'Relation::"a"' }];
  const facts = { statements: ['select'] };
  new RecordEncoder().later(
    { ...record, acts, facts, code: undefined, approvals: undefined, runs: undefined },
    { v: 1, time: '', gateway: '', policy_version: '' },
  );
  assert.throws(() => (acts[0]!.action = 'sql:insert'), TypeError);
  assert.throws(() => facts.statements.push('delete'), TypeError);
});

/** Whatever is put together later is what `encodeRecord` gives, and all that is neither rare nor long is. */
function check(encoder: RecordEncoder, record: AuditRecord, stamped: Stamp): void {
  const leaf = encoder.later(record, stamped);
  const isRare =
    record.type === 'operation.decided'
      ? [record.code, record.approvals, record.runs].some((member) => member !== undefined)
      : record.type !== 'operation.completed' || record.transfers !== undefined;
  assert.equal(leaf === undefined, isRare);
  if (leaf === undefined) return;
  const json = leaf.encode();
  assert.equal(json, encodeRecord(record, stamped));
  assert.ok(json.length <= leaf.size * 6);
}

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
