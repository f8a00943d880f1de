import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { Batch, scanSegment, withoutRoom } from '../frames.ts';
import { MemoryDisk, failure } from './harness.test.ts';
import { Journal, type JournalSizes } from './journal.ts';

const FOLDER = '/data/journal';
const SEGMENT = `${FOLDER}/0000000000000000.journal`;
/** Two batches and a bit. */
const ROOM = 80;

/** What is done to the journal while a flush is under way. */
const meanwhile: Record<string, (journal: Journal) => Promise<unknown>> = {
  'opened anew': (journal) => journal.reopen(),
  closed: (journal) => journal.close(),
  rotated: (journal) => journal.write(batchOf(2), false),
};

for (const [what, call] of Object.entries(meanwhile)) {
  test(`a flush keeps its file until it is done, also where the journal is ${what} meanwhile`, async () => {
    const { disk, journal } = await written();
    const flush = holdFirst(disk, 'datasync');
    const flushed = journal.flush();
    const done = call(journal);
    for (let i = 0; i < 5; i++) await turn();
    flush.resolve();
    await flushed;
    await done;
  });
}

test('a flush that begins while the journal goes over to the next segment keeps its file as well', async () => {
  const { disk, journal } = await written();
  const open = holdFirst(disk, 'open');
  const rotated = journal.write(batchOf(2), false);
  for (let i = 0; i < 5; i++) await turn();
  const flush = holdFirst(disk, 'datasync');
  const flushed = journal.flush();
  open.resolve();
  for (let i = 0; i < 5; i++) await turn();
  flush.resolve();
  await flushed;
  await rotated;
});

test('no segment follows one whose flush has failed, though the next flush would succeed', async () => {
  const { disk, journal } = await written();
  const flush = holdFirst(disk, 'datasync');
  const refused = [assert.rejects(journal.flush(), { code: 'EIO' }), assert.rejects(journal.write(batchOf(2), false), { code: 'EIO' })];
  await turn();
  flush.reject(failure('EIO'));
  await Promise.all(refused);
  assert.deepEqual(await disk.list(FOLDER), ['0000000000000000.journal']);
});

test('what a flush failed with is told to every call until the journal is opened anew', async () => {
  const { disk, journal } = await written();
  disk.before = (call) => {
    if (call === 'datasync') throw failure('EIO');
  };
  await assert.rejects(journal.flush(), { code: 'EIO' });
  disk.before = () => {};
  await assert.rejects(journal.flush(), { code: 'EIO' });
  await assert.rejects(journal.write(batchOf(2), true), { code: 'EIO' });
  assert.equal(journal.failure?.message, 'EIO: injected');
  await journal.reopen();
  await journal.write(batchOf(2), true);
  await journal.flush();
  await journal.close();
});

test('a flushed batch leaves room behind it, and the next ones are written into it', async () => {
  const { disk, journal } = await withRoom();
  await journal.write(batchOf(0), true);
  await turn();
  const { bytes } = disk.file(SEGMENT);
  const end = withoutRoom(bytes).byteLength;
  assert.equal(bytes.byteLength, end + ROOM);
  await journal.write(batchOf(2), true);
  assert.equal(disk.file(SEGMENT).bytes.byteLength, end + ROOM, 'half of it is left');
  await journal.write(batchOf(4), true);
  await turn();
  assert.equal(disk.file(SEGMENT).bytes.byteLength, end + 2 * ROOM);
  await journal.trim();
  await journal.close();
  assert.deepEqual(frames(disk), [0, 1, 2, 3, 4, 5]);
  assert.notEqual(disk.file(SEGMENT).bytes.at(-1), 0);
});

test('zeros are never written over records: a batch that comes to them while they are on their way waits', async () => {
  const { disk, journal } = await withRoom();
  const zeros = holdFirst(disk, 'write');
  await journal.write(batchOf(0), true);
  const written = journal.write(batchOf(2), true);
  for (let i = 0; i < 5; i++) await turn();
  assert.deepEqual(frames(disk), [0, 1]);
  zeros.resolve();
  await written;
  await journal.close();
  assert.deepEqual(frames(disk), [0, 1, 2, 3]);
});

test('a disk without room for the room takes records all the same', async () => {
  const { disk, journal } = await withRoom();
  disk.gate = (call) => (call === 'write' ? Promise.reject(failure('ENOSPC')) : undefined);
  for (const first of [0, 2, 4]) {
    await journal.write(batchOf(first), true);
    await turn();
  }
  assert.notEqual(disk.file(SEGMENT).bytes.at(-1), 0);
  await journal.close();
  assert.deepEqual(frames(disk), [0, 1, 2, 3, 4, 5]);
});

test('what is opened anew, and what is closed for the next segment, has no room', async () => {
  const { disk, journal } = await withRoom({ segmentBytes: 60 });
  await journal.write(batchOf(0), true);
  await journal.reopen();
  assert.notEqual(disk.file(SEGMENT).bytes.at(-1), 0);
  await journal.write(batchOf(2), true);
  await journal.write(batchOf(4), true);
  assert.deepEqual((await disk.list(FOLDER)).length, 2);
  assert.notEqual(disk.file(SEGMENT).bytes.at(-1), 0);
  assert.deepEqual(frames(disk), [0, 1, 2, 3]);
  await journal.close();
});

async function withRoom(sizes: Partial<JournalSizes> = {}): Promise<{ disk: MemoryDisk; journal: Journal }> {
  const disk = new MemoryDisk();
  await disk.makeFolder(FOLDER);
  const all = { segmentBytes: 10_000, roomBytes: ROOM, ...sizes };
  return { disk, journal: await Journal.open(disk, FOLDER, all, { segments: [0], end: 0, records: 0 }) };
}

/** The records of the first segment, by their numbers. */
function frames(disk: MemoryDisk): number[] {
  const found: number[] = [];
  const { whole } = scanSegment(withoutRoom(disk.file(SEGMENT).bytes), () => found.push(found.length));
  assert.ok(whole);
  return found;
}

/** A journal whose only segment is full, with nothing of it flushed. */
async function written(): Promise<{ disk: MemoryDisk; journal: Journal }> {
  const disk = new MemoryDisk();
  await disk.makeFolder(FOLDER);
  const journal = await Journal.open(disk, FOLDER, { segmentBytes: 10, roomBytes: 0 }, { segments: [0], end: 0, records: 0 });
  await journal.write(batchOf(0), false);
  return { disk, journal };
}

function batchOf(first: number): Batch {
  const batch = new Batch(first, undefined);
  batch.add('{"a":1}');
  batch.add('{"b":2}');
  return batch;
}

/** The first call of this kind from now on waits. */
function holdFirst(disk: MemoryDisk, what: string): PromiseWithResolvers<void> {
  const held = Promise.withResolvers<void>();
  let isFirst = true;
  const { gate } = disk;
  disk.gate = (call, path) => {
    if (call !== what || !isFirst) return gate(call, path);
    isFirst = false;
    return held.promise;
  };
  return held;
}
