import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GatewayFault } from '../../core/fault.ts';
import type { AuditLog, LogHealth } from '../index.ts';
import type { DiskCall } from './harness.test.ts';
import { MemoryDisk, ROOT, checkFolder, failure, fill, note, openOn } from './harness.test.ts';

const JOURNAL = /\.journal$/;

for (const [what, call, code, durability] of [
  ['a failed write', 'write', 'ENOSPC', 'disk'],
  ['a failed flush', 'datasync', 'EIO', 'disk'],
  ['with "process", a failed write', 'write', 'ENOSPC', 'process'],
] as const) {
  test(`${what} denies at once, and the log resumes by itself with every record in its place`, async () => {
    const { disk, log, healthy, seen } = await openWatched({}, durability);
    await fill(log, 0, 5);
    let broken = true;
    disk.before = failing(call, JOURNAL, () => broken, code);

    const first = log.append(note('e5'));
    const waiting = [log.durable(first), log.durable(log.append(note('e6')))];
    for (const promise of waiting) await assert.rejects(promise, isUnavailable);
    assert.equal(log.durableCount, 5, 'nothing that failed counts as durable');
    assert.throws(() => log.append(note('refused')), isUnavailable);
    await assert.rejects(log.durable(first), isUnavailable);
    await assert.rejects(log.checkpoint(), isUnavailable);
    assert.equal(log.healthy, false);
    assert.match(seen[0]!.reason, new RegExp(code));

    broken = false;
    await healthy();
    assert.equal(log.durableCount, 7, 'what was asked and decided is on record, under the number that it was given');
    await log.durable(first);
    assert.equal(log.append(note('e7')), 7);
    await log.close();
    assert.deepEqual(events(await checkFolder(disk.afterCrash('machine'))), numbered(8));
  });
}

test('records that gather during the failing flush are kept as well', async () => {
  const { disk, log, healthy } = await openWatched();
  const flush = Promise.withResolvers<void>();
  const entered = Promise.withResolvers<void>();
  let broken = true;
  disk.gate = (call, path) => {
    if (!broken || call !== 'datasync' || !JOURNAL.test(path)) return undefined;
    entered.resolve();
    return flush.promise;
  };
  const first = log.durable(log.append(note('e0')));
  await entered.promise;
  const second = log.durable(log.append(note('e1')));
  const refused = [assert.rejects(first, isUnavailable), assert.rejects(second, isUnavailable)];
  flush.reject(failure('EIO'));
  await Promise.all(refused);
  broken = false;
  await healthy();
  await log.close();
  assert.deepEqual(events(await checkFolder(disk)), numbered(2));
});

for (const durability of ['disk', 'process'] as const) {
  test(`a write that takes only a part is continued (${durability})`, async () => {
    const { disk, log } = await openWatched({}, durability);
    disk.takes = 11;
    await fill(log, 0, 3);
    await log.close();
    assert.deepEqual(events(await checkFolder(disk)), numbered(3));
  });

  test(`a write that took a part and then failed leaves nothing behind the acknowledged records (${durability})`, async () => {
    const { disk, log, healthy } = await openWatched({}, durability);
    await fill(log, 0, 2);
    disk.takes = 20;
    let writes = 0;
    let broken = true;
    disk.before = (call, path) => {
      if (broken && call === 'write' && JOURNAL.test(path) && ++writes > 1) throw failure('ENOSPC');
    };
    await assert.rejects(log.durable(log.append(note('e2'))), isUnavailable);
    assert.equal((await checkFolder(disk)).leaves.length > 2, true, 'the torn frame is there');
    broken = false;
    await healthy();
    await log.close();
    assert.deepEqual(events(await checkFolder(disk)), numbered(3));
  });
}

test('with "process", records go on while a checkpoint waits for its flush, by writes that may wait as well', async () => {
  const { disk, log } = await openWatched({ segmentBytes: 1_500 }, 'process');
  await fill(log, 0, 5);
  const flush = Promise.withResolvers<void>();
  const entered = Promise.withResolvers<void>();
  const write = Promise.withResolvers<void>();
  const isFirst = once();
  disk.gate = (call, path) => {
    if (!JOURNAL.test(path)) return undefined;
    if (call === 'write') return write.promise;
    if (call !== 'datasync' || !isFirst()) return undefined;
    entered.resolve();
    return flush.promise;
  };
  const signed = log.checkpoint();
  await entered.promise;
  const sequence = log.append(note('e5'));
  const written = log.durable(sequence);
  await turn();
  assert.equal(log.durableCount, 5, 'a write that the system takes at once would stop all sessions for as long as the disk takes');
  write.resolve();
  await written;
  // On to the next segment, for which the flush under way needs the file that it began with.
  const more = Promise.all([fill(log, 6, 20), turn().then(() => fill(log, 20, 40))]);
  for (let i = 0; i < 3; i++) await turn();
  flush.resolve();
  assert.equal((await signed).split('\n')[1], '5');
  await more;
  await log.close();
  assert.ok((await disk.list(`${ROOT}/journal`)).length > 1);
  assert.deepEqual(events(await checkFolder(disk.afterCrash('machine'))), numbered(40));
});

for (const busy of [false, true]) {
  test(`with "process", a checkpoint's flush that fails ${busy ? 'while a batch is on its way ' : ''}denies at once, and the log resumes by itself`, async () => {
    const { disk, log, healthy, seen } = await openWatched({}, 'process');
    await fill(log, 0, 5);
    const flush = Promise.withResolvers<void>();
    const entered = Promise.withResolvers<void>();
    const write = Promise.withResolvers<void>();
    const writing = Promise.withResolvers<void>();
    disk.gate = (call, path) => {
      if (!JOURNAL.test(path)) return undefined;
      if (call === 'datasync') entered.resolve();
      if (call === 'write') writing.resolve();
      return call === 'datasync' ? flush.promise : write.promise;
    };
    const refused = assert.rejects(log.checkpoint(), isUnavailable);
    await entered.promise;
    const on = busy ? log.durable(log.append(note('e5'))) : undefined;
    if (busy) await writing.promise;
    disk.gate = () => undefined;
    flush.reject(failure('EIO'));
    await refused;
    write.resolve();
    await on;
    await turn();
    assert.throws(() => log.append(note('refused')), isUnavailable);
    assert.match(seen[0]!.reason, busy ? /checkpoint cannot be written/ : /journal cannot be written/);
    await healthy();
    await fill(log, log.durableCount, 8);
    await log.close();
    assert.deepEqual(events(await checkFolder(disk.afterCrash('machine'))), numbered(8));
  });
}

test('it does not resume onto a journal that lost what was acknowledged', async () => {
  const { disk, log, seen } = await openWatched();
  await fill(log, 0, 4);
  const file = disk.file(`${ROOT}/journal/0000000000000000.journal`);
  const whole = file.bytes;
  file.bytes = Buffer.from(whole);
  file.bytes[20]! ^= 1;
  disk.before = failing('datasync', JOURNAL, once(), 'EIO');
  await assert.rejects(log.durable(log.append(note('e4'))), isUnavailable);
  while (!seen.some(({ reason }) => reason.includes('no longer holds'))) await turn();
  assert.throws(() => log.append(note('x')), isUnavailable);
  assert.equal(log.durableCount, 4);
  file.bytes = whole;
  while (!log.healthy) await turn();
  await log.close();
  assert.deepEqual(events(await checkFolder(disk)), numbered(5));
});

test('a disk that does not answer denies those who wait, and serves again when it answers', async () => {
  const { disk, log, healthy } = await openWatched({ stallMs: 20 });
  const flush = Promise.withResolvers<void>();
  disk.gate = (call, path) => (call === 'datasync' && JOURNAL.test(path) ? flush.promise : undefined);
  const sequence = log.append(note('e0'));
  await assert.rejects(log.durable(sequence), isUnavailable);
  assert.throws(() => log.append(note('refused')), isUnavailable);
  assert.equal(log.durableCount, 0);
  flush.resolve();
  await healthy();
  await log.durable(sequence);
  await fill(log, 1, 3);
  await log.close();
  assert.deepEqual(events(await checkFolder(disk)), numbered(3));
});

test('appends are refused while too much waits for the disk', async () => {
  for (const limits of [{ backlogRecords: 3 }, { backlogBytes: 300 }]) {
    const { disk, log } = await openWatched(limits);
    const flush = Promise.withResolvers<void>();
    disk.gate = (call, path) => (call === 'datasync' && JOURNAL.test(path) ? flush.promise : undefined);
    let taken = 0;
    assert.throws(() => {
      for (; taken < 100; taken++) log.append(note(`e${taken}`));
    }, isUnavailable);
    assert.ok(taken >= 2 && taken <= 3);
    flush.resolve();
    await log.durable(taken - 1);
    log.append(note(`e${taken}`));
    await log.close();
    assert.deepEqual(events(await checkFolder(disk)), numbered(taken + 1));
  }
});

test('a body that cannot be stored keeps its record from being durable', async () => {
  const { disk, log, healthy } = await openWatched();
  let broken = true;
  disk.before = failing('write', /bodies/, () => broken, 'ENOSPC');
  const large = log.append(note('x'.repeat(70_000)));
  await assert.rejects(log.durable(large), isUnavailable);
  await assert.rejects(log.body(Buffer.from('y')), isUnavailable);
  assert.equal(log.durableCount, 0);
  broken = false;
  await healthy();
  await log.durable(large);
  await log.close();
  assert.equal((await checkFolder(disk)).leaves.length, 1);
});

test('a failing checkpoint is visible, is tried again, and stops appends before much is unsigned', async () => {
  const { disk, log, healthy, seen } = await openWatched({ unsignedRecords: 10 });
  let broken = true;
  disk.before = failing('write', /tile|checkpoint/, () => broken, 'ENOSPC');
  await fill(log, 0, 6);
  await assert.rejects(log.checkpoint(), isUnavailable);
  assert.match(seen[0]!.reason, /checkpoint cannot be written/);
  await fill(log, 6, 10);
  assert.throws(() => log.append(note('refused')), isUnavailable);
  broken = false;
  await healthy();
  await fill(log, 10, 12);
  await log.close();
  const checked = await checkFolder(disk);
  assert.deepEqual(events(checked), numbered(12));
  assert.equal(checked.signed, 12);
});

test('bundles that cannot be stored ahead of a checkpoint are visible as a checkpoint that fails, and come with the next', async () => {
  const { disk, log, healthy, seen } = await openWatched({ waitingBundles: 1, unsignedRecords: 400 });
  let broken = true;
  disk.before = failing('write', /tile/, () => broken, 'ENOSPC');
  await fill(log, 0, 300);
  while (seen.length === 0) await turn();
  assert.match(seen[0]!.reason, /checkpoint cannot be written/);
  await fill(log, 300, 400);
  assert.throws(() => log.append(note('refused')), isUnavailable);
  broken = false;
  await healthy();
  await fill(log, 400, 600);
  await log.close();
  const checked = await checkFolder(disk.afterCrash('machine'));
  assert.deepEqual(events(checked), numbered(600));
  assert.equal(checked.signed, 600);
});

test('a failing checkpoint is not hidden by bundles that can be stored', async () => {
  const { disk, log, healthy, seen } = await openWatched({ waitingBundles: 1, retryMs: 20 });
  let broken = true;
  disk.before = failing('write', /checkpoints$/, () => broken, 'ENOSPC');
  await fill(log, 0, 10);
  await assert.rejects(log.checkpoint(), isUnavailable);
  for (let i = 10; i < 2_000; i += 50) await fill(log, i, i + 50).then(turn);
  assert.deepEqual(
    seen.map((health) => health.healthy),
    [false],
  );
  broken = false;
  await healthy();
  await log.close();
  assert.equal((await checkFolder(disk)).signed, 2_010);
});

test('rotation that fails is repeated', async () => {
  const { disk, log, healthy } = await openWatched({ segmentBytes: 500 });
  await fill(log, 0, 5);
  for (const call of ['open', 'datasync', 'syncFolder'] as const) {
    const from = log.durableCount;
    disk.before = failing(call, call === 'syncFolder' ? /journal$/ : JOURNAL, once(), 'EIO');
    await assert.rejects(fill(log, from, from + 5), isUnavailable);
    await healthy();
  }
  const size = log.durableCount;
  await log.close();
  assert.deepEqual(events(await checkFolder(disk.afterCrash('machine'))), numbered(size));
});

test('a journal that was deleted while it was open is noticed at the next checkpoint', async () => {
  const { disk, log } = await openWatched();
  await fill(log, 0, 3);
  await disk.remove(`${ROOT}/journal/0000000000000000.journal`);
  await assert.rejects(log.checkpoint(), isUnavailable);
  assert.throws(() => log.append(note('x')), isUnavailable);
  await assert.rejects(log.close(), isUnavailable);
});

test('a writer whose lock was taken stops for good', async () => {
  const { disk, log } = await openWatched();
  await fill(log, 0, 3);
  disk.file(`${ROOT}/lock`).bytes = Buffer.from('{"host":"other","pid":1,"started":"","token":"t"}\n');
  await assert.rejects(log.checkpoint(), isUnavailable);
  assert.throws(() => log.append(note('x')), isUnavailable);
  await assert.rejects(log.close(), isUnavailable);
  assert.match(disk.file(`${ROOT}/lock`).bytes.toString(), /other/, 'the new holder keeps it');
});

test('close says when records could not be written', async () => {
  const { disk, log } = await openWatched();
  disk.before = failing('write', JOURNAL, () => true, 'ENOSPC');
  await assert.rejects(log.durable(log.append(note('e0'))), isUnavailable);
  await assert.rejects(log.close(), isUnavailable);
});

async function openWatched(
  limits: object = {},
  durability: 'disk' | 'process' = 'disk',
): Promise<{ disk: MemoryDisk; log: AuditLog; healthy: () => Promise<void>; seen: LogHealth[] }> {
  const disk = new MemoryDisk();
  const seen: LogHealth[] = [];
  const onHealth = (health: LogHealth): unknown => seen.push(health);
  // Late enough that a busy machine sees the denial before the log has resumed.
  const log = await openOn(disk, { durability, limits: { checkpointRecords: Infinity, retryMs: 100, ...limits }, onHealth });
  const healthy = async (): Promise<void> => {
    while (seen.at(-1)?.healthy !== true) await turn();
    seen.length = 0;
  };
  return { disk, log, healthy, seen };
}

function failing(call: DiskCall, path: RegExp, isBroken: () => boolean, code: string): MemoryDisk['before'] {
  return (made, on) => {
    if (made === call && path.test(on) && isBroken()) throw failure(code);
  };
}

function once(): () => boolean {
  let left = 1;
  return () => left-- > 0;
}

function turn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 1));
}

function events(checked: { leaves: readonly string[] }): string[] {
  return checked.leaves.map((leaf) => (JSON.parse(leaf) as { event: string }).event);
}

function numbered(count: number): string[] {
  return Array.from({ length: count }, (_, i) => `e${i}`);
}

function isUnavailable(error: unknown): boolean {
  return error instanceof GatewayFault && error.code === 'audit-unavailable';
}
