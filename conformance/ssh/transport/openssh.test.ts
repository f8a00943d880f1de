import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { eventually } from '../../harness.ts';
import { startSshWorld, type SshWorld } from '../world.ts';
import type { Door } from '../door.ts';

/** OpenSSH's client and server with the gateway between them, without anything that policy or masking would change. */
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

  it('is told how a program died', async () => {
    assert.equal((await door.ssh(['kill -TERM $$'])).code, (await world.direct.ssh(['kill -TERM $$'])).code);
  });

  it('has a terminal with the modes of its own', async () => {
    const { stdout } = await door.ssh(['stty -a; tty; echo $TERM'], { env: { TERM: 'vt220' }, options: ['-tt'] });
    const direct = await world.direct.ssh(['stty -a; echo $TERM'], { env: { TERM: 'vt220' }, options: ['-tt'] });
    assert.match(stdout.toString(), /\/dev\/pts\/\d+\r\nvt220/);
    assert.equal(stdout.toString().replace(/\/dev\/pts\/\d+\r\n/, ''), direct.stdout.toString());
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
