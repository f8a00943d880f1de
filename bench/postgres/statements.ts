import { heading, number, progress, progressDone, table } from '../parts/report.ts';
import { median } from '../parts/statistics.ts';
import { fdatasyncUs } from './disk.ts';
import { measure, type QueryMode, type Run } from './pgbench.ts';
import { pathNames, type PathName, type World } from './world.ts';

export interface StatementFigures {
  readonly cases: readonly CaseFigures[];
  /** Median, of the same file system, taken between the runs with one client. */
  readonly fdatasyncUs: number;
}

export interface CaseFigures {
  readonly mode: QueryMode;
  readonly clients: number;
  readonly paths: Readonly<Record<PathName, PathFigures>>;
}

export interface PathFigures extends Run {
  /** Medians of the rounds' own ratios, so that what slows a whole round down does not count. */
  readonly toDirect: number;
  readonly toPgbouncer: number;
  readonly runs: readonly Run[];
}

export interface StatementOptions {
  readonly rounds: number;
  readonly seconds: number;
  readonly modes: readonly QueryMode[];
  readonly clients: readonly number[];
}

/** `pgbench -S` over every path, in turn, in every round in another order. */
export async function benchStatements(world: World, options: StatementOptions): Promise<StatementFigures> {
  const cases = options.modes.flatMap((mode) => options.clients.map((clients) => ({ mode, clients })));
  const runs = new Map<string, Run[]>();
  const syncs: number[] = [];
  progress('warming up');
  for (const mode of options.modes) for (const name of compiledAsTheyRun) await measure(world.path(name), mode, 8, warmUpSeconds);
  let done = 0;
  for (let round = 0; round < options.rounds; round += 1) {
    for (const { mode, clients } of cases) {
      if (clients === 1) syncs.push(fdatasyncUs(world.folder));
      for (const name of turned(pathNames, round)) {
        done += 1;
        progress(`${done} of ${options.rounds * cases.length * pathNames.length}: ${mode}, ${clients} clients, ${name}`);
        const run = await measure(world.path(name), mode, clients, options.seconds);
        const key = `${mode} ${clients} ${name}`;
        runs.set(key, [...(runs.get(key) ?? []), run]);
      }
    }
  }
  progressDone();
  const figures = cases.map(({ mode, clients }): CaseFigures => {
    const of = (name: PathName): readonly Run[] => runs.get(`${mode} ${clients} ${name}`) ?? [];
    const paths = Object.fromEntries(pathNames.map((name) => [name, summary(of(name), of('direct'), of('pgbouncer'))]));
    return { mode, clients, paths: paths as Record<PathName, PathFigures> };
  });
  return { cases: figures, fdatasyncUs: median(syncs) };
}

export function printStatements(figures: StatementFigures): void {
  heading('pgbench -S: statements a second, latency, CPU of the program in between (medians)');
  const rows = figures.cases.flatMap(({ mode, clients, paths }) =>
    pathNames.map((name) => {
      const { perSecond, p50Us, p99Us, cpuUs, toDirect, toPgbouncer } = paths[name];
      const cpu = name === 'direct' ? '–' : number(cpuUs / 1_000, 3);
      return [
        mode,
        String(clients),
        name,
        number(perSecond),
        number(p50Us),
        number(p99Us),
        cpu,
        number(toDirect, 2),
        number(toPgbouncer, 2),
      ];
    }),
  );
  table(['protocol', 'clients', 'way', 'per second', 'p50 µs', 'p99 µs', 'CPU s/1,000', '÷ direct', '÷ pgbouncer'], rows, new Set([0, 2]));
}

function summary(runs: readonly Run[], direct: readonly Run[], pgbouncer: readonly Run[]): PathFigures {
  const middle = (of: (run: Run) => number): number => median(runs.map(of));
  const ratio = (others: readonly Run[]): number =>
    median(runs.map((run, round) => run.perSecond / (others[round]?.perSecond ?? Number.NaN)));
  return {
    perSecond: middle((run) => run.perSecond),
    p50Us: middle((run) => run.p50Us),
    p99Us: middle((run) => run.p99Us),
    cpuUs: middle((run) => run.cpuUs),
    toDirect: ratio(direct),
    toPgbouncer: ratio(pgbouncer),
    runs,
  };
}

function turned<T>(values: readonly T[], by: number): readonly T[] {
  const at = (by * 2) % values.length;
  return [...values.slice(at), ...values.slice(0, at)];
}

const compiledAsTheyRun: readonly PathName[] = ['sallyport process', 'sallyport disk'];
const warmUpSeconds = 3;
