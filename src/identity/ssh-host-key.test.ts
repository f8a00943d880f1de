import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, it } from 'node:test';
import { promisify } from 'node:util';
import { ensureDebian } from '../../conformance/parts/debian.ts';
import { describeHostKey, knownHostsLine, publishedHostKey, sshHostKey } from './ssh-host-key.ts';

ensureDebian(['openssh-client']);
const folder = mkdtempSync(join(tmpdir(), 'sallyport-host-key-'));
after(() => rmSync(folder, { recursive: true }));
const fresh = (): string => mkdtempSync(join(folder, 'data-'));
const keyFile = (data: string): string => join(data, 'keys', 'ssh_host_ed25519_key');

it('is made once, for its owner only, and stays', () => {
  const data = fresh();
  assert.equal(publishedHostKey(data), undefined);
  const made = sshHostKey(data);
  assert.equal(statSync(keyFile(data)).mode & 0o777, 0o600);
  assert.deepEqual(sshHostKey(data), made);
  assert.equal(publishedHostKey(data), made.publicKey);
  assert.deepEqual(readdirSync(join(data, 'keys')), ['ssh_host_ed25519_key']);
  assert.notEqual(sshHostKey(fresh()).publicKey, made.publicKey);
});

it('is the same for processes that start at once', async () => {
  const data = fresh();
  const module = new URL('ssh-host-key.ts', import.meta.url).href;
  const script = `import { sshHostKey } from ${JSON.stringify(module)}; process.stdout.write(sshHostKey(process.argv[1]).publicKey)`;
  const run = promisify(execFile);
  const told = await Promise.all(Array.from({ length: 4 }, () => run(process.execPath, ['--input-type=module', '-e', script, data])));
  assert.deepEqual(new Set(told.map(({ stdout }) => stdout)), new Set([sshHostKey(data).publicKey]));
});

it('may be one of ssh-keygen, which is how it is replaced', () => {
  const data = fresh();
  sshHostKey(data);
  rmSync(keyFile(data));
  execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', '', '-f', keyFile(data)]);
  assert.equal(sshHostKey(data).publicKey, readFileSync(`${keyFile(data)}.pub`, 'utf8').trim());
});

it('is not used where others may read it, or where it is something else', () => {
  const data = fresh();
  sshHostKey(data);
  chmodSync(keyFile(data), 0o640);
  assert.throws(() => sshHostKey(data), /chmod 600/);
  chmodSync(keyFile(data), 0o600);
  writeFileSync(keyFile(data), '');
  assert.throws(() => sshHostKey(data), /not a private key/);
});

it('is published as ssh-keygen publishes it', () => {
  const data = fresh();
  const { publicKey } = sshHostKey(data);
  const told = describeHostKey('gw.example', 2222, publicKey);
  const keygen = (...args: readonly string[]): string => execFileSync('ssh-keygen', args, { encoding: 'utf8' }).trim();
  assert.ok(
    keygen('-r', 'gw.example', '-f', keyFile(data))
      .split('\n')
      .includes(told.sshfp[0] ?? ''),
  );
  assert.equal(keygen('-l', '-f', keyFile(data)).split(' ')[1], told.fingerprint);
  const known = join(data, 'known_hosts');
  for (const port of [22, 2222]) {
    writeFileSync(known, `${knownHostsLine('gw.example', port, publicKey)}\n`);
    const found = keygen('-F', port === 22 ? 'gw.example' : `[gw.example]:${port}`, '-f', known);
    assert.ok(found.includes(publicKey), found);
  }
  assert.throws(() => keygen('-F', 'gw.example:2222', '-f', known));
});
