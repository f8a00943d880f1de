import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { openAuditLog } from '../index.ts';
import { localDisk } from './file-system.ts';
import { checkFolder, note, options } from './harness.test.ts';

const FOLDER = 'SALLYPORT_TEST_APPEND_TO';

/** The same file is the process that gets killed: it appends as fast as it can and prints each sequence once it is durable. */
const appendTo = process.env[FOLDER];
if (appendTo === undefined) {
  for (const durability of ['disk', 'process'] as const) {
    const step = durability === 'disk' ? 400 : 1_500;
    test(`kill -9 under load, several times: every acknowledged record is there (${durability})`, async () => {
      const data = mkdtempSync(join(tmpdir(), 'audit-kill-'));
      try {
        let acknowledged = 0;
        for (let round = 0; round < 6; round++) {
          acknowledged = await appendUntilKilled(data, durability, acknowledged + step * (round + 1));
          const log = await openAuditLog(at(data, durability));
          assert.ok(log.size >= acknowledged, `${log.size} of ${acknowledged}`);
          await log.close();
          const checked = await checkFolder(localDisk, join(data, 'audit'));
          assert.equal(checked.signed, checked.leaves.length);
          checked.leaves.forEach((leaf, i) => {
            const { event, type } = JSON.parse(leaf) as { event?: string; type: string };
            assert.equal(event ?? type, type === 'log.recovered' ? type : `e${i}`);
          });
          acknowledged = checked.leaves.length;
        }
      } finally {
        rmSync(data, { recursive: true });
      }
    });
  }

  test('files and folders are for their owner only, and a log on a real disk opens again', async () => {
    const data = mkdtempSync(join(tmpdir(), 'audit-modes-'));
    try {
      const log = await openAuditLog(at(data, 'disk'));
      await log.durable(log.append(note('e0')));
      await log.close();
      const files = ['checkpoint', 'checkpoints', 'log.pub', 'tile/0/000.p/1', 'tile/entries/000.p/1', 'journal/0000000000000000.journal'];
      for (const file of [...files.map((name) => `audit/${name}`), 'log-key.pem', 'digest.key'])
        assert.equal(modeOf(join(data, file)), 0o600, file);
      for (const folder of ['', '/tile', '/tile/0/000.p', '/journal', '/bodies'])
        assert.equal(modeOf(join(data, `audit${folder}`)), 0o700, folder);
      const again = await openAuditLog(at(data, 'disk'));
      assert.equal(again.size, 1);
      await assert.rejects(openAuditLog(at(data, 'disk')));
      await again.close();
    } finally {
      rmSync(data, { recursive: true });
    }
  });
} else {
  await appendForever(appendTo);
}

/** Resolves with the number of records that were acknowledged before the process was killed. */
async function appendUntilKilled(data: string, durability: string, target: number): Promise<number> {
  const { NODE_TEST_CONTEXT: _, ...environment } = process.env;
  const child = spawn(process.execPath, [import.meta.filename], {
    env: { ...environment, [FOLDER]: `${durability}:${data}` },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let acknowledged = 0;
  for await (const line of createInterface({ input: child.stdout })) {
    acknowledged = Number(line);
    if (acknowledged >= target) child.kill('SIGKILL');
  }
  assert.ok(acknowledged >= target, 'the process ended by itself');
  return acknowledged;
}

async function appendForever(where: string): Promise<void> {
  const separator = where.indexOf(':');
  const log = await openAuditLog(at(where.slice(separator + 1), where.slice(0, separator) as 'disk' | 'process'));
  const worker = async (): Promise<never> => {
    for (;;) {
      const sequence = log.append(note(`e${nextSequence++}`));
      await log.durable(sequence);
      process.stdout.write(`${log.durableCount}\n`);
    }
  };
  let nextSequence = log.size;
  await log.durable(log.append(note(`e${nextSequence++}`)));
  await Promise.all(Array.from({ length: 16 }, worker));
}

function at(data: string, durability: 'disk' | 'process'): Parameters<typeof openAuditLog>[0] {
  // With 'process' so many for each checkpoint that their files are written by the thread for many.
  const limits = { checkpointRecords: durability === 'disk' ? 100 : 1_500, checkpointSpacingMs: 0, segmentBytes: 50_000 };
  const files = { folder: join(data, 'audit'), privateKeyFile: join(data, 'log-key.pem'), digestKeyFile: join(data, 'digest.key') };
  return options(undefined, { ...files, durability, limits });
}

function modeOf(path: string): number {
  return statSync(path).mode & 0o777;
}
