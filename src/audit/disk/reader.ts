import { join } from 'node:path';
import { GatewayFault } from '../../core/fault.ts';
import type { EntryBundles } from '../tiles.ts';
import { HASH_BYTES, TILE_HASHES, bundleLeaves, tilePath } from '../tiles.ts';
import type { MerkleTree } from '../tree.ts';
import { consistencyPath, inclusionPath, rangeHash } from '../tree.ts';
import type { FileSystem } from './file-system.ts';
import { readIfPresent } from './file-system.ts';

/** A Merkle proof in the order of RFC 6962 section 2.1. */
export interface MerkleProof {
  /** Size of the tree that the proof is for. */
  readonly size: number;
  readonly hashes: readonly Uint8Array[];
}

/** Reads leaves and hashes: the newest from memory, the others from bundles and tiles. Only durable records are seen. */
export class LogReader {
  readonly #disk: FileSystem;
  readonly #root: string;
  readonly #tree: MerkleTree;
  readonly #bundles: EntryBundles;

  constructor(disk: FileSystem, root: string, tree: MerkleTree, bundles: EntryBundles) {
    this.#disk = disk;
    this.#root = root;
    this.#tree = tree;
    this.#bundles = bundles;
  }

  get size(): number {
    return this.#tree.size;
  }

  /** The leaves of one bundle, as far as there are any. */
  async leaves(bundle: number): Promise<readonly Uint8Array[]> {
    const bytes = this.#bundles.copy(bundle) ?? (await this.#read(tilePath('entries', bundle)));
    return bundleLeaves(bytes);
  }

  /** Throws `RangeError` unless `sequence < size <=` the log's size. */
  async inclusionProof(sequence: number, size = this.#tree.size): Promise<MerkleProof> {
    this.#check(sequence, size - 1);
    this.#check(size, this.#tree.size);
    return { size, hashes: await this.#hashesOf(inclusionPath(sequence, size)) };
  }

  /** Throws `RangeError` unless `first <= size <=` the log's size. */
  async consistencyProof(first: number, size: number): Promise<MerkleProof> {
    this.#check(first, size);
    this.#check(size, this.#tree.size);
    return { size, hashes: await this.#hashesOf(consistencyPath(first, size)) };
  }

  async #hashesOf(path: ReturnType<typeof inclusionPath>): Promise<Uint8Array[]> {
    const hashes: Uint8Array[] = [];
    for (const range of path) hashes.push(await rangeHash(range, this.#hashes));
    return hashes;
  }

  readonly #hashes = async (level: number, first: number, count: number): Promise<Uint8Array> => {
    const index = Math.floor(first / TILE_HASHES);
    const begin = (first % TILE_HASHES) * HASH_BYTES;
    const tile = this.#tree.tile(level, index) ?? (await this.#read(tilePath(level, index)));
    return tile.slice(begin, begin + count * HASH_BYTES);
  };

  async #read(path: string): Promise<Uint8Array> {
    const bytes = await readIfPresent(this.#disk, join(this.#root, path));
    if (bytes !== undefined) return bytes;
    throw new GatewayFault('audit-unavailable', { publicMessage: 'the audit log cannot be read', detail: `${path} is missing` });
  }

  #check(value: number, limit: number): void {
    if (!Number.isSafeInteger(value) || value < 0 || value > limit) throw new RangeError(`${value} is not between 0 and ${limit}`);
  }
}
