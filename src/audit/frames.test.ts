import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { crc32c } from './crc32c.ts';
import type { LaterLeaf } from './encoder.ts';
import { BARRIER, Batch, scanSegment } from './frames.ts';
import { hashLeaf } from './disk/harness.test.ts';

test('CRC-32C: the check value, RFC 3720 appendix B.4, and every alignment against one bit at a time', () => {
  assert.equal(inHex(Buffer.from('123456789')), 'e3069283');
  assert.equal(inHex(Buffer.alloc(32)), '8a9136aa');
  assert.equal(inHex(Buffer.alloc(32, 0xff)), '62a8ab43');
  assert.equal(inHex(Buffer.from(Array.from({ length: 32 }, (_, i) => i))), '46dd794e');
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 40 }),
      fc.nat(8),
      (bytes, begin) => crc32c(viewOf(bytes), Math.min(begin, bytes.length), bytes.length) === slowly(bytes.subarray(begin)),
    ),
  );
});

test('a batch lays out frames that scan back to its leaves, and hashes each leaf without changing a byte', () => {
  const leaves = ['{}', '{"a":"é€😀"}', `{"b":"${'x'.repeat(60_000)}"}`];
  const batch = new Batch(5, undefined);
  for (const leaf of leaves) batch.add(leaf);
  batch.layOut();
  const before = Buffer.from(batch.bytes.subarray(0, batch.length));
  batch.hash();
  batch.hash();
  assert.deepEqual(batch.bytes.subarray(0, batch.length), before);
  assert.deepEqual(batch.hashes, Buffer.concat(leaves.map((leaf) => hashLeaf(Buffer.from(leaf)))));
  const seen: string[] = [];
  const scanned = scanSegment(before, (leaf) => seen.push(Buffer.from(leaf).toString()));
  assert.deepEqual(seen, leaves);
  assert.deepEqual(scanned, { end: before.byteLength, frames: 3, whole: true, damagedBeforeBarrier: false });
});

test('what becomes a leaf later is laid out in its place, once, and what is added after that behind it', () => {
  const batch = new Batch(0, undefined);
  const later = (leaf: string): LaterLeaf => ({ size: 1_000, encode: () => leaf });
  batch.add('{"a":1}');
  batch.add(later(`{"b":"${'é'.repeat(30_000)}"}`));
  batch.layOut();
  batch.add(later('{"c":3}'));
  batch.add('{"d":4}');
  batch.layOut();
  batch.layOut();
  const begins: string[] = [];
  const segment = batch.bytes.subarray(0, batch.length);
  const scanned = scanSegment(segment, (leaf) => begins.push(Buffer.from(leaf).toString().slice(0, 5)));
  assert.deepEqual(begins, ['{"a":', '{"b":', '{"c":', '{"d":']);
  assert.deepEqual([scanned.whole, batch.count, batch.size], [true, 4, 4 * 8 + 2 * 7 + 2 * 1_000]);
});

test('what is laid out stays so, once, where one behind it cannot be, which is tried again', () => {
  const batch = new Batch(0, undefined);
  let canBe = false;
  batch.add('{"a":1}');
  batch.add({
    size: 10,
    encode() {
      if (!canBe) throw new Error('not yet');
      return '{"b":2}';
    },
  });
  for (let times = 0; times < 2; times += 1) assert.throws(() => batch.layOut(), /not yet/);
  canBe = true;
  batch.layOut();
  const leaves: string[] = [];
  scanSegment(batch.bytes.subarray(0, batch.length), (leaf) => leaves.push(Buffer.from(leaf).toString()));
  assert.deepEqual(leaves, ['{"a":1}', '{"b":2}']);
});

test('a segment cut anywhere ends at its last whole frame; any changed byte is damage', () => {
  const batch = new Batch(0, undefined);
  for (let i = 0; i < 3; i++) batch.add(`{"event":"e${i}"}`);
  batch.layOut();
  const segment = Buffer.concat([batch.bytes.subarray(0, batch.length), BARRIER]);
  for (let length = 0; length <= segment.byteLength; length++) {
    const scanned = scanSegment(segment.subarray(0, length), () => {});
    assert.equal(scanned.whole, scanned.end === length);
    assert.equal(scanned.damagedBeforeBarrier, false);
    assert.ok(length - scanned.end < 8 + 14);
  }
  for (let at = 8; at < segment.byteLength - 8; at++) {
    const altered = Buffer.from(segment);
    altered[at]! ^= 0x10;
    const scanned = scanSegment(altered, () => {});
    assert.ok(!scanned.whole && scanned.damagedBeforeBarrier && scanned.end <= at);
  }
});

test('bytes of any kind neither throw nor pass for a leaf that is too short or too long', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      const scanned = scanSegment(Buffer.from(bytes), (leaf) => assert.ok(leaf.byteLength >= 2));
      assert.ok(scanned.end <= bytes.length);
    }),
  );
  const zeros = scanSegment(Buffer.alloc(100), () => assert.fail());
  assert.deepEqual([zeros.end, zeros.whole], [0, false]);
});

function inHex(bytes: Uint8Array): string {
  return crc32c(viewOf(bytes), 0, bytes.byteLength).toString(16);
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function slowly(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
  }
  return ~crc >>> 0;
}
