import assert from 'node:assert/strict';
import { it } from 'node:test';
import { GatewayFault } from '../../core/fault.ts';
import { bearerToken, checkOAuthBearerAbort, oauthBearerError } from './oauth.ts';

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);
const token = (response: string, mechanism = 'OAUTHBEARER'): string =>
  bearerToken({ kind: 'SASLInitialResponse', mechanism, response: utf8(response.replaceAll('^A', '\u0001')) });

it('a token is taken out of the initial response', () => {
  const jwt = 'eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhIn0.c2ln-_~+/==';
  assert.equal(token(`n,,^Aauth=Bearer ${jwt}^A^A`), jwt, 'as libpq sends it');
  assert.equal(token(`y,,^Aauth=bearer ${jwt}^A^A`), jwt, 'the scheme has no case');
  assert.equal(token(`n,,^Ahost=db.example^Aport=5432^Aauth=BEARER   ${jwt}^A^A`), jwt, 'RFC 7628 section 4.1 has more pairs');
});

it('an empty value asks for the issuer', () => {
  assert.equal(token('n,,^Aauth=^A^A'), '');
});

it('anything else is a violation', () => {
  const wrong = [
    '',
    'n,,',
    'n,,^A^A',
    'n,,^Aauth=Bearer abc^A',
    'n,,^Aauth=Bearer abc',
    'n,,^Aauth=Bearer abc^A^A^A',
    'n,,^Aauth=Bearer abc^A^Ax',
    'n,,auth=Bearer abc^A^A',
    'p=tls-server-end-point,,^Aauth=Bearer abc^A^A',
    'n,a=root,^Aauth=Bearer abc^A^A',
    'n,^Aauth=Bearer abc^A^A',
    '^Aauth=Bearer abc^A^A',
    'n,,^Aauth=Bearer abc^Aauth=Bearer def^A^A',
    'n,,^AAUTH=Bearer abc^A^A',
    'n,,^Ahost=x^A^A',
    'n,,^Aauth=Basic abc^A^A',
    'n,,^Aauth=Bearer^A^A',
    'n,,^Aauth=Bearer ^A^A',
    'n,,^Aauth=Bearer a b^A^A',
    'n,,^Aauth=Bearer a\u0000b^A^A',
    'n,,^Aauth=Bearer ===^A^A',
    'n,,^A=x^Aauth=Bearer abc^A^A',
    'n,,^Aauth^A^A',
    'n,,^A1=x^Aauth=Bearer abc^A^A',
  ];
  for (const response of wrong) assert.throws(() => token(response), isViolation, response);
  assert.throws(() => token('n,,^Aauth=Bearer abc^A^A', 'SCRAM-SHA-256'), isViolation, 'another mechanism');
  assert.throws(() => bearerToken({ kind: 'SASLInitialResponse', mechanism: 'OAUTHBEARER', response: undefined }), isViolation);
  assert.throws(
    () => bearerToken({ kind: 'SASLInitialResponse', mechanism: 'OAUTHBEARER', response: new Uint8Array([0xff, 1, 1]) }),
    isViolation,
  );
});

it('no fault repeats the token', () => {
  assert.throws(
    () => token('n,,^Aauth=Bearer sec ret^A^A'),
    (error: unknown) => error instanceof GatewayFault && !/sec|ret\b/.test(error.publicMessage + error.detail),
  );
});

it('a long token takes no longer than its length', () => {
  const long = 'a'.repeat(60_000);
  assert.equal(token(`n,,^Aauth=Bearer ${long}==^A^A`), `${long}==`);
  assert.throws(() => token(`n,,^Aauth=Bearer ${' '.repeat(60_000)}^A^A`), isViolation);
  assert.throws(() => token(`n,,^Aauth=Bearer ${'a='.repeat(30_000)}^A^A`), isViolation);
});

it('the error result is JSON as RFC 7628 section 3.2.2 has it', () => {
  const url = 'https://issuer.example/.well-known/openid-configuration';
  assert.deepEqual(JSON.parse(Buffer.from(oauthBearerError(url)).toString()), {
    status: 'invalid_token',
    scope: 'openid',
    'openid-configuration': url,
  });
  assert.deepEqual(JSON.parse(Buffer.from(oauthBearerError(undefined, 'a b')).toString()), { status: 'invalid_token', scope: 'a b' });
});

it('the answer to the error result is one byte', () => {
  checkOAuthBearerAbort(new Uint8Array([1]));
  for (const wrong of [[], [0], [1, 1], [2]]) assert.throws(() => checkOAuthBearerAbort(new Uint8Array(wrong)), isViolation);
});

function isViolation(error: unknown): boolean {
  return error instanceof GatewayFault && error.code === 'protocol-violation';
}
