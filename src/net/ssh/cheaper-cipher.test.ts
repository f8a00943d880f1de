import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { CipherAlgorithm, Client } from 'ssh2';
import { exec, SshWorld } from './testing/ssh-world.ts';

describe('a connection that moves much goes over to a cheaper cipher', () => {
  it('where its client is OpenSSH and knows it', async () => {
    assert.deepEqual(await agreed(openSsh, ['aes128-ctr', 'aes256-gcm@openssh.com'], much), ['aes128-ctr', 'aes256-gcm@openssh.com']);
  });

  it('never where its client has not named it', async () => {
    assert.deepEqual(await agreed(openSsh, ['aes128-ctr', 'aes256-ctr'], much), ['aes128-ctr']);
  });

  it('not before it has moved much', async () => {
    assert.deepEqual(await agreed(openSsh, ['aes128-ctr', 'aes128-gcm@openssh.com'], 1_000_000), ['aes128-ctr']);
  });

  it('not where it has it already', async () => {
    assert.deepEqual(await agreed(openSsh, ['aes128-gcm@openssh.com', 'aes128-ctr'], much), ['aes128-gcm@openssh.com']);
  });

  it('not with other clients', async () => {
    assert.deepEqual(await agreed('PuTTY_Release_0.83', ['aes128-ctr', 'aes128-gcm@openssh.com'], much), ['aes128-ctr']);
  });
});

const openSsh = 'OpenSSH_9.2p1 Debian-2';
const much = 6_000_000;

/** The ciphers of one connection, one after the other, through which so many bytes went to its client and arrived as they were. */
async function agreed(ident: string, cipher: CipherAlgorithm[], bytes: number): Promise<readonly string[]> {
  const content = Buffer.alloc(bytes, 'all of it, in order; ');
  const world = await SshWorld.open((world) => {
    world.run = (channel) => {
      channel.write(content);
      channel.exit(0);
      channel.end();
    };
  });
  const agreements: string[] = [];
  const client = await world.client({
    ident,
    algorithms: { cipher },
    // Called with each exchange.
    debug: (text) => {
      const name = /Handshake: S->C cipher: (\S+)$/.exec(text)?.[1];
      if (name !== undefined) agreements.push(name);
    },
  });
  const { stdout, code } = await (await exec(client, 'much')).over;
  assert.equal(code, 0);
  assert.ok(stdout === content.toString());
  await gone(client);
  return agreements;
}

function gone(client: Client): Promise<void> {
  return new Promise((resolve) => {
    client.once('close', () => resolve()).end();
  });
}
