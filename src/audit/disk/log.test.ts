import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { GatewayFault } from '../../core/fault.ts';
import type { AuditRecord } from '../../core/record.ts';
import { MemoryDisk, ROOT, checkFolder, failure, fill, note, openOn } from './harness.test.ts';

const JOURNAL = /\.journal$/;

test('records that are appended in one turn share one write and one flush', async () => {
  const disk = new MemoryDisk();
  const log = await openOn(disk, { limits: { roomBytes: 0 } });
  const before = disk.count('datasync', JOURNAL);
  const written = disk.count('write', JOURNAL);
  const sequences = Array.from({ length: 50 }, (_, i) => log.append(note(`e${i}`)));
  assert.deepEqual(sequences, [...sequences.keys()]);
  assert.equal(log.durableCount, 0);
  assert.equal(log.durable(3), log.durable(40), 'one promise for the batch');
  await Promise.all(sequences.map((sequence) => log.durable(sequence)));
  assert.equal(log.durableCount, 50);
  assert.equal(disk.count('datasync', JOURNAL) - before, 1);
  assert.equal(disk.count('write', JOURNAL) - written, 1);
  await log.close();
});

test('what arrives while a flush is on its way shares the next one', async () => {
  const disk = new MemoryDisk();
  const log = await openOn(disk);
  const flush = Promise.withResolvers<void>();
  const entered = Promise.withResolvers<void>();
  const before = disk.count('datasync', JOURNAL);
  disk.gate = (call, path) => {
    if (call !== 'datasync' || !JOURNAL.test(path)) return undefined;
    entered.resolve();
    return flush.promise;
  };
  const first = log.durable(log.append(note('first')));
  await entered.promise;
  const rest = Array.from({ length: 20 }, (_, i) => log.durable(log.append(note(`e${i}`))));
  assert.equal(log.durableCount, 0, 'nothing is durable before its flush has returned');
  flush.resolve();
  await first;
  assert.equal(log.durableCount, 1);
  await Promise.all(rest);
  assert.equal(disk.count('datasync', JOURNAL) - before, 2);
  await log.close();
});

test('of one session alone a record is written at once, and not at the end of the turn; with others about, all that a turn brings shares a flush again', async () => {
  const disk = new MemoryDisk();
  const log = await openOn(disk);
  const changed = (previous: string): AuditRecord => ({ type: 'config.changed', config_digest: 'c', previous });
  await log.durable(log.append(changed('one')));
  await turn();
  const written = disk.count('write', JOURNAL);
  const begun = disk.count('datasync', JOURNAL);
  const alone = log.append(changed('two'));
  assert.equal(disk.count('write', JOURNAL) - written, 1);
  assert.equal(disk.count('datasync', JOURNAL) - begun, 1);
  assert.equal(log.durableCount, alone, 'written is not flushed');
  const others = Array.from({ length: 3 }, (_, i) => log.append(changed(`other ${i}`)));
  await Promise.all([alone, ...others].map((sequence) => log.durable(sequence)));
  await turn();
  assert.equal(disk.count('write', JOURNAL) - written, 2);
  const [next] = [log.append(changed('three')), log.append(changed('four'))];
  assert.equal(disk.count('write', JOURNAL) - written, 2, 'after several there may be more in this turn');
  await log.durable(next + 1);
  assert.equal(disk.count('write', JOURNAL) - written, 3);
  assert.equal((await checkFolder(disk.afterCrash('machine'))).leaves.length, log.durableCount);
  await log.close();
});

test('with durability "process" a record is written without a flush, and flushed before a checkpoint covers it', async () => {
  const disk = new MemoryDisk();
  const log = await openOn(disk, { durability: 'process' });
  const before = disk.count('datasync', JOURNAL);
  await fill(log, 0, 10);
  assert.equal(disk.count('datasync', JOURNAL), before);
  assert.equal((await checkFolder(disk.afterCrash('process'))).leaves.length, 10);
  await log.checkpoint();
  assert.ok(disk.count('datasync', JOURNAL) > before);
  assert.equal((await checkFolder(disk.afterCrash('machine'))).signed, 10);
  await log.close();
});

test('a leaf has the members of the record and of the log, in canonical order', async () => {
  const disk = new MemoryDisk();
  const log = await openOn(disk);
  await log.durable(log.append(note('e0')));
  const { leaves } = await checkFolder(disk);
  const time = '2026-09-21T14:13:20.000Z';
  assert.equal(
    leaves[0],
    `{"detail":{"n":1},"event":"e0","gateway":"gw-1","policy_version":"p1","session":"s1","time":"${time}","type":"session.note","v":1}`,
  );
  await log.close();
});

test('checkpoints come by count, and on close', async () => {
  const disk = new MemoryDisk();
  const log = await openOn(disk, { limits: { checkpointRecords: 100 } });
  await fill(log, 0, 150);
  assert.equal((await log.checkpoint()).split('\n')[1], '150');
  await fill(log, 150, 600);
  await log.close();
  const checked = await checkFolder(disk);
  assert.equal(checked.signed, 600);
  assert.equal(checked.leaves.length, 600);
  assert.deepEqual((await disk.list(`${ROOT}/tile/0`)).sort(), ['000', '001', '002.p'], 'partial tiles are gone once they are full');
});

test('checkpoints that come by count end with a full bundle, so that no partial ones are written to be deleted', async () => {
  const disk = new MemoryDisk();
  const log = await openOn(disk, { limits: { checkpointRecords: 300 } });
  const partial = /tile\/(0|entries)\/.*\.p\/[0-9]+$/;
  for (let i = 0; i < 3_000; i += 50) await fill(log, i, i + 50);
  assert.equal(disk.count('rename', partial), 0);
  const { checkpoints, signed } = await checkFolder(disk);
  assert.equal(signed % 256, 0);
  assert.ok(signed > 3_000 - 300 - 256 && checkpoints > 5, `${checkpoints} checkpoints, the last of ${signed}`);
  await log.close();
  assert.equal((await checkFolder(disk)).signed, 3_000);
  assert.equal(disk.count('rename', partial), 2);
});

test('full bundles and tiles are stored ahead of the checkpoint, once their records are on the disk, and not again with it', async () => {
  const disk = new MemoryDisk();
  const log = await openOn(disk, { durability: 'process', limits: { checkpointRecords: Infinity, waitingBundles: 2 } });
  const stored = (): string[] =>
    disk.calls.filter(({ call, path }) => call === 'rename' && /tile\/.*[0-9]$/.test(path)).map(({ path }) => path);
  await fill(log, 0, 300);
  for (let i = 0; i < 100; i++) await new Promise(setImmediate);
  assert.deepEqual(stored(), [], 'one waits for the next');
  await fill(log, 300, 600);
  while (disk.count('syncFolder', /tile/) === 0) await new Promise(setImmediate);
  const ahead = ['entries/000', 'entries/001', '0/000', '0/001'].map((path) => `${ROOT}/tile/${path}`);
  assert.deepEqual(stored(), ahead);

  const crashed = disk.afterCrash('machine');
  const again = await openOn(crashed);
  assert.ok(again.size >= 512, `${again.size} records are left of two stored bundles`);
  await again.close();
  assert.equal((await checkFolder(disk)).signed, 0);
  const events: string[] = [];
  for await (const { record } of log.query({ order: 'oldest' })) events.push((record as { event?: string }).event ?? '');
  assert.deepEqual(
    events,
    Array.from({ length: 600 }, (_, i) => `e${i}`),
  );

  await log.checkpoint();
  assert.deepEqual(stored().slice(0, 5), [...ahead, `${ROOT}/tile/entries/002.p/88`]);
  await log.close();
  assert.equal((await checkFolder(disk)).signed, 600);
});

test('what a checkpoint by count leaves out is signed when its time has come', async () => {
  const disk = new MemoryDisk();
  const log = await openOn(disk, { limits: { checkpointRecords: 256, checkpointMs: 20 } });
  await fill(log, 0, 300);
  while ((await checkFolder(disk)).signed < 300) await new Promise((resolve) => setTimeout(resolve, 5));
  await log.close();
});

test('a partial tile that the checkpoint before needed as well is not written again, unless writing failed meanwhile', async () => {
  const disk = new MemoryDisk();
  const log = await openOn(disk, { limits: { checkpointRecords: Infinity } });
  const written = (): number => disk.count('rename', /tile\/1\/000\.p\/1$/);
  await fill(log, 0, 300);
  await log.checkpoint();
  assert.equal(written(), 1);
  await fill(log, 300, 310);
  await log.checkpoint();
  assert.equal(written(), 1);
  disk.before = (call, path) => {
    if (call === 'datasync' && path.includes('/tile/')) throw failure('EIO');
  };
  await fill(log, 310, 320);
  await assert.rejects(log.checkpoint(), isUnavailable);
  disk.before = () => {};
  await log.checkpoint();
  assert.equal(written(), 2);
  await log.close();
  assert.equal((await checkFolder(disk.afterCrash('machine'))).signed, 320);
});

test('a checkpoint of an unchanged log is the same note', async () => {
  const log = await openOn(new MemoryDisk());
  await fill(log, 0, 3);
  assert.equal(await log.checkpoint(), await log.checkpoint());
  await log.close();
});

test('segments are closed when they are large, and deleted once full bundles and a checkpoint hold all of them', async () => {
  const disk = new MemoryDisk();
  const log = await openOn(disk, { limits: { segmentBytes: 8_000, checkpointRecords: Infinity } });
  for (let i = 0; i < 700; i += 10) await fill(log, i, i + 10);
  assert.ok((await disk.list(`${ROOT}/journal`)).length > 10);
  await log.checkpoint();
  const left = (await disk.list(`${ROOT}/journal`)).sort();
  assert.ok(
    Number(left[0]!.slice(0, 16)) <= 512 && Number(left[1]!.slice(0, 16)) > 512,
    'the segments left begin just below the last full bundle',
  );
  await log.close();
  assert.equal((await checkFolder(disk)).leaves.length, 700);
  const again = await openOn(disk, { limits: { segmentBytes: 8_000 } });
  assert.equal(again.size, 700);
  await fill(again, 700, 800);
  await again.close();
  assert.equal((await checkFolder(disk)).signed, 800);
});

test('content that does not fit a leaf stands beside it, durable before the record', async () => {
  const disk = new MemoryDisk();
  const log = await openOn(disk);
  const text = `SELECT '${'ä'.repeat(50_000)}'`;
  const sequence = log.append({ type: 'evidence.read', what: 'records', query: text, results: 1, ...principal });
  await log.durable(sequence);
  const crashed = disk.afterCrash('machine');
  const leaf = JSON.parse((await checkFolder(crashed)).leaves[0]!) as { bodies: object; query: { sha256: string; bytes: number } };
  assert.deepEqual(leaf.bodies, { query: 'text' });
  assert.equal(leaf.query.bytes, Buffer.byteLength(text));
  const stored = await crashed.readFile(`${ROOT}/bodies/${leaf.query.sha256.slice(0, 2)}/${leaf.query.sha256}`);
  assert.equal(stored.toString(), text);
  assert.equal(Buffer.from(await log.readBody(leaf.query.sha256)).toString(), text);

  const body = await log.body(Buffer.from('large'));
  assert.deepEqual(body, await log.body(Buffer.from('large')));
  assert.equal(
    Buffer.from(await disk.afterCrash('machine').readFile(`${ROOT}/bodies/${body.sha256.slice(0, 2)}/${body.sha256}`)).toString(),
    'large',
  );
  disk.file(`${ROOT}/bodies/${body.sha256.slice(0, 2)}/${body.sha256}`).bytes = Buffer.from('other');
  await assert.rejects(log.readBody(body.sha256), isUnavailable);
  await assert.rejects(log.readBody('../log-key.pem'), isUnavailable);
  await log.close();
});

test('digests are keyed: the same for the same bytes in every run, and not the plain hash', async () => {
  const disk = new MemoryDisk();
  const log = await openOn(disk);
  const digest = log.digest(Buffer.from('x'));
  assert.match(digest, /^[0-9a-f]{64}$/);
  assert.notEqual(digest, '2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881');
  assert.notEqual(digest, log.digest(Buffer.from('y')));
  await log.close();
  const again = await openOn(disk);
  assert.equal(again.digest(Buffer.from('x')), digest);
  await again.close();
});

test('a value that JSON cannot hold is refused at once and leaves no trace', async () => {
  for (const durability of ['process', 'disk'] as const) {
    const disk = new MemoryDisk();
    const log = await openOn(disk, { durability });
    await fill(log, 0, 1);
    const completed = { type: 'operation.completed', session: 's', operation: 'o', outcome: 'succeeded', masked: {} } as const;
    const counts = { rows: 1, bytes: 1, duration_ms: 1 };
    for (const record of [
      { type: 'session.note', session: 's', event: 'e', detail: { n: Number.NaN } },
      ...Object.keys(counts).map((name) => ({ ...completed, ...counts, [name]: Number.NaN })),
      { ...completed, ...counts, masked: { ssn: Number.NaN } },
      { ...decided, facts: { n: Number.NaN } },
    ] satisfies AuditRecord[])
      assert.throws(() => log.append(record), GatewayFault);
    await fill(log, 1, 2);
    await log.close();
    assert.equal((await checkFolder(disk)).leaves.length, 2);
  }
});

test('a closed log takes nothing any more', async () => {
  const log = await openOn(new MemoryDisk());
  const sequence = log.append(note('last'));
  await log.close();
  assert.equal(log.durableCount, sequence + 1);
  await log.durable(sequence);
  assert.throws(() => log.append(note('late')), isUnavailable);
  await log.close();
});

test('a sequence that was never given out has no durability', async () => {
  const log = await openOn(new MemoryDisk());
  await assert.rejects(log.durable(0), RangeError);
  await log.close();
});

const decided: AuditRecord & { readonly type: 'operation.decided' } = {
  type: 'operation.decided',
  session: 's',
  operation: 's-1',
  target: 'orders',
  principal: 'ci|a',
  decision: 'allow',
  policies: [],
  acts: [],
  facts: {},
  text: 'SELECT ?',
  text_exact: false,
  data_classes: [],
  pure_read: true,
};

function isUnavailable(error: unknown): boolean {
  return error instanceof GatewayFault && error.code === 'audit-unavailable';
}

const principal = {
  issuer: 'github',
  issuer_url: 'https://token.example',
  subject: 'repo:a',
  kind: 'agent',
  groups: [],
  groups_known: true,
  claims: {},
  display: 'a',
  token_id: 't',
  token_expires: '2026-09-21T14:13:20.000Z',
};
