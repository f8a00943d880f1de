import 'reflect-metadata';
import assert from 'node:assert/strict';
import { webcrypto } from 'node:crypto';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import * as x509 from '@peculiar/x509';
import pg from 'pg';
import { createDemoAuthority } from '../../src/cli/demo/certificates.ts';
import { freePort } from '../../src/cli/demo/free-port.ts';
import { startBank, type Bank } from '../harness.ts';
import { startPostgres15, type Postgres15 } from '../parts/postgres15.ts';

const secret = 'the-secret-of-the-target';
const hba = `
host    all  postgres     127.0.0.1/32  scram-sha-256
host    all  scram_role   127.0.0.1/32  scram-sha-256
host    all  md5_role     127.0.0.1/32  md5
host    all  clear_role   127.0.0.1/32  password
hostssl all  paper_role   127.0.0.1/32  cert
`;
const roles = `
create role scram_role login password '${secret}';
create role clear_role login password '${secret}';
create role paper_role login;
set password_encryption = 'md5';
create role md5_role login password '${secret}';
create database shop;
`;

let folder: string;
let secured: Postgres15;
let plain: Postgres15;
let eavesdropper: { readonly port: number; readonly heard: () => string; close(): void };
let bank: Bank;

before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sallyport-upstream-'));
  chmodSync(folder, 0o711);
  const [authority, stranger, paper] = [await createDemoAuthority(), await createDemoAuthority(), await selfSigned('paper_role')];
  const put = (name: string, text: string): string => {
    writeFileSync(join(folder, name), text);
    return `file:${join(folder, name)}`;
  };
  const ca = put('ca.crt', authority.certificate);
  const strangerCa = put('stranger.crt', stranger.certificate);
  const tls = { ...(await authority.issue(['localhost'])), clientAuthority: paper.certificate };
  secured = await startPostgres15({ folder: join(folder, 'secured'), hba, tls });
  plain = await startPostgres15({ folder: join(folder, 'plain'), hba });
  for (const server of [secured, plain]) await asSuperuser(server, roles);
  eavesdropper = await startEavesdropper();

  const verified = { host: 'localhost', port: secured.port, database: 'shop', unsafe_password: secret, tls: 'verify-full', ca };
  const unencrypted = { host: '127.0.0.1', port: plain.port, database: 'shop', unsafe_password: secret, tls: 'unsafe_disable' };
  const downPort = await freePort();
  const certificate = put('paper.crt', paper.certificate);
  const key = put('paper.key', paper.key);
  const upstreams: Record<string, object> = {
    'scram-tls': { ...verified, user: 'scram_role' },
    'scram-plain': { ...unencrypted, user: 'scram_role' },
    'scram-unverified': { ...verified, user: 'scram_role', ca: undefined, tls: 'unsafe_require' },
    'scram-any-name': { ...verified, user: 'scram_role', host: '127.0.0.1', tls: 'verify-ca' },
    'md5-tls': { ...verified, user: 'md5_role' },
    'md5-plain': { ...unencrypted, user: 'md5_role' },
    'clear-tls': { ...verified, user: 'clear_role' },
    certificate: { ...verified, user: 'paper_role', unsafe_password: undefined, certificate, key },
    'clear-plain': { ...unencrypted, user: 'clear_role' },
    overheard: { ...unencrypted, user: 'clear_role', port: eavesdropper.port },
    'no-certificate': { ...verified, user: 'paper_role' },
    'wrong-password': { ...verified, user: 'scram_role', unsafe_password: 'another-secret-of-the-target' },
    'wrong-host': { ...verified, user: 'scram_role', host: '127.0.0.1' },
    'wrong-authority': { ...verified, user: 'scram_role', ca: strangerCa },
    'public-authorities': { ...verified, user: 'scram_role', ca: undefined },
    'without-tls': { ...verified, user: 'scram_role', port: plain.port },
    down: { ...verified, user: 'scram_role', port: downPort },
    'no-database': { ...verified, user: 'scram_role', database: 'lost_database' },
    'no-role': { ...verified, user: 'lost_role' },
  };
  bank = await startBank({
    adjust: (config) => {
      for (const [name, upstream] of Object.entries(upstreams)) {
        config.targets![name] = { protocol: 'postgres', upstream: { ...upstream }, labels: { env: 'production' } };
      }
    },
  });
});
after(async () => {
  await bank?.close();
  eavesdropper?.close();
  await secured?.stop();
  await plain?.stop();
  rmSync(folder, { recursive: true, force: true });
});

describe('the gateway’s own sign-on at the target', () => {
  for (const [target, role, encrypted] of [
    ['scram-tls', 'scram_role', true],
    ['scram-plain', 'scram_role', false],
    ['scram-unverified', 'scram_role', true],
    ['scram-any-name', 'scram_role', true],
    ['md5-tls', 'md5_role', true],
    ['md5-plain', 'md5_role', false],
    ['clear-tls', 'clear_role', true],
    ['certificate', 'paper_role', true],
  ] as const) {
    it(`succeeds: ${target}`, async () => {
      const [row] = await ask(target, 'select current_user as who, ssl from pg_stat_ssl where pid = pg_backend_pid()');
      assert.deepEqual(row, { who: role, ssl: encrypted });
    });
  }
});

describe('a sign-on that fails', () => {
  for (const [target, codes] of [
    ['clear-plain', /^08/],
    ['overheard', /^08/],
    ['no-certificate', /^08/],
    ['wrong-password', /^08/],
    ['wrong-host', /^08/],
    ['wrong-authority', /^08/],
    ['public-authorities', /^08/],
    ['without-tls', /^08/],
    ['down', /^(08|57P03)/],
    ['no-database', /^08/],
    ['no-role', /^08/],
  ] as const) {
    it(`is told to the client without the target’s secrets: ${target}`, async () => {
      await assertRefused(target, codes);
    });
  }

  it('never sends a password in the clear to whoever answers', () => {
    assert.match(eavesdropper.heard(), /clear_role/);
    assert.ok(!eavesdropper.heard().includes(secret));
  });

  it('leaves the gateway as it was', async () => {
    assert.deepEqual(await ask('scram-tls', 'select 1 as one'), [{ one: 1 }]);
  });

  it('is refused in a session’s own connection too: the password changed, the role went, the server stopped', async () => {
    await ask('clear-tls', 'select 1');
    await asSuperuser(secured, `alter role clear_role password 'changed-since'; alter role paper_role nologin`);
    await assertRefused('clear-tls', /^08004/);
    await assertRefused('certificate', /^08004/);
    await secured.stop();
    await assertRefused('scram-tls', /^(08|57P03)/);
  });
});

async function assertRefused(target: string, codes: RegExp): Promise<void> {
  const refused = await failure(target);
  assert.match(refused.code, codes, refused.text);
  assert.match(refused.message, /target/);
  for (const hidden of ['role', secret, 'another-secret', 'lost_database', 'shop', 'localhost', '127.0.0.1', ...ports()]) {
    assert.ok(!refused.text.includes(hidden), `${refused.text} tells ${hidden}`);
  }
}

const ports = (): readonly string[] => [secured.port, plain.port, eavesdropper.port].map(String);

async function ask(target: string, sql: string): Promise<unknown[]> {
  const client = new pg.Client({ ...(await bank.client('pipeline')), database: target });
  client.on('error', () => {});
  await client.connect();
  try {
    return (await client.query(sql)).rows;
  } finally {
    await client.end();
  }
}

async function failure(target: string): Promise<{ code: string; message: string; text: string }> {
  try {
    await ask(target, 'select 1');
  } catch (error) {
    const { code = '', message, detail, hint } = error as { code?: string; message: string; detail?: string; hint?: string };
    return { code, message, text: [code, message, detail, hint].join(' ') };
  }
  throw new assert.AssertionError({ message: `${target} let the client in` });
}

async function asSuperuser({ port, user, password }: Postgres15, sql: string): Promise<void> {
  const client = new pg.Client({ host: '127.0.0.1', port, user, password, database: 'postgres' });
  await client.connect();
  try {
    for (const statement of sql.split(';').filter((text) => text.trim() !== '')) await client.query(statement);
  } finally {
    await client.end();
  }
}

/** Answers every startup packet with a request for the password itself. */
async function startEavesdropper(): Promise<typeof eavesdropper> {
  let heard = '';
  const server: Server = createServer((socket) => {
    socket.on('error', () => {});
    socket.once('data', () => socket.write(Buffer.from([0x52, 0, 0, 0, 8, 0, 0, 0, 3])));
    socket.on('data', (bytes: Buffer) => (heard += bytes.toString('latin1')));
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  return { port: (server.address() as AddressInfo).port, heard: () => heard, close: () => void server.close() };
}

async function selfSigned(name: string): Promise<{ certificate: string; key: string }> {
  x509.cryptoProvider.set(webcrypto as unknown as Parameters<typeof x509.cryptoProvider.set>[0]);
  const keys = await webcrypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, true, ['sign', 'verify']);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    name: `CN=${name}`,
    notBefore: new Date(Date.now() - 60_000),
    notAfter: new Date(Date.now() + 3_600_000),
    keys,
  });
  const key = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey));
  return { certificate: certificate.toString('pem'), key: x509.PemConverter.encode(key, 'PRIVATE KEY') };
}
