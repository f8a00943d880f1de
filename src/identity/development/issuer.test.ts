import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, describe, it } from 'node:test';
import * as client from 'openid-client';
import { createIdentity, type Identity } from '../identity.ts';
import { createSqliteCredentialStores } from '../sqlite/index.ts';
import { Browser } from '../testing/browser.ts';
import { startDevelopmentIssuer, type DevelopmentIssuer, type DevelopmentIssuerOptions } from './issuer.ts';

const options: DevelopmentIssuerOptions = {
  audience: 'https://gw.bank.example',
  pipelines: [
    {
      clientId: 'orders-ci',
      clientSecret: 'orders-ci-secret',
      subject: 'repo:bank/orders:environment:production',
      claims: { repository: 'bank/orders', repository_id: '7741', run_id: '991', environment: 'production', groups: ['deployers'] },
    },
  ],
  people: [
    { subject: 'dana', name: 'Dana <DBA>', groups: ['dba'] },
    { subject: 'avi', name: 'Avi', groups: ['auditor'] },
  ],
};

let issuer: DevelopmentIssuer;
let identity: Identity;
let people: client.Configuration;
const written: string[] = [];
const { info, warn } = console;

before(async () => {
  for (const name of ['info', 'warn'] as const) console[name] = (...args) => void written.push(args.join(' '));
  issuer = await startDevelopmentIssuer(options);
  identity = createIdentity({
    issuers: [{ name: 'dev', issuer: issuer.issuer, audience: options.audience, groups_claim: 'groups', unsafe_http: true }],
    ...createSqliteCredentialStores(new DatabaseSync(':memory:')),
    clock: { now: () => Date.now(), monotonic: () => performance.now() },
    isTarget: () => true,
  });
  people = await discover(issuer.peopleClientId, client.None());
});

after(async () => {
  await issuer.close();
  Object.assign(console, { info, warn });
  assert.deepEqual(written, [], 'the library warns about nothing');
});

function discover(clientId: string, authentication: client.ClientAuth): Promise<client.Configuration> {
  return client.discovery(new URL(issuer.issuer), clientId, {}, authentication, { execute: [client.allowInsecureRequests] });
}

describe('a pipeline', () => {
  it('gets a JWT access token for the gateway with client credentials', async () => {
    const pipeline = await discover('orders-ci', client.ClientSecretBasic('orders-ci-secret'));
    const tokens = await client.clientCredentialsGrant(pipeline, { resource: options.audience });
    const principal = await identity.authenticateOidc(tokens.access_token);
    assert.deepEqual(
      [principal.subject, principal.kind, principal.groups],
      ['repo:bank/orders:environment:production', 'agent', ['deployers']],
    );
    assert.deepEqual(principal.claims, {
      repository: 'bank/orders',
      repository_id: '7741',
      run_id: '991',
      environment: 'production',
      client_id: 'orders-ci',
      idtyp: 'app',
    });
    await identity.authenticateOidc((await client.clientCredentialsGrant(pipeline)).access_token);
  });

  it('gets nothing with a wrong secret, nor for another audience', async () => {
    const wrong = await discover('orders-ci', client.ClientSecretBasic('wrong'));
    await assert.rejects(client.clientCredentialsGrant(wrong), { status: 401 });
    const pipeline = await discover('orders-ci', client.ClientSecretBasic('orders-ci-secret'));
    await assert.rejects(client.clientCredentialsGrant(pipeline, { resource: 'https://other.example' }), { error: 'invalid_target' });
  });
});

describe('a person', () => {
  it('signs in with the device code and gets tokens with groups', async () => {
    const browser = new Browser();
    const tokens = await deviceFlow(browser, 'dana', 'openid offline_access');
    await assertPerson(tokens.access_token, 'dana', ['dba']);
    assert.deepEqual([tokens.claims()?.sub, tokens.claims()?.groups], ['dana', ['dba']]);
    assert.match(browser.seen.join('\n'), /DEVELOPMENT ISSUER: no passwords/);
    assert.match(browser.seen.join('\n'), /Dana &#60;DBA&#62;/);
    assert.ok(tokens.refresh_token !== undefined);
    const renewed = await client.refreshTokenGrant(people, tokens.refresh_token);
    await assertPerson(renewed.access_token, 'dana', ['dba']);
  });

  it('can be another person in the same browser', async () => {
    const browser = new Browser();
    await assertPerson((await deviceFlow(browser, 'dana')).access_token, 'dana', ['dba']);
    await assertPerson((await deviceFlow(browser, 'avi')).access_token, 'avi', ['auditor']);
  });

  it('signs in with the authorization code, PKCE and a loopback port of the client', async () => {
    const verifier = client.randomPKCECodeVerifier();
    const redirect = 'http://127.0.0.1:53682/callback';
    const url = client.buildAuthorizationUrl(people, {
      redirect_uri: redirect,
      scope: 'openid',
      code_challenge: await client.calculatePKCECodeChallenge(verifier),
      code_challenge_method: 'S256',
      state: 'state-1',
    });
    const browser = new Browser();
    await browser.open(url);
    const callback = await browser.submit({ person: 'avi' }, redirect);
    const tokens = await client.authorizationCodeGrant(people, callback, { pkceCodeVerifier: verifier, expectedState: 'state-1' });
    await assertPerson(tokens.access_token, 'avi', ['auditor']);
  });

  it('gets nothing without PKCE', async () => {
    const browser = new Browser();
    const redirect = 'http://127.0.0.1:53682/callback';
    const callback = await browser.open(
      client.buildAuthorizationUrl(people, { redirect_uri: redirect, scope: 'openid', state: 's' }),
      redirect,
    );
    assert.equal(callback.searchParams.get('error'), 'invalid_request');
  });

  it('nobody becomes a stranger', async () => {
    const device = await client.initiateDeviceAuthorization(people, { scope: 'openid' });
    const browser = new Browser();
    await browser.open(new URL(device.verification_uri_complete ?? ''));
    await browser.submit({});
    await browser.submit({});
    await browser.submit({ person: 'mallory' });
    assert.match(browser.page, /Sign in to sallyport-cli as/);
  });
});

describe('minted tokens', () => {
  it('equal those of the endpoints', async () => {
    await assertPerson(await issuer.mint('dana'), 'dana', ['dba']);
    for (const identifier of ['orders-ci', 'repo:bank/orders:environment:production']) {
      const principal = await identity.authenticateOidc(await issuer.mint(identifier, { run_id: '992', environment: undefined }));
      assert.deepEqual([principal.kind, principal.claims.run_id, principal.claims.environment], ['agent', '992', undefined]);
    }
    await assert.rejects(identity.authenticateOidc(await issuer.mint('dana', { aud: 'x' })), { code: 'authentication-failed' });
    await assert.rejects(issuer.mint('mallory'), RangeError);
  });

  it('stay valid over a restart where the keys are kept', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'development-issuer-'));
    try {
      const first = await startDevelopmentIssuer({ ...options, folder });
      const keys = await keysOf(first);
      await first.close();
      const second = await startDevelopmentIssuer({ ...options, folder });
      assert.equal(await keysOf(second), keys);
      await second.close();
      const file = join(folder, 'development-issuer-keys.json');
      assert.equal((await stat(file)).mode & 0o777, 0o600);
      const kept = JSON.parse(await readFile(file, 'utf8')) as { keys: { d: string }[] };
      assert.ok(
        kept.keys.every(({ d }) => !keys.includes(d)),
        'private parts are not published',
      );
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});

it('answers to no other host name', async () => {
  const status = await new Promise((resolve, reject) => {
    const { port } = new URL(issuer.url);
    request({ host: '127.0.0.1', port, path: '/jwks', headers: { host: 'attacker.example' } }, (response) => {
      response.resume();
      resolve(response.statusCode);
    })
      .on('error', reject)
      .end();
  });
  assert.equal(status, 421);
});

async function deviceFlow(browser: Browser, person: string, scope = 'openid') {
  const device = await client.initiateDeviceAuthorization(people, { scope });
  await browser.open(new URL(device.verification_uri));
  await browser.submit({ user_code: device.user_code });
  await browser.submit({});
  await browser.submit({ person });
  await browser.submitWhile('Submitting Callback');
  assert.match(browser.page, /Signed in/);
  return client.pollDeviceAuthorizationGrant(people, { ...device, interval: 0.01 });
}

async function keysOf({ url }: DevelopmentIssuer): Promise<string> {
  return (await fetch(`${url}/jwks`)).text();
}

async function assertPerson(token: string, subject: string, groups: readonly string[]): Promise<void> {
  const principal = await identity.authenticateOidc(token);
  assert.deepEqual([principal.subject, principal.kind, principal.groups, principal.groupsKnown], [subject, 'user', groups, true]);
}
