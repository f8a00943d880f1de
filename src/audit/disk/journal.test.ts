import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { Batch } from '../frames.ts';
import { MemoryDisk, failure } from './harness.test.ts';
import { Journal } from './journal.ts';

const FOLDER = '/data/journal';

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

/** A journal whose only segment is full, with nothing of it flushed. */
async function written(): Promise<{ disk: MemoryDisk; journal: Journal }> {
  const disk = new MemoryDisk();
  await disk.makeFolder(FOLDER);
  const journal = await Journal.open(disk, FOLDER, 10, { segments: [0], end: 0, records: 0 });
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
