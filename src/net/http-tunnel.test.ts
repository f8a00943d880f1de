import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { connect, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { describe, it } from 'node:test';
import type { Outcome, Side } from '../core/effect.ts';
import type { Grant } from '../core/grant.ts';
import type { Operation } from '../core/operation.ts';
import type { OpenedTunnel, TunnelEffect, TunnelEvent, TunnelSession } from '../protocols/tunnel.ts';
import { turns, until, World } from './testing/http-world.ts';

describe('an upgrade', () => {
  it('is made with the target by the gateway itself, and then with the client', async () => {
    const { world, target, client } = await start();
    await client.has('\r\n\r\n');
    assert.match(client.text, /^HTTP\/1\.1 101 Switching Protocols\r\n/);
    assert.match(client.text, /Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK\+xOo=\r\n/);
    assert.match(client.text, /x-agreed: yes\r\n/);
    assert.notEqual(target.request?.headers['sec-websocket-key'], clientKey);
    assert.deepEqual(
      ['connection', 'upgrade', 'sec-websocket-version', 'sec-websocket-extensions'].map((name) => target.request?.headers[name]),
      ['Upgrade', 'websocket', '13', undefined],
    );
    assert.deepEqual(world.seen, ['GET /a']);
  });

  it('reaches the target only once its record is durable', async () => {
    const world = await World.open();
    await world.ask('GET', '/warm');
    world.ports.audit.immediate = false;
    const target = new Target(world);
    const client = new Client(world);
    tunnelled(world, new Relay());
    await world.recorded('operation.decided', 2);
    await turns();
    assert.equal(target.request, undefined);
    world.ports.audit.immediate = true;
    world.ports.audit.makeDurable();
    await client.has('101');
  });

  it('that the target refuses is an answer like any other', async () => {
    const { client } = await start((_request, socket) => {
      socket.end('HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\nContent-Type: text/plain\r\nX-Mine: 1\r\n\r\nno');
    });
    await client.closed;
    assert.match(client.text, /^HTTP\/1\.1 403 Forbidden\r\n/);
    assert.match(client.text, /x-mine: 1\r\n/i);
    assert.match(client.text, /no$/);
  });

  const lies: readonly (readonly [name: string, head: (key: string) => string])[] = [
    ['the key of another', () => 'Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n'],
    ['no key', () => 'Upgrade: websocket\r\nConnection: Upgrade\r\n'],
    ['another protocol', (key) => `Upgrade: h2c\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${key}\r\n`],
    [
      'an extension',
      (key) =>
        `Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${key}\r\nSec-WebSocket-Extensions: permessage-deflate\r\n`,
    ],
  ];
  for (const [name, head] of lies) {
    it(`that the target answers with ${name} is none`, async () => {
      const { client, world } = await start((request, socket) => {
        socket.write(`HTTP/1.1 101 Switching Protocols\r\n${head(acceptOf(request.headers['sec-websocket-key'] ?? ''))}\r\nsecret`);
      });
      await client.closed;
      assert.match(client.text, /^HTTP\/1\.1 502 /);
      assert.ok(!client.text.includes('secret'));
      await world.recorded('operation.completed', 1);
    });
  }

  it('is refused on record where the protocol has no tunnel for it', async () => {
    const world = await World.open();
    world.asked = (asked) => ({ ...asked, tunnel: undefined });
    const client = new Client(world);
    await client.closed;
    assert.match(client.text, /^HTTP\/1\.1 501 /);
    assert.deepEqual(world.seen, []);
    assert.ok(world.ports.audit.types().includes('operation.decided'));
  });

  it('that waits for approval ends when its client goes away', async () => {
    const world = await World.open();
    world.hold();
    tunnelled(world, new Relay());
    const client = new Client(world);
    await until(() => world.ports.desk.requests.length === 1);
    client.socket.end();
    await client.closed;
    assert.deepEqual(await world.ports.desk.requests[0]?.answer, { kind: 'cancelled', reason: 'the client went away' });
    assert.deepEqual(world.seen, []);
  });

  it('waits for the answers before it', async () => {
    const world = await World.open();
    const target = new Target(world);
    tunnelled(world, new Relay());
    const client = new Client(world, `GET /http/crm/slow HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer good\r\n\r\n${ask}`);
    await until(() => world.release !== undefined);
    await turns();
    assert.deepEqual([world.seen, target.request], [['GET /slow'], undefined]);
    world.release?.();
    await client.has('101 Switching');
    assert.match(client.text, /^HTTP\/1\.1 200 OK[^]*\r\n\r\nslowHTTP\/1\.1 101/);
  });
});

describe('a tunnel', () => {
  it('carries both streams, also what came right behind the heads', async () => {
    const world = await World.open();
    const target = new Target(world, (request, socket) => {
      socket.write(`${switched(request)}from the target `);
    });
    const relay = new Relay();
    tunnelled(world, relay);
    const client = new Client(world, `${ask}from the client `);
    await client.has('from the target ');
    client.socket.write('and more');
    await until(() => target.text === 'from the client and more');
    target.socket?.write('and more');
    await client.has('from the target and more');
  });

  it('passes a side’s end on and goes on in the other direction', async () => {
    const { client, target, world } = await start();
    await client.has('101');
    client.socket.end('last');
    await until(() => target.text === 'last' && target.ended);
    target.socket?.end('answer');
    await client.closed;
    assert.match(client.text, /answer$/);
    await world.recorded('operation.completed', 1);
  });

  it('is on record as its session says, and as unknown where it says nothing', async () => {
    for (const outcome of ['succeeded', 'unknown'] as const) {
      const relay = new Relay();
      relay.completes = outcome === 'succeeded';
      const { client, target, world } = await start(undefined, relay);
      await client.has('101');
      target.socket?.write('12345');
      await client.has('12345');
      client.socket.destroy();
      target.socket?.end();
      await world.recorded('operation.completed', 1);
      const record = world.ports.audit.records.find(({ type }) => type === 'operation.completed') as { outcome?: string; bytes?: number };
      assert.deepEqual([record.outcome, record.bytes], [outcome, 5]);
    }
  });

  it('does not read a client whose session wants no more of it for now, and reads it again, also to end with it', async () => {
    const { client, target, world } = await start();
    await client.has('101');
    client.socket.write('stop');
    await until(() => target.text === 'stop');
    client.socket.write(' more');
    await turns(20);
    assert.equal(target.text, 'stop');
    target.socket?.write('go');
    await until(() => target.text === 'stop more');
    client.socket.write('stop');
    await until(() => target.text === 'stop morestop');
    const taken = new Promise((resolve) => void client.socket.write(Buffer.alloc(32 * 1024 * 1024), resolve));
    await turns();
    world.sessions.end(() => true, 'an operator said so');
    await client.closed;
    assert.equal((await taken) ?? undefined, undefined, 'whoever is told something is read');
    assert.match(client.text, /last words: session ended: an operator said so$/);
    assert.equal(target.text, 'stop morestop');
  });

  it('ends with its session, in its own last words', async () => {
    const { client, target, world } = await start();
    await client.has('101');
    world.sessions.end(() => true, 'an operator said so');
    await client.closed;
    assert.match(client.text, /last words: session ended: an operator said so$/);
    await until(() => target.ended);
  });

  it('ends with the gateway', async () => {
    const { client, world } = await start();
    await client.has('101');
    await world.listener.close('the gateway is stopping');
    assert.match(client.text, /last words: session ended: the gateway is stopping$/);
  });

  it('ends where nothing is said for long', async () => {
    const { client } = await start(undefined, new Relay(), 50);
    await client.closed;
    assert.match(client.text, /last words: nothing was said for 0\.05 s$/);
  });

  it('ends at the limit of bytes, with nothing beyond it', async () => {
    const world = await World.open();
    world.ports.target = { ...world.ports.target, limits: { bytes: 1_000 } };
    const target = new Target(world);
    tunnelled(world, new Relay());
    const client = new Client(world);
    await client.has('101');
    target.socket?.write('a'.repeat(600));
    await client.has('aaa');
    target.socket?.write('b'.repeat(600));
    await client.closed;
    assert.ok(!client.text.includes('b'.repeat(10)));
    assert.match(client.text, /last words: bytes \(1000\) of target crm is exceeded/);
  });

  it('reads no further from a target whose client reads nothing', async () => {
    const { client, target } = await start();
    await client.has('101');
    client.socket.pause();
    const sent = await flood(target.socket!);
    assert.ok(sent < 64 * 1024 * 1024, `${sent} bytes were taken`);
    client.socket.destroy();
  });

  it('reads no further from a client who does not read what it is answered', async () => {
    const relay = new Relay();
    relay.echoes = true;
    const { client } = await start(undefined, relay);
    await client.has('101');
    client.socket.pause();
    const sent = await flood(client.socket);
    assert.ok(sent < 64 * 1024 * 1024, `${sent} bytes were taken`);
    client.socket.destroy();
  });

  it('reads no further from a target who does not read what it is answered, as pings are', async () => {
    const relay = new Relay();
    relay.answersTarget = true;
    const { client, target } = await start(undefined, relay);
    await client.has('101');
    target.socket!.pause();
    const sent = await flood(target.socket!);
    assert.ok(sent < 64 * 1024 * 1024, `${sent} bytes were taken`);
    client.socket.destroy();
  });

  it('forwards nothing under a grant that is none', async () => {
    const relay = new Relay();
    relay.forged = true;
    const { client, target } = await start(undefined, relay);
    await client.has('101');
    client.socket.write('hello');
    await client.closed;
    assert.equal(target.text, '');
  });

  it('has messages decided on while its streams go on', async () => {
    const relay = new Relay();
    relay.asks = true;
    const { client, target, world } = await start(undefined, relay);
    await client.has('101');
    world.hold();
    client.socket.write('hello');
    await client.has('held');
    target.socket?.write('meanwhile');
    await client.has('meanwhile');
    world.ports.desk.requests[0]?.reply({ kind: 'approved', by: ['erin'] });
    await until(() => target.text === 'hello');
  });

  it('that is over cancels what waits', async () => {
    const relay = new Relay();
    relay.asks = true;
    const { client, world } = await start(undefined, relay);
    await client.has('101');
    world.hold();
    client.socket.write('hello');
    await client.has('held');
    client.socket.resetAndDestroy();
    assert.equal((await world.ports.desk.requests[0]?.answer)?.kind, 'cancelled');
  });
});

async function start(answer?: Answering, relay = new Relay(), idleMs?: number) {
  const world = await World.open();
  const target = new Target(world, answer);
  tunnelled(world, relay, idleMs);
  return { world, target, client: new Client(world) };
}

function tunnelled(world: World, relay: Relay, idleMs = 60_000): void {
  world.asked = (asked) => ({
    ...asked,
    operation: (session) => {
      const operation = Object.assign(asked.operation(session), { pureRead: false });
      relay.next = () => Object.assign(asked.operation(session), { pureRead: false });
      return operation;
    },
    tunnel: { upgrade: 'websocket', idleMs, open: (_head, grant) => relay.open(grant) },
  });
}

/** Passes bytes on as they come, and can be told to do otherwise. */
class Relay implements TunnelSession {
  completes = true;
  echoes = false;
  /** What the target says goes back to it. */
  answersTarget = false;
  forged = false;
  asks = false;
  next: (() => Operation) | undefined;
  #grant!: Grant;
  #held: Uint8Array = new Uint8Array(0);
  #bytes = 0;
  #closed = 0;

  open(grant: Grant): OpenedTunnel {
    this.#grant = grant;
    return { fields: [{ name: 'x-agreed', value: 'yes' }], session: this, isApart: false };
  }

  receive(side: Side, bytes: Uint8Array): readonly TunnelEffect[] {
    const grant = this.forged ? { ...this.#grant } : this.#grant;
    if (side === 'client' && this.asks) {
      this.#held = bytes;
      return [{ kind: 'ask', operation: this.next!(), refusal: undefined }];
    }
    if (side === 'upstream' && this.answersTarget) return [{ kind: 'forward', bytes, grant }];
    const reading: readonly TunnelEffect[] = /^(stop|go)$/.test(Buffer.from(bytes).toString())
      ? [{ kind: 'read-client', isRead: Buffer.from(bytes).toString() === 'go' }]
      : [];
    if (side === 'client' && !this.echoes) return [{ kind: 'forward', bytes, grant }, ...reading];
    this.#bytes += bytes.length;
    return [{ kind: 'reply', bytes, grant }, ...reading];
  }

  decide(_operationId: string, outcome: Outcome): readonly TunnelEffect[] {
    return outcome.kind === 'granted' ? [{ kind: 'forward', bytes: this.#held, grant: outcome.grant }] : [];
  }

  notify(event: TunnelEvent): readonly TunnelEffect[] {
    switch (event.kind) {
      case 'held':
        return [{ kind: 'reply', bytes: Buffer.from('held'), grant: undefined }];
      case 'opened':
      case 'deadline':
      case 'diverted':
      case 'divert-ended':
        return [];
      case 'closed': {
        this.#closed += 1;
        const complete = this.#complete();
        if (event.fault !== undefined || this.#closed === 2) return [...complete, { kind: 'close', fault: undefined }];
        return [{ kind: 'finish', side: event.side === 'client' ? 'upstream' : 'client' }];
      }
      case 'end':
        return [
          { kind: 'reply', bytes: Buffer.from(`last words: ${event.fault.publicMessage}`), grant: undefined },
          { kind: 'close', fault: undefined },
        ];
      default:
        return event satisfies never;
    }
  }

  #complete(): readonly TunnelEffect[] {
    if (!this.completes) return [];
    const { operationId } = this.#grant;
    return [{ kind: 'complete', completion: { operationId, outcome: 'succeeded', rows: 0, bytes: this.#bytes, masked: {} } }];
  }
}

type Answering = (request: IncomingMessage, socket: Duplex) => void;

/** The target's side of an upgrade. */
class Target {
  request: IncomingMessage | undefined;
  socket: Duplex | undefined;
  text = '';
  ended = false;

  constructor(world: World, answer: Answering = (request, socket) => socket.write(switched(request))) {
    world.server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
      world.seen.push(`${request.method} ${request.url}`);
      this.request = request;
      this.socket = socket;
      this.text += head.toString();
      socket.on('error', () => {});
      socket.on('data', (chunk: Buffer) => (this.text += chunk.toString()));
      socket.on('end', () => (this.ended = true));
      answer(request, socket);
    });
  }
}

/** A client that asks for an upgrade, byte by byte as it likes. */
class Client {
  readonly socket: Socket;
  readonly closed: Promise<void>;
  text = '';

  constructor(world: World, sends = ask) {
    this.socket = connect({ host: '127.0.0.1', port: world.listener.port, allowHalfOpen: true });
    this.socket.on('error', () => {});
    this.socket.on('data', (chunk: Buffer) => (this.text += chunk.toString()));
    this.socket.on('end', () => this.socket.end());
    this.closed = new Promise((resolve) => {
      this.socket.once('close', () => resolve());
    });
    this.socket.write(sends);
  }

  has(text: string): Promise<void> {
    return until(() => this.text.includes(text));
  }
}

/** Writes until nothing more is taken for a while; resolves with how much was. */
async function flood(socket: Duplex): Promise<number> {
  const chunk = Buffer.alloc(1024 * 1024, 0x61);
  let sent = 0;
  for (let idle = 0; idle < 20 && sent < 128 * 1024 * 1024;) {
    if (socket.writableNeedDrain) {
      await turns(1);
      idle += 1;
    } else {
      socket.write(chunk);
      sent += chunk.length;
      idle = 0;
    }
  }
  return sent;
}

function switched(request: IncomingMessage): string {
  const accept = acceptOf(request.headers['sec-websocket-key'] ?? '');
  return `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`;
}

function acceptOf(key: string): string {
  return createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
}

const clientKey = 'dGhlIHNhbXBsZSBub25jZQ==';
const ask = [
  'GET /http/crm/a HTTP/1.1',
  'Host: localhost',
  'Authorization: Bearer good',
  'Connection: Upgrade',
  'Upgrade: websocket',
  `Sec-WebSocket-Key: ${clientKey}`,
  'Sec-WebSocket-Version: 13',
  'Sec-WebSocket-Extensions: permessage-deflate',
  '\r\n',
].join('\r\n');
