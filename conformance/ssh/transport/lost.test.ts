import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { eventually } from '../../harness.ts';
import type { Door } from '../door.ts';
import { startSshWorld, type SshWorld } from '../world.ts';
import { endless, isBroken, startEcho, Underway } from './running.ts';

/** The target breaks its connection to the gateway off while something runs: what became of that nobody knows. */
describe('where the target is lost,', () => {
  let world: SshWorld;
  let echo: Awaited<ReturnType<typeof startEcho>>;
  let cases = 0;
  before(async () => {
    echo = await startEcho();
    world = await startSshWorld({
      adjust(config) {
        Object.assign(config['targets']!['box'] as object, { forwards: [{ to: `127.0.0.1:${echo.port}` }] });
      },
    });
  });
  after(async () => {
    echo.close();
    await world.close();
  });
  const folder = (): string => {
    const path = join(world.folder, `case-${(cases += 1)}`);
    mkdirSync(path);
    return path;
  };
  const lose = (signal: NodeJS.Signals = 'SIGKILL'): void => {
    const serving = world.sshd.connections();
    assert.ok(serving.length > 0);
    for (const pid of serving) process.kill(pid, signal);
  };
  const completed = async (text: RegExp): Promise<Readonly<Record<string, unknown>>> =>
    eventually('the record', async () => {
      const records = await world.records(['operation.decided', 'operation.completed']);
      const { operation } = records.findLast((record) => text.test(String(record['text']))) ?? {};
      return records.find((record) => record['type'] === 'operation.completed' && record['operation'] === operation);
    });

  for (const { name, text, begin } of endless(() => echo.port)) {
    if (name === 'a forward') continue;
    it(`${name} ends, its user reads why, and its outcome is unknown`, async () => {
      const running = await begin(await world.behind(), folder());
      lose();
      assert.ok(isBroken(running, await running.over), running.text);
      assert.match(running.text, /sallyport: the connection to the target is lost\. .*may or may not have taken effect/);
      const { session, outcome } = await completed(text);
      assert.equal(outcome, 'unknown');
      // Of a file's operation it stands with its subsystem.
      const all = (await world.records(['operation.completed'])).filter((record) => record['session'] === session);
      assert.ok(all.some(({ reason }) => reason === 'the connection to the target is lost'));
    });
  }

  it('a forward is closed, and the connection that it went through stays', async () => {
    const forward = endless(() => echo.port).find(({ name }) => name === 'a forward')!;
    const running = (await forward.begin(await world.behind(), folder())) as Underway & { closed: Promise<void> };
    lose();
    await running.closed;
    assert.equal(running.child.exitCode, null);
    const { outcome } = await completed(forward.text);
    assert.equal(outcome, 'unknown');
    running.child.kill('SIGTERM');
    await running.over;
  });

  it('the next command over the same connection of the client finds it again', async () => {
    const door: Door = await world.behind();
    const control = join(folder(), 'c');
    const master = new Underway('ssh', ['-F', door.config, '-M', '-N', '-S', control, 'box'], world.folder);
    const run = (command: string) => door.ssh([command], { options: ['-S', control, '-o', 'ControlMaster=no'] });
    await eventually('the connection', async () =>
      (await door.ssh([], { options: ['-S', control, '-O', 'check'] })).code === 0 ? true : undefined,
    );
    assert.equal((await run('echo first')).stdout.toString(), 'first\n');
    // Nothing runs, and nobody is told.
    lose();
    await eventually('its end', () => world.sshd.connections().length === 0 || undefined);
    assert.equal((await run('echo second')).stdout.toString(), 'second\n');
    const running = new Underway('ssh', ['-F', door.config, '-S', control, 'box', 'echo begun; exec sleep 600'], world.folder);
    await eventually('the command', () => running.text.includes('begun') || undefined);
    lose();
    assert.equal(await running.over, 255);
    assert.match(running.text, /the connection to the target is lost/);
    assert.equal((await run('echo third')).stdout.toString(), 'third\n');
    const sessions = new Set(
      (await world.records(['operation.decided']))
        .filter(({ text }) => /^echo (?:first|second|third)$/.test(String(text)))
        .map(({ session }) => session),
    );
    assert.equal(sessions.size, 1);
    await door.ssh([], { options: ['-S', control, '-O', 'exit'] });
    await master.over;
  });
});
