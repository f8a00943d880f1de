import assert from 'node:assert/strict';
import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { after, afterEach, before, describe, it } from 'node:test';
import type { SessionList } from '../../../src/api/schema.ts';
import type { Door } from '../door.ts';
import { openPolicy } from '../../parts/test-gateway.ts';
import { startSshWorld, type SshWorld } from '../world.ts';

/** A real shell of a real sshd, with people who watch by `sallyport sessions watch`. */
describe('a moderated shell', () => {
  let world: SshWorld;
  let door: Door;
  const children: ChildProcessWithoutNullStreams[] = [];
  before(async () => {
    world = await startSshWorld({
      policies: openPolicy,
      adjust: ({ targets, gateway }) => {
        (targets!['box'] as Record<string, unknown>)['moderated'] = { group: 'dba' };
        // The API is in another process than the session.
        gateway!['workers'] = 2;
      },
    });
    door = await world.behind();
  });
  afterEach(() => {
    for (const child of children.splice(0)) child.kill('SIGKILL');
  });
  after(() => world.close());

  const program = (command: string, args: readonly string[], env: Readonly<Record<string, string>> = {}): Talk => {
    const child = spawn(command, args, { env: { ...process.env, ...env } });
    children.push(child);
    return new Talk(child);
  };
  const shell = (): Talk => program('ssh', ['-F', door.config, '-tt', 'box'], { TERM: 'dumb' });
  const watch = async (session: string, as: string): Promise<Talk> =>
    program(process.execPath, ['bin/sallyport.js', 'sessions', 'watch', session, '--url', world.apiUrl], {
      SALLYPORT_TOKEN: await world.token(as),
      SALLYPORT_CA: world.authorityFile,
    });
  const liveSession = async (): Promise<string> => {
    const client = await world.api('platform-pia');
    const { sessions } = await client.get<SessionList>('/api/v1/sessions', { state: 'live' });
    return sessions[0]?.id ?? assert.fail('no session');
  };

  it('starts when somebody of the group watches, pauses while nobody does, and is ended by whoever watches', async () => {
    const client = shell();
    await client.until('waiting until someone of dba watches');
    const session = await liveSession();
    client.type('PS1=ready; echo x$((6 * 7))y\n');
    // An operator may look, and is not whom it waits for.
    const operator = await watch(session, 'platform-pia');
    await operator.until('watching');
    assert.ok(!client.text.includes('x42y'));
    const first = await watch(session, 'dba-erin');
    await client.until('x42y');
    await first.until('x42y');
    await operator.until('x42y');

    first.child.kill('SIGINT');
    await client.until('paused: nobody of dba watches');
    client.type(`echo x$((40 + 3))y; touch ${world.sshd.folder}/paused\n`);
    const second = await watch(session, 'dba-erin');
    await client.until('x43y');
    await second.until('x43y');
    assert.ok(client.text.indexOf('goes on') < client.text.indexOf('x43y'), 'and not before');

    const killer = await world.api('dba-erin');
    await killer.delete(`/api/v1/sessions/${session}`, { reason: 'that is enough' });
    await client.until('that is enough');
    await second.until('the session is over');
    const notes = (await world.records(['session.note'])).filter((record) => record['session'] === session).map(({ event }) => event);
    assert.deepEqual(
      notes.filter((event) => event === 'watched' || event === 'unwatched'),
      ['watched', 'unwatched', 'watched'],
    );
    const reads = (await world.records(['evidence.read'])).filter(({ what }) => what === 'session.watch');
    assert.deepEqual(new Set(reads.map(({ subject }) => subject)), new Set(['platform-pia', 'dba-erin']));
  });

  it('is what takes commands; a command runs by itself', async () => {
    const { code, stdout } = await door.ssh(['echo alone']);
    assert.deepEqual([code, stdout.toString()], [0, 'alone\n']);
    const interpreter = program('ssh', ['-F', door.config, 'box', 'sh']);
    await interpreter.until('waiting until someone of dba watches');
  });
});

/** A program that is talked to. */
class Talk {
  readonly child: ChildProcessWithoutNullStreams;
  text = '';

  constructor(child: ChildProcessWithoutNullStreams) {
    this.child = child;
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (this.text += chunk.toString()));
  }

  type(text: string): void {
    this.child.stdin.write(text);
  }

  async until(part: string): Promise<void> {
    for (let turn = 0; !this.text.includes(part); turn += 1) {
      if (turn > 1_500) throw new Error(`it never said ${JSON.stringify(part)}, but ${JSON.stringify(this.text.slice(-2_000))}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}
