import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export interface Ran {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Running {
  readonly child: ChildProcess;
  readonly ended: Promise<Ran>;
  /** Resolves with all of standard output or error so far, once either holds this. Rejects where the program ends before. */
  says(part: string): Promise<string>;
}

/** A folder of its own for each test: nothing of this machine's sign-ins is seen or changed. */
export function emptyHome(): string {
  return mkdtempSync(join(tmpdir(), 'sallyport-cli-'));
}

/** The command line as a process of its own, with only these variables beside `PATH`. */
export function start(args: readonly string[], variables: Readonly<Record<string, string>> = {}): Running {
  const home = variables['HOME'] ?? emptyHome();
  const env = { PATH: process.env['PATH'] ?? '', HOME: home, ...variables };
  const child = spawn(process.execPath, [main, ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  const text = { stdout: '', stderr: '' };
  const waiting = new Set<() => void>();
  for (const stream of ['stdout', 'stderr'] as const) {
    child[stream].setEncoding('utf8').on('data', (chunk: string) => {
      text[stream] += chunk;
      for (const wake of waiting) wake();
    });
  }
  const ended = new Promise<Ran>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => resolve({ code, signal, ...text }));
  });
  return {
    child,
    ended,
    async says(part) {
      return await new Promise((resolve, reject) => {
        const look = (): void => {
          const all = text.stdout + text.stderr;
          if (!all.includes(part)) return;
          waiting.delete(look);
          resolve(all);
        };
        waiting.add(look);
        void ended.then(() => reject(new Error(`ended without saying ${part}: ${text.stdout}${text.stderr}`)));
        look();
      });
    },
  };
}

export async function run(args: readonly string[], variables: Readonly<Record<string, string>> = {}): Promise<Ran> {
  return await start(args, variables).ended;
}

const main = fileURLToPath(new URL('../main.ts', import.meta.url));
