import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GatewayFault } from '../core/fault.ts';
import type { EntryBundle } from './tiles.ts';
import { EntryBundles, bundleLeaves, tilePath } from './tiles.ts';

test('paths of C2SP tlog-tiles', () => {
  assert.equal(tilePath(0, 5), 'tile/0/005');
  assert.equal(tilePath(0, 999), 'tile/0/999');
  assert.equal(tilePath(1, 1_000), 'tile/1/x001/000');
  assert.equal(tilePath(0, 1_234_067), 'tile/0/x001/x234/067');
  assert.equal(tilePath('entries', 273, 112), 'tile/entries/273.p/112');
  assert.equal(tilePath(2, 1_234_067, 1), 'tile/2/x001/x234/067.p/1');
});

test('a bundle is its leaves behind 16-bit lengths, and only what uses up the bytes exactly', () => {
  const bundles = new EntryBundles(7);
  const leaves = Array.from({ length: 256 }, (_, i) => Buffer.alloc(i === 9 ? 65_535 : i, i));
  for (const leaf of leaves.slice(0, 255)) bundles.append(leaf);
  assert.equal(bundles.partial()!.width, 255);
  assert.deepEqual(bundles.full, []);
  bundles.append(leaves[255]!);
  const { bytes, index, width }: EntryBundle = bundles.full[0]!;
  assert.deepEqual([index, width], [7, 256]);
  assert.deepEqual([bundles.partial(), bundles.copy(8)], [undefined, undefined]);
  assert.deepEqual(
    bundleLeaves(bytes).map((leaf) => Buffer.from(leaf)),
    leaves,
  );
  assert.equal(
    bytes.byteLength,
    leaves.reduce((sum, leaf) => sum + 2 + leaf.byteLength, 0),
  );
  bundles.append(leaves[1]!);
  assert.deepEqual(Buffer.from(bundles.copy(8)!), Buffer.of(0, 1, 1));
  bundles.forgetStored(1);
  assert.equal(bundles.copy(7), undefined);

  const small = Buffer.of(0, 1, 65, 0, 2, 66, 67);
  assert.equal(bundleLeaves(small).length, 2);
  for (const length of [1, 2, 4, 5, 6]) assert.throws(() => bundleLeaves(small.subarray(0, length)), GatewayFault);
});

test('the memory of a stored bundle holds a later one, and what readers have of it stays as it was', () => {
  const bundles = new EntryBundles();
  fillBundle(bundles, 1);
  const { buffer } = bundles.full[0]!.bytes;
  const read = bundles.copy(0)!;
  const before = Buffer.from(read);
  fillBundle(bundles, 2);
  assert.notEqual(bundles.full[1]!.bytes.buffer, buffer, 'not before it is stored');
  bundles.forgetStored(1);
  fillBundle(bundles, 3);
  fillBundle(bundles, 4);
  assert.equal(bundles.full[2]!.bytes.buffer, buffer);
  assert.deepEqual(Buffer.from(read), before);
  for (const [i, { bytes, index }] of bundles.full.entries()) {
    assert.equal(index, i + 1);
    assert.deepEqual(new Set(bundleLeaves(bytes).map((leaf) => leaf[0])), new Set([i + 2]));
  }
});

test('a log that rests keeps no memory of stored bundles, and never that of very long ones', () => {
  const bundles = new EntryBundles();
  for (const long of [false, true]) {
    fillBundle(bundles, 1, long ? 8_000 : 3);
    const { buffer } = bundles.full[0]!.bytes;
    bundles.forgetStored(1);
    if (!long) bundles.forgetStored(0);
    for (let i = 0; i < 2; i++) fillBundle(bundles, 2);
    for (const { bytes } of bundles.full) assert.notEqual(bytes.buffer, buffer);
    bundles.forgetStored(2);
    bundles.forgetStored(0);
  }
});

function fillBundle(bundles: EntryBundles, value: number, length = 3): void {
  for (let i = 0; i < 256; i++) bundles.append(Buffer.alloc(length, value));
}
