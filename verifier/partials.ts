import { MAX_BUNDLE_BYTES, parseBundle } from './bundle.ts';
import { sameHashes, type Hashes } from './differences.ts';
import { partialFolder, tilePath, type LogFolder } from './files.ts';
import type { Findings } from './report.ts';
import type { Snapshot } from './snapshot.ts';
import { HASH_BYTES, TILE_BYTES, TILE_WIDTH } from './tree.ts';

/** For every checkpoint the partial tiles and bundles of its size must be there, unless the full one of the same place is. */
export async function checkPartialsExist(folder: LogFolder, { claims, size }: Snapshot, findings: Findings): Promise<void> {
  for (let level = 0; size >= TILE_WIDTH ** level; level += 1) {
    const index = Math.floor(size / TILE_WIDTH ** (level + 1));
    const widths = new Set<number>();
    for (const claim of claims) {
      const covers = Math.floor(claim.size / TILE_WIDTH ** (level + 1)) === index;
      if (covers && !claim.known) widths.add(Math.floor(claim.size / TILE_WIDTH ** level) % TILE_WIDTH);
    }
    widths.delete(0);
    // The widest of level 0 is read in any case, and reported there.
    if (level === 0) widths.delete(size % TILE_WIDTH);
    for (const kind of level === 0 ? (['entries', 0] as const) : [level]) {
      const present = new Set(await folder.list(partialFolder(kind, index)));
      const gone = [...widths].filter((width) => !present.has(String(width)));
      if (gone.length === 0 || (await exists(folder, tilePath(kind, index)))) continue;
      for (const width of gone) findings.problem('missing', `${partialFolder(kind, index)}/${width}`, 'a checkpoint of that size needs it');
    }
  }
}

/**
 * Compares whatever is there of a tile or bundle, full or partial, with the hashes that it must begin with; `right` may be fewer than
 * the file holds, where a gateway is writing right now. `judged`: the width of a partial form that has been compared already.
 */
export async function checkForms(
  folder: LogFolder,
  kind: number | 'entries',
  index: number,
  right: Hashes,
  findings: Findings,
  judged = 0,
): Promise<void> {
  const partials = partialFolder(kind, index);
  const widths = (await folder.list(partials)).filter(
    (name) => /^[1-9]\d{0,2}$/.test(name) && Number(name) < TILE_WIDTH && Number(name) !== judged,
  );
  const forms = widths.map((name) => ({ where: `${partials}/${name}`, width: Number(name) }));
  for (const { where, width } of [...forms, { where: tilePath(kind, index), width: TILE_WIDTH }]) {
    const found = await readHashes(folder, kind, where);
    if (found === undefined) continue;
    const count = Math.min(width, right.count);
    const expected = { bytes: right.bytes.subarray(0, count * HASH_BYTES), count };
    const compared = { bytes: found.bytes.subarray(0, count * HASH_BYTES), count: Math.min(count, found.count) };
    if (found.count !== width || !sameHashes(expected, compared)) {
      const what = kind === 'entries' ? 'the records of the log' : 'the hashes of the tiles below';
      findings.problem('altered', where, `does not hold ${what}`);
    }
  }
}

async function readHashes(folder: LogFolder, kind: number | 'entries', where: string): Promise<Hashes | undefined> {
  const bytes = await folder.read(where, kind === 'entries' ? MAX_BUNDLE_BYTES : TILE_BYTES);
  if (bytes === undefined) return undefined;
  if (kind !== 'entries') return bytes.length % HASH_BYTES === 0 ? { bytes, count: bytes.length / HASH_BYTES } : NONE;
  const { hashes, damage } = parseBundle(bytes);
  return damage === undefined ? hashes : NONE;
}

async function exists(folder: LogFolder, name: string): Promise<boolean> {
  const file = await folder.open(name);
  await file?.close();
  return file !== undefined;
}

const NONE: Hashes = { bytes: Buffer.alloc(0), count: 0 };
