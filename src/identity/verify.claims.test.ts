import assert from 'node:assert/strict';
import { it } from 'node:test';
import * as fc from 'fast-check';
import { GatewayFault } from '../core/fault.ts';
import {
  assertRefused,
  audience,
  issuerUrl,
  signToken,
  startMs,
  testClock,
  testIdentity,
  testIssuer,
  testKey,
  validClaims,
  type Members,
} from './testing/tokens.ts';
import type { IssuerConfig } from '../config/issuer.ts';

const key = testKey('ES256', 'k1');
const now = startMs / 1000;
const identity = testIdentity({ keys: [key] });

const refused: readonly (readonly [name: string, claims: Members, check: string])[] = [
  // iss: exact, code unit by code unit
  ...[
    `${issuerUrl}/`,
    issuerUrl.toUpperCase(),
    'https://CI.bank.example',
    'http://ci.bank.example',
    'https://ci.bank.example:443',
    'https://ci.bank.example#',
    'https://ci.bank.example?',
    'https://ci.bank.example.',
    'https://ci.bank.example.attacker.example',
    'https://attacker.example/https://ci.bank.example',
    'https://user@ci.bank.example',
    'https://c\u{456}.bank.example',
    ` ${issuerUrl}`,
    `${issuerUrl}\0`,
    'ci.bank.example',
    'ci',
    '__proto__',
    'constructor',
  ].map((iss) => [`iss ${JSON.stringify(iss)}`, { iss }, 'issuer-unknown'] as const),
  ...[undefined, null, 5, true, '', [issuerUrl], { url: issuerUrl }].map(
    (iss) => [`iss ${JSON.stringify(iss)}`, { iss }, 'issuer-missing'] as const,
  ),
  // aud
  ['aud absent', { aud: undefined }, 'audience-missing'],
  ...[null, 5, true, {}, { [audience]: true }, [audience, 5], [audience, null], [[audience]], [{}]].map(
    (aud) => [`aud ${JSON.stringify(aud)}`, { aud }, 'claim-malformed'] as const,
  ),
  ...[
    '',
    `${audience}/`,
    audience.toUpperCase(),
    `${audience} `,
    ` ${audience}`,
    `${audience},${audience}`,
    `${audience} other`,
    'https://gw.bank.example.attacker.example',
    'gw.bank.example',
    'https://gw.bank',
    '*',
    '__proto__',
    [],
    [''],
    ['other'],
    [`${audience}/`, 'other'],
    [JSON.stringify([audience])],
  ].map((aud) => [`aud ${JSON.stringify(aud)}`, { aud }, 'audience-mismatch'] as const),
  ...[
    'sts.amazonaws.com',
    'api://AzureADTokenExchange',
    'https://github.com/bank',
    'https://buildkite.com/bank',
    'https://database.windows.net/',
    ['sts.amazonaws.com'],
    [audience, 'api://AzureADTokenExchange'],
    ['sts.amazonaws.com', audience],
  ].map((aud) => [`aud ${JSON.stringify(aud)}`, { aud }, 'audience-foreign'] as const),
  ['aud with a stranger behind', { aud: [audience, 'https://other.example'] }, 'audience-extra'],
  ['aud with a stranger in front', { aud: ['https://other.example', audience] }, 'audience-extra'],
  ['aud with an empty stranger', { aud: [audience, ''] }, 'audience-extra'],
  // Times
  ['exp absent', { exp: undefined }, 'expiry-missing'],
  ['exp now', { exp: now }, 'expired'],
  ['exp a second ago', { exp: now - 1 }, 'expired'],
  ['exp a millisecond ago', { exp: now - 0.001 }, 'expired'],
  ['exp a year ago', { exp: now - 31_536_000 }, 'expired'],
  ['exp just before iat', { iat: now + 30, exp: now + 29 }, 'lifetime-invalid'],
  ['exp equal to iat', { iat: now + 30, exp: now + 30 }, 'lifetime-invalid'],
  ['exp before nbf', { nbf: now + 30, exp: now + 30 }, 'lifetime-invalid'],
  ['lifetime over the limit', { exp: now + 86_401 }, 'lifetime-too-long'],
  ['lifetime over the limit, iat long ago', { iat: now - 86_400, exp: now + 1 }, 'lifetime-too-long'],
  ['lifetime over the limit, no iat', { iat: undefined, nbf: undefined, exp: now + 86_401 }, 'lifetime-too-long'],
  ['exp in the year 4000', { exp: 64_060_588_800 }, 'lifetime-too-long'],
  ['nbf beyond the leeway', { nbf: now + 61 }, 'not-yet-valid'],
  ['nbf a millisecond beyond', { nbf: now + 60.001 }, 'not-yet-valid'],
  ['iat beyond the leeway', { iat: now + 61 }, 'issued-in-future'],
  ['iat a millisecond beyond', { iat: now + 60.001 }, 'issued-in-future'],
  ...['exp', 'nbf', 'iat'].flatMap((name) =>
    [String(now + 100), null, true, [now + 100], {}, 0, -1, (now + 100) * 1000, 1e300, '', 'Infinity'].map(
      (value) => [`${name} ${JSON.stringify(value)}`, { [name]: value }, 'claim-malformed'] as const,
    ),
  ),
  // sub
  ...[undefined, null, 5, true, '', ['a'], { a: 1 }].map((sub) => [`sub ${JSON.stringify(sub)}`, { sub }, 'subject-missing'] as const),
  ...['a\0b', 'a\nb', '\u{7f}', '\u{85}', '\ud800', 's'.repeat(2_049)].map(
    (sub) => [`sub ${JSON.stringify(sub).slice(0, 20)}`, { sub }, 'subject-refused'] as const,
  ),
];

for (const [name, claims, check] of refused) {
  it(`refuses ${name}: ${check}`, async () => {
    const token = signToken(key, validClaims(claims));
    await assertRefused(identity.authenticateOidc(token), check, token);
  });
}

const accepted: readonly (readonly [name: string, claims: Members, issuer?: Partial<IssuerConfig>])[] = [
  ['aud in an array', { aud: [audience] }],
  ['aud twice', { aud: [audience, audience] }],
  ['one of several audiences', { aud: 'b' }, { audience: ['a', 'b'] }],
  ['several of several audiences', { aud: ['b', 'a'] }, { audience: ['a', 'b'] }],
  ['a configured audience beside', { aud: [audience, 'other'] }, { other_audiences: ['other'] }],
  ['a well-known audience, configured', { aud: 'api://AzureADTokenExchange' }, { audience: 'api://AzureADTokenExchange' }],
  ['a well-known audience beside, configured', { aud: [audience, 'sts.amazonaws.com'] }, { other_audiences: ['sts.amazonaws.com'] }],
  ['an issuer with a trailing slash', { iss: `${issuerUrl}/` }, { issuer: `${issuerUrl}/` }],
  ['exp in a moment', { exp: now + 0.001 }],
  ['exp with a fraction', { exp: now + 10.5 }],
  ['nbf at the leeway', { nbf: now + 60 }],
  ['iat at the leeway', { iat: now + 60 }],
  ['nbf long before iat', { nbf: now - 600 }],
  ['nbf and iat absent', { nbf: undefined, iat: undefined }],
  ['lifetime at the limit', { exp: now + 86_400 }],
  ['lifetime within a limit of its own', { exp: now + 172_800 }, { max_lifetime: 172_800 }],
  ['jti absent', { jti: undefined }],
];

for (const [name, claims, issuer] of accepted) {
  it(`accepts ${name}`, async () => {
    const one = testIdentity({ keys: [key], issuers: [{ ...testIssuer, ...issuer }] });
    const principal = await one.authenticateOidc(signToken(key, validClaims(claims)));
    assert.equal(principal.issuer, 'ci');
    assert.equal(principal.expiresAtMs, Math.floor(Number(validClaims(claims).exp) * 1000));
  });
}

it('an audience that may stand beside is not enough alone', async () => {
  const one = testIdentity({ keys: [key], issuers: [{ ...testIssuer, other_audiences: ['other'] }] });
  await assertRefused(one.authenticateOidc(signToken(key, validClaims({ aud: 'other' }))), 'audience-mismatch');
});

it('a shorter lifetime limit of one issuer holds', async () => {
  const one = testIdentity({ keys: [key], issuers: [{ ...testIssuer, max_lifetime: 300 }] });
  await one.authenticateOidc(signToken(key, validClaims({ exp: now + 300 })));
  await assertRefused(one.authenticateOidc(signToken(key, validClaims({ exp: now + 301 }))), 'lifetime-too-long');
});

it('a token is accepted until its exp and not a millisecond longer', async () => {
  const clock = testClock();
  const one = testIdentity({ keys: [key], clock });
  const token = signToken(key, validClaims({ exp: now + 300 }));
  clock.advance(299_999);
  await one.authenticateOidc(token);
  clock.advance(1);
  await assertRefused(one.authenticateOidc(token), 'expired');
});

const requirements: readonly (readonly [require: NonNullable<IssuerConfig['require']>, claims: Members, missing: string | undefined])[] = [
  [{ repository_owner_id: '1203' }, { repository_owner_id: '1203' }, undefined],
  [{ repository_owner_id: '1203' }, { repository_owner_id: 1203 }, undefined],
  [{ repository_owner_id: 1203 }, { repository_owner_id: '1203' }, undefined],
  [{ ref_protected: 'true' }, { ref_protected: true }, undefined],
  [{ ref_protected: true }, { ref_protected: 'true' }, undefined],
  [{ ratio: '1.5' }, { ratio: 1.5 }, undefined],
  [{ a: '1', b: '2' }, { a: '1', b: '2' }, undefined],
  [{ 'kubernetes.namespace': 'ci' }, { 'kubernetes.io': { namespace: 'ci' } }, undefined],
  [{ 'kubernetes.serviceaccount.uid': 'u' }, { 'kubernetes.io': { serviceaccount: { uid: 'u' } } }, undefined],
  [{ 'aws.aws_account': '123' }, { 'https://sts.amazonaws.com/': { aws_account: '123' } }, undefined],
  [{ repository_owner_id: '1203' }, {}, 'repository_owner_id'],
  [{ repository_owner_id: '1203' }, { repository_owner_id: '12030' }, 'repository_owner_id'],
  [{ repository_owner_id: '1203' }, { repository_owner_id: '1203 ' }, 'repository_owner_id'],
  [{ repository_owner_id: '1203' }, { repository_owner_id: ['1203'] }, 'repository_owner_id'],
  [{ repository_owner_id: '1203' }, { repository_owner_id: { 1203: true } }, 'repository_owner_id'],
  [{ repository_owner_id: '1203' }, { Repository_owner_id: '1203' }, 'repository_owner_id'],
  [{ environment: 'production' }, { environment: 'Production' }, 'environment'],
  [{ environment: 'null' }, { environment: null }, 'environment'],
  [{ environment: 'undefined' }, {}, 'environment'],
  [{ environment: '[object Object]' }, { environment: {} }, 'environment'],
  [{ ref_protected: 'true' }, { ref_protected: 1 }, 'ref_protected'],
  [{ id: '9007199254740992' }, { id: 2 ** 53 }, 'id'],
  [{ id: '1e+21' }, { id: 1e21 }, 'id'],
  [{ a: '1', b: '2' }, { a: '1', b: '3' }, 'b'],
  [{ a: '1', b: '2' }, { b: '2' }, 'a'],
  [{ toString: 'x' }, {}, 'toString'],
  [{ 'kubernetes.namespace': 'ci' }, { 'kubernetes.namespace': 'ci' }, 'kubernetes.namespace'],
  [{ 'kubernetes.namespace': 'ci' }, { 'kubernetes.namespace': 'ci', 'kubernetes.io': { namespace: 'x' } }, 'kubernetes.namespace'],
  [{ 'kubernetes.serviceaccount.uid': 'u' }, { 'kubernetes.io': { 'serviceaccount.uid': 'u' } }, 'kubernetes.serviceaccount.uid'],
  [{ 'kubernetes.namespace': 'ci' }, { 'kubernetes.io': '{"namespace":"ci"}' }, 'kubernetes.namespace'],
];

for (const [require, claims, missing] of requirements) {
  it(`${JSON.stringify(require)} is ${missing === undefined ? '' : 'not '}fulfilled by ${JSON.stringify(claims)}`, async () => {
    const one = testIdentity({ keys: [key], issuers: [{ ...testIssuer, require }] });
    const authentication = one.authenticateOidc(signToken(key, validClaims(claims)));
    if (missing === undefined) await authentication;
    else assert.ok((await assertRefused(authentication, 'claim-required')).detail.includes(`note="${missing}"`));
  });
}

it('a refusal names issuer, key, algorithm and, once verified, the subject', async () => {
  const late = await assertRefused(identity.authenticateOidc(signToken(key, validClaims({ aud: 'other' }))), 'audience-mismatch');
  assert.equal(late.detail, `audience-mismatch; iss="${issuerUrl}" kid="k1" alg="ES256" sub="repo:bank/orders:environment:production"`);
  const early = await assertRefused(identity.authenticateOidc(signToken(testKey('ES256', 'k1'), validClaims())), 'signature-invalid');
  assert.equal(early.detail, `signature-invalid; iss="${issuerUrl}" kid="k1" alg="ES256"`);
});

it("a stranger's words reach the log escaped and cut", async () => {
  const iss = `x\n\u{1b}[2J"\u{202e}${'y'.repeat(1_000)}`;
  const { detail } = await assertRefused(identity.authenticateOidc(signToken(key, validClaims({ iss }))), 'issuer-unknown');
  assert.match(detail, /^[\x20-\x7e]{1,400}$/);
  assert.ok(detail.includes(String.raw`iss="x\n\u001b[2J\"\u202ey`));
});

it('whatever is presented, the answer is a principal or authentication-failed', async () => {
  const claim = fc.oneof(fc.jsonValue(), fc.constantFrom(issuerUrl, audience, now, now + 300));
  const claims = fc.dictionary(fc.constantFrom('iss', 'aud', 'exp', 'nbf', 'iat', 'sub', 'jti', 'groups', '_claim_names', 'oid'), claim);
  await fc.assert(
    fc.asyncProperty(claims, fc.boolean(), async (members, complete) => {
      const token = signToken(key, complete ? validClaims(members) : members);
      await identity.authenticateOidc(token).catch((error: unknown) => {
        assert.ok(error instanceof GatewayFault && error.code === 'authentication-failed', String(error));
      });
    }),
    { numRuns: 300 },
  );
});

it('arbitrary text is refused with authentication-failed', async () => {
  const part = fc.string({ unit: fc.constantFrom('.', 'e', 'y', 'J', '-', '_', '=', '\0', '{', '"') });
  await fc.assert(
    fc.asyncProperty(fc.oneof(fc.string(), part), async (credential) => {
      await assert.rejects(identity.authenticate(credential, 'orders'), { name: 'GatewayFault', code: 'authentication-failed' });
    }),
    { numRuns: 500 },
  );
});
