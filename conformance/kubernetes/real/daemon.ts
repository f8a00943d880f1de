import { spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';

/** A program that runs until it is stopped. */
export interface Daemon {
  /** Throws, with the end of what it has said, once it is over. */
  check(): void;
  stop(): Promise<void>;
}

/** Starts one whose output goes into a file. `stopSignal`: SIGTERM, unless it says otherwise; after 20 seconds it is killed. */
export function startDaemon(
  log: string,
  program: string,
  parameters: readonly string[],
  { env = {}, stopSignal = 'SIGTERM' }: { readonly env?: NodeJS.ProcessEnv; readonly stopSignal?: NodeJS.Signals } = {},
): Daemon {
  const output = openSync(log, 'a', 0o600);
  const child = spawn(program, parameters, { stdio: ['ignore', output, output], env: { PATH: searchPath, ...env } });
  closeSync(output);
  let problem: Error | undefined;
  const gone = new Promise<void>((resolve) => {
    child.once('error', (error) => {
      problem = error;
      resolve();
    });
    child.once('exit', () => resolve());
  });
  const isOver = (): boolean => problem !== undefined || child.exitCode !== null || child.signalCode !== null;
  return {
    check() {
      if (isOver()) throw new Error(`${program} has ended:\n${problem?.message ?? readFileSync(log, 'utf8').slice(-mostSaid)}`);
    },
    async stop() {
      if (!isOver()) child.kill(stopSignal);
      const timer = setTimeout(() => child.kill('SIGKILL'), patienceMs);
      await gone;
      clearTimeout(timer);
    },
  };
}

export const searchPath = '/usr/sbin:/usr/bin:/sbin:/bin';
const patienceMs = 20_000;
const mostSaid = 3_000;
