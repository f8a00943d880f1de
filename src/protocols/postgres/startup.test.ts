import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { everySplit } from '../../core/testing/every-split.ts';
import * as encode from './encode.ts';
import type { PostgresEnvironment } from './environment.ts';
import { fresh, joined, ready } from './fixture.test.ts';
import type { StartupParameter } from './messages.ts';
import type { TestGateway } from './testing/gateway.ts';
import { transcript } from './testing/transcript.ts';

const user = { name: 'user', value: 'agent' };
const database = { name: 'database', value: 'orders' };

describe('a startup packet', () => {
  it('leads to the question for a token, to sign-in and to the target', () => {
    const gateway = start();
    gateway.client(startup());
    assert.deepEqual(transcript(gateway.toClient), ['AuthenticationCleartextPassword']);
    gateway.client(encode.passwordMessage('token'));
    assert.deepEqual(parametersSent(gateway), [
      ['user', 'gw'],
      ['database', 'orders'],
      ['client_encoding', 'UTF8'],
      ['standard_conforming_strings', 'on'],
    ]);
  });

  it('brings settings along, those of options too; the last of a name wins', () => {
    const sent = parametersOf([
      { name: 'application_name', value: 'psql' },
      { name: 'options', value: '-c statement_timeout=1s --search_path=a\\ b -cstatement_timeout=2s' },
    ]);
    assert.deepEqual(sent.slice(4), [
      ['application_name', 'psql'],
      ['statement_timeout', '2s'],
      ['search_path', 'a b'],
    ]);
  });

  it('that names a parameter twice is refused', () => refused([user, user, database], 'protocol-violation'));

  it('without a user is refused', () => refused([database], 'protocol-violation'));

  it('for replication is refused, however it is spelled', () => {
    for (const value of ['true', 'database', 'off', '0', '']) refused([user, database, { name: 'replication', value }], 'unsupported');
    refused([user, database, { name: 'Replication', value: 'database' }], 'unsupported');
    refused([user, database, { name: 'options', value: '-c replication=database' }], 'unsupported');
  });

  it('cannot become somebody else at the target, or reach another database there, by a setting of that name', () => {
    for (const name of ['User', 'DATABASE', 'Options']) refused([user, database, { name, value: 'postgres' }], 'unsupported');
    for (const name of ['user', 'database', 'options', 'role', 'Session_Authorization']) {
      refused([user, database, { name: 'options', value: `-c ${name}=postgres` }], 'unsupported');
      refused([user, database, { name: 'options', value: `--${name}=postgres` }], 'unsupported');
    }
    for (const name of ['', ' user', 'user ', 'a b', 'é', "a'b", '.', 'a.']) {
      if (name !== '') refused([user, database, { name, value: 'x' }], 'unsupported');
    }
  });

  it('cannot change how statements are read', () => {
    for (const [name, value] of [
      ['client_encoding', 'SJIS'],
      ['Client_Encoding', 'LATIN1'],
      ['standard_conforming_strings', 'off'],
      ['backslash_quote', 'on'],
    ] as const) {
      refused([user, database, { name, value }], 'unsupported');
      refused([user, database, { name: 'options', value: `-c ${name}=${value}` }], 'unsupported');
    }
    for (const value of ['UTF8', 'utf-8', 'Unicode', "'utf-8'", 'auto', 'SQL_ASCII']) {
      assert.deepEqual(parametersOf([{ name: 'client_encoding', value }])[2], ['client_encoding', 'UTF8']);
    }
  });

  it('with options that are no settings is refused', () => {
    for (const value of ['-d 5', '-c', '-c =x', 'role=x', '-c role', '--', '-W 3'])
      refused([user, database, { name: 'options', value }], 'unsupported');
  });

  it('asks policy for the settings that are not free', () => {
    const gateway = start();
    const asked = signIn(gateway, [user, database, { name: 'options', value: '-c work_mem=1GB -c statement_timeout=1s' }]);
    assert.deepEqual(asked, ['connect Target orders', 'sql:set Setting orders/work_mem']);
  });

  it('names a database of the target behind a slash; its own is the same with and without', () => {
    assert.deepEqual(parametersOf([], 'orders/archive')[1], ['database', 'archive']);
    assert.deepEqual(parametersOf([], 'orders/orders')[1], ['database', 'orders']);
    refused([user, { name: 'database', value: 'orders/' }], 'protocol-violation');
    assert.deepEqual(signIn(start(), [user, { name: 'database', value: 'orders/archive' }]), [
      'connect Target orders',
      'connect Database orders/archive',
    ]);
  });

  it('of a protocol that is newer is answered with the one that is spoken', () => {
    for (const [minor, spoken] of [
      [0, undefined],
      [1, 0],
      [2, undefined],
      [3, 2],
      [9_999, 2],
    ] as const) {
      const gateway = start();
      gateway.client(encode.startupMessage(minor, [user, database]));
      const words = transcript(gateway.toClient);
      assert.equal(words.includes('NegotiateProtocolVersion'), spoken !== undefined);
      if (spoken !== undefined) assert.deepEqual(gateway.toClient[0], encode.negotiateProtocolVersion(spoken, []));
    }
    const gateway = start();
    gateway.client(encode.startupMessage(2, [user, database, { name: '_pq_.magic', value: '1' }]));
    assert.deepEqual(gateway.toClient[0], encode.negotiateProtocolVersion(2, ['_pq_.magic']));
  });

  it('of another major version is refused', () => {
    for (const code of [0, 131_072, 262_144, 0x7fff_ffff, 1_234 * 65_536 + 5_681]) {
      const gateway = start();
      gateway.client(packet(code));
      assert.equal(codeOf(gateway), 'protocol-violation');
    }
  });

  it('of an impossible or excessive length is refused before it is read', () => {
    for (const length of [0, 1, 3, 4, 7, 10_001, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff]) {
      const gateway = start();
      const bytes = new Uint8Array(8);
      new DataView(bytes.buffer).setUint32(0, length);
      gateway.client(bytes);
      assert.match(codeOf(gateway) ?? '', /protocol-violation|limit-exceeded/, String(length));
    }
  });

  it('comes once', () => {
    const gateway = start();
    gateway.client(startup());
    gateway.client(startup());
    assert.equal(codeOf(gateway), 'protocol-violation');
    const later = ready();
    later.client(startup());
    assert.equal(codeOf(later), 'protocol-violation');
  });

  it('is the same at every cut', () => {
    everySplit(joined([startup(), encode.passwordMessage('token')]), (chunks) => {
      const gateway = start();
      for (const chunk of chunks) gateway.client(chunk);
      assert.equal(parametersSent(gateway).length, 4);
    });
  });
});

describe('encryption', () => {
  it('that is asked for begins', () => {
    const gateway = start({ canEncrypt: true, unsafePlaintext: false });
    gateway.client(encode.sslRequest());
    assert.deepEqual(gateway.toClient, [new Uint8Array([0x53])]);
    gateway.client(startup());
    assert.deepEqual(transcript(gateway.toClient.slice(1)), ['AuthenticationCleartextPassword']);
  });

  it('is demanded', () => {
    const gateway = start({ canEncrypt: true, unsafePlaintext: false });
    gateway.client(startup());
    assert.equal(codeOf(gateway), 'encryption-required');
  });

  it('with bytes sent ahead of the handshake ends the connection: they would be read as if they had come after it', () => {
    for (const ahead of [startup(), new Uint8Array([0]), new Uint8Array([0x16])]) {
      const gateway = start({ canEncrypt: true });
      gateway.client(joined([encode.sslRequest(), ahead]));
      assert.equal(codeOf(gateway), 'protocol-violation');
    }
  });

  it('is asked for once', () => {
    const gateway = start({ canEncrypt: true });
    gateway.client(encode.sslRequest(), encode.sslRequest());
    assert.equal(codeOf(gateway), 'protocol-violation');
    const plain = start();
    plain.client(encode.sslRequest());
    assert.deepEqual(plain.toClient, [new Uint8Array([0x4e])]);
    plain.client(encode.sslRequest());
    assert.equal(codeOf(plain), 'protocol-violation');
  });

  it('by GSSAPI is declined, once; TLS may follow', () => {
    const gateway = start({ canEncrypt: true });
    gateway.client(packet(80_877_104), encode.sslRequest());
    assert.deepEqual(gateway.toClient, [new Uint8Array([0x4e]), new Uint8Array([0x53])]);
    const again = start();
    again.client(packet(80_877_104), packet(80_877_104));
    assert.equal(codeOf(again), 'protocol-violation');
  });

  it('without being asked for (direct TLS) needs the protocol’s own ALPN name', () => {
    const gateway = start({ canEncrypt: true, unsafePlaintext: false });
    gateway.client(new Uint8Array([0x16, 3, 1, 0, 5]));
    gateway.client(startup());
    assert.deepEqual(transcript(gateway.toClient), ['AuthenticationCleartextPassword']);
    const without = start({ canEncrypt: false });
    without.client(new Uint8Array([0x16, 3, 1, 0, 5, 1, 2, 3]));
    assert.notEqual(codeOf(without), undefined);
  });
});

describe('a cancel request', () => {
  it('is no session: it names a key and ends', () => {
    const gateway = start();
    gateway.client(encode.cancelRequest({ processId: 1, secretKey: new Uint8Array([1, 2, 3, 4]) }));
    assert.equal(gateway.ended, 'closed');
    assert.deepEqual(gateway.toClient, []);
  });

  it('with a key too short or too long is refused', () => {
    for (const length of [0, 3, 257]) {
      const gateway = start();
      gateway.client(encode.cancelRequest({ processId: 1, secretKey: new Uint8Array(length) }));
      assert.equal(codeOf(gateway), 'protocol-violation');
    }
  });
});

describe('a token', () => {
  it('comes in a password message and in nothing else', () => {
    for (const message of [
      encode.query('select 1'),
      encode.emptyClientMessage('Sync'),
      encode.parse({ name: '', query: '', parameterTypes: [] }),
    ]) {
      const gateway = start();
      gateway.client(startup(), message);
      assert.equal(codeOf(gateway), 'protocol-violation');
    }
  });

  it('comes once: after sign-in a password message is a violation', () => {
    const gateway = ready();
    gateway.client(encode.passwordMessage('again'));
    assert.equal(codeOf(gateway), 'protocol-violation');
  });

  it('by OAUTHBEARER that is refused is told so in the mechanism’s own way, then in words', () => {
    const gateway = start({ clientAuth: 'oauthbearer', openidConfiguration: 'https://ci.test/.well-known/openid-configuration' });
    gateway.client(startup());
    assert.deepEqual(transcript(gateway.toClient), ['AuthenticationSASL']);
    gateway.client(encode.saslInitialResponse('OAUTHBEARER', Buffer.from('n,,\u0001auth=\u0001\u0001')));
    assert.deepEqual(transcript(gateway.toClient.splice(0)), ['AuthenticationSASL', 'AuthenticationSASLContinue']);
    gateway.client(encode.saslResponse(new Uint8Array([1])));
    assert.deepEqual(transcript(gateway.toClient), ['Error(28P01)']);
    assert.equal(codeOf(gateway), 'authentication-failed');
  });
});

function start(environment: Partial<PostgresEnvironment> = {}): TestGateway {
  return fresh({ environment });
}

function startup(parameters: readonly StartupParameter[] = [user, database]): Uint8Array {
  return encode.startupMessage(0, parameters);
}

function refused(parameters: readonly StartupParameter[], code: string): void {
  const gateway = start();
  gateway.client(startup(parameters));
  assert.equal(codeOf(gateway), code, JSON.stringify(parameters));
  assert.deepEqual(gateway.toServer, []);
}

function signIn(gateway: TestGateway, parameters: readonly StartupParameter[]): string[] {
  gateway.client(startup(parameters), encode.passwordMessage('token'));
  return gateway.signIns.flatMap((request) => request.acts('orders').map(({ action, object }) => `${action} ${object.type} ${object.id}`));
}

function parametersOf(extra: readonly StartupParameter[], target = 'orders'): string[][] {
  const gateway = start();
  gateway.client(startup([user, { name: 'database', value: target }, ...extra]), encode.passwordMessage('token'));
  if (gateway.ended !== undefined) assert.fail(String(codeOf(gateway)));
  return parametersSent(gateway);
}

/** Of the startup packet that went to the target. */
function parametersSent(gateway: TestGateway): string[][] {
  assert.equal(gateway.toServer.length, 1);
  const words = Buffer.from(gateway.toServer[0]!.subarray(8)).toString().split('\0').slice(0, -2);
  return Array.from({ length: words.length / 2 }, (_, index) => words.slice(2 * index, 2 * index + 2));
}

function packet(code: number): Uint8Array {
  const bytes = new Uint8Array(8);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, 8);
  view.setUint32(4, code);
  return bytes;
}

function codeOf(gateway: TestGateway): string | undefined {
  return (gateway.ended as { code?: string } | undefined)?.code;
}
