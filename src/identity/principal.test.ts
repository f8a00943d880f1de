import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { Principal } from '../core/principal.ts';
import {
  assertRefused,
  issuerUrl,
  signToken,
  startMs,
  testIdentity,
  testIssuer,
  testKey,
  validClaims,
  type Members,
} from './testing/tokens.ts';
import type { IssuerConfig } from '../config/issuer.ts';

const key = testKey('ES256', 'k1');

function authenticate(claims: Members, issuer: Partial<IssuerConfig> = {}): Promise<Principal> {
  return testIdentity({ keys: [key], issuers: [{ ...testIssuer, ...issuer }] }).authenticateOidc(signToken(key, validClaims(claims)));
}

it('a pipeline becomes an agent with its claims, its groups and nothing else', async () => {
  const principal = await authenticate(
    { repository: 'bank/orders', repository_id: '7741', run_id: 991, ref: 'refs/heads/main', ref_protected: true, email: 'x@bank.example' },
    { kind: 'agent', groups: [{ group: 'deployers', when: { repository_id: '7741', ref: 'refs/heads/main' } }] },
  );
  assert.deepEqual(principal, {
    issuer: 'ci',
    issuerUrl,
    subject: 'repo:bank/orders:environment:production',
    kind: 'agent',
    groups: ['deployers'],
    groupsKnown: true,
    claims: { repository: 'bank/orders', repository_id: '7741', run_id: 991, ref: 'refs/heads/main', ref_protected: true },
    display: 'bank/orders run 991',
    tokenId: 'token-1',
    expiresAtMs: startMs + 300_000,
    authenticatedBy: 'oidc-token',
  } satisfies Principal);
});

it('a group rule holds only when all of its conditions do', async () => {
  const groups = [
    { group: 'deployers', when: { repository_id: '7741', environment: 'production' } },
    { group: 'readers', when: { repository_id: '7741' } },
    { group: 'readers', when: { repository_id: 7741 } },
  ];
  assert.deepEqual((await authenticate({ repository_id: '7741', environment: 'staging' }, { groups })).groups, ['readers']);
  assert.deepEqual((await authenticate({ repository_id: '77410' }, { groups })).groups, []);
});

const memberships: readonly (readonly [name: string, claims: Members, groups: readonly string[], known: boolean])[] = [
  ['listed', { groups: ['dba', 'fraud', 'dba'] }, ['dba', 'fraud'], true],
  ['listed, none', { groups: [] }, [], true],
  ['absent', {}, [], true],
  ['hasgroups false', { hasgroups: false }, [], true],
  ['hasgroups true', { hasgroups: true }, [], false],
  ['hasgroups as text', { hasgroups: 'true' }, [], false],
  ['overage', { _claim_names: { groups: 'src1' }, _claim_sources: { src1: { endpoint: 'https://graph.windows.net/x' } } }, [], false],
  ['overage without sources', { _claim_names: { groups: 'src1' } }, [], false],
  ['sources without names', { _claim_sources: { src1: {} } }, [], false],
  ['names that are malformed', { _claim_names: 'groups' }, [], false],
  ['names of something else', { _claim_names: { address: 'src1' }, _claim_sources: { src1: {} } }, [], true],
  ['listed and overage', { groups: ['dba'], _claim_names: { groups: 'src1' } }, ['dba'], false],
];

for (const [name, claims, groups, known] of memberships) {
  it(`groups claim ${name}: ${groups.join(', ') || 'none'}, ${known ? 'known' : 'unknown'}`, async () => {
    const principal = await authenticate(claims, { groups_claim: 'groups' });
    assert.deepEqual([principal.groups, principal.groupsKnown], [groups, known]);
  });
}

for (const groups of ['dba', 5, true, {}, { 0: 'dba', length: 1 }, ['dba', 5], [['dba']], [''], ['g'.repeat(513)]]) {
  it(`refuses groups ${JSON.stringify(groups).slice(0, 30)}`, async () => {
    await assertRefused(authenticate({ groups }, { groups_claim: 'groups' }), 'groups-malformed');
  });
}

it('groups of a claim that is not configured mean nothing', async () => {
  const principal = await authenticate({ groups: ['dba'], roles: ['dba'] });
  assert.deepEqual([principal.groups, principal.groupsKnown], [[], true]);
  assert.deepEqual((await authenticate({ groups: ['dba'], roles: ['admin'] }, { groups_claim: 'roles' })).groups, ['admin']);
});

it('rules and listed groups add up', async () => {
  const issuer = { groups_claim: 'groups', groups: [{ group: 'tenant', when: { tid: 't' } }] };
  assert.deepEqual((await authenticate({ tid: 't', groups: ['dba'] }, issuer)).groups, ['tenant', 'dba']);
});

it('the subject is the configured claim; with oid it includes the tenant', async () => {
  assert.equal((await authenticate({ repository_id: '7741' }, { subject_claim: 'repository_id' })).subject, '7741');
  assert.equal((await authenticate({ oid: 'o', tid: 't' }, { subject_claim: 'oid' })).subject, 't/o');
  for (const [claims, check] of [
    [{}, 'subject-missing'],
    [{ oid: 'o' }, 'subject-missing'],
    [{ tid: 't' }, 'subject-missing'],
    [{ oid: 'o', tid: 5 }, 'subject-missing'],
    [{ oid: 5, tid: 't' }, 'subject-missing'],
    [{ oid: 'b/c', tid: 'a' }, 'subject-refused'],
    [{ oid: 'c', tid: 'a/b' }, 'subject-refused'],
    [{ oid: 'o', tid: 't', sub: undefined }, 'subject-missing'],
  ] as const) {
    await assertRefused(authenticate(claims, { subject_claim: 'oid' }), check);
  }
});

const kinds: readonly (readonly [claims: Members, configured: IssuerConfig['kind'], kind: string])[] = [
  [{}, undefined, 'user'],
  [{}, 'user', 'user'],
  [{}, 'agent', 'agent'],
  [{ idtyp: 'user' }, undefined, 'user'],
  [{ idtyp: 'user' }, 'agent', 'agent'],
  [{ idtyp: 'app' }, undefined, 'agent'],
  [{ idtyp: 'app' }, 'user', 'agent'],
  [{ gty: 'client-credentials' }, 'user', 'agent'],
  [{ sub: 'x', oid: 'x' }, undefined, 'agent'],
  [{ sub: 'x', client_id: 'x' }, undefined, 'agent'],
  [{ sub: 'x', azp: 'y', client_id: 'y', oid: 'z' }, undefined, 'user'],
];

for (const [claims, configured, kind] of kinds) {
  it(`kind ${configured} and ${JSON.stringify(claims)} make ${kind}`, async () => {
    assert.equal((await authenticate(claims, configured === undefined ? {} : { kind: configured })).kind, kind);
  });
}

it('claims on record are known or configured, scalar and cut', async () => {
  const { claims } = await authenticate(
    {
      actor: `${'a'.repeat(1_023)}\u{1f600}`,
      repository: ['bank/orders'],
      environment: null,
      ref: { name: 'main' },
      ticket: 'CHG-1',
      list: ['x'],
      secretish: 'no',
      'kubernetes.io': { namespace: 'ci', serviceaccount: { name: 'runner', uid: 'u-1' }, pod: { name: 'p', uid: 'u-2' }, warnafter: 1 },
    },
    { record_claims: ['ticket', 'list', 'kubernetes.warnafter', '__proto__'] },
  );
  assert.deepEqual(claims, {
    actor: `${'a'.repeat(1_023)}\u{fffd}`,
    ticket: 'CHG-1',
    'kubernetes.namespace': 'ci',
    'kubernetes.serviceaccount.name': 'runner',
    'kubernetes.serviceaccount.uid': 'u-1',
    'kubernetes.pod.name': 'p',
    'kubernetes.pod.uid': 'u-2',
    'kubernetes.warnafter': 1,
  });
});

it('a person is displayed by name, without characters that deceive the eye', async () => {
  assert.equal((await authenticate({ preferred_username: 'dana', name: 'Dana' })).display, 'dana');
  assert.equal((await authenticate({ name: 'a\u{202e}b\n\u{1b}c' })).display, 'a\u{fffd}b\u{fffd}\u{fffd}c');
  assert.equal((await authenticate({ name: 5, email: '' })).display, 'repo:bank/orders:environment:production');
});

it('tokenId is jti, else uti, else nothing', async () => {
  assert.equal((await authenticate({ jti: undefined, uti: 'u' })).tokenId, 'u');
  assert.equal((await authenticate({ jti: 5 })).tokenId, undefined);
  assert.equal((await authenticate({ jti: 'a\nb' })).tokenId, undefined);
});
