import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { GatewayFault } from '../../core/fault.ts';
import { nodeCrypto } from '../../net/crypto.ts';
import { destinationOf, isReserved } from './destination.ts';
import { forwardOperation, type ForwardRequest, type ForwardRule } from './forward.ts';
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
    for (const host of ['', '*', '0.0.0.0', '::'])
      assert.equal(object({ kind: 'listen', host, port: 8080 }), 'ssh:forward-remote web-1/listen:*:8080');
    assert.equal(object({ kind: 'listen', host: 'localhost', port: 0 }), 'ssh:forward-remote web-1/listen:localhost:0');
    assert.equal(object({ kind: 'listen-socket', path: '/run/x' }), 'ssh:forward-remote web-1/listen:/run/x');
    assert.equal(object({ kind: 'accepted', listening: 'localhost:8080' }), 'ssh:forward-remote web-1/listen:localhost:8080');
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
      { kind: 'accepted', listening: 'a:1' },
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
