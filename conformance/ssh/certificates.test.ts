import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { parse, stringify } from 'yaml';
import { freePort } from '../../src/cli/demo/free-port.ts';
import { run, start } from '../../src/cli/testing/run.ts';
import { eventually } from '../harness.ts';
import { ensureDebian } from '../parts/debian.ts';
import { startSshd, type Sshd } from '../parts/sshd.ts';
import type { TestConfig } from '../parts/test-gateway.ts';
import { shown } from './program.ts';
import { Underway } from './transport/running.ts';
import { startSshWorld, type SshWorld } from './world.ts';

/** OpenSSH's server, which trusts an authority, and keys that it has never seen: with ssh-keygen's own certificates, and without. */
describe('a target that trusts an authority', () => {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-certificates-'));
  const at = (name: string): string => join(folder, name);
  const keygen = (...words: readonly string[]): void =>
    void execFileSync('ssh-keygen', ['-q', ...words], { stdio: ['ignore', 'ignore', 'inherit'] });
  const newKey = (name: string, ...options: readonly string[]): void => keygen('-N', '', '-C', name, '-f', at(name), ...options);
  /** `name-cert.pub` of the key `name`. */
  const sign = (name: string, ...options: readonly string[]): void => signBy('authority', name, ...options);
  const signBy = (authority: string, name: string, ...options: readonly string[]): void =>
    keygen('-s', at(authority), '-I', `${name} of the test`, ...options, at(`${name}.pub`));
  const user = userInfo().username;

  const kinds = {
    ed25519: ['-t', 'ed25519'],
    'ecdsa-256': ['-t', 'ecdsa', '-b', '256'],
    'ecdsa-384': ['-t', 'ecdsa', '-b', '384'],
    'ecdsa-521': ['-t', 'ecdsa', '-b', '521'],
    rsa: ['-t', 'rsa', '-b', '2048'],
    'rsa-pem': ['-t', 'rsa', '-b', '2048', '-m', 'PEM'],
  } as const;
  /** Ed25519 keys with certificates that say something of their own. */
  const others = {
    ended: ['-n', user, '-V', '20200101:20210101'],
    early: ['-n', user, '-V', '20900101:20910101'],
    team: ['-n', 'web-team'],
    strangers: ['-n', 'strangers'],
    forced: ['-n', user, '-O', 'force-command=echo forced'],
    elsewhere: ['-n', user, '-O', 'source-address=192.0.2.0/24'],
    renewed: ['-n', user, '-z', '1'],
  } as const;

  let world: SshWorld;
  let older: Sshd;

  before(async () => {
    ensureDebian(['openssh-client']);
    // sshd reads what is named here as whoever it lets in.
    chmodSync(folder, 0o755);
    newKey('authority', '-t', 'ed25519');
    newKey('nobody', '-t', 'ed25519');
    for (const [name, options] of Object.entries(kinds)) {
      newKey(name, ...options);
      sign(name, '-n', user);
    }
    for (const [name, options] of Object.entries(others)) {
      newKey(name, '-t', 'ed25519');
      sign(name, ...options);
    }
    newKey('unknown', '-t', 'ed25519');
    signBy('nobody', 'unknown', '-n', user);
    writeFileSync(at('principals'), `${user}\nweb-team\n`);
    writeFileSync(at('revoked'), '');
    const trusting = [
      `TrustedUserCAKeys ${at('authority.pub')}`,
      `AuthorizedPrincipalsFile ${at('principals')}`,
      `RevokedKeys ${at('revoked')}`,
    ];
    older = await startSshd({ config: [...trusting, 'PubkeyAcceptedAlgorithms rsa-sha2-256-cert-v01@openssh.com'] });
    world = await startSshWorld({
      sshd: { config: trusting },
      adjust(config, sshd) {
        const upstreamOf = ({ host, port, fingerprint }: Sshd) => ({ host, port, user, host_key: fingerprint });
        const target = (name: string, more: Readonly<Record<string, unknown>> = {}, where = sshd) => ({
          protocol: 'ssh',
          upstream: { ...upstreamOf(where), key: `file:${at(name)}`, certificate: `file:${at(`${name}-cert.pub`)}`, ...more },
        });
        const targets = config['targets']!;
        for (const name of [...Object.keys(kinds), 'ended', 'early', 'forced', 'elsewhere', 'renewed', 'unknown'])
          targets[name] = target(name);
        for (const name of ['team', 'strangers']) targets[name] = target(name, { maps_principals: true });
        targets['older'] = target('rsa', {}, older);
        targets['key-alone'] = target('ed25519', { certificate: undefined });
      },
    });
  });
  after(async () => {
    await world.close();
    await older.stop();
    rmSync(folder, { recursive: true });
  });

  const refused = new RegExp(
    `exit 255\\nstderr "sallyport: the target does not let the gateway in as ${user} with its certificate\\. Tell the platform team: the target may not trust the authority`,
  );
  const asked = async (target: string, as = target): Promise<string> =>
    shown(await (await world.behind({ target, user: as })).ssh(['echo ran']));
  const ran = 'exit 0\nstdout "ran\\n"';
  /** What its client reads, where the server says that nobody came. */
  const untried = async (target: string, as?: string): Promise<string> => {
    const before = connections();
    const told = await asked(target, as);
    assert.equal(connections(), before);
    return told;
  };
  const connections = (): number => world.sshd.log().split('Connection from').length;

  for (const name of Object.keys(kinds)) {
    it(`lets the gateway in with a certificate: ${name}`, async () => {
      assert.equal(await asked(name), ran);
      assert.match(world.sshd.log(), new RegExp(`Accepted certificate ID "${name} of the test"`));
    });
  }

  it('lets it in where it knows nothing of SHA-512', async () => {
    assert.equal(await asked('older'), ran);
  });

  it('does not let it in with the key alone', async () => {
    assert.match(await asked('key-alone'), /exit 255\nstderr "sallyport: the target does not take the gateway’s own credential/);
  });

  it('is not asked with a certificate that has ended, or has not begun', async () => {
    assert.match(
      await untried('ended'),
      /exit 255\nstderr "sallyport: the gateway’s certificate for this target expired at 20[^ ]*Z\. Ask the platform team for a new certificate/,
    );
    assert.match(await untried('early'), /exit 255\nstderr "sallyport: the gateway’s certificate for this target is not valid before 20/);
  });

  it('is not asked for a user whom the certificate does not name', async () => {
    assert.match(
      await untried('ed25519', 'daemon+ed25519'),
      /exit 255\nstderr "sallyport: the gateway’s certificate for this target is not for the user daemon\. Leave the remote user out/,
    );
    assert.equal(await asked('ed25519', `${user}+ed25519`), ran);
  });

  it('maps names to users by itself, where the configuration says so', async () => {
    assert.equal(await asked('team'), ran);
    assert.match(await asked('strangers'), refused);
  });

  it('is told of as one that may not know the authority, where it does not', async () => {
    assert.match(await asked('unknown'), refused);
  });

  it('keeps to what the certificate makes it do', async () => {
    assert.equal(await asked('forced'), 'exit 0\nstdout "forced\\n"');
    assert.match(await asked('elsewhere'), refused);
  });

  it('is signed on to with a renewed certificate as soon as it is there, by sessions that are open too', async () => {
    const door = await world.behind({ target: 'renewed' });
    const control = at('control');
    const master = new Underway('ssh', ['-F', door.config, '-M', '-N', '-S', control, 'box'], folder);
    const options = ['-S', control, '-o', 'ControlMaster=no'];
    await eventually(
      'the connection',
      async () => (await door.ssh([], { options: ['-S', control, '-O', 'check'] })).code === 0 || undefined,
    );
    const again = async (): Promise<string> => shown(await door.ssh(['echo ran'], { options }));
    assert.equal(await again(), ran);
    const changes = async (): Promise<number> => (await world.records(['config.changed'])).length;
    const before = await changes();
    sign('renewed', '-n', user, '-z', '2');
    await eventually('the reload', async () => (await changes()) > before || undefined);
    writeFileSync(at('serials'), 'serial: 1\n');
    keygen('-k', '-f', at('revocations'), '-s', at('authority.pub'), at('serials'));
    copyFileSync(at('revocations'), at('revoked'));
    assert.equal(await again(), ran);
    for (const pid of world.sshd.connections()) process.kill(pid, 'SIGKILL');
    await eventually('its end', () => world.sshd.connections().length === 0 || undefined);
    assert.equal(await again(), ran);
    assert.match(world.sshd.log(), /Accepted certificate ID "renewed of the test" \(serial 2\)/);
    master.child.kill('SIGTERM');
    await master.over;
    const sessions = await world.records(['session.opened']);
    assert.equal(sessions.filter((record) => record['target'] === 'renewed').length, 1);
  });

  it('changes nothing for clients: a certificate of theirs is not taken, and they go on with the key', async () => {
    const door = await world.behind();
    copyFileSync(door.identity, at('client'));
    writeFileSync(at('client.pub'), execFileSync('ssh-keygen', ['-y', '-f', door.identity]));
    sign('client', '-n', `${user},box`);
    const told = await door.ssh(['echo ran'], { options: ['-o', 'LogLevel=INFO', '-o', `CertificateFile=${at('client-cert.pub')}`] });
    assert.equal(told.stdout.toString(), 'ran\n');
    assert.match(told.stderr.toString(), /sallyport: certificates are not taken here\. Use the key that sallyport token --ssh makes/);
  });

  it('is warned of by sallyport check, where its certificate has ended', async () => {
    const { code, stderr } = await run(['check', '--offline', '-c', world.configFile]);
    assert.equal(code, 0, stderr);
    assert.match(stderr, /^warning: target ended: its certificate expired at 20[^ ]*Z: the gateway cannot sign on there$/m);
    assert.match(stderr, /^warning: target early: its certificate is not valid before 20/m);
    assert.ok(!stderr.includes('target ed25519'));
  });

  it('is warned of in the gateway’s log when it starts, once', async () => {
    const config = parse(readFileSync(world.configFile, 'utf8')) as TestConfig;
    config['gateway']!['data'] = 'data-of-another';
    config['listeners'] = { ssh: `127.0.0.1:${await freePort()}` };
    const file = join(world.folder, 'another.yaml');
    writeFileSync(file, stringify(config));
    const gateway = start(['serve', '-c', file]);
    const log = await gateway.says('gateway started');
    gateway.child.kill('SIGTERM');
    await gateway.ended;
    const warnings = log.split('\n').filter((line) => line.includes('target ended: its certificate expired at'));
    assert.equal(warnings.length, 1, log);
  });
});
