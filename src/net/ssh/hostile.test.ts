import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { describe, it } from 'node:test';
import type { Algorithms, Client } from 'ssh2';
import { keyExchangeInit, packet } from './testing/raw-peer.ts';
import { exec, SshWorld, until } from './testing/ssh-world.ts';

/** Other sessions go on as if nothing were: seen at one that began before, and at one that begins after. */
async function unharmed(attack: (world: SshWorld) => Promise<void>, adjust: (world: SshWorld) => void = () => {}): Promise<SshWorld> {
  const world = await SshWorld.open((world) => {
    world.run = (channel, command) => {
      if (command === 'wait') {
        channel.resume();
        return;
      }
      channel.write(command);
      channel.exit(0);
      channel.end();
    };
    adjust(world);
  });
  const before = await world.client();
  await attack(world);
  assert.equal((await (await exec(before, 'before')).over).stdout, 'before');
  assert.equal((await world.exec('after')).stdout, 'after');
  before.end();
  return world;
}

/** What came until the gateway closed the connection. */
async function closed(socket: Socket): Promise<string> {
  let text = '';
  socket.on('data', (part: Buffer) => (text += part.toString('latin1')));
  socket.on('error', () => {});
  await once(socket, 'close');
  return text;
}

const over = (client: Client): Promise<void> => new Promise((resolve) => client.once('close', () => resolve()));
/** ssh2's client below its own rules. */
interface Wire {
  _server: boolean;
  readonly _authsQueue: string[];
  ping(): void;
  rekey(): void;
  authSuccess(): void;
  channelData(channel: number, data: Buffer): void;
  openssh_noMoreSessions(wantReply: boolean): void;
}

const wire = (client: Client): Wire => (client as unknown as { _protocol: Wire })._protocol;

describe('a peer that speaks something else', () => {
  const cases: readonly (readonly [what: string, bytes: Buffer])[] = [
    ['garbage', Buffer.from(Array.from({ length: 5_000 }, (_, index) => (index * 7919) % 256))],
    ['HTTP', Buffer.from('GET / HTTP/1.1\r\nHost: a\r\n\r\n')],
    ['an endless first line', Buffer.alloc(100_000, 'A')],
    ['SSH 1', Buffer.from('SSH-1.5-old\r\n')],
    ['a packet of four gigabytes', Buffer.concat([Buffer.from('SSH-2.0-x\r\n'), Buffer.alloc(64, 0xff)])],
    ['a packet of nothing', Buffer.concat([Buffer.from('SSH-2.0-x\r\n'), Buffer.alloc(64)])],
    [
      'a request for a channel before keys',
      Buffer.concat([Buffer.from('SSH-2.0-x\r\n'), packet(Buffer.concat([Buffer.of(90), Buffer.alloc(30)]))]),
    ],
    [
      'no algorithm that is known',
      Buffer.concat([Buffer.from('SSH-2.0-x\r\n'), packet(keyExchangeInit({ exchanges: ['diffie-hellman-group1-sha1'] }))]),
    ],
    [
      'something before the first keys, where strict key exchange is agreed on',
      Buffer.concat([
        Buffer.from('SSH-2.0-x\r\n'),
        packet(Buffer.of(2, 0, 0, 0, 0)),
        packet(keyExchangeInit({ exchanges: ['curve25519-sha256', 'kex-strict-c-v00@openssh.com'] })),
      ]),
    ],
  ];
  for (const [what, bytes] of cases) {
    it(`(${what}) is disconnected, and nobody else`, async () => {
      await unharmed(async (world) => {
        const socket = world.socket();
        const text = closed(socket);
        socket.write(bytes);
        assert.match(await text, /^SSH-2\.0-OpenSSH_compatible_Sallyport\r\n/);
      });
    });
  }

  it('says nothing at all has its time, and no more', async () => {
    await unharmed(
      async (world) => {
        const silent = [world.socket(), world.socket()];
        silent[1]!.write('SSH-2.0-x\r\n');
        await Promise.all(silent.map(closed));
      },
      (world) => {
        world.signInTimeoutMs = 500;
      },
    );
  });
});

describe('algorithms that are weak', () => {
  const cases: readonly (readonly [what: string, algorithms: Algorithms])[] = [
    ['Diffie-Hellman with SHA-1', { kex: ['diffie-hellman-group14-sha1'] }],
    ['a group of 1,024 bits', { kex: ['diffie-hellman-group1-sha1'] }],
    ['CBC', { cipher: ['aes256-cbc'] }],
    ['ChaCha20, which strict key exchange was made for', { cipher: ['chacha20-poly1305@openssh.com'] }],
    ['HMAC with SHA-1', { cipher: ['aes128-ctr'], hmac: ['hmac-sha1'] }],
    ['a host key of RSA', { serverHostKey: ['ssh-rsa'] }],
    ['compression', { compress: ['zlib@openssh.com'] }],
  ];
  for (const [what, algorithms] of cases) {
    it(`are not agreed to: ${what}`, async () => {
      const world = await SshWorld.open();
      await assert.rejects(world.client({ algorithms }), /no matching/i);
    });
  }

  it('are not agreed to with a target either', async () => {
    const world = await SshWorld.open((world) => {
      world.targetAlgorithms = { cipher: ['aes128-cbc'] };
    });
    assert.match((await world.exec()).stderr, /cannot be reached over SSH/);
  });
});

describe('a client that has signed in', () => {
  it('and requests without end is ended, with a reason', async () => {
    const world = await unharmed(async (world) => {
      const client = await world.client();
      const gone = over(client);
      for (let count = 0; count < 30_000; count += 1) wire(client).ping();
      await gone;
    });
    assert.ok(world.reported.some(({ code, publicMessage }) => code === 'limit-exceeded' && publicMessage.includes('requests a second')));
  });

  it('and sends more than its window is ended', async () => {
    const world = await unharmed(async (world) => {
      const client = await world.client();
      const gone = over(client);
      await exec(client, 'wait');
      await until(() => world.relays[0]?.events.some(({ kind }) => kind === 'started') === true);
      // What is read gives the window back, so that it takes one that is not read.
      const relay = world.relays[0]!;
      relay.adjust = (effects) => [...effects, { kind: 'pause' }];
      for (let count = 0; count < 100; count += 1) wire(client).channelData(0, Buffer.alloc(32_768));
      await gone;
    });
    assert.ok(world.reported.some(({ detail }) => detail.startsWith('more data than the window')));
  });

  it('and plays the server is ended', async () => {
    await unharmed(async (world) => {
      const client = await world.client();
      const gone = over(client);
      const protocol = wire(client);
      protocol._server = true;
      protocol._authsQueue.push('password');
      protocol.authSuccess();
      await gone;
    });
  });

  it('and asks for sessions after it said that it would not is ended', async () => {
    await unharmed(async (world) => {
      const client = await world.client();
      const gone = over(client);
      wire(client).openssh_noMoreSessions(false);
      await exec(client, 'run').catch(() => {});
      await gone;
    });
  });

  it('runs no command that could mean something else to the target', async () => {
    const world = await SshWorld.open();
    const client = await world.client();
    for (const command of [Buffer.from([0x6c, 0x73, 0xff]), Buffer.from('ls\0rm')]) {
      await assert.rejects(exec(client, command as never), /Unable to exec/);
    }
    assert.deepEqual(
      world.relays.flatMap(({ requests }) => requests),
      [],
    );
    assert.deepEqual(
      world.ports.audit.records.filter(({ type }) => type === 'session.note').map((record) => (record as { event?: string }).event),
      ['channel-request-refused', 'channel-request-refused'],
    );
    client.end();
  });

  it('and does not read is ended all the same', async () => {
    const world = await SshWorld.open((world) => {
      world.run = (channel) => {
        const fill = (): void => {
          while (channel.write(Buffer.alloc(65_536)));
          channel.once('drain', fill);
        };
        fill();
      };
    });
    const socket = world.socket();
    const client = await world.client({ sock: socket });
    await exec(client, 'run');
    socket.pause();
    await until(() => world.relays.length === 1);
    await new Promise((resolve) => {
      setTimeout(resolve, 300);
    });
    world.sessions.list()[0]!.end('enough');
    await until(() => world.sessions.list().length === 0);
    socket.destroy();
  });
});

describe('keys are exchanged anew in the middle of it, and nothing is lost', () => {
  const cat = (world: SshWorld): void => {
    world.run = (channel) => {
      channel.pipe(channel, { end: false });
      channel.on('end', () => {
        channel.exit(0);
        channel.end();
      });
    };
  };
  const piece = Buffer.alloc(200_000, 'in pieces, ');

  it('as the client wants it', async () => {
    const world = await SshWorld.open(cat);
    const client = await world.client();
    let exchanges = 0;
    client.on('handshake', () => (exchanges += 1));
    const { channel, over: ended } = await exec(client, 'cat');
    for (let round = 0; round < 10; round += 1) {
      channel.write(piece);
      wire(client).rekey();
      await until(() => exchanges > round);
    }
    channel.end();
    const { stdout, code } = await ended;
    assert.equal(code, 0);
    assert.ok(stdout === piece.toString().repeat(10));
    client.end();
  });

  it('as the gateway wants it', async () => {
    const world = await SshWorld.open((world) => {
      cat(world);
      world.rekeyBytes = 300_000;
    });
    const client = await world.client();
    let exchanges = 0;
    client.on('handshake', () => (exchanges += 1));
    const { channel, over: ended } = await exec(client, 'cat');
    channel.end(Buffer.alloc(6_000_000, piece));
    const { stdout, code } = await ended;
    assert.equal(code, 0);
    assert.equal(stdout.length, 6_000_000);
    assert.ok(exchanges > 2, String(exchanges));
    client.end();
  });
});
