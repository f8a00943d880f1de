import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { freePort } from '../../src/cli/demo/free-port.ts';
import { eventually, startBank, type Bank } from '../harness.ts';
import { fieldsOf, gssEncRequest, int32, sslRequest, startupPacket, Wire, type WireMessage } from './drivers/wire.ts';

const parameters = [
  ['user', 'ci'],
  ['database', 'orders'],
] as const;

let bank: Bank;
let port: number;
let ca: string;
before(async () => {
  port = await freePort();
  bank = await startBank({
    adjust: (config) => Object.assign(config.targets!.orders as object, { client_auth: 'oauthbearer', listen: `127.0.0.1:${port}` }),
  });
  ca = readFileSync(bank.authorityFile, 'utf8');
});
after(async () => {
  await bank.close();
});

describe('OAUTHBEARER (RFC 7628) on a target’s own port', () => {
  it('lets a token in, and the session works', async () => {
    const wire = await encrypted();
    await offered(wire);
    wire.send('p', ...bearer(await bank.issuer.mint('pipeline')));
    assert.equal((await wire.receive()).body.readInt32BE(0), authenticationOk);
    await wire.receiveUntil('Z');
    assert.deepEqual(await query(wire, "select 'hello'"), ['T', 'D', 'C', 'Z']);
    wire.close();
  });

  for (const [what, response] of [
    ['a token that is none', 'n,,\u0001auth=Bearer eyJhbGciOiJub25lIn0.e30.\u0001\u0001'],
    ['the question where the issuer is', 'n,,\u0001auth=\u0001\u0001'],
  ] as const) {
    it(`answers ${what} with the issuer, then fails`, async () => {
      const wire = await encrypted();
      await offered(wire);
      wire.send('p', 'OAUTHBEARER', int32(Buffer.byteLength(response)), Buffer.from(response));
      const problem = await wire.receive();
      assert.equal(problem.body.readInt32BE(0), authenticationSaslContinue);
      const result = JSON.parse(problem.body.toString('utf8', 4)) as Record<string, string>;
      assert.equal(result.status, 'invalid_token');
      assert.equal(result['openid-configuration'], `${bank.issuer.issuer}/.well-known/openid-configuration`);
      wire.send('p', Buffer.from([1]));
      await assertRefused(wire, '28P01');
    });
  }

  it('lets nobody in whom policy does not', async () => {
    const wire = await encrypted();
    await offered(wire);
    wire.send('p', ...bearer(await bank.issuer.mint('stranger')));
    assert.equal((await wire.receive()).body.readInt32BE(0), authenticationSaslContinue);
    wire.send('p', Buffer.from([1]));
    await assertRefused(wire, '28000');
  });

  it('ends for whatever is not the exchange', async () => {
    const token = await bank.issuer.mint('pipeline');
    for (const parts of [
      [token],
      ['SCRAM-SHA-256', int32(3), Buffer.from('n,,')],
      ['OAUTHBEARER', int32(-1)],
      sasl(`p=tls-exporter,,\u0001auth=Bearer ${token}\u0001\u0001`),
      sasl(`n,a=root,\u0001auth=Bearer ${token}\u0001\u0001`),
      sasl(`n,,\u0001auth=Bearer ${token}\u0001auth=Bearer ${token}\u0001\u0001`),
      sasl(`n,,\u0001auth=Basic ${token}\u0001\u0001`),
      sasl(`n,,\u0001auth=Bearer ${token}\u0001`),
    ]) {
      const wire = await encrypted();
      await offered(wire);
      wire.send('p', ...parts);
      await assertRefused(wire, '08P01');
    }
    const wire = await encrypted();
    await offered(wire);
    wire.send('p', ...sasl('n,,\u0001auth=\u0001\u0001'));
    await wire.receive();
    wire.send('p', ...bearer(token));
    await assertRefused(wire, '08P01');
  });
});

describe('encryption', () => {
  it('begins with the first byte where the client says so by ALPN, and only then', async () => {
    const wire = await Wire.openTls(port, ca, ['postgresql']);
    wire.startup(0, parameters);
    await signIn(wire);
    assert.deepEqual(await query(wire, 'select 1'), ['T', 'D', 'C', 'Z']);
    wire.close();

    const silent = await Wire.openTls(port, ca, []);
    silent.startup(0, parameters);
    await assertRefused(silent, '08P01');
    await assert.rejects(Wire.openTls(port, ca, ['h2']));
  });

  it('is not entered with bytes that came ahead of it', async () => {
    for (const smuggled of [startupPacket(0, parameters), Buffer.from([0]), sslRequest]) {
      const wire = await Wire.open(port);
      wire.write(Buffer.concat([sslRequest, smuggled]));
      await assertRefused(wire, '08P01');
    }
  });

  it('is not GSSAPI, and may be TLS after that', async () => {
    const wire = await Wire.open(port);
    wire.write(gssEncRequest);
    assert.equal(await wire.byte(), 'N');
    await wire.encrypt(ca);
    wire.startup(0, parameters);
    await signIn(wire);
    wire.close();
  });

  it('is not done without', async () => {
    const wire = await Wire.open(port);
    wire.startup(0, parameters);
    await assertRefused(wire, '28000');
  });
});

describe('start-up', () => {
  it('speaks protocol 3.2, whose cancel key has 32 bytes', async () => {
    const wire = await encrypted(2);
    const messages = await signIn(wire);
    const key = messages.find(({ tag }) => tag === 'K')!.body;
    assert.equal(key.length, 4 + 32);
    assert.ok(!messages.some(({ tag }) => tag === 'v'));

    wire.send('Q', 'select count(*) from generate_series(1, 1000000000)');
    await eventually('the statement', async () => (await bank.direct(running)).rows[0]);
    for (const forged of [Buffer.concat([key.subarray(0, 4), Buffer.alloc(32)]), key.subarray(0, 8)]) {
      await cancel(forged);
      assert.equal((await bank.direct(running)).rows.length, 1);
    }
    await cancel(key);
    const [error] = await wire.receiveUntil('E').then((all) => all.slice(-1));
    assert.equal(fieldsOf(error!).get('C'), '57014');
    await wire.receiveUntil('Z');
    assert.deepEqual(await query(wire, 'select 1'), ['T', 'D', 'C', 'Z']);
    wire.close();
  });

  it('has a cancel key of 4 bytes in protocol 3.0', async () => {
    const wire = await encrypted(0);
    const messages = await signIn(wire);
    assert.equal(messages.find(({ tag }) => tag === 'K')!.body.length, 8);
    wire.close();
  });

  it('negotiates what it does not know', async () => {
    const wire = await Wire.open(port);
    await wire.encrypt(ca);
    wire.startup(9_999, [...parameters, ['_pq_.first', '1'], ['_pq_.second', 'x']]);
    const { tag, body } = await wire.receive();
    assert.equal(tag, 'v');
    assert.equal(body.readInt32BE(0) & 0xffff, 2);
    assert.equal(body.readInt32BE(4), 2);
    assert.equal(body.toString('utf8', 8), '_pq_.first\0_pq_.second\0');
    const messages = await signIn(wire);
    assert.equal(messages.find(({ tag: found }) => found === 'K')!.body.length, 4 + 32);
    wire.close();
  });

  for (const [what, more, code] of [
    ['replication', [['replication', 'database']], '0A000'],
    ['replication, by any spelling', [['replication', '1']], '0A000'],
    ['a parameter twice', [['user', 'root']], '08P01'],
    [
      'a parameter twice that is a setting',
      [
        ['application_name', 'a'],
        ['application_name', 'b'],
      ],
      '08P01',
    ],
    ['another encoding', [['client_encoding', 'SJIS']], '0A000'],
    ['another role', [['options', '-c role=postgres']], '0A000'],
  ] as const) {
    it(`refuses ${what}`, async () => {
      const wire = await Wire.open(port);
      await wire.encrypt(ca);
      wire.startup(0, [...parameters, ...more]);
      await assertRefused(wire, code);
    });
  }

  it('refuses another major version', async () => {
    const wire = await Wire.open(port);
    await wire.encrypt(ca);
    wire.write(Buffer.concat([int32(9), int32(4 << 16), Buffer.from([0])]));
    await assertRefused(wire, '0?8P01|0A000');
  });
});

describe('a ready session', () => {
  it('refuses the function call message in its place, and goes on', async () => {
    const wire = await encrypted();
    await signIn(wire);
    wire.send('F', int32(1), Buffer.from([0, 0, 0, 0, 0, 0]));
    const [refusal, ready, ...more] = await wire.receiveUntil('Z');
    assert.deepEqual([refusal?.tag, ready?.tag, more.length], ['E', 'Z', 0]);
    const fields = fieldsOf(refusal!);
    assert.deepEqual([fields.get('S'), fields.get('C')], ['ERROR', '0A000']);
    assert.deepEqual(await query(wire, 'select 1'), ['T', 'D', 'C', 'Z']);
    wire.close();
  });
});

const authenticationOk = 0;
const authenticationSasl = 10;
const authenticationSaslContinue = 11;
const running = `select 1 from pg_stat_activity where state = 'active' and query like '%generate_series(1, 1000000000)%' and pid <> pg_backend_pid()`;

async function encrypted(minor = 0): Promise<Wire> {
  const wire = await Wire.open(port);
  await wire.encrypt(ca);
  wire.startup(minor, parameters);
  return wire;
}

async function offered(wire: Wire): Promise<void> {
  const { tag, body } = await wire.receive();
  assert.equal(tag, 'R');
  assert.equal(body.readInt32BE(0), authenticationSasl);
  assert.equal(body.toString('utf8', 4), 'OAUTHBEARER\0\0');
}

async function signIn(wire: Wire): Promise<readonly WireMessage[]> {
  await offered(wire);
  wire.send('p', ...bearer(await bank.issuer.mint('pipeline')));
  const messages = await wire.receiveUntil('ZE');
  assert.equal(messages.at(-1)?.tag, 'Z');
  return messages;
}

const bearer = (token: string) => sasl(`n,,\u0001auth=Bearer ${token}\u0001\u0001`);

function sasl(response: string): readonly (Uint8Array | string)[] {
  return ['OAUTHBEARER', int32(Buffer.byteLength(response)), Buffer.from(response)];
}

async function query(wire: Wire, sql: string): Promise<readonly string[]> {
  wire.send('Q', sql);
  return (await wire.receiveUntil('Z')).map(({ tag }) => tag);
}

async function cancel(key: Buffer): Promise<void> {
  const wire = await Wire.open(port);
  wire.write(Buffer.concat([int32(8 + key.length), int32(80_877_102), key]));
  assert.equal((await wire.receive()).tag, '');
  wire.close();
}

/** A FATAL error with this SQLSTATE, then the end. */
async function assertRefused(wire: Wire, code: string): Promise<void> {
  const [first, second] = [await wire.receive(), await wire.receive()];
  assert.equal(first.tag, 'E');
  const fields = fieldsOf(first);
  assert.equal(fields.get('S'), 'FATAL');
  assert.match(fields.get('C') ?? '', new RegExp(`^(?:${code})$`), fields.get('M'));
  assert.equal(second.tag, '');
  wire.close();
}
