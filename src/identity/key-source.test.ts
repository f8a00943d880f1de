import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, beforeEach, describe, it } from 'node:test';
import { createFetchDocument, DocumentFault, type FetchDocument } from './https/fetch-document.ts';
import { createKeySource, type KeySource } from './key-source.ts';
import { assertRefused, testClock, testKey, type TestClock, type TestKey } from './testing/tokens.ts';

const first = testKey('ES256', 'first');
const second = testKey('ES256', 'second');
const minute = 60_000;
const hour = 60 * minute;

/** A real issuer on this machine, whose answers the test changes. */
const state = { keys: [first] as readonly TestKey[], maxAge: 'max-age=3600', down: false, discovery: {}, requests: [] as string[] };
const server = createServer((request, response) => {
  state.requests.push(request.url ?? '');
  if (state.down) response.writeHead(503).end();
  else if (request.url === '/.well-known/openid-configuration') response.end(JSON.stringify(state.discovery));
  else response.setHeader('cache-control', state.maxAge).end(JSON.stringify({ keys: state.keys.map(({ jwk }) => jwk) }));
}).listen(0, '127.0.0.1');
await once(server, 'listening');
const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
after(() => {
  server.closeAllConnections();
  server.close();
});

let clock: TestClock;
let source: KeySource;

function keySource(jwksUri: string | undefined, fetch: FetchDocument = createFetchDocument()): KeySource {
  return createKeySource({ issuer, jwksUri, privateNetwork: false, unsafeHttp: true }, clock, fetch);
}

beforeEach(() => {
  Object.assign(state, { keys: [first], maxAge: 'max-age=3600', down: false, requests: [] });
  state.discovery = { issuer, jwks_uri: `${issuer}/keys` };
  clock = testClock();
  source = keySource(`${issuer}/keys`);
});

const find = (kid: string) => source.find(kid, 'ES256', {});

describe('discovery', () => {
  it('leads to the keys', async () => {
    source = keySource(undefined);
    await find('first');
    assert.deepEqual(state.requests, ['/.well-known/openid-configuration', '/keys']);
  });

  for (const [name, document, reason] of [
    ['names another issuer', { issuer: `${issuer}/`, jwks_uri: `${issuer}/keys` }, 'issuer-mismatch'],
    ['names no issuer', { jwks_uri: `${issuer}/keys` }, 'issuer-mismatch'],
    ['names no keys', { issuer }, 'malformed'],
    ['is a list', [], 'malformed'],
    ['leads to a private address', { issuer, jwks_uri: 'https://10.0.0.1/keys' }, 'address-refused'],
    ['leads to metadata', { issuer, jwks_uri: 'http://169.254.169.254/latest' }, 'address-refused'],
    ['leads to a file', { issuer, jwks_uri: 'file:///etc/passwd' }, 'url-refused'],
    ['leads nowhere', { issuer, jwks_uri: 'keys' }, 'url-refused'],
  ] as const) {
    it(`is refused where it ${name}`, async () => {
      source = keySource(undefined);
      state.discovery = document;
      const fault = await assertRefused(find('first'), 'keys-unavailable');
      assert.equal(fault.detail, `keys-unavailable; note="${reason}"`);
    });
  }

  it('asks below an issuer with a path, with or without a slash at its end', async () => {
    for (const url of ['https://idp.example/tenant', 'https://idp.example/tenant/']) {
      const asked: string[] = [];
      const fetch: FetchDocument = async ({ href }) => {
        asked.push(href);
        throw new DocumentFault('network', href);
      };
      await createKeySource({ issuer: url, jwksUri: undefined, privateNetwork: false, unsafeHttp: false }, clock, fetch).probe();
      assert.deepEqual(asked, ['https://idp.example/tenant/.well-known/openid-configuration']);
    }
  });
});

describe('the cache', () => {
  it('serves many from one fetch, also when they come at once', async () => {
    await Promise.all(Array.from({ length: 50 }, () => find('first')));
    await find('first');
    assert.equal(state.requests.length, 1);
  });

  for (const [header, freshMs] of [
    ['max-age=3600', hour],
    ['max-age=0', 5 * minute],
    ['no-store', 5 * minute],
    ['', 5 * minute],
    ['max-age=999999999', 24 * hour],
  ] as const) {
    it(`keeps keys for ${freshMs / minute} minutes with "${header}"`, async () => {
      state.maxAge = header;
      await find('first');
      clock.advance(freshMs - 1);
      await find('first');
      assert.equal(state.requests.length, 1);
      clock.advance(1);
      await find('first');
      assert.equal(state.requests.length, 2);
    });
  }

  it('forgets a key that the issuer withdrew, with the next fetch', async () => {
    await find('first');
    state.keys = [second];
    clock.advance(hour);
    await assertRefused(find('first'), 'key-unknown');
    await find('second');
  });
});

describe('an unknown key', () => {
  it('is fetched at once after the cool-down', async () => {
    await find('first');
    state.keys = [first, second];
    clock.advance(30_000);
    await find('second');
    assert.equal(state.requests.length, 2);
  });

  it('causes one fetch in 30 seconds, however many tokens name one', async () => {
    await find('first');
    clock.advance(30_000);
    await Promise.all(Array.from({ length: 20 }, (_, n) => assertRefused(find(`random-${n}`), 'key-unknown')));
    for (let n = 0; n < 20; n += 1) await assertRefused(find(`more-${n}`), 'key-unknown');
    assert.equal(state.requests.length, 2);
    clock.advance(29_999);
    await assertRefused(find('later'), 'key-unknown');
    assert.equal(state.requests.length, 2);
    clock.advance(1);
    await assertRefused(find('later'), 'key-unknown');
    assert.equal(state.requests.length, 3);
    await find('first');
  });

  it('within the cool-down of a rotation is known when that is over', async () => {
    await find('first');
    state.keys = [second];
    await assertRefused(find('second'), 'key-unknown');
    clock.advance(30_000);
    await find('second');
  });
});

describe('an outage', () => {
  it('is bridged with the cached keys for 36 hours, then nothing is accepted, then service resumes', async () => {
    await find('first');
    state.down = true;
    clock.advance(36 * hour - 1);
    await find('first');
    clock.advance(1);
    const fault = await assertRefused(find('first'), 'keys-unavailable');
    assert.equal(fault.detail, 'keys-unavailable; note="status"');
    state.down = false;
    clock.advance(30_000);
    await find('first');
  });

  it('from the beginning refuses, and asks again once in 30 seconds', async () => {
    state.down = true;
    for (let n = 0; n < 5; n += 1) await assertRefused(find('first'), 'keys-unavailable');
    assert.equal(state.requests.length, 1);
    state.down = false;
    await assertRefused(find('first'), 'keys-unavailable');
    clock.advance(30_000);
    await find('first');
  });

  it('delays nobody who can be served, once it is known', async () => {
    const gate = Promise.withResolvers<void>();
    let hang = false;
    const fetch = createFetchDocument();
    source = keySource(`${issuer}/keys`, async (url, rules) => {
      if (hang) await gate.promise;
      return fetch(url, rules);
    });
    await find('first');
    state.down = true;
    clock.advance(hour);
    await find('first');
    hang = true;
    clock.advance(30_000);
    await find('first');
    state.down = false;
    state.keys = [second];
    gate.resolve();
    await find('second');
  });

  it('does not replace good keys with an answer that holds none', async () => {
    await find('first');
    state.keys = [];
    clock.advance(hour);
    await find('first');
    assert.equal((await source.probe())?.reason, 'no-usable-keys');
  });
});
