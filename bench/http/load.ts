import { execFile } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { percentile } from '../parts/statistics.ts';
import type { Way } from './world.ts';

export interface Load {
  readonly way: Way;
  readonly path: string;
  readonly clients: number;
  readonly requests: number;
  readonly folder: string;
  /** Where the client runs. */
  readonly core: number | undefined;
}

/** What came of it; times in microseconds. */
export interface Loaded {
  readonly perSecond: number;
  readonly p50Us: number;
  readonly p99Us: number;
  /** CPU of the program in between, for each request. NaN where there is none. */
  readonly cpuUs: number;
}

/** So many requests over so many connections that are kept, one at a time on each: h2load with HTTP/1.1. Throws where any is answered with anything but 200. */
export async function load({ way, path, clients, requests, folder, core }: Load): Promise<Loaded> {
  const log = join(folder, 'requests.log');
  rmSync(log, { force: true });
  const headers = way.headers.flatMap((header) => ['-H', header]);
  const parameters = ['--h1', '-t1', `-c${clients}`, `-n${requests}`, `--log-file=${log}`, ...headers, `${way.url}${path}`];
  const [command, rest] = core === undefined ? ['h2load', parameters] : ['taskset', ['-c', String(core), 'h2load', ...parameters]];
  const before = way.program?.cpuSeconds() ?? Number.NaN;
  const { stdout } = await run(command, rest, { timeout: 120_000 });
  const cpu = (way.program?.cpuSeconds() ?? Number.NaN) - before;
  const lines = readFileSync(log, 'utf8').trim().split('\n');
  const failed = lines.filter((one) => one.split('\t')[1] !== '200');
  if (lines.length !== requests || failed.length > 0) {
    throw new Error(
      `${way.name} ${path}: ${lines.length} answers of ${requests}, ${failed.length} of them not 200: ${failed[0] ?? stdout}`,
    );
  }
  const times = lines.map((one) => Number(one.split('\t')[2]));
  const perSecond = Number(/([\d.]+) req\/s/.exec(stdout)?.[1]);
  return { perSecond, p50Us: percentile(times, 0.5), p99Us: percentile(times, 0.99), cpuUs: (cpu / requests) * 1e6 };
}

const run = promisify(execFile);
