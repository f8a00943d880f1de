import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { newSshKeyPair, type SshKeyPair } from '../../../identity/ssh-key-format.ts';
import { startBuiltIn } from './built-in.ts';
import { sshdProgram, startSshd } from './sshd.ts';

/** A server of the bank, reached by SSH: a folder with a log, a `systemctl` of its own, and one key that opens it. */
export interface Machine {
  readonly port: number;
  readonly user: string;
  /** `ssh-ed25519 AAAA…` */
  readonly hostKey: string;
  /** The only key that opens it. */
  readonly privateKey: string;
  /** What `systemctl` did, a line each; missing: nothing. */
  readonly journal: string;
  close(): Promise<void>;
}

export interface MachineParts {
  readonly folder: string;
  readonly hostKey: SshKeyPair;
  readonly clientKey: SshKeyPair;
  /** Runs what a client asks for, in the machine's folder: the client's command line is in SSH_ORIGINAL_COMMAND. */
  readonly login: string;
}

export interface RunningServer {
  readonly port: number;
  readonly user: string;
  close(): Promise<void>;
}

/** With the system's sshd where there is one, else with a small server of our own. Both run real programs as whoever runs this. `log`: what stands in `app.log`. */
export async function startMachine(folder: string, log: readonly string[]): Promise<Machine> {
  const disk = join(folder, 'disk');
  mkdirSync(join(disk, 'bin'), { recursive: true });
  // Where this runs as root: others on this machine see nothing of it.
  chmodSync(folder, 0o700);
  writeFileSync(join(disk, 'app.log'), log.map((line) => `${line}\n`).join(''));
  writeFileSync(join(disk, 'bin', 'systemctl'), systemctl, { mode: 0o755 });
  const login = join(folder, 'login');
  writeFileSync(login, loginScript(disk), { mode: 0o755 });
  const parts: MachineParts = { folder, hostKey: newSshKeyPair('app-1'), clientKey: newSshKeyPair('gateway'), login };
  const sshd = sshdProgram();
  const server = sshd === undefined ? await startBuiltIn(parts) : await startSshd(sshd, parts);
  const { hostKey, clientKey } = parts;
  return { ...server, hostKey: hostKey.publicKey, privateKey: clientKey.privateKey, journal: join(disk, 'journal') };
}

function loginScript(disk: string): string {
  return `#!/bin/sh
cd '${disk}' || exit 1
HOME='${disk}'
PATH='${disk}/bin:/usr/local/bin:/usr/bin:/bin'
export HOME PATH
if [ -n "$SSH_ORIGINAL_COMMAND" ]; then exec /bin/sh -c "$SSH_ORIGINAL_COMMAND"; fi
exec /bin/sh
`;
}

/** Not the system's: it writes down what it was asked. */
const systemctl = `#!/bin/sh
echo "$*" >> "$HOME/journal"
echo "$2.service: $1 done"
`;
