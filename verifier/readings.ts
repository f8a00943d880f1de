import { describeDifference, sameHashes, type Hashes } from './differences.ts';
import { tilePath, type LogFolder } from './files.ts';
import { Findings } from './report.ts';
import type { Claim } from './snapshot.ts';
import { HASH_BYTES, TILE_BYTES, TILE_WIDTH, TileTree } from './tree.ts';

type SourceName = 'entries' | 'tile' | 'journal';

/** What one of the places where they are kept says the leaf hashes of a tile are. */
export interface Source {
  readonly name: SourceName;
  /** The file. */
  readonly where: string;
  readonly hashes: Hashes;
  /** Place in the tile of the first hash; not 0 only where a journal segment begins in the middle. */
  readonly from: number;
}

/**
 * Records are kept up to three times: in bundles, as hashes in tiles, in the journal. Where these disagree, it is the signed roots that
 * tell which of them is right. So the tree is computed for each of them from the first disagreement on, and at every checkpoint the
 * readings that do not lead to the signed root are given up, until one is left; what it found about the others is what was altered.
 */
export class Readings {
  readonly #folder: LogFolder;
  readonly #findings: Findings;
  readonly #claims: readonly Claim[];
  #readings: Reading[] = [{ name: 'entries', tree: new TileTree(), findings: new Findings(), shifted: new Set(), hashes: Buffer.alloc(0) }];
  #nextClaim = 0;
  readonly #bad: Claim[] = [];
  #lastGood = 0;
  /** Records from here on are nowhere to be found, so that no checkpoint behind it can hold. */
  #holeFrom = Infinity;

  constructor(folder: LogFolder, claims: readonly Claim[], findings: Findings) {
    this.#folder = folder;
    this.#claims = claims;
    this.#findings = findings;
    this.#checkClaims(0);
  }

  /** Of the reading that is held to be right: its full tiles. */
  get tree(): TileTree {
    return this.#readings[0]!.tree;
  }

  /** And the hashes of the tile that was taken last. */
  get hashes(): Buffer {
    return this.#readings[0]!.hashes;
  }

  /** Takes the next tile, of `width` records, full unless it is the last. Returns whether all sources are there and agree. */
  async take(first: number, width: number, sources: readonly Source[]): Promise<boolean> {
    const [whole] = sources;
    const agreed = whole !== undefined && isWhole(whole, width) && sources.every((source) => agrees(source, whole.hashes));
    if (agreed) for (const reading of this.#readings) reading.hashes = whole.hashes.bytes;
    else this.#compare(first, width, sources);
    this.#checkClaims(first + width);
    if (width === TILE_WIDTH) await this.#append();
    return agreed;
  }

  /** Reports what the remaining reading found, and the checkpoints that do not hold. Returns whether the kept one does. */
  finish(): boolean {
    this.#findings.add(this.#readings[0]!.findings);
    for (const { known, size, where } of this.#bad) {
      if (known) {
        const detail = `the first ${size} records are not those that the kept checkpoint was signed for`;
        if (size <= this.#holeFrom) this.#findings.problem('rewritten', where, detail);
      } else if (size <= this.#lastGood) {
        const detail = `signed by the log’s key, but for another history: its root is not that of the first ${size} records`;
        this.#findings.problem('split-view', where, detail);
      }
    }
    const [unsigned, ...more] = this.#bad.filter(({ known, size }) => !known && size > this.#lastGood);
    if (unsigned !== undefined && unsigned.size <= this.#holeFrom) {
      const others = more.length === 0 ? '' : `, nor do ${more.length} later ones`;
      const detail = `not the records that were signed: the checkpoint of size ${unsigned.size} (${unsigned.where}) does not hold${others}`;
      this.#findings.problem('rewritten', `records ${this.#lastGood} to ${unsigned.size - 1}`, detail);
    }
    return !this.#bad.some(({ known }) => known);
  }

  /** Gives each reading its hashes of the tile, starts readings where sources differ, and notes how they do. */
  #compare(first: number, width: number, sources: readonly Source[]): void {
    const base = sources.find((source) => isWhole(source, width))?.hashes.bytes ?? this.#makeHole(first, width, sources);
    const versions = new Map<SourceName, Buffer>();
    for (const { name, hashes, from } of sources) {
      if (name !== 'journal' && hashes.count !== width) continue;
      const version = versions.get(name) ?? Buffer.from(base);
      hashes.bytes.copy(version, from * HASH_BYTES, 0, Math.min(hashes.count, width - from) * HASH_BYTES);
      versions.set(name, version);
    }
    for (const reading of this.#readings) reading.hashes = versions.get(reading.name) ?? base;
    for (const [name, hashes] of versions) {
      if (this.#readings.some((reading) => reading.name === name || reading.hashes.equals(hashes))) continue;
      const { tree, findings, shifted } = this.#readings[0]!;
      this.#readings.push({ name, tree: tree.clone(), findings: findings.fork(), shifted: new Set(shifted), hashes });
    }
    for (const reading of this.#readings) {
      for (const source of sources) noteDifference(reading, source, first, width);
    }
  }

  /** No source has all of the tile: what the longest has of it, and nothing behind. */
  #makeHole(first: number, width: number, sources: readonly Source[]): Buffer {
    const known = Buffer.concat(
      sources
        .flatMap(({ from, hashes }) => (from === 0 ? [hashes.bytes] : []))
        .sort(byLength)
        .slice(0, 1),
    );
    this.#holeFrom = Math.min(this.#holeFrom, first + Math.min(width, known.length / HASH_BYTES));
    return Buffer.concat([known], width * HASH_BYTES);
  }

  /** Checks what was signed for up to `end` records, which lie within the readings' full tiles and hashes. */
  #checkClaims(end: number): void {
    for (; (this.#claims[this.#nextClaim]?.size ?? Infinity) <= end; this.#nextClaim += 1) {
      const claim = this.#claims[this.#nextClaim]!;
      const holding = this.#readings.filter(({ tree, hashes }) => {
        return tree.root(hashes, claim.size - tree.tiles * TILE_WIDTH).toString('latin1') === claim.root;
      });
      if (holding.length === 0) {
        this.#bad.push(claim);
      } else {
        this.#readings = holding;
        this.#lastGood = claim.size;
      }
    }
  }

  /** Appends the tile to every reading's tree and compares the tiles of higher levels that it completes with their files. */
  async #append(): Promise<void> {
    const completed = this.#readings.map((reading) => reading.tree.append(reading.hashes));
    for (const [place, { level, index }] of completed[0]!.entries()) {
      const path = tilePath(level, index);
      const bytes = await this.#folder.read(path, TILE_BYTES);
      if (bytes === undefined) this.#findings.problem('missing', path, 'there is no such tile');
      for (const [number, { findings }] of this.#readings.entries()) {
        if (bytes?.equals(completed[number]![place]!.hashes) !== false) continue;
        findings.problem('altered', path, 'the hashes are not those of the tiles below');
      }
    }
  }
}

interface Reading {
  /** The source that it follows. */
  readonly name: SourceName;
  readonly tree: TileTree;
  readonly findings: Findings;
  /** Sources in which records are missing or too many, so that all behind these stand elsewhere: said once. */
  readonly shifted: Set<SourceName>;
  hashes: Buffer;
}

function isWhole({ from, hashes }: Source, width: number): boolean {
  return from === 0 && hashes.count === width;
}

function agrees({ from, hashes }: Source, whole: Hashes): boolean {
  return from + hashes.count <= whole.count && sameHashes(slice(whole.bytes, from, hashes.count), hashes);
}

function noteDifference({ hashes, findings, shifted }: Reading, source: Source, first: number, width: number): void {
  if (shifted.has(source.name)) return;
  const count = source.name === 'journal' ? Math.min(source.hashes.count, width - source.from) : width;
  const difference = describeDifference(slice(hashes, source.from, count), source.hashes, first + source.from);
  if (difference === undefined) return;
  const record = first + source.from + difference.place;
  if (source.name === 'tile') {
    findings.problem('altered', source.where, `does not hold the hashes of the records; the first that differs is record ${record}`);
    return;
  }
  if (difference.kind === 'removed' || difference.kind === 'inserted') shifted.add(source.name);
  findings.problem(difference.kind, `record ${record} (${source.where})`, difference.detail);
}

function byLength(a: Buffer, b: Buffer): number {
  return b.length - a.length;
}

function slice(bytes: Buffer, from: number, count: number): Hashes {
  return { bytes: bytes.subarray(from * HASH_BYTES, (from + count) * HASH_BYTES), count };
}
