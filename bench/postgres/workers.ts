import { availableParallelism } from 'node:os';
import { heading, number, progress, progressDone, table } from '../parts/report.ts';
import { median } from '../parts/statistics.ts';
import { measure, type QueryMode, type Run } from './pgbench.ts';
import type { World } from './world.ts';

export interface WorkerFigures {
  readonly mode: QueryMode;
  readonly clients: number;
  readonly one: Run;
  readonly two: Run;
  /** Median of the rounds' own ratios. */
  readonly ratio: number;
  /** The most that the ratio can be here, where clients and database need their share of the same cores. */
  readonly most: number;
}

/** Two workers beside one process, in turn. The database is no limit as long as `most` is near 2: see `mostHere`. */
export async function benchWorkers(
  world: World,
  options: { readonly rounds: number; readonly seconds: number },
): Promise<readonly WorkerFigures[]> {
  const two = await world.workersPath(2);
  const one = await world.workersPath(1);
  const figures: WorkerFigures[] = [];
  for (const mode of modes) {
    progress(`warming up, ${mode}`);
    for (const path of [one, two]) await measure(path, mode, clients, warmUpSeconds);
    const runs: { readonly one: Run; readonly two: Run; readonly direct: Run }[] = [];
    for (let round = 0; round < options.rounds; round += 1) {
      progress(`workers, ${mode}: round ${round + 1} of ${options.rounds}`);
      const direct = await measure(world.path('direct'), mode, clients, options.seconds);
      const run = (path: typeof one): Promise<Run> => measure(path, mode, clients, options.seconds);
      if (round % 2 === 0) runs.push({ direct, one: await run(one), two: await run(two) });
      else {
        const first = await run(two);
        runs.push({ direct, one: await run(one), two: first });
      }
    }
    const middle = (of: (one: (typeof runs)[number]) => number): number => median(runs.map(of));
    const summary = (of: 'one' | 'two'): Run => ({
      perSecond: middle((run) => run[of].perSecond),
      p50Us: middle((run) => run[of].p50Us),
      p99Us: middle((run) => run[of].p99Us),
      cpuUs: middle((run) => run[of].cpuUs),
    });
    const ratio = middle((run) => run.two.perSecond / run.one.perSecond);
    figures.push({ mode, clients, one: summary('one'), two: summary('two'), ratio, most: middle(mostHere) });
  }
  progressDone();
  return figures;
}

export function printWorkers(figures: readonly WorkerFigures[]): void {
  heading('Two workers ÷ one process (pgbench -S, medians)');
  const rows = figures.map(({ mode, clients: count, one, two, ratio, most }) => [
    mode,
    String(count),
    number(one.perSecond),
    number(two.perSecond),
    number(one.cpuUs / 1_000, 3),
    number(two.cpuUs / 1_000, 3),
    number(ratio, 2),
    number(most, 2),
  ]);
  table(['protocol', 'clients', 'one/s', 'two/s', 'CPU s/1,000', 'CPU s/1,000 of two', 'two ÷ one', 'at most here'], rows);
}

/**
 * One process uses one core. Two workers share all cores with clients and database, which need what a statement costs without a gateway: all cores'
 * time by the statements that go through directly.
 */
function mostHere({ one, direct }: { readonly one: Run; readonly direct: Run }): number {
  const cores = availableParallelism();
  const elsewhereUs = (cores * 1e6) / direct.perSecond;
  return Math.min(2, (cores * one.cpuUs) / (one.cpuUs + elsewhereUs));
}

const modes: readonly QueryMode[] = ['simple', 'extended'];
const clients = 32;
const warmUpSeconds = 5;
