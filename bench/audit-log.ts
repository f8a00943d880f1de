import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import type { AuditLog } from '../src/audit/index.ts';
import { benchLog, completed, decided, openedLog, printLog } from './postgres/log.ts';

/**
 * The audit log by itself: what the two records of a statement cost, checkpoints included, and how many records a second it makes durable and verifies. CPU time of
 * all threads and of the main thread, the best of many short runs: on a machine with other work only that says anything.
 *
 *     node bench/audit-log.ts [--append]
 */
const STATEMENTS = 4_000;
const RUNS = 20;
const A_TURN = 8;

async function append(log: AuditLog, who: string, wait: (done: number, decidedAs: number) => unknown): Promise<void> {
  let bestCpu = Infinity;
  let bestMain = Infinity;
  for (let run = 0; run < RUNS; run += 1) {
    const cpu = process.cpuUsage();
    const main = process.threadCpuUsage();
    for (let done = 0; done < STATEMENTS; done += 1) {
      const sequence = log.append(decided(done));
      await wait(done, sequence);
      log.append(completed(done));
    }
    await log.checkpoint();
    bestCpu = Math.min(bestCpu, total(process.cpuUsage(cpu)));
    bestMain = Math.min(bestMain, total(process.threadCpuUsage(main)));
  }
  const figures = [bestCpu, bestMain].map((us) => (us / STATEMENTS).toFixed(2));
  console.log(`two records, ${who}: ${figures[0]} µs CPU, ${figures[1]} of them in the main thread`);
}

function total({ user, system }: { readonly user: number; readonly system: number }): number {
  return user + system;
}

const folder = mkdtempSync(join(tmpdir(), 'sallyport-bench-'));
try {
  const log = await openedLog(join(folder, 'append'), 'process');
  await append(log, `${A_TURN} statements a turn`, (done) => (done % A_TURN === 0 ? turn() : undefined));
  await append(log, 'each statement waits', (_, sequence) => log.durable(sequence));
  await log.close();
  if (!process.argv.includes('--append')) printLog(await benchLog({ folder }, { rounds: 5, seconds: 2, verified: 100_000 }));
} finally {
  rmSync(folder, { recursive: true });
}
