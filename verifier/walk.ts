import { MAX_BUNDLE_BYTES, parseBundle, type Bundle } from './bundle.ts';
import type { Hashes } from './differences.ts';
import { partialFolder, tilePath, type LogFolder } from './files.ts';
import type { Journal, JournalRecord } from './journal.ts';
import { checkPartialsExist } from './partials.ts';
import { Readings, type Source } from './readings.ts';
import type { RecordChecker } from './records.ts';
import type { Findings } from './report.ts';
import type { Snapshot } from './snapshot.ts';
import { walkTail } from './tail.ts';
import { HASH_BYTES, hashLeaf, TILE_BYTES, TILE_WIDTH } from './tree.ts';

export interface WalkResult {
  /** Durable records behind the newest checkpoint. */
  readonly uncheckpointed: number;
  readonly knownHolds: boolean;
}

/**
 * Goes through the log once, tile by tile: bundle against tile against journal, against every signed root on the way; then through the
 * records that only the journal has. Holds one tile of records, and one ahead, in memory.
 */
export async function walkLog(
  folder: LogFolder,
  snapshot: Snapshot,
  journal: Journal,
  records: RecordChecker,
  findings: Findings,
): Promise<WalkResult> {
  const { claims, size } = snapshot;
  const readings = new Readings(folder, claims, findings);
  let ahead = load(folder, 0, size, findings);
  for (let first = 0; first < size; first += TILE_WIDTH) {
    const { bundle, sources } = await ahead;
    ahead = load(folder, first + TILE_WIDTH, size, findings);
    // Awaited when its turn comes; a failure until then is not an unhandled one.
    ahead.catch(() => {});
    const width = Math.min(TILE_WIDTH, size - first);
    const journalled = await readJournal(journal, first, first + width);
    const agreed = await readings.take(first, width, [...sources, ...journalled]);
    if (!agreed || bundle === undefined || sources.length < 2) records.lost(first);
    if (bundle !== undefined) await takeRecords(bundle, first, width, agreed ? [] : [...sources, ...journalled], records);
  }
  const knownHolds = readings.finish();
  await checkPartialsExist(folder, snapshot, findings);
  const uncheckpointed = await walkTail(folder, size, readings, journal, records, findings);
  return { uncheckpointed, knownHolds };
}

interface Loaded {
  readonly bundle: Bundle | undefined;
  readonly sources: readonly Source[];
}

/** Bundle and tile of the records from `first` on, as far as a checkpoint of `size` covers them. */
async function load(folder: LogFolder, first: number, size: number, findings: Findings): Promise<Loaded> {
  const width = Math.min(TILE_WIDTH, size - first);
  if (width <= 0) return { bundle: undefined, sources: [] };
  const sources: Source[] = [];
  const entries = await readTile(folder, 'entries', first, width, MAX_BUNDLE_BYTES, findings);
  let bundle: Bundle | undefined;
  if (entries !== undefined) {
    bundle = parseBundle(entries.bytes);
    if (bundle.damage !== undefined) {
      findings.problem('altered', `record ${first + bundle.hashes.count} (${entries.where})`, bundle.damage);
    }
    sources.push({ name: 'entries', where: entries.where, hashes: cut(bundle.hashes.bytes, entries.wider ? width : Infinity), from: 0 });
  }
  const tile = await readTile(folder, 0, first, width, TILE_BYTES, findings);
  if (tile !== undefined) {
    if (tile.bytes.length % HASH_BYTES !== 0) findings.problem('altered', tile.where, `${tile.bytes.length} bytes are no row of hashes`);
    sources.push({ name: 'tile', where: tile.where, hashes: cut(tile.bytes, tile.wider ? width : Infinity), from: 0 });
  }
  return { bundle, sources };
}

/** A tile or bundle; where it is partial and gone, the full one that has replaced it. */
async function readTile(
  folder: LogFolder,
  level: 0 | 'entries',
  first: number,
  width: number,
  limitBytes: number,
  findings: Findings,
): Promise<{ where: string; bytes: Buffer; wider: boolean } | undefined> {
  const full = tilePath(level, first / TILE_WIDTH);
  const partials = partialFolder(level, first / TILE_WIDTH);
  const exact = width === TILE_WIDTH ? full : `${partials}/${width}`;
  for (const where of new Set([exact, full])) {
    const bytes = await folder.read(where, limitBytes);
    if (bytes !== undefined) return { where, bytes, wider: where !== exact };
  }
  findings.problem('missing', exact, `there is no such ${level === 'entries' ? 'entry bundle' : 'tile'}`);
  // What was left in its place tells what became of its records.
  const widths = (await folder.list(partials)).map(Number).filter((name) => name > 0 && name < TILE_WIDTH);
  const where = `${partials}/${Math.max(...widths)}`;
  const bytes = await folder.read(where, limitBytes);
  return bytes === undefined ? undefined : { where, bytes, wider: false };
}

function cut(hashes: Buffer, width: number): { bytes: Buffer; count: number } {
  const count = Math.min(width, Math.floor(hashes.length / HASH_BYTES));
  return { bytes: hashes.subarray(0, count * HASH_BYTES), count };
}

/** What the journal says about the records from `first` up to `end`; it may begin later, and have gaps. */
async function readJournal(journal: Journal, first: number, end: number): Promise<Source[]> {
  const sources: Source[] = [];
  for (;;) {
    const batch = await journal.read(end);
    const [head] = batch;
    if (head === undefined) return sources;
    const hashes = hashAll(batch);
    sources.push({ name: 'journal', where: journal.place, hashes: { bytes: hashes, count: batch.length }, from: head.sequence - first });
  }
}

function hashAll(records: readonly JournalRecord[]): Buffer {
  const hashes = Buffer.allocUnsafe(records.length * HASH_BYTES);
  for (const [place, { bytes, start, end }] of records.entries()) hashLeaf(bytes, start, end, hashes, place);
  return hashes;
}

/** Passes over records about which `sources` disagree: that has been reported, and what an altered record says is worth nothing. */
async function takeRecords(
  bundle: Bundle,
  first: number,
  width: number,
  sources: readonly Source[],
  records: RecordChecker,
): Promise<void> {
  const { bytes, starts, ends, hashes } = bundle;
  for (let place = 0; place < Math.min(width, hashes.count); place += 1) {
    if (sources.some((source) => !holds(source, place, hashes))) continue;
    const pending = records.take(first + place, bytes.subarray(starts[place], ends[place]));
    if (pending !== undefined) await pending;
  }
}

/** Whether a source has the same hash at this place of the tile, or none. */
function holds({ hashes, from }: Source, place: number, own: Hashes): boolean {
  const at = (place - from) * HASH_BYTES;
  if (at < 0 || at >= hashes.count * HASH_BYTES) return true;
  return hashes.bytes.compare(own.bytes, place * HASH_BYTES, (place + 1) * HASH_BYTES, at, at + HASH_BYTES) === 0;
}
