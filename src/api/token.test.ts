import assert from 'node:assert/strict';
import { after, beforeEach, describe, it } from 'node:test';
import * as schema from './schema.ts';
import { startApi } from './server.ts';
import type { ApiServer } from './server.ts';
import { credential, person, TestContext } from './testing/context.ts';

let context: TestContext;
let server: ApiServer | undefined;

beforeEach(async () => {
  await server?.close();
  context = new TestContext();
  context.issued.set('cred-1', credential('cred-1', person('repo:7741', [])));
  server = await startApi(context, { host: '127.0.0.1', port: 0 });
});
after(async () => await server?.close());

const ask = async (path: string, token: string | undefined, init: RequestInit): Promise<Response> => {
  const headers = new Headers(init.headers);
  if (token !== undefined) headers.set('authorization', `Bearer ${token}`);
  return await fetch(`http://127.0.0.1:${server?.port}${path}`, { ...init, headers });
};

const exchange = async (fields: Record<string, string> | string): Promise<Response> =>
  await ask('/oauth/token', undefined, {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: new URLSearchParams(fields).toString(),
  });

describe('token exchange', () => {
  const grant = 'urn:ietf:params:oauth:grant-type:token-exchange';
  const form = { grant_type: grant, subject_token: 'job', subject_token_type: 'urn:ietf:params:oauth:token-type:jwt', audience: 'orders' };
  it('gives a job a token for one target', async () => {
    const response = await exchange(form);
    assert.equal(response.status, 200);
    const issued = schema.issuedToken.parse(await response.json());
    assert.equal(issued.access_token, 'spt_secret-handle');
    assert.equal(issued.connection?.port, 5432);
    assert.equal(context.exchanges[0]?.target, 'orders');
  });

  it('issues nothing that is not on record first', async () => {
    context.auditDown = true;
    assert.equal((await exchange(form)).status, 503);
    context.auditDown = false;
    await exchange(form);
    assert.deepEqual(context.events, ['durable credential.issued', 'exchanged']);
  });

  it('revokes nothing that is not on record first', async () => {
    context.auditDown = true;
    assert.equal((await ask('/api/v1/credentials/cred-1?reason=leaked', 'operator', { method: 'DELETE' })).status, 503);
    context.auditDown = false;
    assert.equal((await ask('/api/v1/credentials/cred-1?reason=leaked', 'operator', { method: 'DELETE' })).status, 200);
    assert.deepEqual(context.events, ['durable credential.revoked', 'revoked cred-1']);
  });

  const refusals: readonly [string, Record<string, string> | string, number, string][] = [
    ['a token that does not verify', { ...form, subject_token: 'forged' }, 400, 'invalid_request'],
    ['an unknown target', { ...form, audience: 'other' }, 400, 'invalid_target'],
    ['another grant', { ...form, grant_type: 'password' }, 400, 'unsupported_grant_type'],
    ['a missing token', { grant_type: grant, subject_token_type: form.subject_token_type, audience: 'orders' }, 400, 'invalid_request'],
    ['another token type', { ...form, subject_token_type: 'urn:ietf:params:oauth:token-type:saml2' }, 400, 'invalid_request'],
    ['an actor token', { ...form, actor_token: 'x' }, 400, 'invalid_request'],
    ['a repeated parameter', `${new URLSearchParams(form).toString()}&audience=orders`, 400, 'invalid_target'],
  ];
  for (const [name, fields, status, error] of refusals) {
    it(`refuses ${name}: ${error}`, async () => {
      const response = await exchange(fields);
      assert.equal(response.status, status);
      assert.equal(((await response.json()) as { error: string }).error, error);
      assert.ok(!context.events.includes('exchanged'));
    });
  }
});

describe('keys for SSH', () => {
  const grant = 'urn:ietf:params:oauth:grant-type:token-exchange';
  const publicKey = `ssh-ed25519 ${Buffer.concat([Buffer.from('0000000b7373682d6564323535313900000020', 'hex'), Buffer.alloc(32, 7)]).toString('base64')}`;
  const form = {
    grant_type: grant,
    subject_token: 'job',
    subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
    requested_token_type: 'urn:sallyport:token-type:ssh-key',
    ssh_public_key: publicKey,
    audience: 'orders',
  };

  it('are bound by the same exchange, which says how the gateway is known', async () => {
    context.connectionOf = { protocol: 'ssh', host: 'gw.example', port: 2222, name: 'orders', hostKey: publicKey };
    const response = await exchange(form);
    assert.equal(response.status, 200);
    const issued = schema.issuedToken.parse(await response.json());
    assert.equal(issued.issued_token_type, form.requested_token_type);
    assert.deepEqual(issued.connection, { protocol: 'ssh', host: 'gw.example', port: 2222, name: 'orders', host_key: publicKey });
    assert.equal(context.exchanges[0]?.sshPublicKey?.length, 51);
  });

  it('are on record with their fingerprint, and listed with it', async () => {
    context.issued.clear();
    await exchange(form);
    const issued = context.entries.find(({ record }) => record.type === 'credential.issued')?.record as { key?: string } | undefined;
    assert.equal(issued?.key, 'SHA256:of-the-key');
    const response = await ask('/api/v1/credentials', 'operator', {});
    const { credentials } = schema.credentialList.parse(await response.json());
    assert.deepEqual(
      credentials.map(({ kind, fingerprint }) => [kind, fingerprint]),
      [['ssh-key', 'SHA256:of-the-key']],
    );
  });

  it('are not bound where the line is none', async () => {
    const response = await exchange({ ...form, ssh_public_key: `${publicKey}=` });
    assert.equal(response.status, 400);
    assert.ok(!context.events.includes('exchanged'));
  });
});

describe('the key of the gateway', () => {
  it('is told to anyone, or that there is no listener', async () => {
    assert.equal((await ask('/.well-known/sallyport/ssh-host-keys', undefined, {})).status, 404);
    const publicKey = `ssh-ed25519 ${Buffer.concat([Buffer.from('0000000b7373682d6564323535313900000020', 'hex'), Buffer.alloc(32, 9)]).toString('base64')}`;
    context.sshOf = { host: 'gw.example', port: 2222, publicKey };
    const response = await ask('/.well-known/sallyport/ssh-host-keys', undefined, {});
    assert.equal(response.status, 200);
    const { port, keys } = schema.sshHostKeys.parse(await response.json());
    assert.deepEqual([port, keys[0]?.known_hosts], [2222, `[gw.example]:2222 ${publicKey}`]);
  });
});
