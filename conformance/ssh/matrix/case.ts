import { chmodSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Door } from '../door.ts';
import { runProgram, shown, type Ran, type RunOptions } from '../program.ts';

/** One thing that people and programs do over SSH. It is done directly and through the gateway, and what it shows has to be the same. */
export interface SshCase {
  readonly name: string;
  /** Also done in `npm test`. */
  readonly quick?: true;
  /** Ends otherwise than with `exit 0` without the gateway, too. */
  readonly fails?: true;
  /** Debian packages of the client. */
  readonly packages?: readonly string[];
  /** Why it has to be different through the gateway. */
  readonly exception?: string;
  /** A text, or several parts under names that are compared one by one. */
  run(at: SshWorkplace): Promise<string | Readonly<Record<string, string>>>;
}

export interface SshWorkplace {
  readonly door: Door;
  /** Made for this case, on this machine, which is the target's, too. */
  readonly folder: string;
  /** For as long as the case runs; of the gateway's side of things, where the door is the gateway's. */
  readonly secrets: Secrets;
  readonly ssh: (words: readonly string[], options?: RunOptions & { readonly options?: readonly string[] }) => Promise<string>;
  readonly program: (name: string, args: readonly string[], options?: RunOptions) => Promise<string>;
  readonly raw: (name: string, args: readonly string[], options?: RunOptions) => Promise<Ran>;
  /** A person at a terminal: see peers/terminal.py. */
  readonly terminal: (words: readonly string[], plan: TerminalPlan, options?: readonly string[]) => Promise<string>;
  /** Writes a file into the folder, and says where. */
  readonly file: (name: string, content: string | Uint8Array, mode?: number) => string;
}

/** What can be typed at a prompt. Undefined at the machine itself, which takes keys only. */
export interface Secrets {
  gatewayToken(): Promise<string | undefined>;
  oidcToken(): Promise<string | undefined>;
}

export interface TerminalPlan {
  readonly size?: readonly [columns: number, rows: number];
  readonly steps: readonly (
    | { readonly expect: string }
    | { readonly send: string }
    | { readonly resize: readonly [columns: number, rows: number] }
    | { readonly end: true }
  )[];
}

export async function runSshCase(one: SshCase, door: Door, secrets: Secrets, parent: string): Promise<Readonly<Record<string, string>>> {
  // Of the same length at both doors.
  const folder = join(parent, `${door.name}-${(cases += 1)}`);
  mkdirSync(folder, { recursive: true });
  // Of the account on the machine, too.
  chmodSync(folder, 0o777);
  const clean = (text: string): string => text.replaceAll(folder, 'FOLDER');
  const raw: SshWorkplace['raw'] = (name, args, options) => runProgram(name, args, { cwd: folder, ...options });
  const file: SshWorkplace['file'] = (name, content, mode = 0o644) => {
    writeFileSync(join(folder, name), content, { mode });
    return join(folder, name);
  };
  const at: SshWorkplace = {
    door,
    folder,
    secrets,
    raw,
    file,
    ssh: async (words, options) => clean(shown(await door.ssh(words, options))),
    program: async (name, args, options) => clean(shown(await raw(name, args, options))),
    async terminal(words, plan, options = []) {
      const steps = file('terminal.json', JSON.stringify(plan));
      const ran = await raw('/usr/bin/python3', [terminalScript, steps, 'ssh', '-F', door.config, '-tt', ...options, 'box', ...words]);
      if (ran.code !== 0) return shown(ran);
      const {
        exit,
        failed,
        shown: text,
      } = JSON.parse(ran.stdout.toString('utf8')) as { exit: number; failed: string | null; shown: string };
      return clean(failed === null ? `exit ${exit}\n${JSON.stringify(text)}` : `${failed}\n${JSON.stringify(text)}`);
    },
  };
  try {
    const parts = await one.run(at);
    return typeof parts === 'string' ? { '': parts } : parts;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

let cases = 100;
const terminalScript = join(import.meta.dirname, '..', 'peers', 'terminal.py');
