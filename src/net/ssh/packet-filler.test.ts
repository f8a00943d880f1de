import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Grant } from '../../core/grant.ts';
import type { ChannelEffect } from '../../protocols/ssh/channel.ts';
import { exec, SshWorld } from './testing/ssh-world.ts';

describe('what goes to a channel in one turn', () => {
  it('goes in as few packets as it fills', async () => {
    const { packets, stdout } = await sent('x'.repeat(1_000), (reply) => cut(reply, 100));
    assert.equal(stdout, 'x'.repeat(1_000));
    assert.deepEqual(packets, ['CHANNEL_DATA 1000']);
  });

  it('keeps its order, whichever stream it is of', async () => {
    const { packets, stdout, stderr } = await sent('abcdef', (reply) =>
      cut(reply, 1).map((one, index) => ({ ...one, stream: index === 2 || index === 3 ? 'stderr' : 'stdout' })),
    );
    assert.deepEqual([stdout, stderr], ['abef', 'cd']);
    assert.deepEqual(packets, ['CHANNEL_DATA 2', 'CHANNEL_EXTENDED_DATA 2', 'CHANNEL_DATA 2']);
  });

  it('comes whole where it is much, in pieces of any size', async () => {
    const text = Array.from({ length: 30_000 }, (_, index) => `line ${index}\n`).join('');
    for (const size of [1_000, 32_767, 32_768, 32_769]) {
      const { stdout, packets } = await sent(text, (reply) => cut(reply, size));
      assert.ok(stdout === text, `pieces of ${size}`);
      assert.ok(packets.every((one) => Number(one.split(' ')[1]) <= 32_768));
    }
  });

  it('comes before what ends the channel', async () => {
    const { stdout, code } = await sent('the last words', (reply) => cut(reply, 3));
    assert.deepEqual([stdout, code], ['the last words', 3]);
  });

  it('comes before what ends the connection in the same turn', async () => {
    const { stdout, code } = await sent('the last words', (reply) => [reply, { kind: 'forward', bytes: reply.bytes, grant: {} as Grant }]);
    assert.deepEqual([stdout, code], ['the last words', null]);
  });
});

type Reply = Extract<ChannelEffect, { readonly kind: 'reply' }>;

function cut(reply: Reply, size: number): Reply[] {
  return Array.from({ length: Math.ceil(reply.bytes.length / size) }, (_, index) => ({
    ...reply,
    bytes: reply.bytes.subarray(index * size, (index + 1) * size),
  }));
}

/** What a client gets of what a target writes, where its session answers each piece with several. */
async function sent(text: string, cutting: (reply: Reply) => readonly ChannelEffect[]) {
  const world = await SshWorld.open((world) => {
    world.run = (channel) => {
      channel.write(text);
      channel.exit(3);
      channel.end();
    };
    world.onRelay = (relay) => {
      relay.adjust = (effects) =>
        effects.flatMap((effect): readonly ChannelEffect[] => (effect.kind === 'reply' ? cutting(effect) : [effect]));
    };
  });
  const packets: string[] = [];
  const client = await world.client({
    debug: (line) => {
      const found = /Inbound: (CHANNEL_DATA|CHANNEL_EXTENDED_DATA) \(r:\d+, (?:data: )?(\d+)\)/.exec(line);
      if (found !== null) packets.push(`${found[1]} ${found[2]}`);
    },
  });
  const ran = await (await exec(client, 'run')).over;
  client.end();
  return { ...ran, packets };
}
