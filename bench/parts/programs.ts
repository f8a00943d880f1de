import { spawn, type ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

/** A program that a benchmark runs beside others: what it uses of the machine can be read at any moment. */
export interface Program {
  readonly name: string;
  readonly pid: number;
  /** Seconds of CPU, user and system, of all its threads and processes since it started. */
  cpuSeconds(): number;
  residentBytes(): number;
  stop(): Promise<void>;
}

export interface Launch {
  readonly name: string;
  readonly command: string;
  readonly parameters: readonly string[];
  /** It is up when this port on loopback takes connections. */
  readonly port: number;
  readonly user?: User | undefined;
  readonly cwd?: string;
}

export interface User {
  readonly uid: number;
  readonly gid: number;
}

/** Starts a program and waits for its port. It ends with this process, however that ends, unless by SIGKILL. */
export async function launch(options: Launch): Promise<Program> {
  const { name, command, parameters, port, user, cwd } = options;
  // Detached: Ctrl-C goes to the benchmark, which stops what it started in the right order.
  const child = spawn(command, parameters, {
    ...user,
    ...(cwd === undefined ? {} : { cwd }),
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  const kill = (): void => void child.kill('SIGKILL');
  process.once('exit', kill);
  child.once('exit', () => process.off('exit', kill));
  let said = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (text: Buffer) => {
      said = (said + text.toString()).slice(-4_000);
    });
  }
  child.once('error', (error) => {
    said += error.message;
  });
  for (const deadline = Date.now() + startTimeoutMs; !(await answers(port)); await delay(50)) {
    if (hasEnded(child) || Date.now() > deadline) {
      child.kill('SIGKILL');
      throw new Error(`${name} did not start:\n${said}`);
    }
  }
  const pid = child.pid ?? 0;
  return {
    name,
    pid,
    cpuSeconds: () => familyCpuSeconds(pid),
    residentBytes: () => sum(family(pid), residentBytes),
    stop: () => ended(child),
  };
}

/** Seconds of CPU of a process, of those that it started, and of those of them that have ended. */
export function familyCpuSeconds(pid: number): number {
  return sum(family(pid), (one) => cpuTime(one, 'own') + cpuTime(one, 'ended'));
}

/** Seconds of CPU of the processes that this one started and that have ended. */
export function endedCpuSeconds(): number {
  return cpuTime(process.pid, 'ended');
}

/** A process and those that it started. */
function family(pid: number): readonly number[] {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number);
  return [pid, ...children.flatMap(family)];
}

function sum(pids: readonly number[], of: (pid: number) => number): number {
  return pids.reduce((total, pid) => total + of(pid), 0);
}

/** See proc(5): `utime`, `stime`, `cutime` and `cstime` are the 14th to 17th field of `stat`, and the second one, in brackets, may hold anything. */
function cpuTime(pid: number, whose: 'own' | 'ended'): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const first = whose === 'own' ? 11 : 13;
  return (Number(fields[first]) + Number(fields[first + 1])) / clockTicks;
}

function residentBytes(pid: number): number {
  const line = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  return Number(line?.[1] ?? 0) * 1_024;
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', () => resolve(false));
  });
}

async function ended(child: ChildProcess): Promise<void> {
  if (hasEnded(child)) return;
  await new Promise<void>((resolve) => {
    const force = setTimeout(() => child.kill('SIGKILL'), stopTimeoutMs);
    child.once('exit', () => {
      clearTimeout(force);
      resolve();
    });
    child.kill('SIGTERM');
  });
}

function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}

/** USER_HZ, which is 100 on every Linux that Node runs on. */
const clockTicks = 100;
const startTimeoutMs = 30_000;
const stopTimeoutMs = 15_000;
