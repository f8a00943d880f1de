import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { eventually } from '../../harness.ts';
import { startSshWorld, type SshWorld } from '../world.ts';
import { Underway } from './running.ts';

/** SSH connections are spread over processes, of which none has the API. */
describe('two processes that serve SSH', () => {
  let world: SshWorld;
  before(async () => {
    world = await startSshWorld({
      policies: `@id("pipelines may do everything")
permit (principal in Group::"deployers", action, resource);
@id("it waits") @review("dba")
forbid (principal, action == Action::"ssh:exec", resource == Command::"box/echo held");`,
      adjust(config) {
        config['gateway']!['workers'] = 2;
        Object.assign(config['targets']!['box'] as object, { limits: { concurrent_sessions: 6 } });
      },
    });
  });
  after(() => world.close());

  const children = (): readonly number[] =>
    readFileSync(`/proc/${process.pid}/task/${process.pid}/children`, 'utf8')
      .split(' ')
      .filter(Boolean)
      .map(Number)
      .filter((pid) => readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('node'));
  /** Commands that run until their input ends, one after the other: both processes have as many. */
  const running = async (count: number): Promise<readonly Underway[]> => {
    const all: Underway[] = [];
    for (let number = 0; number < count; number += 1) {
      const { config } = await world.behind();
      const one = new Underway('ssh', ['-F', config, 'box', 'echo begun; cat'], world.folder);
      await eventually('the command', () => one.text.includes('begun') || undefined);
      all.push(one);
    }
    return all;
  };

  it('ask the same people, and go on where they agree', async () => {
    const held = Array.from({ length: 4 }, async () => (await world.behind()).ssh(['echo held']));
    for (const _ of held) await world.answer('dba-erin', 'approve', 'fine');
    for (const one of held) {
      const { code, stdout } = await one;
      assert.deepEqual([code, stdout.toString()], [0, 'held\n']);
    }
  });

  it('count what a principal has open together', async () => {
    const six = await running(6);
    const door = await world.behind({ config: ['LogLevel INFO'] });
    // What one of them counts, the other counts a moment later.
    await eventually('the limit', async () => /concurrent_sessions \(6\)/.test((await door.ssh(['true'])).stderr.toString()) || undefined);
    for (const one of six) one.child.stdin.end();
    assert.deepEqual(await Promise.all(six.map(({ over }) => over)), [0, 0, 0, 0, 0, 0]);
    await eventually('room', async () => (await door.ssh(['true'])).code === 0 || undefined);
  });

  it('are told apart by their end: the sessions of one that is killed are over, the other’s go on, and it is started again', async () => {
    const four = await running(4);
    const before = children();
    assert.equal(before.length, 2);
    process.kill(before[0]!, 'SIGKILL');
    const broken = await eventually('broken connections', () => {
      const over = four.filter(({ child }) => child.exitCode !== null);
      return over.length === 2 ? over : undefined;
    });
    for (const { over } of broken) assert.equal(await over, 255);
    const left = four.filter((one) => !broken.includes(one));
    for (const one of left) one.child.stdin.end('on\n');
    for (const one of left) {
      assert.equal(await one.over, 0);
      assert.equal(one.text, 'begun\non\n');
    }
    await eventually('a new one', () => (children().length === 2 && !children().includes(before[0]!)) || undefined);
    const again = await running(2);
    for (const one of again) one.child.stdin.end();
    for (const one of again) assert.equal(await one.over, 0);
    // What the killed one has not told is told of it: its recordings are sealed. Its log cannot be read before it is back.
    const sealed = async (): Promise<number> => (await world.records(['recording.recovered']).catch(() => [])).length;
    await eventually('its recordings', async () => (await sealed()) === 2 || undefined);
  });
});
