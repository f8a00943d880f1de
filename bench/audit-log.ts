import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { benchLog, completed, decided, openedLog, printLog } from './postgres/log.ts';

/**
 * The audit log by itself: what the two records of a statement cost (CPU time of all threads and of the main thread, the best of seven runs, eight statements to a turn
 * of the event loop, checkpoints included), and how many records a second it makes durable and verifies.
 *
 *     node bench/audit-log.ts [--append]
 */
const STATEMENTS = 20_000;
const A_TURN = 8;
const RUNS = 7;

async function append(folder: string): Promise<void> {
  const log = await openedLog(folder, 'process');
  let bestCpu = Infinity;
  let bestMain = Infinity;
  for (let run = 0, index = 0; run < RUNS; run += 1) {
    const cpu = process.cpuUsage();
    const main = process.threadCpuUsage();
    for (const end = index + STATEMENTS; index < end; index += 1) {
      log.append(decided(index));
      const last = log.append(completed(index));
      if (index % 1_000 === 0) await log.durable(last);
      else if (index % A_TURN === 0) await turn();
    }
    await log.checkpoint();
    bestCpu = Math.min(bestCpu, total(process.cpuUsage(cpu)));
    bestMain = Math.min(bestMain, total(process.threadCpuUsage(main)));
  }
  await log.close();
  console.log(`two records: ${(bestCpu / STATEMENTS).toFixed(2)} µs CPU, ${(bestMain / STATEMENTS).toFixed(2)} of them in the main thread`);
}

function total({ user, system }: { readonly user: number; readonly system: number }): number {
  return user + system;
}

const folder = mkdtempSync(join(tmpdir(), 'sallyport-bench-'));
try {
  await append(join(folder, 'append'));
  if (!process.argv.includes('--append')) printLog(await benchLog({ folder }, { rounds: 5, seconds: 2, verified: 100_000 }));
} finally {
  rmSync(folder, { recursive: true });
}
