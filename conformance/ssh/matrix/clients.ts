import { join } from 'node:path';
import type { SshCase, SshWorkplace } from './case.ts';

const peers = join(import.meta.dirname, '..', 'peers');

function library(name: string): SshCase {
  return {
    name: `${name}: commands, signals, a terminal, files`,
    packages: [`python3-${name}`],
    async run({ raw, door, folder }) {
      const place = [door.host, String(door.port), door.user, door.identity, door.knownHosts, folder];
      const { code, stdout, stderr } = await raw('/usr/bin/python3', [join(peers, 'client.py'), name, ...place]);
      const lines = stdout
        .toString()
        .trimEnd()
        .split('\n')
        .filter((line) => line !== '');
      const told = Object.fromEntries(lines.map((line) => [line.split(' ', 1)[0], line.slice(line.indexOf(' ') + 1)]));
      return code === 0 ? told : { ...told, ends: `exit ${code}: ${stderr.toString().slice(-600)}` };
    },
  };
}

/** What signs in with a secret at the gateway signs in with a key at the machine, and the same then runs. */
function signIn(method: 'password' | 'keyboard-interactive', secret: 'gatewayToken' | 'oidcToken', what: string): SshCase {
  return {
    name: `paramiko: ${what}`,
    packages: ['python3-paramiko'],
    fails: true,
    async run(at) {
      const token = await at.secrets[secret]();
      if (token === undefined) return await at.ssh(['echo signed in; exit 3']);
      const { host, port, user, knownHosts } = at.door;
      return await at.program('/usr/bin/python3', [join(peers, 'sign-in.py'), method, host, String(port), user, knownHosts], {
        env: { SECRET: token },
      });
    },
  };
}

/** Other implementations than OpenSSH's. */
export const clientCases: readonly SshCase[] = [
  library('paramiko'),
  library('asyncssh'),
  signIn('password', 'gatewayToken', 'a gateway token as password'),
  signIn('password', 'oidcToken', 'a raw OIDC token as password, in one piece'),
  signIn('keyboard-interactive', 'oidcToken', 'a raw OIDC token, keyboard-interactive, in one piece'),
  {
    name: 'dropbear: dbclient with a key',
    packages: ['dropbear-bin'],
    fails: true,
    async run(at) {
      await dropbearKey(at);
      return await dbclient(at, ['-i', 'dropbear.key'], 'cat; echo err >&2; exit 7', 'through dropbear\n');
    },
  },
  {
    name: 'dropbear: dbclient with a gateway token as password',
    packages: ['dropbear-bin'],
    fails: true,
    async run(at) {
      const token = await at.secrets.gatewayToken();
      if (token === undefined) await dropbearKey(at);
      const env = token === undefined ? {} : { DROPBEAR_PASSWORD: token };
      return await dbclient(at, token === undefined ? ['-i', 'dropbear.key'] : [], 'echo signed in; exit 3', '', env);
    },
  },
  {
    name: 'PuTTY: plink with a key',
    packages: ['putty-tools'],
    fails: true,
    async run(at) {
      await at.raw('puttygen', [at.door.identity, '-O', 'private', '-o', `${at.folder}/key.ppk`]);
      return await plink(at, ['-i', `${at.folder}/key.ppk`], 'cat; echo err >&2; exit 7', 'through plink\n');
    },
  },
  {
    name: 'PuTTY: plink with a gateway token as password',
    packages: ['putty-tools'],
    fails: true,
    async run(at) {
      const token = await at.secrets.gatewayToken();
      if (token !== undefined) return await plink(at, ['-pwfile', at.file('password', token, 0o600)], 'echo signed in; exit 3', '');
      await at.raw('puttygen', [at.door.identity, '-O', 'private', '-o', `${at.folder}/key.ppk`]);
      return await plink(at, ['-i', `${at.folder}/key.ppk`], 'echo signed in; exit 3', '');
    },
  },
];

export async function dropbearKey({ raw, door, folder }: SshWorkplace): Promise<void> {
  const { code, stderr } = await raw('/usr/lib/dropbear/dropbearconvert', ['openssh', 'dropbear', door.identity, `${folder}/dropbear.key`]);
  if (code !== 0) throw new Error(`the key cannot be converted: ${stderr.toString()}`);
}

/** Keeps known hosts in `~/.ssh`, so it has a home of its own; `-y` takes the key at first sight into it. */
async function dbclient(
  at: SshWorkplace,
  options: readonly string[],
  command: string,
  input: string,
  env: Readonly<Record<string, string>> = {},
): Promise<string> {
  const { host, port, user } = at.door;
  const told = await at.program('dbclient', ['-y', '-T', ...options, '-p', String(port), `${user}@${host}`, command], {
    input,
    env: { HOME: at.folder, ...env },
  });
  // It says on standard error whose key it took, and shows the gateway's banner there.
  return told
    .replace(/SHA256:[^)]*/, 'KEY')
    .replace(/gw-ssh: [^\\]*\\n\\n/, '')
    .replace(/Login for [^\\]*\\n/, '');
}

async function plink(at: SshWorkplace, options: readonly string[], command: string, input: string): Promise<string> {
  const told = await at.program('plink', await plinkWords(at, options, [command]), { input, env: { HOME: at.folder } });
  // It says when the gateway's prompts begin and end.
  return told.replace(/\nstderr "Keyboard-interactive [^"]*"$/, '');
}

/** Of a command without shell: the words behind the host. */
export async function plinkWords(at: SshWorkplace, options: readonly string[], command: readonly string[]): Promise<readonly string[]> {
  const { host, port, user } = at.door;
  const key = (await at.raw('ssh-keygen', ['-l', '-F', `[${host}]:${port}`, '-f', at.door.knownHosts])).stdout.toString();
  const fingerprint = /SHA256:\S+/.exec(key)?.[0] ?? '';
  return ['-ssh', '-batch', '-hostkey', fingerprint, '-P', String(port), '-l', user, ...options, host, ...command];
}
