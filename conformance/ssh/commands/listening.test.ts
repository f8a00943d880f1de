import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { connect, createServer, type AddressInfo, type Server } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { freePort } from '../../../src/cli/demo/free-port.ts';
import type { Door } from '../door.ts';
import { startSshWorld, type SshWorld } from '../world.ts';

/** What policy, people and the gateway make of ports that OpenSSH's server is to listen on for OpenSSH's client. */
describe('a port at the machine', () => {
  let world: SshWorld;
  let door: Door;
  let here: Server;
  const ports = { free: 0, held: 0, closed: 0 };
  const clients: ChildProcess[] = [];
  before(async () => {
    for (const name of Object.keys(ports) as (keyof typeof ports)[]) ports[name] = await freePort();
    here = createServer((socket) => socket.on('error', () => undefined).end('from here\n'));
    await new Promise<void>((resolve) => here.listen(0, '127.0.0.1', resolve));
    world = await startSshWorld({ policies: policies(ports) });
    door = await world.behind();
  });
  after(async () => {
    for (const client of clients) client.kill('SIGKILL');
    here.close();
    await world.close();
  });

  const place = (port: number): string => `127.0.0.1:${port}:127.0.0.1:${(here.address() as AddressInfo).port}`;
  /** A client that does nothing else. */
  const client = (
    port: number,
    options: readonly string[] = [],
  ): { readonly child: ChildProcess; readonly said: () => string; readonly over: Promise<unknown> } => {
    const child = spawn('ssh', ['-F', door.config, '-N', '-o', 'ExitOnForwardFailure=yes', ...options, '-R', place(port), 'box']);
    clients.push(child);
    let said = '';
    child.stderr.on('data', (part: Buffer) => (said += part.toString()));
    return { child, said: () => said, over: once(child, 'close') };
  };
  /** What somebody hears who connects to the machine; undefined: nothing listens. */
  const heard = async (port: number): Promise<string | undefined> => {
    const socket = connect(port, '127.0.0.1');
    let text = '';
    socket.on('data', (part: Buffer) => (text += part.toString()));
    try {
      await once(socket, 'connect');
      await once(socket, 'close');
    } catch {
      return undefined;
    }
    return text;
  };
  const until = async (what: () => Promise<boolean>): Promise<void> => {
    for (let tries = 0; !(await what()); tries += 1) {
      assert.ok(tries < 400, 'it did not come to this');
      await pause(50);
    }
  };
  const decided = async (): Promise<readonly Readonly<Record<string, unknown>>[]> => await world.records(['operation.decided']);

  it('is permitted by its name, and every connection that comes there is on record', async () => {
    const { child, over } = client(ports.free);
    await until(async () => (await heard(ports.free)) === 'from here\n');
    const records = await decided();
    const object = `Forward::"box/listen:localhost:${ports.free}"`;
    assert.deepEqual(
      records.slice(0, 2).map(({ acts, decision }) => [acts, decision]),
      [
        [[{ action: 'ssh:forward-remote', object }], 'allow'],
        [[{ action: 'ssh:accept-connection', object }], 'allow'],
      ],
    );
    assert.equal((records[1]!['facts'] as { originator_host: string }).originator_host, '127.0.0.1');
    child.kill('SIGTERM');
    await over;
    await until(async () => (await heard(ports.free)) === undefined);
  });

  it('that is not permitted is refused, and the client can be shown why', async () => {
    const { said, over } = client(await freePort(), ['-v']);
    assert.deepEqual(await over, [255, null]);
    assert.match(said(), /remote port forwarding failed for listen port/);
    assert.match(said(), /Remote: sallyport: No policy permits ssh:forward-remote on Forward::"box\/listen:localhost:[0-9]+"/);
  });

  it('may stand and let nobody in: each connection is asked for', async () => {
    const { child, over } = client(ports.closed);
    await until(async () => (await heard(ports.closed)) === '');
    const last = (await decided()).at(-1)!;
    assert.deepEqual([(last['acts'] as { action: string }[])[0]!.action, last['decision']], ['ssh:accept-connection', 'deny']);
    child.kill('SIGTERM');
    await over;
  });

  it('waits for people, who see what it is; the client can be shown for whom', async () => {
    const { child, said, over } = client(ports.held, ['-v']);
    const approval = await world.answer('dba-erin', 'approve', 'go');
    assert.match(JSON.stringify(approval), new RegExp(`listen on localhost:${ports.held}`));
    await until(async () => (await heard(ports.held)) === 'from here\n');
    assert.match(said(), /Remote: sallyport: waiting for approval by dba/);
    child.kill('SIGTERM');
    await over;
  });

  it('that is refused by people is refused', async () => {
    const { over } = client(ports.held);
    await world.answer('dba-erin', 'deny', 'not today');
    assert.deepEqual(await over, [255, null]);
    assert.equal(await heard(ports.held), undefined);
  });

  it('ends with its session, whoever ends that', async () => {
    const { over } = client(ports.free);
    await until(async () => (await heard(ports.free)) === 'from here\n');
    const operator = await world.api('platform-pia');
    const { sessions } = await operator.get<{ sessions: { id: string }[] }>('/api/v1/sessions', { state: 'live' });
    await operator.delete(`/api/v1/sessions/${sessions[0]!.id}`, { reason: 'not this' });
    await over;
    await until(async () => (await heard(ports.free)) === undefined);
  });

  it('lets nobody in any more when policy changes', async () => {
    const { child, over } = client(ports.free);
    await until(async () => (await heard(ports.free)) === 'from here\n');
    writeFileSync(join(world.folder, 'policies', 'all.cedar'), policies({ ...ports, closed: ports.free, free: ports.closed }));
    await until(async () => (await heard(ports.free)) === '');
    child.kill('SIGTERM');
    await over;
  });
});

const policies = ({ free, held, closed }: Readonly<Record<'free' | 'held' | 'closed', number>>): string => `
@id("some ports are listened on")
permit (principal in Group::"deployers", action == Action::"ssh:forward-remote", resource)
when { context has destination_port && [${free}, ${held}, ${closed}].contains(context.destination_port) };

@id("and whoever comes there is let in")
permit (principal in Group::"deployers", action == Action::"ssh:accept-connection", resource)
when { context has destination_port && [${free}, ${held}].contains(context.destination_port) };

@id("one of them waits")
@review("dba") @approvals("1") @expires("5m")
forbid (principal, action == Action::"ssh:forward-remote", resource == Forward::"box/listen:localhost:${held}");

@id("they connect")
permit (principal in Group::"deployers", action == Action::"connect", resource);
`;
