import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync } from 'node:fs';
import { getPriority, tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import type { WholeFile } from './file-system.ts';
import { localDisk } from './file-system.ts';
import { FileThread } from './file-thread.ts';

const folder = mkdtempSync(join(tmpdir(), 'audit-files-'));
after(() => rmSync(folder, { recursive: true }));

for (const count of [1, 100]) {
  test(`files are written whole, in place of earlier ones, for their owner only (${count})`, async () => {
    const at = join(folder, `whole-${count}`);
    mkdirSync(at);
    for (const round of [1, 2]) {
      const files = someFiles(at, count, round);
      await localDisk.writeFiles(files, [at]);
      assert.deepEqual(readdirSync(at).sort(), files.map((_, i) => String(i)).sort());
      for (const { bytes, path } of files) {
        assert.deepEqual(readFileSync(path), Buffer.from(bytes));
        assert.equal(statSync(path).mode & 0o777, 0o600);
      }
    }
  });

  test(`an error of the disk is the call's own, with its code, and the next call is served (${count})`, async () => {
    const at = join(folder, `error-${count}`);
    mkdirSync(join(at, 'missing'), { recursive: true });
    const files = someFiles(at, count, 1);
    const broken = [...files.slice(0, -1), { path: join(at, 'nowhere', 'file'), bytes: Buffer.of(1) }, ...files.slice(-1)];
    const calls = [
      localDisk.writeFiles(files.slice(0, -1), [at]),
      localDisk.writeFiles(broken, [at]),
      localDisk.writeFiles(files.slice(0, -1), [at]),
    ];
    const [first, second, third] = await Promise.allSettled(calls);
    assert.deepEqual([first?.status, second?.status, third?.status], ['fulfilled', 'rejected', 'fulfilled']);
    const { code, message } = (second as PromiseRejectedResult).reason as NodeJS.ErrnoException;
    assert.equal(code, 'ENOENT');
    assert.match(message, /nowhere/);
    assert.equal(readdirSync(at).includes(String(count - 1)), false, 'nothing behind the error is written');
    await assert.rejects(localDisk.writeFiles(someFiles(at, count, 2), [join(at, 'no-folder')]), { code: 'ENOENT' });
  });
}

test('only what a view shows of shared memory is written', async () => {
  const bytes = Buffer.from(new SharedArrayBuffer(64)).fill('x');
  bytes.write('shown', 10);
  const files = Array.from({ length: 20 }, (_, i) => ({ path: join(folder, `view-${i}`), bytes: bytes.subarray(10, 15) }));
  await localDisk.writeFiles(files, [folder]);
  for (const { path } of files) assert.equal(readFileSync(path, 'utf8'), 'shown');
});

test('a thread that ends fails what it was given and whatever comes, and leaves no call without an answer', async () => {
  const ends = new FileThread(new URL(`data:text/javascript,${encodeURIComponent(ENDS_AT_FIRST_MESSAGE)}`));
  for (let i = 0; i < 2; i++) {
    const calls = [ends.write([], []), ends.write([], [])];
    for (const call of calls) await assert.rejects(call, /the thread that writes files has ended/);
  }
  const throws = new FileThread(new URL(`data:text/javascript,throw new Error('no thread')`));
  await assert.rejects(throws.write([], []), /no thread/);
});

function someFiles(at: string, count: number, round: number): WholeFile[] {
  return Array.from({ length: count }, (_, i) => ({ path: join(at, String(i)), bytes: Buffer.alloc(i * 1_000, round) }));
}

const ENDS_AT_FIRST_MESSAGE = `import { parentPort } from 'node:worker_threads'; parentPort.once('message', () => process.exit());`;

test('sessions come first where the thread shares a core with them', { skip: process.platform !== 'linux' }, async () => {
  const at = join(folder, 'priority');
  mkdirSync(at);
  await localDisk.writeFiles(someFiles(at, 100, 1), [at]);
  const threads = readdirSync('/proc/self/task').map((id) => ({
    name: readFileSync(`/proc/self/task/${id}/comm`, 'utf8').trim(),
    // proc(5): the 19th field; what stands in parentheses may have spaces.
    nice: Number(
      readFileSync(`/proc/self/task/${id}/stat`, 'utf8')
        .replace(/^.*\) /s, '')
        .split(' ')[16],
    ),
  }));
  assert.deepEqual(
    threads.filter(({ name }) => name === 'audit files').map(({ nice }) => nice),
    [Math.min(getPriority() + 5, 19)],
  );
  assert.equal(threads.find(({ name }) => name !== 'audit files')?.nice, getPriority());
});
