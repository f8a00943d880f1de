import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { run } from '../../src/cli/testing/run.ts';
import { eventually } from '../harness.ts';
import { playAsciicast, type Played } from '../parts/asciinema-player.ts';
import type { Door } from './door.ts';
import { runProgram } from './program.ts';
import { Underway } from './transport/running.ts';
import { startSshWorld, type SshWorld } from './world.ts';

/** What the gateway exports of a session, in asciinema's own player: the format has one owner, and it is not us. */
describe('a session of SSH as asciicast v3', () => {
  let world: SshWorld;
  let door: Door;
  before(async () => {
    world = await startSshWorld({
      adjust(config) {
        config['data_classes'] = { card: { detect: 'card-number', mask: 'partial-last4' } };
      },
    });
    door = await world.behind();
  });
  after(() => world.close());

  /** The last operation whose text begins so, once it is complete. */
  const played = async (text: string): Promise<Played & { readonly cast: readonly string[] }> => {
    const { session, operation } = await eventually('its end', async () => {
      const records = await world.records(['operation.decided', 'session.closed']);
      const decided = records.findLast((record) => String(record['text']).startsWith(text));
      return records.some(({ type, session: of }) => type === 'session.closed' && of === decided?.['session']) ? decided : undefined;
    });
    const env = { SALLYPORT_URL: world.apiUrl, SALLYPORT_CA: world.authorityFile, SALLYPORT_TOKEN: await world.token('auditor-uma') };
    const { stdout, stderr } = await run(['sessions', 'replay', String(session), '--asciicast', String(operation)], env);
    assert.notEqual(stdout, '', stderr);
    return { ...(await playAsciicast(stdout)), cast: stdout.trimEnd().split('\n') };
  };
  const endOf = (cast: readonly string[]): unknown => (JSON.parse(cast.at(-1)!) as readonly unknown[]).slice(1);
  const secondsOf = (cast: readonly string[]): number => cast.slice(1).reduce((sum, line) => sum + (JSON.parse(line) as [number])[0], 0);

  it('plays a terminal with its sizes, what it showed masked, what was typed unseen hidden, and its exit status', async () => {
    const until = (size: string): string => `until stty size | grep -qx '${size}'; do sleep 0.05; done; echo is ${size}`;
    const script = `${until('33 91')}; read word; ${until('40 100')}; stty -echo; echo quiet; read secret; stty echo; echo "[$word] 4111 1111 1111 1111"; exit 5`;
    const plan = join(world.folder, 'plan.json');
    const steps = [
      { expect: 'is 33 91' },
      { send: 'word\r' },
      { resize: [100, 40] },
      { expect: 'quiet' },
      { send: 'hunter2\r' },
      { expect: '1111\r\n' },
      { end: true },
    ];
    writeFileSync(plan, JSON.stringify({ size: [91, 33], steps }));
    const terminal = join(import.meta.dirname, 'peers', 'terminal.py');
    const ran = await runProgram('/usr/bin/python3', [terminal, plan, 'ssh', '-F', door.config, '-tt', 'box', script]);
    const { exit, failed } = JSON.parse(ran.stdout.toString()) as { exit: number; failed: string | null };
    assert.deepEqual([exit, failed], [5, null]);
    const { sizes, output, input, seconds, cast } = await played('until stty size');
    // A client may tell the same size twice: the terminal does, and so does whoever changed it.
    const changes = sizes.map((size) => size.join('x')).filter((size, index, all) => size !== all[index - 1]);
    assert.deepEqual(changes, ['91x33', '100x40']);
    assert.match(output, /^is 33 91\r\nword\r\nis 40 100\r\nquiet\r\n(?:\r\n)?\[word\] \*\*\*\* \*\*\*\* \*\*\*\* 1111\r\n$/);
    assert.match(input, /^word[\r\n]\*{7}[\r\n]$/);
    assert.deepEqual(endOf(cast), ['x', '5']);
    assert.ok(Math.abs(seconds - secondsOf(cast)) < 0.001, 'its times are since the event before');
    assert.doesNotMatch(cast.join(''), /hunter2|4111/);
  });

  it('plays a command without a terminal line by line, its input too', async () => {
    const running = new Underway(
      'ssh',
      ['-F', door.config, 'box', 'echo begun; cat; echo paid by 4111 1111 1111 1111 >&2; kill -TERM $$'],
      world.folder,
    );
    await eventually('the command', () => running.text.includes('begun') || undefined);
    running.child.stdin.end('one\ntwo\n');
    assert.equal(await running.over, 255);
    const { sizes, output, input, cast } = await played('echo begun; cat');
    assert.deepEqual(sizes, [[80, 24]]);
    assert.equal(output, 'begun\r\none\r\ntwo\r\npaid by **** **** **** 1111\r\n');
    assert.equal(input, 'one\ntwo\n');
    assert.deepEqual(endOf(cast), ['x', '143']);
  });

  it('ends with a marker where the target told no status', async () => {
    const running = new Underway('ssh', ['-F', door.config, 'box', 'echo begun; exec sleep 600'], world.folder);
    await eventually('the command', () => running.text.includes('begun') || undefined);
    for (const pid of world.sshd.connections()) process.kill(pid, 'SIGKILL');
    await running.over;
    running.child.kill();
    const { output, markers } = await played('echo begun; exec');
    assert.deepEqual([output, markers], ['begun\r\n', ['upstream-unavailable']]);
  });
});
