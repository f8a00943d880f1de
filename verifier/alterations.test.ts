import assert from 'node:assert/strict';
import { cp, readdir, readFile, rename, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { otherKey, readHistory, signNote, writeBundles, writeHistory, writeJournal, writeTiles, type SigningKey } from './forge.test.ts';
import { ORIGIN, type BuiltLog } from './harness.test.ts';

/** Ways to alter a copy of a log; for tamper.test.ts. */

export interface Original {
  readonly log: BuiltLog;
  readonly leaves: readonly Buffer[];
  /** The key that it is signed with. */
  readonly own: SigningKey;
}

export interface Place {
  /** The copy: holds `audit/` and `recordings/`. */
  readonly root: string;
  readonly folder: string;
  readonly original: Original;
  /** A whole number from 0, below this one. */
  readonly random: (below: number) => number;
}

/** Alters the copy; resolves to what was done, for messages. */
export type Alter = (place: Place) => Promise<string>;

export function flip(part: string): Alter {
  return async ({ folder, random }) => {
    const file = await pickFile(folder, part, random);
    const bytes = await readFile(file);
    const at = random(part === 'journal' ? endOfRecords(bytes) : bytes.length);
    bytes[at]! ^= 1 << random(8);
    await writeFile(file, bytes);
    return `${file} at ${at}`;
  };
}

export function cut(part: string): Alter {
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

export async function append({ folder, random }: Place): Promise<string> {
  const file = await pickFile(folder, ['tile/entries', 'tile/0', 'tile/1', 'checkpoint', 'checkpoints', 'log.pub'][random(6)]!, random);
  await writeFile(file, Buffer.from('6\nbytes!'), { flag: 'a' });
  return file;
}

export function remove(part: string): Alter {
  return async ({ folder, random }) => {
    const file = await pickFile(folder, part, random);
    await rm(file);
    return file;
  };
}

export function exchange(part: string): Alter {
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

export function rewrite(change: Change, ...also: ('tiles' | 'journal')[]): Alter {
  return async ({ folder, random, original: { leaves } }) => {
    const changed = change([...leaves], random);
    await writeBundles(folder, changed);
    if (also.includes('tiles')) await writeTiles(folder, changed);
    if (also.includes('journal')) await writeJournal(folder, changed);
    return `record ${leaves.findIndex((leaf, index) => changed[index] !== leaf)}`;
  };
}

export function journalOnly(change: Change): Alter {
  return async ({ folder, random, original: { leaves } }) => {
    const changed = change([...leaves], random);
    await writeJournal(folder, changed);
    return `record ${leaves.findIndex((leaf, index) => changed[index] !== leaf)}`;
  };
}

/** As the key's holder could: one record is edited, everything that follows is derived and signed again. */
export function resign(key?: SigningKey, change: Change = edit): Alter {
  return async ({ folder, random, original: { leaves, own } }) => {
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

export async function rollBack({ folder, random, original: { leaves, log } }: Place): Promise<string> {
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

export async function forge({ folder, random, original: { leaves } }: Place): Promise<string> {
  const notes = await readHistory(folder);
  const place = random(notes.length);
  const size = Number(notes[place]!.split('\n')[1]);
  notes[place] = signNote(otherKey(ORIGIN), leaves.slice(0, size));
  await writeHistory(folder, notes);
  return `entry ${place}`;
}

export async function otherOrigin({ folder, random, original: { leaves, own } }: Place): Promise<string> {
  const notes = await readHistory(folder);
  const place = random(notes.length);
  notes[place] = signNote({ ...own, name: `${ORIGIN}-2` }, leaves.slice(0, 10)).replace(`\u2014 ${ORIGIN}-2 `, `\u2014 ${ORIGIN} `);
  await writeHistory(folder, notes);
  return `entry ${place}`;
}

export async function replaceKey({ folder }: Place): Promise<string> {
  await writeFile(join(folder, 'log.pub'), `${otherKey(ORIGIN).line}\n`);
  return 'log.pub';
}

export async function splitView({ folder, random, original: { leaves, own } }: Place): Promise<string> {
  const notes = await readHistory(folder);
  const place = 1 + random(notes.length - 2);
  const size = Number(notes[place]!.split('\n')[1]);
  notes[place] = signNote(own, edit(leaves.slice(0, size), random));
  await writeHistory(folder, notes);
  return `entry ${place}`;
}

export async function twoRoots({ folder, random, original: { leaves, own } }: Place): Promise<string> {
  const notes = await readHistory(folder);
  const place = 1 + random(notes.length - 1);
  const size = Number(notes[place]!.split('\n')[1]);
  notes.splice(place, 0, signNote(own, edit(leaves.slice(0, size), random)));
  await writeHistory(folder, notes);
  return `before entry ${place}`;
}

export async function reorderHistory({ folder, random }: Place): Promise<string> {
  const notes = await readHistory(folder);
  const place = random(notes.length - 1);
  [notes[place], notes[place + 1]] = [notes[place + 1]!, notes[place]!];
  const last = await readFile(join(folder, 'checkpoint'), 'utf8');
  await writeHistory(folder, notes);
  await writeFile(join(folder, 'checkpoint'), last);
  return `entries ${place} and ${place + 1}`;
}

export async function beheadHistory({ folder }: Place): Promise<string> {
  await writeHistory(folder, (await readHistory(folder)).slice(1));
  return 'entry 0';
}

export async function forgetCheckpoint({ folder, original: { log } }: Place): Promise<string> {
  const kept = log.checkpoints.get(300)!;
  await writeHistory(
    folder,
    (await readHistory(folder)).filter((note) => note !== kept),
  );
  return 'the entry of size 300';
}

/** One character of the text is another, the JSON as canonical as before. */
export function edit(records: Buffer[], random: Place['random']): Buffer[] {
  const place = random(records.length);
  const text = records[place]!.toString('utf8');
  records[place] = Buffer.from(text.replace('"gateway":"gw-1"', '"gateway":"gw-2"'));
  assert.notDeepEqual(records[place], Buffer.from(text));
  return records;
}

export function drop(records: Buffer[], random: Place['random']): Buffer[] {
  records.splice(random(records.length - 1), 1);
  return records;
}

export function insert(records: Buffer[], random: Place['random']): Buffer[] {
  const foreign = Buffer.from(records[0]!.toString('utf8').replace('"gateway":"gw-1"', '"gateway":"gw-9"'));
  records.splice(random(records.length), 0, foreign);
  return records;
}

export function duplicate(records: Buffer[], random: Place['random']): Buffer[] {
  const place = random(records.length - 1);
  records.splice(place + 1, 0, records[place]!);
  return records;
}

/** Within one bundle, so that the bundle holds the same records as before. */
export function swapNeighbours(records: Buffer[], random: Place['random']): Buffer[] {
  let place = random(records.length - 1);
  if (place % 256 === 255) place -= 1;
  [records[place], records[place + 1]] = [records[place + 1]!, records[place]!];
  return records;
}

export function swapFar(records: Buffer[], random: Place['random']): Buffer[] {
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
