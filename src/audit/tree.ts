import { sha256, sha256Into } from './sha256.ts';
import { HASH_BYTES, TILE_HASHES } from './tiles.ts';

/**
 * The RFC 6962 Merkle tree (section 2.1, SHA-256), kept as the right edge of its tiles: at each tile level the hashes of the tile that is
 * not full yet, and the full tiles that have not been stored so far.
 */
export class MerkleTree {
  /** Full tiles in the order in which they filled, oldest first, until `forgetStored`. */
  readonly #full: HashTile[] = [];
  readonly #edge: Uint8Array[] = [];
  /** Memory of tiles that are stored. */
  readonly #spare: Uint8Array[] = [];
  #wanted = 0;
  #size: number;

  /** An empty tree; or, with `edge`, one of `size` leaves whose partial tiles, by level from 0, are the given ones. */
  constructor(size = 0, edge: readonly Uint8Array[] = []) {
    this.#size = size;
    for (const hashes of edge) {
      const tile = newTile();
      tile.set(hashes);
      this.#edge.push(tile);
    }
  }

  get size(): number {
    return this.#size;
  }

  /** Appends leaf hashes: one, or several joined. */
  append(hashes: Uint8Array): void {
    for (let done = 0; done < hashes.byteLength;) {
      const room = (TILE_HASHES - (this.#size % TILE_HASHES)) * HASH_BYTES;
      const taken = hashes.subarray(done, done + room);
      this.#put(0, this.#size, taken);
      this.#size += taken.byteLength / HASH_BYTES;
      done += taken.byteLength;
    }
  }

  /** Hashes from index `at` on at a level; they end in the tile in which they begin. A tile that becomes full makes a hash one level up. */
  #put(level: number, at: number, hashes: Uint8Array): void {
    const tile = (this.#edge[level] ??= newTile());
    const begin = (at % TILE_HASHES) * HASH_BYTES;
    tile.set(hashes, begin);
    if (begin + hashes.byteLength < tile.byteLength) return;
    const index = Math.floor(at / TILE_HASHES);
    this.#full.push({ level, index, width: TILE_HASHES, bytes: tile });
    this.#edge[level] = this.#spare.pop() ?? newTile();
    this.#put(level + 1, index, perfectRoot(tile, TILE_HASHES));
  }

  /** How many leaves are in full tiles. */
  get tiled(): number {
    return this.#size - (this.#size % TILE_HASHES);
  }

  /** MTH(D[size]). `size`: of all leaves or, as at any other the edge is gone, `tiled`. */
  root(size: number = this.#size): Uint8Array {
    let root: Uint8Array | undefined;
    for (let level = 0, at = size; at > 0; level++, at = Math.floor(at / TILE_HASHES)) {
      let begin = at % TILE_HASHES;
      for (let width = 1; begin > 0; width *= 2) {
        if ((begin & width) === 0) continue;
        begin -= width;
        const part = perfectRoot(this.#edge[level]!.subarray(begin * HASH_BYTES, (begin + width) * HASH_BYTES), width);
        root = root === undefined ? part : nodeHash(part, root);
      }
    }
    return root ?? EMPTY_ROOT;
  }

  /** The partial tiles that a checkpoint of this size needs, copied. `size`: as for `root`. */
  partialTiles(size: number = this.#size): readonly HashTile[] {
    const tiles: HashTile[] = [];
    for (let level = 0, at = size; at > 0; level++, at = Math.floor(at / TILE_HASHES)) {
      const width = at % TILE_HASHES;
      if (width === 0) continue;
      const bytes = this.#edge[level]!.slice(0, width * HASH_BYTES);
      tiles.push({ level, index: Math.floor(at / TILE_HASHES), width, bytes });
    }
    return tiles;
  }

  /** Their bytes are good until `forgetStored`. */
  get fullTiles(): readonly HashTile[] {
    return this.#full;
  }

  /** The oldest `count` full tiles are on disk now, and nobody reads their bytes here any more: later tiles are made in that memory. */
  forgetStored(count: number): void {
    for (const { bytes } of this.#full.splice(0, count)) this.#spare.push(bytes);
    // As many as may be wanted until the next time; none where the log rests.
    this.#wanted = Math.max(count, this.#wanted >> 1);
    this.#spare.length = Math.min(this.#spare.length, this.#wanted);
  }

  /** The tile if it is still in memory (its bytes may run on behind `width`); the caller must not keep or change it. */
  tile(level: number, index: number): Uint8Array | undefined {
    const edgeIndex = Math.floor(this.#size / TILE_HASHES ** (level + 1));
    if (index === edgeIndex) return this.#edge[level];
    return this.#full.find((tile) => tile.level === level && tile.index === index)?.bytes;
  }
}

/** `width` hashes of 32 bytes at (`level`, `index`); a full tile has 256. */
export interface HashTile {
  readonly level: number;
  readonly index: number;
  readonly width: number;
  readonly bytes: Uint8Array;
}

/** In shared memory, so that the thread that writes files needs no copy. */
function newTile(): Uint8Array {
  return new Uint8Array(new SharedArrayBuffer(TILE_HASHES * HASH_BYTES));
}

export function leafHash(leaf: Uint8Array): Uint8Array {
  const prefixed = new Uint8Array(leaf.byteLength + 1);
  prefixed.set(leaf, 1);
  return sha256(prefixed);
}

function nodeHash(left: Uint8Array, right: Uint8Array): Uint8Array {
  NODE.set(left, 1);
  NODE.set(right, 1 + HASH_BYTES);
  return sha256(NODE);
}

/** The root over `width` consecutive hashes, `width` a power of two. */
export function perfectRoot(hashes: Uint8Array, width: number): Uint8Array {
  if (width === 1) return hashes.slice(0, HASH_BYTES);
  // In place: a node is written where at most its own children were, and those are read by then.
  const nodes = Buffer.from(hashes.subarray(0, width * HASH_BYTES));
  for (let count = width; count > 1; count /= 2) {
    for (let i = 0; i < count / 2; i++) {
      NODE.set(nodes.subarray(2 * i * HASH_BYTES, (2 * i + 2) * HASH_BYTES), 1);
      sha256Into(NODE, nodes, i * HASH_BYTES);
    }
  }
  return nodes.subarray(0, HASH_BYTES);
}

/** Leaves from `begin` up to, not including, `end`. */
export interface LeafRange {
  readonly begin: number;
  readonly end: number;
}

/** PATH(index, D[size]) of RFC 6962 section 2.1.1, as the ranges whose hashes make the proof, in its order. */
export function inclusionPath(index: number, size: number): readonly LeafRange[] {
  const path: LeafRange[] = [];
  let begin = 0;
  let end = size;
  while (end - begin > 1) {
    const middle = begin + splitPoint(end - begin);
    if (index < middle) {
      path.push({ begin: middle, end });
      end = middle;
    } else {
      path.push({ begin, end: middle });
      begin = middle;
    }
  }
  return path.reverse();
}

/** PROOF(first, D[size]) of RFC 6962 section 2.1.2, likewise; empty for `first` 0 (which needs no proof) and for equal sizes. */
export function consistencyPath(first: number, size: number): readonly LeafRange[] {
  if (first === 0 || first === size) return [];
  const path: LeafRange[] = [];
  let begin = 0;
  let end = size;
  let known = true;
  while (first !== end) {
    const middle = begin + splitPoint(end - begin);
    if (first <= middle) {
      path.push({ begin: middle, end });
      end = middle;
    } else {
      path.push({ begin, end: middle });
      begin = middle;
      known = false;
    }
  }
  if (!known) path.push({ begin, end });
  return path.reverse();
}

/** Gives `count` consecutive hashes at a tile level; they always lie in one tile. */
export type HashSource = (level: number, first: number, count: number) => Promise<Uint8Array>;

/** MTH(D[begin:end]) for a range that the recursion of RFC 6962 produces. */
export async function rangeHash(range: LeafRange, source: HashSource): Promise<Uint8Array> {
  const width = range.end - range.begin;
  const left = splitPoint(width);
  if (width !== 1 && width !== left * 2) {
    const middle = range.begin + left;
    return nodeHash(
      await rangeHash({ begin: range.begin, end: middle }, source),
      await rangeHash({ begin: middle, end: range.end }, source),
    );
  }
  let level = 0;
  let span = 1;
  for (; width / span >= TILE_HASHES; level++) span *= TILE_HASHES;
  return perfectRoot(await source(level, range.begin / span, width / span), width / span);
}

/** The largest power of two smaller than `count`; 1 for a single leaf. */
function splitPoint(count: number): number {
  let point = 1;
  while (point * 2 < count) point *= 2;
  return point;
}

/** RFC 6962's prefix of a node, and room for its children. */
const NODE = new Uint8Array(1 + 2 * HASH_BYTES);
NODE[0] = 1;
const EMPTY_ROOT: Uint8Array = sha256(new Uint8Array(0));
