import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { eventually } from '../../harness.ts';
import { startSshWorld, type SshWorld } from '../world.ts';
import { Underway } from './running.ts';

/** Who keeps its connection and says nothing any more, as behind a cable that is cut: each side is asked every 15 seconds, and is gone after four questions without an answer. */
describe('a connection on which nothing comes any more', { concurrency: true }, () => {
  let world: SshWorld;
  before(async () => {
    world = await startSshWorld();
  });
  after(async () => {
    // Whatever happened: nothing that stands still is left behind.
    for (const pid of world.sshd.connections()) process.kill(pid, 'SIGKILL');
    await world.close();
  });
  /** And the sshd that serves it. */
  const command = async (text: string): Promise<{ readonly running: Underway; readonly server: number }> => {
    const { config } = await world.behind();
    const running = new Underway('ssh', ['-F', config, 'box', `echo at $PPID; ${text}`], world.folder);
    const server = await eventually('the command', () => /^at (\d+)$/m.exec(running.text)?.[1]);
    return { running, server: Number(server) };
  };
  const ended = async (type: string, text: string): Promise<Readonly<Record<string, unknown>>> =>
    eventually(
      `${type} of ${text}`,
      async () => {
        const records = await world.records(['operation.decided', 'operation.completed', 'session.closed']);
        const decided = records.find((record) => record['text'] === `echo at $PPID; ${text}`);
        return records.find(
          (record) =>
            record['type'] === type &&
            record['session'] === decided?.['session'] &&
            (type !== 'operation.completed' || record['operation'] === decided?.['operation']),
        );
      },
      patienceMs,
    );

  it('of a client is ended, and so is what it runs', async () => {
    const { running, server } = await command('exec sleep 501');
    assert.ok(world.sshd.connections().includes(server));
    running.child.kill('SIGSTOP');
    const { outcome } = await ended('operation.completed', 'exec sleep 501');
    assert.equal(outcome, 'cancelled');
    await ended('session.closed', 'exec sleep 501');
    await eventually('no connection to the target', () => !world.sshd.connections().includes(server) || undefined);
    running.child.kill('SIGCONT');
    assert.equal(await running.over, 255);
  });

  it('of a target is ended, and whoever runs something there reads it', async () => {
    const { running, server } = await command('exec sleep 502');
    process.kill(server, 'SIGSTOP');
    try {
      const { outcome } = await ended('operation.completed', 'exec sleep 502');
      assert.equal(outcome, 'unknown');
      assert.equal(await running.over, 255);
      assert.match(running.text, /sallyport: the connection to the target is lost\. What ran there may or may not have taken effect\./);
    } finally {
      process.kill(server, 'SIGCONT');
    }
  });
});

const patienceMs = 150_000;
