import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, mkdirSync, rmdirSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { freePort } from '../free-port.ts';
import type { MachineParts, RunningServer } from './index.ts';

/** Where OpenSSH's server is, if anywhere: it has to be started by its whole path. */
export function sshdProgram(): string | undefined {
  return ['/usr/sbin/sshd', '/usr/local/sbin/sshd', '/opt/homebrew/sbin/sshd'].find((path) => existsSync(path));
}

/** As whoever runs this, on loopback, for one key. */
export async function startSshd(program: string, { folder, hostKey, clientKey, login }: MachineParts): Promise<RunningServer> {
  const at = (name: string): string => join(folder, name);
  writeFileSync(at('host_key'), hostKey.privateKey, { mode: 0o600 });
  writeFileSync(at('authorized_keys'), `${clientKey.publicKey}\n`, { mode: 0o600 });
  const port = await freePort();
  const lines = [
    `Port ${port}`,
    'ListenAddress 127.0.0.1',
    `HostKey ${at('host_key')}`,
    `AuthorizedKeysFile ${at('authorized_keys')}`,
    `ForceCommand ${login}`,
    'PidFile none',
    'StrictModes no',
    'UsePAM no',
    'PermitRootLogin prohibit-password',
    'PasswordAuthentication no',
    'KbdInteractiveAuthentication no',
    'DisableForwarding yes',
    'PrintMotd no',
    'PrintLastLog no',
    // The shell that runs the command takes itself for an inner one, and reads nothing of whoever runs this.
    'SetEnv SHLVL=1',
  ];
  writeFileSync(at('sshd_config'), `${lines.join('\n')}\n`);
  const made = process.getuid?.() === 0 && mkdirSync(privilegeFolder, { recursive: true, mode: 0o755 }) !== undefined;
  const child = spawn(program, ['-D', '-e', '-f', at('sshd_config')], { stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said = (said + text).slice(-4_000)));
  const close = async (): Promise<void> => {
    await ended(child);
    if (made) rmdirSync(privilegeFolder);
  };
  try {
    await listening(port, child, () => said);
  } catch (error) {
    await close();
    throw error;
  }
  return { port, user: userInfo().username, close };
}

async function listening(port: number, child: ChildProcess, said: () => string): Promise<void> {
  for (let tries = 0; ; tries += 1) {
    if (child.exitCode !== null || tries > 200) throw new Error(`sshd did not start: ${said()}`);
    const socket = connect({ host: '127.0.0.1', port });
    const open = await new Promise<boolean>((resolve) => socket.once('connect', () => resolve(true)).once('error', () => resolve(false)));
    socket.destroy();
    if (open) return;
    await pause(50);
  }
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const over = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');
  await over;
}

/** Compiled into Debian's and others' sshd, which wants it when it runs as root. */
const privilegeFolder = '/run/sshd';
