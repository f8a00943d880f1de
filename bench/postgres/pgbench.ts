import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { percentile } from '../parts/statistics.ts';
import type { Path } from './world.ts';

export type QueryMode = 'simple' | 'extended' | 'prepared';

export interface Run {
  readonly perSecond: number;
  readonly p50Us: number;
  readonly p99Us: number;
  /** CPU of the program in between, microseconds a statement, once all clients are connected; 0 on the direct way. */
  readonly cpuUs: number;
}

/**
 * One run of `pgbench -S`. Latencies come from its per-transaction log, of which it writes a tenth for many clients. CPU is read when
 * its progress lines come, so that sign-in is no part of it.
 */
export async function measure(path: Path, mode: QueryMode, clients: number, seconds: number): Promise<Run> {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-pgbench-'));
  try {
    const cpu: number[] = [];
    const rates: number[] = [];
    const output = await runPgbench(
      path,
      [
        '-Sn',
        `--protocol=${mode}`,
        `--client=${clients}`,
        `--jobs=${Math.min(clients, 2)}`,
        `--time=${seconds}`,
        '--progress=1',
        '--log',
        `--log-prefix=${join(folder, 'log')}`,
        `--sampling-rate=${clients === 1 ? 1 : 0.1}`,
      ],
      (progress) => {
        const rate = /^progress: [\d.]+ s, ([\d.]+) tps/.exec(progress)?.[1];
        if (rate === undefined) return;
        rates.push(Number(rate));
        cpu.push(path.program?.cpuSeconds() ?? 0);
      },
    );
    const perSecond = Number(/tps = ([\d.]+) \(without/.exec(output)?.[1] ?? Number.NaN);
    const latencies = readdirSync(folder).flatMap((name) => latenciesOf(readFileSync(join(folder, name), 'utf8')));
    const statements = rates.slice(1).reduce((sum, rate) => sum + rate, 0);
    const cpuUs = (((cpu.at(-1) ?? 0) - (cpu[0] ?? 0)) / statements) * 1e6;
    return { perSecond, p50Us: percentile(latencies, 0.5), p99Us: percentile(latencies, 0.99), cpuUs };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Runs pgbench; its standard output. `onProgress` gets the lines of standard error. Throws where it fails. */
export function runPgbench(
  path: Pick<Path, 'port' | 'database' | 'user' | 'password'>,
  parameters: readonly string[],
  onProgress: (line: string) => void = () => {},
): Promise<string> {
  const connection = ['-h', '127.0.0.1', '-p', String(path.port), '-U', path.user, path.database];
  const child = spawn(binary, [...parameters, ...connection], {
    env: { PATH: process.env.PATH, LC_ALL: 'C', PGPASSWORD: path.password, PGSSLMODE: 'disable', PGGSSENCMODE: 'disable' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const kill = (): void => void child.kill('SIGKILL');
  process.once('exit', kill);
  let output = '';
  let errors = '';
  child.stdout.on('data', (text: Buffer) => (output += text.toString()));
  child.stderr.on('data', (text: Buffer) => {
    errors += text.toString();
    for (const line of text.toString().split('\n')) onProgress(line);
  });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (status) => {
      process.off('exit', kill);
      if (status === 0) resolve(output);
      else reject(new Error(`pgbench ended with ${status}:\n${errors.slice(-2_000)}`));
    });
  });
}

/** The third field of each line, microseconds (pgbench's manual page, "Per-Transaction Logging"). */
function latenciesOf(log: string): number[] {
  return log
    .split('\n')
    .filter((text) => text !== '')
    .map((text) => Number(text.split(' ', 3)[2]));
}

const binary = '/usr/lib/postgresql/15/bin/pgbench';
