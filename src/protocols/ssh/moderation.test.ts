import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { GatewayFault } from '../../core/fault.ts';
import { nodeCrypto } from '../../net/crypto.ts';
import type { Program } from './channel.ts';
import { sessionChannel } from './index.ts';
import { TestChannel, testContext, testTerminal } from './testing.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const watched = (channel: TestChannel, watchers: number): TestChannel =>
  channel.apply(channel.session.notify({ kind: 'watched', watchers }));
const granted = (program: Program, options: { readonly terminal?: boolean; readonly watchers?: number } = {}): TestChannel => {
  const channel = new TestChannel(sessionChannel(testContext(nodeCrypto, { moderated: { group: 'sre' } })));
  watched(channel, options.watchers ?? 0);
  if (options.terminal === true) channel.apply(channel.session.request({ kind: 'terminal', terminal: testTerminal }));
  return channel.apply(channel.session.request({ kind: 'start', program })).grant();
};
const shell: Program = { kind: 'shell' };
const running = (): TestChannel => {
  const channel = watched(granted(shell), 1);
  return channel.apply(channel.session.notify({ kind: 'started' }));
};

describe('a moderated session', () => {
  it('starts when someone watches', () => {
    const channel = granted(shell);
    assert.ok(!channel.kinds().includes('start'));
    assert.match(channel.said('stderr'), /waiting until someone of sre watches: sallyport sessions watch s\n/);
    watched(channel, 0);
    assert.ok(!channel.kinds().includes('start'));
    watched(channel, 1);
    assert.deepEqual(channel.only('start').program, shell);
    assert.deepEqual(channel.only('note'), { kind: 'note', event: 'watched', detail: { group: 'sre' } });
    assert.ok(granted(shell, { watchers: 1 }).kinds().includes('start'), 'or at once where someone does already');
  });

  it('is whatever takes commands as input, and nothing else', () => {
    const starts = (program: Program, terminal = false): boolean => granted(program, { terminal }).kinds().includes('start');
    assert.ok(starts({ kind: 'exec', command: 'systemctl restart app' }));
    assert.ok(starts({ kind: 'exec', command: 'df -h | sort' }));
    assert.ok(!starts({ kind: 'exec', command: 'systemctl restart app' }, true));
    for (const command of [
      'bash',
      'sudo -s',
      '/usr/bin/env sh',
      'cat x | sh',
      'python3',
      'ssh other',
      'exec $SHELL',
      '$SHELL',
      '/bin/b?sh',
    ]) {
      assert.ok(!starts({ kind: 'exec', command }), command);
    }
  });

  it('stops both ways when they leave, and goes on in order when they are back', () => {
    const channel = running();
    channel.apply(channel.session.receive('stdin', bytes('a')));
    watched(channel, 0);
    assert.deepEqual(channel.kinds().slice(-4), ['pause', 'pause-target', 'note', 'reply']);
    const before = [channel.forwarded(), channel.said('stdout'), channel.recorded('output')];
    channel.apply(channel.session.receive('stdin', bytes('rm -rf /\n')));
    const view = bytes('secret\n');
    channel.apply(channel.session.receive('stdout', view));
    // What is kept is a copy: the transport uses its buffers again.
    view.fill(0);
    channel.apply(channel.session.notify({ kind: 'deadline' }));
    channel.apply(channel.session.notify({ kind: 'ended', from: 'target' }));
    assert.equal(
      channel
        .apply(channel.session.request({ kind: 'signal', name: 'TERM' }))
        .kinds()
        .at(-1),
      'reject',
    );
    assert.deepEqual([channel.forwarded(), channel.said('stdout'), channel.recorded('output')], before);
    assert.ok(!channel.kinds().includes('reply-end'));
    watched(channel, 2);
    assert.equal(channel.forwarded(), 'arm -rf /\n');
    assert.equal(channel.said('stdout'), 'secret\n');
    assert.equal(channel.recorded('output'), 'secret\n');
    assert.deepEqual(channel.kinds().slice(-3), ['reply-end', 'resume-target', 'resume']);
    const count = channel.effects.length;
    watched(channel, 1);
    assert.equal(channel.effects.length, count, 'one is enough');
  });

  it('that lost its watcher while the target was starting it is paused from its start', () => {
    const channel = watched(watched(granted(shell), 1), 0);
    channel.apply(channel.session.receive('stdin', bytes('id\n')));
    channel.apply(channel.session.notify({ kind: 'started' }));
    assert.equal(channel.forwarded(), '');
    assert.equal(watched(channel, 1).forwarded(), 'id\n');
  });

  it('is ended by whoever watches, and left by its client, paused or not', () => {
    for (const pause of [false, true]) {
      const killed = running();
      if (pause) watched(killed, 0);
      killed.apply(killed.session.receive('stdout', bytes('unseen\n')));
      killed.apply(killed.session.notify({ kind: 'end', fault: new GatewayFault('session-ended', { publicMessage: 'ended by carol' }) }));
      assert.match(killed.said('stderr'), /ended by carol/);
      assert.equal(killed.kinds().at(-1), 'close');
      assert.equal(killed.said('stdout'), pause ? '' : 'unseen\n');
      const left = running();
      if (pause) watched(left, 0);
      left.apply(left.session.notify({ kind: 'closed', from: 'client', fault: undefined }));
      assert.equal(left.only('complete').completion.outcome, 'cancelled');
    }
    const waiting = granted(shell);
    waiting.apply(waiting.session.notify({ kind: 'closed', from: 'client', fault: undefined }));
    assert.equal(waiting.only('complete').completion.outcome, 'cancelled', 'before it began too');
  });

  it('keeps what is on its way within bounds', () => {
    const channel = watched(running(), 0);
    const chunk = new Uint8Array(1024 * 1024);
    for (let count = 0; count < 9; count += 1) channel.apply(channel.session.receive('stdout', chunk));
    assert.equal(channel.only('complete').completion.errorCode, 'limit-exceeded');
    const slow = watched(running(), 0);
    for (let count = 0; count < 70_000; count += 1) slow.apply(slow.session.receive('stdin', Uint8Array.of(65)));
    assert.equal(slow.only('complete').completion.errorCode, 'limit-exceeded');
  });
});
