import assert from 'node:assert/strict';
import { createHash, verify } from 'node:crypto';
import { duplexPair, type Duplex } from 'node:stream';
import { after, describe, it } from 'node:test';
import ssh2, { type ParsedKey } from 'ssh2';
import type { GatewayFault } from '../../core/fault.ts';
import { newSshKeyPair } from '../../identity/ssh-key-format.ts';
import { SshConnection, type ConnectionRole } from './connection.ts';
import { HybridClient, answerHybrid } from './hybrid-secret.ts';
import { keyExchangeInit, RawPeer, string, type RawInit } from './testing/raw-peer.ts';

const hybrid = 'mlkem768x25519-sha256';
const hostKey = ssh2.utils.parseKey(newSshKeyPair('host').privateKey) as ParsedKey;
const strict = 'kex-strict-c-v00@openssh.com';

const ends: Duplex[] = [];
after(() => {
  for (const end of ends) end.destroy();
});

function pair(): readonly [near: Duplex, far: Duplex] {
  const both = duplexPair();
  ends.push(...both);
  return both;
}

interface Side {
  readonly connection: SshConnection;
  readonly exchanges: string[];
  readonly faults: (GatewayFault | undefined)[];
}

/** One of the gateway's connections. */
function side(which: 'server' | 'client', socket: Duplex, exchanged = (): void => {}): Side {
  const exchanges: string[] = [];
  const faults: (GatewayFault | undefined)[] = [];
  const options = {
    socket,
    maxChannels: 1,
    role: {
      signIn: {},
      exchanged: ({ kex }: Parameters<ConnectionRole['exchanged']>[0]) => {
        exchanges.push(kex);
        exchanged();
      },
      open: () => {},
      globalRequest: () => false,
      closed: (fault: GatewayFault | undefined) => faults.push(fault),
    },
  };
  const connection =
    which === 'server'
      ? new SshConnection({ ...options, side: 'server', hostKey, banner: 'test' })
      : new SshConnection({
          ...options,
          side: 'client',
          hostKeyTypes: ['ssh-ed25519'],
          verifyHostKey: (key) => key.equals(hostKey.getPublicSSH()),
        });
  return { connection, exchanges, faults };
}

/** A peer by hand in front of the gateway, which has sent its list. */
async function greeted(which: 'server' | 'client'): Promise<Side & { readonly peer: RawPeer; readonly theirs: Buffer }> {
  const [near, far] = pair();
  const own = side(which, near);
  const peer = new RawPeer(far);
  const theirs = await peer.next();
  assert.equal(theirs?.[0], 20);
  return { ...own, peer, theirs };
}

const exchangeInit = (init: Uint8Array): Buffer => Buffer.concat([Buffer.of(30), string(init)]);

/** Strings of a message behind its type. */
function strings(payload: Buffer): readonly Buffer[] {
  const found: Buffer[] = [];
  for (let at = 1; at < payload.length; at += 4 + payload.readUInt32BE(at))
    found.push(payload.subarray(at + 4, at + 4 + payload.readUInt32BE(at)));
  return found;
}

/** SSH_MSG_KEX_ECDH_REPLY is signed over everything that both have sent (RFC 4253 section 8), and the secret as a string. */
function assertSigned(reply: Buffer | undefined, peer: RawPeer, lists: readonly [own: Buffer, theirs: Buffer], client: HybridClient): void {
  assert.equal(reply?.[0], 31);
  const [key, answer, signature] = strings(reply);
  const hashed = [peer.line, peer.theirLine, ...lists, key!, client.init, answer!, client.secret(answer!)];
  const hash = createHash('sha256')
    .update(Buffer.concat(hashed.map(string)))
    .digest();
  assert.ok(verify(null, hash, hostKey.getPublicPEM(), signature!.subarray(-64)));
}

/** That the connection ends with SSH_DISCONNECT_KEY_EXCHANGE_FAILED, soon, and nothing else. */
async function assertFailed({ peer, faults }: { readonly peer: RawPeer; readonly faults: readonly unknown[] }): Promise<void> {
  let payload = await peer.next();
  // Of the client's side, which tells that it is ready before it has looked at the reply.
  if (payload?.[0] === 21) payload = await peer.next();
  assert.deepEqual(payload?.subarray(0, 5), Buffer.of(1, 0, 0, 0, 3));
  assert.equal(await peer.next(), undefined);
  assert.equal(faults.length, 1);
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('keys that are exchanged so that quantum computers do not help', () => {
  it('are had by both of the gateway’s sides, at first and whenever they are exchanged anew, whoever asks', async () => {
    const [near, far] = pair();
    let count = 0;
    let next = Promise.withResolvers<void>();
    const exchanged = (): void => {
      count += 1;
      if (count % 2 === 0) next.resolve();
    };
    const [server, client] = [side('server', near, exchanged), side('client', far, exchanged)];
    await next.promise;
    const session = (): unknown => server.connection.protocol._kex.sessionID;
    const first = session();
    for (const asks of [client, server, client, server]) {
      next = Promise.withResolvers<void>();
      asks.connection.protocol.rekey();
      await next.promise;
    }
    assert.deepEqual([server.exchanges, client.exchanges], [Array(5).fill(hybrid), Array(5).fill(hybrid)]);
    assert.deepEqual(session(), first);
    assert.deepEqual([server.faults, client.faults], [[], []]);
  });

  for (const exchanges of [
    [hybrid, 'curve25519-sha256'],
    ['sntrup761x25519-sha512', hybrid, 'curve25519-sha256'],
    [hybrid, strict, 'ext-info-c'],
  ]) {
    it(`are signed for with what both have sent: ${exchanges.join(', ')}`, async () => {
      const at = await greeted('server');
      const [own, client] = [keyExchangeInit({ exchanges }), new HybridClient()];
      at.peer.send(own, exchangeInit(client.init));
      assertSigned(await at.peer.next(), at.peer, [own, at.theirs], client);
    });
  }

  it('are not forced on a client that prefers others', async () => {
    const at = await greeted('server');
    at.peer.send(keyExchangeInit({ exchanges: ['curve25519-sha256', hybrid] }), exchangeInit(new HybridClient().init.subarray(1184)));
    const reply = await at.peer.next();
    assert.equal(strings(reply!)[1]?.length, 32);
  });

  it('come first in the list of both sides', async () => {
    for (const which of ['server', 'client'] as const) {
      const { theirs } = await greeted(which);
      assert.match(theirs.toString('latin1', 21), /^mlkem768x25519-sha256,curve25519-sha256,curve25519-sha256@libssh.org,/);
    }
  });
});

describe('a client that sends something else for its keys', () => {
  const { init } = new HybridClient();
  const wrong: readonly (readonly [what: string, message: Uint8Array])[] = [
    ['nothing', new Uint8Array(0)],
    ['Curve25519 alone', init.subarray(1184)],
    ['a byte too few', init.subarray(0, 1215)],
    ['a byte too many', Buffer.concat([init, Buffer.alloc(1)])],
    ['an ML-KEM key that is none', Buffer.concat([Buffer.alloc(1184, 0xff), init.subarray(1184)])],
    ['a point that makes its secret zero', Buffer.concat([init.subarray(0, 1184), Buffer.alloc(32)])],
  ];
  for (const [what, message] of wrong) {
    it(`is disconnected: ${what}`, async () => {
      const at = await greeted('server');
      at.peer.send(keyExchangeInit({ exchanges: [hybrid] }), exchangeInit(message));
      await assertFailed(at);
    });
  }

  it('is disconnected: another message, or none that is whole', async () => {
    for (const message of [Buffer.of(31, 0, 0, 0, 0), Buffer.of(30, 0, 0, 4, 0xc0), Buffer.of(30)]) {
      const at = await greeted('server');
      at.peer.send(keyExchangeInit({ exchanges: [hybrid] }), message);
      await assertFailed(at);
    }
  });

  it('is disconnected: something in between, where strict key exchange is agreed on', async () => {
    const at = await greeted('server');
    at.peer.send(keyExchangeInit({ exchanges: [hybrid, strict] }), Buffer.of(2, 0, 0, 0, 0), exchangeInit(init));
    await assertFailed(at);
  });

  it('is disconnected: a list that is cut', async () => {
    const at = await greeted('server');
    at.peer.send(keyExchangeInit({ exchanges: [hybrid] }).subarray(0, -2));
    assert.equal((await at.peer.next())?.[0], 1);
    assert.equal(await at.peer.next(), undefined);
  });
});

describe('a guess that a client sends along with its list', () => {
  const [guessed, client] = [new HybridClient(), new HybridClient()];
  const cases: readonly (readonly [what: string, list: RawInit, guess: Uint8Array, isRight: boolean])[] = [
    ['right', { exchanges: [hybrid, 'curve25519-sha256'] }, client.init, true],
    ['another method', { exchanges: ['sntrup761x25519-sha512', hybrid] }, Buffer.alloc(1190), false],
    ['another method, and keys that would fit', { exchanges: ['sntrup761x25519-sha512', hybrid] }, guessed.init, false],
    ['another kind of host key', { exchanges: [hybrid], hostKeys: ['ssh-rsa', 'ssh-ed25519'] }, guessed.init, false],
  ];
  for (const [what, list, guess, isRight] of cases) {
    it(`is taken where it is right, and else dropped: ${what}`, async () => {
      const at = await greeted('server');
      const own = keyExchangeInit({ ...list, isFollowedByGuess: true });
      at.peer.send(own, exchangeInit(guess));
      if (!isRight) {
        await turn();
        at.peer.send(exchangeInit(client.init));
      }
      assertSigned(await at.peer.next(), at.peer, [own, at.theirs], client);
    });
  }

  it('is judged for other methods, too: what the client prefers is agreed on, but the gateway prefers another', async () => {
    const at = await greeted('server');
    at.peer.send(
      keyExchangeInit({ exchanges: ['curve25519-sha256', hybrid], isFollowedByGuess: true }),
      exchangeInit(Buffer.alloc(32)),
      exchangeInit(client.init.subarray(1184)),
    );
    assert.equal((await at.peer.next())?.[0], 31);
  });

  it('may come of a target', async () => {
    const at = await greeted('client');
    const junk = Buffer.concat([Buffer.of(31), string('guess')]);
    at.peer.send(keyExchangeInit({ exchanges: ['curve25519-sha256', hybrid], isFollowedByGuess: true }), junk);
    const init = await at.peer.next();
    assert.equal(strings(init!)[0]?.length, 1216);
    assert.deepEqual(at.faults, []);
  });
});

describe('a target that answers with something else', () => {
  const wrong: readonly (readonly [what: string, change: (reply: Buffer) => Uint8Array])[] = [
    ['nothing', () => new Uint8Array(0)],
    ['Curve25519 alone', (reply) => reply.subarray(1088)],
    ['a byte too few', (reply) => reply.subarray(0, -1)],
    ['a byte too many', (reply) => Buffer.concat([reply, Buffer.alloc(1)])],
    ['a ciphertext that is none', (reply) => Buffer.concat([Buffer.alloc(1088, 0xff), reply.subarray(1088)])],
    ['a point that makes its secret zero', (reply) => Buffer.concat([reply.subarray(0, 1088), Buffer.alloc(32)])],
  ];
  for (const [what, change] of wrong) {
    it(`is left: ${what}`, async () => {
      const at = await greeted('client');
      at.peer.send(keyExchangeInit({ exchanges: ['curve25519-sha256', hybrid] }));
      const [init] = strings((await at.peer.next())!);
      const { reply } = answerHybrid(init!);
      const signature = Buffer.concat([string('ssh-ed25519'), string(Buffer.alloc(64))]);
      at.peer.send(Buffer.concat([Buffer.of(31), string(hostKey.getPublicSSH()), string(change(reply)), string(signature)]), Buffer.of(21));
      await assertFailed(at);
    });
  }
});
