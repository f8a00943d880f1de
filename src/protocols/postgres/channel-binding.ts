import type { Crypto } from '../../core/crypto.ts';
import { toHex } from './hex.ts';

/**
 * Channel binding data of type `tls-server-end-point` (RFC 5929 section 4.1): the certificate's hash, by the hash function of the
 * certificate's own signature, SHA-256 in place of MD5 and SHA-1. `undefined` where the RFC defines none (a signature without a hash
 * of its own, such as Ed25519), where the algorithm is unknown to us, and for anything that is not a certificate.
 */
export function tlsServerEndPoint(certificate: Uint8Array, crypto: Crypto): Uint8Array | undefined {
  const hash = signatureHash(certificate);
  return hash === undefined ? undefined : crypto[hash](certificate);
}

type Hash = 'sha256' | 'sha384' | 'sha512';

/** Certificate ::= SEQUENCE { tbsCertificate, signatureAlgorithm, signatureValue } (RFC 5280 section 4.1), in DER. */
function signatureHash(der: Uint8Array): Hash | undefined {
  const certificate = element(der, 0, der.length, SEQUENCE);
  if (certificate === undefined) return undefined;
  const tbs = element(der, certificate.start, certificate.end, SEQUENCE);
  if (tbs === undefined) return undefined;
  const algorithm = element(der, tbs.end, certificate.end, SEQUENCE);
  return algorithm === undefined ? undefined : algorithmHash(der, algorithm, true);
}

/** AlgorithmIdentifier ::= SEQUENCE { algorithm OBJECT IDENTIFIER, parameters ANY OPTIONAL }. */
function algorithmHash(der: Uint8Array, algorithm: Span, pssAllowed: boolean): Hash | undefined {
  const oid = element(der, algorithm.start, algorithm.end, OBJECT_IDENTIFIER);
  if (oid === undefined) return undefined;
  const name = toHex(der.subarray(oid.start, oid.end));
  if (name !== RSASSA_PSS) return HASH_BY_OID.get(name);
  if (!pssAllowed) return undefined;
  // RSASSA-PSS-params (RFC 4055 section 3.1): hashAlgorithm [0] EXPLICIT, SHA-1 where absent, for which SHA-256 stands in.
  const params = element(der, oid.end, algorithm.end, SEQUENCE);
  if (params === undefined) return undefined;
  const tagged = element(der, params.start, params.end, CONTEXT_0);
  if (tagged === undefined) return 'sha256';
  const hash = element(der, tagged.start, tagged.end, SEQUENCE);
  return hash === undefined ? undefined : algorithmHash(der, hash, false);
}

/** Where an element's content lies; the next element begins at `end`. */
interface Span {
  readonly start: number;
  readonly end: number;
}

/** The element at `at`, if it has this tag and lies before `end`. DER: definite lengths only; four length bytes are plenty. */
function element(der: Uint8Array, at: number, end: number, tag: number): Span | undefined {
  if (at + 2 > end || der[at] !== tag) return undefined;
  const first = der[at + 1]!;
  let start = at + 2;
  let length = first;
  if (first >= 0x80) {
    const count = first & 0x7f;
    if (count === 0 || count > 4 || start + count > end) return undefined;
    length = 0;
    for (let index = 0; index < count; index += 1) length = length * 256 + der[start + index]!;
    start += count;
  }
  return length > end - start ? undefined : { start, end: start + length };
}

const SEQUENCE = 0x30;
const OBJECT_IDENTIFIER = 0x06;
const CONTEXT_0 = 0xa0;
const RSASSA_PSS = '2a864886f70d01010a';

/** Signature algorithms (RFC 3279, 4055, 5758) and, inside RSASSA-PSS, hash algorithms: OID content bytes in hex. */
const HASH_BY_OID: ReadonlyMap<string, Hash> = new Map<string, Hash>([
  ['2a864886f70d010104', 'sha256'], // md5WithRSAEncryption
  ['2a864886f70d010105', 'sha256'], // sha1WithRSAEncryption
  ['2a864886f70d01010b', 'sha256'], // sha256WithRSAEncryption
  ['2a864886f70d01010c', 'sha384'], // sha384WithRSAEncryption
  ['2a864886f70d01010d', 'sha512'], // sha512WithRSAEncryption
  ['2a8648ce3d0401', 'sha256'], // ecdsa-with-SHA1
  ['2a8648ce3d040302', 'sha256'], // ecdsa-with-SHA256
  ['2a8648ce3d040303', 'sha384'], // ecdsa-with-SHA384
  ['2a8648ce3d040304', 'sha512'], // ecdsa-with-SHA512
  ['2a8648ce380403', 'sha256'], // dsa-with-sha1
  ['608648016503040302', 'sha256'], // dsa-with-sha256
  ['2b0e03021a', 'sha256'], // SHA-1
  ['608648016503040201', 'sha256'], // SHA-256
  ['608648016503040202', 'sha384'], // SHA-384
  ['608648016503040203', 'sha512'], // SHA-512
]);
