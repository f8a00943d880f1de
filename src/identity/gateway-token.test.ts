import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { DatabaseSync } from 'node:sqlite';
import { beforeEach, describe, it } from 'node:test';
import type { Identity } from './identity.ts';
import { createSqliteGatewayTokenStore } from './sqlite/gateway-token-store.ts';
import {
  assertRefused,
  audience,
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

beforeEach(() => {
  database = new DatabaseSync(':memory:');
  clock = testClock();
  identity = identityWith({});
});

function identityWith(options: Parameters<typeof testIdentity>[0]): Identity {
  return testIdentity({ keys: [key], clock, tokenStore: createSqliteGatewayTokenStore(database), ...options });
}

function form(parameters: Readonly<Record<string, string>> = {}, token = signToken(key, validClaims())): URLSearchParams {
  return new URLSearchParams({
    grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
    subject_token: token,
    subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
    audience: 'orders',
    ...parameters,
  });
}

async function issue(from: Identity = identity, parameters: Readonly<Record<string, string>> = {}, token?: string) {
  const { status, body } = await from.exchange(form(parameters, token), () => Promise.resolve());
  assert.equal(status, 200, JSON.stringify(body));
  return { credential: String(body.access_token), id: String(body.token_id), expiresIn: body.expires_in };
}

describe('a gateway token', () => {
  it('is opaque, fits every password field, and is kept as a digest only', async () => {
    const { credential, id } = await issue();
    assert.match(credential, /^spt_[A-Za-z0-9_-]{43}$/);
    assert.match(id, /^gtk_[A-Za-z0-9_-]{22}$/);
    const rows = JSON.stringify(database.prepare('SELECT * FROM gateway_token').all());
    assert.ok(!rows.includes(credential) && !rows.includes(credential.slice(4)));
    assert.ok(rows.includes(createHash('sha256').update(credential).digest('hex')));
    assert.notEqual((await issue()).credential, credential);
  });

  it('brings its principal back whole, under its own id and expiry', async () => {
    const token = signToken(key, validClaims({ repository: 'bank/orders', run_id: 7, jti: undefined }));
    const origin = await identity.authenticateOidc(token);
    const { credential, id } = await issue(identity, {}, token);
    assert.deepEqual(await identity.authenticate(credential, 'orders'), {
      ...origin,
      tokenId: id,
      authenticatedBy: 'gateway-token',
      expiresAtMs: startMs + 5 * minute,
    });
  });

  it('opens no other target', async () => {
    const { credential, id } = await issue();
    const fault = await assertRefused(identity.authenticate(credential, 'ledger'), 'gateway-token-target');
    assert.equal(fault.detail, `gateway-token-target; id="${id}"`);
    await assertRefused(identity.authenticate(credential, ''), 'gateway-token-target');
    await assertRefused(identity.authenticate(credential, 'Orders'), 'gateway-token-target');
  });

  it('is no OIDC token, for people neither', async () => {
    await assertRefused(identity.authenticateOidc((await issue()).credential), 'token-malformed');
  });

  it('cannot be guessed from a part, another case or more', async () => {
    const { credential, id } = await issue();
    const hash = createHash('sha256').update(credential).digest('hex');
    for (const guess of [
      'spt_',
      `spt_${'A'.repeat(43)}`,
      credential.slice(0, -1),
      `${credential}A`,
      `${credential} `,
      `${credential}\0`,
      `spt_${hash}`,

      `spt_${hash.slice(0, 43)}`,
      `spt_${id}`,
      `spt_%`,
      `spt_' OR 1=1 --`,
      `spt_${'\u{1f600}'.repeat(22)}`,
      `spt_${'x'.repeat(1_000_000)}`,
    ]) {
      await assertRefused(identity.authenticate(guess, 'orders'), 'gateway-token-unknown');
    }
    await assertRefused(identity.authenticate(credential.replace('spt_', 'SPT_'), 'orders'), 'token-malformed');
    await assertRefused(identity.authenticate(id, 'orders'), 'token-malformed');
  });

  it('lasts until its last millisecond, then is deleted by housekeeping', async () => {
    const { credential, id } = await issue(identity, { requested_lifetime: '60' });
    const principal = await identity.authenticate(credential, 'orders');
    clock.advance(minute - 1);
    await identity.authenticate(credential, 'orders');
    assert.equal(await identity.deleteExpiredCredentials(), 0);
    clock.advance(1);
    await assertRefused(identity.authenticate(credential, 'orders'), 'gateway-token-expired');
    assert.equal(await identity.stillValid(principal), false);
    assert.deepEqual(
      (await identity.listCredentials(10)).map((token) => token.id),
      [id],
    );
    assert.equal(await identity.deleteExpiredCredentials(), 1);
    assert.deepEqual(await identity.listCredentials(10), []);
    await assertRefused(identity.authenticate(credential, 'orders'), 'gateway-token-unknown');
  });

  it('is over when it is revoked, once', async () => {
    const { credential, id } = await issue();
    const other = await issue();
    const principal = await identity.authenticate(credential, 'orders');
    assert.equal(await identity.stillValid(principal), true);
    assert.equal(await identity.revoke(id, 'entra|dana', 'leaked'), true);
    await assertRefused(identity.authenticate(credential, 'orders'), 'gateway-token-revoked');
    assert.equal(await identity.stillValid(principal), false);
    assert.equal(await identity.revoke(id, 'entra|eve', 'again'), false);
    assert.equal(await identity.revoke('gtk_none', 'entra|dana', 'x'), false);
    assert.deepEqual((await identity.listCredentials(10)).find((token) => token.id === id)?.revocation, {
      atMs: startMs,
      by: 'entra|dana',
      reason: 'leaked',
    });
    await identity.authenticate(other.credential, 'orders');
  });

  it('survives a restart of the gateway', async () => {
    const { credential } = await issue();
    await identityWith({}).authenticate(credential, 'orders');
  });

  it('does not outlive its issuer, nor a change of the rules under which it was issued', async () => {
    const { credential } = await issue();
    const principal = await identity.authenticate(credential, 'orders');
    for (const issuers of [[], [{ ...testIssuer, name: 'renamed' }], [{ ...testIssuer, require: { environment: 'production' } }]]) {
      identity.reconfigure(issuers);
      await assertRefused(identity.authenticate(credential, 'orders'), 'gateway-token-issuer-changed');
      assert.equal(await identity.stillValid(principal), false);
    }
    identity.reconfigure([testIssuer]);
    await identity.authenticate(credential, 'orders');
  });
});

describe('its lifetime is the least of', () => {
  const longToken = signToken(key, validClaims({ exp: startMs / 1000 + 3_600 }));

  it('what was asked for', async () => assert.equal((await issue(identity, { requested_lifetime: '30' }, longToken)).expiresIn, 30));
  it('15 minutes', async () => assert.equal((await issue(identity, {}, longToken)).expiresIn, 900));
  it('15 minutes, whatever is asked for', async () => {
    assert.equal((await issue(identity, { requested_lifetime: '999999999' }, longToken)).expiresIn, 900);
  });
  it('what is configured', async () => {
    assert.equal((await issue(identityWith({ gatewayTokens: { maxLifetimeMs: 2 * minute } }), {}, longToken)).expiresIn, 120);
  });
  it('what is configured by a reload', async () => {
    identity.reconfigure([testIssuer], { maxLifetimeMs: 3 * minute });
    assert.equal((await issue(identity, {}, longToken)).expiresIn, 180);
  });
  it("the OIDC token's own", async () => assert.equal((await issue()).expiresIn, 300));
  it("not the OIDC token's own, where it is configured so", async () => {
    assert.equal((await issue(identityWith({ gatewayTokens: { outliveOidcToken: true } }))).expiresIn, 900);
  });
});

describe('the exchange', () => {
  it('answers as RFC 8693 section 2.2.1 says', async () => {
    const answer = await identity.exchange(form(), () => Promise.resolve());
    assert.deepEqual(
      { ...answer.body, access_token: '', token_id: '' },
      {
        access_token: '',
        issued_token_type: 'urn:ietf:params:oauth:token-type:access_token',
        token_type: 'Bearer',
        expires_in: 300,
        token_id: '',
      },
    );
    assert.deepEqual([answer.status, answer.fault], [200, undefined]);
  });

  it('takes every kind of JWT, and the target under either name', async () => {
    for (const type of ['jwt', 'id_token', 'access_token'])
      await issue(identity, { subject_token_type: `urn:ietf:params:oauth:token-type:${type}` });
    await issue(identity, { audience: '', resource: 'ledger' });
    await issue(identity, { resource: 'orders', requested_token_type: 'urn:ietf:params:oauth:token-type:access_token', client_id: 'x' });
  });

  const refused: readonly (readonly [parameters: Readonly<Record<string, string>>, error: string])[] = [
    [{ grant_type: '' }, 'invalid_request'],
    [{ grant_type: 'client_credentials' }, 'unsupported_grant_type'],
    [{ grant_type: 'token-exchange' }, 'unsupported_grant_type'],
    [{ subject_token: '' }, 'invalid_request'],
    [{ subject_token: 'x.y.z' }, 'invalid_request'],
    [{ subject_token_type: '' }, 'invalid_request'],
    [{ subject_token_type: 'urn:ietf:params:oauth:token-type:saml2' }, 'invalid_request'],
    [{ subject_token_type: 'urn:ietf:params:oauth:token-type:refresh_token' }, 'invalid_request'],
    [{ requested_token_type: 'urn:ietf:params:oauth:token-type:jwt' }, 'invalid_request'],
    [{ actor_token: 'x' }, 'invalid_request'],
    [{ actor_token_type: 'x' }, 'invalid_request'],
    [{ scope: 'admin' }, 'invalid_scope'],
    [{ audience: '' }, 'invalid_target'],
    [{ audience: 'unknown' }, 'invalid_target'],
    [{ audience: '__proto__' }, 'invalid_target'],
    [{ audience }, 'invalid_target'],
    [{ resource: 'ledger' }, 'invalid_target'],
    ...['0', '-1', '1.5', '1e3', ' 60', 'soon', '0x10', '1000000000'].map(
      (seconds) => [{ requested_lifetime: seconds }, 'invalid_request'] as const,
    ),
  ];

  for (const [parameters, error] of refused) {
    it(`refuses ${JSON.stringify(parameters)}: ${error}`, async () => {
      const answer = await identity.exchange(form(parameters), () => assert.fail('recorded'));
      assert.deepEqual([answer.status, answer.body.error], [400, error]);
      assert.match(String(answer.body.error_description), /^[\x20-\x21\x23-\x5b\x5d-\x7e]+$/);
      assert.ok(answer.fault !== undefined);
      assert.deepEqual(await identity.listCredentials(10), []);
    });
  }

  it('refuses a parameter that stands twice, equal or not', async () => {
    for (const [name, error] of [
      ['subject_token', 'invalid_request'],
      ['grant_type', 'invalid_request'],
      ['audience', 'invalid_target'],
      ['unknown', 'invalid_request'],
    ] as const) {
      const doubled = form({ unknown: 'x' });
      doubled.append(name, doubled.get(name) ?? '');
      assert.equal((await identity.exchange(doubled, () => assert.fail('recorded'))).body.error, error);
    }
  });

  it('refuses a flood of parameters', async () => {
    const many = form(Object.fromEntries(Array.from({ length: 40 }, (_, n) => [`p${n}`, 'x'])));
    assert.equal((await identity.exchange(many, () => assert.fail('recorded'))).body.error, 'invalid_request');
  });

  it('gives no gateway token for a gateway token', async () => {
    const { credential } = await issue();
    const answer = await identity.exchange(form({}, credential), () => assert.fail('recorded'));
    assert.deepEqual([answer.body.error, answer.fault?.detail], ['invalid_request', 'gateway-token-not-exchangeable']);
  });

  it('tells the record which check failed, and the client that one did', async () => {
    const answer = await identity.exchange(form({}, signToken(key, validClaims({ aud: 'x' }))), () => assert.fail('recorded'));
    assert.deepEqual(answer.body, { error: 'invalid_request', error_description: 'the subject token was not accepted' });
    assert.match(answer.fault?.detail ?? '', /^audience-mismatch; /);
  });

  it('issues nothing before it is on record', async () => {
    const issued: string[] = [];
    const answer = await identity.exchange(form(), async (token) => {
      assert.deepEqual(await identity.listCredentials(10), []);
      issued.push(token.id);
    });
    assert.deepEqual(issued, [answer.body.token_id]);
    const failed = await identity.exchange(form(), () => Promise.reject(new Error('disk full at /secret/path')));
    assert.deepEqual([failed.status, failed.body.error], [503, 'temporarily_unavailable']);
    assert.ok(!JSON.stringify(failed.body).includes('secret'));
    assert.equal((await identity.listCredentials(10)).length, 1);
  });

  it('is closed when the store is', async () => {
    const { credential } = await issue();
    database.close();
    assert.equal((await identity.exchange(form(), () => Promise.resolve())).status, 503);
    await assert.rejects(identity.authenticate(credential, 'orders'));
  });
});
