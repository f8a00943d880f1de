import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from '../../conformance/harness.ts';
import { ensureDebian } from '../../conformance/parts/debian.ts';
import { kubectlVersions, type KubectlVersion } from '../../conformance/parts/kubectl.ts';
import { heading, line, number, progress, progressDone, table } from '../parts/report.ts';
import { median } from '../parts/statistics.ts';
import { benchWays, startBenchWorld, type BenchWay, type BenchWorld } from './world.ts';

export interface KubernetesBenchOptions {
  readonly quick: boolean;
  /** How often everything is measured, the ways one after the other each time. */
  readonly rounds: number;
  /** CPU profiles of the gateway go there. */
  readonly profileFolder: string | undefined;
  readonly onClose: (close: () => Promise<void>) => void;
}

/** What kubectl's users wait for, directly, through the gateway and through nginx and HAProxy, in one run: a command in a pod, and a large log. */
export async function benchKubernetes(options: KubernetesBenchOptions): Promise<unknown> {
  ensureDebian(['python3']);
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-bench-kubernetes-'));
  options.onClose(async () => rmSync(folder, { recursive: true, force: true }));
  const megabytes = options.quick ? 50 : 400;
  progress('a cluster, a gateway, nginx and HAProxy');
  const world = await startBenchWorld(folder, megabytes, options.profileFolder, options.onClose);
  await eventually('the log', async () => {
    const { stdout } = await world.kubectl('1.32', 'direct').run(['logs', 'talk', '--tail=1']);
    return stdout.includes('written') ? true : undefined;
  });
  const figures = { exec: await exec(world, options), logs: await logs(world, options, megabytes) };
  progressDone();
  return figures;
}

/** The whole of `kubectl exec web -- true`, kubectl's own start included. */
async function exec(world: BenchWorld, { rounds }: KubernetesBenchOptions): Promise<unknown> {
  const found = await measured(benchWays, kubectlVersions, rounds * 5, 'exec', async (version, way) => {
    const started = performance.now();
    const ran = await world.kubectl(version, way).run(['exec', 'web', '--', 'true']);
    if (ran.status !== 0) throw new Error(`kubectl exec, ${way}: ${ran.stderr}`);
    return performance.now() - started;
  });
  progressDone();
  heading('kubectl exec, ms from start to end (goal: at most 1.3 of direct)');
  show(found, kubectlVersions);
  return Object.fromEntries(found);
}

async function logs(world: BenchWorld, { rounds }: KubernetesBenchOptions, megabytes: number): Promise<unknown> {
  const all: Record<string, unknown> = {};
  const spent = new Map<string, number[]>();
  for (const [client, read] of [
    ['kubectl', (way) => world.kubectl('1.32', way).silent(['logs', 'talk'])],
    ['curl', (way) => world.curl(way, '/api/v1/namespaces/default/pods/talk/log')],
  ] as const satisfies readonly (readonly [string, (way: BenchWay) => Promise<number | null>])[]) {
    const found = await measured(benchWays, ['1.32'], rounds, `logs, ${client}`, async (_, way) => {
      const program = world.between(way);
      const before = program?.cpuSeconds() ?? 0;
      const started = performance.now();
      const status = await read(way);
      if (status !== 0) throw new Error(`${client} for logs, ${way}: status ${status}`);
      const megabytesPerSecond = (megabytes * 1_000) / (performance.now() - started);
      if (program !== undefined) {
        const key = `${client} ${way}`;
        spent.set(key, [...(spent.get(key) ?? []), ((program.cpuSeconds() - before) * 1_000) / megabytes]);
      }
      return megabytesPerSecond;
    });
    progressDone();
    heading(`logs of ${megabytes} MB with ${client}, MB/s (goal: at least 0.8 of direct)`);
    show(found, ['1.32']);
    all[client] = Object.fromEntries(found);
  }
  heading('CPU of what stands between, ms for each MB of log');
  table(
    ['', 'median'],
    [...spent].map(([key, values]) => [key, number(median(values.slice(1)), 1)]),
  );
  line('');
  return { ...all, spent: Object.fromEntries(spent) };
}

type Measured = ReadonlyMap<string, readonly number[]>;

/** Each way once in every round, so that what else the machine does falls on all of them. */
async function measured(
  ways: readonly BenchWay[],
  versions: readonly KubectlVersion[],
  rounds: number,
  what: string,
  measure: (version: KubectlVersion, way: BenchWay) => Promise<number>,
): Promise<Measured> {
  const found = new Map<string, number[]>();
  for (let round = 0; round <= rounds; round += 1) {
    for (const version of versions) {
      for (const way of ways) {
        progress(`${what}: kubectl ${version}, ${way}, ${round} of ${rounds}`);
        const value = await measure(version, way);
        // The first time is for caches: kubectl's own of what there is, and of compiled code.
        if (round === 0) continue;
        const key = `${version} ${way}`;
        found.set(key, [...(found.get(key) ?? []), value]);
      }
    }
  }
  return found;
}

/** Ratios are medians of the ratios of each round. */
function show(found: Measured, versions: readonly KubectlVersion[]): void {
  const rows = versions.flatMap((version) => {
    const direct = found.get(`${version} direct`) ?? [];
    return [...found]
      .filter(([key]) => key.startsWith(`${version} `))
      .map(([key, values]) => {
        const ratios = values.map((value, round) => value / (direct[round] ?? Number.NaN));
        return [key, number(median(values)), number(median(ratios), 2)];
      });
  });
  table(['', 'median', '÷ direct'], rows);
  line('');
}
