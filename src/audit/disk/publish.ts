import { dirname, join } from 'node:path';
import type { NoteSigner } from '../checkpoint.ts';
import { historyEntry } from '../checkpoint.ts';
import type { EntryBundle, EntryBundles } from '../tiles.ts';
import { TILE_HASHES, tilePath } from '../tiles.ts';
import type { HashTile, MerkleTree } from '../tree.ts';
import type { FileSystem, WholeFile } from './file-system.ts';
import { writeAll, writeDurably } from './file-system.ts';

/** Full bundles and tiles that are not stored yet, oldest first. */
export interface Filled {
  readonly bundles: readonly EntryBundle[];
  readonly tiles: readonly HashTile[];
}

/** What a checkpoint of one size needs on disk, taken at one moment. */
export interface Snapshot extends Filled {
  readonly size: number;
  readonly root: Uint8Array;
  readonly partialBundles: readonly EntryBundle[];
  readonly partialTiles: readonly HashTile[];
}

/** The newest signed note, and where the history ends. */
export interface Published {
  readonly note: string;
  readonly size: number;
  readonly historyBytes: number;
}

/**
 * Writes what is derived from the journal, in the order that lets a crash come anywhere: bundles, tiles, history, `checkpoint`. A call that failed is
 * repeated as a whole. One call at a time.
 */
export class Publisher {
  readonly #disk: FileSystem;
  readonly #root: string;
  readonly #signer: NoteSigner;
  readonly #tree: MerkleTree;
  readonly #bundles: EntryBundles;
  /** Folders that exist, with durable names. */
  readonly #folders = new Set<string>();
  /** Partial tiles of the checkpoint before, which are on disk: those of the upper levels are often the next one's as well. */
  #partials: ReadonlySet<string> = new Set();
  /** Sizes whose partial tiles may be on disk. */
  #sizes: number[] = [];
  #published: Published;

  constructor(disk: FileSystem, root: string, signer: NoteSigner, tree: MerkleTree, bundles: EntryBundles, published: Published) {
    this.#disk = disk;
    this.#root = root;
    this.#signer = signer;
    this.#tree = tree;
    this.#bundles = bundles;
    this.#published = published;
    this.#sizes.push(published.size);
  }

  get published(): Published {
    return this.#published;
  }

  filled(): Filled {
    return { bundles: [...this.#bundles.full], tiles: [...this.#tree.fullTiles] };
  }

  /**
   * With `tiled`, and where there is anything new in them, only of the records in full tiles and bundles: that needs no partial ones at the level of records, which would
   * be written only to be deleted.
   */
  snapshot(tiled = false): Snapshot {
    const size = tiled && this.#tree.tiled > this.#published.size ? this.#tree.tiled : this.#tree.size;
    const partial = size === this.#tree.tiled ? undefined : this.#bundles.partial();
    return {
      ...this.filled(),
      size,
      root: this.#tree.root(size),
      partialBundles: partial === undefined ? [] : [partial],
      partialTiles: this.#tree.partialTiles(size),
    };
  }

  /** Writes full bundles and tiles ahead of the checkpoint that covers them. Their records must be durable. */
  async store({ bundles, tiles }: Filled): Promise<void> {
    await this.#writeFiles([...bundles.map(bundleFile), ...tiles.map(tileFile)]);
    this.#bundles.forgetStored(bundles.length);
    this.#tree.forgetStored(tiles.length);
  }

  /** The new checkpoint's note, durable. The records of the snapshot The last one again where nothing was added. */
  async publish(snapshot: Snapshot): Promise<string> {
    if (snapshot.size === this.#published.size && this.#published.note !== '') return this.#published.note;
    this.#sizes.push(snapshot.size);
    const { bundles, partialBundles, partialTiles, tiles } = snapshot;
    const partials = [...partialBundles.map(bundleFile), ...partialTiles.map(tileFile)].map(({ path }) => path);
    const files = [...[...bundles, ...partialBundles].map(bundleFile), ...[...tiles, ...partialTiles].map(tileFile)];
    await this.#writeFiles(files.filter(({ path }) => !this.#partials.has(path)));
    this.#partials = new Set(partials);
    this.#bundles.forgetStored(bundles.length);
    this.#tree.forgetStored(tiles.length);
    const note = this.#signer.sign(snapshot.size, snapshot.root);
    const historyBytes = await this.#appendHistory(note);
    this.#published = { note, size: snapshot.size, historyBytes };
    await writeDurably(this.#disk, join(this.#root, CHECKPOINT_FILE), Buffer.from(note));
    await this.#removeReplaced(snapshot.size);
    return note;
  }

  /** Paths are relative to the log's folder. */
  async #writeFiles(files: readonly WholeFile[]): Promise<void> {
    const changed = new Set<string>();
    try {
      const whole: WholeFile[] = [];
      for (const { bytes, path } of files) {
        const full = join(this.#root, path);
        await this.#ensureFolder(dirname(full), changed);
        changed.add(dirname(full));
        whole.push({ path: full, bytes });
      }
      await this.#disk.writeFiles(whole, [...changed]);
    } catch (error) {
      this.#folders.clear();
      this.#partials = new Set();
      throw error;
    }
  }

  async #ensureFolder(folder: string, changed: Set<string>): Promise<void> {
    if (this.#folders.has(folder)) return;
    await this.#disk.makeFolder(folder);
    for (let at = folder; at !== this.#root; at = dirname(at)) changed.add(dirname(at));
    if (this.#folders.size >= MAX_KNOWN_FOLDERS) this.#folders.clear();
    this.#folders.add(folder);
  }

  async #appendHistory(note: string): Promise<number> {
    const bytes = Buffer.from(historyEntry(note));
    const file = await this.#disk.open(join(this.#root, HISTORY_FILE));
    try {
      // What an earlier attempt may have left behind the last complete entry.
      await file.truncate(this.#published.historyBytes);
      await writeAll(file, bytes, this.#published.historyBytes);
      await file.datasync();
    } finally {
      await file.close();
    }
    await this.#disk.syncFolder(this.#root);
    return this.#published.historyBytes + bytes.byteLength;
  }

  /** Deletes partial tiles and bundles whose full ones are published. */
  async #removeReplaced(size: number): Promise<void> {
    for (const earlier of this.#sizes) {
      for (let level = 0, at = earlier; at > 0; level++, at = Math.floor(at / TILE_HASHES)) {
        const index = Math.floor(at / TILE_HASHES);
        if (at % TILE_HASHES === 0) continue;
        if (index >= Math.floor(size / TILE_HASHES ** (level + 1))) continue;
        await this.#removePartials(tilePath(level, index));
        if (level === 0) await this.#removePartials(tilePath('entries', index));
      }
    }
    this.#sizes = [size];
  }

  async #removePartials(path: string): Promise<void> {
    const folder = join(this.#root, `${path}.p`);
    this.#folders.delete(folder);
    await this.#disk.remove(folder);
  }
}

function bundleFile({ bytes, index, width }: EntryBundle): WholeFile {
  return { path: tilePath('entries', index, width), bytes };
}

function tileFile({ bytes, index, level, width }: HashTile): WholeFile {
  return { path: tilePath(level, index, width), bytes };
}

export const CHECKPOINT_FILE = 'checkpoint';
export const HISTORY_FILE = 'checkpoints';
const MAX_KNOWN_FOLDERS = 10_000;
