import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import type { OpenSession } from '../../../core/effect.ts';
import { GatewayFault } from '../../../core/fault.ts';
import type { Operation } from '../../../core/operation.ts';
import { everySplit } from '../../../core/testing/every-split.ts';
import { nodeCrypto } from '../../../net/crypto.ts';
import { nodeInflate } from '../../../net/inflate.ts';
import { SpdySession, type SpdyEvent } from '../../spdy/index.ts';
import { encodeFrame, opcodes } from '../../websocket/frame.ts';
import { MessageReader } from '../../websocket/messages.ts';
import { PlainBytes } from './byte-form.ts';
import { ChannelForwardClient } from './channel-forward-client.ts';
import { ForwardSession } from './forward-session.ts';
import { Sides, testContext, testGrant } from './testing.ts';

type Version = 'v4.channel.k8s.io' | 'v4.base64.channel.k8s.io';
const versions: readonly Version[] = ['v4.channel.k8s.io', 'v4.base64.channel.k8s.io'];
const key = Uint8Array.of(9, 8, 7, 6);
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

/** A frame of a client for a channel. */
function frame(version: Version, channel: number, text: string): Uint8Array {
  const isText = version.includes('base64');
  const message = isText ? String.fromCharCode(0x30 + channel) + Buffer.from(text).toString('base64') : String.fromCharCode(channel) + text;
  return encodeFrame(isText ? opcodes.text : opcodes.binary, Buffer.from(message, 'latin1'), key);
}

const closing = encodeFrame(opcodes.close, Uint8Array.of(3, 232), key);

/** A client over channels, the gateway's session, and a target that speaks SPDY. */
class Run {
  readonly version: Version;
  readonly target = new SpdySession('server', nodeInflate);
  readonly sides: Sides;
  /** What the client has heard: `channel:text`, or how it ended. */
  readonly heard: string[] = [];
  /** What the target has. */
  readonly seen: string[] = [];
  readonly #reader = new MessageReader({ fromClient: false, maxMessageBytes: 1024 * 1024 });
  #next = 1;

  constructor(ports: readonly number[], version: Version = 'v4.channel.k8s.io') {
    this.version = version;
    const session = { id: 's', nextOperationId: () => `s-${(this.#next += 1)}` } as unknown as OpenSession;
    this.sides = new Sides(
      new ForwardSession({
        place: { namespace: 'prod', pod: 'web-1', object: { type: 'Resource', id: 'aks/prod/pods/web-1' } },
        forwards: new Map([[5432, 'orders']]),
        client: new ChannelForwardClient(version, ports),
        upstream: new PlainBytes(),
        session,
        grant: testGrant,
        operationId: 's-1',
        context: testContext(nodeCrypto, nodeInflate),
      }),
    );
    this.go();
  }

  send(channel: number, text: string): this {
    return this.put(frame(this.version, channel, text));
  }

  put(piece: Uint8Array): this {
    this.sides.apply(this.sides.session.receive('client', piece));
    return this.go();
  }

  go(): this {
    for (let moved = true; moved;) {
      const pieces = [...this.target.take()];
      moved = pieces.length > 0;
      for (const piece of pieces) this.sides.apply(this.sides.session.receive('upstream', piece));
      for (const piece of this.sides.toClient()) this.#hear(piece);
      for (const piece of this.sides.toTarget()) {
        moved = true;
        for (const event of this.target.receive(piece)) this.#see(event);
      }
    }
    return this;
  }

  #hear(piece: Uint8Array): void {
    for (const message of this.#reader.push(piece)) {
      if (message.kind === 'close') this.heard.push(`close ${message.code}`);
      else if (message.kind === 'binary' && this.version === 'v4.channel.k8s.io')
        this.heard.push(`${message.bytes[0]}:${Buffer.from(message.bytes.subarray(1)).toString('latin1')}`);
      else if (message.kind === 'text' && this.version !== 'v4.channel.k8s.io')
        this.heard.push(
          `${message.bytes[0]! - 0x30}:${Buffer.from(Buffer.from(message.bytes).toString('latin1', 1), 'base64').toString('latin1')}`,
        );
      else this.heard.push(message.kind);
    }
  }

  #see(event: SpdyEvent): void {
    if (event.kind === 'data') this.seen.push(`${event.stream}:${Buffer.from(event.bytes).toString()}`);
    else if (event.kind === 'opened') {
      this.seen.push(`${event.stream} ${['streamtype', 'port', 'requestid'].map((name) => event.headers.get(name)?.[0]).join(' ')}`);
      this.target.reply(event.stream);
    } else this.seen.push(event.kind === 'going-away' ? event.kind : `${event.stream} ${event.kind}`);
  }

  operations(): readonly Operation[] {
    return this.sides.effects.flatMap((effect) => (effect.kind === 'ask' ? [effect.operation] : []));
  }

  decide(id: string, refusal?: string): this {
    const fault = new GatewayFault('policy-denied', { publicMessage: refusal ?? '' });
    const grant = { ...testGrant, operationId: id };
    this.sides.apply(this.sides.session.decide(id, refusal === undefined ? { kind: 'granted', grant } : { kind: 'refused', fault }));
    return this.go();
  }

  completions(): readonly string[] {
    return this.sides.effects.flatMap((effect) =>
      effect.kind === 'complete' ? [`${effect.completion.operationId} ${effect.completion.outcome} ${effect.completion.bytes}`] : [],
    );
  }
}

/** Of 80, 5432 and 8080. */
const portFrames = ['0:P\0', '1:P\0', '2:8\x15', '3:8\x15', '4:\x90\x1f', '5:\x90\x1f'];

describe('port forwarding over channels', () => {
  for (const version of versions) {
    it(`says each port first, asks for each, and carries what is allowed (${version})`, () => {
      const run = new Run([80, 5432, 8080], version);
      assert.deepEqual(run.heard, portFrames);
      assert.deepEqual(
        run.operations().map(({ acts, facts }) => [acts[0]?.object.id, facts['destination_port'], facts['opaque']]),
        [
          ['aks/prod/pods/web-1:80', 80, true],
          ['aks/prod/pods/web-1:5432', 5432, false],
          ['aks/prod/pods/web-1:8080', 8080, true],
        ],
      );
      run.send(0, 'early');
      assert.deepEqual(run.seen, [], 'nothing is opened at the target before the decision');
      run.decide('s-4', 'not this port').decide('s-2');
      assert.deepEqual(run.heard.slice(6), ['5:forwarding port 8080 is refused: not this port']);
      assert.deepEqual(run.seen, ['1 error 80 0', '3 data 80 0', '1 finished', '3:early']);
      run.send(4, 'to what was refused').send(0, ' late');
      assert.deepEqual(run.seen.slice(4), ['3: late']);
      run.target.send(3, bytes('answer'), false);
      assert.equal(run.go().heard.at(-1), '0:answer');
    });
  }

  it('has a name for each of 80 channels, in either form', () => {
    for (const version of versions) {
      const run = new Run(
        Array.from({ length: 40 }, (_, index) => index + 1),
        version,
      );
      assert.deepEqual(run.decide('s-41').heard.slice(-1), ['79:(\0']);
      assert.equal(run.send(78, 'last').seen.at(-1), '3:last');
    }
  });

  it('gives the port of another target to its session, and nothing to the pod', () => {
    const run = new Run([5432]).send(0, 'startup').decide('s-2').send(0, ' more');
    assert.deepEqual(
      run.sides.effects.filter(({ kind }) => kind.startsWith('divert')),
      [
        { kind: 'divert', id: 's-2', target: 'orders' },
        { kind: 'divert-bytes', id: 's-2', bytes: bytes('startup') },
        { kind: 'divert-bytes', id: 's-2', bytes: bytes(' more') },
      ],
    );
    run.sides.apply(run.sides.session.notify({ kind: 'diverted', id: 's-2', bytes: bytes('R') }));
    const fault = new GatewayFault('upstream-unavailable', { publicMessage: 'gone' });
    run.sides.apply(run.sides.session.notify({ kind: 'divert-ended', id: 's-2', fault }));
    assert.deepEqual(run.go().heard.slice(2), ['0:R', '1:gone', 'close 1000']);
    assert.deepEqual(run.completions(), ['s-2 failed 1', 's-1 succeeded 1']);
    assert.deepEqual(run.seen, ['going-away']);
  });

  it('does not tell the end of one connection, which no message can, and ends with the last one', () => {
    const run = new Run([80, 81]).decide('s-2').decide('s-3');
    run.target.send(1, bytes('connection refused to 4111111111111111'), true);
    run.target.send(3, new Uint8Array(0), true);
    assert.deepEqual(run.go().heard.slice(4), ['1:connection refused to ************1111']);
    run.send(0, 'to nobody').send(2, 'still there');
    assert.ok(!run.seen.some((text) => text.includes('to nobody')) && run.seen.includes('7:still there'));
    run.target.send(7, bytes('bye'), true);
    assert.deepEqual(run.go().heard.slice(5), ['2:bye', 'close 1000']);
    assert.deepEqual(run.completions(), ['s-2 failed 0', 's-3 succeeded 3', 's-1 succeeded 3']);
    assert.equal(run.sides.kinds().at(-1), 'close');
  });

  it('ends with the last refusal too', () => {
    const run = new Run([80, 81]).decide('s-2', 'no').decide('s-3', 'no');
    assert.deepEqual(run.heard.slice(4), ['1:forwarding port 80 is refused: no', '3:forwarding port 81 is refused: no', 'close 1000']);
    assert.deepEqual(run.completions(), ['s-1 succeeded 0']);
  });

  it('takes a close of the client for the end of what it sends, which no reset overtakes; what is undecided is never opened', () => {
    const run = new Run([80, 81, 5432]).decide('s-2').decide('s-4').send(0, 'last words').send(2, 'held').put(closing);
    run.decide('s-3');
    assert.deepEqual(run.seen, ['1 error 80 0', '3 data 80 0', '1 finished', '3:last words', '3 finished', 'going-away']);
    assert.deepEqual(run.completions(), ['s-2 succeeded 0', 's-4 succeeded 0', 's-1 succeeded 0']);
    assert.deepEqual(run.sides.kinds().slice(-5), ['complete', 'divert-end', 'complete', 'complete', 'close']);
  });

  it('whose client is gone without a word is cancelled', () => {
    const run = new Run([80]).decide('s-2');
    run.sides.apply(run.sides.session.notify({ kind: 'closed', side: 'client', fault: undefined }));
    assert.deepEqual(run.go().seen.slice(-2), ['1 reset', 'going-away']);
    assert.deepEqual(run.completions(), ['s-2 cancelled 0', 's-1 succeeded 0']);
  });

  it('tells why it is ended on every channel of errors', () => {
    const run = new Run([80, 81]).decide('s-2');
    run.sides.apply(
      run.sides.session.notify({ kind: 'end', fault: new GatewayFault('session-ended', { publicMessage: 'session ended: killed' }) }),
    );
    assert.deepEqual(run.go().heard.slice(4), ['1:session ended: killed', '3:session ended: killed', 'close 1000']);
    assert.deepEqual(run.completions(), ['s-2 failed 0', 's-1 failed 0']);
  });

  it('keeps little of what comes before a decision, and lets others go on', () => {
    const run = new Run([80, 81]).decide('s-3');
    run.sides.apply(run.sides.session.notify({ kind: 'held', operationId: 's-2', message: 'wait' }));
    run.send(0, 'x'.repeat(200_000)).send(2, 'one').send(0, 'x'.repeat(100_000)).send(2, 'two');
    assert.match(run.heard[4]!, /^1:.*more than 262144 bytes came before this connection was decided on$/);
    assert.deepEqual(
      run.seen.filter((text) => /:/.test(text)),
      ['3:one', '3:two'],
    );
    assert.ok(!run.decide('s-2').seen.some((text) => text.includes(' 80 ')));
  });

  it('is the same however it is cut, and in fragments', () => {
    const fragments = [
      encodeFrame(opcodes.binary, Uint8Array.of(0, 97), key, false),
      encodeFrame(opcodes.ping, bytes('!'), key),
      encodeFrame(opcodes.continuation, bytes('b'), key, false),
      encodeFrame(opcodes.continuation, bytes('c'), key),
    ];
    const all = Buffer.concat([frame('v4.channel.k8s.io', 2, 'two'), ...fragments, frame('v4.channel.k8s.io', 0, ''), closing]);
    everySplit(all, (pieces) => {
      const run = new Run([80, 81]).decide('s-2').decide('s-3');
      for (const piece of pieces) run.put(piece.slice());
      assert.deepEqual(run.seen.slice(6), ['7:two', '3:abc', '3 finished', '7 finished', 'going-away']);
      assert.deepEqual(run.heard.slice(4), ['pong', 'close 1000']);
    });
  });

  it('ends at what has no meaning, and nothing of it reaches anybody', () => {
    const binary = (...octets: number[]): Uint8Array => encodeFrame(opcodes.binary, Uint8Array.of(...octets), key);
    const text = (words: string): Uint8Array => encodeFrame(opcodes.text, bytes(words), key);
    const hostile: readonly (readonly [Version, Uint8Array])[] = [
      ['v4.channel.k8s.io', binary(1, 65)],
      ['v4.channel.k8s.io', binary(4, 65)],
      ['v4.channel.k8s.io', binary(255, 0)],
      ['v4.channel.k8s.io', text('\0A')],
      ['v4.channel.k8s.io', encodeFrame(opcodes.binary, Uint8Array.of(0, 65), undefined)],
      ['v4.channel.k8s.io', encodeFrame(opcodes.binary, new Uint8Array(4 * 1024 * 1024 + 1), key).subarray(0, 20)],
      ['v4.channel.k8s.io', encodeFrame(opcodes.continuation, Uint8Array.of(0, 65), key)],
      ['v4.base64.channel.k8s.io', text('1QQ==')],
      ['v4.base64.channel.k8s.io', text('4QQ==')],
      ['v4.base64.channel.k8s.io', text('/QQ==')],
      ['v4.base64.channel.k8s.io', text('0QQ')],
      ['v4.base64.channel.k8s.io', text('0Q*==')],
      ['v4.base64.channel.k8s.io', binary(0x30, 0x51, 0x51, 0x3d, 0x3d)],
      ['v4.base64.channel.k8s.io', encodeFrame(opcodes.text, Uint8Array.of(0x30, 0xff), key)],
    ];
    for (const [version, frames] of hostile) {
      const run = new Run([80, 81], version).decide('s-2').put(frames).send(0, 'behind it');
      assert.ok(!run.seen.some((seen) => seen.startsWith('3:')), Buffer.from(frames.subarray(0, 20)).toString('hex'));
      assert.equal(run.sides.kinds().at(-1), 'close', Buffer.from(frames.subarray(0, 20)).toString('hex'));
      assert.match(run.heard.at(-1)!, /^close/);
    }
  });

  it('never goes on under anything else than its own decisions, whatever comes', () => {
    const message = fc.tuple(fc.constantFrom<number>(0, 1, 2, 3, 4, 255), fc.string({ maxLength: 5 }));
    const step = fc.oneof(
      message.map(
        ([channel, words]) =>
          (run: Run) =>
            void run.send(channel, words),
      ),
      fc.uint8Array({ maxLength: 12 }).map((raw) => (run: Run) => void run.put(raw)),
      fc.constantFrom('s-2', 's-3').map((id) => (run: Run) => void run.decide(id, 'no')),
      fc.constant((run: Run) => void run.decide('s-3')),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 12 }), fc.constantFrom(...versions), (steps, version) => {
        const run = new Run([80, 81], version);
        for (const one of steps) one(run);
        assert.ok(!run.seen.some((text) => text.includes(' 80 ')), 'port 80 is never allowed');
        const ended = new Set(run.completions().map((text) => text.split(' ')[0]));
        assert.equal(run.completions().length, ended.size, 'each ends once');
      }),
      { numRuns: 500 },
    );
  });
});
