import assert from 'node:assert/strict';
import { createHmac, sign } from 'node:crypto';
import { it } from 'node:test';
import {
  assertRefused,
  base64Url,
  issuerUrl,
  jwksUri,
  rawSignature,
  signText,
  signToken,
  testIdentity,
  testIssuer,
  testKey,
  validClaims,
  type Members,
  type TestKey,
} from './testing/tokens.ts';

const rsa = testKey('RS256', 'rsa');
const pss: TestKey = { ...rsa, alg: 'PS256' };
const p256 = testKey('ES256', 'p256');
const p384 = testKey('ES384', 'p384');
const p521 = testKey('ES512', 'p521');
const ed25519 = testKey('EdDSA', 'ed');
const stranger = testKey('RS256', 'rsa');
const identity = testIdentity({ keys: [rsa, p256, p384, p521, ed25519] });
const valid = signToken(rsa, validClaims());
const [headerPart = '', payloadPart = '', signaturePart = ''] = valid.split('.');
const text = (claims: Members = {}): string => JSON.stringify(validClaims(claims));
const headerText = (members: Members): string => JSON.stringify({ alg: 'RS256', kid: 'rsa', typ: 'JWT', ...members });

for (const key of [rsa, pss, p256, p384, ed25519]) {
  it(`accepts ${key.alg}`, async () => {
    const principal = await identity.authenticateOidc(signToken(key, validClaims()));
    assert.equal(principal.subject, 'repo:bank/orders:environment:production');
  });
}

for (const typ of ['JWT', 'jwt', 'at+jwt', 'AT+JWT', 'application/at+jwt', 'application/jwt', undefined]) {
  it(`accepts typ ${typ}`, async () => {
    assert.equal((await identity.authenticateOidc(signToken(rsa, validClaims(), { typ }))).tokenId, 'token-1');
  });
}

it('accepts an unknown header parameter, as RFC 7515 section 4 demands', async () => {
  await identity.authenticateOidc(signToken(rsa, validClaims(), { x5t: 'abc', something: { else: 1 } }));
});

const hmac = (alg: string, secret: string | Buffer, kid: string | undefined = 'rsa'): string => {
  const input = `${base64Url(JSON.stringify({ alg, kid, typ: 'JWT' }))}.${base64Url(text())}`;
  return `${input}.${createHmac(`sha${alg.slice(-3)}`, secret)
    .update(input)
    .digest('base64url')}`;
};

const refused: readonly (readonly [name: string, token: string, check: string])[] = [
  // Algorithms
  ...[
    'none',
    'None',
    'NONE',
    'nOnE',
    '',
    'RS1',
    'rs256',
    'RS256 ',
    'dir',
    'A128KW',
    'ES256K',
    'RS384',
    'RS512',
    'PS512',
    'ES512',
    'HS256',
  ].map((alg) => [`alg ${JSON.stringify(alg)}`, signToken(rsa, validClaims(), { alg }), 'algorithm-refused'] as const),
  ...[null, 5, true, ['RS256'], { RS256: 1 }, undefined].map(
    (alg) => [`alg ${JSON.stringify(alg)}`, signToken(rsa, validClaims(), { alg }), 'header-malformed'] as const,
  ),
  ...['HS256', 'HS384', 'HS512'].flatMap((alg) => [
    [`${alg} with the public key's PEM`, hmac(alg, rsa.publicKey.export({ format: 'pem', type: 'spki' })), 'algorithm-refused'] as const,
    [`${alg} with the public key's DER`, hmac(alg, rsa.publicKey.export({ format: 'der', type: 'spki' })), 'algorithm-refused'] as const,
    [`${alg} with the modulus`, hmac(alg, Buffer.from(String(rsa.jwk.n), 'base64url')), 'algorithm-refused'] as const,
    [`${alg} with the JWK`, hmac(alg, JSON.stringify(rsa.jwk)), 'algorithm-refused'] as const,
    [`${alg} with an empty secret, no kid`, hmac(alg, '', undefined), 'algorithm-refused'] as const,
  ]),
  // The named key is of another type or curve than the algorithm
  ...[
    [rsa, 'ES256'],
    [rsa, 'ES384'],
    [rsa, 'EdDSA'],
    [p256, 'RS256'],
    [p256, 'PS256'],
    [p256, 'ES384'],
    [p256, 'EdDSA'],
    [p384, 'ES256'],
    [p384, 'RS256'],
    [p521, 'ES256'],
    [p521, 'ES384'],
    [ed25519, 'ES256'],
    [ed25519, 'RS256'],
  ].map(
    ([key, alg]) =>
      [`${(key as TestKey).alg} key as ${alg as string}`, signToken(key as TestKey, validClaims(), { alg }), 'key-unknown'] as const,
  ),
  ['RS256 signature labelled PS256', signToken(rsa, validClaims(), { alg: 'PS256' }), 'signature-invalid'],
  ['PS256 signature labelled RS256', signToken(pss, validClaims(), { alg: 'RS256' }), 'signature-invalid'],
  // Key names
  ['unknown kid', signToken(rsa, validClaims(), { kid: 'other' }), 'key-unknown'],
  ['kid in another case', signToken(rsa, validClaims(), { kid: 'RSA' }), 'key-unknown'],
  ['kid with a space', signToken(rsa, validClaims(), { kid: 'rsa ' }), 'key-unknown'],
  ['kid that is a path', signToken(rsa, validClaims(), { kid: '../../dev/null' }), 'key-unknown'],
  ['kid __proto__', signText(rsa, '{"alg":"RS256","kid":"__proto__"}', text()), 'key-unknown'],
  ['kid of another key', signToken(rsa, validClaims(), { kid: 'p256' }), 'key-unknown'],
  ...[5, null, ['rsa'], {}, '', 'k'.repeat(513)].map(
    (kid) => [`kid ${JSON.stringify(kid).slice(0, 20)}`, signToken(rsa, validClaims(), { kid }), 'header-malformed'] as const,
  ),
  // typ
  ...['JWE', 'dpop+jwt', 'logout+jwt', 'secevent+jwt', 'JOSE', 'jwt ', 'kb+jwt', 'oauth-authz-req+jwt', 'text/at+jwt'].map(
    (typ) => [`typ ${typ}`, signToken(rsa, validClaims(), { typ }), 'type-refused'] as const,
  ),
  ...[null, 1, ['JWT'], ''].map(
    (typ) => [`typ ${JSON.stringify(typ)}`, signToken(rsa, validClaims(), { typ }), 'header-malformed'] as const,
  ),
  // Header parameters that bring keys or change what is signed
  ...Object.entries({
    jwk: stranger.jwk,
    jku: 'https://attacker.example/keys',
    x5u: 'https://attacker.example/chain.pem',
    x5c: ['MIIB'],
    crit: ['exp'],
    b64: false,
    zip: 'DEF',
    cty: 'JWT',
    enc: 'A256GCM',
    epk: p256.jwk,
    apu: 'a',
    apv: 'a',
    iv: 'a',
    tag: 'a',
    p2s: 'a',
    p2c: 1_000_000_000,
  }).map(([name, value]) => [`header ${name}`, signToken(rsa, validClaims(), { [name]: value }), 'header-refused'] as const),
  ['header crit, empty', signToken(rsa, validClaims(), { crit: [] }), 'header-refused'],
  ['header crit with b64', signToken(rsa, validClaims(), { crit: ['b64'], b64: false }), 'header-refused'],
  ['header b64 true', signToken(rsa, validClaims(), { b64: true }), 'header-refused'],
  ['header jwk null', signToken(rsa, validClaims(), { jwk: null }), 'header-refused'],
  // Duplicate members and JSON that readers disagree on
  ['duplicate alg', signText(rsa, '{"alg":"RS256","alg":"RS256","kid":"rsa"}', text()), 'header-duplicate-member'],
  ['duplicate alg, escaped', signText(rsa, '{"alg":"RS256","\\u0061lg":"none","kid":"rsa"}', text()), 'header-duplicate-member'],
  ['duplicate kid', signText(rsa, '{"alg":"RS256","kid":"x","kid":"rsa"}', text()), 'header-duplicate-member'],
  ...['iss', 'sub', 'aud', 'exp', 'jti'].map((name) => {
    const doubled = text().replace(/\}$/, `,"${name}":${JSON.stringify(validClaims()[name])}}`);
    return [`duplicate ${name}`, signText(rsa, headerText({}), doubled), 'payload-duplicate-member'] as const;
  }),
  ['duplicate sub, escaped', signText(rsa, headerText({}), text().replace(/\}$/, ',"s\\u0075b":"x"}')), 'payload-duplicate-member'],
  ['duplicate inside a claim', signText(rsa, headerText({}), text().replace(/\}$/, ',"act":{"a":1,"a":2}}')), 'payload-duplicate-member'],
  [
    'duplicate inside an array',
    signText(rsa, headerText({}), text().replace(/\}$/, ',"act":[{"a":1,"a":2}]}')),
    'payload-duplicate-member',
  ],
  ...['null', '[]', '"text"', '5', 'true', '', '{', '{}x', '{"a":1,}', "{'a':1}", '{"alg":"RS256"//\n}', '{"a":NaN}'].flatMap((json) => [
    [`header ${json}`, signText(rsa, json, text()), 'header-malformed'] as const,
    [`payload ${json}`, signText(rsa, headerText({}), json), 'payload-malformed'] as const,
  ]),
  ['header {}', signText(rsa, '{}', text()), 'header-malformed'],
  ['payload {}', signText(rsa, headerText({}), '{}'), 'issuer-missing'],
  ['payload with a byte order mark', signText(rsa, headerText({}), `\u{feff}${text()}`), 'payload-malformed'],
  ['header with a byte order mark', signText(rsa, `\u{feff}${headerText({})}`, text()), 'header-malformed'],
  [
    'payload that is not UTF-8',
    signText(rsa, headerText({}), Buffer.concat([Buffer.from('{"iss":"'), Buffer.from([0xc3, 0x28]), Buffer.from('"}')])),
    'payload-malformed',
  ],
  ['payload in UTF-16', signText(rsa, headerText({}), Buffer.from(text(), 'utf16le')), 'payload-malformed'],
  ['payload nested too deep', signToken(rsa, validClaims({ deep: [[[[[[[[1]]]]]]]] })), 'payload-malformed'],
  [
    'too many claims',
    signToken(rsa, validClaims(Object.fromEntries(Array.from({ length: 256 }, (_, n) => [`c${n}`, n])))),
    'payload-malformed',
  ],
  ['header too large', signToken(rsa, validClaims(), { filler: 'x'.repeat(2_048) }), 'header-malformed'],
  // Sizes and shape
  ['token of 16 KiB and more', signToken(rsa, validClaims({ filler: 'x'.repeat(12_288) })), 'token-too-large'],
  ['token of a megabyte', `${valid}${'A'.repeat(1_048_576)}`, 'token-too-large'],
  ['nothing', '', 'token-malformed'],
  ['one dot', '.', 'token-malformed'],
  ['two dots', '..', 'header-malformed'],
  ['one segment', headerPart, 'token-malformed'],
  ['two segments', `${headerPart}.${payloadPart}`, 'token-malformed'],
  ['four segments', `${valid}.${signaturePart}`, 'token-malformed'],
  ['five segments', `${valid}.AAAA.AAAA`, 'token-encrypted'],
  ['six segments', `${valid}.A.A.A`, 'token-malformed'],
  ['JSON serialization', JSON.stringify({ protected: headerPart, payload: payloadPart, signature: signaturePart }), 'token-malformed'],
  ['Bearer in front', `Bearer ${valid}`, 'token-malformed'],
  ['dot behind', `${valid}.`, 'token-malformed'],
  ['dot in front', `.${valid}`, 'token-malformed'],
  ...([' ', '\n', '\r\n', '\t', '\0', '=', '==', '\u{feff}', '%0a', ','] as const).flatMap((junk) => [
    [`${JSON.stringify(junk)} behind`, valid + junk, 'token-malformed'] as const,
    [`${JSON.stringify(junk)} in front`, junk + valid, 'token-malformed'] as const,
    [`${JSON.stringify(junk)} behind the payload`, `${headerPart}.${payloadPart}${junk}.${signaturePart}`, 'token-malformed'] as const,
  ]),
  [
    'plain base64 alphabet',
    signText(rsa, headerText({ filler: '>>>???' }), text())
      .replaceAll('-', '+')
      .replaceAll('_', '/'),
    'token-malformed',
  ],
  [
    'stray bits in the last character',
    `${headerPart}.${payloadPart}.${signaturePart.slice(0, -1)}${strayBits(signaturePart)}`,
    'token-malformed',
  ],
  ['a segment of one character', `${headerPart}.${payloadPart}.A`, 'token-malformed'],
  // Signatures
  ['signature stripped', `${headerPart}.${payloadPart}.`, 'signature-invalid'],
  ['alg none, signature stripped', `${base64Url('{"alg":"none"}')}.${payloadPart}.`, 'signature-invalid'],
  ['alg none, signature kept', `${base64Url('{"alg":"none"}')}.${payloadPart}.${signaturePart}`, 'algorithm-refused'],
  ['signature of zeros', `${headerPart}.${payloadPart}.${base64Url(Buffer.alloc(256))}`, 'signature-invalid'],
  [
    'signature cut',
    `${headerPart}.${payloadPart}.${base64Url(Buffer.from(signaturePart, 'base64url').subarray(0, -1))}`,
    'signature-invalid',
  ],
  [
    'signature lengthened',
    `${headerPart}.${payloadPart}.${base64Url(Buffer.concat([Buffer.from(signaturePart, 'base64url'), Buffer.alloc(1)]))}`,
    'signature-invalid',
  ],
  ['signature of another token', `${headerPart}.${base64Url(text({ sub: 'other' }))}.${signaturePart}`, 'signature-invalid'],
  ['header changed', `${base64Url(headerText({ more: 1 }))}.${payloadPart}.${signaturePart}`, 'signature-invalid'],
  ['payload reformatted', `${headerPart}.${base64Url(`${text()} `)}.${signaturePart}`, 'signature-invalid'],
  ["a stranger's key of the same name", signToken(stranger, validClaims()), 'signature-invalid'],
  ['ECDSA in DER', derSigned(p256), 'signature-invalid'],
  ['ECDSA in DER, P-384', derSigned(p384), 'signature-invalid'],
  ['ECDSA of zeros (CVE-2022-21449)', zeroSigned(p256, 64), 'signature-invalid'],
  ['ECDSA of zeros, P-384', zeroSigned(p384, 96), 'signature-invalid'],
  ['Ed25519 of zeros', zeroSigned(ed25519, 64), 'signature-invalid'],
  ['hash of another size', otherHash(), 'signature-invalid'],
];

for (const [name, token, check] of refused) {
  it(`refuses ${name}: ${check}`, async () => {
    await assertRefused(identity.authenticateOidc(token), check, token);
  });
}

it('refuses every single flipped bit of a signature', async () => {
  const signature = rawSignature(p256, 'x');
  const [header = '', payload = '', original = ''] = signToken(p256, validClaims()).split('.');
  for (let bit = 0; bit < signature.length * 8; bit += 1) {
    const flipped = Buffer.from(original, 'base64url');
    flipped.writeUInt8(flipped.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
    await assertRefused(identity.authenticateOidc(`${header}.${payload}.${base64Url(flipped)}`), 'signature-invalid');
  }
});

it('without kid, the one key that fits is taken and several are refused', async () => {
  const token = signToken(rsa, validClaims(), { kid: undefined });
  assert.equal((await identity.authenticateOidc(token)).tokenId, 'token-1');
  const two = testIdentity({ keys: [rsa, testKey('RS256', 'second')] });
  await assertRefused(two.authenticateOidc(token), 'key-ambiguous');
  const namesakes = testIdentity({ keys: [rsa, stranger] });
  await assertRefused(namesakes.authenticateOidc(valid), 'key-ambiguous');
});

const unusableKeys: readonly (readonly [string, Members])[] = [
  ['meant for encryption', { ...rsa.jwk, use: 'enc' }],
  ['not meant for verifying', { ...rsa.jwk, key_ops: ['encrypt'] }],
  ['of another algorithm', { ...rsa.jwk, alg: 'RS512' }],
  ['of HMAC', { ...rsa.jwk, alg: 'HS256' }],
  ['symmetric', { kty: 'oct', k: base64Url('secret'), kid: 'rsa', alg: 'RS256' }],
  ['with its private part published', { ...rsa.jwk, d: 'AQAB' }],
  ['with exponent 1', { ...rsa.jwk, e: 'AQ' }],
  ['with an even exponent', { ...rsa.jwk, e: 'Ag' }],
  ['with a giant exponent', { ...rsa.jwk, e: rsa.jwk.n }],
  ['of 1,024 bits', testKey('RS256', 'rsa', 1024).jwk],
  ['with a giant modulus', { ...rsa.jwk, n: base64Url(Buffer.alloc(2048, 0xff)) }],
  ['without a modulus', { ...rsa.jwk, n: undefined }],
];

for (const [name, jwk] of unusableKeys) {
  it(`never uses a key ${name}`, async () => {
    const broken = testIdentity({ keys: [{ ...rsa, jwk }, p256] });
    await assertRefused(broken.authenticateOidc(valid), 'key-unknown');
    await broken.authenticateOidc(signToken(p256, validClaims()));
  });
}

it('algorithms come from the configuration alone', async () => {
  const strict = testIdentity({ keys: [rsa, p256, p521], issuers: [{ ...testIssuer, algorithms: ['ES512'] }] });
  await assertRefused(strict.authenticateOidc(valid), 'algorithm-refused');
  await strict.authenticateOidc(signToken(p521, validClaims()));
});

it('types come from the configuration where it names some', async () => {
  const strict = testIdentity({ keys: [rsa], issuers: [{ ...testIssuer, types: ['at+jwt'] }] });
  await strict.authenticateOidc(signToken(rsa, validClaims(), { typ: 'application/AT+JWT' }));
  await assertRefused(strict.authenticateOidc(valid), 'type-refused');
  await assertRefused(strict.authenticateOidc(signToken(rsa, validClaims(), { typ: undefined })), 'type-refused');
});

it("one issuer's key signs for no other issuer", async () => {
  const second = { ...testIssuer, name: 'second', issuer: 'https://second.example', jwks_uri: 'https://second.example/keys' };
  const fetched: string[] = [];
  const both = testIdentity({
    issuers: [testIssuer, second],
    fetch: async (url) => {
      fetched.push(url.href);
      return { body: Buffer.from(JSON.stringify({ keys: [(url.href === jwksUri ? rsa : stranger).jwk] })), maxAgeSeconds: undefined };
    },
  });
  await both.authenticateOidc(valid);
  assert.deepEqual(fetched, [jwksUri]);
  await assertRefused(both.authenticateOidc(signToken(rsa, validClaims({ iss: second.issuer }))), 'signature-invalid');
  await assertRefused(both.authenticateOidc(signToken(stranger, validClaims({ iss: issuerUrl }))), 'signature-invalid');
  assert.equal((await both.authenticateOidc(signToken(stranger, validClaims({ iss: second.issuer })))).issuer, 'second');
});

function derSigned(key: TestKey): string {
  const input = `${base64Url(JSON.stringify({ alg: key.alg, kid: key.kid }))}.${base64Url(text())}`;
  return `${input}.${base64Url(sign(`sha${key.alg.slice(-3)}`, Buffer.from(input), { key: key.privateKey, dsaEncoding: 'der' }))}`;
}

function zeroSigned(key: TestKey, length: number): string {
  return `${base64Url(JSON.stringify({ alg: key.alg, kid: key.kid }))}.${base64Url(text())}.${base64Url(Buffer.alloc(length))}`;
}

function otherHash(): string {
  const input = `${base64Url(headerText({}))}.${base64Url(text())}`;
  return `${input}.${base64Url(sign('sha512', Buffer.from(input), rsa.privateKey))}`;
}

/** The last character of 256 bytes in base64url carries two bits of data and four that must be zero. */
function strayBits(segment: string): string {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
  return alphabet.charAt(alphabet.indexOf(segment.at(-1) ?? '') + 1);
}
