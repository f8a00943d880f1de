import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { GatewayFault } from '../../core/fault.ts';
import { nodeCrypto } from '../../net/crypto.ts';
import { destinationOf, isReserved } from './destination.ts';
import { forwardOperation, forwardRule, isTaken, listeningPlace, type ForwardRequest, type ForwardRule } from './forward.ts';
import { testContext } from './testing.ts';

const context = testContext(nodeCrypto);
const asked = (request: ForwardRequest, rules: readonly ForwardRule[] = []) => forwardOperation(context, request, rules);
const object = (request: ForwardRequest): string =>
  asked(request)
    .operation.acts.map((act) => `${act.action} ${act.object.id}`)
    .join();

describe('the destination of a forward', () => {
  it('has one spelling', () => {
    const spelled: readonly (readonly [string, string | undefined])[] = [
      ['DB.Internal.', 'db.internal'],
      ['10.0.0.7', '10.0.0.7'],
      ['2001:DB8:0:0:0:0:0:1', '2001:db8::1'],
      ['[2001:db8::1]', '2001:db8::1'],
      ['2001:db8:0:1:0:0:0:1', '2001:db8:0:1::1'],
      ['1:0:2:3:4:5:6:7', '1:0:2:3:4:5:6:7'],
      ['::ffff:127.0.0.1', '127.0.0.1'],
      ['::ffff:7f00:1', '127.0.0.1'],
      ['64:ff9b::a9fe:a9fe', '169.254.169.254'],
      ['2002:7f00:0001::', '127.0.0.1'],
      ['::127.0.0.1', '127.0.0.1'],
      ['::1', '::1'],
      ['::', '::'],
      ...[
        '127.1',
        '0x7f.0.0.1',
        '0177.0.0.1',
        '2130706433',
        '127.0.0.01',
        '1.2.3',
        '1.2.3.4.5',
        '256.1.1.1',
        '0x7f000001',
        '1.2.3.0x4',
      ].map((host) => [host, undefined] as const),
      ...[
        'fe80::1%eth0',
        '1::2::3',
        ':::',
        '1:2:3:4:5:6:7:8:9',
        'g::1',
        '',
        '.',
        'a..b',
        '-a',
        'a b',
        'a/b',
        'ⓛocalhost',
        'é.de',
        'a\0b',
        '*',
        '1::10.0.0.1:2',
      ].map((host) => [host, undefined] as const),
    ];
    for (const [host, wanted] of spelled) {
      const found = destinationOf(host);
      assert.equal(found instanceof GatewayFault ? undefined : found.host, wanted, JSON.stringify(host));
      if (wanted !== undefined) assert.deepEqual(destinationOf(wanted), found, 'and that one is its own');
    }
  });

  it('may not be the machine itself, its link, a group or a metadata service', () => {
    for (const host of [
      'localhost',
      'a.localhost',
      '127.0.0.1',
      '127.9.9.9',
      '0.0.0.0',
      '169.254.169.254',
      '224.0.0.1',
      '255.255.255.255',
      '::1',
      '::',
      'fe80::1',
      'febf::1',
      'ff02::1',
      'metadata.google.internal',
      '168.63.129.16',
      'fd00:ec2::254',
    ]) {
      assert.ok(isReserved(host), host);
      assert.ok(asked({ kind: 'connect', host, port: 80 }).refusal !== undefined, host);
    }
    for (const host of ['10.0.0.7', '192.168.1.1', 'db.internal', '2001:db8::1', 'fd12::1', 'localhost.example'])
      assert.ok(!isReserved(host), host);
  });
});

describe('a forward', () => {
  it('is an act on its destination', () => {
    assert.equal(object({ kind: 'connect', host: 'DB.internal', port: 5432 }), 'ssh:forward-local web-1/db.internal:5432');
    assert.equal(object({ kind: 'connect', host: '2001:db8::1', port: 22 }), 'ssh:forward-local web-1/[2001:db8::1]:22');
    assert.equal(object({ kind: 'connect-socket', path: '/run/app.sock' }), 'ssh:forward-local web-1//run/app.sock');
    const { operation } = asked({ kind: 'connect', host: 'db.internal', port: 5432 });
    assert.deepEqual(operation.facts, { destination_host: 'db.internal', destination_port: 5432, opaque: true, remote_user: 'deploy' });
    assert.equal(operation.text, 'connect to db.internal:5432');
  });

  it('to a reserved place needs the configuration, which may send it through another target', () => {
    const rules = [
      { to: '127.0.0.1:5432', through: 'orders' },
      { to: 'localhost:8080', through: undefined },
    ];
    const forward = asked({ kind: 'connect', host: '::ffff:127.0.0.1', port: 5432 }, rules);
    assert.deepEqual(
      [forward.refusal, forward.through, forward.host, forward.operation.facts['opaque']],
      [undefined, 'orders', '127.0.0.1', false],
    );
    assert.equal(forward.operation.text, 'connect to 127.0.0.1:5432, as a session of target orders');
    assert.equal(asked({ kind: 'connect', host: 'LOCALHOST', port: 8080 }, rules).refusal, undefined);
    assert.ok(asked({ kind: 'connect', host: '127.0.0.1', port: 5433 }, rules).refusal !== undefined);
  });

  it('to what the configuration names is known by it however the configuration spells it', () => {
    // It was not: what is written in capitals there was let through as bytes, where it should have been a session of that target.
    const forward = asked({ kind: 'connect', host: 'db.internal', port: 5432 }, [forwardRule('DB.Internal', 5432, 'orders')]);
    assert.equal(forward.through, 'orders');
    assert.equal(forwardRule('2001:DB8::0:1', 22, undefined).to, '[2001:db8::1]:22');
  });

  it('to what cannot be read is refused, and still an act', () => {
    for (const request of [
      { kind: 'connect', host: '127.1', port: 80 },
      { kind: 'connect', host: 'db', port: 0 },
      { kind: 'connect', host: 'db', port: 65_536 },
      { kind: 'connect', host: '', port: 80 },
      { kind: 'connect-socket', path: 'run/x' },
      { kind: 'connect-socket', path: '/run/../x' },
      { kind: 'connect-socket', path: '/run/./x' },
      { kind: 'connect-socket', path: '/run//x' },
      { kind: 'listen-socket', path: '/x\0' },
    ] as const) {
      const { refusal, operation } = asked(request);
      assert.ok(refusal !== undefined, JSON.stringify(request));
      assert.equal(operation.acts.length, 1);
    }
  });

  it('binds where it leads and through what', () => {
    const requests: readonly ForwardRequest[] = [
      { kind: 'connect', host: 'a', port: 1 },
      { kind: 'connect', host: 'a', port: 2 },
      { kind: 'connect', host: 'b', port: 1 },
      { kind: 'listen', host: 'a', port: 1 },
      { kind: 'listen', host: '', port: 1 },
      { kind: 'listen', host: '0.0.0.0', port: 1 },
      { kind: 'listen', host: '::', port: 1 },
      { kind: 'listen', host: 'localhost', port: 1 },
      { kind: 'listen', host: '127.0.0.1', port: 1 },
      { kind: 'accept', listening: { kind: 'listen', host: 'a', port: 1 }, port: 1, from: { host: '10.0.0.1', port: 1 } },
      { kind: 'accept', listening: { kind: 'listen', host: 'a', port: 1 }, port: 1, from: { host: '10.0.0.1', port: 2 } },
      { kind: 'accept', listening: { kind: 'listen', host: 'a', port: 0 }, port: 1, from: { host: '10.0.0.1', port: 1 } },
      { kind: 'accept', listening: { kind: 'listen', host: 'a', port: 0 }, port: 2, from: { host: '10.0.0.1', port: 1 } },
      { kind: 'connect-socket', path: '/a' },
      { kind: 'listen-socket', path: '/a' },
    ];
    const exact = requests.map((request) => Buffer.from(asked(request).operation.exact()).toString('hex'));
    exact.push(
      Buffer.from(asked({ kind: 'connect', host: 'a', port: 1 }, [{ to: 'a:1', through: 'x' }]).operation.exact()).toString('hex'),
    );
    assert.equal(new Set(exact).size, exact.length);
  });
});

describe('a place where the target is to listen', () => {
  const told = (host: string): string | undefined => listeningPlace({ kind: 'listen', host, port: 8080 })?.told;

  it('is one act however all addresses are spelled, and however the machine’s own; the target is told no more than was asked for', () => {
    const spelled: readonly (readonly [host: string, named: string, told: string])[] = [
      ['', '*', ''],
      ['*', '*', ''],
      ['0.0.0.0', '*', '0.0.0.0'],
      ['0.0.0.0.', '*', '0.0.0.0'],
      ['::', '*', '::'],
      ['[::]', '*', '::'],
      ['0:0:0:0:0:0:0:0', '*', '::'],
      ['::ffff:0.0.0.0', '*', '0.0.0.0'],
      ['::ffff:0:0', '*', '0.0.0.0'],
      ['localhost', 'localhost', 'localhost'],
      ['LocalHost.', 'localhost', 'localhost'],
      ['127.0.0.1', 'localhost', '127.0.0.1'],
      ['127.9.9.9', 'localhost', '127.9.9.9'],
      ['::1', 'localhost', '::1'],
      ['::ffff:127.0.0.1', 'localhost', '127.0.0.1'],
      ['10.0.0.7', '10.0.0.7', '10.0.0.7'],
      ['2001:DB8::1', '[2001:db8::1]', '2001:db8::1'],
      ['Web-1.internal', 'web-1.internal', 'web-1.internal'],
    ];
    for (const [host, named, toTarget] of spelled) {
      assert.equal(object({ kind: 'listen', host, port: 8080 }), `ssh:forward-remote web-1/listen:${named}:8080`, host);
      assert.equal(told(host), toTarget, host);
      assert.equal(asked({ kind: 'listen', host, port: 8080 }).host, toTarget, host);
    }
    for (const host of ['0', '127.1', '0x7f.1', 'fe80::1%eth0', 'a b', '*.example']) {
      assert.ok(asked({ kind: 'listen', host, port: 8080 }).refusal !== undefined, host);
      assert.equal(told(host), undefined, host);
    }
    assert.ok(asked({ kind: 'listen', host: '', port: 65_536 }).refusal !== undefined);
    assert.equal(object({ kind: 'listen-socket', path: '/run/x' }), 'ssh:forward-remote web-1/listen:/run/x');
  });

  it('has facts, and those of who connects to it', () => {
    const listening = { kind: 'listen', host: '', port: 0 } as const;
    const { operation } = asked(listening);
    assert.deepEqual(operation.facts, { destination_host: '*', destination_port: 0, opaque: true, remote_user: 'deploy' });
    assert.equal(operation.text, 'listen on *:0');
    const accept = asked({ kind: 'accept', listening, port: 43_210, from: { host: '::ffff:10.0.0.5', port: 4711 } });
    assert.deepEqual(accept.operation.facts, {
      destination_host: '*',
      destination_port: 43_210,
      originator_host: '10.0.0.5',
      originator_port: 4711,
      opaque: true,
      remote_user: 'deploy',
    });
    assert.equal(accept.operation.text, 'accept a connection from 10.0.0.5:4711 on *:43210');
    assert.equal(accept.operation.acts[0]?.object.id, 'web-1/listen:*:0');
    const socket = asked({ kind: 'accept', listening: { kind: 'listen-socket', path: '/run/x' }, port: undefined, from: undefined });
    assert.equal(socket.operation.text, 'accept a connection on /run/x');
    assert.equal(socket.operation.acts[0]?.object.id, 'web-1/listen:/run/x');
  });

  it('is told of who connects in one spelling, or of nobody', () => {
    const from = (host: string, port = 1) =>
      asked({ kind: 'accept', listening: { kind: 'listen', host: 'localhost', port: 1 }, port: 1, from: { host, port } });
    assert.equal(from('fe80::1%eth0').operation.facts['originator_host'], 'fe80::1');
    assert.equal(from('UNKNOWN', 0).refusal, undefined);
    for (const host of ['a b', '10.0.0.5\n', '', '\u001b[2J', '%eth0']) {
      assert.ok(from(host).refusal !== undefined, host);
      assert.ok(!from(host).operation.text.includes(host) || host === '', host);
    }
    assert.ok(from('10.0.0.5', 70_000).refusal !== undefined);
  });

  it('is none that the configuration gives to a target of the gateway, at whatever address', () => {
    const rules = [forwardRule('127.0.0.1', 5432, 'orders'), forwardRule('cache.internal', 6379, undefined)];
    for (const host of ['', 'localhost', '127.0.0.1', '10.0.0.7']) {
      assert.match(String(asked({ kind: 'listen', host, port: 5432 }, rules).refusal?.publicMessage), /gives to target orders/);
    }
    assert.equal(asked({ kind: 'listen', host: '', port: 6379 }, rules).refusal, undefined);
    assert.equal(asked({ kind: 'listen', host: '', port: 15_432 }, rules).refusal, undefined);
    assert.ok(isTaken(5432, rules) !== undefined, 'as the target chose it');
  });

  it('is none of a target for reading only', () => {
    const readOnly = testContext(nodeCrypto, { readOnly: true });
    for (const request of [
      { kind: 'listen', host: '', port: 1 },
      { kind: 'listen-socket', path: '/x' },
    ] as const) {
      assert.equal(forwardOperation(readOnly, request, []).refusal?.code, 'read-only');
    }
  });
});
