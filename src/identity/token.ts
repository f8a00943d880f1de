import { parseJsonObject, type JsonObject, type JsonRefusal } from './json.ts';
import { refusal, type Check, type RefusalContext } from './refusal.ts';

/** A compact JWS (RFC 7515 section 7.1) taken apart. Nothing of it is verified yet. */
export interface UnverifiedToken {
  readonly compact: string;
  readonly header: TokenHeader;
  readonly payload: JsonObject;
  readonly issuer: string;
  readonly context: RefusalContext;
}

export interface TokenHeader {
  readonly alg: string;
  readonly kid: string | undefined;
  /** Lower case, without `application/`; the empty text where the token has none. */
  readonly typ: string;
}

/**
 * Reads a token strictly: three segments of canonical base64url without padding, UTF-8 JSON objects without duplicate members, no
 * header parameter that brings keys or changes what is signed. Throws `authentication-failed`.
 */
export function readToken(compact: string): UnverifiedToken {
  if (compact.length > tokenLimitBytes) throw refusal('token-too-large');
  const segments = compact.split('.');
  if (segments.length === 5) throw refusal('token-encrypted');
  const [headerBytes, payloadBytes, signature] = segments.map(decodeBase64Url);
  if (segments.length !== 3 || headerBytes === undefined || payloadBytes === undefined || signature === undefined) {
    throw refusal('token-malformed');
  }
  if (headerBytes.length > headerLimitBytes) throw refusal('header-malformed');
  const header = readHeader(members(parseJsonObject(headerBytes, jsonLimits), 'header-malformed', 'header-duplicate-member'));
  const context = { alg: header.alg, kid: header.kid };
  if (signature.length === 0) throw refusal('signature-invalid', context);
  const payload = members(parseJsonObject(payloadBytes, jsonLimits), 'payload-malformed', 'payload-duplicate-member', context);
  const issuer = payload.get('iss');
  if (typeof issuer !== 'string' || issuer === '') throw refusal('issuer-missing', context);
  return { compact, header, payload, issuer, context: { iss: issuer, ...context } };
}

/** Media types compare without case, and `application/` may be left out (RFC 7515 section 4.1.9). */
export function normalizeType(typ: string): string {
  const lower = typ.toLowerCase();
  return lower.startsWith('application/') ? lower.slice('application/'.length) : lower;
}

function readHeader(header: JsonObject): TokenHeader {
  const alg = header.get('alg');
  const kid = header.get('kid');
  const typ = header.get('typ') ?? '';
  if (typeof alg !== 'string') throw refusal('header-malformed', {}, 'alg');
  if (kid !== undefined && (typeof kid !== 'string' || kid === '' || kid.length > kidLimit)) {
    throw refusal('header-malformed', { alg }, 'kid');
  }
  if (typeof typ !== 'string' || (header.has('typ') && typ === '')) throw refusal('header-malformed', { alg, kid }, 'typ');
  const refused = refusedParameters.find((name) => header.has(name));
  if (refused !== undefined) throw refusal('header-refused', { alg, kid }, refused);
  return { alg, kid, typ: normalizeType(typ) };
}

function members(parsed: JsonObject | JsonRefusal, malformed: Check, duplicate: Check, context: RefusalContext = {}): JsonObject {
  if (typeof parsed === 'object') return parsed;
  throw parsed === 'duplicate-member' ? refusal(duplicate, context) : refusal(malformed, context, parsed);
}

/** Canonical only: no padding, no foreign characters, no stray bits in the last one (RFC 7515 section 2, RFC 4648 section 3.5). */
function decodeBase64Url(segment: string): Uint8Array | undefined {
  const bytes = Buffer.from(segment, 'base64url');
  return bytes.toString('base64url') === segment ? bytes : undefined;
}

/** A 200-group Entra ID token is about 12 KiB; Node's own limit for all headers of a request is 16 KiB. */
const tokenLimitBytes = 16_384;
const headerLimitBytes = 2_048;
const kidLimit = 512;
const jsonLimits = { depth: 8, members: 256 };

/**
 * Keys brought along (RFC 7515 sections 4.1.2 to 4.1.6), extensions and encodings that change what is signed (`crit`, RFC 7797's
 * `b64`), compression, nesting (`cty`) and everything of JWE (RFC 7516, RFC 7518).
 */
const refusedParameters = ['jwk', 'jku', 'x5u', 'x5c', 'crit', 'b64', 'zip', 'cty', 'enc', 'epk', 'apu', 'apv', 'iv', 'tag', 'p2s', 'p2c'];
