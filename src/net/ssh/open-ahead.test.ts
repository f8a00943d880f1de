import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Decision } from '../../core/decision.ts';
import { GatewayFault } from '../../core/fault.ts';
import type { SshChannel } from './channel.ts';
import { OpenAhead } from './open-ahead.ts';
import type { SshUpstream } from './upstream.ts';
import { exec, SshWorld, until } from './testing/ssh-world.ts';

describe('a channel that is opened at the target while its program is decided', () => {
  it('is the one in which it runs, and is empty until the decision is on record', async () => {
    const world = await SshWorld.open();
    const client = await world.client();
    world.ports.audit.immediate = false;
    const over = exec(client, 'run').then((running) => running.over);
    await until(() => world.targetChannels.open === 1);
    assert.deepEqual(world.seen, ['user deploy']);
    world.ports.audit.immediate = true;
    world.ports.audit.makeDurable();
    assert.equal((await over).code, 0);
    assert.equal(world.targetChannels.opened, 1);
    client.end();
  });

  it('is closed again where it is refused', async () => {
    const world = await SshWorld.open((world) => {
      world.ports.decision = { kind: 'deny', code: 'policy-denied', message: 'not you', policies: [] };
    });
    const client = await world.client();
    assert.equal((await (await exec(client, 'rm')).over).code, 126);
    await until(() => world.targetChannels.opened === 1 && world.targetChannels.open === 0);
    client.end();
  });

  it('is closed again while people are asked, and opened anew when they have allowed it', async () => {
    const world = await SshWorld.open((world) => {
      world.ports.decision = held;
    });
    const client = await world.client();
    const { over } = await exec(client, 'rm');
    await until(() => world.ports.desk.requests.length === 1 && world.targetChannels.opened === 1 && world.targetChannels.open === 0);
    world.ports.desk.requests[0]!.reply({ kind: 'approved', by: ['ann'] });
    assert.equal((await over).code, 0);
    assert.equal(world.targetChannels.opened, 2);
    client.end();
  });

  it('is closed again where what was granted does not start yet', async () => {
    const world = await SshWorld.open((world) => {
      world.onRelay = (relay) => {
        relay.adjust = (effects) => effects.filter(({ kind }) => kind !== 'start');
      };
    });
    const client = await world.client();
    await exec(client, 'top');
    await until(() => world.targetChannels.opened === 1 && world.targetChannels.open === 0);
    client.end();
  });

  it('is closed again where the client goes away before', async () => {
    const world = await SshWorld.open();
    const client = await world.client();
    world.ports.audit.immediate = false;
    void exec(client, 'run').then(({ channel }) => channel.close());
    await until(() => world.targetChannels.opened === 1 && world.targetChannels.open === 0);
    world.ports.audit.immediate = true;
    world.ports.audit.makeDurable();
    client.end();
  });

  it('is opened anew where its connection was lost before', async () => {
    const channels = [{ isOver: true }, { isOver: false }] as unknown as SshChannel[];
    const left = [...channels];
    const ahead = new OpenAhead(async () => ({ open: async () => left.shift()! }) as Partial<SshUpstream> as SshUpstream);
    ahead.begin();
    assert.equal(await ahead.take(), channels[1]);
  });

  it('that could not be opened is told to whoever starts the program', async () => {
    const ahead = new OpenAhead(async () => Promise.reject(new GatewayFault('upstream-unavailable', { publicMessage: 'not there' })));
    ahead.begin();
    await assert.rejects(ahead.take(), /not there/);
  });
});

const held = {
  kind: 'hold',
  policies: [],
  reviews: [{ policy: 'p', group: 'dba', approvals: 1, expiresAfterMs: 60_000, message: undefined }],
} as unknown as Decision;
