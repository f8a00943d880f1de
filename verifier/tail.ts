import type { LogFolder } from './files.ts';
import type { Journal } from './journal.ts';
import { checkForms } from './partials.ts';
import type { Readings } from './readings.ts';
import type { RecordChecker } from './records.ts';
import type { Findings } from './report.ts';
import { HASH_BYTES, hashLeaf, TILE_BYTES, TILE_WIDTH } from './tree.ts';

/**
 * Goes through the records behind the newest checkpoint, which only the journal has, and returns how many they are. Tiles and bundles
 * may hold some of them already (a crash, or a gateway at work): those must be correct, though nothing signs them yet. With them every
 * unfinished tile of the log is compared, also those that older checkpoints have left.
 */
export async function walkTail(
  folder: LogFolder,
  size: number,
  readings: Readings,
  journal: Journal,
  records: RecordChecker,
  findings: Findings,
): Promise<number> {
  const { tree } = readings;
  const hashes = Buffer.alloc(TILE_BYTES);
  let count = size % TILE_WIDTH;
  let judged = count;
  readings.hashes.copy(hashes, 0, 0, count * HASH_BYTES);
  let next = size;
  for (;;) {
    const batch = await journal.read(next - count + TILE_WIDTH);
    // Behind a gap, which has been reported, nobody can tell what these records followed.
    if (batch[0]?.sequence !== next) break;
    for (const { bytes, start, end } of batch) {
      hashLeaf(bytes, start, end, hashes, count);
      count += 1;
      const pending = records.take(next, bytes.subarray(start, end));
      next += 1;
      if (pending !== undefined) await pending;
    }
    if (count < TILE_WIDTH) continue;
    for (const kind of ['entries', 0] as const) await checkForms(folder, kind, tree.tiles, { bytes: hashes, count }, findings, judged);
    for (const tile of tree.append(hashes)) {
      await checkForms(folder, tile.level, tile.index, { bytes: tile.hashes, count: TILE_WIDTH }, findings);
    }
    count = 0;
    judged = 0;
  }
  if (count > 0) {
    for (const kind of ['entries', 0] as const) await checkForms(folder, kind, tree.tiles, { bytes: hashes, count }, findings, judged);
  }
  for (const tile of tree.unfinished()) {
    await checkForms(folder, tile.level, tile.index, { bytes: tile.hashes, count: tile.hashes.length / HASH_BYTES }, findings);
  }
  return next - size;
}
