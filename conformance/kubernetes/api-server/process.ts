import { spawn } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { constants as system } from 'node:os';
import { delimiter, join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';

export interface Size {
  readonly columns: number;
  readonly rows: number;
}

/** A real process in the folder that stands for a container. */
export interface Process {
  readonly stdin: Writable;
  readonly stdout: Readable;
  /** A terminal has none of its own. */
  readonly stderr: Readable | undefined;
  resize(size: Size): void;
  /** Its terminal is hung up, as when the client of an interactive session leaves. Nothing without a terminal. */
  hangUp(): void;
  kill(signal: NodeJS.Signals): void;
  /** Its exit code, 128 and the signal's number where one ended it. After its output. */
  readonly done: Promise<number>;
}

export interface Command {
  readonly argv: readonly string[];
  readonly folder: string;
  readonly env: Readonly<Record<string, string>>;
  readonly tty: boolean;
}

/** Undefined: there is no such program. */
export function startProcess({ argv, folder, env, tty }: Command): Process | undefined {
  const [program = '', ...parameters] = argv;
  const whole = { PATH: searchPath, HOME: folder, LANG: 'C.UTF-8', ...(tty ? { TERM: 'xterm' } : {}), ...env };
  if (!isProgram(program, folder)) return undefined;
  const [command, words] = tty ? ['/usr/bin/python3', [helper, folder, program, ...parameters]] : [program, parameters];
  const child = spawn(command, words, {
    cwd: folder,
    env: whole,
    detached: true,
    stdio: ['pipe', 'pipe', 'pipe', tty ? 'pipe' : 'ignore'],
  });
  for (const stream of child.stdio) stream?.on('error', () => {});
  running.add(child.pid ?? 0);
  const done = new Promise<number>((resolve) => {
    child.once('error', () => resolve(126));
    child.once('close', (code, signal) => {
      running.delete(child.pid ?? 0);
      resolve(code ?? 128 + (signal === null ? 0 : system.signals[signal]));
    });
  });
  const kill = (signal: NodeJS.Signals): void => signalGroup(child.pid ?? 0, signal);
  const sizes = child.stdio[3] as Writable | null;
  return {
    stdin: child.stdin!,
    stdout: child.stdout!,
    stderr: tty ? undefined : child.stderr!,
    resize: ({ columns, rows }) => void sizes?.write(`${columns} ${rows}\n`),
    hangUp: () => {
      if (tty) kill('SIGHUP');
    },
    kill,
    done,
  };
}

/** Ends whatever still runs in any container of this process. */
export function killAllProcesses(): void {
  for (const pid of running) signalGroup(pid, 'SIGKILL');
}

function signalGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    if (pid > 0) process.kill(-pid, signal);
  } catch {
    // It has ended.
  }
}

function isProgram(program: string, folder: string): boolean {
  const candidates = program.includes('/')
    ? [join(program.startsWith('/') ? '/' : folder, program)]
    : searchPath.split(delimiter).map((path) => join(path, program));
  return candidates.some((path) => {
    try {
      accessSync(path, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

const running = new Set<number>();
const helper = fileURLToPath(new URL('terminal.py', import.meta.url));
const searchPath = '/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin';
