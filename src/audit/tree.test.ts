import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { HASH_BYTES, TILE_HASHES } from './tiles.ts';
import type { HashSource } from './tree.ts';
import { MerkleTree, consistencyPath, inclusionPath, leafHash, perfectRoot, rangeHash } from './tree.ts';
import { hashLeaf, rootOf } from './disk/harness.test.ts';

test('the roots of the certificate transparency reference tree', () => {
  const leaves = ['', '00', '10', '2021', '3031', '40414243', '5051525354555657', '606162636465666768696a6b6c6d6e6f'];
  const roots = [
    'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
    '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
    'fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125',
    'aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77',
    'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
    '4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4',
    '76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef',
    'ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c',
    '5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328',
  ];
  const tree = new MerkleTree();
  for (const [i, root] of roots.entries()) {
    assert.equal(Buffer.from(tree.root()).toString('hex'), root);
    if (i < leaves.length) tree.append(leafHash(Buffer.from(leaves[i]!, 'hex')));
  }
});

test('the root at every size is that of RFC 6962 word for word, over the first two tile levels', () => {
  const leaves = data(1_100);
  const tree = new MerkleTree();
  for (const [size, leaf] of leaves.entries()) {
    if (size < 40 || size % 97 === 0 || Math.abs((size % TILE_HASHES) - 0.5) < 2)
      assert.deepEqual(Buffer.from(tree.root()), rootOf(leaves.slice(0, size)), String(size));
    tree.append(leafHash(leaf));
  }
});

test('three tile levels: 70,000 leaves make the tiles that C2SP tlog-tiles counts', () => {
  const tree = new MerkleTree();
  for (let i = 0; i < 70_000; i++) tree.append(hashLeaf(Buffer.from(String(i))));
  const full = tree.fullTiles.map(({ level }) => level);
  assert.deepEqual([full.filter((level) => level === 0).length, full.filter((level) => level === 1).length, full.length], [273, 1, 274]);
  assert.deepEqual(
    tree.partialTiles().map(({ index, level, width }) => [level, index, width]),
    [
      [0, 273, 112],
      [1, 1, 17],
      [2, 0, 1],
    ],
  );
  const again = new MerkleTree(
    70_000,
    tree.partialTiles().map(({ bytes }) => bytes),
  );
  assert.deepEqual(again.root(), tree.root());
  again.append(leafHash(Buffer.from('next')));
  tree.append(leafHash(Buffer.from('next')));
  assert.deepEqual(again.root(), tree.root());
  assert.deepEqual(Buffer.from(tree.tile(1, 0)!).subarray(0, HASH_BYTES), Buffer.from(perfectRoot(tree.tile(0, 0)!, TILE_HASHES)));
});

test('later tiles in the memory of stored ones are what they are in memory of their own', () => {
  const own = new MerkleTree();
  const again = new MerkleTree();
  const memory = new Set<Uint8Array>();
  for (let i = 0; i < 5_000; i++) {
    for (const tree of [own, again]) tree.append(hashLeaf(Buffer.from(String(i))));
    if (i % 700 !== 0) continue;
    const { fullTiles } = again;
    assert.deepEqual(fullTiles, own.fullTiles.slice(-fullTiles.length || Infinity));
    for (const { bytes } of fullTiles) memory.add(bytes);
    again.forgetStored(fullTiles.length);
    assert.deepEqual(again.root(), own.root());
    assert.deepEqual(again.partialTiles(), own.partialTiles());
  }
  assert.ok(memory.size < own.fullTiles.length, `${memory.size} pieces of memory for ${own.fullTiles.length} tiles`);
});

const LEAVES = data(900);

test('every inclusion proof verifies by RFC 9162 section 2.1.3.2, and with one bit changed it does not', async () => {
  await fc.assert(
    fc.asyncProperty(sizes(), fc.nat(), fc.nat(), async (size, at, flip) => {
      const index = at % size;
      const root = rootOf(LEAVES.slice(0, size));
      const proof = await proofOf(inclusionPath(index, size));
      assert.ok(verifyInclusion(index, size, hashLeaf(LEAVES[index]!), proof, root));
      assert.ok(!verifyInclusion(index, size, hashLeaf(Buffer.from('other')), proof, root));
      if (proof.length === 0) return;
      proof[flip % proof.length]![flip % HASH_BYTES]! ^= 1;
      assert.ok(!verifyInclusion(index, size, hashLeaf(LEAVES[index]!), proof, root));
    }),
    { numRuns: 60 },
  );
});

test('every consistency proof verifies by RFC 9162 section 2.1.4.2, and not for another root', async () => {
  await fc.assert(
    fc.asyncProperty(sizes(), fc.nat(), async (size, at) => {
      const first = 1 + (at % size);
      const proof = await proofOf(consistencyPath(first, size));
      const [old, now] = [rootOf(LEAVES.slice(0, first)), rootOf(LEAVES.slice(0, size))];
      assert.ok(verifyConsistency(first, size, old, now, proof));
      const other = rootOf([...LEAVES.slice(0, first - 1), Buffer.from('other')]);
      assert.ok(!verifyConsistency(first, size, other, now, proof));
    }),
    { numRuns: 60 },
  );
});

function sizes(): fc.Arbitrary<number> {
  return fc.oneof(
    fc.integer({ min: 1, max: 20 }),
    fc.integer({ min: 1, max: LEAVES.length }),
    fc.constantFrom(255, 256, 257, 511, 512, 513, 768),
  );
}

function data(count: number): Buffer[] {
  return Array.from({ length: count }, (_, i) => Buffer.from(`leaf ${i}`));
}

async function proofOf(path: ReturnType<typeof inclusionPath>): Promise<Uint8Array[]> {
  return Promise.all(path.map(async (range) => Uint8Array.from(await rangeHash(range, source))));
}

const source: HashSource = async (level, first, count) => {
  const span = TILE_HASHES ** level;
  assert.equal(Math.floor(first / TILE_HASHES), Math.floor((first + count - 1) / TILE_HASHES), 'one tile');
  return Buffer.concat(Array.from({ length: count }, (_, i) => rootOf(LEAVES.slice((first + i) * span, (first + i + 1) * span))));
};

function node(left: Uint8Array, right: Uint8Array): Buffer {
  return createHash('sha256').update(Buffer.of(1)).update(left).update(right).digest();
}

function verifyInclusion(index: number, size: number, leaf: Buffer, proof: readonly Uint8Array[], root: Buffer): boolean {
  let fn = index;
  let sn = size - 1;
  let hash: Uint8Array = leaf;
  for (const part of proof) {
    if (sn === 0) return false;
    if (fn % 2 === 1 || fn === sn) {
      hash = node(part, hash);
      while (fn % 2 === 0 && fn !== 0) {
        fn = Math.floor(fn / 2);
        sn = Math.floor(sn / 2);
      }
    } else {
      hash = node(hash, part);
    }
    fn = Math.floor(fn / 2);
    sn = Math.floor(sn / 2);
  }
  return sn === 0 && root.equals(hash);
}

function verifyConsistency(first: number, second: number, old: Buffer, now: Buffer, proof: readonly Uint8Array[]): boolean {
  if (first === second) return proof.length === 0 && old.equals(now);
  const path = Math.log2(first) % 1 === 0 ? [old, ...proof] : [...proof];
  let fn = first - 1;
  let sn = second - 1;
  while (fn % 2 === 1) {
    fn = Math.floor(fn / 2);
    sn = Math.floor(sn / 2);
  }
  let fr: Uint8Array = path[0]!;
  let sr: Uint8Array = path[0]!;
  for (const part of path.slice(1)) {
    if (sn === 0) return false;
    if (fn % 2 === 1 || fn === sn) {
      fr = node(part, fr);
      sr = node(part, sr);
      while (fn % 2 === 0 && fn !== 0) {
        fn = Math.floor(fn / 2);
        sn = Math.floor(sn / 2);
      }
    } else {
      sr = node(sr, part);
    }
    fn = Math.floor(fn / 2);
    sn = Math.floor(sn / 2);
  }
  return sn === 0 && old.equals(fr) && now.equals(sr);
}
