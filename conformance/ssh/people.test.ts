import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { newSshKeyPair } from '../../src/identity/ssh-key-format.ts';
import { run } from '../../src/cli/testing/run.ts';
import { openDoor, type Door } from './door.ts';
import { runProgram, type Ran } from './program.ts';
import { startSshWorld, type SshWorld } from './world.ts';

const policies = `@id("pipelines may do much")
permit (principal in Group::"deployers", action, resource);

@id("nothing is made outside")
forbid (principal, action == Action::"ssh:exec", resource)
when { context has program && context.program == "touch" && !(context has exact_command) };

@id("these wait")
@review("dba") @approvals("1") @expires("15m")
forbid (principal, action == Action::"ssh:exec", resource)
when { context has exact_command && context.exact_command };
`;

let world: SshWorld;
let pipeline: Door;

before(async () => {
  world = await startSshWorld({
    policies,
    adjust(config, sshd) {
      config['data_classes'] = { ssn: { detect: 'us-ssn', mask: 'partial-last4' } };
      const targets = config['targets'] as Record<string, Record<string, unknown>>;
      targets['box']!['exact_commands'] = heldNames.map((name) => `touch ${sshd.folder}/${name}`);
      targets['other'] = { ...targets['box'], labels: { env: 'production' } };
    },
  });
  pipeline = await world.behind();
});
after(async () => await world.close());

const heldNames = ['held-approved', 'held-denied', 'held-cancelled'] as const;
const made = (name: (typeof heldNames)[number]): string => join(world.sshd.folder, name);

/** On the machine, which is this one. */
const place = (): string => mkdtempSync(join(world.folder, 'place-'));
const text = ({ stdout, stderr }: Ran): string => `${stdout.toString()}${stderr.toString()}`;

describe('a key for SSH', () => {
  const bind = async (pair: ReturnType<typeof newSshKeyPair>, target: string, more: Readonly<Record<string, string>> = {}) => {
    const body = new URLSearchParams({
      grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
      subject_token: await world.token('pipeline'),
      subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
      requested_token_type: 'urn:sallyport:token-type:ssh-key',
      ssh_public_key: pair.publicKey,
      audience: target,
      ...more,
    });
    const response = await fetch(`${world.apiUrl}/oauth/token`, { method: 'POST', body });
    return (await response.json()) as { token_id: string; access_token: string; connection: Record<string, unknown> };
  };
  const door = (pair: ReturnType<typeof newSshKeyPair>, user: string): Door =>
    openDoor({
      name: 'behind',
      folder: world.folder,
      host: '127.0.0.1',
      port: world.port,
      user,
      privateKey: pair.privateKey,
      hostKey: world.hostKey,
    });
  const refused = ({ code, stdout, stderr }: Ran): void => {
    assert.deepEqual([code, stdout.toString()], [255, '']);
    assert.match(stderr.toString(), /Permission denied|Connection closed|disconnect/);
  };

  it('opens its target, and the answer tells where that is and how the gateway is known', async () => {
    const pair = newSshKeyPair('');
    const { connection } = await bind(pair, 'box');
    assert.deepEqual(connection, { protocol: 'ssh', host: '127.0.0.1', port: world.port, name: 'box', host_key: world.hostKey });
    assert.equal((await door(pair, 'box').ssh(['echo in'])).stdout.toString(), 'in\n');
  });

  it('opens no other target, and nothing before it is bound', async () => {
    const pair = newSshKeyPair('');
    refused(await door(pair, 'box').ssh(['echo in']));
    await bind(pair, 'other');
    refused(await door(pair, 'box').ssh(['echo in']));
    assert.equal((await door(pair, 'other').ssh(['echo in'])).stdout.toString(), 'in\n');
  });

  it('revoked: ends the session within seconds, and opens nothing any more', async () => {
    const pair = newSshKeyPair('');
    const { token_id: id } = await bind(pair, 'box');
    const running = door(pair, 'box').ssh(['echo begun; sleep 60']);
    const operator = await world.api('platform-pia');
    await begun(id);
    await operator.delete(`/api/v1/credentials/${id}`, { reason: 'laptop lost' });
    const { code } = await running;
    assert.equal(code, 255);
    refused(await door(pair, 'box').ssh(['echo in']));
    const { credentials } = await operator.get<{ credentials: { id: string }[] }>('/api/v1/credentials');
    assert.ok(!credentials.some((one) => one.id === id));
  });

  it('expired: opens nothing', async () => {
    const pair = newSshKeyPair('');
    await bind(pair, 'box', { requested_lifetime: '1' });
    await new Promise((resolve) => setTimeout(resolve, 1_100));
    refused(await door(pair, 'box').ssh(['echo in']));
  });

  it('is no password: neither its fingerprint nor anything else that is public of it', async () => {
    const pair = newSshKeyPair('');
    const { token_id: id, access_token: fingerprint } = await bind(pair, 'box');
    for (const SSHPASS of [fingerprint, id, pair.publicKey, fingerprint.slice(7), `spt_${fingerprint.slice(7)}`]) {
      const args = [
        '-e',
        'ssh',
        '-F',
        pipeline.config,
        '-o',
        'BatchMode=no',
        '-o',
        'PreferredAuthentications=password',
        '-o',
        'NumberOfPasswordPrompts=1',
        'box',
        'echo in',
      ];
      const { code, stdout } = await runProgram('sshpass', args, { env: { SSHPASS } });
      assert.notEqual(code, 0, SSHPASS);
      assert.equal(stdout.toString(), '');
    }
  });

  it('is on record: issued with its fingerprint, used by its id', async () => {
    const pair = newSshKeyPair('');
    const { token_id: id, access_token: fingerprint } = await bind(pair, 'box');
    await door(pair, 'box').ssh(['true']);
    const [issued] = (await world.records(['credential.issued'])).filter((record) => record['credential'] === id);
    assert.deepEqual([issued?.['key'], issued?.['target']], [fingerprint, 'box']);
    const opened = (await world.records(['session.opened'])).filter((record) => record['token_id'] === id);
    assert.equal(opened.length, 1);
  });

  async function begun(tokenId: string): Promise<void> {
    for (;;) {
      const opened = (await world.records(['session.opened'])).find((record) => record['token_id'] === tokenId);
      const decided = (await world.records(['operation.decided'])).some((record) => record['session'] === opened?.['session']);
      if (opened !== undefined && decided) return;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
});

describe('a command', () => {
  it('that policy does not permit ends with 126 and says why, and the machine has not run it', async () => {
    const folder = place();
    const ran = await pipeline.ssh([`touch ${folder}/denied`]);
    assert.equal(ran.code, 126);
    assert.match(ran.stderr.toString(), /^sallyport: .*\[operation ses_/m);
    assert.equal(existsSync(join(folder, 'denied')), false);
    // The next one is none the worse.
    assert.equal((await pipeline.ssh(['echo on'])).stdout.toString(), 'on\n');
  });

  it('that is held runs once when it is approved', async () => {
    const ran = pipeline.ssh([`touch ${made('held-approved')}`]);
    const asked = await world.answer('dba-erin', 'approve', 'ticket OPS-1');
    assert.match(String(asked['text']), /touch \S+held-approved/);
    const { code, stderr } = await ran;
    assert.equal(code, 0, stderr.toString());
    assert.equal(existsSync(made('held-approved')), true);
    assert.match(stderr.toString(), /waiting for approval by dba: https:\/\/\S+\/approvals\/\w+, expires/);
  });

  it('that is held and denied ends with 126 and the reason', async () => {
    const ran = pipeline.ssh([`touch ${made('held-denied')}`]);
    await world.answer('dba-erin', 'deny', 'outside the change window');
    const { code, stderr } = await ran;
    assert.equal(code, 126);
    assert.match(stderr.toString(), /outside the change window/);
    assert.equal(existsSync(made('held-denied')), false);
  });

  it('that is held is given up with Ctrl-C, and nobody can approve it any more', async () => {
    const client = spawn('ssh', ['-F', pipeline.config, 'box', `touch ${made('held-cancelled')}`], { stdio: ['ignore', 'ignore', 'pipe'] });
    const link = await new Promise<string>((resolve) => {
      let said = '';
      client.stderr.setEncoding('utf8').on('data', (chunk: string) => {
        said += chunk;
        const [, id] = /approvals\/(\w+)/.exec(said) ?? [];
        if (id !== undefined) resolve(id);
      });
    });
    const over = new Promise((resolve) => client.once('exit', resolve));
    client.kill('SIGINT');
    await over;
    const erin = await world.api('dba-erin');
    for (;;) {
      const { state } = await erin.get<{ state: string }>(`/api/v1/approvals/${link}`);
      if (state === 'cancelled') break;
      assert.equal(state, 'pending');
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    await assert.rejects(erin.post(`/api/v1/approvals/${link}/approve`, { reason: 'late' }));
    assert.equal(existsSync(made('held-cancelled')), false);
  });

  it('shows what a detector finds masked, also where it comes in pieces', async () => {
    const file = join(place(), 'log');
    writeFileSync(file, 'ssn 123-45-6789 seen\n');
    const ran = await pipeline.ssh([`cat ${file}`]);
    assert.equal(ran.stdout.toString(), 'ssn ***-**-6789 seen\n');
    const pieces = await pipeline.ssh(['for c in 1 2 3 - 4 5 - 6 7 8 9; do printf %s "$c"; sleep 0.05; done; echo']);
    assert.equal(pieces.stdout.toString(), '***-**-6789\n');
  });
});

describe('a session', () => {
  it('that is ended by an operator is over within seconds, with the reason', async () => {
    const running = pipeline.ssh(['echo begun; sleep 60']);
    const operator = await world.api('platform-pia');
    const live = async (): Promise<string> => {
      for (;;) {
        const { sessions } = await operator.get<{ sessions: { id: string; operations: number }[] }>('/api/v1/sessions', { state: 'live' });
        const one = sessions.find(({ operations }) => operations > 0);
        if (one !== undefined) return one.id;
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    };
    await operator.delete(`/api/v1/sessions/${await live()}`, { reason: 'runaway job' });
    const { code, stderr } = await running;
    assert.notEqual(code, 0);
    assert.match(stderr.toString(), /runaway job/);
  });

  it('is played back by asciinema, masked, with and without a terminal', async () => {
    const file = join(place(), 'log');
    writeFileSync(file, 'first line\nssn 123-45-6789\nlast line\n');
    for (const options of [[], ['-tt']]) {
      const ran = await pipeline.ssh([`cat ${file}`], { options });
      assert.equal(ran.code, 0, text(ran));
      const id = await lastSession(`cat ${file}`);
      const env = { SALLYPORT_URL: world.apiUrl, SALLYPORT_CA: world.authorityFile, SALLYPORT_TOKEN: await world.token('auditor-uma') };
      const v3 = await run(['sessions', 'replay', id, '--asciicast'], env);
      assert.match(v3.stdout, /^\{"version":3,/, v3.stderr);
      const v2 = await run(['sessions', 'replay', id, '--asciicast', '--format', 'v2'], env);
      const cast = join(place(), 'session.cast');
      writeFileSync(cast, v2.stdout);
      // It wants a terminal of its own.
      const shown = await runProgram('script', ['-qec', `asciinema cat ${cast}`, '/dev/null'], {
        env: { HOME: world.folder, PYTHONWARNINGS: 'ignore' },
      });
      assert.equal(shown.code, 0, text(shown));
      assert.equal(shown.stdout.toString(), 'first line\r\nssn ***-**-6789\r\nlast line\r\n');
      const human = await run(['sessions', 'replay', id], env);
      assert.match(human.stdout, /ssn \*{3}-\*\*-6789/);
      assert.ok(![v3, v2, human].some(({ stdout }) => stdout.includes('123-45-6789')));
    }
  });

  async function lastSession(command: string): Promise<string> {
    for (;;) {
      const decided = (await world.records(['operation.decided'])).findLast((record) => String(record['text']).includes(command));
      const session = String(decided?.['session']);
      if ((await world.records(['session.closed'])).some((record) => record['session'] === session)) return session;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
});
