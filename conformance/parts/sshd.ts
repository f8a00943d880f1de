import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { freePort } from '../../src/cli/demo/free-port.ts';
import { newSshKeyPair, sshFingerprint } from '../../src/identity/ssh-key-format.ts';
import { ensureDebian } from './debian.ts';

export interface Account {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
}

export interface SshdOptions {
  /** As whom clients sign in. sshd itself runs as this process, which has to be root for another account. Default: the same. */
  readonly account?: Account;
  /** Default: this machine's. */
  readonly program?: string;
  /** Lines of sshd_config(5) that win over those below. */
  readonly config?: readonly string[];
  readonly sftp?: 'internal-sftp' | '/usr/lib/openssh/sftp-server';
}

/** OpenSSH's server on loopback, with a host key and one client key of its own. */
export interface Sshd {
  readonly host: '127.0.0.1';
  readonly port: number;
  readonly user: string;
  readonly home: string;
  /** `ssh-ed25519 AAAA…` */
  readonly hostKey: string;
  /** `SHA256:…` of it. */
  readonly fingerprint: string;
  /** The client's private key: its file and its text. */
  readonly identity: string;
  readonly privateKey: string;
  /** Lines of keys that may sign in; written anew by tests. */
  readonly authorizedKeys: string;
  readonly folder: string;
  /** The processes that serve its connections now, without the programs that they run. */
  connections(): readonly number[];
  readonly pid: number;
  /** What it wrote so far. */
  log(): string;
  stop(): Promise<void>;
}

export async function startSshd(options: SshdOptions = {}): Promise<Sshd> {
  ensureDebian(['openssh-server', 'openssh-client']);
  const own = userInfo();
  const account = options.account ?? { name: own.username, uid: own.uid, gid: own.gid, home: own.homedir };
  if (own.uid === 0) mkdirSync('/run/sshd', { recursive: true, mode: 0o755 });
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-sshd-'));
  chmodSync(folder, 0o755);
  const [hostKey, clientKey] = [newSshKeyPair('host'), newSshKeyPair('client')];
  const at = (name: string): string => join(folder, name);
  const write = (name: string, text: string, mode: number): void => writeFileSync(at(name), text, { mode });
  write('host_key', hostKey.privateKey, 0o600);
  write('authorized_keys', `${clientKey.publicKey}\n`, 0o644);
  write('identity', clientKey.privateKey, 0o600);
  const port = await freePort();
  const lines = [
    ...(options.config ?? []),
    `Port ${port}`,
    'ListenAddress 127.0.0.1',
    `HostKey ${at('host_key')}`,
    'PidFile none',
    `AuthorizedKeysFile ${at('authorized_keys')}`,
    'StrictModes no',
    'UsePAM no',
    'PermitRootLogin prohibit-password',
    'PasswordAuthentication no',
    'KbdInteractiveAuthentication no',
    'PrintMotd no',
    'PrintLastLog no',
    'LogLevel VERBOSE',
    // Shells then take themselves for inner ones, and read nothing of what the account has in its ~/.bashrc.
    'SetEnv SHLVL=1',
    'AcceptEnv LANG LC_* SALLYPORT_*',
    'X11Forwarding yes',
    'MaxStartups 200',
    'MaxSessions 200',
    'UseDNS no',
    `Subsystem sftp ${options.sftp ?? 'internal-sftp'}`,
  ];
  write('sshd_config', `${lines.join('\n')}\n`, 0o644);
  const child = spawn(options.program ?? '/usr/sbin/sshd', ['-D', '-e', '-f', at('sshd_config')], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let log = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (log = (log + text).slice(-maximumLog)));
  const stop = async (): Promise<void> => {
    await ended(child);
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    await listening(port, child, () => log);
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    host: '127.0.0.1',
    port,
    user: account.name,
    home: account.home,
    hostKey: hostKey.publicKey,
    fingerprint: sshFingerprint(hostKey.blob),
    identity: at('identity'),
    privateKey: clientKey.privateKey,
    authorizedKeys: at('authorized_keys'),
    folder,
    connections: () => servers(child.pid!),
    pid: child.pid!,
    log: () => log,
    stop,
  };
}

/** A user without privileges who may sign in, made where it is missing; undefined where this process cannot be another user. */
export function normalAccount(): Account | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const home = `/var/lib/${accountName}`;
  if (spawnSync('id', [accountName]).status !== 0) {
    const made = spawnSync('useradd', [
      '--system',
      '--user-group',
      '--create-home',
      '--home-dir',
      home,
      '--shell',
      '/bin/bash',
      // Without a password, but not locked: sshd refuses accounts that are.
      '--password',
      '*',
      accountName,
    ]);
    if (made.status !== 0) throw new Error(`no user could be made: ${made.stderr.toString()}`);
  }
  const number = (flag: string): number => Number(spawnSync('id', [flag, accountName], { encoding: 'utf8' }).stdout);
  if (!existsSync(home)) throw new Error(`${accountName} has no home at ${home}`);
  return { name: accountName, uid: number('-u'), gid: number('-g'), home };
}

/** Those below it that are sshd, too. */
function servers(parent: number): readonly number[] {
  const children = ofProcess(parent, `task/${parent}/children`).split(' ').filter(Boolean).map(Number);
  return children.filter((pid) => ofProcess(pid, 'comm').startsWith('sshd')).flatMap((pid) => [pid, ...servers(pid)]);
}

/** A file of /proc. Of a process that has ended since it was seen, nothing. */
function ofProcess(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8');
  } catch (error) {
    if (['ENOENT', 'ESRCH'].includes((error as NodeJS.ErrnoException).code ?? '')) return '';
    throw error;
  }
}

async function listening(port: number, child: ChildProcess, log: () => string): Promise<void> {
  for (let tries = 0; ; tries++) {
    if (child.exitCode !== null || tries > 200) throw new Error(`sshd did not start:\n${log()}`);
    const open = await new Promise<boolean>((resolve) => {
      const socket = connect({ host: '127.0.0.1', port });
      socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
      socket.once('close', () => undefined);
      socket.unref();
      setTimeout(() => socket.destroy(), 100).unref();
    });
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

const accountName = 'sallyport-ssh';
const maximumLog = 1_000_000;
