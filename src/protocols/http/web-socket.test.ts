import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { OpenSession, Side } from '../../core/effect.ts';
import { GatewayFault } from '../../core/fault.ts';
import type { Grant } from '../../core/grant.ts';
import type { Completion } from '../../core/operation.ts';
import { everySplit } from '../../core/testing/every-split.ts';
import { nodeCrypto } from '../../net/crypto.ts';
import type { AskedRequest, ReceivedRequest } from '../request.ts';
import type { TunnelEffect, TunnelSession } from '../tunnel.ts';
import { closePayload } from '../websocket/close.ts';
import { encodeFrame, opcodes, type Opcode } from '../websocket/frame.ts';
import { MessageReader } from '../websocket/messages.ts';
import { askHttp } from './ask.ts';
import type { AskEnvironment } from './environment.ts';
import { canonicalTarget } from './path.ts';
import { testEnvironment } from './testing/masks.ts';

const session = { id: 's', nextOperationId: () => 's-1' } as unknown as OpenSession;
const grant: Grant = { sessionId: 's', operationId: 's-1', sequence: 1 };
const ssn = '078-05-1120';
const hiding = testEnvironment(nodeCrypto, ['feed#$.ssn']);
const openly: AskEnvironment = { ...hiding, revealed: new Set(['ssn', 'card-number']) };
const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);

describe('opening a WebSocket', () => {
  it('is an act of its own, and no pure read', () => {
    const operation = ask(hiding).operation(session);
    assert.deepEqual([operation.acts[0]?.action, operation.acts[0]?.object.id, operation.pureRead], ['http:websocket', 'crm/feed', false]);
    assert.equal(operation.facts['method'], 'GET');
  });

  it('is on record with its upgrade and without what may be a token', () => {
    const { text } = ask(hiding, 'chat, bearer.abcdefgh').operation(session);
    assert.equal(text, 'GET /feed\nupgrade: websocket\nsec-websocket-protocol: [redacted]');
  });

  it('binds its upgrade: a GET of the same place is something else', () => {
    const exact = (isUpgrade: boolean): string =>
      Buffer.from(askHttp(request('', isUpgrade), hiding).operation(session).exact()).toString('latin1');
    assert.notEqual(exact(true), exact(false));
  });

  it('is refused where nothing may be written', () => {
    assert.equal(ask(testEnvironment(nodeCrypto, [], { readOnly: true })).refusal?.code, 'read-only');
  });

  it('takes the sub-protocol that the target chose of those that were offered, and no other', () => {
    const open = (offered: string, chosen: string | undefined) => {
      const fields = chosen === undefined ? [] : [{ name: 'sec-websocket-protocol', value: chosen }];
      return ask(hiding, offered).tunnel!.open({ status: 101, fields }, grant, 'websocket');
    };
    const chat = open('other, Chat', 'Chat');
    assert.ok(!(chat instanceof GatewayFault));
    assert.deepEqual(chat.fields, [{ name: 'sec-websocket-protocol', value: 'Chat' }]);
    const none = open('chat', undefined);
    assert.ok(!(none instanceof GatewayFault) && none.fields.length === 0);
    for (const offered of ['', 'other']) {
      const fault = open(offered, 'chat');
      assert.ok(fault instanceof GatewayFault && fault.code === 'upstream-unavailable');
    }
  });
});

describe('messages', () => {
  it('of the client go on as they are, masked with a key of the gateway’s own, whatever the cuts', () => {
    const sent = Buffer.concat([
      fromClient(opcodes.text, 'my ssn is ', false),
      fromClient(opcodes.continuation, ssn),
      fromClient(opcodes.binary, '\x00\x01'),
    ]);
    everySplit(sent, (chunks) => {
      const world = new World(hiding);
      for (const chunk of chunks) world.receive('client', chunk);
      assert.deepEqual(world.target, [`text my ssn is ${ssn}`, 'binary \x00\x01']);
      assert.deepEqual(world.client, []);
    });
  });

  it('of the target are masked by place and by detector', () => {
    const sent = Buffer.concat([
      fromTarget(opcodes.text, `{"ssn":"secret","note":"x ${ssn}"}`),
      fromTarget(opcodes.text, '{"a":', false),
      fromTarget(opcodes.continuation, '"plain"}'),
    ]);
    everySplit(sent, (chunks) => {
      const world = new World(hiding);
      for (const chunk of chunks) world.receive('upstream', chunk);
      assert.equal(world.client.length, 2);
      assert.ok(!world.client.join().includes(ssn) && !world.client.join().includes('secret'), world.client.join());
      assert.match(world.client[0]!, /1120/);
      assert.equal(world.client[1], 'text {"a":"plain"}');
    });
    const world = new World(hiding);
    world.receive('upstream', sent);
    world.receive('client', fromClient(opcodes.close, closePayload({ code: 1000, reason: '' })));
    world.receive('upstream', fromTarget(opcodes.close, closePayload({ code: 1000, reason: '' })));
    assert.deepEqual(world.completed?.masked, { ssn: 2 });
  });

  it('of the target are shown as they are to whoever may see everything', () => {
    const world = new World(openly);
    world.receive('upstream', Buffer.concat([fromTarget(opcodes.text, `{"ssn":"${ssn}"}`), fromTarget(opcodes.binary, '\x00')]));
    assert.deepEqual(world.client, [`text {"ssn":"${ssn}"}`, 'binary \x00']);
  });

  const hidden: readonly (readonly [name: string, environment: AskEnvironment, frame: Uint8Array])[] = [
    ['a binary one', hiding, fromTarget(opcodes.binary, `\x01${ssn}`)],
    ['a text with NUL', hiding, fromTarget(opcodes.text, `\x00${ssn}`)],
    ['no JSON where only JSON is shown', testEnvironment(nodeCrypto, [], { masking: 'strict' }), fromTarget(opcodes.text, 'hello')],
  ];
  for (const [name, environment, frame] of hidden) {
    it(`of the target that cannot be looked into end the connection: ${name}`, () => {
      const world = new World(environment);
      world.receive('upstream', frame);
      assert.equal(world.client.length, 1);
      assert.match(world.client[0]!, /^close 1008 a message of the target cannot be shown/);
      assert.deepEqual(world.target, ['close 1001 ']);
      assert.deepEqual([world.completed?.outcome, world.completed?.errorCode, world.isClosed], ['failed', 'masking-refused', true]);
      world.receive('upstream', fromTarget(opcodes.text, 'more'));
      assert.equal(world.client.length, 1);
    });
  }

  it('in binary pass where the target’s configuration says so', () => {
    const world = new World(testEnvironment(nodeCrypto, [], { unmaskedMediaTypes: ['application/octet-stream'] }));
    world.receive('upstream', fromTarget(opcodes.binary, '\x01'));
    assert.deepEqual(world.client, ['binary \x01']);
  });

  it('that are no JSON, where places are hidden, are shown as nothing but their class', () => {
    const world = new World(hiding);
    world.receive('upstream', fromTarget(opcodes.text, 'ssn: secret'));
    assert.equal(world.client.length, 1);
    assert.ok(!world.client[0]!.includes('secret'));
  });

  it('are sampled for the recording, with everything masked, up to a number', () => {
    const world = new World(openly);
    world.receive('upstream', fromTarget(opcodes.text, `{"ssn":"${ssn}","password":"hunter2"}`));
    world.receive('client', fromClient(opcodes.text, '{"a":1}'));
    world.receive('client', fromClient(opcodes.binary, '\x00'));
    assert.equal(world.samples.length, 3);
    assert.ok(!world.samples.join().includes(ssn) && !world.samples.join().includes('hunter2'), world.samples.join());
    assert.deepEqual(world.samples.slice(1), ['client,text,{"a":1}', 'client,binary,']);
    for (let index = 0; index < 300; index += 1) world.receive('client', fromClient(opcodes.text, 'x'));
    assert.deepEqual([world.samples.length, world.notes], [200, ['messages-not-sampled']]);
  });
});

describe('control frames', () => {
  it('a ping is answered at once, and another goes on, with nothing in it', () => {
    const world = new World(hiding);
    world.receive('upstream', fromTarget(opcodes.ping, ssn));
    assert.deepEqual([world.target, world.client], [[`pong ${ssn}`], ['ping ']]);
    world.receive('client', fromClient(opcodes.ping, 'x'));
    assert.deepEqual(
      [world.target, world.client],
      [
        [`pong ${ssn}`, 'ping '],
        ['ping ', 'pong x'],
      ],
    );
  });

  it('a pong goes nowhere', () => {
    const world = new World(hiding);
    world.receive('upstream', fromTarget(opcodes.pong, ssn));
    world.receive('client', fromClient(opcodes.pong, ''));
    assert.deepEqual([world.target, world.client], [[], []]);
  });
});

describe('its end', () => {
  it('is a close from one side, answered, passed on and answered there', () => {
    for (const first of ['client', 'upstream'] as const) {
      const world = new World(hiding);
      const close = closePayload({ code: 1000, reason: `bye ${ssn}` });
      world.receive(first, first === 'client' ? fromClient(opcodes.close, close) : fromTarget(opcodes.close, close));
      const [answered, passed] = first === 'client' ? [world.client, world.target] : [world.target, world.client];
      assert.deepEqual(answered, ['close 1000 ']);
      assert.match(passed[0]!, /^close 1000 bye /);
      assert.equal(passed[0]!.includes(ssn), first === 'client');
      assert.equal(world.isClosed, false);
      const answer = closePayload({ code: 1000, reason: '' });
      world.receive(
        first === 'client' ? 'upstream' : 'client',
        first === 'client' ? fromTarget(opcodes.close, answer) : fromClient(opcodes.close, answer),
      );
      assert.deepEqual([world.isClosed, world.completed?.outcome, world.client.length, world.target.length], [true, 'succeeded', 1, 1]);
    }
  });

  it('is waited for no longer than five seconds', () => {
    const world = new World(hiding);
    world.receive('client', fromClient(opcodes.close, closePayload({ code: 4000, reason: '' })));
    assert.equal(world.deadlineMs, 5_000);
    world.notify({ kind: 'deadline' });
    assert.deepEqual([world.isClosed, world.completed?.outcome, world.completed?.errorCode], [true, 'failed', '4000']);
  });

  it('lets the other side finish what it says to nobody', () => {
    const world = new World(hiding);
    world.receive('client', fromClient(opcodes.close, new Uint8Array(0)));
    world.receive('upstream', fromTarget(opcodes.text, 'late'));
    assert.deepEqual(world.client, ['close undefined ']);
  });

  it('is told to both sides where one breaks the protocol', () => {
    const world = new World(hiding);
    world.receive('client', encodeFrame(opcodes.text, utf8('unmasked'), undefined));
    assert.deepEqual(world.client, ['close 1002 a frame of a client is not masked']);
    assert.deepEqual(world.target, ['close 1001 the other side broke the protocol']);
    assert.deepEqual([world.completed?.outcome, world.completed?.errorCode], ['failed', '1002']);
  });

  it('is told to the other side where one goes away', () => {
    const world = new World(hiding);
    world.notify({ kind: 'closed', side: 'upstream', fault: undefined });
    assert.deepEqual(
      [world.client, world.completed?.outcome, world.completed?.errorCode],
      [['close 1014 the target went away'], 'failed', '1006'],
    );
    const other = new World(hiding);
    other.notify({ kind: 'closed', side: 'client', fault: undefined });
    assert.deepEqual([other.target, other.completed?.outcome], [['close 1001 the client went away'], 'cancelled']);
  });

  it('is told to both where the gateway ends it', () => {
    for (const [code, close] of [
      ['session-ended', '1008'],
      ['shutting-down', '1001'],
    ] as const) {
      const world = new World(hiding);
      world.notify({ kind: 'end', fault: new GatewayFault(code, { publicMessage: 'it is over' }) });
      assert.deepEqual([world.client, world.target], [[`close ${close} it is over`], ['close 1001 ']]);
      assert.deepEqual([world.isClosed, world.completed?.outcome, world.completed?.reason], [true, 'cancelled', 'it is over']);
    }
  });

  it('of a message that is too long comes before it was kept', () => {
    const world = new World(hiding);
    world.receive('upstream', Uint8Array.from(Buffer.from('827f0000000000200001', 'hex')));
    assert.match(world.target[0]!, /^close 1009 a message is longer than 2097152 bytes/);
    assert.match(world.client[0]!, /^close 1014 /);
  });
});

function request(offered: string, isUpgrade = true): ReceivedRequest {
  const target = canonicalTarget('/feed');
  assert.ok(!(target instanceof GatewayFault));
  const fields = offered === '' ? [] : [{ name: 'sec-websocket-protocol', value: offered }];
  return {
    method: 'GET',
    target,
    host: 'gw.example',
    base: 'https://gw.example/http/crm',
    upgrade: isUpgrade ? 'websocket' : undefined,
    fields,
    forwardable: fields,
    body: { kind: 'none' },
  };
}

function ask(environment: AskEnvironment, offered = ''): AskedRequest {
  return askHttp(request(offered), environment);
}

function fromClient(opcode: Opcode, payload: string | Uint8Array, isFinal = true): Uint8Array {
  return encodeFrame(opcode, typeof payload === 'string' ? utf8(payload) : payload, Uint8Array.of(1, 2, 3, 4), isFinal);
}

function fromTarget(opcode: Opcode, payload: string | Uint8Array, isFinal = true): Uint8Array {
  return encodeFrame(opcode, typeof payload === 'string' ? utf8(payload) : payload, undefined, isFinal);
}

/** A tunnel without sockets: what each side was sent, as it reads it. */
class World {
  readonly client: string[] = [];
  readonly target: string[] = [];
  readonly samples: string[] = [];
  readonly notes: string[] = [];
  completed: Completion | undefined;
  deadlineMs: number | undefined;
  isClosed = false;
  readonly #tunnel: TunnelSession;
  readonly #toClient = new MessageReader({ fromClient: false, maxMessageBytes: 10_000_000 });
  readonly #toTarget = new MessageReader({ fromClient: true, maxMessageBytes: 10_000_000 });

  constructor(environment: AskEnvironment) {
    const opened = ask(environment).tunnel!.open({ status: 101, fields: [] }, grant, 'websocket');
    assert.ok(!(opened instanceof GatewayFault));
    this.#tunnel = opened.session;
  }

  receive(side: Side, bytes: Uint8Array): void {
    this.#apply(this.#tunnel.receive(side, bytes));
  }

  notify(event: Parameters<TunnelSession['notify']>[0]): void {
    this.#apply(this.#tunnel.notify(event));
  }

  #apply(effects: readonly TunnelEffect[]): void {
    for (const effect of effects) {
      if (effect.kind === 'reply') this.client.push(...told(this.#toClient, effect.bytes));
      else if (effect.kind === 'forward') this.target.push(...told(this.#toTarget, effect.bytes));
      else if (effect.kind === 'sample') this.samples.push(...effect.sample.rows.map((row) => row.join()));
      else if (effect.kind === 'note') this.notes.push(effect.event);
      else if (effect.kind === 'complete') this.completed = effect.completion;
      else if (effect.kind === 'deadline') this.deadlineMs = effect.afterMs;
      else if (effect.kind === 'close') this.isClosed = true;
      else assert.fail(effect.kind);
    }
  }
}

function told(reader: MessageReader, bytes: Uint8Array): readonly string[] {
  return reader.push(bytes).map((message) => {
    if (message.kind === 'close') return `close ${message.code} ${message.reason}`;
    if (message.kind === 'violation') assert.fail(message.reason);
    return `${message.kind} ${Buffer.from(message.bytes).toString()}`;
  });
}
