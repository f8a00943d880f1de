import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { readLeaves, tileFile, treeRoot, leafHash } from './forge.test.ts';
import { buildLog, scratch } from './harness.test.ts';
import { verifyLog } from './index.ts';

for (const size of [0, 1, 255, 256, 257, 512, 1000]) {
  test(`a log of ${size} records is whole, and its root is that of its leaves`, async () => {
    const log = await buildLog(await scratch(), size, 200);
    const recordings = join(log.root, 'recordings');
    for (const note of [undefined, ...log.checkpoints.values()]) {
      const known = note === undefined ? {} : { knownCheckpoint: note };
      const report = await verifyLog({ folder: log.folder, publicKey: log.key, recordings, ...known });
      assert.deepEqual(report.problems, []);
      assert.deepEqual([report.ok, report.size, report.records, report.uncheckpointed], [true, size, size, 0]);
      assert.equal(report.knownCheckpoint, note === undefined ? 'none' : 'contained');
      const leaves = await readLeaves(log.folder, size);
      assert.equal(report.root, treeRoot(leaves.map(leafHash)).toString('base64'));
    }
  });
}

test('a log of 70,000 records: tiles of three levels, each of which matters', async () => {
  const size = 70_000;
  const log = await buildLog(await scratch(), size, 6000);
  const whole = await verifyLog({ folder: log.folder, publicKey: log.key });
  assert.deepEqual([whole.problems, whole.size], [[], size]);
  const files = [
    tileFile(0, 200, 256),
    tileFile(0, 273, 112),
    tileFile(1, 0, 256),
    tileFile(1, 1, 17),
    tileFile(2, 0, 1),
    tileFile('entries', 255, 256),
  ];
  const contents = new Map<string, Buffer>();
  for (const file of files) {
    const bytes = await readFile(join(log.folder, file));
    contents.set(file, Buffer.from(bytes));
    bytes[21]! ^= 0x40;
    await writeFile(join(log.folder, file), bytes);
  }
  const altered = await verifyLog({ folder: log.folder, publicKey: log.key });
  assert.deepEqual(
    altered.problems.map(({ kind, where }) => `${kind} ${files.find((file) => where.includes(file))}`).sort(),
    files.map((file) => `altered ${file}`).sort(),
  );
  for (const file of files) await rm(join(log.folder, file));
  const gone = await verifyLog({ folder: log.folder, publicKey: log.key });
  for (const file of files)
    assert.ok(
      gone.problems.some(({ kind, where }) => kind === 'missing' && where === file),
      file,
    );
  for (const [file, bytes] of contents) await writeFile(join(log.folder, file), bytes);
  assert.equal((await verifyLog({ folder: log.folder, publicKey: log.key })).ok, true);
});

test('what cannot be verified at all is an error, not a report', async () => {
  const log = await buildLog(await scratch(), 3);
  await assert.rejects(verifyLog({ folder: join(log.root, 'nowhere') }), /ENOENT/);
  await assert.rejects(verifyLog({ folder: join(log.root, 'log.key') }), /not a folder/);
  await assert.rejects(verifyLog({ folder: log.folder, publicKey: 'no key' }), /name\+id\+base64/);
  await assert.rejects(verifyLog({ folder: log.folder, recordings: join(log.root, 'nowhere') }), /ENOENT/);
});

test('an empty folder, and a log of another name, are not whole', async () => {
  const log = await buildLog(await scratch(), 3);
  const empty = await verifyLog({ folder: await scratch(), publicKey: log.key });
  assert.equal(empty.ok, false);
  const unkeyed = await verifyLog({ folder: await scratch() });
  assert.deepEqual([unkeyed.ok, unkeyed.key], [false, '']);
  const renamed = await verifyLog({ folder: log.folder, publicKey: log.key, origin: 'another.example/log' });
  assert.ok(renamed.problems.some(({ kind }) => kind === 'forged-checkpoint'));
});

test('the command: exit code, words for people, JSON', async () => {
  const log = await buildLog(await scratch(), 300);
  const kept = join(log.root, 'kept');
  await writeFile(kept, log.checkpoints.get(300)!);
  const recordings = join(log.root, 'recordings');
  const whole = await run(log.folder, '--key', log.key, '--checkpoint', kept, '--recordings', recordings);
  assert.equal(whole.code, 0);
  assert.match(whole.stdout, /^complete, unaltered: 300 records signed by 2 checkpoints; contains the kept checkpoint\n/);

  const copy = join(log.root, 'copy');
  await cp(log.folder, copy, { recursive: true });
  const bundle = join(copy, 'tile/entries/000');
  const bytes = await readFile(bundle);
  bytes[500]! ^= 1;
  await writeFile(bundle, bytes);
  const altered = await run(copy, '--key', join(copy, 'log.pub'), '--json');
  assert.equal(altered.code, 1);
  const report = JSON.parse(altered.stdout);
  assert.deepEqual([report.ok, report.keyPinned, report.problems.length], [false, true, 1]);

  assert.equal((await run('--help')).code, 0);
  for (const wrong of [[], [log.folder, log.folder], [log.folder, '--nonsense'], [log.folder, '--key', join(log.root, 'nowhere')]]) {
    const { code, stderr, stdout } = await run(...wrong);
    assert.deepEqual([code, stdout], [2, ''], wrong.join(' '));
    assert.match(stderr, /hint/);
  }
  const unreadable = await run(join(log.root, 'nowhere'));
  assert.equal(unreadable.code, 1);
  assert.match(unreadable.stderr, /ENOENT/);
});

async function run(...args: string[]): Promise<{ code: number | null; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    const child = execFile(process.execPath, [join(import.meta.dirname, 'main.ts'), ...args], (_error, stdout, stderr) => {
      resolve({ code: child.exitCode, stdout, stderr });
    });
  });
}
