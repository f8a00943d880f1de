import type { Issuer } from './issuer.ts';
import { isObject, type JsonObject } from './json.ts';
import { refusal, type RefusalContext } from './refusal.ts';
import type { ClaimConditions } from '../config/issuer.ts';

/**
 * The checks on a verified token's claims (RFC 7519 section 4.1, OpenID Connect Core section 3.1.3.7, RFC 8725). All compare text
 * code unit by code unit. Throws `authentication-failed`. Returns `exp` in milliseconds since 1970.
 *
 * The gateway's clock may be up to 60 seconds behind the issuer's (`nbf`, `iat`). No leeway is given to `exp`: a session ends when
 * its token does.
 */
export function checkClaims(claims: JsonObject, issuer: Issuer, nowMs: number, context: RefusalContext): number {
  checkAudience(claims.get('aud'), issuer, context);
  const expiresAtMs = Math.floor(checkTimes(claims, issuer, nowMs / 1000, context) * 1000);
  const missing = firstUnfulfilled(flattenClaims(claims), issuer.require);
  if (missing !== undefined) throw refusal('claim-required', context, missing);
  return expiresAtMs;
}

/**
 * Claims by name, with what Kubernetes and AWS keep in one structured claim spelled out: `kubernetes.serviceaccount.name`,
 * `aws.aws_account`. Such a name never means a claim that merely looks like it.
 */
export function flattenClaims(claims: JsonObject): JsonObject {
  const flat = new Map<string, unknown>();
  for (const [name, value] of claims) {
    if (!structuredClaims.some(([, prefix]) => name.startsWith(`${prefix}.`) && name !== 'kubernetes.io')) flat.set(name, value);
  }
  for (const [claim, prefix] of structuredClaims) flattenInto(flat, prefix, claims.get(claim), 2);
  return flat;
}

/** The first claim that is not there with exactly the value asked for. */
export function firstUnfulfilled(claims: JsonObject, conditions: ClaimConditions): string | undefined {
  return Object.entries(conditions).find(([name, value]) => claimText(claims.get(name)) !== String(value))?.[0];
}

/**
 * Text as it is, booleans and numbers as JSON writes them. Whole numbers beyond 2^53 have lost digits when they are read and equal
 * nothing; neither does anything structured.
 */
function claimText(value: unknown): string | undefined {
  if (typeof value === 'string') return value;
  if (typeof value === 'boolean') return String(value);
  if (typeof value === 'number' && (Number.isSafeInteger(value) || !Number.isInteger(value))) return JSON.stringify(value);
  return undefined;
}

/** One of the gateway's audiences must be there, and nobody else's that was not configured. */
function checkAudience(aud: unknown, issuer: Issuer, context: RefusalContext): void {
  if (aud === undefined) throw refusal('audience-missing', context);
  const audiences: readonly unknown[] = Array.isArray(aud) ? aud : [aud];
  if (!audiences.every((audience) => typeof audience === 'string')) throw refusal('claim-malformed', context, 'aud');
  const others = audiences.filter((audience) => !issuer.audiences.has(audience));
  if (others.some((audience) => isWellKnown(audience) && !issuer.otherAudiences.has(audience))) throw refusal('audience-foreign', context);
  if (others.length === audiences.length) throw refusal('audience-mismatch', context);
  if (!others.every((audience) => issuer.otherAudiences.has(audience))) throw refusal('audience-extra', context);
}

/** Tokens for these are handed to other parties by design. */
function isWellKnown(audience: string): boolean {
  return wellKnownAudiences.has(audience) || audience.startsWith('https://github.com/') || audience.startsWith('https://buildkite.com/');
}

/** Returns `exp`, seconds since 1970. */
function checkTimes(claims: JsonObject, issuer: Issuer, now: number, context: RefusalContext): number {
  const exp = numericDate(claims, 'exp', context);
  const nbf = numericDate(claims, 'nbf', context);
  const iat = numericDate(claims, 'iat', context);
  if (exp === undefined) throw refusal('expiry-missing', context);
  if (iat !== undefined && iat > now + leewaySeconds) throw refusal('issued-in-future', context);
  if (nbf !== undefined && nbf > now + leewaySeconds) throw refusal('not-yet-valid', context);
  if (exp <= now) throw refusal('expired', context);
  if ((iat !== undefined && exp <= iat) || (nbf !== undefined && exp <= nbf)) throw refusal('lifetime-invalid', context);
  if (exp - (iat ?? now) > issuer.maxLifetimeSeconds) throw refusal('lifetime-too-long', context);
  return exp;
}

/** RFC 7519 section 2: seconds since 1970, fractions allowed. What cannot be a date of this era (milliseconds, say) is malformed. */
function numericDate(claims: JsonObject, name: string, context: RefusalContext): number | undefined {
  const value = claims.get(name);
  if (value === undefined) return undefined;
  if (typeof value !== 'number' || !(value > 0 && value < 100_000_000_000)) throw refusal('claim-malformed', context, name);
  return value;
}

function flattenInto(flat: Map<string, unknown>, prefix: string, value: unknown, depth: number): void {
  if (!isObject(value)) return;
  for (const [name, member] of Object.entries(value)) {
    if (name.includes('.')) continue;
    if (isObject(member)) {
      if (depth > 1) flattenInto(flat, `${prefix}.${name}`, member, depth - 1);
    } else flat.set(`${prefix}.${name}`, member);
  }
}

const structuredClaims = [
  ['kubernetes.io', 'kubernetes'],
  ['https://sts.amazonaws.com/', 'aws'],
] as const;

const wellKnownAudiences = new Set([
  'sts.amazonaws.com',
  'https://sts.amazonaws.com',
  'api://AzureADTokenExchange',
  'https://database.windows.net/',
  'https://ossrdbms-aad.database.windows.net',
  'https://cosmos.azure.com',
  'https://storage.azure.com/',
  'https://management.azure.com/',
  'https://vault.azure.net',
  'https://graph.microsoft.com',
  '00000003-0000-0000-c000-000000000000',
  '6dae42f8-4368-4678-94ff-3960e28e3630',
  'https://iam.googleapis.com/',
  'sigstore',
]);

const leewaySeconds = 60;
