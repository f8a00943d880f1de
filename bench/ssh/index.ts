import { spawn } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { connect } from 'node:net';
import ssh2 from 'ssh2';
import { ensureDebian } from '../../conformance/parts/debian.ts';
import { heading, line, number, progress, progressDone, table } from '../parts/report.ts';
import { median } from '../parts/statistics.ts';
import { startBenchWorld, ways, type BenchWay, type BenchWorld } from './world.ts';

export interface SshBenchOptions {
  readonly quick: boolean;
  readonly rounds: number;
  readonly profileFolder: string | undefined;
  readonly onClose: (close: () => Promise<void>) => void;
}

/** What users of SSH wait for: a command, and much output; beside OpenSSH alone and through a jump host, in one run. */
export async function benchSsh(options: SshBenchOptions): Promise<unknown> {
  ensureDebian(['openssh-server', 'openssh-client']);
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-bench-ssh-'));
  options.onClose(async () => rmSync(folder, { recursive: true, force: true }));
  const megabytes = options.quick ? 100 : 1_000;
  progress('two OpenSSH servers and a gateway');
  const world = await startBenchWorld(folder, options.profileFolder, options.onClose);
  const big = join(folder, 'big');
  writeBig(big, megabytes);
  const figures: Record<string, unknown> = {};
  const commands = options.rounds * (options.quick ? 5 : 10);
  const fresh = await measured(commands, 'a command, each on a connection of its own', (way) => timed(() => ssh(world, way, ['true'])));
  figures['fresh'] = show('ssh … true, each on a connection of its own, ms (goal: at most 1.2 of the jump host)', fresh, 'jump');
  figures['multiplexed'] = await multiplexed(world, commands);
  const cat = await measured(options.rounds, `cat of ${megabytes} MB`, (way) => rate(megabytes, () => ssh(world, way, [`cat ${big}`])));
  figures['cat'] = show(`ssh … cat of ${megabytes} MB, MB/s (goal: at least 0.6 of direct)`, cat, 'direct');
  const scp = await measured(options.rounds, `scp of ${megabytes} MB`, (way) =>
    rate(megabytes, () => run('scp', ['-q', '-F', world.config, `${way}:${big}`, '/dev/null'])),
  );
  figures['scp'] = show(`scp of ${megabytes} MB, MB/s`, scp, 'direct');
  figures['idle'] = await idle(world, options.quick ? 20 : 100);
  return figures;
}

/** One connection, many commands, as Ansible does it. */
async function multiplexed(world: BenchWorld, times: number): Promise<unknown> {
  const masters: Record<string, () => void> = {};
  const socket = (way: BenchWay): string => join(world.folder, `${way}.mux`);
  for (const way of ways) {
    const master = spawn('ssh', ['-F', world.config, '-M', '-S', socket(way), '-N', way], { stdio: 'ignore' });
    masters[way] = () => master.kill('SIGTERM');
    await delay(2_000);
  }
  try {
    const found = await measured(times, 'a command on an open connection', (way) =>
      timed(() => run('ssh', ['-F', world.config, '-S', socket(way), way, 'true'])),
    );
    return show('ssh … true on an open connection, ms', found, 'jump');
  } finally {
    for (const stop of Object.values(masters)) stop();
  }
}

/** Growth of the gateway's resident memory with sessions that have each run one command and wait; each holds a connection to the target as well. */
async function idle(world: BenchWorld, sessions: number): Promise<unknown> {
  const clients: ssh2.Client[] = [];
  const open = async (count: number): Promise<void> => {
    for (let index = 0; index < count; index += 1) {
      progress(`idle sessions: ${clients.length}`);
      clients.push(await opened(world));
    }
  };
  try {
    await open(Math.ceil(sessions / 5));
    await delay(1_000);
    const before = world.gateway.residentBytes();
    await open(sessions);
    await delay(1_000);
    const kilobytes = (world.gateway.residentBytes() - before) / 1_024 / sessions;
    progressDone();
    heading('Idle sessions');
    table(['held', 'KB a session'], [[number(sessions), number(kilobytes, 1)]]);
    return { sessions, kilobytes };
  } finally {
    for (const client of clients) client.end();
  }
}

function opened({ gatewayPort, privateKey }: BenchWorld): Promise<ssh2.Client> {
  return new Promise((resolve, reject) => {
    const client = new ssh2.Client();
    client.once('error', reject);
    client.once('ready', () => {
      client.exec('true', (error, channel) => {
        if (error === undefined) channel.resume().once('close', () => resolve(client));
        else reject(error);
      });
    });
    client.connect({ sock: connect({ port: gatewayPort, host: '127.0.0.1', noDelay: true }), username: 'box', privateKey });
  });
}

type Measured = ReadonlyMap<BenchWay, readonly number[]>;

/** Each way once in every round, so that what else the machine does falls on all of them. */
async function measured(times: number, what: string, measure: (way: BenchWay) => Promise<number>): Promise<Measured> {
  const found = new Map<BenchWay, number[]>(ways.map((way) => [way, []]));
  for (let round = 0; round <= times; round += 1) {
    for (const way of ways) {
      progress(`${what}: ${way}, ${round} of ${times}`);
      const value = await measure(way);
      // The first time is for caches and compiled code.
      if (round > 0) found.get(way)!.push(value);
    }
  }
  return found;
}

/** Ratios are medians of the ratios of each round. */
function show(title: string, found: Measured, beside: BenchWay): unknown {
  progressDone();
  heading(title);
  const reference = found.get(beside)!;
  table(
    ['', 'median', `÷ ${beside}`],
    [...found].map(([way, values]) => {
      const ratios = values.map((value, round) => value / reference[round]!);
      return [way, number(median(values), 1), number(median(ratios), 2)];
    }),
  );
  line('');
  return Object.fromEntries(found);
}

async function timed(work: () => Promise<void>): Promise<number> {
  const started = performance.now();
  await work();
  return performance.now() - started;
}

async function rate(megabytes: number, work: () => Promise<void>): Promise<number> {
  return (megabytes * 1_000) / (await timed(work));
}

function ssh(world: BenchWorld, way: BenchWay, words: readonly string[]): Promise<void> {
  return run('ssh', ['-F', world.config, way, ...words]);
}

function run(program: string, parameters: readonly string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, parameters, { stdio: ['ignore', 'ignore', 'pipe'] });
    let said = '';
    child.stderr.on('data', (text: Buffer) => (said += text.toString()));
    child.once('error', reject);
    child.once('close', (status) => {
      if (status === 0) resolve();
      else reject(new Error(`${program} ${parameters.join(' ')}: ${status}\n${said}`));
    });
  });
}

/** Lines of text with nothing sensitive in them. */
function writeBig(path: string, megabytes: number): void {
  const text = Buffer.alloc(1_000_000, 'a line of a log in which nothing is worth hiding, which is how most of them are\n');
  const file = openSync(path, 'w');
  for (let count = 0; count < megabytes; count += 1) writeSync(file, text);
  closeSync(file);
}
