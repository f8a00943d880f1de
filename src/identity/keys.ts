import { importJWK, type CryptoKey, type JWK } from 'jose';
import { isObject, parseJsonObject } from './json.ts';

/** The signature algorithms that can be configured (RFC 7518 section 3.1, RFC 8037, RFC 9864): asymmetric ones, by kind of key. */
export const supportedAlgorithms: ReadonlySet<string> = new Set([
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
]);

/** Keys of one issuer that can verify signatures. */
export interface KeySet {
  /**
   * The keys that fit this algorithm by type, curve, size, `use`, `key_ops` and their own `alg`. With a `kid`: of exactly that name;
   * without one: all that fit.
   */
  select(kid: string | undefined, algorithm: string): readonly VerificationKey[];
}

export interface VerificationKey {
  /** The key, bound to one of the algorithms that it was selected for. */
  import(algorithm: string): Promise<CryptoKey>;
}

/**
 * Reads a JWK Set (RFC 7517 section 5). Keys that cannot verify anything here (symmetric ones, unknown types, wrong sizes, published
 * private keys) are left out. `undefined`: not a key set, or none of its keys is usable.
 */
export function readKeySet(bytes: Uint8Array): KeySet | undefined {
  const document = parseJsonObject(bytes, { depth: 16, members: 10_000 });
  const list = typeof document === 'object' ? document.get('keys') : undefined;
  if (!Array.isArray(list) || list.length > keysLimit) return undefined;
  const keys = list.filter(isObject).filter(isUsable).map(publicKey);
  if (keys.length === 0) return undefined;
  return {
    select: (kid, algorithm) => keys.filter((key) => (kid === undefined || key.kid === kid) && key.algorithms.has(algorithm)),
  };
}

interface PublicKey extends VerificationKey {
  readonly kid: string | undefined;
  readonly algorithms: ReadonlySet<string>;
}

type Members = Readonly<Record<string, unknown>>;

function publicKey(jwk: Members): PublicKey {
  const imported = new Map<string, Promise<CryptoKey>>();
  // Only the members that are the key itself: nothing else of the document reaches the cryptography.
  const material = Object.fromEntries(['kty', 'crv', 'x', 'y', 'n', 'e'].flatMap((name) => (name in jwk ? [[name, jwk[name]]] : [])));
  return {
    kid: typeof jwk.kid === 'string' ? jwk.kid : undefined,
    algorithms: new Set(algorithmsOf(jwk).filter((algorithm) => jwk.alg === undefined || sameAlgorithm(jwk.alg, algorithm))),
    import: (algorithm) => {
      const key = imported.get(algorithm) ?? (importJWK(material as JWK, algorithm) as Promise<CryptoKey>);
      imported.set(algorithm, key);
      return key;
    },
  };
}

function isUsable(jwk: Members): boolean {
  if ('d' in jwk || 'k' in jwk) return false;
  if (jwk.use !== undefined && jwk.use !== 'sig') return false;
  if (jwk.key_ops !== undefined && !(Array.isArray(jwk.key_ops) && jwk.key_ops.includes('verify'))) return false;
  return algorithmsOf(jwk).length > 0;
}

function algorithmsOf(jwk: Members): readonly string[] {
  switch (jwk.kty) {
    case 'RSA':
      return isSoundRsa(jwk) ? [...supportedAlgorithms].filter((name) => name.startsWith('RS') || name.startsWith('PS')) : [];
    case 'EC':
      return ecAlgorithms.get(jwk.crv) ?? [];
    case 'OKP':
      return jwk.crv === 'Ed25519' ? ['EdDSA', 'Ed25519'] : [];
    default:
      return [];
  }
}

/** RFC 7518 section 3.3 asks for 2,048 bits or more; the upper bounds keep one verification cheap. */
function isSoundRsa(jwk: Members): boolean {
  if (typeof jwk.n !== 'string' || typeof jwk.e !== 'string') return false;
  const modulus = Buffer.from(jwk.n, 'base64url')
    .toString('hex')
    .replace(/^(?:00)+/, '');
  const exponent = Buffer.from(jwk.e, 'base64url');
  const bits = modulus.length * 4;
  const value = exponent.length > 0 && exponent.length <= 4 ? exponent.readUIntBE(0, exponent.length) : 0;
  return bits >= 2048 && bits <= 8192 && value >= 3 && value % 2 === 1;
}

/** `EdDSA` and `Ed25519` name the same signature (RFC 9864 section 2.2). */
function sameAlgorithm(declared: unknown, algorithm: string): boolean {
  const edwards = ['EdDSA', 'Ed25519'];
  return declared === algorithm || (edwards.includes(String(declared)) && edwards.includes(algorithm));
}

const ecAlgorithms = new Map<unknown, readonly string[]>([
  ['P-256', ['ES256']],
  ['P-384', ['ES384']],
  ['P-521', ['ES512']],
]);

const keysLimit = 200;
