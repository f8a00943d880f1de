import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { everySplit } from '../../../core/testing/every-split.ts';
import { GatewayFault } from '../../../core/fault.ts';
import type { Completion } from '../../../core/operation.ts';
import { nodeCrypto } from '../../../net/crypto.ts';
import type { ChannelEffect } from '../channel.ts';
import type { SshContext } from '../context.ts';
import { testContext } from '../testing.ts';
import { readScpRecord } from './scp-records.ts';
import { ScpSession } from './scp-session.ts';

const card = '4111 1111 1111 1111';
const bytes = (text: string): Uint8Array => Buffer.from(text, 'latin1');
const grant = { sessionId: 's', operationId: 's-0', sequence: 0 };

/** Lets everything pass but what `refuse` names, and keeps what each side gets. */
class Run {
  readonly session: ScpSession;
  toClient = '';
  toTarget = '';
  stderr = '';
  readonly asked: string[] = [];
  readonly completed: Completion[] = [];
  readonly kinds: string[] = [];
  readonly #refuse: string;
  readonly #held: string;
  #waiting: string | undefined;

  constructor(
    direction: 'upload' | 'download',
    paths: readonly string[],
    options: { refuse?: string; held?: string; context?: SshContext } = {},
  ) {
    this.#refuse = options.refuse ?? 'nothing';
    this.#held = options.held ?? 'nothing';
    const context = options.context ?? testContext(nodeCrypto, {});
    const limited = {
      ...context,
      session: { ...context.session, limits: { inForce: {} } } as never,
    };
    const parts = {
      context: limited,
      grant,
      operationId: 's-0',
      program: { kind: 'exec', command: 'scp' },
      terminal: undefined,
      reason: undefined,
    } as const;
    this.session = new ScpSession(parts, direction, paths);
    this.apply(this.session.notify({ kind: 'started' }));
  }

  client(text: string): this {
    return this.apply(this.session.receive('stdin', bytes(text)));
  }

  target(text: string): this {
    return this.apply(this.session.receive('stdout', bytes(text)));
  }

  release(): this {
    const id = this.#waiting!;
    this.#waiting = undefined;
    return this.apply(this.session.decide(id, { kind: 'granted', grant: { ...grant, operationId: id } }));
  }

  apply(effects: readonly ChannelEffect[]): this {
    const copies = effects.map((effect) => ('bytes' in effect ? { ...effect, bytes: Buffer.from(effect.bytes) } : effect));
    for (const effect of copies) {
      this.kinds.push(effect.kind);
      if (effect.kind === 'forward') this.toTarget += Buffer.from(effect.bytes).toString('latin1');
      else if (effect.kind === 'reply' && effect.stream === 'stdout') this.toClient += Buffer.from(effect.bytes).toString('latin1');
      else if (effect.kind === 'reply') this.stderr += Buffer.from(effect.bytes).toString('latin1');
      else if (effect.kind === 'complete') this.completed.push(effect.completion);
      else if (effect.kind === 'ask') {
        const { id, text } = effect.operation;
        this.asked.push(text);
        if (text.includes(this.#held)) this.#waiting = id;
        else if (text.includes(this.#refuse))
          this.apply(
            this.session.decide(id, { kind: 'refused', fault: new GatewayFault('policy-denied', { publicMessage: `no ${text}` }) }),
          );
        else this.apply(this.session.decide(id, { kind: 'granted', grant: { ...grant, operationId: id } }));
      }
    }
    return this;
  }
}

describe('the old scp protocol', () => {
  it('is passed on, file by file, each with its digest', () => {
    const stream = 'T1 0 2 0\nC0644 5 a\nhello\0D0755 0 d\nC0600 0 b\n\0E\n';
    everySplit(bytes(stream), (chunks) => {
      const run = new Run('upload', ['/srv/in']);
      for (const chunk of chunks) run.apply(run.session.receive('stdin', chunk));
      assert.equal(run.toTarget, stream);
      assert.deepEqual(run.asked, [
        'write /srv/in/a or /srv/in (mode 0644, 5 bytes)',
        'make folder /srv/in/d or /srv/in (mode 0755)',
        'write /srv/in/d/b (mode 0600, 0 bytes)',
      ]);
      const sha256 = Buffer.from(nodeCrypto.sha256(bytes('hello'))).toString('hex');
      assert.deepEqual(run.completed[0]?.transfers, [{ path: '/srv/in/a', direction: 'upload', bytes: 5, sha256, in_order: true }]);
    });
  });

  it('has no outcome that anybody knows where the target breaks off, or tells none; left by its client it is cancelled', () => {
    const fault = new GatewayFault('upstream-unavailable', { publicMessage: 'the connection to the target is lost' });
    for (const [from, lost, outcome] of [
      ['target', fault, 'unknown'],
      ['target', undefined, 'unknown'],
      ['client', undefined, 'cancelled'],
    ] as const) {
      const run = new Run('upload', ['/srv/in']).client('C0644 5 a\nhel');
      run.apply(run.session.notify({ kind: 'closed', from, fault: lost }));
      assert.equal(run.completed.at(-1)?.outcome, outcome, `${from} ${String(lost?.code)}`);
      assert.equal(/is lost\. What ran there may or may not have taken effect/.test(run.stderr), lost !== undefined);
    }
  });

  it('gives out text masked in its length, however it comes', () => {
    const content = `of ${card}\n`;
    const stream = `C0644 ${content.length} a\n${content}\0`;
    everySplit(bytes(stream), (chunks) => {
      const run = new Run('download', ['/srv/a']);
      for (const chunk of chunks) run.apply(run.session.receive('stdout', chunk));
      assert.equal(run.toClient, stream.replace(card, '**** **** **** 1111'));
      assert.deepEqual(run.completed[0]?.masked, { card: 1 });
    });
  });

  it('goes on with the next where one is refused, on both sides', () => {
    const up = new Run('upload', ['/in'], { refuse: '/in/a' });
    up.target('\0').client('C0644 1 a\n');
    assert.equal(up.toTarget, '');
    assert(up.toClient.startsWith('\0\u0001sallyport: no write /in/a or /in ') && up.toClient.endsWith('\n'));
    up.client('C0644 1 b\nx\0');
    assert.equal(up.toTarget, 'C0644 1 b\nx\0');
    const down = new Run('download', ['/a', '/b'], { refuse: 'read /a' });
    down.client('\0').target('C0644 3 a\n');
    assert(down.toClient.startsWith('\u0001sallyport: no read /a'));
    assert.equal(down.toTarget, '\0\u0001refused\n');
    down.target('C0644 1 b\nx\0');
    assert.match(down.toClient, /\nC0644 1 b\nx\0$/);
  });

  it('reads nothing of the sending side while people are asked, and loses nothing', () => {
    const run = new Run('upload', ['/in'], { held: '/in/a' });
    run.client('C0644 1 a\nx\0C06').client('44 1 b\ny\0');
    run.apply(run.session.notify({ kind: 'ended', from: 'client' }));
    assert.equal(run.toTarget, '');
    assert(run.kinds.includes('pause'));
    assert(!run.kinds.includes('forward-end'));
    run.release();
    assert.equal(run.toTarget, 'C0644 1 a\nx\0C0644 1 b\ny\0');
    assert.deepEqual(run.kinds.slice(-1), ['forward-end']);
  });

  it('ends where a name leaves its folder, or the stream is none', () => {
    for (const line of [
      'C0644 1 ../x\n',
      'C0644 1 a/b\n',
      'C0644 1 ..\n',
      'D0755 0 .\n',
      'D0755 0 ..\n',
      'C0644 -1 a\n',
      'C0644 1\n',
      'Cxxxx 1 a\n',
      'E\n',
      'X\n',
      '\n',
      'C0644 99999999999999999 a\n',
      `C0644 1 ${'a'.repeat(9000)}\n`,
      'C0644 1 a\0b\n',
    ]) {
      const run = new Run('upload', ['/in']).client(line);
      assert.equal(run.toTarget, '', JSON.stringify(line));
      assert.equal(run.kinds.at(-1), 'close', JSON.stringify(line));
      assert.match(run.stderr, /sallyport: scp:/);
    }
    const other = new Run('download', ['/srv/a']).target('C0644 1 shadow\n');
    assert.equal(other.toClient, '');
    assert.match(other.stderr, /a file that was not asked for/);
  });

  it('is refused where a file is no text, however far it came', () => {
    const run = new Run('download', ['/a']).target('C0644 300 a\n').target('words '.repeat(20)).target('\0\u0001\u0002');
    assert.match(run.stderr, /the file is no text/);
    assert.equal(run.kinds.at(-1), 'close');
    assert(!run.toClient.includes('\u0002'));
    const open = new Run('download', ['/a'], { context: testContext(nodeCrypto, { opaqueTransfers: true }) }).target(
      'C0644 3 a\n\0\u0001\u0002\0',
    );
    assert.equal(open.toClient, 'C0644 3 a\n\0\u0001\u0002\0');
  });

  it('masks names and messages', () => {
    const run = new Run('download', [`/x/of ${card}`]).target(`C0644 0 of ${card}\n\0\u0001scp: ${card}: gone\n`);
    assert.equal(run.toClient, 'C0644 0 of **** **** **** 1111\n\0\u0001scp: **** **** **** 1111: gone\n');
    assert(!run.asked.join().includes('4111'));
    assert(!JSON.stringify(run.completed).includes('4111'));
  });

  it('is read from any bytes, or ends in a fault', () => {
    const piece = fc.oneof(
      fc.constantFrom('C0644 3 a\n', 'D0755 0 d\n', 'E\n', 'T1 0 1 0\n', '\0', '\u0001no\n', 'abc'),
      fc.string({ maxLength: 5 }),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 30 }), fc.constantFrom<'upload' | 'download'>('upload', 'download'), (pieces, direction) => {
        const run = new Run(direction, ['/a', '/d']);
        for (const one of pieces)
          if (direction === 'upload') run.client(one);
          else run.target(one);
        if (run.kinds.includes('close')) assert.equal(run.kinds.at(-1), 'close');
      }),
      { numRuns: 500 },
    );
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (line) => {
        try {
          readScpRecord(line);
        } catch (error) {
          assert(error instanceof GatewayFault);
        }
      }),
    );
  });
});
