import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, Socket, type AddressInfo, type Server } from 'node:net';
import { after, describe, it } from 'node:test';
import { connect as connectTls, createSecureContext } from 'node:tls';
import { createDemoAuthority } from '../cli/demo/certificates.ts';
import type { Effect, OpenSession, Outcome, SessionEvent, Side, WireSession } from '../core/effect.ts';
import type { GatewayFault } from '../core/fault.ts';
import type { Grant } from '../core/grant.ts';
import type { Operation } from '../core/operation.ts';
import { Pipeline } from '../core/pipeline.ts';
import type { AuditRecord } from '../core/record.ts';
import { TestPorts } from '../core/testing/ports.ts';
import { CancelRegistry } from './cancel.ts';
import type { DriveOptions } from './drive.ts';
import { Connections, listen, type Listener } from './listener.ts';
import { SessionRegistry } from './sessions.ts';

const authority = await createDemoAuthority();
const { certificate, key } = await authority.issue(['localhost']);
const closers: (() => Promise<unknown>)[] = [];
after(() => Promise.all(closers.map((close) => close())));

describe('a connection', () => {
  it('opens, forwards what is granted and answers', async () => {
    const world = await World.open();
    const client = await world.signedIn();
    client.write('read a\n');
    await client.sees('upstream: read a\n');
    client.end();
    await world.closed('client disconnected');
  });

  it('keeps pipelined input in order while an answer is awaited', async () => {
    const world = await World.open();
    const client = await world.signedIn();
    world.ports.audit.immediate = false;
    client.write('write a\n');
    await world.recorded(2);
    client.write('write b\nread c\n');
    await turns();
    assert.equal(world.upstreamSaw, '', 'nothing may change before its record is durable');
    world.ports.audit.immediate = true;
    world.ports.audit.makeDurable();
    await client.sees('upstream: write a\nupstream: write b\nupstream: read c\n');
  });

  it('withholds the answer of a read until its record is durable, though the read was forwarded', async () => {
    const world = await World.open();
    const client = await world.signedIn();
    world.ports.audit.immediate = false;
    client.write('read a\n');
    await world.upstreamSees('read a\n');
    await turns();
    assert.equal(client.seen, 'ready\n');
    world.ports.audit.makeDurable();
    await client.sees('upstream: read a\n');
  });

  it('ends without the answer where the record never becomes durable', async () => {
    const world = await World.open();
    const client = await world.signedIn();
    world.ports.audit.immediate = false;
    client.write('read a\n');
    await world.upstreamSees('read a\n');
    await turns();
    world.ports.audit.fail();
    await client.sees('ended: audit-unavailable\n');
    await client.ends();
    assert.equal(client.seen.includes('upstream:'), false);
  });

  it('sends what somebody waits for before what is only noted of it is put on record', async (t) => {
    const world = await World.open();
    const client = await world.signedIn();
    const order: string[] = [];
    const append = world.ports.audit.append.bind(world.ports.audit);
    t.mock.method(world.ports.audit, 'append', (record: AuditRecord) => {
      if (record.type === 'operation.completed') order.push('noted');
      return append(record);
    });
    client.write('write a\n');
    const write: (this: Socket, ...sent: [Uint8Array | string]) => boolean = Reflect.get(Socket.prototype, 'write');
    t.mock.method(Socket.prototype, 'write', function (this: Socket, ...sent: Parameters<typeof write>) {
      if (Buffer.from(sent[0]).toString() === 'write a\n') order.push('sent');
      return write.apply(this, sent);
    });
    await client.sees('upstream: write a\n');
    assert.deepEqual(order, ['sent', 'noted']);
  });

  it('that forwards without a genuine grant ends, and nothing is forwarded', async () => {
    for (const forgery of ['forge', 'steal', 'late']) {
      const world = await World.open();
      const client = await world.signedIn();
      client.write(`${forgery} a\n`);
      await client.sees('ended: internal\n');
      await client.ends();
      assert.equal(world.upstreamSaw.includes('forged'), false);
    }
  });

  it('that is refused at the first door is told so', async () => {
    const world = await World.open();
    const client = world.client();
    client.write('login bad\n');
    await client.sees('refused: authentication-failed\n');
    await client.ends();
    assert.equal(world.sessions.list().length, 0);
    assert.equal(world.connections, 0, 'nobody is connected to the target for a stranger');
  });

  it('is told when the target cannot be reached', async () => {
    const world = await World.open({ upstreamOf: () => ({ host: '127.0.0.1', port: 1, tls: undefined }) });
    const client = world.client();
    client.write('login good\n');
    await client.sees('ended: upstream-unavailable\n');
    await world.closed('upstream-unavailable');
  });

  it('ends when the target hangs up', async () => {
    const world = await World.open();
    const client = await world.signedIn();
    world.upstream!.end();
    await client.sees('ended: upstream-unavailable\n');
    await client.ends();
  });

  it('ends when the client half-closes', async () => {
    const world = await World.open();
    const client = await world.signedIn();
    client.write('write a\n');
    await client.sees('upstream: write a\n');
    client.end();
    await world.closed('client disconnected');
    await world.upstreamEnds();
  });
});

describe('a held operation', () => {
  it('ends with its client’s connection', async () => {
    const world = await World.open();
    const client = await world.signedIn();
    world.hold();
    client.write('write a\n');
    await client.sees('held: waiting for approval by dba\n');
    client.destroy();
    await world.closed('client disconnected');
    assert.deepEqual(await world.ports.desk.requests[0]!.answer, { kind: 'cancelled', reason: 'client disconnected' });
    assert.equal(world.upstreamSaw, '');
  });

  it('is cancelled from another connection, by the gateway’s own key, and the session goes on', async () => {
    const world = await World.open();
    const client = await world.signedIn();
    world.hold();
    client.write('write a\n');
    await client.sees('held: waiting for approval by dba\n');
    const other = world.client();
    other.write('cancel key\n');
    await other.ends();
    await client.sees('refused: approval-cancelled\n');
    world.ports.decision = { kind: 'allow', policies: [] };
    client.write('write b\n');
    await client.sees('upstream: write b\n');
  });

  it('ends with the session that an operator ends', async () => {
    const world = await World.open();
    const client = await world.signedIn();
    world.hold();
    client.write('write a\n');
    await client.sees('held: waiting for approval by dba\n');
    assert.equal(
      world.sessions.end(() => true, 'killed by ann'),
      1,
    );
    await client.sees('ended: session-ended\n');
    await client.ends();
    assert.equal(world.sessions.list().length, 0);
  });

  it('takes in only so much of what is sent behind it', async () => {
    const world = await World.open();
    const client = await world.signedIn();
    world.hold();
    client.write('write a\n');
    await client.sees('held: waiting for approval by dba\n');
    const flood = Buffer.alloc(64 * 1024 * 1024, `${'read '.padEnd(1_000, 'x')}\n`);
    client.write(flood);
    await turns();
    assert.ok(client.unsent > 32 * 1024 * 1024, 'the gateway reads on without end');
    world.ports.desk.requests[0]!.reply({ kind: 'denied', by: 'ann', reason: '' });
    await client.sees('refused: approval-denied\n');
    client.destroy();
  });
});

describe('back-pressure', () => {
  it('of a client that does not read stops the target', async () => {
    const world = await World.open();
    const client = await world.signedIn();
    client.pause();
    const chunk = Buffer.alloc(1024 * 1024, 'x');
    let sent = 0;
    while (sent < 256 && world.upstream!.write(chunk)) {
      sent += 1;
      await turns();
    }
    assert.ok(sent < 256, 'the gateway takes in what nobody reads');
    client.resume();
    await once(world.upstream!, 'drain');
  });

  it('of a target that does not read stops the client', async () => {
    const world = await World.open();
    const client = await world.signedIn();
    world.upstream!.pause();
    const line = `write ${'x'.repeat(1024 * 1024)}\n`;
    let sent = 0;
    while (sent < 256 && client.write(line)) {
      sent += 1;
      await turns();
    }
    assert.ok(sent < 256, 'the gateway takes in what the target does not read');
    world.upstream!.resume();
    await once(client.socket, 'drain');
  });
});

describe('time', () => {
  it('ends a session with its identity', async () => {
    const world = await World.open();
    world.lasts(Date.now() + 50);
    const client = world.client();
    client.write('login good\n');
    await client.sees('ended: session-ended\n');
    await client.ends();
  });
});

describe('TLS', () => {
  it('begins with the bytes that the session has read already', async () => {
    const world = await World.open({ serverTls: () => createSecureContext({ cert: certificate, key }) });
    const secured = connectTls({ port: world.port, host: '127.0.0.1', servername: 'localhost', ca: authority.certificate });
    const client = new Client(secured);
    await once(secured, 'secureConnect');
    client.write('login good\n');
    await client.sees('ready\n');
    client.write('read a\n');
    await client.sees('upstream: read a\n');
    client.destroy();
  });

  it('that fails ends the connection', async () => {
    const world = await World.open({ serverTls: () => createSecureContext({ cert: certificate, key }) });
    const client = world.client();
    client.write(Buffer.from([0x16, 1, 2, 3, 4, 5, 6, 7, 8, 9]));
    await client.ends();
    assert.deepEqual(
      world.faults.map(({ code }) => code),
      ['protocol-violation'],
    );
  });

  it('is refused where there is no certificate', async () => {
    const world = await World.open();
    const client = world.client();
    client.write(Buffer.from([0x16]));
    await client.ends();
  });
});

/** A line protocol: `login <token>`, then `read …`, `write …` for the target; and some that no honest session would think of. */
class LineSession implements WireSession {
  #session: OpenSession | undefined;
  #grant: Grant | undefined;
  #asked: { readonly id: string; readonly line: string } | undefined;
  #unread = '';
  #ended = false;
  #encrypted = false;

  receive(side: Side, bytes: Uint8Array): readonly Effect[] {
    if (this.#ended) return [];
    if (side === 'upstream') return [{ kind: 'reply', bytes: bytes.slice(), grant: this.#grant }];
    if (bytes[0] === 0x16 && !this.#encrypted) {
      this.#encrypted = true;
      return [{ kind: 'start-tls', side: 'client', unread: bytes, alpn: undefined }];
    }
    this.#unread += Buffer.from(bytes).toString('latin1');
    return this.#next();
  }

  decide(operationId: string, outcome: Outcome): readonly Effect[] {
    const asked = this.#asked;
    if (this.#ended || asked?.id !== operationId) return [];
    this.#asked = undefined;
    if (outcome.kind === 'refused') return [reply(`refused: ${outcome.fault.code}\n`), ...this.#next()];
    this.#grant = outcome.grant;
    const forward: Effect = { kind: 'forward', bytes: Buffer.from(`${asked.line}\n`), grant: outcome.grant };
    const complete: Effect = {
      kind: 'complete',
      completion: { operationId, outcome: 'succeeded', rows: 0, bytes: 0, masked: {} },
    };
    if (!asked.line.startsWith('late')) return [forward, complete, ...this.#next()];
    return [complete, { ...forward, bytes: Buffer.from('forged\n') }];
  }

  notify(event: SessionEvent): readonly Effect[] {
    if (this.#ended) return [];
    switch (event.kind) {
      case 'signed-in':
        this.#session = event.session;
        return [
          { kind: 'register-cancel-key', key: Buffer.from('key') },
          { kind: 'connect', grant: event.session.grant },
        ];
      case 'sign-in-refused':
        return this.#end(`refused: ${event.fault.code}\n`, event.fault);
      case 'connected':
        return [reply('ready\n'), ...this.#next()];
      case 'held':
        return [reply(`held: ${event.message}\n`)];
      case 'closed':
        return event.side === 'client' ? [] : this.#end(`ended: ${event.fault?.code}\n`, event.fault);
      case 'end':
        return this.#end(`ended: ${event.fault.code}\n`, event.fault);
      default:
        return [];
    }
  }

  #end(line: string, fault: GatewayFault | undefined): readonly Effect[] {
    this.#ended = true;
    return [reply(line), { kind: 'close', fault }];
  }

  #next(): readonly Effect[] {
    const end = this.#unread.indexOf('\n');
    if (end < 0 || this.#asked !== undefined) return [];
    const line = this.#unread.slice(0, end);
    this.#unread = this.#unread.slice(end + 1);
    const [word = '', rest = ''] = line.split(' ');
    if (word === 'login') return [signIn(rest)];
    if (word === 'cancel')
      return [
        { kind: 'cancel', key: Buffer.from(rest) },
        { kind: 'close', fault: undefined },
      ];
    const session = this.#session!;
    if (word === 'forge') return [forged({ sessionId: session.id, operationId: session.grant.operationId, sequence: 0 })];
    if (word === 'steal') return [forged({ ...session.grant })];
    const operation = asking(session, line);
    this.#asked = { id: operation.id, line };
    return [{ kind: 'ask', operation, refusal: undefined }];
  }
}

/** One listener, one target that answers each line, one house in memory. */
class World {
  readonly ports = new TestPorts();
  readonly sessions = new SessionRegistry();
  readonly faults: GatewayFault[] = [];
  upstream: Socket | undefined;
  upstreamSaw = '';
  connections = 0;
  port = 0;

  static async open(options: Partial<DriveOptions> = {}): Promise<World> {
    const world = new World();
    const server = createServer((socket) => world.#serve(socket));
    const upstreamPort = await listening(server);
    const connections = new Connections({
      newSession: () => new LineSession(),
      protocol: 'postgres',
      listenerTarget: 'orders',
      pipeline: new Pipeline(world.ports),
      audit: world.ports.audit,
      serverTls: undefined,
      alpn: [],
      upstreamOf: () => ({ host: '127.0.0.1', port: upstreamPort, tls: undefined }),
      prepare: () => Promise.resolve(),
      cancels: new CancelRegistry(),
      sessions: world.sessions,
      report: (_what, fault) => world.faults.push(fault),
      ...options,
    });
    const listener: Listener = await listen({ host: '127.0.0.1', port: 0, maxConnections: 10, connections });
    world.port = listener.port;
    closers.push(
      () => listener.close('the test is over'),
      () => closed(server, () => world.upstream?.destroy()),
    );
    world.lasts(Date.now() + 3_600_000);
    return world;
  }

  lasts(untilMs: number): void {
    this.ports.now = Date.now();
    this.ports.identityEndsAtMs = untilMs;
    this.ports.maxMs = 3_600_000;
  }

  hold(): void {
    this.ports.decision = { kind: 'hold', policies: [], reviews: [], message: 'Ask.' };
  }

  client(): Client {
    return new Client(connect({ port: this.port, host: '127.0.0.1' }));
  }

  async signedIn(): Promise<Client> {
    const client = this.client();
    client.write('login good\n');
    await client.sees('ready\n');
    return client;
  }

  async recorded(count: number): Promise<void> {
    while (this.ports.audit.records.length < count) await turn();
  }

  /** The session's end is on record, for this reason. */
  async closed(reason: string): Promise<void> {
    for (;;) {
      const record = this.ports.audit.records.find((one) => one.type === 'session.closed');
      if (record?.type === 'session.closed') {
        assert.equal(record.reason, reason);
        return;
      }
      await turn();
    }
  }

  async upstreamSees(text: string): Promise<void> {
    while (!this.upstreamSaw.includes(text)) await turn();
  }

  async upstreamEnds(): Promise<void> {
    while (this.upstream !== undefined) await turn();
  }

  #serve(socket: Socket): void {
    this.upstream = socket;
    this.connections += 1;
    socket.on('error', () => undefined);
    socket.on('close', () => (this.upstream = undefined));
    socket.on('data', (bytes: Buffer) => {
      const text = bytes.toString('latin1');
      if (this.upstreamSaw.length < 100_000) this.upstreamSaw += text;
      if (text.length < 1_000) for (const line of text.split('\n').slice(0, -1)) socket.write(`upstream: ${line}\n`);
    });
  }
}

class Client {
  readonly socket: Socket;
  seen = '';

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on('error', () => undefined);
    socket.on('data', (bytes: Buffer) => {
      if (this.seen.length < 100_000) this.seen += bytes.toString('latin1');
    });
  }

  get unsent(): number {
    return this.socket.writableLength;
  }

  write(text: string | Uint8Array): boolean {
    return this.socket.write(text);
  }

  end(): void {
    this.socket.end();
  }

  destroy(): void {
    this.socket.destroy();
  }

  pause(): void {
    this.socket.pause();
  }

  resume(): void {
    this.socket.resume();
  }

  async sees(text: string): Promise<void> {
    while (!this.seen.includes(text)) {
      if (this.socket.closed) assert.fail(`closed after ${JSON.stringify(this.seen)}, without ${JSON.stringify(text)}`);
      await turn();
    }
  }

  async ends(): Promise<void> {
    while (!this.socket.closed) await turn();
  }
}

function signIn(credential: string): Effect {
  return {
    kind: 'sign-in',
    request: {
      credential,
      targetName: undefined,
      acts: (name) => [{ action: 'connect', object: { type: 'Target', id: name } }],
      facts: {},
      part: undefined,
      claimedUser: 'agent',
    },
  };
}

function asking(session: OpenSession, line: string): Operation {
  return {
    id: session.nextOperationId(),
    sessionId: session.id,
    protocol: 'postgres',
    acts: [{ action: 'sql:select', object: { type: 'Target', id: 'orders' } }],
    facts: {},
    pureRead: line.startsWith('read') || line.startsWith('late'),
    naming: false,
    text: line.slice(0, 100),
    textIsExact: true,
    dataClasses: [],
    exact: () => Buffer.from(line),
    unmasked: () => ({ text: line, runs: [], parameters: [] }),
  };
}

function forged(grant: Grant): Effect {
  return { kind: 'forward', bytes: Buffer.from('forged\n'), grant };
}

function reply(text: string): Effect {
  return { kind: 'reply', bytes: Buffer.from(text), grant: undefined };
}

async function listening(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

function closed(server: Server, before: () => void): Promise<void> {
  before();
  return new Promise((resolve) => {
    server.close(() => resolve());
  });
}

function turn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

/** Long enough for whatever is going to happen on loopback. */
async function turns(): Promise<void> {
  for (let count = 0; count < 200; count += 1) await turn();
}
