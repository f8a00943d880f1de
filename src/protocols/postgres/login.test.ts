import assert from 'node:assert/strict';
import { createHash, createHmac, pbkdf2Sync } from 'node:crypto';
import { describe, it } from 'node:test';
import * as encode from './encode.ts';
import type { PostgresTarget } from './environment.ts';
import { catalogue, classes, error, fresh, joined } from './fixture.test.ts';
import type { TestGateway } from './testing/gateway.ts';
import { transcript } from './testing/transcript.ts';
import { fixedCatalogue } from './testing/fixed-catalogue.ts';

const settings = [
  encode.parameterStatus('client_encoding', 'UTF8'),
  encode.backendKeyData(7, new Uint8Array([9, 9, 9, 9])),
  encode.readyForQuery('I'),
];

describe('signing on at the target', () => {
  it('without a password, where the target asks for none', () => {
    const gateway = connected();
    gateway.upstream(encode.authenticationOk(), ...settings);
    assert.deepEqual(
      transcript(gateway.toClient),
      ['AuthenticationOk', 'ParameterStatus(client_encoding=UTF8)', 'BackendKeyData', 'ReadyForQuery'].map(named),
    );
  });

  it('gives the client a cancel key of the gateway’s own, never the target’s', () => {
    const gateway = connected();
    gateway.upstream(encode.authenticationOk(), ...settings);
    const key = gateway.toClient.find((bytes) => bytes[0] === 0x4b)!;
    assert.equal(new DataView(key.buffer, key.byteOffset).getInt32(5), 7);
    assert.notDeepEqual([...key.subarray(9)], [9, 9, 9, 9]);
    assert.equal(key.length, 13);
  });

  it('with a password, only inside TLS', () => {
    const gateway = connected();
    gateway.upstream(encode.authenticationCleartextPassword());
    assert.equal(codeOf(gateway), 'upstream-refused');
    assert.equal(sent(gateway).includes('upstream secret'), false);
    const secured = connected({ tls: true });
    secured.upstream(new Uint8Array([0x53]), encode.authenticationCleartextPassword(), encode.authenticationOk(), ...settings);
    assert.equal(sent(secured).includes('upstream secret'), true);
    assert.equal(transcript(secured.toClient).at(-1), 'Ready(I)');
  });

  it('with MD5', () => {
    const gateway = connected();
    const salt = Buffer.from([1, 2, 3, 4]);
    gateway.upstream(authentication(5, salt), encode.authenticationOk(), ...settings);
    const inner = createHash('md5').update('upstream secretgw').digest('hex');
    const answer = createHash('md5').update(inner).update(salt).digest('hex');
    assert.equal(sent(gateway).includes(`md5${answer}\0`), true);
    assert.equal(transcript(gateway.toClient).at(-1), 'Ready(I)');
  });

  it('with SCRAM, the server’s proof checked', () => {
    const gateway = connected();
    scram(gateway, 'upstream secret');
    gateway.upstream(encode.authenticationOk(), ...settings);
    assert.equal(transcript(gateway.toClient).at(-1), 'Ready(I)');
  });

  it('with SCRAM at a server that does not know the password is refused', () => {
    const gateway = connected();
    scram(gateway, 'another');
    assert.notEqual(codeOf(gateway), undefined);
    assert.equal(transcript(gateway.toClient).at(-1)?.startsWith('Error'), true);
  });

  it('with SCRAM is not over before the server has proved itself', () => {
    for (const steps of [1, 2]) {
      const gateway = connected();
      scram(gateway, 'upstream secret', steps);
      gateway.upstream(encode.authenticationOk());
      assert.equal(codeOf(gateway), 'upstream-refused');
    }
  });

  it('answers one question for a password: a second could only be after a weaker proof', () => {
    const saslFirst = connected({ tls: true });
    saslFirst.upstream(new Uint8Array([0x53]), encode.authenticationSASL(['SCRAM-SHA-256']), encode.authenticationCleartextPassword());
    assert.equal(codeOf(saslFirst), 'upstream-refused');
    assert.equal(sent(saslFirst).includes('upstream secret'), false);
    for (const again of [encode.authenticationSASL(['SCRAM-SHA-256']), authentication(5, Buffer.alloc(4))]) {
      const gateway = connected();
      gateway.upstream(authentication(5, Buffer.alloc(4)), again);
      assert.equal(codeOf(gateway), 'upstream-refused');
    }
  });

  it('in a way that the gateway does not speak is refused', () => {
    for (const kind of [2, 6, 7, 8, 9]) {
      const gateway = connected();
      gateway.upstream(authentication(kind, kind === 8 ? Buffer.alloc(4) : Buffer.alloc(0)));
      assert.notEqual(codeOf(gateway), undefined, String(kind));
    }
    const gateway = connected();
    gateway.upstream(encode.authenticationSASL(['PLAIN', 'OAUTHBEARER']));
    assert.notEqual(codeOf(gateway), undefined);
  });

  it('tells the client why the target refused by its code alone', () => {
    const gateway = connected();
    gateway.upstream(error('28P01', 'password authentication failed for user "gw" at 10.0.0.7'));
    assert.equal(codeOf(gateway), 'upstream-refused');
    assert.equal(Buffer.concat(gateway.toClient).includes('10.0.0.7'), false);
    assert.equal(Buffer.concat(gateway.toClient).includes('28P01'), true);
  });

  it('out of order is refused', () => {
    const key = settings[1]!;
    for (const messages of [
      [encode.readyForQuery('I')],
      [settings[0]!],
      [key],
      [encode.authenticationOk(), encode.authenticationOk()],
      [encode.authenticationOk(), key, key],
      [encode.authenticationOk(), encode.authenticationCleartextPassword()],
      [encode.authenticationSASLFinal(new Uint8Array(0))],
      [encode.authenticationSASLContinue(new Uint8Array(0))],
      [encode.commandComplete('SELECT 1')],
      [encode.rowDescription([])],
      [encode.notificationResponse(1, 'a', 'b')],
    ]) {
      const gateway = connected();
      gateway.upstream(...messages);
      assert.match(codeOf(gateway) ?? '', /upstream-refused|protocol-violation/, String(messages[0]![0]));
    }
  });

  it('at a server that reads statements another way is refused', () => {
    for (const status of [
      encode.parameterStatus('client_encoding', 'SJIS'),
      encode.parameterStatus('standard_conforming_strings', 'off'),
    ]) {
      const gateway = connected();
      gateway.upstream(encode.authenticationOk(), status);
      assert.equal(codeOf(gateway), 'upstream-refused');
    }
  });
});

describe('TLS with the target', () => {
  it('is never done without where it is configured', () => {
    for (const answer of ['N', 'E', 'x']) {
      const gateway = connected({ tls: true });
      gateway.upstream(Buffer.from(answer));
      assert.equal(codeOf(gateway), 'upstream-refused', answer);
      assert.equal(gateway.toServer.length, 1);
    }
  });

  it('with bytes behind the answer is refused', () => {
    const gateway = connected({ tls: true });
    gateway.upstream(joined([Buffer.from('S'), encode.authenticationOk()]));
    assert.equal(codeOf(gateway), 'upstream-refused');
  });

  it('comes before anything that is secret', () => {
    const gateway = connected({ tls: true });
    assert.deepEqual(gateway.toServer, [encode.sslRequest()]);
  });
});

it('statements sent ahead of the sign-on wait for it', () => {
  const gateway = connected();
  gateway.client(encode.query('select 1'));
  gateway.upstream(encode.authenticationOk());
  assert.deepEqual(gateway.operations, []);
  gateway.upstream(...settings);
  assert.equal(gateway.operations.length, 1);
});

it('a client that sends without end ahead of the sign-on is stopped', () => {
  const gateway = connected();
  const chunk = new Uint8Array(16 * 1024 * 1024);
  for (let count = 0; count < 7 && gateway.ended === undefined; count += 1) gateway.client(chunk);
  assert.equal(codeOf(gateway), 'limit-exceeded');
});

function connected(target: Partial<PostgresTarget> = {}): TestGateway {
  const whole: PostgresTarget = {
    name: 'orders',
    user: 'gw',
    password: 'upstream secret',
    database: 'orders',
    tls: false,
    classes,
    ...fixedCatalogue(catalogue),
    ...target,
  };
  const gateway = fresh({ environment: { target: () => whole } });
  const parameters = [
    { name: 'user', value: 'agent' },
    { name: 'database', value: 'orders' },
  ];
  gateway.client(encode.startupMessage(0, parameters), encode.passwordMessage('token'));
  gateway.toClient.splice(0, 1);
  return gateway;
}

/** A server's side of SCRAM-SHA-256 (RFC 5802), each message made when it is asked for, from what the gateway sent. */
function* scramMessages(gateway: TestGateway, password: string): Generator<Uint8Array> {
  yield encode.authenticationSASL(['SCRAM-SHA-256']);
  const first = Buffer.from(gateway.toServer.at(-1)!).toString().split('n,,')[1]!;
  const nonce = `${/r=([^,]*)/.exec(first)![1]}server`;
  const salt = Buffer.from('salt');
  const challenge = `r=${nonce},s=${salt.toString('base64')},i=4096`;
  yield encode.authenticationSASLContinue(Buffer.from(challenge));
  const final = Buffer.from(gateway.toServer.at(-1)!.subarray(5)).toString();
  const salted = pbkdf2Sync(password, salt, 4_096, 32, 'sha256');
  const serverKey = createHmac('sha256', salted).update('Server Key').digest();
  const signed = `${first},${challenge},${final.slice(0, final.lastIndexOf(',p='))}`;
  yield encode.authenticationSASLFinal(Buffer.from(`v=${createHmac('sha256', serverKey).update(signed).digest('base64')}`));
}

/** The server's part of the exchange, or its first `steps` messages. */
function scram(gateway: TestGateway, password: string, steps = 3): void {
  const messages = scramMessages(gateway, password);
  for (let step = 0; step < steps; step += 1) gateway.upstream(messages.next().value as Uint8Array);
}

function authentication(kind: number, data: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(9 + data.length);
  bytes[0] = 0x52;
  new DataView(bytes.buffer).setInt32(1, 8 + data.length);
  new DataView(bytes.buffer).setInt32(5, kind);
  bytes.set(data, 9);
  return bytes;
}

function sent(gateway: TestGateway): string {
  return Buffer.concat(gateway.toServer).toString('latin1');
}

function named(word: string): string {
  return word === 'ReadyForQuery' ? 'Ready(I)' : word;
}

function codeOf(gateway: TestGateway): string | undefined {
  return (gateway.ended as { code?: string } | undefined)?.code;
}
