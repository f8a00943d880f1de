import { join } from 'node:path';
import { GatewayFault } from '../../core/fault.ts';
import type { Checkpoint, NoteVerifier } from '../checkpoint.ts';
import { nextHistoryEntry } from '../checkpoint.ts';
import { scanSegment, withoutRoom } from '../frames.ts';
import { EntryBundles, HASH_BYTES, TILE_HASHES, tilePath } from '../tiles.ts';
import { MerkleTree, leafHash, perfectRoot } from '../tree.ts';
import type { FileSystem } from './file-system.ts';
import { readIfPresent, writeDurably } from './file-system.ts';
import type { JournalState } from './journal.ts';
import { listSegments, segmentPath } from './journal.ts';
import type { Published } from './publish.ts';
import { CHECKPOINT_FILE, HISTORY_FILE } from './publish.ts';

export interface Recovered {
  readonly tree: MerkleTree;
  readonly bundles: EntryBundles;
  readonly journal: JournalState;
  readonly published: Published;
  /** Bytes of an interrupted write behind the last whole record, which are not part of the log. */
  readonly droppedBytes: number;
}

/** True where nothing of a log is in the folder: the only time at which a key may be made. */
export async function isNew(disk: FileSystem, root: string): Promise<boolean> {
  const names = await disk.list(root);
  return !names.some((name) => name === CHECKPOINT_FILE || name === HISTORY_FILE || name === 'tile' || name === 'journal');
}

/**
 * Finds the state in which the log was left: the newest checkpoint, the tree at its size from the tiles, and every record behind it from
 * the journal. Throws `audit-unavailable` unless the log is the one that the checkpoint signs, or an extension of it. Changes nothing on disk but
 * what a crash left unfinished in `checkpoint`.
 */
export async function recover(disk: FileSystem, root: string, verifier: NoteVerifier): Promise<Recovered> {
  const published = await recoverCheckpoint(disk, root, verifier);
  const checkpoint = published.note === '' ? undefined : openNote(verifier, published.note);
  const size = published.size;
  const whole = Math.floor(size / TILE_HASHES) * TILE_HASHES;
  const tree = new MerkleTree(whole, await recoverEdge(disk, root, size));
  const bundles = new EntryBundles(whole / TILE_HASHES);
  const compare = (): void => {
    if (tree.size !== size || checkpoint === undefined) return;
    if (!Buffer.from(tree.root()).equals(checkpoint.root)) throw refusal(`the log differs from its checkpoint of size ${size}`);
  };
  compare();

  const folder = join(root, 'journal');
  const segments = await listSegments(disk, folder);
  if (segments.length === 0 && size > 0) throw refusal('the journal is missing');
  if (checkpoint === undefined && segments.length > 0) throw refusal('the checkpoint is missing');
  if (segments.length === 0) segments.push(0);
  if (segments[0]! > whole) throw refusal(`the journal begins at record ${segments[0]}, behind record ${whole} where the full bundles end`);

  let state: JournalState = { segments, end: 0, records: 0 };
  let droppedBytes = 0;
  for (const [i, first] of segments.entries()) {
    const next = segments[i + 1];
    if (next !== undefined && next <= whole) continue;
    const path = segmentPath(folder, first);
    const bytes = withoutRoom((await readIfPresent(disk, path)) ?? Buffer.alloc(0));
    let sequence = first;
    const found = scanSegment(bytes, (leaf) => {
      if (sequence++ < whole) return;
      tree.append(leafHash(leaf));
      bundles.append(leaf);
      compare();
    });
    if (next !== undefined && (!found.whole || sequence !== next))
      throw refusal(`${path} is damaged at byte ${found.end}, record ${sequence}`);
    if (found.damagedBeforeBarrier)
      throw refusal(`${path} is damaged at byte ${found.end}, record ${sequence}, in what was acknowledged as durable`);
    if (next !== undefined) continue;
    state = { segments, end: found.end, records: found.frames };
    droppedBytes = bytes.byteLength - found.end;
  }
  if (tree.size < size) throw refusal(`the log ends at record ${tree.size}, but its checkpoint says ${size}`);
  return { tree, bundles, journal: state, published, droppedBytes };
}

/** The newest signed note: the last of the history. `checkpoint` is it, or the one before it, and is then brought up to date. */
async function recoverCheckpoint(disk: FileSystem, root: string, verifier: NoteVerifier): Promise<Published> {
  const history = await readHistory(disk, root);
  const current = (await readIfPresent(disk, join(root, CHECKPOINT_FILE)))?.toString();
  if (history.last === undefined) {
    if (current !== undefined) throw refusal('the history of checkpoints is missing');
    return { note: '', size: 0, historyBytes: 0 };
  }
  const newest = openNote(verifier, history.last);
  if (current !== history.last) {
    const isFirst = current === undefined && history.previous === undefined && newest.size === 0;
    if (!isFirst && (current === undefined || current !== history.previous))
      throw refusal('the checkpoint is not the last one of the history');
    if (current !== undefined && openNote(verifier, current).size > newest.size) throw refusal('the history of checkpoints goes back');
    await writeDurably(disk, join(root, CHECKPOINT_FILE), Buffer.from(history.last));
  }
  return { note: history.last, size: newest.size, historyBytes: history.end };
}

interface History {
  readonly last: string | undefined;
  readonly previous: string | undefined;
  /** Where the complete entries end. */
  readonly end: number;
}

/** Walks the history piece by piece: it grows for years. */
async function readHistory(disk: FileSystem, root: string): Promise<History> {
  const none: History = { last: undefined, previous: undefined, end: 0 };
  if (!(await disk.list(root)).includes(HISTORY_FILE)) return none;
  const file = await disk.open(join(root, HISTORY_FILE));
  try {
    let { last, previous, end } = none;
    let carry: Buffer = Buffer.alloc(0);
    for (let position = 0; ;) {
      const piece = Buffer.allocUnsafe(HISTORY_PIECE_BYTES);
      const read = await file.read(piece, position);
      position += read;
      carry = Buffer.concat([carry, piece.subarray(0, read)]);
      let at = 0;
      let entry = nextHistoryEntry(carry, at);
      while (typeof entry === 'object') {
        previous = last;
        last = carry.toString('utf8', entry.begin, entry.end);
        at = entry.end;
        entry = nextHistoryEntry(carry, at);
      }
      end += at;
      if (entry === 'malformed') throw refusal(`the history of checkpoints is damaged at byte ${end}`);
      carry = carry.subarray(at);
      if (read === 0) return { last, previous, end };
    }
  } finally {
    await file.close();
  }
}

function openNote(verifier: NoteVerifier, note: string): Checkpoint {
  const opened = verifier.open(note);
  if ('refused' in opened) throw refusal(`the checkpoint was not accepted: ${opened.refused}`);
  return opened;
}

/** The partial tiles above level 0 at a size (level 0 comes from the journal); a lost one is derived from the full tiles below it. */
async function recoverEdge(disk: FileSystem, root: string, size: number): Promise<Uint8Array[]> {
  const edge: Uint8Array[] = [new Uint8Array(0)];
  for (let level = 1, at = Math.floor(size / TILE_HASHES); at > 0; level++, at = Math.floor(at / TILE_HASHES)) {
    const width = at % TILE_HASHES;
    const index = Math.floor(at / TILE_HASHES);
    const stored = width === 0 ? undefined : await readIfPresent(disk, join(root, tilePath(level, index, width)));
    edge.push(stored?.byteLength === width * HASH_BYTES ? stored : await deriveTile(disk, root, level, index, width));
  }
  return edge;
}

async function deriveTile(disk: FileSystem, root: string, level: number, index: number, width: number): Promise<Uint8Array> {
  const hashes = new Uint8Array(width * HASH_BYTES);
  for (let i = 0; i < width; i++) {
    const path = tilePath(level - 1, index * TILE_HASHES + i);
    const below = await readIfPresent(disk, join(root, path));
    if (below?.byteLength !== TILE_HASHES * HASH_BYTES) throw refusal(`${path} is missing or damaged`);
    hashes.set(perfectRoot(below, TILE_HASHES), i * HASH_BYTES);
  }
  return hashes;
}

function refusal(detail: string): GatewayFault {
  return new GatewayFault('audit-unavailable', {
    publicMessage: 'the audit log cannot be opened',
    detail: `the audit log was altered or damaged: ${detail}`,
    hint: 'Keep the folder as it is for the investigation, run "sallyport audit verify" on a copy, and start with an empty audit folder.',
  });
}

const HISTORY_PIECE_BYTES = 1024 * 1024;
