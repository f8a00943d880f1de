import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { ensureDebian } from '../../../../conformance/parts/debian.ts';
import { knownHostsLine } from '../../../identity/ssh-host-key.ts';
import { newSshKeyPair } from '../../../identity/ssh-key-format.ts';
import { startBuiltIn } from './built-in.ts';
import { startMachine, type Machine } from './index.ts';

ensureDebian(['openssh-client', 'openssh-server']);
const folder = mkdtempSync(join(tmpdir(), 'sallyport-machine-'));
after(() => rmSync(folder, { recursive: true }));

interface Told {
  readonly code: number | string | null | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

async function ssh(
  { port, user, hostKey }: Pick<Machine, 'port' | 'user' | 'hostKey'>,
  key: string,
  command: string,
  input = '',
): Promise<Told> {
  const place = mkdtempSync(join(folder, 'client-'));
  writeFileSync(join(place, 'key'), key, { mode: 0o600 });
  writeFileSync(join(place, 'known'), `${knownHostsLine('127.0.0.1', port, hostKey)}\n`);
  const options = ['-F', 'none', '-i', join(place, 'key'), '-o', 'IdentitiesOnly=yes', '-o', 'IdentityAgent=none', '-o', 'BatchMode=yes'];
  options.push('-o', `UserKnownHostsFile=${join(place, 'known')}`, '-o', 'LogLevel=ERROR', '-p', String(port));
  return await new Promise((resolve) => {
    const child = execFile('ssh', [...options, `${user}@127.0.0.1`, command], (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : error.code, stdout, stderr }),
    );
    child.stdin?.end(input);
  });
}

describe('the demo’s machine', () => {
  const starts: readonly (readonly [string, () => Promise<Machine>])[] = [
    ['with the system’s sshd', () => startMachine(mkdtempSync(join(folder, 'sshd-')), ['a line of the log'])],
    ['without one', builtIn],
  ];
  for (const [name, start] of starts) {
    it(`${name}: runs commands in its folder, and nobody comes in with another key`, async () => {
      const machine = await start();
      try {
        const { privateKey } = machine;
        assert.deepEqual(await ssh(machine, privateKey, 'cat app.log; echo err >&2; exit 7'), {
          code: 7,
          stdout: 'a line of the log\n',
          stderr: 'err\n',
        });
        assert.deepEqual(await ssh(machine, privateKey, 'tr a-z A-Z', 'input'), { code: 0, stdout: 'INPUT', stderr: '' });
        assert.equal(existsSync(machine.journal), false);
        assert.equal((await ssh(machine, privateKey, 'systemctl restart app')).stdout, 'app.service: restart done\n');
        assert.equal(readFileSync(machine.journal, 'utf8'), 'restart app\n');
        const stranger = await ssh(machine, newSshKeyPair('').privateKey, 'echo in');
        assert.deepEqual([stranger.code, stranger.stdout], [255, '']);
        assert.match(stranger.stderr, /Permission denied/);
      } finally {
        await machine.close();
      }
    });
  }
});

async function builtIn(): Promise<Machine> {
  // As startMachine makes it, and stopped at once: only its folder is used.
  const place = mkdtempSync(join(folder, 'built-in-'));
  const whole = await startMachine(place, ['a line of the log']);
  await whole.close();
  const parts = { folder: place, hostKey: newSshKeyPair(''), clientKey: newSshKeyPair(''), login: join(place, 'login') };
  const server = await startBuiltIn(parts);
  return { ...server, hostKey: parts.hostKey.publicKey, privateKey: parts.clientKey.privateKey, journal: whole.journal };
}
