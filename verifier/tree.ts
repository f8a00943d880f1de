import crypto from 'node:crypto';

/**
 * The Merkle tree of RFC 6962 section 2.1 with SHA-256, kept as C2SP tlog-tiles cuts it: what is in memory is the unfinished tile of
 * each level, at most 255 hashes a level. Hashes lie one behind the other in buffers.
 */
export class TileTree {
  /** Unfinished tiles from level 1 upward: each hash is the root of a full tile one level below. */
  readonly #levels: { hashes: Buffer; count: number }[] = [];
  #tiles = 0;

  /** Full tiles of level 0 so far. */
  get tiles(): number {
    return this.#tiles;
  }

  clone(): TileTree {
    const copy = new TileTree();
    copy.#tiles = this.#tiles;
    for (const { hashes, count } of this.#levels) copy.#levels.push({ hashes: Buffer.from(hashes), count });
    return copy;
  }

  /** Takes the next full tile of level 0. Returns the tiles of higher levels that it completes. */
  append(tile: Buffer): CompletedTile[] {
    const completed: CompletedTile[] = [];
    let root = foldHashes(tile, TILE_WIDTH);
    let index = this.#tiles;
    this.#tiles += 1;
    for (let level = 1; ; level += 1) {
      const place = (this.#levels[level - 1] ??= { hashes: Buffer.alloc(TILE_BYTES), count: 0 });
      root.copy(place.hashes, place.count * HASH_BYTES);
      place.count += 1;
      index = Math.floor(index / TILE_WIDTH);
      if (place.count < TILE_WIDTH) return completed;
      const hashes = Buffer.from(place.hashes);
      completed.push({ level, index, hashes });
      root = foldHashes(hashes, TILE_WIDTH);
      place.count = 0;
    }
  }

  /** The root of the full tiles so far and `count` (0 to 256) more leaf hashes behind them. */
  root(hashes: Buffer, count: number): Buffer {
    let right = count === 0 ? undefined : foldHashes(hashes, count);
    for (const level of this.#levels) {
      if (level.count === 0) continue;
      // Whole subtrees of one size and at most one smaller one at the right: folding them in pairs gives RFC 6962's tree.
      const row = Buffer.concat([level.hashes.subarray(0, level.count * HASH_BYTES), right ?? NOTHING]);
      right = foldHashes(row, row.length / HASH_BYTES);
    }
    return right ?? EMPTY_ROOT;
  }

  /** The unfinished tiles of level 1 and above. */
  unfinished(): CompletedTile[] {
    return this.#levels.flatMap(({ hashes, count }, place) => {
      const index = Math.floor(this.#tiles / TILE_WIDTH ** (place + 1));
      return count === 0 ? [] : [{ level: place + 1, index, hashes: hashes.subarray(0, count * HASH_BYTES) }];
    });
  }
}

export interface CompletedTile {
  readonly level: number;
  readonly index: number;
  readonly hashes: Buffer;
}

/**
 * Hashes the leaf at `start` to `end` of `bytes` into `target`, at hash number `place`. Overwrites the byte before the leaf, which the
 * caller is done with: so the prefix of RFC 6962 costs no copy.
 */
export function hashLeaf(bytes: Buffer, start: number, end: number, target: Buffer, place: number): void {
  bytes[start - 1] = 0x00;
  writeDigest(bytes.subarray(start - 1, end), target, place * HASH_BYTES);
}

/** The root over `count` (1 to 257) hashes. */
function foldHashes(hashes: Buffer, count: number): Buffer {
  const row = Buffer.from(hashes.subarray(0, count * HASH_BYTES));
  let width = count;
  while (width > 1) {
    const pairs = width >> 1;
    for (let pair = 0; pair < pairs; pair += 1) {
      row.copy(node, 1, pair * 2 * HASH_BYTES, (pair * 2 + 2) * HASH_BYTES);
      writeDigest(node, row, pair * HASH_BYTES);
    }
    // The odd one at the right moves up as it is.
    if (width % 2 === 1) row.copy(row, pairs * HASH_BYTES, (width - 1) * HASH_BYTES, width * HASH_BYTES);
    width = pairs + (width % 2);
  }
  return row.subarray(0, HASH_BYTES);
}

/** `crypto.hash` in one call, its answer as text, is three to four times as fast as any way that makes a buffer or an object for each. */
const writeDigest: (input: Uint8Array, target: Buffer, at: number) => void =
  typeof crypto.hash === 'function'
    ? (input, target, at) => void target.write(crypto.hash('sha256', input, 'binary'), at, 'binary')
    : (input, target, at) => void crypto.createHash('sha256').update(input).digest().copy(target, at);

export const HASH_BYTES = 32;
export const TILE_WIDTH = 256;
export const TILE_BYTES = TILE_WIDTH * HASH_BYTES;
const NOTHING = Buffer.alloc(0);
const EMPTY_ROOT = crypto.createHash('sha256').digest();
/** 0x01, left, right; reused for each node. */
const node = Buffer.alloc(1 + 2 * HASH_BYTES, 0x01);
