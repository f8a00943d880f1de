import assert from 'node:assert/strict';
import { cp, readdir, readFile, rename, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { before, test } from 'node:test';
import {
  ownKey,
  otherKey,
  readHistory,
  readLeaves,
  signNote,
  writeBundles,
  writeHistory,
  writeJournal,
  writeTiles,
  type SigningKey,
} from './forge.test.ts';
import { buildLog, ORIGIN, scratch, type BuiltLog } from './harness.test.ts';
import { verifyLog, type ProblemKind, type VerifyReport } from './index.ts';

/**
 * Copies of a real log are altered in every way we could think of, each at many places drawn from a seed, and every one has to be
 * found. VERIFIER_TAMPER_RUNS sets how many places for each way (default 4); VERIFIER_TAMPER_SEED which ones.
 */
const RUNS = Number(process.env['VERIFIER_TAMPER_RUNS'] ?? 4);
const SEED = Number(process.env['VERIFIER_TAMPER_SEED'] ?? 1);
const SIZE = 1000;

let area: string;
let log: BuiltLog;
let leaves: Buffer[];
let own: SigningKey;

before(async () => {
  area = await scratch();
  log = await buildLog(join(area, 'original'), SIZE, 300, { segmentBytes: 64 * 1024 });
  leaves = await readLeaves(log.folder, SIZE);
  own = await ownKey(log.root, ORIGIN);
});

test('the log that the others are copies of is whole', async () => {
  const report = await verify(log.root);
  assert.deepEqual(report.problems, []);
  assert.equal(report.ok, true);
  assert.equal(report.keyPinned, true);
  assert.deepEqual([report.size, report.records, report.checkpoints], [SIZE, SIZE, 5]);
  assert.ok(report.bodies.checked > 0 && report.recordings.checked > 0);
});

interface Place {
  readonly root: string;
  readonly folder: string;
  readonly random: (below: number) => number;
}

/** Alters the copy; resolves to what was done, for messages. */
type Alter = (place: Place) => Promise<string>;

/** `kinds`: at least one problem is of one of these. `known`: the checkpoint of this size was kept elsewhere. */
const alterations: Record<string, { readonly alter: Alter; readonly kinds?: readonly ProblemKind[]; readonly known?: number }> = {
  'flipped byte in an entry bundle': { alter: flip('tile/entries'), kinds: ['altered', 'removed', 'inserted'] },
  'flipped byte in a hash tile of level 0': { alter: flip('tile/0'), kinds: ['altered'] },
  'flipped byte in a hash tile of level 1': { alter: flip('tile/1'), kinds: ['altered'] },
  'flipped byte in the journal': { alter: flip('journal'), kinds: ['altered', 'truncated'] },
  'flipped byte in the checkpoint': { alter: flip('checkpoint'), kinds: ['altered', 'forged-checkpoint'] },
  'flipped byte in the history of checkpoints': { alter: flip('checkpoints') },
  'flipped byte in the key': { alter: flip('log.pub'), kinds: ['altered', 'wrong-key'] },
  'flipped byte in a body': { alter: flip('bodies'), kinds: ['altered'] },
  'flipped byte in a recording': { alter: flip('../recordings'), kinds: ['altered'] },
  'cut entry bundle': { alter: cut('tile/entries') },
  'cut hash tile': { alter: cut('tile') },
  'cut journal': { alter: cut('journal') },
  'cut checkpoint': { alter: cut('checkpoint') },
  'cut history of checkpoints': { alter: cut('checkpoints') },
  'cut body': { alter: cut('bodies'), kinds: ['altered'] },
  'cut recording': { alter: cut('../recordings'), kinds: ['altered'] },
  'bytes behind a bundle, tile or checkpoint': { alter: append },
  'deleted entry bundle': { alter: remove('tile/entries'), kinds: ['missing'] },
  'deleted hash tile': { alter: remove('tile/0'), kinds: ['missing'] },
  'deleted hash tile of level 1': { alter: remove('tile/1'), kinds: ['missing'] },
  'deleted journal segment': { alter: remove('journal'), kinds: ['missing', 'truncated'] },
  'deleted checkpoint': { alter: remove('checkpoint'), kinds: ['missing'] },
  'deleted history of checkpoints': { alter: remove('checkpoints'), kinds: ['missing'] },
  'deleted key': { alter: remove('log.pub'), kinds: ['missing'] },
  'deleted body': { alter: remove('bodies'), kinds: ['missing'] },
  'deleted recording': { alter: remove('../recordings'), kinds: ['missing'] },
  'two sessions’ recordings exchanged': { alter: exchange('../recordings'), kinds: ['altered'] },
  'two entry bundles exchanged': { alter: exchange('tile/entries'), kinds: ['altered', 'removed', 'inserted'] },
  'two hash tiles exchanged': { alter: exchange('tile/0'), kinds: ['altered'] },

  'record edited, tiles as they were': { alter: rewrite(edit), kinds: ['altered'] },
  'record removed, tiles as they were': { alter: rewrite(drop), kinds: ['removed'] },
  'record put in, tiles as they were': { alter: rewrite(insert), kinds: ['inserted'] },
  'record copied, tiles as they were': { alter: rewrite(duplicate), kinds: ['inserted'] },
  'neighbours reordered, tiles as they were': { alter: rewrite(swapNeighbours), kinds: ['reordered'] },
  'record edited in bundles and tiles': { alter: rewrite(edit, 'tiles'), kinds: ['altered', 'rewritten'] },
  'record removed from bundles and tiles': { alter: rewrite(drop, 'tiles') },
  'record put in in bundles and tiles': { alter: rewrite(insert, 'tiles') },
  'records exchanged in bundles and tiles': { alter: rewrite(swapFar, 'tiles'), kinds: ['altered', 'reordered', 'rewritten'] },
  'record edited everywhere': { alter: rewrite(edit, 'tiles', 'journal'), kinds: ['rewritten'] },
  'record removed everywhere': { alter: rewrite(drop, 'tiles', 'journal'), kinds: ['rewritten', 'truncated'] },
  'record put in everywhere': { alter: rewrite(insert, 'tiles', 'journal'), kinds: ['rewritten'] },
  'records exchanged everywhere': { alter: rewrite(swapFar, 'tiles', 'journal'), kinds: ['rewritten'] },
  'record edited in the journal only': { alter: journalOnly(edit), kinds: ['altered'] },
  'record removed from the journal only': { alter: journalOnly(drop), kinds: ['removed', 'truncated'] },
  'records reordered in the journal only': { alter: journalOnly(swapNeighbours), kinds: ['reordered'] },

  'everything written again and signed with the right key, against a kept checkpoint': {
    alter: resign(),
    kinds: ['rewritten'],
    known: SIZE,
  },
  'log cut back to an older checkpoint, against a newer one': { alter: rollBack, kinds: ['truncated'], known: SIZE },
  'everything signed with another key, its public key in the folder': { alter: resign(otherKey(ORIGIN)), kinds: ['forged-checkpoint'] },
  'checkpoint forged with another key': { alter: forge, kinds: ['forged-checkpoint'] },
  'checkpoint of another log of the same key': { alter: otherOrigin, kinds: ['forged-checkpoint'] },
  'public key replaced': { alter: replaceKey, kinds: ['wrong-key'] },
  'second history signed by the right key': { alter: splitView, kinds: ['split-view'] },
  'two roots for one size signed by the right key': { alter: twoRoots, kinds: ['split-view'] },
  'history of checkpoints reordered': { alter: reorderHistory },
  'first entry of the history removed': { alter: beheadHistory, kinds: ['truncated'] },
  'kept checkpoint removed from the history': { alter: forgetCheckpoint, kinds: ['altered'], known: 300 },
};

for (const [name, { alter, kinds, known }] of Object.entries(alterations)) {
  test(`found: ${name}`, async () => {
    for (let run = 0; run < RUNS; run += 1) {
      const root = join(area, 'copy');
      await cp(log.root, root, { recursive: true });
      try {
        const done = await alter({ root, folder: join(root, 'audit'), random: generator(`${SEED} ${name} ${run}`) });
        const report = await verify(root, known === undefined ? undefined : log.checkpoints.get(known));
        const found = JSON.stringify(report.problems.slice(0, 5));
        assert.equal(report.ok, false, `${done}: not found`);
        if (kinds !== undefined)
          assert.ok(
            report.problems.some(({ kind }) => kinds.includes(kind)),
            `${done}: found as ${found}`,
          );
      } finally {
        await rm(root, { recursive: true });
      }
    }
  });
}

test('what the key’s holder can do unseen without a kept checkpoint is exactly what the statement says', async () => {
  for (const alter of [rollBack, resign()]) {
    const root = join(area, 'copy');
    await cp(log.root, root, { recursive: true });
    await alter({ root, folder: join(root, 'audit'), random: generator('unseen') });
    const report = await verify(root);
    assert.match(report.statement, /without a kept checkpoint/);
    assert.deepEqual(
      report.problems.filter(({ kind }) => kind !== 'bookkeeping' && kind !== 'approval'),
      [],
    );
    await rm(root, { recursive: true });
  }
});

test('without a pinned key the folder’s own is believed, and the report says so', async () => {
  const root = join(area, 'copy');
  await cp(log.root, root, { recursive: true });
  await resign(otherKey(ORIGIN), (records) => records)({ root, folder: join(root, 'audit'), random: generator('unpinned') });
  const report = await verifyLog({ folder: join(root, 'audit') });
  assert.deepEqual([report.ok, report.keyPinned], [true, false]);
  assert.match(report.statement, /not pinned/);
  await rm(root, { recursive: true });
});

async function verify(root: string, knownCheckpoint?: string): Promise<VerifyReport> {
  return verifyLog({
    folder: join(root, 'audit'),
    publicKey: log.key,
    recordings: join(root, 'recordings'),
    ...(knownCheckpoint === undefined ? {} : { knownCheckpoint }),
  });
}

function flip(part: string): Alter {
  return async ({ folder, random }) => {
    const file = await pickFile(folder, part, random);
    const bytes = await readFile(file);
    const at = random(part === 'journal' ? endOfRecords(bytes) : bytes.length);
    bytes[at]! ^= 1 << random(8);
    await writeFile(file, bytes);
    return `${file} at ${at}`;
  };
}

function cut(part: string): Alter {
  return async ({ folder, random }) => {
    const file = await pickFile(folder, part, random);
    const bytes = await readFile(file);
    const length = random(part === 'journal' ? endOfRecords(bytes) : bytes.length);
    await truncate(file, length);
    return `${file} to ${length}`;
  };
}

/** Barriers at the end of a segment hold no record, and say nothing where no record follows. */
function endOfRecords(segment: Buffer): number {
  const barrier = Buffer.from('00000000ffffffff', 'hex');
  let end = segment.length;
  while (end >= 8 && segment.subarray(end - 8, end).equals(barrier)) end -= 8;
  return end;
}

async function append({ folder, random }: Place): Promise<string> {
  const file = await pickFile(folder, ['tile/entries', 'tile/0', 'tile/1', 'checkpoint', 'checkpoints', 'log.pub'][random(6)]!, random);
  await writeFile(file, Buffer.from('6\nbytes!'), { flag: 'a' });
  return file;
}

function remove(part: string): Alter {
  return async ({ folder, random }) => {
    const file = await pickFile(folder, part, random);
    await rm(file);
    return file;
  };
}

function exchange(part: string): Alter {
  return async ({ folder, random }) => {
    const first = await pickFile(folder, part, random);
    let second = first;
    while (second === first) second = await pickFile(folder, part, random);
    await rename(first, `${first}~`);
    await rename(second, first);
    await rename(`${first}~`, second);
    return `${first} and ${second}`;
  };
}

type Change = (records: Buffer[], random: Place['random']) => Buffer[];

function rewrite(change: Change, ...also: ('tiles' | 'journal')[]): Alter {
  return async ({ folder, random }) => {
    const changed = change([...leaves], random);
    await writeBundles(folder, changed);
    if (also.includes('tiles')) await writeTiles(folder, changed);
    if (also.includes('journal')) await writeJournal(folder, changed);
    return `record ${leaves.findIndex((leaf, index) => changed[index] !== leaf)}`;
  };
}

function journalOnly(change: Change): Alter {
  return async ({ folder, random }) => {
    const changed = change([...leaves], random);
    await writeJournal(folder, changed);
    return `record ${leaves.findIndex((leaf, index) => changed[index] !== leaf)}`;
  };
}

/** As the key's holder could: one record is edited, everything that follows is derived and signed again. */
function resign(key?: SigningKey, change: Change = edit): Alter {
  return async ({ folder, random }) => {
    const signer = key ?? own;
    const changed = change([...leaves], random);
    await writeBundles(folder, changed);
    await writeTiles(folder, changed);
    await writeJournal(folder, changed);
    await writeHistory(folder, [signNote(signer, []), signNote(signer, changed)]);
    await writeFile(join(folder, 'log.pub'), `${signer.line}\n`);
    return `signed by ${signer.line}`;
  };
}

async function rollBack({ folder, random }: Place): Promise<string> {
  const [first = '', ...notes] = await readHistory(folder);
  const kept = 1 + random(notes.length - 1);
  const size = Number(notes[kept - 1]!.split('\n')[1]);
  await writeBundles(folder, leaves.slice(0, size));
  await writeTiles(folder, leaves.slice(0, size));
  await writeJournal(folder, leaves.slice(0, size));
  await writeHistory(folder, [first, ...notes.slice(0, kept)]);
  // The partial tiles of the older checkpoints are those of the original.
  await cp(join(log.folder, 'tile'), join(folder, 'tile'), { recursive: true, force: false, filter: (file) => keepPartial(file, size) });
  return `to ${size}`;
}

/** Whether a copy that was cut back to `size` would still have it. */
function keepPartial(file: string, size: number): boolean {
  const width = Number(/\.p\/(\d+)$/.exec(file)?.[1] ?? 0);
  if (width > 0)
    return file.includes('/tile/1/')
      ? width <= Math.floor(size / 256)
      : file.includes(`/00${Math.floor(size / 256)}.p/`) && width <= size % 256;
  return !/\/\d{3}$/.test(file);
}

async function forge({ folder, random }: Place): Promise<string> {
  const notes = await readHistory(folder);
  const place = random(notes.length);
  const size = Number(notes[place]!.split('\n')[1]);
  notes[place] = signNote(otherKey(ORIGIN), leaves.slice(0, size));
  await writeHistory(folder, notes);
  return `entry ${place}`;
}

async function otherOrigin({ folder, random }: Place): Promise<string> {
  const notes = await readHistory(folder);
  const place = random(notes.length);
  notes[place] = signNote({ ...own, name: `${ORIGIN}-2` }, leaves.slice(0, 10)).replace(`\u2014 ${ORIGIN}-2 `, `\u2014 ${ORIGIN} `);
  await writeHistory(folder, notes);
  return `entry ${place}`;
}

async function replaceKey({ folder }: Place): Promise<string> {
  await writeFile(join(folder, 'log.pub'), `${otherKey(ORIGIN).line}\n`);
  return 'log.pub';
}

async function splitView({ folder, random }: Place): Promise<string> {
  const notes = await readHistory(folder);
  const place = 1 + random(notes.length - 2);
  const size = Number(notes[place]!.split('\n')[1]);
  notes[place] = signNote(own, edit(leaves.slice(0, size), random));
  await writeHistory(folder, notes);
  return `entry ${place}`;
}

async function twoRoots({ folder, random }: Place): Promise<string> {
  const notes = await readHistory(folder);
  const place = 1 + random(notes.length - 1);
  const size = Number(notes[place]!.split('\n')[1]);
  notes.splice(place, 0, signNote(own, edit(leaves.slice(0, size), random)));
  await writeHistory(folder, notes);
  return `before entry ${place}`;
}

async function reorderHistory({ folder, random }: Place): Promise<string> {
  const notes = await readHistory(folder);
  const place = random(notes.length - 1);
  [notes[place], notes[place + 1]] = [notes[place + 1]!, notes[place]!];
  const last = await readFile(join(folder, 'checkpoint'), 'utf8');
  await writeHistory(folder, notes);
  await writeFile(join(folder, 'checkpoint'), last);
  return `entries ${place} and ${place + 1}`;
}

async function beheadHistory({ folder }: Place): Promise<string> {
  await writeHistory(folder, (await readHistory(folder)).slice(1));
  return 'entry 0';
}

async function forgetCheckpoint({ folder }: Place): Promise<string> {
  const kept = log.checkpoints.get(300)!;
  await writeHistory(
    folder,
    (await readHistory(folder)).filter((note) => note !== kept),
  );
  return 'the entry of size 300';
}

/** One character of the text is another, the JSON as canonical as before. */
function edit(records: Buffer[], random: Place['random']): Buffer[] {
  const place = random(records.length);
  const text = records[place]!.toString('utf8');
  records[place] = Buffer.from(text.replace('"gateway":"gw-1"', '"gateway":"gw-2"'));
  assert.notDeepEqual(records[place], Buffer.from(text));
  return records;
}

function drop(records: Buffer[], random: Place['random']): Buffer[] {
  records.splice(random(records.length - 1), 1);
  return records;
}

function insert(records: Buffer[], random: Place['random']): Buffer[] {
  const foreign = Buffer.from(records[0]!.toString('utf8').replace('"gateway":"gw-1"', '"gateway":"gw-9"'));
  records.splice(random(records.length), 0, foreign);
  return records;
}

function duplicate(records: Buffer[], random: Place['random']): Buffer[] {
  const place = random(records.length - 1);
  records.splice(place + 1, 0, records[place]!);
  return records;
}

/** Within one bundle, so that the bundle holds the same records as before. */
function swapNeighbours(records: Buffer[], random: Place['random']): Buffer[] {
  let place = random(records.length - 1);
  if (place % 256 === 255) place -= 1;
  [records[place], records[place + 1]] = [records[place + 1]!, records[place]!];
  return records;
}

function swapFar(records: Buffer[], random: Place['random']): Buffer[] {
  const place = random(400);
  const other = place + 1 + random(500);
  [records[place], records[other]] = [records[other]!, records[place]!];
  return records;
}

async function pickFile(folder: string, part: string, random: Place['random']): Promise<string> {
  const path = join(folder, part);
  if ((await stat(path)).isFile()) return path;
  const entries = await readdir(path, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  return files.sort()[random(files.length)]!;
}

/** xorshift32 seeded by a text (FNV-1a): the same places at every run. */
function generator(seed: string): (below: number) => number {
  let state = 0x811c9dc5;
  for (const byte of Buffer.from(seed)) state = Math.imul(state ^ byte, 0x01000193);
  state |= 1;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}
