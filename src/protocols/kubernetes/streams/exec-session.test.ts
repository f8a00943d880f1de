import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { GatewayFault } from '../../../core/fault.ts';
import type { Side } from '../../../core/effect.ts';
import { nodeCrypto } from '../../../net/crypto.ts';
import { nodeInflate } from '../../../net/inflate.ts';
import { encodeFrame, opcodes } from '../../websocket/frame.ts';
import type { ExecOptions } from '../exec-options.ts';
import type { Channel, ChannelEvent, StreamEnd } from './channels.ts';
import { ExecSession } from './exec-session.ts';
import { SpdyEnd } from './spdy-end.ts';
import { Sides, testContext, testGrant } from './testing.ts';
import { WebSocketEnd } from './websocket-end.ts';

type Form = 'v5' | 'v4' | 'base64' | 'old' | 'spdy';
const versions: Record<Exclude<Form, 'spdy'>, string> = {
  v5: 'v5.channel.k8s.io',
  v4: 'v4.channel.k8s.io',
  base64: 'v4.base64.channel.k8s.io',
  old: 'channel.k8s.io',
};
const key = () => Uint8Array.of(9, 8, 7, 6);
/** An end in a form; `role` is its own. */
const end = (form: Form, role: 'client' | 'server'): StreamEnd =>
  form === 'spdy' ? new SpdyEnd(role, nodeInflate) : new WebSocketEnd(versions[form], role === 'client' ? key : undefined);
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const status = (code: number): string =>
  code === 0
    ? '{"metadata":{},"status":"Success"}'
    : `{"metadata":{},"status":"Failure","message":"x","reason":"NonZeroExitCode","details":{"causes":[{"reason":"ExitCode","message":"${code}"}]}}`;

/** A client, the gateway's session, and a target, each with an end of its own. */
class Run {
  readonly sides: Sides;
  readonly client: StreamEnd;
  readonly target: StreamEnd;
  readonly seen: Record<'client' | 'target', string[]> = { client: [], target: [] };
  #cuts: (bytes: Uint8Array) => readonly Uint8Array[] = (whole) => [whole];

  constructor(clientForm: Form, targetForm: Form, more: Partial<ExecOptions> & { isCopy?: boolean } = {}) {
    const options = { container: '', argv: ['sh'], stdin: true, stdout: true, stderr: true, tty: false, ports: [], ...more };
    this.client = end(clientForm, 'client');
    this.target = end(targetForm, 'server');
    this.sides = new Sides(
      new ExecSession({
        options,
        isCopy: more.isCopy ?? false,
        client: end(clientForm, 'server'),
        upstream: end(targetForm, 'client'),
        opensAll: clientForm !== 'spdy',
        tellsStatus: { client: clientForm !== 'old', upstream: targetForm !== 'old' },
        grant: testGrant,
        operationId: 's-1',
        context: testContext(nodeCrypto, nodeInflate),
      }),
    );
    if (clientForm === 'spdy') for (const channel of ['error', 'stdin', 'stdout', 'stderr'] as const) this.client.open(channel);
    this.go();
  }

  cut(cuts: (bytes: Uint8Array) => readonly Uint8Array[]): this {
    this.#cuts = cuts;
    return this;
  }

  /** Until nobody has anything to say. */
  go(): this {
    for (let moved = true; moved;) {
      moved = false;
      for (const [side, own] of [
        ['client', this.client],
        ['upstream', this.target],
      ] as const) {
        for (const piece of own.take().flatMap((one) => this.#cuts(one))) {
          moved = true;
          this.sides.apply(this.sides.session.receive(side, piece));
        }
      }
      for (const piece of this.sides.toClient()) this.#see('client', this.client.receive(piece));
      for (const piece of this.sides.toTarget()) {
        moved = true;
        this.#see('target', this.target.receive(piece));
      }
    }
    return this;
  }

  #see(who: 'client' | 'target', events: readonly ChannelEvent[]): void {
    for (const event of events) {
      if (event.kind === 'open') this.target.accept(event.channel);
      else if (event.kind === 'data') this.#add(who, `${event.channel}:${Buffer.from(event.bytes).toString()}`);
      else if (event.kind !== 'accepted') this.#add(who, event.kind === 'close' ? `${event.channel} closed` : 'end');
    }
  }

  /** Runs of data of one channel are one: how they are cut is nobody's business. */
  #add(who: 'client' | 'target', text: string): void {
    const seen = this.seen[who];
    const [channel, ...rest] = text.split(':');
    if (rest.length > 0 && seen.at(-1)?.startsWith(`${channel}:`) === true) seen[seen.length - 1] += rest.join(':');
    else seen.push(text);
  }

  said(who: 'client' | 'target', channel: Channel): string {
    return this.seen[who]
      .filter((text) => text.startsWith(`${channel}:`))
      .map((text) => text.slice(channel.length + 1))
      .join('');
  }

  completion() {
    const found = this.sides.effects.filter((effect) => effect.kind === 'complete');
    assert.ok(found.length <= 1);
    return found[0]?.completion;
  }
}

const pairs: readonly (readonly [Form, Form])[] = [
  ['v5', 'v5'],
  ['v4', 'v4'],
  ['base64', 'base64'],
  ['spdy', 'spdy'],
  ['v5', 'spdy'],
  ['v4', 'spdy'],
  ['spdy', 'v5'],
];

describe('an exec', () => {
  for (const [clientForm, targetForm] of pairs) {
    it(`goes through, from a client of ${clientForm} to a target of ${targetForm}`, () => {
      const run = new Run(clientForm, targetForm);
      run.client.send('stdin', bytes('echo 4111111111111111\n'));
      run.client.close('stdin');
      run.go();
      assert.equal(run.said('target', 'stdin'), 'echo 4111111111111111\n');
      assert.equal(run.seen.target.includes('stdin closed'), clientForm !== 'v4' && clientForm !== 'base64');
      run.target.send('stdout', bytes('card 4111 1111 '));
      run.target.send('stderr', bytes('oops\n'));
      run.target.send('stdout', bytes('1111 1111 ok\n'));
      run.target.send('error', bytes(status(7)));
      run.target.finish();
      run.go();
      assert.equal(run.said('client', 'stdout'), 'card **** **** **** 1111 ok\n');
      assert.equal(run.said('client', 'stderr'), 'oops\n');
      assert.equal(run.said('client', 'error'), status(7));
      assert.deepEqual(run.completion(), {
        operationId: 's-1',
        outcome: 'failed',
        errorCode: 'exit 7',
        reason: undefined,
        rows: 0,
        bytes: 33,
        masked: { card: 1 },
      });
      assert.equal(run.sides.kinds().at(-1), 'close');
      assert.deepEqual(
        ['input', 'output', 'error'].map((stream) => run.sides.recorded(stream)),
        ['echo ************1111\n', 'card **** **** **** 1111 ok\n', 'oops\n'],
      );
    });
  }

  it('is the same however its bytes are cut', () => {
    for (const [clientForm, targetForm] of pairs) {
      const through = (cuts: (whole: Uint8Array) => readonly Uint8Array[]): unknown => {
        const run = new Run(clientForm, targetForm).cut(cuts);
        run.client.send('stdin', bytes('in'));
        run.go();
        run.target.send('stdout', bytes('4111111111111111 out\n'));
        run.target.send('error', bytes(status(0)));
        run.target.finish();
        run.go();
        return [run.said('client', 'stdout'), run.said('client', 'error'), run.said('target', 'stdin'), run.completion()];
      };
      const whole = through((one) => [one]);
      assert.deepEqual(
        through((one) => Array.from(one, (_, at) => one.slice(at, at + 1))),
        whole,
      );
      for (let at = 1; at < 40; at += 1)
        assert.deepEqual(
          through((one) => [one.slice(0, at), one.slice(at)]),
          whole,
        );
    }
  });

  it('of a terminal is recorded with its size, and what is typed unseen is not what it was', () => {
    const run = new Run('v5', 'v5', { tty: true, stderr: false });
    run.client.send('resize', bytes('{"Width":120,"Height":40}'));
    run.go();
    assert.equal(run.said('target', 'resize'), '{"Width":120,"Height":40}');
    const type = (text: string, echo: string): void => {
      run.client.send('stdin', bytes(text));
      run.go();
      run.target.send('stdout', bytes(echo));
      run.go();
    };
    type('ls', 'ls');
    type('\r', '\r\nPassword: ');
    type('hunter2', '');
    type('\r', '\r\n$ ');
    run.target.send('error', bytes(status(0)));
    run.target.finish();
    run.go();
    assert.equal(run.said('client', 'stdout'), 'ls\r\nPassword: \r\n$ ');
    assert.equal(run.sides.recorded('input'), 'ls\r*******\r');
    assert.equal(run.sides.recorded('resize'), '120x40');
    assert.equal(run.completion()?.outcome, 'succeeded');
  });

  it('holds back for a moment what may be the beginning of something sensitive', () => {
    for (const tty of [true, false]) {
      const run = new Run('v5', 'v5', { tty });
      run.target.send('stdout', bytes('$ 4111'));
      run.go();
      assert.equal(run.said('client', 'stdout'), '$ ');
      const timers = (): unknown => run.sides.effects.flatMap((effect) => (effect.kind === 'deadline' ? [effect.afterMs] : []));
      assert.deepEqual(timers(), [tty ? 40 : 1000]);
      run.target.send('stdout', bytes('11'));
      run.go();
      assert.deepEqual(timers(), [tty ? 40 : 1000], 'it runs from when it was held back');
      run.sides.apply(run.sides.session.notify({ kind: 'deadline' }));
      run.go();
      assert.equal(run.said('client', 'stdout'), '$ 411111');
    }
  });

  it('that the gateway ends tells the client why, on the error stream', () => {
    for (const [clientForm, targetForm] of pairs) {
      const run = new Run(clientForm, targetForm);
      run.target.send('stdout', bytes('held 4111'));
      run.go();
      const fault = new GatewayFault('session-ended', { publicMessage: 'session ended: killed by an operator' });
      run.sides.apply(run.sides.session.notify({ kind: 'end', fault }));
      run.go();
      const told = JSON.parse(run.said('client', 'error')) as { status: string; message: string };
      assert.equal(told.status, 'Failure');
      assert.match(told.message, /killed by an operator/);
      assert.deepEqual([run.completion()?.outcome, run.completion()?.errorCode], ['failed', 'session-ended']);
      assert.equal(run.seen.target.at(-1), 'end');
      assert.deepEqual(run.sides.session.receive('client', bytes('late')), []);
    }
  });

  it('of which the target tells no end has not succeeded', () => {
    const run = new Run('v5', 'spdy');
    run.sides.apply(run.sides.session.notify({ kind: 'closed', side: 'upstream', fault: undefined }));
    run.go();
    assert.match(run.said('client', 'error'), /before it told how the command ended/);
    assert.equal(run.completion()?.outcome, 'failed');
  });

  it('whose target closes its input tells a WebSocket nothing of it: only clients do', () => {
    const run = new Run('v5', 'spdy');
    run.target.close('stdin');
    for (const piece of run.target.take()) run.sides.apply(run.sides.session.receive('upstream', piece));
    assert.deepEqual(run.sides.toClient(), []);
    run.client.close('stdin');
    assert.equal(run.go().seen.target.at(-1), 'stdin closed');
  });

  it('whose client goes away is cancelled', () => {
    for (const form of ['v5', 'spdy'] as const) {
      const run = new Run(form, form);
      run.client.finish();
      run.go();
      assert.equal(run.completion()?.outcome, 'cancelled');
      assert.equal(run.seen.target.at(-1), 'end');
    }
  });

  it('that copies files is stopped where masks would change them', () => {
    const run = new Run('v5', 'v5', { isCopy: true, argv: ['tar', 'cf', '-', '/x'] });
    run.target.send('stdout', bytes('x'.repeat(100_000)));
    run.go();
    assert.equal(run.said('client', 'stdout').length, 100_000);
    run.target.send('stdout', bytes(' 4111111111111111\n'));
    run.go();
    assert.match(run.said('client', 'error'), /data class card/);
    assert.ok(!run.said('client', 'stdout').includes('1111'));
    assert.ok(run.sides.recorded('output').length < 70_000);
  });

  it('before version 4 ends in words, or in none', () => {
    for (const [told, outcome] of [
      ['', 'succeeded'],
      ['command failed', 'failed'],
    ] as const) {
      const run = new Run('old', 'old');
      if (told !== '') run.target.send('error', bytes(told));
      run.target.finish();
      run.go();
      assert.equal(run.said('client', 'error'), told);
      assert.equal(run.completion()?.outcome, outcome);
    }
  });

  it('a Status is masked like any text, in however many pieces it comes', () => {
    const run = new Run('spdy', 'spdy');
    const text = '{"metadata":{},"status":"Failure","message":"no 4111111111111111","reason":"InternalError"}';
    for (const character of text) {
      run.target.send('error', bytes(character));
      run.go();
    }
    run.target.finish();
    run.go();
    assert.equal(run.said('client', 'error'), text.replace('411111111111', '************'));
    assert.equal(run.completion()?.errorCode, 'InternalError');
  });

  it('ends at whatever breaks its protocol, and reaches no target', () => {
    const frames = fc.oneof(
      fc.uint8Array({ maxLength: 30 }),
      fc.tuple(fc.integer({ min: 0, max: 255 }), fc.uint8Array({ maxLength: 20 })).map(([first, rest]) => {
        const message = Uint8Array.of(first, ...rest);
        return encodeFrame(opcodes.binary, message, key());
      }),
    );
    fc.assert(
      fc.property(
        fc.constantFrom<Form>('v5', 'base64', 'spdy'),
        fc.constantFrom<Side>('client', 'upstream'),
        fc.array(frames),
        (form, side, all) => {
          const run = new Run(form, form);
          for (const one of all) run.sides.apply(run.sides.session.receive(side, one));
          assert.ok(run.sides.effects.filter(({ kind }) => kind === 'complete').length <= 1);
        },
      ),
      { numRuns: 1_000 },
    );
    const run = new Run('v5', 'v5');
    run.sides.apply(run.sides.session.receive('client', encodeFrame(opcodes.binary, Uint8Array.of(1, 65), key())));
    run.go();
    assert.match(run.said('client', 'error'), /channel 1/);
    assert.deepEqual(run.seen.target, ['end']);
  });
});
