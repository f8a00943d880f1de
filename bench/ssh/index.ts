import { spawn } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { connect } from 'node:net';
import ssh2 from 'ssh2';
import { ensureDebian } from '../../conformance/parts/debian.ts';
import { endedCpuSeconds } from '../parts/programs.ts';
import { heading, line, number, progress, progressDone, table } from '../parts/report.ts';
import { median } from '../parts/statistics.ts';
import { startBenchWorld, type BenchWay, type BenchWorld } from './world.ts';

export const sections = ['command', 'multiplexed', 'cat', 'scp', 'upload', 'idle'] as const;
export type Section = (typeof sections)[number];

export interface SshBenchOptions {
  readonly quick: boolean;
  readonly rounds: number;
  readonly sections: readonly Section[];
  readonly profileFolder: string | undefined;
  /** Another checkout, whose gateway is measured beside this one's. */
  readonly gatewayFolder: string | undefined;
  readonly onClose: (close: () => Promise<void>) => void;
}

/** What users of SSH wait for: a command, much output, files; beside OpenSSH alone, through a jump host, and through a relay on the same library that looks at nothing, in one run. */
export async function benchSsh({ quick, rounds, sections: asked, ...options }: SshBenchOptions): Promise<unknown> {
  ensureDebian(['openssh-server', 'openssh-client']);
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-bench-ssh-'));
  options.onClose(async () => rmSync(folder, { recursive: true, force: true }));
  const megabytes = quick ? 100 : 1_000;
  progress('two OpenSSH servers, a relay and a gateway');
  const world = await startBenchWorld({ folder, ...options });
  const big = join(folder, 'big');
  writeBig(big, megabytes);
  const figures: Record<string, unknown> = {};
  const commands = rounds * (quick ? 5 : 10);
  const moved = async (title: string, start: (way: BenchWay) => Promise<void>): Promise<unknown> =>
    showMoved(title, await measured(world, rounds, title, (way) => moving(world, way, megabytes, () => start(way))));
  const scp = (from: string, to: string): Promise<void> => run('scp', ['-q', '-F', world.config, from, to]);
  for (const section of asked) {
    switch (section) {
      case 'command':
        figures['fresh'] = show(
          'ssh … true, each on a connection of its own, ms (goal: at most 1.2 of the jump host)',
          await measured(world, commands, 'a command on a connection of its own', (way) => timed(() => ssh(world, way, ['true']))),
          'jump',
        );
        break;
      case 'multiplexed':
        figures['multiplexed'] = await multiplexed(world, commands);
        break;
      case 'cat':
        figures['cat'] = await moved(`ssh … cat of ${megabytes} MB (goal: at least 0.6 of direct)`, (way) =>
          ssh(world, way, [`cat ${big}`]),
        );
        break;
      case 'scp':
        figures['scp'] = await moved(`scp of ${megabytes} MB from the target`, (way) => scp(`${world.hostOf(way)}:${big}`, '/dev/null'));
        figures['scp-old'] = await moved(`scp -O (the old protocol) of ${megabytes} MB from the target`, (way) =>
          run('scp', ['-O', '-q', '-F', world.config, `${world.hostOf(way)}:${big}`, '/dev/null']),
        );
        break;
      case 'upload':
        figures['upload'] = await moved(`scp of ${megabytes} MB to the target`, (way) => scp(big, `${world.hostOf(way)}:/dev/null`));
        break;
      case 'idle':
        figures['idle'] = await idle(world, quick ? 20 : 100);
        break;
      default:
        section satisfies never;
    }
  }
  return figures;
}

/** One connection, many commands, as Ansible does it. */
async function multiplexed(world: BenchWorld, times: number): Promise<unknown> {
  const masters: Record<string, () => void> = {};
  const socket = (way: BenchWay): string => join(world.folder, `${world.hostOf(way)}.mux`);
  for (const way of world.ways) {
    const master = spawn('ssh', ['-F', world.config, '-M', '-S', socket(way), '-N', world.hostOf(way)], { stdio: 'ignore' });
    masters[way] = () => master.kill('SIGTERM');
    await delay(2_000);
  }
  try {
    const found = await measured(world, times, 'a command on an open connection', (way) =>
      timed(() => run('ssh', ['-F', world.config, '-S', socket(way), world.hostOf(way), 'true'])),
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

type Measured<Value> = ReadonlyMap<BenchWay, readonly Value[]>;

/** Each way once in every round, so that what else the machine does falls on all of them. */
async function measured<Value>(
  world: BenchWorld,
  times: number,
  what: string,
  measure: (way: BenchWay) => Promise<Value>,
): Promise<Measured<Value>> {
  const found = new Map<BenchWay, Value[]>(world.ways.map((way) => [way, []]));
  for (let round = 0; round <= times; round += 1) {
    for (const way of world.ways) {
      progress(`${what}: ${way}, ${round} of ${times}`);
      const value = await measure(way);
      // The first time is for caches and compiled code.
      if (round > 0) found.get(way)!.push(value);
    }
  }
  return found;
}

/** `rate`: MB a second. The others: seconds of CPU a GB, of the client, of what is between, of the target. */
interface Moved {
  readonly rate: number;
  readonly client: number;
  readonly between: number;
  readonly target: number;
}

async function moving(world: BenchWorld, way: BenchWay, megabytes: number, work: () => Promise<void>): Promise<Moved> {
  const [clientBefore, before] = [endedCpuSeconds(), world.cpuSeconds(way)];
  const ms = await timed(work);
  // What ended last is counted when its parent has looked after it.
  await delay(100);
  const after = world.cpuSeconds(way);
  const perGigabyte = (seconds: number): number => (seconds * 1_000) / megabytes;
  return {
    rate: (megabytes * 1_000) / ms,
    client: perGigabyte(endedCpuSeconds() - clientBefore),
    between: perGigabyte(after.between - before.between),
    target: perGigabyte(after.target - before.target),
  };
}

/** Ratios are medians of the ratios of each round. */
function showMoved(title: string, found: Measured<Moved>): unknown {
  progressDone();
  heading(title);
  const reference = found.get('direct')!;
  table(
    ['', 'MB/s', '÷ direct', 'CPU s/GB: client', 'between', 'target', 'all'],
    [...found].map(([way, values]) => {
      const part = (name: 'client' | 'between' | 'target'): number => median(values.map((value) => value[name]));
      return [
        way,
        number(median(values.map(({ rate }) => rate)), 1),
        number(median(values.map(({ rate }, round) => rate / reference[round]!.rate)), 2),
        number(part('client'), 2),
        number(part('between'), 2),
        number(part('target'), 2),
        number(median(values.map(({ client, between, target }) => client + between + target)), 2),
      ];
    }),
  );
  line('');
  return Object.fromEntries(found);
}

/** Ratios are medians of the ratios of each round. */
function show(title: string, found: Measured<number>, beside: BenchWay): unknown {
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

function ssh(world: BenchWorld, way: BenchWay, words: readonly string[]): Promise<void> {
  return run('ssh', ['-F', world.config, world.hostOf(way), ...words]);
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
