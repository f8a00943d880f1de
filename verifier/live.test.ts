import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { cp, mkdir, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate, setTimeout } from 'node:timers/promises';
import { test } from 'node:test';
import { LogFolder } from './files.ts';
import { openLog, scratch, story } from './harness.test.ts';
import { verifyLog } from './index.ts';
import { findSegments } from './journal.ts';
import { Findings } from './report.ts';

/** How often the writer is killed; VERIFIER_KILLS for a longer run. */
const KILLS = Number(process.env['VERIFIER_KILLS'] ?? 4);
/** Set in the process that is to be killed: where it writes its log. */
const WRITER_ROOT = process.env['VERIFIER_WRITER_ROOT'];

function defineTests(): void {
  test('a log that is being written verifies at every moment, and contains every checkpoint it has given out', async () => {
    const root = await scratch();
    const log = await openLog(root, { durability: 'disk', limits: RESTLESS });
    const stop = new AbortController();
    let kept = await log.checkpoint();
    const writer = (async () => {
      const records = story(join(root, 'recordings'), 0);
      for (let count = 1; !stop.signal.aborted; count += 1) {
        const sequence = log.append((await records.next()).value);
        if (count % 50 !== 0) continue;
        await log.durable(sequence);
        if (count % 700 === 0) kept = await log.checkpoint();
        await setImmediate();
      }
    })();
    let size = 0;
    try {
      for (let round = 0; round < 15; round += 1) {
        const report = await verifyLog({ folder: join(root, 'audit'), publicKey: log.verifierKey, knownCheckpoint: kept });
        assert.deepEqual(report.problems, [], `round ${round}, size ${report.size}`);
        assert.ok(report.size >= size && report.knownCheckpoint === 'contained');
        size = report.size;
        await setTimeout(10);
      }
    } finally {
      stop.abort();
      await writer;
    }
    await log.close();
    assert.ok(size > 1000, `the writer was at work (${size})`);
    assert.equal((await verifyLog({ folder: join(root, 'audit') })).records, log.size);
  });

  /** Seen in a loaded run: records "in no segment", of a log of which nothing was missing. */
  test('a segment that is deleted while the journal is listed takes those before it along', async () => {
    const root = await scratch();
    await mkdir(join(root, 'journal'), { recursive: true });
    const names = [0, 100, 200].map((first) => `${String(first).padStart(16, '0')}.journal`);
    for (const name of names) await writeFile(join(root, 'journal', name), name);
    const findings = new Findings();
    class Moving extends LogFolder {
      override async open(name: string) {
        const file = await super.open(name);
        if (name.endsWith(names[0]!)) for (const gone of names.slice(0, 2)) await rm(join(root, 'journal', gone));
        return file;
      }
    }
    const segments = await findSegments(new Moving(root, findings), findings);
    assert.deepEqual(
      segments.map(({ first }) => first),
      [200],
    );
    for (const { file } of segments) await file?.close();
  });

  test('after kill -9 the log verifies as it lies, and again after the next start', async () => {
    const root = await scratch();
    let records = 0;
    let unsigned = 0;
    for (let kill = 0; kill < KILLS; kill += 1) {
      const acknowledged = await writeAndKill(root, 150 + 90 * (kill % 4));
      const report = await verifyLog({ folder: join(root, 'audit') });
      assert.deepEqual(report.problems, [], `kill ${kill}`);
      assert.ok(report.records >= acknowledged, `${acknowledged} records were acknowledged, ${report.records} are there`);
      assert.ok(report.records >= records);
      unsigned += report.uncheckpointed;
      const log = await openLog(root, { limits: RESTLESS });
      await log.close();
      const after = await verifyLog({ folder: join(root, 'audit'), publicKey: log.verifierKey });
      assert.deepEqual(after.problems, [], `start after kill ${kill}`);
      assert.equal(after.uncheckpointed, 0);
      records = after.records;
    }
    assert.ok(unsigned > 0, 'some kill left records that no checkpoint signs');
  });

  test('behind the newest checkpoint: a torn end is a note, whatever lies before a barrier is not', async () => {
    const root = await scratch();
    // With room behind the last record.
    const log = await openLog(root, { durability: 'disk' });
    const records = story(join(root, 'recordings'), 0);
    const append = async (count: number): Promise<void> => {
      for (let left = count; left > 1; left -= 1) log.append((await records.next()).value);
      await log.durable(log.append((await records.next()).value));
    };
    await append(300);
    await log.checkpoint();
    for (let batch = 0; batch < 5; batch += 1) await append(20);
    // As a crash would leave it: the gateway is still running here and never closes the copy.
    const copy = join(root, 'copy');
    await cp(join(root, 'audit'), copy, { recursive: true });
    await log.close();

    const whole = await verifyLog({ folder: copy });
    assert.deepEqual([whole.ok, whole.size, whole.uncheckpointed, whole.tornBytes], [true, 300, 100, 0]);
    assert.match(whole.statement, /100 more durable and not signed yet/);

    const [name] = await readdir(join(copy, 'journal'));
    const file = join(copy, 'journal', name!);
    const reserved = await readFile(file);
    const end = reserved.lastIndexOf('}') + 1;
    assert.ok(end < reserved.length && reserved.subarray(end).every((byte) => byte === 0));
    const bytes = reserved.subarray(0, end);
    await truncate(file, bytes.length - 20);
    const torn = await verifyLog({ folder: copy });
    assert.ok(torn.ok && torn.tornBytes > 0 && torn.uncheckpointed < 100);
    assert.ok(torn.notes.some((note) => note.includes('crash')));

    const inRoom = Buffer.from(reserved);
    await writeFile(file, inRoom.fill(0, end - 20));
    assert.deepEqual(await verifyLog({ folder: copy }), torn, 'room behind the torn end changes nothing');

    const barrier = Buffer.from('00000000ffffffff', 'hex');
    const damaged = Buffer.concat([bytes, barrier]);
    damaged[bytes.length - 30]! ^= 1;
    await writeFile(file, damaged);
    const altered = await verifyLog({ folder: copy });
    assert.deepEqual(
      altered.problems.map(({ kind }) => kind),
      ['altered'],
    );
    await rm(copy, { recursive: true });
  });
}

/** Runs this file as the writer, kills it `afterMs` after its first words, and says how many records it had acknowledged. */
async function writeAndKill(root: string, afterMs: number): Promise<number> {
  const { NODE_TEST_CONTEXT: _context, ...environment } = process.env;
  const child = spawn(process.execPath, [import.meta.filename], {
    env: { ...environment, VERIFIER_WRITER_ROOT: root },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = new Promise((resolve) => child.once('close', resolve));
  let acknowledged = 0;
  let timer: Promise<void> | undefined;
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    acknowledged = Number(text.trimEnd().split('\n').at(-1));
    timer ??= setTimeout(afterMs).then(() => void child.kill('SIGKILL'));
  });
  await ended;
  return acknowledged;
}

async function writeUntilKilled(root: string): Promise<void> {
  const log = await openLog(root, { durability: 'disk', limits: { ...RESTLESS, checkpointRecords: 200, checkpointMs: 60 } });
  const records = story(join(root, 'recordings'), Date.now());
  for (let count = 1; ; count += 1) {
    const sequence = log.append((await records.next()).value);
    if (count % 40 !== 0) continue;
    await log.durable(sequence);
    process.stdout.write(`${sequence + 1}\n`);
  }
}

/** Checkpoints and segments follow each other as fast as they can. */
const RESTLESS = { segmentBytes: 32 * 1024, checkpointRecords: 40, checkpointMs: 5, checkpointSpacingMs: 1 };

if (WRITER_ROOT === undefined) defineTests();
else await writeUntilKilled(WRITER_ROOT);
