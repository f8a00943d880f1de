import { heading, number, progress, progressDone, table } from '../parts/report.ts';
import { median } from '../parts/statistics.ts';
import { rawClient } from './client.ts';
import type { Path, World } from './world.ts';

export interface BulkRun {
  readonly megabytesPerSecond: number;
  /** CPU of the program in between, seconds a gigabyte. */
  readonly cpuPerGigabyte: number;
  readonly megabytes: number;
}

export interface BulkFigures extends BulkRun {
  readonly name: string;
  /** Medians of the rounds' own ratios. */
  readonly toHaproxy: number;
  readonly toUnmasked: number;
  readonly runs: readonly BulkRun[];
}

/** One large result, read over every way by a client that discards it; CPU of the client is 0.3 s a gigabyte, so it is no limit. */
export async function benchBulk(world: World, rounds: number): Promise<readonly BulkFigures[]> {
  const ways: readonly { readonly name: string; readonly path: Path; readonly table: string }[] = [
    { name: 'direct', path: world.path('direct'), table: 'ledger' },
    { name: haproxy, path: world.path('haproxy'), table: 'ledger' },
    { name: 'pgbouncer', path: world.path('pgbouncer'), table: 'ledger' },
    { name: relay, path: world.path('node relay'), table: 'ledger' },
    { name: unmasked, path: world.path('sallyport process', 'analyst'), table: 'ledger' },
    { name: masked, path: world.path('sallyport process', 'columns-only'), table: 'ledger' },
    { name: searched, path: world.path('sallyport process', 'job'), table: 'open_ledger' },
    { name: both, path: world.path('sallyport process', 'job'), table: 'ledger' },
  ];
  const runs = ways.map((): BulkRun[] => []);
  for (let round = 0; round < rounds; round += 1) {
    for (const [index, way] of ways.entries()) {
      progress(`large result, round ${round + 1} of ${rounds}: ${way.name}`);
      runs[index]?.push(await measure(way.path, way.table));
    }
  }
  progressDone();
  const of = (name: string): readonly BulkRun[] => runs[ways.findIndex((way) => way.name === name)] ?? [];
  return ways.map(({ name }) => {
    const own = of(name);
    const ratio = (other: string): number =>
      median(own.map((run, round) => run.megabytesPerSecond / (of(other)[round]?.megabytesPerSecond ?? Number.NaN)));
    return {
      name,
      megabytes: median(own.map((run) => run.megabytes)),
      megabytesPerSecond: median(own.map((run) => run.megabytesPerSecond)),
      cpuPerGigabyte: median(own.map((run) => run.cpuPerGigabyte)),
      toHaproxy: ratio(haproxy),
      toUnmasked: ratio(unmasked),
      runs: own,
    };
  });
}

export function printBulk(figures: readonly BulkFigures[]): void {
  heading('One large result: rows of 124 bytes');
  const rows = figures.map((one) => [
    one.name,
    number(one.megabytes),
    number(one.megabytesPerSecond),
    one.name === 'direct' ? '–' : number(one.cpuPerGigabyte, 2),
    number(one.toHaproxy, 2),
    number(one.toUnmasked, 2),
  ]);
  table(['way', 'MB', 'MB/s', 'CPU s/GB', '÷ HAProxy', '÷ unmasked'], rows);
}

/** Rows are asked for four times over, so that the table stays small. */
async function measure(path: Path, from: string): Promise<BulkRun> {
  const client = await rawClient(path);
  try {
    await client.run('select 1');
    const cpu = path.program?.cpuSeconds() ?? 0;
    const begin = performance.now();
    const { bytes, tag } = await client.run(`select id, account, owner, payee, memo from ${from}, four`);
    const seconds = (performance.now() - begin) / 1_000;
    if (!/^SELECT \d+$/.test(tag)) throw new Error(`${path.name}: the result did not come whole (${tag})`);
    const megabytes = bytes / 1e6;
    return {
      megabytes,
      megabytesPerSecond: megabytes / seconds,
      cpuPerGigabyte: ((path.program?.cpuSeconds() ?? 0) - cpu) / (megabytes / 1e3),
    };
  } finally {
    client.close();
  }
}

const haproxy = 'haproxy';
export const relay = 'node relay';
export const unmasked = 'sallyport, nothing to mask';
export const masked = 'sallyport, one text column masked';
const searched = 'sallyport, text searched by three detectors';
const both = 'sallyport, column masked and text searched';
