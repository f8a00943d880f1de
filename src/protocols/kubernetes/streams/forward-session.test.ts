import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { OpenSession, Side } from '../../../core/effect.ts';
import { GatewayFault } from '../../../core/fault.ts';
import type { Grant } from '../../../core/grant.ts';
import type { Operation } from '../../../core/operation.ts';
import { nodeCrypto } from '../../../net/crypto.ts';
import { nodeInflate } from '../../../net/inflate.ts';
import { SpdySession, type SpdyEvent, type SpdyHeaders } from '../../spdy/index.ts';
import { PlainBytes, TunnelledBytes, type ByteForm } from './byte-form.ts';
import { ForwardSession } from './forward-session.ts';
import { SpdyForwardClient } from './spdy-forward-client.ts';
import { Sides, testContext, testGrant } from './testing.ts';

type Form = 'plain' | 'tunnelled';
const key = () => Uint8Array.of(9, 8, 7, 6);
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const byteForm = (form: Form, isClient: boolean): ByteForm =>
  form === 'plain' ? new PlainBytes() : new TunnelledBytes(isClient ? key : undefined);

/** One peer of the gateway. */
class Peer {
  readonly spdy: SpdySession;
  readonly form: ByteForm;
  readonly events: string[] = [];
  readonly headers = new Map<number, SpdyHeaders>();

  constructor(role: 'client' | 'server', form: Form) {
    this.spdy = new SpdySession(role, nodeInflate);
    this.form = byteForm(form, role === 'client');
  }

  take(): readonly Uint8Array[] {
    this.form.send(this.spdy.take());
    return this.form.take();
  }

  receive(piece: Uint8Array): void {
    const pieces = this.form.receive(piece);
    if (pieces === undefined) this.events.push('end');
    for (const event of (pieces ?? []).flatMap((one) => this.spdy.receive(one))) this.#note(event);
  }

  #note(event: SpdyEvent): void {
    if (event.kind === 'going-away') this.events.push('going away');
    else if (event.kind === 'data') this.events.push(`${event.stream}:${Buffer.from(event.bytes).toString()}`);
    else this.events.push(`${event.stream} ${event.kind}`);
    if (event.kind !== 'opened') return;
    this.headers.set(event.stream, event.headers);
    this.spdy.reply(event.stream);
  }
}

class Run {
  readonly client: Peer;
  readonly target: Peer;
  readonly sides: Sides;
  readonly asked: Operation[] = [];
  #next = 1;

  constructor(clientForm: Form = 'plain', targetForm: Form = clientForm) {
    this.client = new Peer('client', clientForm);
    this.target = new Peer('server', targetForm);
    const session = { id: 's', nextOperationId: () => `s-${(this.#next += 1)}` } as unknown as OpenSession;
    this.sides = new Sides(
      new ForwardSession({
        place: { namespace: 'prod', pod: 'web-1', object: { type: 'Resource', id: 'aks/prod/pods/web-1' } },
        forwards: new Map([[5432, 'orders']]),
        client: new SpdyForwardClient(byteForm(clientForm, false), nodeInflate),
        upstream: byteForm(targetForm, true),
        session,
        grant: testGrant,
        operationId: 's-1',
        context: testContext(nodeCrypto, nodeInflate),
      }),
    );
  }

  go(): this {
    for (let moved = true; moved;) {
      moved = false;
      for (const [side, peer] of [
        ['client', this.client],
        ['upstream', this.target],
      ] as readonly (readonly [Side, Peer])[]) {
        for (const piece of peer.take()) {
          moved = true;
          this.sides.apply(this.sides.session.receive(side, piece));
        }
      }
      for (const piece of this.sides.toClient()) this.client.receive(piece);
      for (const piece of this.sides.toTarget()) {
        moved = true;
        this.target.receive(piece);
      }
    }
    return this;
  }

  /** As kubectl does: the stream of errors first, of which its own side is closed at once. */
  connect(port: number | string, id: string): { readonly error: number; readonly data: number } {
    const open = (type: string): number =>
      this.client.spdy.open(new Map(Object.entries({ streamtype: [type], port: [String(port)], requestid: [id] })));
    const error = open('error');
    this.client.spdy.send(error, new Uint8Array(0), true);
    const data = open('data');
    this.go();
    return { error, data };
  }

  operations(): readonly Operation[] {
    return this.sides.effects.flatMap((effect) => (effect.kind === 'ask' ? [effect.operation] : []));
  }

  decide(id: string, refusal?: string): this {
    const grant: Grant = { ...testGrant, operationId: id };
    const fault = new GatewayFault('policy-denied', { publicMessage: refusal ?? '' });
    this.sides.apply(this.sides.session.decide(id, refusal === undefined ? { kind: 'granted', grant } : { kind: 'refused', fault }));
    return this.go();
  }

  /** Whether the client is read, as it changed. */
  reads(): readonly boolean[] {
    return this.sides.effects.flatMap((effect) => (effect.kind === 'read-client' ? [effect.isRead] : []));
  }

  completions(): readonly string[] {
    return this.sides.effects.flatMap((effect) =>
      effect.kind === 'complete' ? [`${effect.completion.operationId} ${effect.completion.outcome} ${effect.completion.bytes}`] : [],
    );
  }
}

describe('port forwarding', () => {
  for (const [clientForm, targetForm] of [
    ['plain', 'plain'],
    ['tunnelled', 'tunnelled'],
    ['tunnelled', 'plain'],
  ] as const) {
    it(`carries each connection once it is allowed, from ${clientForm} to ${targetForm}`, () => {
      const run = new Run(clientForm, targetForm);
      const { data } = run.connect(8080, '0');
      const [operation] = run.operations();
      assert.deepEqual(operation?.acts[0]?.object, {
        type: 'Forward',
        id: 'aks/prod/pods/web-1:8080',
        parents: [{ type: 'Resource', id: 'aks/prod/pods/web-1' }],
      });
      assert.deepEqual(
        [operation?.facts['opaque'], operation?.facts['destination_port'], operation?.facts['namespace']],
        [true, 8080, 'prod'],
      );
      run.client.spdy.send(data, bytes('GET / HTTP/1.1\r\n'), false);
      run.go();
      assert.deepEqual(run.target.events, [], 'nothing before the decision');
      run.decide('s-2');
      assert.deepEqual(run.target.events, ['1 opened', '3 opened', '1 finished', '3:GET / HTTP/1.1\r\n']);
      assert.deepEqual(
        [...run.target.headers.values()].map((one) => Object.fromEntries(one)),
        [
          { streamtype: ['error'], port: ['8080'], requestid: ['0'] },
          { streamtype: ['data'], port: ['8080'], requestid: ['0'] },
        ],
      );
      run.target.spdy.send(3, bytes('HTTP/1.1 200'), true);
      run.target.spdy.send(1, new Uint8Array(0), true);
      run.client.spdy.send(data, new Uint8Array(0), true);
      run.go();
      assert.ok(run.client.events.includes(`${data}:HTTP/1.1 200`), run.client.events.join());
      assert.deepEqual(run.completions(), ['s-2 succeeded 12']);
    });
  }

  it('keeps connections apart, and tells of a refusal where kubectl looks for it', () => {
    const run = new Run();
    const first = run.connect(8080, '0');
    const second = run.connect(9090, '1');
    run.decide('s-3');
    run.decide('s-2', 'not this port');
    assert.ok(run.client.events.includes(`${first.error}:forwarding port 8080 is refused: not this port`));
    run.client.spdy.send(second.data, bytes('x'), false);
    run.go();
    assert.ok(run.target.events.includes('3:x'));
    assert.deepEqual(
      [...run.target.headers.values()].map((one) => one.get('port')?.[0]),
      ['9090', '9090'],
    );
  });

  it('gives what is forwarded to a declared port to a session of that target, and nothing to the pod', () => {
    const run = new Run();
    const { data } = run.connect(5432, '0');
    const [operation] = run.operations();
    assert.equal(operation?.facts['opaque'], false);
    assert.match(operation?.text ?? '', /as a session of target orders/);
    run.client.spdy.send(data, bytes('startup'), false);
    run.go();
    run.decide('s-2');
    const diverted = run.sides.effects.filter(({ kind }) => kind.startsWith('divert'));
    assert.deepEqual(diverted, [
      { kind: 'divert', id: 's-2', target: 'orders' },
      { kind: 'divert-bytes', id: 's-2', bytes: bytes('startup') },
    ]);
    run.sides.apply(run.sides.session.notify({ kind: 'diverted', id: 's-2', bytes: bytes('R') }));
    run.go();
    assert.ok(run.client.events.includes(`${data}:R`));
    run.client.spdy.send(data, new Uint8Array(0), true);
    run.go();
    run.sides.apply(run.sides.session.notify({ kind: 'divert-ended', id: 's-2', fault: undefined }));
    run.go();
    assert.ok(run.client.events.includes(`${data} finished`));
    assert.deepEqual(run.target.events, []);
    assert.deepEqual(run.completions(), ['s-2 succeeded 1']);
  });

  it('passes on what the target tells of a connection, masked', () => {
    const run = new Run();
    const { error, data } = run.connect(1, '0');
    run.decide('s-2');
    run.target.spdy.send(1, bytes('connection refused to 4111111111111111'), true);
    run.target.spdy.send(3, new Uint8Array(0), true);
    run.client.spdy.send(data, new Uint8Array(0), true);
    run.go();
    assert.ok(run.client.events.includes(`${error}:connection refused to ************1111`));
    assert.deepEqual(run.completions(), ['s-2 failed 0']);
  });

  it('refuses streams that say no port, say it twice, or are too many', () => {
    const run = new Run();
    for (const port of ['', '0', '70000', '080', 'x']) {
      const { error, data } = run.connect(port, `bad ${port}`);
      assert.ok(run.client.events.includes(`${error} reset`) && run.client.events.includes(`${data} reset`), port);
    }
    run.connect(8080, '0');
    const again = run.connect(8080, '0');
    assert.ok(run.client.events.includes(`${again.data} reset`));
    for (let index = 1; index < 300; index += 1) run.connect(8080, String(index));
    assert.equal(run.operations().length, 200);
  });

  it('lets the client wait for a decision that comes soon, and forgets nothing of what it has sent', () => {
    const run = new Run();
    const { data } = run.connect(8080, '0');
    run.client.spdy.send(data, new Uint8Array(300_000), false);
    assert.deepEqual(run.go().reads(), [false]);
    run.decide('s-2');
    assert.deepEqual(run.reads(), [false, true]);
    assert.equal(
      run.target.events
        .filter((event) => event.startsWith('3:'))
        .join('')
        .replaceAll('3:', '').length,
      300_000,
    );
    run.client.spdy.send(data, new Uint8Array(300_000), false);
    assert.deepEqual(run.go().reads(), [false, true]);
  });

  it('keeps little of what waits for people, and of what is not asked for', () => {
    for (const isHeldFirst of [true, false]) {
      const run = new Run();
      const { error, data } = run.connect(8080, '0');
      const hold = () => run.sides.apply(run.sides.session.notify({ kind: 'held', operationId: 's-2', message: 'wait' }));
      if (isHeldFirst) hold();
      run.client.spdy.send(data, new Uint8Array(300_000), false);
      run.go();
      if (!isHeldFirst) hold();
      run.go();
      assert.ok(run.client.events.some((event) => event.startsWith(`${error}:`) && event.includes('before this connection was decided')));
      assert.deepEqual(run.reads(), isHeldFirst ? [] : [false, true]);
      run.decide('s-2');
      assert.deepEqual(run.target.events, []);
    }
    const run = new Run();
    const half = run.client.spdy.open(new Map(Object.entries({ streamtype: ['data'], port: ['8080'], requestid: ['0'] })));
    run.go();
    run.client.spdy.send(half, new Uint8Array(300_000), false);
    run.go();
    assert.ok(run.client.events.includes(`${half} finished`));
    assert.deepEqual(run.reads(), []);
  });

  it('ends with every connection of it', () => {
    const run = new Run('tunnelled');
    const { error } = run.connect(8080, '0');
    run.decide('s-2');
    run.connect(8081, '1');
    const fault = new GatewayFault('session-ended', { publicMessage: 'session ended: killed' });
    run.sides.apply(run.sides.session.notify({ kind: 'end', fault }));
    run.go();
    assert.ok(run.client.events.includes(`${error}:session ended: killed`));
    assert.ok(run.client.events.includes('going away') && run.client.events.includes('end'));
    assert.deepEqual(run.completions(), ['s-2 failed 0', 's-1 failed 0']);
    assert.equal(run.sides.kinds().at(-1), 'close');
  });
});
