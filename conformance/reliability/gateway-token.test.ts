import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { after, before, describe, it } from 'node:test';
import { ApiClient } from '../../src/cli/client.ts';
import { run, startBank, type Bank, type Ran } from '../harness.ts';
import { sallyport } from './child.ts';

interface Issued {
  readonly access_token: string;
  readonly issued_token_type: string;
  readonly token_type: string;
  readonly expires_in: number;
  readonly error?: string;
}

let bank: Bank;
let tokenFile: string;
before(async () => {
  bank = await startBank({
    adjust: ({ targets = {} }) => Object.assign(targets, { spare: structuredClone(targets['orders']) }),
  });
  process.env['SALLYPORT_CA'] = bank.authorityFile;
  // Nobody's own sign-ins.
  process.env['XDG_CONFIG_HOME'] = bank.folder;
  tokenFile = join(bank.folder, 'job.token');
  writeFileSync(tokenFile, await bank.issuer.mint('pipeline'), { mode: 0o600 });
});
after(async () => {
  await bank.close();
});

describe('the exchange of a job’s own token', () => {
  it('answers as RFC 8693 has it, with a token that fits every password field', async () => {
    const { status, body } = await exchange({ subject_token: await bank.issuer.mint('pipeline') });
    assert.equal(status, 200);
    assert.equal(body.issued_token_type, 'urn:ietf:params:oauth:token-type:access_token');
    assert.equal(body.token_type, 'Bearer');
    assert.ok(
      body.access_token.length <= 64 && body.expires_in <= 900,
      JSON.stringify({ ...body, access_token: body.access_token.length }),
    );
    assert.equal((await psql(body.access_token)).stdout, '1\n');
  });

  it('is refused for a foreign, expired, forged or already exchanged token, for a target that is not there, and for a wrong request', async () => {
    const token = await bank.issuer.mint('pipeline');
    const exchanged = (await exchange({ subject_token: token })).body.access_token;
    const refused: readonly (readonly [Readonly<Record<string, string>>, string])[] = [
      [{ subject_token: await bank.issuer.mint('pipeline', { exp: Math.floor(Date.now() / 1000) - 3_600 }) }, 'invalid_request'],
      [{ subject_token: await bank.issuer.mint('pipeline', { aud: 'https://elsewhere' }) }, 'invalid_request'],
      [{ subject_token: `${token.slice(0, -4)}AAAA` }, 'invalid_request'],
      [{ subject_token: exchanged }, 'invalid_request'],
      [{ subject_token: token, audience: 'nowhere' }, 'invalid_target'],
      [{ subject_token: token, grant_type: 'client_credentials' }, 'unsupported_grant_type'],
      [{ subject_token: token, scope: 'everything' }, 'invalid_scope'],
    ];
    for (const [form, error] of refused) {
      const { status, body } = await exchange(form);
      assert.deepEqual([status, body.error], [400, error]);
    }
  });

  it('is on record, without the token', async () => {
    const { access_token: token } = (await exchange({ subject_token: await bank.issuer.mint('pipeline') })).body;
    const { records } = (await bank.api('auditor-uma', '/api/v1/audit/records?type=credential.issued,session.opened&limit=1000')) as {
      records: { record: Record<string, unknown> }[];
    };
    assert.ok(records.some(({ record }) => record['type'] === 'credential.issued' && record['target'] === 'orders'));
    assert.ok(!JSON.stringify(records).includes(token.slice(-20)));
  });
});

describe('a gateway token', () => {
  it('opens the target that it is for and no other, and not the API', async () => {
    const { access_token: token } = (await exchange({ subject_token: await bank.issuer.mint('pipeline') })).body;
    assert.equal((await psql(token)).stdout, '1\n');
    const wrong = await psql(token, { PGDATABASE: 'spare' });
    assert.equal(wrong.status, 2);
    assert.match(wrong.stderr, /FATAL/);
    await assert.rejects(new ApiClient(bank.apiUrl, token).get('/api/v1/whoami'), /token|sign|accepted/i);
  });

  it('ends when it is revoked', async () => {
    const { access_token: token } = (await exchange({ subject_token: await bank.issuer.mint('pipeline') })).body;
    assert.equal((await psql(token)).status, 0);
    const { credentials } = (await bank.api('platform-pia', '/api/v1/credentials')) as { credentials: { id: string }[] };
    for (const { id } of credentials) await bank.api('platform-pia', `/api/v1/credentials/${id}?reason=leaked`, { method: 'DELETE' });
    const { status, stderr } = await psql(token);
    assert.equal(status, 2);
    assert.match(stderr, /FATAL/);
  });

  it('ends by itself after the lifetime that was asked for', async () => {
    const { body } = await exchange({ subject_token: await bank.issuer.mint('pipeline'), requested_lifetime: '2' });
    assert.ok(body.expires_in <= 2);
    await pause(2_100);
    const { status, stderr } = await psql(body.access_token);
    assert.equal(status, 2);
    assert.match(stderr, /FATAL/);
  });
});

describe('the command line', () => {
  it('token: exchanges a job’s token file for what psql takes as its password', async () => {
    const { status, stdout, stderr } = await sallyport(bank, undefined, 'token', '--target', 'orders', '--token-file', tokenFile);
    assert.equal(status, 0, stderr);
    assert.equal((await psql(stdout.trim())).stdout, '1\n');
  });

  it('token: 1 for a target that is not there', async () => {
    const { status, stdout, stderr } = await sallyport(bank, undefined, 'token', '--target', 'nowhere', '--token-file', tokenFile);
    assert.deepEqual([status, stdout], [1, '']);
    assert.match(stderr, /no token for nowhere/);
  });

  it('connect: runs psql with everything set, masked as everywhere, and hands its exit code back', async () => {
    const connect = (...sql: string[]): Promise<Ran> =>
      sallyport(bank, undefined, 'connect', 'orders', '--token-file', tokenFile, '--', 'psql', '-X', '-A', '-t', ...sql);
    const { status, stdout, stderr } = await connect('-c', 'select 1', '-c', 'select ssn from customers where id = 1');
    assert.equal(status, 0, stderr);
    assert.match(stdout, /^1\n\*{3}-\*\*-\d{4}\n$/);
    assert.equal((await connect('-v', 'ON_ERROR_STOP=1', '-f', '/nonexistent')).status, 1);
    const refused = await connect('-c', 'drop table cards');
    assert.equal(refused.status, 1);
    assert.match(refused.stderr, /no one drops tables or databases/);
  });
});

async function exchange(form: Readonly<Record<string, string>>): Promise<{ readonly status: number; readonly body: Issued }> {
  const response = await new ApiClient(bank.apiUrl).postForm('/oauth/token', {
    grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
    subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
    audience: 'orders',
    ...form,
  });
  return { status: response.status, body: (await response.json()) as Issued };
}

async function psql(token: string, extra: Readonly<Record<string, string>> = {}): Promise<Ran> {
  return run('psql', ['-X', '-A', '-t', '-c', 'select 1'], await bank.env('pipeline', { PGPASSWORD: token, ...extra }));
}
