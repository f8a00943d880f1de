import assert from 'node:assert/strict';
import { execFile, execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { promisify } from 'node:util';
import { startSshd, type Sshd } from '../../conformance/parts/sshd.ts';
import { startApi } from '../api/server.ts';
import type { ApiServer } from '../api/server.ts';
import { TestContext } from '../api/testing/context.ts';
import { publicKeyLine, newSshKeyPair } from '../identity/ssh-key-format.ts';
import { emptyHome, run, start } from './testing/run.ts';

/** OpenSSH's server in the gateway's place: a key may sign in when it was bound. */
let sshd: Sshd;
let server: ApiServer;
let variables: Record<string, string>;
const context = new TestContext();

before(async () => {
  sshd = await startSshd();
  context.connectionOf = { protocol: 'ssh', host: sshd.host, port: sshd.port, name: sshd.user, hostKey: sshd.hostKey };
  context.sshOf = { host: sshd.host, port: sshd.port, publicKey: sshd.hostKey };
  const { exchange } = context.identity;
  context.identity.exchange = async (form, record) => {
    const answer = await exchange(form, record);
    const blob = context.exchanges.at(-1)?.sshPublicKey;
    if (blob !== undefined) writeFileSync(sshd.authorizedKeys, `${publicKeyLine(blob)}\n`);
    return answer;
  };
  server = await startApi(context, { host: '127.0.0.1', port: 0 });
  variables = { SALLYPORT_URL: `http://127.0.0.1:${server.port}`, SALLYPORT_TOKEN: 'reviewer' };
});
after(async () => {
  await server.close();
  await sshd.stop();
});

describe('sallyport token --ssh', () => {
  it('prints where the key is, which its owner alone can read and the gateway knows', async () => {
    const home = emptyHome();
    const { code, stdout, stderr } = await run(['token', '--target', 'orders', '--ssh'], { ...variables, HOME: home });
    assert.deepEqual([code, stderr, stdout], [0, '', `${join(home, '.config/sallyport/ssh/key-orders')}\n`]);
    const file = stdout.trim();
    assert.equal(statSync(file).mode & 0o777, 0o600);
    assert.equal(statSync(join(home, '.config/sallyport/ssh')).mode & 0o777, 0o700);
    const bound = publicKeyLine(context.exchanges.at(-1)?.sshPublicKey ?? assert.fail('nothing was bound'));
    assert.equal(readFileSync(`${file}.pub`, 'utf8'), `${bound}\n`);
    const known = join(home, 'known_hosts');
    writeFileSync(known, `[${sshd.host}]:${sshd.port} ${sshd.hostKey}\n`);
    const options = ['-F', 'none', '-i', file, '-o', `UserKnownHostsFile=${known}`, '-o', 'BatchMode=yes', '-p', String(sshd.port)];
    assert.equal(execFileSync('ssh', [...options, `${sshd.user}@${sshd.host}`, 'echo in'], { encoding: 'utf8' }), 'in\n');
  });

  it('is another key each time, in the file that is named', async () => {
    const file = join(emptyHome(), 'key');
    const told = await run(['token', '--target', 'orders', '--ssh', '--out', file, '--json'], variables);
    const first = readFileSync(file, 'utf8');
    assert.equal((JSON.parse(told.stdout) as { identity_file: string }).identity_file, file);
    assert.doesNotMatch(told.stdout, /PRIVATE/);
    await run(['token', '--target', 'orders', '--ssh', '--out', file], variables);
    assert.notEqual(readFileSync(file, 'utf8'), first);
    assert.deepEqual(readdirSync(join(file, '..')).toSorted(), ['key', 'key.pub']);
  });

  it('says what is wrong: no such target, no such folder, options that do not go together', async () => {
    const home = emptyHome();
    const unknown = await run(['token', '--target', 'other', '--ssh'], { ...variables, HOME: home });
    assert.deepEqual([unknown.code, unknown.stdout], [1, '']);
    assert.ok(!existsSync(join(home, '.config/sallyport/ssh/key-other')));
    const nowhere = await run(['token', '--target', 'orders', '--ssh', '--out', join(home, 'no/such/key')], variables);
    assert.equal(nowhere.code, 1);
    assert.match(nowhere.stderr, /cannot write the key .*\nhint: give another place/);
    assert.equal((await run(['token', '--target', 'orders', '--out', 'x'], variables)).code, 2);
    assert.equal((await run(['token', '--target', 'orders', '--ssh', '--kube'], variables)).code, 2);
  });
});

describe('sallyport connect', () => {
  it('runs a command on the target, its exit code and output as they are', async () => {
    const ran = await run(['connect', 'orders', '--', 'echo out; echo err >&2; exit 7'], variables);
    assert.deepEqual([ran.code, ran.stdout, ran.stderr], [7, 'out\n', 'err\n']);
  });

  it('names the remote user in front of the target, however it was given', async () => {
    for (const words of [['deploy+orders'], ['orders', '--user', 'deploy']]) {
      const config = execConfig(
        (await run(['connect', ...words, '--local', '--', 'sh', '-c', 'cat "$SALLYPORT_SSH_CONFIG"'], variables)).stdout,
      );
      assert.equal(config.get('User'), `deploy+${sshd.user}`);
    }
  });

  it('trusts the key of the gateway that the API tells, and no other', async () => {
    const { hostKey } = context.connectionOf;
    context.connectionOf = { ...context.connectionOf, hostKey: newSshKeyPair('').publicKey };
    const ran = await run(['connect', 'orders', '--', 'echo in'], variables);
    context.connectionOf = { ...context.connectionOf, hostKey };
    assert.deepEqual([ran.code, ran.stdout], [255, '']);
    assert.match(ran.stderr, /Host key verification failed/);
  });

  it('leaves neither key nor folder behind, also when it is interrupted', async () => {
    const script = 'echo "$SALLYPORT_SSH_CONFIG"; stat -c %a "$(dirname "$SALLYPORT_SSH_CONFIG")"/key; exec sleep 60';
    const running = start(['connect', 'orders', '--local', '--', 'sh', '-c', script], variables);
    const said = await running.says('600');
    const config = said.split('\n')[0] ?? '';
    assert.ok(existsSync(config));
    running.child.kill('SIGINT');
    assert.equal((await running.ended).code, 130);
    assert.ok(!existsSync(join(config, '..')));
    const failed = await run(['connect', 'orders', '--local', '--', 'sh', '-c', 'echo "$SALLYPORT_SSH_CONFIG"; exit 3'], variables);
    assert.equal(failed.code, 3);
    assert.ok(!existsSync(join(failed.stdout.trim(), '..')));
  });

  it('gives programs of this machine what they need: scp, sftp and what runs ssh by itself', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'sallyport-connect-ssh-'));
    writeFileSync(join(folder, 'from'), 'content');
    const copied = await run(
      ['connect', 'orders', '--local', '--', 'scp', '-q', join(folder, 'from'), `orders:${join(folder, 'to')}`],
      variables,
    );
    assert.deepEqual([copied.code, copied.stderr], [0, '']);
    assert.equal(readFileSync(join(folder, 'to'), 'utf8'), 'content');
    for (const variable of ['GIT_SSH_COMMAND', 'RSYNC_RSH']) {
      const ran = await run(
        ['connect', 'orders', '--local', '--', 'sh', '-c', `eval "$${variable} orders echo by ${variable}"`],
        variables,
      );
      assert.deepEqual([ran.code, ran.stdout], [0, `by ${variable}\n`]);
    }
    const ansible = await run(
      ['connect', 'orders', '--local', '--', 'sh', '-c', 'eval "ssh $ANSIBLE_SSH_ARGS orders echo by ansible"'],
      variables,
    );
    assert.equal(ansible.stdout, 'by ansible\n');
    assert.equal((await run(['connect', 'orders', '--local'], variables)).code, 2);
  });

  it('prints lines for ssh_config that hold no secret and make a key whenever a client connects', async () => {
    const home = emptyHome();
    const bound = context.exchanges.length;
    const { code, stdout } = await run(['connect', 'orders', '--ssh-config'], { ...variables, HOME: home });
    assert.equal(code, 0);
    assert.doesNotMatch(stdout, /PRIVATE|spt_/);
    // `sallyport` as people have it on their PATH.
    const bin = mkdtempSync(join(tmpdir(), 'sallyport-bin-'));
    writeFileSync(join(bin, 'sallyport'), `#!/bin/sh\nexec ${process.execPath} ${join(import.meta.dirname, 'main.ts')} "$@"\n`, {
      mode: 0o755,
    });
    const config = join(home, 'ssh_config');
    writeFileSync(config, stdout);
    const env = { ...variables, HOME: home, PATH: `${bin}:${process.env['PATH']}` };
    // Not synchronously: the API is in this process.
    const ssh = async (): Promise<string> =>
      (await promisify(execFile)('ssh', ['-F', config, '-o', 'BatchMode=yes', 'orders', 'echo in'], { env })).stdout;
    assert.equal(await ssh(), 'in\n');
    assert.ok(context.exchanges.length > bound + 2, 'a key for the lines, and one more when ssh ran');
    writeFileSync(config, stdout.replace(sshd.hostKey, newSshKeyPair('').publicKey));
    await assert.rejects(ssh(), /Host key verification failed/);
  });
});

describe('sallyport ssh-host-key', () => {
  it('prints what goes into known_hosts, with fingerprint and DNS record', async () => {
    const { code, stdout } = await run(['ssh-host-key'], { SALLYPORT_URL: variables['SALLYPORT_URL'] ?? '' });
    assert.equal(code, 0);
    assert.deepEqual(stdout.split('\n'), [
      `# ${sshd.fingerprint}`,
      stdout.split('\n')[1],
      `[${sshd.host}]:${sshd.port} ${sshd.hostKey}`,
      '',
    ]);
    assert.match(stdout, /^# 127\.0\.0\.1 IN SSHFP 4 2 [0-9a-f]{64}$/m);
    const home = emptyHome();
    writeFileSync(join(home, 'known_hosts'), stdout);
    const options = ['-F', 'none', '-i', sshd.identity, '-o', `UserKnownHostsFile=${join(home, 'known_hosts')}`, '-o', 'BatchMode=yes'];
    writeFileSync(sshd.authorizedKeys, execFileSync('ssh-keygen', ['-y', '-f', sshd.identity]));
    const ssh = spawnSync('ssh', [...options, '-p', String(sshd.port), `${userInfo().username}@${sshd.host}`, 'true'], {
      encoding: 'utf8',
    });
    assert.equal(ssh.status, 0, ssh.stderr);
  });
});

function execConfig(text: string): ReadonlyMap<string, string> {
  return new Map(text.split('\n').map((line) => [line.trim().split(' ')[0] ?? '', line.trim().split(' ').slice(1).join(' ')]));
}
