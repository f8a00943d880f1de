import assert from 'node:assert/strict';
import { it } from 'node:test';
import { checkIssuers, IssuerConfigError } from './issuer.ts';
import type { IssuerConfig } from '../config/issuer.ts';

const sound: IssuerConfig = { name: 'ci', issuer: 'https://ci.bank.example', audience: 'https://gw.bank.example' };

const refused: readonly (readonly [config: Partial<IssuerConfig>, key: string])[] = [
  [{ name: '' }, 'name'],
  [{ name: 'a|b' }, 'name'],
  [{ name: 'a b' }, 'name'],
  [{ issuer: '' }, 'issuer'],
  [{ issuer: 'ci.bank.example' }, 'issuer'],
  [{ issuer: 'http://ci.bank.example' }, 'issuer'],
  [{ issuer: 'http://ci.bank.example', unsafe_http: true }, 'issuer'],
  [{ issuer: 'http://10.0.0.1', unsafe_http: true, private_network: true }, 'issuer'],
  [{ issuer: 'http://127.0.0.1:9000' }, 'issuer'],
  [{ issuer: 'http://127.0.0.1:9000', private_network: true }, 'issuer'],
  [{ issuer: 'ftp://ci.bank.example' }, 'issuer'],
  [{ issuer: 'file:///etc/passwd' }, 'issuer'],
  [{ issuer: 'https://user:secret@ci.bank.example' }, 'issuer'],
  [{ issuer: 'https://ci.bank.example?tenant=1' }, 'issuer'],
  [{ issuer: 'https://ci.bank.example#x' }, 'issuer'],
  [{ issuer: 'cluster', jwks_uri: 'http://keys.bank.example' }, 'jwks_uri'],
  [{ jwks_uri: '/keys' }, 'jwks_uri'],
  [{ audience: '' }, 'audience'],
  [{ audience: [] }, 'audience'],
  [{ audience: ['a', ''] }, 'audience'],
  [{ other_audiences: [''] }, 'other_audiences'],
  [{ algorithms: [] }, 'algorithms'],
  [{ algorithms: ['none'] }, 'algorithms'],
  [{ algorithms: ['RS256', 'HS256'] }, 'algorithms'],
  [{ algorithms: ['rs256'] }, 'algorithms'],
  [{ max_lifetime: 0 }, 'max_lifetime'],
  [{ max_lifetime: -1 }, 'max_lifetime'],
  [{ max_lifetime: 1.5 }, 'max_lifetime'],
  [{ max_lifetime: Number.POSITIVE_INFINITY }, 'max_lifetime'],
  [{ types: [] }, 'types'],
  [{ require: { environment: '' } }, 'require'],
  [{ require: { '': 'x' } }, 'require'],
  [{ require: { id: 2 ** 53 } }, 'require'],
  [{ groups: [{ group: '', when: { a: 'b' } }] }, 'groups'],
  [{ groups: [{ group: 'everyone', when: {} }] }, 'groups'],
  [{ groups: [{ group: 'g', when: { a: '' } }] }, 'groups'],
  [{ groups_claim: '' }, 'groups_claim'],
  [{ subject_claim: '' }, 'subject_claim'],
  [{ record_claims: [''] }, 'record_claims'],
];

for (const [config, key] of refused) {
  it(`refuses ${JSON.stringify(config)}`, () => {
    assert.throws(
      () => checkIssuers([{ ...sound, ...config }]),
      (error) => error instanceof IssuerConfigError && error.key === key && error.message.includes(`${key}: `),
    );
  });
}

const accepted: readonly Partial<IssuerConfig>[] = [
  { issuer: 'http://127.0.0.1:9000', unsafe_http: true },
  { issuer: 'http://localhost:9000', unsafe_http: true },
  { issuer: 'http://[::1]:9000', unsafe_http: true },
  { issuer: 'spiffe://bank.example', jwks_uri: 'https://spire.bank.example/keys' },
  { issuer: 'https://accounts.google.com/', algorithms: ['RS256'], types: [''] },
];

for (const config of accepted) it(`accepts ${JSON.stringify(config)}`, () => assert.equal(checkIssuers([{ ...sound, ...config }]).size, 1));

it('refuses two issuers of one name and one issuer under two names', () => {
  assert.throws(() => checkIssuers([sound, { ...sound, issuer: 'https://other.example' }]), { name: 'IssuerConfigError', key: 'name' });
  assert.throws(() => checkIssuers([sound, { ...sound, name: 'other' }]), { name: 'IssuerConfigError', key: 'issuer' });
});

it('the fingerprint changes with every rule and with nothing else', () => {
  assert.equal(fingerprint(sound), fingerprint({ ...sound, algorithms: ['RS256', 'ES256', 'ES384', 'PS256', 'EdDSA'], require: {} }));
  assert.equal(fingerprint(sound), fingerprint({ ...sound, sign_in: { client_id: 'x' } } as IssuerConfig));
  const changes: readonly Partial<IssuerConfig>[] = [
    { name: 'other' },
    { audience: 'other' },
    { kind: 'agent' },
    { require: { a: 'b' } },
    { groups: [{ group: 'g', when: { a: 'b' } }] },
    { groups_claim: 'groups' },
    { algorithms: ['RS256'] },
    { max_lifetime: 60 },
    { jwks_uri: 'https://ci.bank.example/keys' },
    { subject_claim: 'oid' },
    { private_network: true },
    { unsafe_http: true },
    { record_claims: ['a'] },
    { types: ['JWT'] },
    { other_audiences: ['other'] },
  ];
  const fingerprints = new Set([sound, ...changes.map((change) => ({ ...sound, ...change }))].map(fingerprint));
  assert.equal(fingerprints.size, changes.length + 1);
});

function fingerprint(config: IssuerConfig): string | undefined {
  return checkIssuers([config]).get(config.issuer)?.fingerprint;
}
