import { createHash } from 'node:crypto';
import type { PrincipalKind } from '../core/principal.ts';
import type { KeyLocation } from './key-source.ts';
import { supportedAlgorithms } from './keys.ts';
import { normalizeType } from './token.ts';
import type { ClaimConditions, GroupRule, IssuerConfig } from '../config/issuer.ts';

/** A configured issuer, checked, defaults filled in, ready to be asked. */
export interface Issuer {
  readonly name: string;
  readonly url: string;
  readonly audiences: ReadonlySet<string>;
  readonly otherAudiences: ReadonlySet<string>;
  readonly kind: PrincipalKind | undefined;
  readonly require: ClaimConditions;
  readonly groups: readonly GroupRule[];
  readonly groupsClaim: string | undefined;
  readonly algorithms: ReadonlySet<string>;
  readonly types: ReadonlySet<string>;
  readonly maxLifetimeSeconds: number;
  readonly subjectClaim: string;
  readonly recordClaims: readonly string[];
  readonly location: KeyLocation;
  /** Equal for equal rules: a gateway token issued under others is not accepted. */
  readonly fingerprint: string;
}

/** An issuer that cannot be served safely: which one, which key of it, what was expected. */
export class IssuerConfigError extends Error {
  override readonly name = 'IssuerConfigError';
  readonly issuer: string;
  readonly key: string;

  constructor(issuer: string, key: string, expected: string) {
    super(`issuer ${issuer}: ${key}: ${expected}`);
    this.issuer = issuer;
    this.key = key;
  }
}

/** By `iss`, exactly. Throws `IssuerConfigError`. */
export function checkIssuers(configs: readonly IssuerConfig[]): ReadonlyMap<string, Issuer> {
  const issuers = new Map<string, Issuer>();
  const names = new Set<string>();
  for (const config of configs) {
    if (names.has(config.name)) throw new IssuerConfigError(config.name, 'name', 'stands twice');
    if (issuers.has(config.issuer)) throw new IssuerConfigError(config.name, 'issuer', 'stands twice');
    names.add(config.name);
    issuers.set(config.issuer, checkIssuer(config));
  }
  return issuers;
}

function checkIssuer(config: IssuerConfig): Issuer {
  const expect: Expect = (holds, key, expected) => {
    if (!holds) throw new IssuerConfigError(config.name, key, expected);
  };
  expect(/^[A-Za-z0-9._-]{1,64}$/.test(config.name), 'name', 'expected 1 to 64 letters, digits, dots, underscores or hyphens');
  const location = checkLocation(config, expect);
  const audiences = typeof config.audience === 'string' ? [config.audience] : config.audience;
  expect(audiences.length > 0, 'audience', 'expected at least one audience');
  checkTexts(audiences, 'audience', expect);
  checkTexts(config.other_audiences ?? [], 'other_audiences', expect);
  const algorithms = config.algorithms ?? defaultAlgorithms;
  expect(algorithms.length > 0, 'algorithms', 'expected at least one algorithm');
  for (const name of algorithms)
    expect(supportedAlgorithms.has(name), 'algorithms', `expected some of ${[...supportedAlgorithms].join(', ')}`);
  const maxLifetimeSeconds = config.max_lifetime ?? defaultMaxLifetimeSeconds;
  expect(Number.isSafeInteger(maxLifetimeSeconds) && maxLifetimeSeconds > 0, 'max_lifetime', 'expected a whole number of seconds above 0');
  const types = config.types ?? defaultTypes;
  expect(types.length > 0, 'types', 'expected at least one type');
  checkConditions(config.require ?? {}, 'require', expect);
  for (const rule of config.groups ?? []) {
    checkTexts([rule.group], 'groups', expect);
    expect(Object.keys(rule.when).length > 0, 'groups', `expected at least one condition under \`when\` of group ${rule.group}`);
    checkConditions(rule.when, 'groups', expect);
  }
  checkTexts(config.groups_claim === undefined ? [] : [config.groups_claim], 'groups_claim', expect);
  checkTexts(config.subject_claim === undefined ? [] : [config.subject_claim], 'subject_claim', expect);
  checkTexts(config.record_claims ?? [], 'record_claims', expect);
  const rules: Omit<Issuer, 'fingerprint'> = {
    name: config.name,
    url: config.issuer,
    audiences: new Set(audiences),
    otherAudiences: new Set(config.other_audiences),
    kind: config.kind,
    require: { ...config.require },
    groups: [...(config.groups ?? [])],
    groupsClaim: config.groups_claim,
    algorithms: new Set(algorithms),
    types: new Set(types.map(normalizeType)),
    maxLifetimeSeconds,
    subjectClaim: config.subject_claim ?? 'sub',
    recordClaims: [...(config.record_claims ?? [])],
    location,
  };
  return { ...rules, fingerprint: fingerprintOf(rules) };
}

type Expect = (holds: boolean, key: string, expected: string) => void;

function checkLocation(config: IssuerConfig, expect: Expect): KeyLocation {
  const rules = { privateNetwork: config.private_network === true, unsafeHttp: config.unsafe_http === true };
  checkTexts([config.issuer], 'issuer', expect);
  // With `jwks_uri` the issuer is a name and nothing more (a Kubernetes cluster, a SPIFFE trust domain).
  if (config.jwks_uri === undefined) checkUrl(config.issuer, 'issuer', rules.unsafeHttp, expect);
  else checkUrl(config.jwks_uri, 'jwks_uri', rules.unsafeHttp, expect);
  return { issuer: config.issuer, jwksUri: config.jwks_uri, ...rules };
}

function checkUrl(text: string, key: string, unsafeHttp: boolean, expect: Expect): void {
  const url = URL.parse(text);
  const secure = url?.protocol === 'https:';
  const local = url?.protocol === 'http:' && unsafeHttp && /^(?:localhost|127(?:\.\d+){3}|\[::1\])$/.test(url.hostname);
  expect(secure || local, key, 'expected an https URL (plain http only with `unsafe_http: true` and a loopback host)');
  expect(url?.username === '' && url.password === '' && url.hash === '', key, 'expected a URL without user name, password and fragment');
  expect(key !== 'issuer' || url?.search === '', key, 'expected a URL without a query');
}

function checkConditions(conditions: ClaimConditions, key: string, expect: Expect): void {
  for (const [claim, value] of Object.entries(conditions)) {
    expect(claim !== '' && value !== '', key, 'expected claim names and values that are not empty');
    expect(typeof value !== 'number' || Number.isSafeInteger(value), key, `expected ${claim} as text: this number is not exact`);
  }
}

function checkTexts(texts: readonly string[], key: string, expect: Expect): void {
  for (const text of texts) expect(text !== '' && text.length <= 2048, key, 'expected text of 1 to 2,048 characters');
}

function fingerprintOf(rules: Omit<Issuer, 'fingerprint'>): string {
  const text = JSON.stringify(rules, (_, value: unknown) => (value instanceof Set ? [...(value as Set<unknown>)] : value));
  return createHash('sha256').update(text).digest('hex');
}

const defaultAlgorithms = ['RS256', 'ES256', 'ES384', 'PS256', 'EdDSA'];
const defaultTypes = ['JWT', 'at+jwt', ''];
/** Managed identities at Entra ID get tokens for up to 24 hours. */
const defaultMaxLifetimeSeconds = 86_400;
