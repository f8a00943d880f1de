import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { Failure, messageOf } from './failure.ts';

/**
 * Runs a client in the foreground with these variables (`undefined` removes one) and resolves with its exit code; for one that died of
 * a signal, 128 and the signal's number, as shells say it. Signals to this process go to the client, which decides what they mean.
 */
export async function runClient(command: readonly string[], variables: Readonly<Record<string, string | undefined>>): Promise<number> {
  const [program = '', ...args] = command;
  const env = { ...process.env };
  for (const [name, value] of Object.entries(variables)) {
    if (value === undefined) delete env[name];
    else env[name] = value;
  }
  const child = spawn(program, args, { stdio: 'inherit', env });
  const pass = (signal: NodeJS.Signals): void => {
    child.kill(signal);
  };
  // A terminal sends these to the client as well: only stay alive until it has ended.
  const stay = (signal: NodeJS.Signals): void => {
    if (!process.stdin.isTTY) child.kill(signal);
  };
  for (const signal of passed) process.on(signal, pass);
  for (const signal of fromTerminal) process.on(signal, stay);
  try {
    return await new Promise<number>((resolve, reject) => {
      child.once('error', reject);
      child.once('exit', (code, signal) => resolve(code ?? 128 + (signal === null ? 0 : constants.signals[signal])));
    });
  } catch (cause) {
    throw new Failure(`cannot run ${program}: ${messageOf(cause)}`, { hint: 'is it installed, and on the PATH?', cause });
  } finally {
    for (const signal of passed) process.off(signal, pass);
    for (const signal of fromTerminal) process.off(signal, stay);
  }
}

const passed = ['SIGTERM', 'SIGHUP', 'SIGUSR2'] as const;
const fromTerminal = ['SIGINT', 'SIGQUIT'] as const;
