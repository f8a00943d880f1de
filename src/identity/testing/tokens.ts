import assert from 'node:assert/strict';
import { constants, generateKeyPairSync, sign, type KeyObject } from 'node:crypto';
import { DatabaseSync } from 'node:sqlite';
import { GatewayFault } from '../../core/fault.ts';
import type { ClockPort } from '../../core/ports.ts';
import type { FetchDocument } from '../https/fetch-document.ts';
import { createIdentity, type Identity, type IdentityOptions } from '../identity.ts';
import { createSqliteCredentialStores } from '../sqlite/index.ts';
import type { IssuerConfig } from '../../config/issuer.ts';

/** What tests sign tokens with: every byte of header, payload and signature can be wrong on purpose. */
export interface TestKey {
  readonly alg: string;
  readonly kid: string;
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
  readonly jwk: Readonly<Record<string, unknown>>;
}

export type Members = Readonly<Record<string, unknown>>;

export function testKey(alg: string, kid: string, rsaBits = 2048): TestKey {
  const { privateKey, publicKey } = keyPair(alg, rsaBits);
  return { alg, kid, privateKey, publicKey, jwk: { ...publicKey.export({ format: 'jwk' }), kid, use: 'sig' } };
}

/** A signed token. Members that are `undefined` are left out. */
export function signToken(key: TestKey, claims: Members, header: Members = {}): string {
  return signText(key, JSON.stringify({ alg: key.alg, kid: key.kid, typ: 'JWT', ...header }), JSON.stringify(claims));
}

export function signText(key: TestKey, header: string | Uint8Array, payload: string | Uint8Array): string {
  const input = `${base64Url(header)}.${base64Url(payload)}`;
  return `${input}.${base64Url(rawSignature(key, input))}`;
}

export function base64Url(bytes: string | Uint8Array): string {
  return Buffer.from(bytes).toString('base64url');
}

export function rawSignature(key: TestKey, input: string): Buffer {
  const bytes = Buffer.from(input);
  const hash = key.alg === 'EdDSA' ? null : `sha${key.alg.slice(-3)}`;
  if (!key.alg.startsWith('PS')) return sign(hash, bytes, { key: key.privateKey, dsaEncoding: 'ieee-p1363' });
  return sign(hash, bytes, {
    key: key.privateKey,
    padding: constants.RSA_PKCS1_PSS_PADDING,
    saltLength: constants.RSA_PSS_SALTLEN_DIGEST,
  });
}

export const issuerUrl = 'https://ci.bank.example';
export const audience = 'https://gw.bank.example';
export const jwksUri = 'https://ci.bank.example/keys';
export const startMs = 1_795_000_000_000;
const startSeconds = startMs / 1000;

/** Stands in every token and may stand in no fault. */
const leakMarker = 'must-never-leave-the-token';

export function validClaims(claims: Members = {}): Members {
  return {
    iss: issuerUrl,
    sub: 'repo:bank/orders:environment:production',
    aud: audience,
    iat: startSeconds,
    nbf: startSeconds - 120,
    exp: startSeconds + 300,
    jti: 'token-1',
    marker: leakMarker,
    ...claims,
  };
}

export interface TestClock extends ClockPort {
  advance(ms: number): void;
}

export function testClock(): TestClock {
  let elapsedMs = 0;
  return {
    now: () => startMs + elapsedMs,
    monotonic: () => elapsedMs,
    advance: (ms) => {
      elapsedMs += ms;
    },
  };
}

export const testIssuer: IssuerConfig = { name: 'ci', issuer: issuerUrl, audience, jwks_uri: jwksUri };

/** Serves one key set per URL, from memory. */
export function fetchKeySets(sets: Readonly<Record<string, readonly TestKey[]>>): FetchDocument {
  return async (url) => {
    const keys = sets[url.href];
    assert.ok(keys !== undefined, `nothing is served at ${url.href}`);
    return { body: Buffer.from(JSON.stringify({ keys: keys.map(({ jwk }) => jwk) })), maxAgeSeconds: 3600 };
  };
}

export function testIdentity(options: Partial<IdentityOptions> & { readonly keys?: readonly TestKey[] } = {}): Identity {
  return createIdentity({
    issuers: [testIssuer],
    ...createSqliteCredentialStores(new DatabaseSync(':memory:')),
    clock: testClock(),
    isTarget: (name) => name === 'orders' || name === 'ledger',
    fetch: fetchKeySets({ [jwksUri]: options.keys ?? [] }),
    ...options,
  });
}

/** The credential is refused for exactly this check, in the one public wording, and nothing of the token gets out. */
export async function assertRefused(authentication: Promise<unknown>, check: string, credential = ''): Promise<GatewayFault> {
  const fault = await authentication.then(
    () => assert.fail(`accepted, expected ${check}`),
    (error: unknown) => error,
  );
  assert.ok(fault instanceof GatewayFault, `expected a fault, got ${String(fault)}`);
  assert.equal(fault.code, 'authentication-failed');
  assert.equal(fault.detail.split(';')[0], check);
  assert.equal(fault.publicMessage, 'authentication failed: the credential was not accepted');
  const said = `${fault.detail} ${fault.message} ${fault.hint} ${fault.stack}`;
  assert.ok(!said.includes(leakMarker), 'a claim leaked');
  for (const segment of credential.split('.')) assert.ok(segment.length < 24 || !said.includes(segment), 'a part of the token leaked');
  return fault;
}

function keyPair(alg: string, rsaBits: number): { privateKey: KeyObject; publicKey: KeyObject } {
  switch (alg) {
    case 'ES256':
      return generateKeyPairSync('ec', { namedCurve: 'P-256' });
    case 'ES384':
      return generateKeyPairSync('ec', { namedCurve: 'P-384' });
    case 'ES512':
      return generateKeyPairSync('ec', { namedCurve: 'P-521' });
    case 'EdDSA':
      return generateKeyPairSync('ed25519');
    default:
      return generateKeyPairSync('rsa', { modulusLength: rsaBits });
  }
}
