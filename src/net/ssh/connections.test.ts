import assert from 'node:assert/strict';
import { createPrivateKey, sign } from 'node:crypto';
import { describe, it } from 'node:test';
import ssh2, { type ClientChannel, type ServerChannel } from 'ssh2';
import { fingerprintOf } from '../../config/index.ts';
import { GatewayFault } from '../../core/fault.ts';
import { newSshKeyPair } from '../../identity/ssh-key-format.ts';
import { isSignedBy } from './client-key.ts';
import { exec, SshWorld, until } from './testing/ssh-world.ts';

/** ssh2's server tells no status behind the end of output, as sshd does. */
function exitBehindEnd(connection: ssh2.Connection, channel: ServerChannel, status: number): void {
  const { _protocol: protocol } = connection as unknown as { readonly _protocol: { exitStatus(channel: number, status: number): void } };
  const { outgoing } = channel as unknown as { readonly outgoing: { readonly id: number } };
  protocol.exitStatus(outgoing.id, status);
}

describe('an SSH channel', () => {
  it('carries input, output, both streams and the exit status', async () => {
    const world = await SshWorld.open((world) => {
      world.run = (channel, command) => {
        let input = '';
        channel.on('data', (part: Buffer) => (input += part.toString()));
        channel.on('end', () => {
          channel.stderr.write('and this');
          channel.write(`${command}: ${input}`);
          channel.exit(7);
          channel.end();
        });
      };
    });
    assert.deepEqual(await world.exec('say it', 'what came'), {
      stdout: 'say it: what came',
      stderr: 'and this',
      code: 7,
      signal: undefined,
    });
    assert.deepEqual(world.seen, ['user deploy', 'env LANG=C']);
    assert.deepEqual(world.ports.audit.types().slice(0, 3), ['session.opened', 'operation.decided', 'operation.completed']);
  });

  it('carries the signal that ended a program, signals, terminals and their sizes', async () => {
    const world = await SshWorld.open((world) => {
      world.run = (channel) => {
        const look = setInterval(() => {
          if (!world.seen.includes('signal TERM')) return;
          clearInterval(look);
          channel.exit('KILL', true, 'gone');
          channel.end();
        }, 5);
      };
    });
    const client = await world.client();
    const { channel, over } = await exec(client, 'run', { pty: { term: 'vt220', cols: 91, rows: 17 } });
    await until(() => world.relays[0]?.events.some(({ kind }) => kind === 'started') === true);
    channel.setWindow(30, 100, 0, 0);
    channel.signal('TERM');
    assert.equal((await over).signal, 'SIGKILL');
    assert.deepEqual(world.seen.slice(-3), ['pty vt220 91x17', 'size 100x30', 'signal TERM']);
    client.end();
  });

  /** As OpenSSH's clients do over a connection that they share. */
  const closeAtEnd = async (world: SshWorld, run: (channel: ClientChannel) => void = () => {}) => {
    const client = await world.client();
    const { channel, over } = await exec(client, 'first');
    channel.end();
    channel.once('end', () => {
      channel.close();
      run(channel);
    });
    return { client, over };
  };
  /** Ends its output, and then itself when the second program comes: the gateway has read everything that was sent before that. */
  const endsLater = (status: number | undefined) => (world: SshWorld) => {
    let first: ServerChannel | undefined;
    world.run = (channel, command) => {
      if (command === 'first') {
        first = channel;
        channel.eof();
        return;
      }
      if (status !== undefined) exitBehindEnd(world.targets[0]!, first!, status);
      first?.close();
      channel.exit(0);
      channel.end();
    };
  };

  it('that its client closes at the end of its output is told how the program ended', async () => {
    const world = await SshWorld.open(endsLater(7));
    const { client, over } = await closeAtEnd(world, () => void exec(client, 'second'));
    const ran = await over;
    assert.equal(ran.code, 7);
    await until(() => world.relays[0]?.events.some(({ kind }) => kind === 'closed') === true);
    const { events } = world.relays[0]!;
    assert.deepEqual(
      events.map((event) => (event.kind === 'closed' ? `${event.kind} ${event.from}` : event.kind)).filter((kind) => kind !== 'watched'),
      ['started', 'ended', 'ended', 'exited', 'closed target'],
    );
    client.end();
  });

  it('that its client has closed so is over with the connection', async () => {
    const world = await SshWorld.open(endsLater(undefined));
    const { client } = await closeAtEnd(world, () => setImmediate(() => client.end()));
    await until(() => world.sessions.list().length === 0);
    await until(() => world.relays[0]?.events.at(-1)?.kind === 'closed');
    assert.ok(world.relays[0]!.events.some((event) => event.kind === 'closed' && event.from === 'client'));
    await until(() => world.targetChannels.open === 0);
  });

  it('with more than its windows both ways loses and changes nothing', async () => {
    const world = await SshWorld.open((world) => {
      world.run = (channel) => {
        channel.on('end', () => {
          channel.exit(0);
          channel.end();
        });
        channel.pipe(channel, { end: false });
      };
    });
    const input = Buffer.alloc(12 * 1024 * 1024, 'what goes up must come down. ').toString();
    const { stdout, code } = await world.exec('cat', input);
    assert.equal(code, 0);
    assert.ok(stdout === input);
  });

  it('goes to the target only once its record is durable, and nobody sees an answer before', async () => {
    const world = await SshWorld.open();
    const client = await world.client();
    world.ports.audit.immediate = false;
    const over = exec(client, 'run').then((running) => running.over);
    await until(() => world.ports.audit.types().includes('operation.decided'));
    await new Promise((resolve) => {
      setTimeout(resolve, 50);
    });
    assert.ok(!world.seen.includes('env LANG=C'));
    world.ports.audit.immediate = true;
    world.ports.audit.makeDurable();
    assert.equal((await over).code, 0);
    client.end();
  });

  it('says what was refused, and the connection goes on', async () => {
    const world = await SshWorld.open();
    const client = await world.client();
    world.ports.decision = { kind: 'deny', code: 'policy-denied', message: 'not you', policies: [] };
    assert.deepEqual(await (await exec(client, 'rm')).over, { stdout: '', stderr: 'refused: not you\n', code: 126, signal: undefined });
    world.ports.decision = { kind: 'allow', policies: [] };
    assert.equal((await (await exec(client, 'ls')).over).code, 0);
    client.end();
  });

  it('ends the hold when the client goes away', async () => {
    const world = await SshWorld.open((world) => {
      world.ports.decision = {
        kind: 'hold',
        policies: [],
        reviews: [{ policy: 'p', group: 'dba', approvals: 1, expiresAfterMs: 60_000, message: undefined }],
      } as never;
    });
    const client = await world.client();
    await exec(client, 'rm');
    await until(() => world.ports.desk.requests.length === 1);
    client.end();
    assert.equal((await world.ports.desk.requests[0]!.answer).kind, 'cancelled');
  });

  for (const kind of ['forward', 'start', 'forward-signal'] as const) {
    it(`ends the connection at a ${kind} without a genuine grant`, async () => {
      const world = await SshWorld.open((world) => {
        world.run = (channel) => channel.resume();
        world.onRelay = (relay) => {
          relay.adjust = (effects) => effects.map((effect) => (effect.kind === kind ? { ...effect, grant: { ...relay.grant! } } : effect));
        };
      });
      const client = await world.client();
      const closed = new Promise<void>((resolve) => client.once('close', () => resolve()));
      const { channel } = await exec(client, 'run');
      channel.write('input');
      channel.signal('TERM');
      await closed;
      assert.ok(world.reported.some(({ detail }) => detail === 'forward without a genuine grant'));
      assert.ok(!world.seen.includes('signal TERM') || kind !== 'forward-signal');
    });
  }

  it('whose session fails ends the connection and says so', async () => {
    const world = await SshWorld.open((world) => {
      world.onRelay = (relay) => {
        relay.adjust = () => {
          throw new Error('a defect');
        };
      };
    });
    const client = await world.client();
    const closed = new Promise<void>((resolve) => client.once('close', () => resolve()));
    await exec(client, 'run').catch(() => {});
    await closed;
    assert.equal(world.reported[0]?.code, 'internal');
  });
});

describe('signing in over SSH', () => {
  it('shows who asks before, and lists the session', async () => {
    const world = await SshWorld.open();
    const client = new ssh2.Client();
    let banner = '';
    client.on('banner', (text) => (banner += text));
    await new Promise((resolve) => {
      client
        .once('ready', () => resolve(undefined))
        .connect({ host: '127.0.0.1', port: world.listener.port, username: 'web', password: 'good' });
    });
    assert.match(banner, /gw-test/);
    assert.deepEqual(
      world.sessions.list().map(({ target }) => target.name),
      ['web'],
    );
    client.end();
    await until(() => world.sessions.list().length === 0);
    assert.equal(world.ports.audit.types().at(-1), 'session.closed');
  });

  it('ends after six attempts', async () => {
    const world = await SshWorld.open();
    let attempts = 0;
    const client = new ssh2.Client();
    const error = await new Promise<Error>((resolve) => {
      client.once('error', resolve).connect({
        host: '127.0.0.1',
        port: world.listener.port,
        username: 'web',
        authHandler: (_methods, _partial, next) => {
          attempts += 1;
          next({ type: 'password', username: 'web', password: `wrong ${attempts}` });
        },
      });
    });
    assert.equal(attempts, 6);
    assert.match(error.message, /the token was not accepted/);
    assert.deepEqual(
      world.ports.audit.types(),
      Array.from({ length: 6 }, () => 'sign-in.refused'),
    );
  });

  it('is not by "none"', async () => {
    const world = await SshWorld.open();
    await assert.rejects(
      world.client({ password: undefined, authHandler: ['none'] } as never),
      /All configured authentication methods failed/,
    );
    assert.deepEqual(world.ports.audit.types(), []);
  });

  it('takes a token in parts', async () => {
    const world = await SshWorld.open();
    const token = 'x'.repeat(2_000);
    world.ports.identity.authenticate = async (credential: string) => {
      if (credential !== token) throw new GatewayFault('authentication-failed', { publicMessage: 'no' });
      return { expiresAtMs: world.ports.now + 60_000, issuer: 'ci', subject: 's', groups: [], claims: {} } as never;
    };
    const client = new ssh2.Client();
    const prompts: string[] = [];
    client.on('keyboard-interactive', (_name, _instructions, _language, asked, answer) => {
      const part = prompts.length;
      prompts.push(...asked.map(({ prompt }) => prompt));
      answer([token.slice(part * 1_000, (part + 1) * 1_000)]);
    });
    await new Promise((resolve, reject) => {
      client.once('ready', () => resolve(undefined)).once('error', reject);
      client.connect({ host: '127.0.0.1', port: world.listener.port, username: 'web', tryKeyboard: true });
    });
    assert.deepEqual(prompts.length, 3);
    client.end();
  });

  it('with a key needs the key’s own signature, and a key of this gateway', async () => {
    const mine = newSshKeyPair('a');
    const other = newSshKeyPair('a');
    const asked: string[] = [];
    const world = await SshWorld.open((world) => {
      world.keys = {
        offered: async (blob) => fingerprintOf(blob) === fingerprintOf(mine.blob),
        credentialFor: async (blob, target) => {
          asked.push(target);
          return fingerprintOf(blob) === fingerprintOf(mine.blob) ? 'good' : undefined;
        },
      };
    });
    const client = await world.client({ password: undefined, privateKey: mine.privateKey } as never);
    client.end();
    assert.deepEqual(asked, ['web']);
    await assert.rejects(world.client({ password: undefined, privateKey: other.privateKey } as never), /authentication methods failed/);
    assert.deepEqual(asked, ['web']);
  });

  it('with a key of this gateway and another key’s signature is refused, and the key gives no credential', async () => {
    const [known, own] = [newSshKeyPair('a'), newSshKeyPair('a')];
    const parsed = (text: string): ssh2.ParsedKey => {
      const key = ssh2.utils.parseKey(text);
      assert.ok(!(key instanceof Error));
      return key;
    };
    let signatures = 0;
    class Thief extends ssh2.BaseAgent<ssh2.ParsedKey> {
      getIdentities(answer: ssh2.IdentityCallback<ssh2.ParsedKey>): void {
        answer(undefined, [parsed(known.publicKey)]);
      }
      sign(_key: ssh2.ParsedKey, data: Buffer, options: unknown, answer?: ssh2.SignCallback): void {
        signatures += 1;
        const told = answer ?? (options as ssh2.SignCallback);
        told(undefined, sign(null, data, createPrivateKey(parsed(own.privateKey).getPrivatePEM())));
      }
    }
    let credentials = 0;
    const world = await SshWorld.open((world) => {
      world.keys = { offered: async () => true, credentialFor: async () => ((credentials += 1), 'good') };
    });
    await assert.rejects(world.client({ password: undefined, agent: new Thief() } as never), /authentication methods failed/);
    assert.ok(signatures > 0);
    assert.equal(credentials, 0);
  });

  it('with somebody else’s key and a signature of one’s own is none', () => {
    const [mine, other] = [newSshKeyPair('a'), newSshKeyPair('a')];
    const data = Buffer.from('the session and the request');
    const key = ssh2.utils.parseKey(mine.privateKey);
    assert.ok(!(key instanceof Error));
    const signature = sign(null, data, createPrivateKey(key.getPrivatePEM()));
    assert.ok(isSignedBy(mine.blob, data, signature));
    assert.ok(!isSignedBy(other.blob, data, signature));
    assert.ok(!isSignedBy(mine.blob, Buffer.from('another session'), signature));
    assert.ok(!isSignedBy(Buffer.concat([mine.blob, Buffer.of(0)]), data, signature));
    assert.ok(!isSignedBy(mine.blob, data, Buffer.concat([signature, Buffer.of(0)])));
  });

  it('to a target that is not there is worded like one that may not be used', async () => {
    const world = await SshWorld.open();
    const says = async (username: string): Promise<string> => {
      const client = new ssh2.Client();
      let text = '';
      client.on('banner', (part) => (text += part));
      await new Promise((resolve) => {
        client.once('error', resolve).connect({ host: '127.0.0.1', port: world.listener.port, username, password: 'good' });
      });
      return text.split('\n').slice(1).join('\n').replaceAll(username, 'TARGET');
    };
    const missing = await says('nowhere');
    world.ports.connect = { kind: 'deny', code: 'policy-denied', message: 'access to this target is not permitted', policies: [] };
    assert.equal(missing, await says('web'));
    assert.match(missing, /Check the user name/);
  });

  it('is refused for an address that failed too often', async () => {
    const world = await SshWorld.open();
    for (let round = 0; round < 4; round += 1) {
      let attempts = 0;
      const client = new ssh2.Client();
      await new Promise((resolve) => {
        client.once('error', resolve).connect({
          host: '127.0.0.1',
          port: world.listener.port,
          username: 'web',
          authHandler: (_methods, _partial, next) => {
            attempts += 1;
            next({ type: 'password', username: 'web', password: `wrong ${attempts}` });
          },
        });
      });
    }
    await assert.rejects(world.client(), /authentication methods failed/);
  });
});

describe('a session over SSH', () => {
  it('that an operator ends says why in its channel and in the disconnection', async () => {
    const world = await SshWorld.open((world) => {
      world.run = (channel) => channel.resume();
    });
    const client = await world.client();
    const over = exec(client, 'run').then((running) => running.over);
    await until(() => world.relays[0]?.events.some(({ kind }) => kind === 'started') === true);
    world.sessions.list()[0]!.end('enough');
    assert.deepEqual(await over, { stdout: '', stderr: 'session ended: enough\n', code: 255, signal: undefined });
    await until(() => world.sessions.list().length === 0);
    assert.equal((world.ports.audit.records.at(-1) as { reason?: string }).reason, 'session ended: enough');
  });

  it('ends with its identity', async () => {
    const world = await SshWorld.open((world) => {
      world.ports.identityEndsAtMs = Date.now() + 300;
    });
    const client = await world.client();
    await new Promise<void>((resolve) => client.once('close', () => resolve()));
    assert.match(String((world.ports.audit.records.at(-1) as { reason?: string }).reason), /has expired/);
  });

  it('tells its channels how many watch, from the first on, and those who watch that it is over', async () => {
    const world = await SshWorld.open((world) => {
      world.moderators = 'dba';
      world.run = (channel) => channel.resume();
    });
    const client = await world.client();
    await exec(client, 'run');
    const live = world.sessions.list()[0]!;
    assert.equal(live.moderators, 'dba');
    let isOver = false;
    const stop = live.watch!({
      principal: { issuer: 'people', subject: 'erin', groups: ['dba'] },
      see: () => {},
      ended: () => (isOver = true),
    });
    live.watch!({ principal: { issuer: 'people', subject: 'max', groups: [] }, see: () => {}, ended: () => {} });
    stop();
    live.watch!({ principal: { issuer: 'people', subject: 'erin', groups: ['dba'] }, see: () => {}, ended: () => (isOver = true) });
    const counts = world.relays[0]!.events.flatMap((event) => (event.kind === 'watched' ? [event.watchers] : []));
    assert.deepEqual(counts, [0, 1, 1, 0, 1]);
    client.end();
    await until(() => isOver);
  });

  it('has 64 channels at most', async () => {
    const world = await SshWorld.open((world) => {
      world.run = (channel) => channel.resume();
    });
    const client = await world.client();
    for (let count = 0; count < 64; count += 1) await exec(client, 'run');
    await assert.rejects(exec(client, 'run'), /as many channels are open/);
    client.end();
  });
});

describe('a connection that a client asks for', () => {
  const forward = (client: ssh2.Client, host: string, port: number): Promise<ssh2.ClientChannel> =>
    new Promise((resolve, reject) => {
      client.forwardOut('127.0.0.1', 1, host, port, (error, channel) => (error === undefined ? resolve(channel) : reject(error)));
    });
  const echo = async (channel: ssh2.ClientChannel, text: string): Promise<string> => {
    let got = '';
    channel.on('data', (part: Buffer) => (got += part.toString()));
    channel.end(text);
    await new Promise<void>((resolve) => channel.once('close', () => resolve()));
    return got;
  };

  it('is decided, opened from the target’s place, and completed with its bytes', async () => {
    const world = await SshWorld.open();
    const client = await world.client();
    const text = 'x'.repeat(5_000_000);
    assert.ok((await echo(await forward(client, '192.0.2.7', 5432), text)) === text);
    assert.ok(world.seen.includes('connect 192.0.2.7:5432'));
    await until(() => world.ports.audit.types().includes('operation.completed'));
    const completed = world.ports.audit.records.find(({ type }) => type === 'operation.completed') as { bytes?: number; outcome?: string };
    assert.deepEqual([completed.bytes, completed.outcome], [5_000_000, 'succeeded']);
    client.end();
  });

  it('goes to a session of another target where the configuration says so', async () => {
    const world = await SshWorld.open((world) => {
      world.through = 'orders';
    });
    const client = await world.client();
    assert.equal(await echo(await forward(client, 'db.internal', 5432), 'select 1'), 'select 1');
    assert.deepEqual(
      world.seen.filter((line) => line.startsWith('connect')),
      [],
    );
    client.end();
  });

  it('is refused where its name leads to the target itself, unless the configuration names it', async () => {
    const world = await SshWorld.open();
    const client = await world.client();
    await assert.rejects(forward(client, 'localhost', 5432), /leads to the target itself/);
    await assert.rejects(forward(client, 'nowhere.invalid', 5432), /is not known/);
    world.isNamed = true;
    (await forward(client, 'localhost', 5432)).close();
    assert.deepEqual(
      world.seen.filter((line) => line.startsWith('connect')),
      ['connect localhost:5432'],
    );
    client.end();
  });

  it('that is refused before policy is asked is over with that', async () => {
    // Such refusals were counted as forwards that go on: after 64 of them nothing was forwarded any more.
    const world = await SshWorld.open((world) => {
      world.refusal = new GatewayFault('unsupported', { publicMessage: 'not there' });
    });
    const client = await world.client();
    for (let count = 0; count < 70; count += 1) await assert.rejects(forward(client, '192.0.2.7', 5432), /not there/);
    world.refusal = undefined;
    assert.equal(await echo(await forward(client, '192.0.2.7', 5432), 'hello'), 'hello');
    client.end();
  });

  it('is refused with the reason of policy, and of the target', async () => {
    const world = await SshWorld.open();
    const client = await world.client();
    await assert.rejects(forward(client, '192.0.2.7', 1), /does not open a channel/);
    world.ports.decision = { kind: 'deny', code: 'policy-denied', message: 'not there', policies: [] };
    await assert.rejects(forward(client, '192.0.2.7', 22), /not there/);
    client.end();
  });

  it('ends with its session', async () => {
    const world = await SshWorld.open();
    const client = await world.client();
    const channel = await forward(client, '192.0.2.7', 5432);
    const over = new Promise<void>((resolve) => channel.once('close', () => resolve()));
    channel.resume();
    world.sessions.list()[0]!.end('enough');
    await over;
    await until(() => world.sessions.list().length === 0);
  });
});

describe('a target of SSH', () => {
  it('with another host key is not signed on to', async () => {
    const other = newSshKeyPair('a');
    const world = await SshWorld.open();
    const address = world.addressOf();
    world.addressOf = () => ({ ...address, hostKeys: [{ fingerprint: fingerprintOf(other.blob), type: undefined }] });
    const { stderr, code } = await world.exec();
    assert.match(stderr, /host key is not the one that the gateway knows/);
    assert.equal(code, 255);
    assert.deepEqual(world.seen, []);
  });

  it('that refuses the gateway’s credential is told as such, to operators with the details', async () => {
    const world = await SshWorld.open();
    const address = world.addressOf();
    world.addressOf = () => ({ ...address, credential: { kind: 'password', password: 'wrong' } });
    assert.match((await world.exec()).stderr, /does not take the gateway’s own credential/);
    assert.deepEqual(
      world.reported.map(({ code, detail }) => [code, detail]),
      [['upstream-refused', 'sign-on as deploy was refused: it takes password']],
    );
  });

  it('that is not there is told as such, and dialed again for the next channel', async () => {
    const world = await SshWorld.open();
    const address = world.addressOf();
    world.addressOf = () => ({ ...address, port: 1 });
    const client = await world.client();
    assert.match((await (await exec(client, 'run')).over).stderr, /cannot be reached/);
    world.addressOf = () => address;
    assert.equal((await (await exec(client, 'run')).over).code, 0);
    client.end();
  });
});
