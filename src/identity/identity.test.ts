import assert from 'node:assert/strict';
import { it } from 'node:test';
import { DocumentFault } from './https/fetch-document.ts';
import {
  assertRefused,
  fetchKeySets,
  jwksUri,
  signToken,
  testClock,
  testIdentity,
  testIssuer,
  testKey,
  validClaims,
} from './testing/tokens.ts';
import type { IssuerConfig } from '../config/issuer.ts';

const key = testKey('ES256', 'k1');
const token = signToken(key, validClaims({ environment: 'staging' }));
const production: IssuerConfig = { ...testIssuer, require: { environment: 'production' } };

it('a bad reload changes nothing and says why', async () => {
  const identity = testIdentity({ keys: [key] });
  assert.throws(
    () =>
      identity.reconfigure([
        { ...testIssuer, name: 'first' },
        { ...testIssuer, algorithms: ['none'] },
      ]),
    {
      name: 'IssuerConfigError',
    },
  );
  assert.equal((await identity.authenticateOidc(token)).issuer, 'ci');
});

it('a reload keeps the keys of issuers that stay where they are', async () => {
  const fetched: string[] = [];
  const serve = fetchKeySets({ [jwksUri]: [key], [`${jwksUri}/2`]: [key] });
  const identity = testIdentity({
    fetch: (url, rules) => {
      fetched.push(url.href);
      return serve(url, rules);
    },
  });
  await identity.authenticateOidc(token);
  identity.reconfigure([{ ...testIssuer, groups_claim: 'groups' }]);
  await identity.authenticateOidc(token);
  assert.deepEqual(fetched, [jwksUri]);
  identity.reconfigure([{ ...testIssuer, jwks_uri: `${jwksUri}/2` }]);
  await identity.authenticateOidc(token);
  assert.deepEqual(fetched, [jwksUri, `${jwksUri}/2`]);
});

it('a token that was being verified when the rules changed is judged by the new ones', async () => {
  const gate = Promise.withResolvers<void>();
  const serve = fetchKeySets({ [jwksUri]: [key] });
  const identity = testIdentity({
    fetch: async (url, rules) => {
      await gate.promise;
      return serve(url, rules);
    },
  });
  const authentication = identity.authenticate(token, 'orders');
  identity.reconfigure([production]);
  gate.resolve();
  await assertRefused(authentication, 'claim-required');
});

it('no issuer, no way in', async () => {
  const identity = testIdentity({ keys: [key] });
  identity.reconfigure([]);
  await assertRefused(identity.authenticate(token, 'orders'), 'issuer-unknown');
});

it("an OIDC identity is valid until it expires or its issuer's rules change", async () => {
  const clock = testClock();
  const identity = testIdentity({ keys: [key], clock });
  const principal = await identity.authenticateOidc(token);
  assert.equal(await identity.stillValid(principal), true);
  identity.reconfigure([]);
  assert.equal(await identity.stillValid(principal), false);
  for (const changed of [{ ...testIssuer, name: 'renamed' }, production]) {
    identity.reconfigure([changed]);
    assert.equal(await identity.stillValid(principal), false);
  }
  identity.reconfigure([testIssuer]);
  clock.advance(299_999);
  assert.equal(await identity.stillValid(principal), true);
  clock.advance(1);
  assert.equal(await identity.stillValid(principal), false);
});

it('probes every issuer and names what failed', async () => {
  const identity = testIdentity({
    issuers: [testIssuer, { name: 'down', issuer: 'https://down.example', audience: 'x' }],
    fetch: async (url, rules) => {
      if (url.hostname === 'down.example') throw new DocumentFault('address-refused', url.origin);
      return fetchKeySets({ [jwksUri]: [key] })(url, rules);
    },
  });
  assert.deepEqual(await identity.probeIssuers(), [
    { issuer: 'ci', failure: undefined },
    { issuer: 'down', failure: 'address-refused: https://down.example' },
  ]);
});
