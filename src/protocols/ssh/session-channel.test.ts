import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { GatewayFault } from '../../core/fault.ts';
import { nodeCrypto } from '../../net/crypto.ts';
import type { ChannelRequest, Program } from './channel.ts';
import { sessionChannel } from './index.ts';
import { TestChannel, testContext, testTerminal } from './testing.ts';

type Settings = Parameters<typeof testContext>[1];
const open = (settings?: Settings): TestChannel => new TestChannel(sessionChannel(testContext(nodeCrypto, settings)));
const ask = (channel: TestChannel, ...requests: readonly ChannelRequest[]): TestChannel => {
  for (const request of requests) channel.apply(channel.session.request(request));
  return channel;
};
const start = (program: Program | string): ChannelRequest => ({
  kind: 'start',
  program: typeof program === 'string' ? { kind: 'exec', command: program } : program,
});
const shell: Program = { kind: 'shell' };
const variable = (name: string, value: string): ChannelRequest => ({ kind: 'environment', name, value });
const terminal: ChannelRequest = { kind: 'terminal', terminal: testTerminal };
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
/** Granted and started. */
const run = (program: Program | string, ...before: readonly ChannelRequest[]): TestChannel => {
  const channel = ask(open({ environment: ['LANG', 'LC_*'] }), ...before, start(program)).grant();
  return channel.apply(channel.session.notify({ kind: 'started' }));
};

describe('a channel before its program', () => {
  it('asks for program, variables and terminal as one operation, and starts exactly what was asked', () => {
    const channel = ask(open({ environment: ['LANG', 'LC_*'] }), variable('LANG', 'C'), terminal, start('uptime -p'));
    assert.deepEqual(channel.kinds(), ['accept', 'accept', 'accept', 'ask']);
    const [operation] = channel.asks();
    assert.deepEqual(
      operation?.acts.map(({ action, object }) => `${action} ${object.type}::${object.id}`),
      ['ssh:exec Command::web-1/uptime -p', 'ssh:set-environment Setting::web-1/LANG', 'ssh:terminal Target::web-1'],
    );
    assert.deepEqual(operation?.facts, {
      command: 'uptime -p',
      program: 'uptime',
      argv: ['uptime', '-p'],
      commands: ['uptime'],
      writes_file: false,
      terminal: true,
      environment: ['LANG'],
      remote_user: 'deploy',
    });
    assert.equal(operation?.text, 'uptime -p');
    assert.deepEqual(operation?.parameters, ['LANG=C']);
    const { program, environment, terminal: opened } = channel.grant().only('start');
    assert.deepEqual([program, environment, opened], [{ kind: 'exec', command: 'uptime -p' }, [['LANG', 'C']], testTerminal]);
  });

  it('refuses variables that the target does not list, with a note', () => {
    const channel = ask(
      open({ environment: ['LANG', 'LC_*', 'LD_*'] }),
      variable('LANG', 'C'),
      variable('LC_ALL', 'C'),
      variable('LD_PRELOAD', '/x'),
      variable('EDITOR', 'vi'),
    );
    assert.deepEqual(channel.kinds(), ['accept', 'accept', 'note', 'reject', 'note', 'reject']);
    assert.deepEqual(ask(channel, start(shell)).grant().only('start').environment, [
      ['LANG', 'C'],
      ['LC_ALL', 'C'],
    ]);
    const flood = open();
    for (let count = 0; count < 1_000; count += 1) ask(flood, variable(`V${count}`, 'x'));
    assert.equal(flood.kinds().filter((kind) => kind === 'note').length, 16);
  });

  it('takes no names and values that mean something else to shells and terminals', () => {
    const answer = (request: ChannelRequest): string | undefined =>
      ask(open({ environment: ['LANG', 'L*'] }), request)
        .kinds()
        .at(-1);
    for (const name of ['L()', 'LANG%%', 'L=x', 'L A', '', 'L\u00e9', `L${'A'.repeat(200)}`])
      assert.equal(answer(variable(name, 'x')), 'reject', name);
    for (const value of ['a\nb', '\u001b[2J', 'x'.repeat(40_000)]) assert.equal(answer(variable('LANG', value)), 'reject');
    for (const name of ['../../tmp/x', '/etc/x', 'x\n', '-x', 'x'.repeat(99)]) {
      assert.equal(answer({ kind: 'terminal', terminal: { ...testTerminal, name } }), 'reject', name);
    }
    for (const name of ['', 'xterm-256color', 'screen.xterm', 'vt100+x']) {
      assert.equal(answer({ kind: 'terminal', terminal: { ...testTerminal, name } }), 'accept', name);
    }
    assert.equal(answer({ kind: 'terminal', terminal: { ...testTerminal, modes: new Uint8Array(5_000) } }), 'reject');
    const much = open({ environment: ['L*'] });
    for (let count = 0; count < 100; count += 1) ask(much, variable(`L${count}`, 'x'.repeat(1_000)));
    assert.ok(much.kinds().filter((kind) => kind === 'accept').length <= 32);
  });

  it('refuses an agent and X11, on record, once each', () => {
    const channel = ask(open(), { kind: 'forward-agent' }, { kind: 'forward-x11' }, { kind: 'forward-agent' });
    assert.deepEqual(channel.kinds(), ['ask', 'reject', 'ask', 'reject', 'reject']);
    assert.deepEqual(
      channel.asks().flatMap(({ acts }) => acts.map(({ action }) => action)),
      ['ssh:forward-agent', 'ssh:forward-x11'],
    );
    assert.ok(channel.effects.every((effect) => effect.kind !== 'ask' || effect.refusal !== undefined));
    // Even a grant, which none of them can get, would start nothing.
    assert.deepEqual(channel.grant().kinds().length, 5);
  });

  it('runs one program, and takes nothing that comes behind the request for it', () => {
    const channel = ask(open({ environment: ['LANG'] }), start('true'), start('reboot'), variable('LANG', 'C'), terminal);
    assert.deepEqual(channel.kinds(), ['accept', 'ask', 'reject', 'reject', 'reject']);
    const { program, environment, terminal: opened } = channel.grant().only('start');
    assert.deepEqual([program, environment, opened], [{ kind: 'exec', command: 'true' }, [], undefined]);
    channel.apply(channel.session.notify({ kind: 'started' }));
    assert.equal(ask(channel, start('reboot')).kinds().at(-1), 'reject');
    assert.equal(channel.asks().length, 1);
  });

  it('asks as whom, where that is not the target’s own user', () => {
    const [operation] = ask(open({ remoteUser: 'root' }), start(shell)).asks();
    assert.deepEqual(
      operation?.acts.map(({ action, object }) => `${action} ${object.type}::${object.id}`),
      ['ssh:shell Target::web-1', 'ssh:log-in-as Role::web-1/root'],
    );
    assert.equal(operation?.facts['remote_user'], 'root');
  });

  it('takes the reason that is stated, and passes it on to nobody', () => {
    const channel = ask(open(), variable('SALLYPORT_REASON', ' CHG-1\n 4111111111111111 '), start('true'));
    assert.equal(channel.asks()[0]?.facts['reason'], 'CHG-1\\u{a} ************1111');
    assert.deepEqual(channel.grant().only('start').environment, []);
    assert.equal(channel.asks()[0]?.facts['environment'], undefined);
  });

  it('runs no program at a target for reading only, and opens sftp', () => {
    const refusal = (program: Program | string): unknown => ask(open({ readOnly: true }), start(program)).only('ask').refusal?.code;
    assert.deepEqual(
      [refusal('true'), refusal(shell), refusal({ kind: 'subsystem', name: 'netconf' }), refusal({ kind: 'subsystem', name: 'sftp' })],
      ['read-only', 'read-only', 'read-only', undefined],
    );
  });

  it('binds all of it: no two that differ are the same to an approval', () => {
    const exact = (settings: Settings, ...requests: readonly ChannelRequest[]): string =>
      Buffer.from(
        ask(open({ environment: ['LANG', 'LC_ALL'], ...settings }), ...requests)
          .asks()
          .at(-1)!
          .exact(),
      ).toString('hex');
    const modes: ChannelRequest = { kind: 'terminal', terminal: { ...testTerminal, modes: Uint8Array.of(1, 0, 0, 0, 3, 0) } };
    const vt: ChannelRequest = { kind: 'terminal', terminal: { ...testTerminal, name: 'vt100' } };
    const all = [
      exact({}, start('true')),
      exact({}, start('true ')),
      exact({}, start(' true')),
      exact({}, start(shell)),
      exact({}, start({ kind: 'subsystem', name: 'true' })),
      // The same words, and another program.
      exact({}, start('shell')),
      exact({}, start('subsystem true')),
      exact({ remoteUser: 'root' }, start('true')),
      exact({}, terminal, start('true')),
      exact({}, vt, start('true')),
      exact({}, modes, start('true')),
      exact({}, variable('LANG', 'C'), start('true')),
      exact({}, variable('LANG', 'D'), start('true')),
      exact({}, variable('LC_ALL', 'C'), start('true')),
      exact({}, variable('LANG', 'C'), variable('LC_ALL', 'C'), start('true')),
      exact({}, terminal, variable('LANG', 'C'), start('true')),
      exact({}, variable('SALLYPORT_REASON', 'CHG-1'), start('true')),
    ];
    assert.equal(new Set(all).size, all.length);
    assert.equal(
      exact({}, terminal, { kind: 'resize', columns: 9, rows: 9, widthPixels: 0, heightPixels: 0 }, start('true')),
      exact({}, terminal, start('true')),
      'but the window',
    );
  });

  it('of a listed command sends our own quoting, whatever quotes the client used', () => {
    for (const written of ['systemctl restart app', 'systemctl  "restart" \'app\' ', "sys'temctl' res\\tart app"]) {
      const channel = ask(open({ exact: ['systemctl restart app'] }), start(written));
      const [operation] = channel.asks();
      assert.equal(operation?.acts[0]?.object.id, 'web-1/systemctl restart app');
      assert.equal(operation?.facts['exact_command'], true);
      assert.equal(operation?.text, 'systemctl restart app');
      assert.deepEqual(channel.grant().only('start').program, { kind: 'exec', command: 'systemctl restart app' });
    }
    for (const other of [
      'systemctl restart app2',
      'systemctl restart app;',
      'systemctl "restart app"',
      'systemctl restart app # x',
      'systemctl restart ap?',
    ]) {
      const channel = ask(open({ exact: ['systemctl restart app'] }), start(other));
      assert.equal(channel.asks()[0]?.facts['exact_command'], undefined, other);
      assert.deepEqual(channel.grant().only('start').program, { kind: 'exec', command: other });
    }
  });

  it('refuses a text that no shell could read, on record', () => {
    for (const text of ['echo "', 'a && ', 'if true', 'a'.repeat(70_000)]) {
      const channel = ask(open(), start(text));
      const asked = channel.only('ask');
      assert.ok(asked.refusal !== undefined, text.slice(0, 20));
    }
  });

  it('masks the command for people and the record, and binds it whole', () => {
    const [operation] = ask(open(), start('pay 4111111111111111')).asks();
    assert.deepEqual([operation?.text, operation?.textIsExact], ['pay ************1111', false]);
    assert.equal(operation?.unmasked().text, 'pay 4111111111111111');
  });
});

describe('a program that is refused', () => {
  it('says so on stderr, ends with 126, and closes', () => {
    const channel = ask(open(), start('reboot'));
    channel.apply(channel.session.receive('stdin', bytes('typed ahead'))).refuse();
    assert.match(channel.said('stderr'), /^sallyport: policy does not allow ssh:exec\. .*\[operation s-1\]\n$/);
    assert.deepEqual(channel.kinds(), ['accept', 'ask', 'reply', 'exit', 'close']);
    assert.deepEqual(channel.only('exit').ending, { kind: 'status', status: 126 });
    assert.deepEqual(channel.session.receive('stdin', bytes('x')), []);
    assert.deepEqual(channel.session.request(start('true')), []);
  });

  it('of a terminal ends its lines as terminals want them', () => {
    assert.match(ask(open(), terminal, start(shell)).refuse().said('stderr'), /\r\n$/);
  });

  it('that the target does not start ends with 255; of one that is lost behind the request nobody knows', () => {
    for (const nothingSent of [true, false]) {
      const channel = ask(open(), start('true')).grant();
      const fault = new GatewayFault('upstream-unavailable', { publicMessage: 'the target does not answer', nothingSent });
      channel.apply(channel.session.notify({ kind: 'not-started', fault }));
      assert.deepEqual(channel.only('exit').ending, { kind: 'status', status: 255 });
      assert.equal(channel.only('complete').completion.outcome, nothingSent ? 'failed' : 'unknown');
      assert.equal(channel.kinds().at(-1), 'close');
    }
  });
});

describe('a program that is held', () => {
  const held = (...before: readonly ChannelRequest[]): TestChannel => {
    const channel = ask(open(), ...before, start('reboot'));
    return channel.apply(
      channel.session.notify({
        kind: 'held',
        operationId: 's-1',
        message: 'waiting for approval by sre: https://gw/approvals/1, expires 14:32',
      }),
    );
  };

  it('tells its client whom it waits for', () => {
    assert.equal(held().said('stderr'), 'sallyport: waiting for approval by sre: https://gw/approvals/1, expires 14:32\n');
    assert.match(held(terminal).said('stderr'), /\(Ctrl-C gives up\)\r\n$/);
  });

  it('is given up by Ctrl-C at a terminal, by a signal, and by closing the channel', () => {
    const typed = held(terminal);
    typed.apply(typed.session.receive('stdin', bytes('ls\u0003')));
    assert.deepEqual(typed.only('exit').ending, { kind: 'status', status: 130 });
    const signalled = ask(held(), { kind: 'signal', name: 'INT' });
    const closed = held();
    closed.apply(closed.session.notify({ kind: 'closed', from: 'client', fault: undefined }));
    for (const channel of [typed, signalled, closed]) {
      assert.equal(channel.kinds().at(-1), 'close');
      // An approval that comes too late starts nothing.
      assert.deepEqual(channel.session.decide('s-1', { kind: 'granted', grant: { sessionId: 's', operationId: 's-1', sequence: 0 } }), []);
    }
  });

  it('goes on waiting where that byte is only input, at the end of the input, and after other signals', () => {
    const channel = held();
    channel.apply(channel.session.receive('stdin', bytes('\u0003')));
    channel.apply(channel.session.notify({ kind: 'ended', from: 'client' }));
    ask(channel, { kind: 'signal', name: 'WINCH' });
    assert.ok(!channel.kinds().includes('close'));
    channel.grant().apply(channel.session.notify({ kind: 'started' }));
    assert.equal(channel.forwarded(), '\u0003');
    assert.equal(channel.kinds().at(-1), 'forward-end');
  });

  it('keeps what is typed within bounds', () => {
    const channel = held();
    for (let count = 0; count < 20; count += 1) channel.apply(channel.session.receive('stdin', new Uint8Array(8_192)));
    assert.equal(channel.kinds().filter((kind) => kind === 'pause').length, 1);
    channel.grant().apply(channel.session.notify({ kind: 'started' }));
    assert.equal(channel.forwarded().length, 20 * 8_192);
    assert.equal(channel.kinds().at(-1), 'resume');
  });
});

describe('a program that runs', () => {
  it('has its output masked and recorded, and ends as the target says', () => {
    const channel = run('report');
    channel.apply(channel.session.receive('stdin', bytes('4111111111111111\n')));
    assert.equal(channel.forwarded(), '4111111111111111\n');
    channel.apply(channel.session.receive('stdout', bytes('card 4111 1111 ')));
    channel.apply(channel.session.receive('stderr', bytes('oops\n')));
    channel.apply(channel.session.receive('stdout', bytes('1111 1111 ok\n')));
    channel.apply(channel.session.notify({ kind: 'exited', ending: { kind: 'status', status: 7 } }));
    channel.apply(channel.session.notify({ kind: 'ended', from: 'target' }));
    channel.apply(channel.session.notify({ kind: 'closed', from: 'target', fault: undefined }));
    assert.equal(channel.said('stdout'), 'card **** **** **** 1111 ok\n');
    assert.equal(channel.said('stderr'), 'oops\n');
    assert.deepEqual(channel.only('exit').ending, { kind: 'status', status: 7 });
    assert.deepEqual(channel.only('complete').completion, {
      operationId: 's-1',
      outcome: 'failed',
      errorCode: 'exit 7',
      reason: undefined,
      rows: 0,
      bytes: 33,
      masked: { card: 1 },
    });
    assert.deepEqual(
      ['input', 'output', 'error'].map((stream) => channel.recorded(stream)),
      ['************1111\n', 'card **** **** **** 1111 ok\n', 'oops\n'],
    );
    assert.deepEqual(channel.kinds().slice(-3), ['reply-end', 'complete', 'close']);
    const granted = channel.effects.filter((effect) => effect.kind === 'reply' || effect.kind === 'forward');
    assert.ok(granted.every(({ grant }) => grant?.operationId === 's-1'));
  });

  it('at a terminal is recorded with its size, and what is typed unseen is not what it was', () => {
    const channel = run(shell, terminal);
    ask(channel, { kind: 'resize', columns: 120, rows: 40, widthPixels: 0, heightPixels: 0 });
    const type = (text: string, echo: string): void => {
      channel.apply(channel.session.receive('stdin', bytes(text))).apply(channel.session.receive('stdout', bytes(echo)));
    };
    type('sudo', 'sudo');
    type('\r', '\r\nPassword: ');
    type('hunter2', '');
    type('\r', '\r\n$ ');
    channel.apply(channel.session.notify({ kind: 'closed', from: 'target', fault: undefined }));
    assert.equal(channel.recorded('resize'), '80x24120x40');
    assert.equal(channel.recorded('input'), 'sudo\r*******\r');
    assert.equal(channel.only('complete').completion.outcome, 'unknown', 'nobody told how it ended');
    assert.ok(!channel.kinds().includes('exit'));
  });

  it('holds back for a moment what may be the beginning of something sensitive', () => {
    for (const [before, ms] of [
      [[terminal], 40],
      [[], 1_000],
    ] as const) {
      const channel = run(shell, ...before);
      channel.apply(channel.session.receive('stdout', bytes('$ 4111')));
      assert.equal(channel.said('stdout'), '$ ');
      assert.equal(channel.only('deadline').afterMs, ms);
      channel.apply(channel.session.notify({ kind: 'deadline' }));
      assert.equal(channel.said('stdout'), '$ 4111');
    }
  });

  it('is sent signals, each asked for itself', () => {
    const channel = ask(run('sleep 9'), { kind: 'signal', name: 'TERM' });
    assert.deepEqual(channel.asks().at(-1)?.acts, [{ action: 'ssh:signal', object: { type: 'Target', id: 'web-1' } }]);
    assert.ok(!channel.kinds().includes('forward-signal'));
    channel.grant();
    assert.equal(channel.only('forward-signal').name, 'TERM');
    assert.equal(ask(channel, { kind: 'signal', name: 'KILL' }).refuse().only('forward-signal').name, 'TERM');
    for (const name of ['', 'term', 'TERM;', 'A'.repeat(99)]) assert.equal(ask(channel, { kind: 'signal', name }).kinds().at(-1), 'reject');
    const asks = channel.asks().length;
    for (let count = 0; count < 100; count += 1) ask(channel, { kind: 'signal', name: 'USR1' });
    assert.equal(channel.asks().length - asks, 8);
  });

  it('that the gateway ends says why, and shows nothing of what was held back', () => {
    const channel = run('tail');
    channel.apply(channel.session.receive('stdout', bytes('4111')));
    channel.apply(
      channel.session.notify({
        kind: 'end',
        fault: new GatewayFault('session-ended', { publicMessage: 'session ended: killed by an operator' }),
      }),
    );
    assert.match(channel.said('stderr'), /killed by an operator/);
    assert.equal(channel.said('stdout'), '');
    assert.deepEqual(channel.only('exit').ending, { kind: 'status', status: 255 });
    assert.deepEqual(
      [channel.only('complete').completion.outcome, channel.only('complete').completion.errorCode],
      ['failed', 'session-ended'],
    );
    assert.deepEqual(channel.session.receive('stdout', bytes('late')), []);
  });

  it('whose client goes away is cancelled; of one whose target breaks off nobody knows the outcome', () => {
    const gone = run('tail');
    gone.apply(gone.session.notify({ kind: 'closed', from: 'client', fault: undefined }));
    assert.equal(gone.only('complete').completion.outcome, 'cancelled');
    const broken = run('tail');
    const fault = new GatewayFault('upstream-unavailable', { publicMessage: 'the target broke the connection' });
    broken.apply(broken.session.notify({ kind: 'closed', from: 'target', fault }));
    assert.match(broken.said('stderr'), /broke the connection.*may or may not have taken effect/);
    const { outcome, errorCode } = broken.only('complete').completion;
    assert.deepEqual([outcome, errorCode], ['unknown', 'upstream-unavailable']);
  });

  it('killed by a signal ends with it', () => {
    const channel = run('sleep 9');
    channel.apply(channel.session.notify({ kind: 'exited', ending: { kind: 'signal', name: 'KILL', coreDumped: false, message: '' } }));
    channel.apply(channel.session.notify({ kind: 'closed', from: 'target', fault: undefined }));
    assert.equal(channel.only('complete').completion.errorCode, 'signal KILL');
  });
});

describe('subsystems', () => {
  it('are asked by name; sftp as what lets its requests be asked', () => {
    const [netconf] = ask(open(), start({ kind: 'subsystem', name: 'netconf' })).asks();
    assert.deepEqual(
      [netconf?.acts[0]?.action, netconf?.facts['subsystem'], netconf?.text],
      ['ssh:subsystem', 'netconf', 'subsystem netconf'],
    );
    assert.equal(ask(open(), start({ kind: 'subsystem', name: 'sftp' })).asks()[0]?.acts[0]?.action, 'ssh:sftp');
    assert.ok(ask(open(), start({ kind: 'subsystem', name: '/bin/sh -c x' })).only('ask').refusal !== undefined);
  });
});
