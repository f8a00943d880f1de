import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { knownHostsLine } from '../../src/identity/ssh-host-key.ts';
import { runProgram, type Ran, type RunOptions } from './program.ts';

/** One way to the same machine: its own sshd, or the gateway in front of it. Real clients are pointed at it. */
export interface Door {
  readonly name: 'direct' | 'behind';
  readonly host: string;
  readonly port: number;
  /** The user name that clients give: an account, or the target. */
  readonly user: string;
  /** File of the key that may sign in. */
  readonly identity: string;
  readonly knownHosts: string;
  /** `ssh_config` in which this machine is called `box`. */
  readonly config: string;
  /** OpenSSH's clients: `ssh -F config box …`. */
  ssh(words: readonly string[], options?: RunOptions & { readonly options?: readonly string[] }): Promise<Ran>;
}

export interface DoorParts {
  readonly name: Door['name'];
  readonly folder: string;
  readonly host: string;
  readonly port: number;
  readonly user: string;
  /** OpenSSH private key. */
  readonly privateKey: string;
  /** `ssh-ed25519 AAAA…` */
  readonly hostKey: string;
  /** More lines of ssh_config. */
  readonly config?: readonly string[];
}

export function openDoor(parts: DoorParts): Door {
  const { name, host, port, user } = parts;
  const folder = join(parts.folder, `${name}-${(doors += 1)}`);
  mkdirSync(folder, { recursive: true });
  const [identity, knownHosts, config] = [join(folder, 'identity'), join(folder, 'known_hosts'), join(folder, 'ssh_config')];
  writeFileSync(identity, parts.privateKey, { mode: 0o600 });
  writeFileSync(knownHosts, `${knownHostsLine(host, port, parts.hostKey)}\n`);
  const lines = [
    ...(parts.config ?? []),
    `HostName ${host}`,
    `Port ${port}`,
    `User ${user}`,
    `IdentityFile ${identity}`,
    'IdentitiesOnly yes',
    'IdentityAgent none',
    `UserKnownHostsFile ${knownHosts}`,
    'GlobalKnownHostsFile /dev/null',
    'StrictHostKeyChecking yes',
    'UpdateHostKeys no',
    'BatchMode yes',
    'LogLevel ERROR',
    'ConnectTimeout 20',
  ];
  writeFileSync(config, `Host box\n${lines.map((line) => `  ${line}\n`).join('')}`);
  return {
    name,
    host,
    port,
    user,
    identity,
    knownHosts,
    config,
    ssh: async (words, { options = [], ...rest } = {}) => await runProgram('ssh', ['-F', config, ...options, 'box', ...words], rest),
  };
}

let doors = 0;
