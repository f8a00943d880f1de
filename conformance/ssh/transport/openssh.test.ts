import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { eventually } from '../../harness.ts';
import { runProgram } from '../program.ts';
import { startSshWorld, type SshWorld } from '../world.ts';
import type { Door } from '../door.ts';
import { Underway } from './running.ts';

/** OpenSSH's client and server with the gateway between them, without anything that policy or masking would change. */
describe('a gateway of processes', () => {
  for (const workers of [1, 2])
    describe(`with ${workers} of them`, () => {
      let world: SshWorld;
      before(async () => {
        world = await startSshWorld({
          adjust: (config) => {
            config['gateway']!['workers'] = workers;
          },
        });
      });
      after(() => world.close());

      it('ends a session where an operator asks for it, and its user reads why', async () => {
        const door = await world.behind();
        const client = await world.api('platform-pia');
        const running = door.ssh(['sleep 60'], { timeoutMs: 30_000 });
        const session = await eventually('the session', async () => {
          const { sessions } = await client.get<{ sessions: { id: string; operations: number }[] }>('/api/v1/sessions', { state: 'live' });
          return sessions.find(({ operations }) => operations > 0);
        });
        await client.delete(`/api/v1/sessions/${session.id}`, { reason: 'enough' });
        const { code, stderr } = await running;
        assert.equal(code, 255);
        assert.match(stderr.toString(), /session ended: .*platform-pia|session ended/);
        await eventually('its end', async () => {
          const { sessions } = await client.get<{ sessions: unknown[] }>('/api/v1/sessions', { state: 'live' });
          return sessions.length === 0 ? true : undefined;
        });
      });

      it('tells the reason to a connection without a channel, too', async () => {
        const door = await world.behind();
        const client = await world.api('platform-pia');
        const running = door.ssh([], { options: ['-N'], timeoutMs: 30_000 });
        const session = await eventually('the session', async () => {
          const { sessions } = await client.get<{ sessions: { id: string }[] }>('/api/v1/sessions', { state: 'live' });
          return sessions[0];
        });
        await client.delete(`/api/v1/sessions/${session.id}`, { reason: 'enough' });
        const { stderr } = await running;
        assert.match(stderr.toString(), /Received disconnect from 127\.0\.0\.1 port \d+:11: sallyport: session ended: /);
      });
    });
});

describe('OpenSSH through the gateway', () => {
  let world: SshWorld;
  let door: Door;
  before(async () => {
    world = await startSshWorld();
    door = await world.behind();
  });
  after(() => world.close());

  it('runs a command with its input, both outputs and its exit status', async () => {
    const ran = await door.ssh(['cat; echo err >&2; exit 7'], { input: 'what came' });
    assert.deepEqual([ran.code, ran.stdout.toString(), ran.stderr.toString()], [7, 'what came', 'err\n']);
  });

  it('shares a connection, and each of its clients is told how its program ended, also one that had ended its output before', async () => {
    const control = join(world.folder, 'control');
    const master = new Underway('ssh', ['-F', door.config, '-M', '-N', '-S', control, 'box'], world.folder);
    const options = ['-S', control, '-o', 'ControlMaster=no'];
    await eventually(
      'the connection',
      async () => (await door.ssh([], { options: ['-S', control, '-O', 'check'] })).code === 0 || undefined,
    );
    for (const command of ['echo ran; exit 7', 'exec >&- 2>&-; sleep 0.3; exit 7']) {
      assert.equal((await door.ssh([command], { options })).code, 7, command);
      const completed = await eventually('the record', async () => {
        const records = await world.records(['operation.decided', 'operation.completed']);
        const { operation } = records.findLast(({ text }) => String(text).includes(command)) ?? {};
        return records.find((record) => record['type'] === 'operation.completed' && record['operation'] === operation);
      });
      assert.equal(completed['outcome'], 'failed', command);
    }
    master.child.kill('SIGTERM');
    await master.over;
  });

  it('is told how a program died', async () => {
    assert.equal((await door.ssh(['kill -TERM $$'])).code, (await world.direct.ssh(['kill -TERM $$'])).code);
  });

  it('has a terminal with the modes of its own', async () => {
    const { stdout } = await door.ssh(['stty -a; tty; echo $TERM'], { env: { TERM: 'vt220' }, options: ['-tt'] });
    const direct = await world.direct.ssh(['stty -a; echo $TERM'], { env: { TERM: 'vt220' }, options: ['-tt'] });
    assert.match(stdout.toString(), /\/dev\/pts\/\d+\r\nvt220/);
    assert.equal(stdout.toString().replace(/\/dev\/pts\/\d+\r\n/, ''), direct.stdout.toString());
  });

  it('takes input as fast as it can be recorded: bytes that are six times as long in a recording do not end the session', async () => {
    const ran = await door.ssh(['wc -c'], { input: Buffer.alloc(30_000_000), timeoutMs: 120_000 });
    assert.deepEqual([ran.code, ran.stdout.toString().trim(), ran.stderr.toString()], [0, '30000000', '']);
  });

  it('takes commands that are long; of one that is too long for a packet the client is told so, and nobody else suffers', async () => {
    const long = 'x'.repeat(34_000);
    const beside = door.ssh(['sleep 1; echo beside']);
    assert.equal((await door.ssh([`echo ${long}`])).stdout.toString(), `${long}\n`);
    const { code, stderr } = await door.ssh([`echo ${long}${long}`]);
    assert.equal(code, 255);
    assert.match(
      stderr.toString(),
      /sallyport: more than 35,000 bytes in one packet, as of a command that is too long\. Give a long script/,
    );
    await eventually('the reason on record', async () =>
      (await world.records(['session.closed'])).find(({ reason }) => String(reason).includes('more than 35,000 bytes in one packet')),
    );
    assert.equal((await beside).stdout.toString(), 'beside\n');
  });

  it('ends a program whose output nobody reads any more', async () => {
    const { stdout } = await runProgram('sh', ['-c', `ssh -F ${door.config} box yes | head -n 3`], { timeoutMs: 30_000 });
    assert.equal(stdout.toString(), 'y\ny\ny\n');
  });

  it('changes its keys again and again, and what it does goes on and stays on record', async () => {
    const { stdout, code, stderr } = await door.ssh(['head -c 30000000 /dev/zero | tr "\\0" x'], {
      options: ['-o', 'RekeyLimit=1M', '-v', '-o', 'LogLevel=DEBUG1'],
    });
    assert.equal(code, 0);
    assert.equal(stdout.length, 30_000_000);
    assert.ok((stderr.toString().match(/NEWKEYS received/g) ?? []).length > 10);
    // What is only a note of the end is written when the client has gone.
    await eventually('its record', async () => {
      const completed = await world.records(['operation.completed']);
      return completed.some(({ bytes }) => bytes === 30_000_000) ? true : undefined;
    });
  });
});
