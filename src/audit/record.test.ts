import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { GatewayFault } from '../core/fault.ts';
import type { AuditRecord } from '../core/record.ts';
import { MAX_LEAF_BYTES, encodeRecord, encodeValue, isTooLong, shortenRecord } from './record.ts';

const STAMP = { v: 1, time: '2026-11-21T10:00:00.000Z', gateway: 'gw', policy_version: 'p' } as const;

test('values and order of RFC 8785', () => {
  // Section 3.2.2's example, and 3.2.3's order of names by UTF-16 code units.
  const example = {
    numbers: [Number('333333333.33333329'), 1e30, 4.5, 2e-3, 0.000000000000000000000000001],
    string: "\u20ac$\u000f\u000aA'\u0042\u0022\u005c\\\u0022/",
    literals: [null, true, false],
  };
  assert.equal(
    encodeValue(example),
    '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}',
  );
  const names = { '\u20ac': 1, '\r': 2, '\ufb33': 3, '1': 4, '\u{1f600}': 5, '\u0080': 6, '\u00f6': 7 };
  assert.deepEqual(
    [...encodeValue(names).matchAll(/:(\d)/g)].map((match) => match[1]),
    ['2', '4', '6', '7', '1', '5', '3'],
  );
  assert.equal(encodeValue(-0), '0');
});

test('half a surrogate pair becomes U+FFFD, in values and in names', () => {
  assert.equal(encodeValue({ '\ud800': '\udc00x' }), '{"\ufffd":"\ufffdx"}');
});

test('what JSON cannot hold is refused', () => {
  for (const value of [Number.NaN, Number.POSITIVE_INFINITY, 1n, (): void => {}, Symbol('s'), [undefined]]) {
    assert.throws(() => encodeValue(value), GatewayFault);
  }
});

test('any JSON value reads back as itself, with its names sorted at every depth', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      const json = encodeValue(value);
      assert.deepEqual(JSON.parse(json), JSON.parse(JSON.stringify(value)));
      assert.equal(json, sortedJson(value));
    }),
  );
});

test('members that are undefined are left out, and each combination of optional members keeps the order', () => {
  for (const more of [{}, { error_code: '42501' }, { error_code: undefined }, { zeta: 1, alpha: 2 }, { alpha: 2, zeta: 1 }, {}]) {
    assert.equal(encodeRecord(completed(more), STAMP), sortedJson({ ...completed(more), ...STAMP }));
  }
});

test('more shapes than are remembered are still in order', () => {
  for (let i = 0; i < 40; i++) {
    const record = { type: 'config.changed', config_digest: 'c', previous: 'p', [`m${i}`]: i } as AuditRecord;
    assert.equal(encodeRecord(record, STAMP), sortedJson({ ...record, ...STAMP }));
  }
});

test('the largest members are moved out until the leaf fits, and no more of them', () => {
  const record: AuditRecord = {
    type: 'operation.decided',
    session: 's',
    operation: 'o',
    target: 't',
    principal: 'p',
    decision: 'allow',
    policies: ['one'],
    acts: Array.from({ length: 3_000 }, (_, i) => ({ action: 'sql:select', object: `Relation::"r${i}"` })),
    facts: { argv: ['x'.repeat(30_000)] },
    text: 'é'.repeat(40_000),
    text_exact: true,
    parameters: ['a', null],
    data_classes: [],
    pure_read: false,
  };
  assert.equal(isTooLong(encodeRecord(record, STAMP)), true);
  const { bodies, leaf } = shortenRecord(record, STAMP);
  assert.ok(Buffer.byteLength(leaf) <= MAX_LEAF_BYTES);
  const parsed = JSON.parse(leaf) as Record<string, unknown>;
  assert.equal(leaf, sortedJson(parsed));
  assert.deepEqual(parsed['bodies'], { acts: 'json', text: 'text' });
  assert.deepEqual(parsed['facts'], record.facts);
  assert.deepEqual(
    bodies.map(({ content }) => Buffer.from(content).toString()),
    [sortedJson(record.acts), record.text],
  );
  for (const [i, name] of ['acts', 'text'].entries()) {
    const { content, sha256 } = bodies[i]!;
    assert.equal(sha256, createHash('sha256').update(content).digest('hex'));
    assert.deepEqual(parsed[name], { bytes: content.byteLength, sha256 });
  }
});

test('the limit is counted in bytes: the longest leaf stays whole, one more byte does not', () => {
  const room = MAX_LEAF_BYTES - Buffer.byteLength(encodeRecord(note(''), STAMP));
  assert.equal(isTooLong(encodeRecord(note('x'.repeat(room)), STAMP)), false);
  assert.equal(isTooLong(encodeRecord(note('x'.repeat(room + 1)), STAMP)), true);
  assert.equal(isTooLong(encodeRecord(note('é'.repeat(room / 2 + 1)), STAMP)), true);
});

test('a record whose names alone are too long is refused', () => {
  const record: AuditRecord = { type: 'session.note', session: 's'.repeat(70_000), event: 'e', detail: {} };
  assert.throws(
    () => shortenRecord(record, STAMP),
    (error) => error instanceof GatewayFault && error.code === 'limit-exceeded',
  );
});

function completed(more: object): AuditRecord {
  const members = { session: 's', operation: 'o', outcome: 'failed', rows: 0, bytes: 0, duration_ms: 1, masked: {} };
  return { type: 'operation.completed', ...members, ...more };
}

function note(event: string): AuditRecord {
  return { type: 'session.note', session: 's', event, detail: {} };
}

/** Another way to the same: JSON.stringify over copies with sorted names. */
function sortedJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(sortedJson).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const members = Object.entries(value).filter(([, member]) => member !== undefined);
  members.sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${members.map(([name, member]) => `${JSON.stringify(name)}:${sortedJson(member)}`).join(',')}}`;
}
