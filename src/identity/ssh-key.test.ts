import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { DatabaseSync } from 'node:sqlite';
import { beforeEach, describe, it } from 'node:test';
import type { Identity } from './identity.ts';
import { createSqliteCredentialStores } from './sqlite/index.ts';
import { newSshKeyPair, parsePublicKeyLine, sshFingerprint, type SshKeyPair } from './ssh-key-format.ts';
import {
  assertRefused,
  signToken,
  startMs,
  testClock,
  testIdentity,
  testIssuer,
  testKey,
  validClaims,
  type TestClock,
} from './testing/tokens.ts';

const key = testKey('ES256', 'k1');
const minute = 60_000;

let database: DatabaseSync;
let clock: TestClock;
let identity: Identity;
let pair: SshKeyPair;

beforeEach(() => {
  database = new DatabaseSync(':memory:');
  clock = testClock();
  identity = identityWith({});
  pair = newSshKeyPair('test');
});

function identityWith(options: Parameters<typeof testIdentity>[0]): Identity {
  return testIdentity({ keys: [key], clock, ...createSqliteCredentialStores(database), ...options });
}

function form(parameters: Readonly<Record<string, string>> = {}, token = signToken(key, validClaims())): URLSearchParams {
  return new URLSearchParams({
    grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
    subject_token: token,
    subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
    requested_token_type: 'urn:sallyport:token-type:ssh-key',
    ssh_public_key: pair.publicKey,
    audience: 'orders',
    ...parameters,
  });
}

async function bind(parameters: Readonly<Record<string, string>> = {}, token?: string, from = identity) {
  const { status, body } = await from.exchange(form(parameters, token), () => Promise.resolve());
  assert.equal(status, 200, JSON.stringify(body));
  return { id: String(body.token_id), body };
}

async function proven(target = 'orders', blob = pair.blob): Promise<string> {
  return (await identity.credentialFor(blob, target)) ?? assert.fail('the key opens nothing');
}

async function opensNothing(target = 'orders', blob: Uint8Array = pair.blob): Promise<void> {
  assert.equal(await identity.offered(blob, target), false);
  assert.equal(await identity.credentialFor(blob, target), undefined);
}

describe('a key for SSH', () => {
  it('is bound by its public part, of which a fingerprint is kept, and the answer holds no secret', async () => {
    const { body } = await bind();
    assert.deepEqual(
      { ...body, token_id: '' },
      {
        access_token: sshFingerprint(pair.blob),
        issued_token_type: 'urn:sallyport:token-type:ssh-key',
        token_type: 'N_A',
        expires_in: 300,
        token_id: '',
      },
    );
    assert.match(String(body.token_id), /^ssk_[A-Za-z0-9_-]{22}$/);
    const rows = JSON.stringify(database.prepare('SELECT * FROM ssh_key').all());
    assert.ok(rows.includes(sshFingerprint(pair.blob)));
    assert.ok(!rows.includes(pair.publicKey.split(' ')[1] ?? ''));
    assert.deepEqual(database.prepare('SELECT * FROM gateway_token').all(), []);
  });

  it('brings its principal back whole, under its own id and expiry', async () => {
    const token = signToken(key, validClaims({ repository: 'bank/orders', run_id: 7, jti: undefined }));
    const origin = await identity.authenticateOidc(token);
    const { id } = await bind({}, token);
    assert.equal(await identity.offered(pair.blob, 'orders'), true);
    assert.deepEqual(await identity.authenticate(await proven(), 'orders'), {
      ...origin,
      tokenId: id,
      authenticatedBy: 'ssh-key',
      expiresAtMs: startMs + 5 * minute,
    });
  });

  it('opens no other target, neither when it is offered nor when it is used', async () => {
    const { id } = await bind();
    await opensNothing('ledger');
    await opensNothing('');
    const handle = await proven();
    const fault = await assertRefused(identity.authenticate(handle, 'ledger'), 'ssh-key-target');
    assert.equal(fault.detail, `ssh-key-target; id="${id}"`);
    // It was used up by that.
    await assertRefused(identity.authenticate(handle, 'orders'), 'ssh-key-unproven');
  });

  it('of somebody else opens nothing', async () => {
    await bind();
    await opensNothing('orders', newSshKeyPair('').blob);
    await opensNothing('orders', pair.blob.subarray(1));
    await opensNothing('orders', new Uint8Array());
  });

  it('lasts until its last millisecond, then is deleted by housekeeping', async () => {
    await bind({ requested_lifetime: '60' });
    const principal = await identity.authenticate(await proven(), 'orders');
    clock.advance(minute - 1);
    assert.equal(await identity.stillValid(principal), true);
    const handle = await proven();
    assert.equal(await identity.deleteExpiredCredentials(), 0);
    clock.advance(1);
    await assertRefused(identity.authenticate(handle, 'orders'), 'ssh-key-expired');
    await opensNothing();
    assert.equal(await identity.stillValid(principal), false);
    assert.equal(await identity.deleteExpiredCredentials(), 1);
    assert.deepEqual(await identity.listCredentials(10), []);
  });

  it('is over when it is revoked: offered, proven and in use', async () => {
    const { id } = await bind();
    const principal = await identity.authenticate(await proven(), 'orders');
    const handle = await proven();
    assert.equal(await identity.stillValid(principal), true);
    assert.equal(await identity.revoke(id, 'entra|dana', 'leaked'), true);
    await assertRefused(identity.authenticate(handle, 'orders'), 'ssh-key-revoked');
    await opensNothing();
    assert.equal(await identity.stillValid(principal), false);
    assert.equal(await identity.revoke(id, 'entra|eve', 'again'), false);
    assert.equal((await identity.listCredentials(10))[0]?.revocation?.by, 'entra|dana');
  });

  it('is over when the rules of its issuer change', async () => {
    await bind();
    const principal = await identity.authenticate(await proven(), 'orders');
    const handle = await proven();
    identity.reconfigure([{ ...testIssuer, require: { environment: 'production' } }]);
    await assertRefused(identity.authenticate(handle, 'orders'), 'ssh-key-issuer-changed');
    await opensNothing();
    assert.equal(await identity.stillValid(principal), false);
  });

  it('is known to every process of the gateway, but what was proven to one opens nothing at another', async () => {
    await bind();
    const other = identityWith({});
    assert.equal(await other.offered(pair.blob, 'orders'), true);
    await assertRefused(other.authenticate(await proven(), 'orders'), 'ssh-key-unproven');
  });

  it('is bound once, whoever asks', async () => {
    await bind();
    for (const [parameters, token] of [
      [{}, undefined],
      [{ audience: 'ledger' }, undefined],
      [{}, signToken(key, validClaims({ sub: 'somebody-else' }))],
    ] as const) {
      const recorded: string[] = [];
      const { status, body } = await identity.exchange(form(parameters, token), async ({ id }) => void recorded.push(id));
      assert.deepEqual([status, body.error, recorded], [400, 'invalid_request', []]);
    }
    assert.equal((await identity.listCredentials(10)).length, 1);
  });

  it('does not exist where it cannot be put on record', async () => {
    const { status } = await identity.exchange(form(), () => Promise.reject(new Error('disk full')));
    assert.equal(status, 503);
    await opensNothing();
    assert.deepEqual(await identity.listCredentials(10), []);
  });

  it('stands with tokens in one list, newest first', async () => {
    await bind();
    clock.advance(1);
    await identity.exchange(form({ requested_token_type: '', ssh_public_key: '' }), () => Promise.resolve());
    clock.advance(1);
    pair = newSshKeyPair('');
    await bind();
    const kinds = (await identity.listCredentials(10)).map(({ fingerprint }) => fingerprint !== undefined);
    assert.deepEqual(kinds, [true, false, true]);
    assert.equal((await identity.listCredentials(2)).length, 2);
  });

  const malformed: readonly (readonly [string, Readonly<Record<string, string>>])[] = [
    ['without the key', { ssh_public_key: '' }],
    ['a key without saying what for', { requested_token_type: '' }],
    ['a key of another kind', { ssh_public_key: 'ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAgQ==' }],
    ['two keys', { ssh_public_key: 'ssh-ed25519 AAAA\nssh-ed25519 AAAA' }],
  ];
  for (const [name, parameters] of malformed) {
    it(`is not bound ${name}`, async () => {
      const { status, body } = await identity.exchange(form(parameters), () => assert.fail('recorded'));
      assert.deepEqual([status, body.error], [400, 'invalid_request']);
    });
  }
});

describe('what stands for a proven key', () => {
  it('is for one use', async () => {
    await bind();
    const handle = await proven();
    await identity.authenticate(handle, 'orders');
    await assertRefused(identity.authenticate(handle, 'orders'), 'ssh-key-unproven');
  });

  it('is for seconds', async () => {
    await bind();
    const [early, late] = [await proven(), await proven()];
    clock.advance(9_999);
    await identity.authenticate(early, 'orders');
    clock.advance(1);
    await assertRefused(identity.authenticate(late, 'orders'), 'ssh-key-unproven');
  });

  it('is random', async () => {
    await bind();
    const handles = new Set(await Promise.all(Array.from({ length: 50 }, () => proven())));
    assert.equal(handles.size, 50);
    for (const handle of handles) assert.ok(handle.length > 43);
  });

  it('cannot be said by any client: no bytes decode to it', async () => {
    await bind();
    const handle = await proven();
    assert.equal(handle.isWellFormed(), false);
    for (const encoding of ['utf8', 'latin1', 'ascii'] as const) {
      assert.notEqual(Buffer.from(handle, encoding).toString(encoding), handle);
      await assertRefused(identity.authenticate(Buffer.from(handle, encoding).toString(encoding), 'orders'), 'token-malformed');
    }
    // CESU-8, which writes half of a pair as three bytes.
    const spoken = Buffer.concat([Buffer.from('edb080', 'hex'), Buffer.from(handle.slice(1))]);
    await assertRefused(identity.authenticate(spoken.toString('utf8'), 'orders'), 'token-malformed');
    assert.equal(new URLSearchParams({ a: handle }).get('a') === handle, false);
    await identity.authenticate(handle, 'orders');
  });

  it('is nothing that can be made from the key', async () => {
    const { id } = await bind();
    await proven();
    const base64 = pair.publicKey.split(' ')[1] ?? '';
    const fingerprint = sshFingerprint(pair.blob);
    const [, digest = ''] = fingerprint.split(':');
    const made = [
      fingerprint,
      digest,
      id,
      base64,
      pair.publicKey,
      createHash('sha256').update(pair.blob).digest('hex'),
      Buffer.from(pair.blob).toString('latin1'),
    ];
    for (const text of made) {
      for (const prefix of ['', 'spt_', 'ssk_', 'ssh-key:', '\u{dc00}ssh-key:', '\u{fffd}ssh-key:']) {
        await assert.rejects(identity.authenticate(prefix + text, 'orders'), { code: 'authentication-failed' }, prefix + text);
      }
    }
    assert.ok(parsePublicKeyLine(pair.publicKey));
  });

  it('is no credential for people', async () => {
    await bind();
    await assertRefused(identity.authenticateOidc(await proven()), 'token-malformed');
    const { status } = await identity.exchange(form({ subject_token: await proven() }), () => assert.fail('recorded'));
    assert.equal(status, 400);
  });
});
