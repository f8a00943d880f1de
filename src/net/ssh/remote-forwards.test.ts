import assert from 'node:assert/strict';
import type { Duplex } from 'node:stream';
import { describe, it } from 'node:test';
import type { Client, Connection, ServerChannel } from 'ssh2';
import { GatewayFault } from '../../core/fault.ts';
import type { PipelineSession } from '../../core/pipeline-session.ts';
import { forwardOperation, forwardRule } from '../../protocols/ssh/forward.ts';
import { testContext, testGrant } from '../../protocols/ssh/testing.ts';
import { nodeCrypto } from '../crypto.ts';
import { ForwardDrive } from './forward-drive.ts';
import { RemoteForward } from './remote-forward.ts';
import { chosenPort, exec, SshWorld, until } from './testing/ssh-world.ts';

const listen = (client: Client, host: string, port: number): Promise<number> =>
  new Promise((resolve, reject) => {
    client.forwardIn(host, port, (error, at) => (error === undefined ? resolve(at) : reject(error)));
  });
const unlisten = (client: Client, host: string, port: number): Promise<void> =>
  new Promise((resolve, reject) => {
    client.unforwardIn(host, port, (error) => (error === undefined ? resolve() : reject(error)));
  });
const listenAtSocket = (client: Client, path: string): Promise<void> =>
  new Promise((resolve, reject) => {
    client.openssh_forwardInStreamLocal(path, (error) => (error === undefined ? resolve() : reject(error)));
  });
/** Somebody connects to the target: it opens a channel for that. */
const come = (target: Connection, host: string, port: number, from = '10.0.0.5'): Promise<ServerChannel> =>
  new Promise((resolve, reject) => {
    target.forwardOut(host, port, from, 4711, (error, channel) => (error === undefined ? resolve(channel) : reject(error)));
  });
const comeToSocket = (target: Connection, path: string): Promise<ServerChannel> =>
  new Promise((resolve, reject) => {
    target.openssh_forwardOutStreamLocal(path, (error, channel) => (error === undefined ? resolve(channel) : reject(error)));
  });
/** A client that echoes whatever comes, and keeps from where it came. */
function echoing(client: Client): string[] {
  const came: string[] = [];
  const serve = (channel: Duplex): void => void channel.pipe(channel);
  client.on('tcp connection', ({ destIP, destPort, srcIP, srcPort }, accept) => {
    came.push(`${destIP}:${destPort} from ${srcIP}:${srcPort}`);
    serve(accept());
  });
  client.on('unix connection', ({ socketPath }, accept) => {
    came.push(socketPath);
    serve(accept());
  });
  return came;
}
async function talk(channel: ServerChannel, text: string): Promise<string> {
  let got = '';
  channel.on('data', (part: Buffer) => (got += part.toString()));
  channel.write(text);
  await until(() => got.length >= text.length);
  // A server of ssh2 closes with that, too.
  channel.end();
  await new Promise<void>((resolve) => channel.once('close', () => resolve()));
  return got;
}
/** ssh2's client below its own rules, which drop what was not asked for before the gateway could be seen to. */
const opens = (client: Client): string[] => {
  const types: string[] = [];
  const { _handlers: handlers } = (client as unknown as { _protocol: { _handlers: Record<string, (...fields: unknown[]) => void> } })
    ._protocol;
  const handle = handlers['CHANNEL_OPEN']!;
  handlers['CHANNEL_OPEN'] = (...fields) => {
    types.push((fields[1] as { type: string }).type);
    handle(...fields);
  };
  return types;
};
type Decided = {
  readonly type: string;
  readonly decision: string;
  readonly code?: string;
  readonly acts: readonly { readonly action: string; readonly object: string }[];
  readonly text: string;
  readonly operation: string;
};
type Completed = {
  readonly type: string;
  readonly operation: string;
  readonly outcome: string;
  readonly bytes: number;
  readonly reason?: string;
};
const decided = (world: SshWorld): readonly Decided[] =>
  world.ports.audit.records.filter(({ type }) => type === 'operation.decided') as unknown as Decided[];
const completed = (world: SshWorld): readonly Completed[] =>
  world.ports.audit.records.filter(({ type }) => type === 'operation.completed') as unknown as Completed[];
const notes = (world: SshWorld): readonly string[] =>
  world.ports.audit.records.filter(({ type }) => type === 'session.note').map((record) => (record as unknown as { event: string }).event);
const deny = { kind: 'deny', code: 'policy-denied', message: 'not there', policies: [] } as const;
const hold = {
  kind: 'hold',
  policies: [],
  reviews: [{ policy: 'p', group: 'dba', approvals: 1, expiresAfterMs: 60_000, message: undefined }],
} as never;
const asked = (world: SshWorld): readonly string[] => world.seen.filter((line) => line.includes('forward'));

async function open(
  adjust: (world: SshWorld) => void = () => {},
): Promise<{ world: SshWorld; client: Client; target: Connection; came: string[] }> {
  const world = await SshWorld.open((world) => {
    world.run = (channel) => channel.resume();
    adjust(world);
  });
  const client = await world.client({ strictVendor: false });
  await until(() => world.targets.length === 1);
  return { world, client, target: world.targets[0]!, came: echoing(client) };
}

describe('a port that the target listens on', () => {
  it('is decided, asked of the target, and each connection that comes is an operation of its own', async () => {
    const { world, client, target, came } = await open();
    assert.equal(await listen(client, 'LocalHost', 8080), 8080);
    assert.deepEqual(asked(world), ['tcpip-forward localhost:8080']);
    const text = 'x'.repeat(5_000_000);
    assert.ok((await talk(await come(target, 'localhost', 8080), text)) === text);
    assert.deepEqual(came, ['LocalHost:8080 from 10.0.0.5:4711'], 'the client knows it by its own word for it');
    await until(() => completed(world).length === 1);
    const [forward, accept] = decided(world);
    assert.deepEqual(forward!.acts, [{ action: 'ssh:forward-remote', object: 'Forward::"web/listen:localhost:8080"' }]);
    assert.deepEqual(accept!.acts, [{ action: 'ssh:accept-connection', object: 'Forward::"web/listen:localhost:8080"' }]);
    assert.equal(accept!.text, 'accept a connection from 10.0.0.5:4711 on localhost:8080');
    assert.deepEqual(completed(world)[0], { ...completed(world)[0], operation: accept!.operation, outcome: 'succeeded', bytes: 5_000_000 });
    await unlisten(client, 'LocalHost', 8080);
    assert.deepEqual(asked(world).at(-1), 'cancel-tcpip-forward localhost:8080');
    await until(() => completed(world).length === 2);
    assert.deepEqual([completed(world)[1]!.operation, completed(world)[1]!.reason], [forward!.operation, 'the client cancelled it']);
    client.end();
  });

  it('of the target’s choice is answered and known', async () => {
    const { world, client, target, came } = await open();
    assert.equal(await listen(client, '', 0), chosenPort);
    assert.equal(await talk(await come(target, '', chosenPort), 'hello'), 'hello');
    assert.deepEqual(came, [`:${chosenPort} from 10.0.0.5:4711`]);
    assert.equal(decided(world)[1]!.text, `accept a connection from 10.0.0.5:4711 on *:${chosenPort}`);
    assert.equal(decided(world)[1]!.acts[0]!.object, 'Forward::"web/listen:*:0"');
    await unlisten(client, '', chosenPort);
    assert.deepEqual(asked(world), ['tcpip-forward :0', `cancel-tcpip-forward :${chosenPort}`]);
    client.end();
  });

  it('may be a socket', async () => {
    const { world, client, target, came } = await open();
    await assert.rejects(listenAtSocket(client, '/run/../etc/x'));
    await listenAtSocket(client, '/run/app.sock');
    assert.equal(await talk(await comeToSocket(target, '/run/app.sock'), 'hello'), 'hello');
    assert.deepEqual(came, ['/run/app.sock']);
    await assert.rejects(comeToSocket(target, '/run/other.sock'));
    await new Promise<void>((resolve) => {
      client.openssh_unforwardInStreamLocal('/run/app.sock', () => resolve());
    });
    assert.deepEqual(asked(world), [
      'streamlocal-forward@openssh.com /run/app.sock',
      'cancel-streamlocal-forward@openssh.com /run/app.sock',
    ]);
    await assert.rejects(comeToSocket(target, '/run/app.sock'));
    client.end();
  });

  it('that is denied is not asked of the target, and says why where that can be shown', async () => {
    const debug: string[] = [];
    const { world, client } = await open();
    (client as unknown as { _protocol: { _handlers: Record<string, unknown> } })._protocol._handlers['DEBUG'] = (
      _: unknown,
      _display: boolean,
      text: string,
    ) => debug.push(text);
    world.ports.decision = deny;
    await assert.rejects(listen(client, '', 8080), /Unable to bind/);
    assert.deepEqual(asked(world), []);
    assert.match(debug[0]!, /^sallyport: not there/);
    assert.deepEqual([decided(world)[0]!.decision, decided(world)[0]!.code], ['deny', 'policy-denied']);
    world.ports.decision = { kind: 'allow', policies: [] };
    for (const [host, port] of [
      ['a b', 80],
      ['127.1', 80],
      ['', 70_000],
    ] as const) {
      await assert.rejects(listen(client, host, port));
      assert.equal(decided(world).at(-1)!.code, 'unclassified', host);
    }
    assert.deepEqual(asked(world), []);
    client.end();
  });

  it('is asked of the target only once the record is durable', async () => {
    const { world, client } = await open();
    world.ports.audit.immediate = false;
    const over = listen(client, '', 8080);
    await until(() => decided(world).length === 1);
    await new Promise((resolve) => {
      setTimeout(resolve, 50);
    });
    assert.deepEqual(asked(world), []);
    world.ports.audit.immediate = true;
    world.ports.audit.makeDurable();
    assert.equal(await over, 8080);
    client.end();
  });

  it('that the target refuses is refused, and on record', async () => {
    const { world, client } = await open((world) => {
      world.listens = (_accept, reject) => reject();
    });
    await assert.rejects(listen(client, '', 8080));
    assert.deepEqual([completed(world)[0]!.outcome, completed(world)[0]!.reason], ['failed', 'the target does not listen there']);
    client.end();
  });

  it('that waits for people holds back the answers behind it, and nothing else; the client may give it up', async () => {
    const { world, client } = await open((world) => {
      world.run = (channel) => {
        channel.exit(0);
        channel.end();
      };
    });
    world.ports.decision = hold;
    const answers: string[] = [];
    const answered = (what: string) => () => void answers.push(what);
    const first = listen(client, '', 8080).then(answered('first'), answered('first refused'));
    await until(() => world.ports.desk.requests.length === 1);
    world.ports.decision = { kind: 'allow', policies: [] };
    const second = listen(client, '', 8081).then(answered('second'));
    await until(() => asked(world).length === 1);
    assert.equal((await (await exec(client, 'run')).over).code, 0);
    assert.deepEqual(answers, []);
    const third = unlisten(client, '', 8080).then(answered('cancelled'), answered('nothing to cancel'));
    await Promise.all([first, second, third]);
    assert.deepEqual(answers, ['first refused', 'second', 'nothing to cancel']);
    assert.equal((await world.ports.desk.requests[0]!.answer).kind, 'cancelled');
    assert.deepEqual(asked(world), ['tcpip-forward :8081']);
    client.end();
  });

  it('that is cancelled while the target is asked is cancelled there behind it', async () => {
    const answering: (() => void)[] = [];
    const { world, client } = await open((world) => {
      world.listens = (accept) => answering.push(() => accept());
    });
    const standing = listen(client, '', 8080);
    await until(() => answering.length === 1);
    const cancelled = unlisten(client, '', 8080);
    answering[0]!();
    await Promise.all([standing, cancelled]);
    assert.deepEqual(asked(world), ['tcpip-forward :8080', 'cancel-tcpip-forward :8080']);
    assert.equal(completed(world)[0]!.outcome, 'succeeded');
    client.end();
  });

  it('of the target’s choice may be one that the client asks for behind it: the target has it once, and refuses the other', async () => {
    // The target lost its connection for that, with all that went over it. Found by the fuzzer.
    const answering: { readonly accept: (port?: number) => void; readonly reject: () => void }[] = [];
    const { world, client } = await open((world) => {
      world.listens = (accept, reject) => answering.push({ accept, reject });
    });
    const [first, second] = [listen(client, '', 0), listen(client, '', 8080)];
    await until(() => answering.length === 2);
    answering[0]!.accept(8080);
    answering[1]!.reject();
    assert.equal(await first, 8080);
    await assert.rejects(second);
    await unlisten(client, '', 8080);
    assert.deepEqual(asked(world), ['tcpip-forward :0', 'tcpip-forward :8080', 'cancel-tcpip-forward :8080']);
    client.end();
  });

  it('whose place is cancelled keeps the connections that it has', async () => {
    const { world, client, target } = await open();
    await listen(client, '', 8080);
    const channel = await come(target, '', 8080);
    await unlisten(client, '', 8080);
    await assert.rejects(come(target, '', 8080));
    assert.equal(await talk(channel, 'still here'), 'still here');
    await until(() => completed(world).length === 2);
    assert.deepEqual(
      completed(world).map(({ bytes, outcome }) => [bytes, outcome]),
      [
        [0, 'succeeded'],
        [10, 'succeeded'],
      ],
    );
    client.end();
  });

  it('may be asked for without a reply', async () => {
    const { world, client, target } = await open();
    const seen = opens(client);
    client.forwardIn('', 8080);
    await until(() => notes(world).includes('listening'));
    // ssh2's client does not know of it, since nothing was answered.
    await assert.rejects(come(target, '', 8080));
    assert.deepEqual(seen, ['forwarded-tcpip']);
    client.unforwardIn('', 8080);
    await until(() => asked(world).length === 2 && completed(world).length === 2);
    assert.deepEqual(asked(world), ['tcpip-forward :8080', 'cancel-tcpip-forward :8080']);
    client.end();
  });

  it('is not there twice, however it is spelled', async () => {
    const { world, client } = await open();
    await listen(client, '*', 8080);
    for (const host of ['', '*']) await assert.rejects(listen(client, host, 8080));
    assert.deepEqual(asked(world), ['tcpip-forward :8080']);
    assert.equal(decided(world).at(-1)!.decision, 'deny');
    await listen(client, '0.0.0.0', 8080);
    client.end();
  });

  it('and the likes of it are 32 at most', async () => {
    const { client } = await open();
    for (let port = 1; port <= 32; port += 1) await listen(client, '', port);
    await assert.rejects(listen(client, '', 33));
    await unlisten(client, '', 7);
    await listen(client, '', 33);
    client.end();
  });

  it('of the target’s choice may be none that the configuration gives to another target', async () => {
    const { world, client } = await open((world) => {
      world.forwardRules = [forwardRule('db.internal', chosenPort, 'orders')];
    });
    await assert.rejects(listen(client, '', chosenPort));
    assert.deepEqual(asked(world), []);
    await assert.rejects(listen(client, '', 0));
    await until(() => asked(world).length === 2);
    assert.deepEqual(asked(world), ['tcpip-forward :0', `cancel-tcpip-forward :${chosenPort}`]);
    client.end();
  });

  it('ends with its session: the target is told, and nothing that comes then reaches the client', async () => {
    const { world, client, target, came } = await open();
    await listen(client, '', 8080);
    // Something that lets the session go on for a moment.
    await exec(client, 'run');
    const closed = new Promise<void>((resolve) => target.once('close', () => resolve()));
    const gone = new Promise<void>((resolve) => client.once('close', () => resolve()));
    world.sessions.list()[0]!.end('enough');
    await Promise.race([assert.rejects(come(target, '', 8080)), closed]);
    await Promise.all([closed, gone]);
    assert.deepEqual(came, []);
    assert.equal(asked(world).at(-1), 'cancel-tcpip-forward :8080');
    const ended = completed(world).find(({ operation }) => operation === decided(world)[0]!.operation);
    assert.deepEqual([ended?.outcome, ended?.reason], ['cancelled', 'session ended: enough']);
  });

  it('ends its session with the connection to the target: a client that waits would wait for ever', async () => {
    const { world, client, target } = await open();
    await listen(client, '', 8080);
    const gone = new Promise<void>((resolve) => client.once('close', () => resolve()));
    target.end();
    await gone;
    await until(() => world.sessions.list().length === 0);
    assert.match(String((world.ports.audit.records.at(-1) as { reason?: string }).reason), /nothing listens there any more/);
    assert.equal(completed(world)[0]!.outcome, 'cancelled');
  });
});

describe('a connection that comes to the target', () => {
  it('is decided by itself: what policy says by now counts', async () => {
    const { world, client, target, came } = await open();
    await listen(client, '', 8080);
    world.ports.decision = deny;
    await assert.rejects(come(target, '', 8080), (error: Error) => {
      assert.doesNotMatch(error.message, /not there/, 'the target hears nothing of policy');
      return true;
    });
    assert.deepEqual(came, []);
    assert.equal(decided(world).at(-1)!.text, 'accept a connection from 10.0.0.5:4711 on *:8080');
    assert.equal(decided(world).at(-1)!.code, 'policy-denied');
    client.end();
  });

  it('waits for people where a rule says so, and for nobody once its place is gone', async () => {
    const { world, client, target } = await open();
    const seen = opens(client);
    await listen(client, '', 8080);
    world.ports.decision = hold;
    const waiting = come(target, '', 8080);
    await until(() => world.ports.desk.requests.length === 1);
    await unlisten(client, '', 8080);
    world.ports.desk.requests[0]!.reply({ kind: 'approved', by: ['erin'] });
    await assert.rejects(waiting);
    assert.deepEqual(seen, []);
    client.end();
  });

  it('right behind the answer that it may is let in', async () => {
    // It was refused: the place stood a moment after the answer was read, and what came in one piece with it was too early.
    let first: Promise<ServerChannel> | undefined;
    const { world, client, came } = await open((world) => {
      world.listens = (accept) => {
        const [socket] = world.targetSockets;
        socket!.cork();
        accept();
        first = come(world.targets[0]!, '', 8080);
        setImmediate(() => socket!.uncork());
      };
    });
    await listen(client, '', 8080);
    assert.equal(await talk(await first!, 'hello'), 'hello');
    assert.equal(came.length, 1);
    assert.deepEqual(notes(world), ['listening']);
    client.end();
  });

  it('waits until the client knows of its place, where that waits behind another answer', async () => {
    const { world, client, target, came } = await open();
    world.ports.decision = hold;
    const held = listen(client, '', 8080);
    await until(() => world.ports.desk.requests.length === 1);
    world.ports.decision = { kind: 'allow', policies: [] };
    const behind = listen(client, '', 8081);
    await until(() => notes(world).includes('listening'));
    const waiting = come(target, '', 8081);
    await until(() => decided(world).length === 2);
    await exec(client, 'run');
    assert.deepEqual(came, []);
    world.ports.desk.requests[0]!.reply({ kind: 'denied', by: 'erin', reason: 'no' });
    await assert.rejects(held);
    await behind;
    assert.equal(await talk(await waiting, 'hello'), 'hello');
    client.end();
  });

  it('that the client does not take is refused to whoever made it', async () => {
    const { world, client, target } = await open();
    client.removeAllListeners('tcp connection');
    client.on('tcp connection', (_details, _accept, reject) => reject());
    await listen(client, '', 8080);
    await assert.rejects(come(target, '', 8080));
    await until(() => completed(world).length === 1);
    assert.equal(completed(world)[0]!.reason, 'the client does not take the connection');
    client.end();
  });

  it('to where the client has nobody listen does not reach it, and is noted', async () => {
    const { world, client, target, came } = await open();
    const seen = opens(client);
    await assert.rejects(come(target, '', 8080));
    await listen(client, 'localhost', 8080);
    for (const [host, port] of [
      ['localhost', 8081],
      ['', 8080],
      ['127.0.0.1', 8080],
      ['LOCALHOST', 8080],
      ['localhost', 0],
      ['localhost', 8080 + 65_536],
    ] as const) {
      await assert.rejects(come(target, host, port));
    }
    await assert.rejects(comeToSocket(target, 'localhost:8080'));
    await unlisten(client, 'localhost', 8080);
    await assert.rejects(come(target, 'localhost', 8080));
    assert.deepEqual([seen, came], [[], []]);
    assert.equal(notes(world).filter((event) => event === 'target-channel-refused').length, 9);
    assert.equal(decided(world).length, 1);
    client.end();
  });

  it('to a place that is not granted yet does not reach the client', async () => {
    const { world, client, target } = await open((world) => {
      world.listens = () => {};
    });
    const seen = opens(client);
    void listen(client, '', 8080).catch(() => {});
    await until(() => asked(world).length === 1);
    await assert.rejects(come(target, '', 8080));
    assert.deepEqual(seen, []);
    assert.deepEqual(notes(world), ['target-channel-refused']);
    client.end();
  });

  it('reaches nobody but whose place it is: another session has another connection to the target', async () => {
    const { world, client, target } = await open();
    const other = await world.client();
    await until(() => world.targets.length === 2);
    const seen = opens(other);
    await listen(client, '', 8080);
    await assert.rejects(come(world.targets[1]!, '', 8080));
    assert.equal(await talk(await come(target, '', 8080), 'hello'), 'hello');
    assert.deepEqual(seen, []);
    client.end();
    other.end();
  });

  it('from a name that cannot be read is refused', async () => {
    const { world, client, target, came } = await open();
    await listen(client, '', 8080);
    for (const from of ['\u001b[2J', '10.0.0.5\n', 'a b']) await assert.rejects(come(target, '', 8080, from));
    assert.deepEqual(came, []);
    assert.ok(
      decided(world)
        .slice(1)
        .every(({ code }) => code === 'unclassified'),
    );
    client.end();
  });

  it('is ended where it takes more than the target allows', async () => {
    const { world, client, target } = await open((world) => {
      world.ports.target = { ...world.ports.target, limits: { bytes: 100_000 } };
    });
    await listen(client, '', 8080);
    const channel = await come(target, '', 8080);
    const over = new Promise<void>((resolve) => channel.once('close', () => resolve()));
    channel.resume();
    channel.write(Buffer.alloc(300_000));
    await over;
    await until(() => completed(world).length === 1);
    assert.match(completed(world)[0]!.reason!, /bytes \(100000\) of target web is exceeded/);
    assert.ok(completed(world)[0]!.bytes <= 100_000);
    client.end();
  });

  it('and many more leave the client channels of its own', async () => {
    const { world, client, target } = await open();
    await listen(client, '', 8080);
    const channels = await Promise.all(Array.from({ length: 48 }, () => come(target, '', 8080)));
    await assert.rejects(come(target, '', 8080));
    await exec(client, 'run');
    channels[0]!.close();
    await until(() => completed(world).length === 1);
    await come(target, '', 8080);
    client.end();
  });
});

describe('a forward whose grant is not genuine', () => {
  const refusals: string[] = [];
  const session = {
    id: 's',
    decide: async () => ({ kind: 'granted', grant: testGrant('s-1') }),
    complete: () => {},
    cancelHold: () => false,
  } as unknown as PipelineSession;
  const asked = forwardOperation(testContext(nodeCrypto), { kind: 'listen', host: '', port: 8080 }, []);
  const never = (): never => assert.fail('it was asked of the target');

  it('is not asked of the target', async () => {
    const forward = new RemoteForward({
      request: { kind: 'listen', host: '', port: 8080 },
      asked,
      session,
      upstream: async () => ({ open: never, ask: never, close: never, isOver: false }),
      isTaken: () => undefined,
      isDouble: () => false,
      tell: (fault) => refusals.push(fault instanceof GatewayFault ? fault.detail : fault),
      over: () => {},
    });
    const reply = await forward.start();
    assert.equal(typeof reply === 'function' ? reply() : reply, false);
    assert.deepEqual(refusals, ['forward without a genuine grant']);
  });

  it('reaches nobody', async () => {
    const refused = await new Promise<GatewayFault>((resolve) => {
      new ForwardDrive({ asked, session, reach: never, refuse: resolve, fail: never, over: () => {} }).start();
    });
    assert.equal(refused.detail, 'forward without a genuine grant');
  });
});

describe('a client that asks for answers without end behind one that waits', () => {
  it('is ended', async () => {
    const { world, client } = await open();
    const gone = new Promise<void>((resolve) => client.once('close', () => resolve()));
    world.ports.decision = hold;
    void listen(client, '', 8080).catch(() => {});
    await until(() => world.ports.desk.requests.length === 1);
    const { _protocol: protocol } = client as unknown as { _protocol: { ping(): void } };
    for (let count = 0; count < 300; count += 1) protocol.ping();
    await gone;
    assert.ok(world.reported.some(({ code }) => code === 'limit-exceeded'));
    assert.equal((await world.ports.desk.requests[0]!.answer).kind, 'cancelled');
  });
});

describe('a hostile target', () => {
  for (const [what, port] of [
    ['no port', 0],
    ['no port that there is', 70_000],
    ['one that it listens on already', 8080],
  ] as const) {
    it(`that answers with ${what} loses its connection, so that nothing listens that nobody can end`, async () => {
      const { world, client, target } = await open((world) => {
        world.listens = (accept, _reject, asked) => accept(asked === 0 ? port : asked);
      });
      await listen(client, '', 8080);
      const closed = new Promise<void>((resolve) => target.once('close', () => resolve()));
      await assert.rejects(listen(client, '', 0));
      await closed;
      await until(() => world.sessions.list().length === 0);
      client.end();
    });
  }

  it('that answers twice that it listens at one place loses its connection', async () => {
    const answering: ((port?: number) => void)[] = [];
    const { world, client, target } = await open((world) => {
      world.listens = (accept) => answering.push(accept);
    });
    const both = [listen(client, '', 0), listen(client, '', 8080)];
    await until(() => answering.length === 2);
    const closed = new Promise<void>((resolve) => target.once('close', () => resolve()));
    for (const accept of answering) accept(8080);
    await Promise.allSettled(both);
    await closed;
    await until(() => world.sessions.list().length === 0);
    client.end();
  });

  it('that opens channels of other kinds opens none', async () => {
    const { world, client, target } = await open();
    const seen = opens(client);
    await listen(client, '', 8080);
    await assert.rejects(
      new Promise((resolve, reject) => {
        target.x11('10.0.0.5', 4711, (error, channel) => (error === undefined ? resolve(channel) : reject(error)));
      }),
    );
    const { _protocol: protocol } = target as unknown as { _protocol: Record<string, (...fields: unknown[]) => void> };
    protocol['openssh_authAgent']!(77, 1_000, 1_000);
    await until(() => notes(world).filter((event) => event === 'target-channel-refused').length === 2);
    assert.deepEqual(seen, []);
    client.end();
  });

  it('that floods is ended, and its session', async () => {
    const { world, client, target } = await open();
    await listen(client, '', 8080);
    const { _protocol: protocol } = target as unknown as { _protocol: Record<string, (...fields: unknown[]) => void> };
    const closed = new Promise<void>((resolve) => target.once('close', () => resolve()));
    for (let count = 0; count < 3_000; count += 1) {
      protocol['forwardedTcpip']!(1_000 + count, 1_000, 1_000, { boundAddr: '', boundPort: 9999, remoteAddr: 'x', remotePort: 1 });
    }
    await closed;
    await until(() => world.sessions.list().length === 0);
    assert.ok(notes(world).length <= 101);
    client.end();
  });

  it('that answers what it was not asked makes nothing stand', async () => {
    const { world, client, target } = await open((world) => {
      world.listens = (_accept, reject) => reject();
    });
    const { _protocol: protocol } = target as unknown as { _protocol: Record<string, (...fields: unknown[]) => void> };
    protocol['requestSuccess']!(Buffer.of(0, 0, 31, 144));
    await new Promise((resolve) => {
      setTimeout(resolve, 50);
    });
    await assert.rejects(listen(client, '', 8080));
    await assert.rejects(come(target, '', 8080));
    assert.equal(completed(world)[0]!.outcome, 'failed');
    client.end();
  });
});
