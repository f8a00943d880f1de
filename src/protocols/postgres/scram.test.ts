import assert from 'node:assert/strict';
import { createHash, createHmac, pbkdf2Sync } from 'node:crypto';
import { it } from 'node:test';
import * as fc from 'fast-check';
import { GatewayFault } from '../../core/fault.ts';
import { nodeCrypto } from '../../net/crypto.ts';
import { fromBase64, toBase64 } from '../base64.ts';
import { preparedPassword } from './saslprep.ts';
import { createScramClient, md5Password, scramProof } from './scram.ts';
import type { ScramClient } from './scram.ts';

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);
const ascii = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1');

it('the exchange printed in RFC 7677 section 3', () => {
  const salted = nodeCrypto.pbkdf2Sha256(preparedPassword('pencil'), Buffer.from('W22ZaJ0SNY7soEsUEjb6gQ==', 'base64'), 4096);
  const nonce = 'rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0';
  const { proof, serverSignature } = scramProof(
    nodeCrypto,
    salted,
    `n=user,r=rOprNGfwEbeRWgbNEkqO,r=${nonce},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,c=biws,r=${nonce}`,
  );
  assert.equal(toBase64(proof), 'dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=');
  assert.equal(toBase64(serverSignature), '6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=');
});

/** A server written from RFC 5802 with the platform's own functions; it knows the password and believes nothing. */
class Server {
  readonly #password: string;
  readonly #iterations: number;
  #authMessage = '';
  #gs2 = '';
  #nonce = '';

  constructor(password: string, iterations = 4096) {
    this.#password = password;
    this.#iterations = iterations;
  }

  first(clientFirst: Uint8Array): Uint8Array {
    const match = /^((?:n|y|p=tls-server-end-point),,)(n=,r=([!-+\--~]+))$/.exec(ascii(clientFirst));
    assert.ok(match, 'client-first-message');
    this.#gs2 = match[1]!;
    this.#nonce = `${match[3]}3rfcNHYJY1ZVvWVs7j`;
    const text = `r=${this.#nonce},s=${this.#salt.toString('base64')},i=${this.#iterations}`;
    this.#authMessage = `${match[2]},${text}`;
    return utf8(text);
  }

  final(clientFinal: Uint8Array, channelBinding: Uint8Array): Uint8Array {
    const match = /^(c=([^,]+),r=([^,]+)),p=([^,]+)$/.exec(ascii(clientFinal));
    assert.ok(match, 'client-final-message');
    assert.deepEqual(Buffer.from(match[2]!, 'base64'), Buffer.concat([utf8(this.#gs2), channelBinding]));
    assert.equal(match[3], this.#nonce);
    this.#authMessage += `,${match[1]}`;
    const salted = pbkdf2Sync(preparedPassword(this.#password), this.#salt, this.#iterations, 32, 'sha256');
    const clientKey = hmac(salted, 'Client Key');
    const storedKey = createHash('sha256').update(clientKey).digest();
    const clientSignature = hmac(storedKey, this.#authMessage);
    const sent = Buffer.from(match[4]!, 'base64');
    const recovered = Buffer.from(sent.map((byte, index) => byte ^ clientSignature[index]!));
    if (!createHash('sha256').update(recovered).digest().equals(storedKey)) return utf8('e=invalid-proof');
    return utf8(`v=${hmac(hmac(salted, 'Server Key'), this.#authMessage).toString('base64')}`);
  }

  readonly #salt = Buffer.from('0123456789abcdef');
}

it('an honest server is believed, with and without channel binding', () => {
  const cases = [
    { certificate: undefined, mechanisms: ['SCRAM-SHA-256'], mechanism: 'SCRAM-SHA-256', gs2: 'n,,', bound: false },
    { certificate: undefined, mechanisms: ['SCRAM-SHA-256-PLUS', 'SCRAM-SHA-256'], mechanism: 'SCRAM-SHA-256', gs2: 'n,,', bound: false },
    { certificate, mechanisms: ['SCRAM-SHA-256'], mechanism: 'SCRAM-SHA-256', gs2: 'y,,', bound: false },
    {
      certificate,
      mechanisms: ['SCRAM-SHA-256-PLUS', 'SCRAM-SHA-256'],
      mechanism: 'SCRAM-SHA-256-PLUS',
      gs2: 'p=tls-server-end-point,,',
      bound: true,
    },
    {
      certificate: new Uint8Array(5),
      mechanisms: ['SCRAM-SHA-256-PLUS', 'SCRAM-SHA-256'],
      mechanism: 'SCRAM-SHA-256',
      gs2: 'n,,',
      bound: false,
    },
  ];
  for (const { mechanism, gs2, bound, ...offer } of cases) {
    const client = createScramClient({ crypto: nodeCrypto, password: 'pencil', ...offer });
    assert.equal(client.mechanism, mechanism);
    const server = new Server('pencil');
    const first = client.first();
    assert.ok(ascii(first).startsWith(gs2), gs2);
    const binding = bound ? createHash('sha256').update(certificate).digest() : new Uint8Array(0);
    client.verify(server.final(client.continue(server.first(first)), binding));
  }
});

it('nonces are fresh and printable', () => {
  const nonces = new Set(Array.from({ length: 100 }, () => ascii(newClient().first())));
  assert.equal(nonces.size, 100);
  for (const nonce of nonces) assert.match(nonce, /^n,,n=,r=[A-Za-z0-9+/]{24}$/);
});

it('a wrong password is the target’s refusal', () => {
  const client = newClient();
  const server = new Server('other');
  const final = server.final(client.continue(server.first(client.first())), new Uint8Array(0));
  assert.throws(() => client.verify(final), isRefusal);
});

it('a server that does not know the password is not believed', () => {
  for (const final of [`v=${toBase64(new Uint8Array(32))}`, 'v=', 'v=AAAA', 'v=!', '', 'x=1', 'e=other-error', 'v']) {
    const client = newClient();
    client.continue(new Server('pencil').first(client.first()));
    assert.throws(() => client.verify(utf8(final)), isRefusal, final);
  }
});

it('a server-first-message that is wrong anywhere is refused', () => {
  const wrong: ((good: string) => string)[] = [
    (good) => good.replace('r=', 'r=x'),
    (good) => good.replace(/r=([^,]{24})[^,]+/, 'r=$1'),
    (good) => `m=x,${good}`,
    (good) => good.replace('i=4096', 'i=4095'),
    (good) => good.replace('i=4096', 'i=600001'),
    (good) => good.replace('i=4096', 'i=99999999999999999999'),
    (good) => good.replace('i=4096', 'i=-4096'),
    (good) => good.replace('i=4096', 'i=04096'),
    (good) => good.replace('i=4096', 'i='),
    (good) => good.replace(/s=[^,]*/, 's='),
    (good) => good.replace(/s=[^,]*/, 's=###'),
    (good) => good.replace(/s=[^,]*/, 's=AAA'),
    (good) => good.replace(/,i=.*/, ''),
    () => '',
    () => 'e=unknown-user',
  ];
  for (const spoil of wrong) {
    const client = newClient();
    const good = ascii(new Server('pencil').first(client.first()));
    assert.throws(() => client.continue(utf8(spoil(good))), isRefusal, spoil(good));
  }
  const client = newClient();
  client.first();
  assert.throws(() => client.continue(new Uint8Array([0xff])), isRefusal);
});

it('extensions after the iteration count are passed over', () => {
  const client = newClient();
  const first = ascii(new Server('pencil').first(client.first()));
  assert.match(ascii(client.continue(utf8(`${first},x=later`))), /^c=biws,/);
});

it('steps out of order are refused', () => {
  assert.throws(() => newClient().continue(utf8('')), isRefusal);
  assert.throws(() => newClient().verify(utf8('v=')), isRefusal);
  const early = newClient();
  early.first();
  assert.throws(() => early.verify(utf8('v=')), isRefusal, 'the empty signature of a server that skips a step');
  const done = newClient();
  const server = new Server('pencil');
  done.verify(server.final(done.continue(server.first(done.first())), new Uint8Array(0)));
  assert.throws(() => done.first(), isRefusal);
  assert.throws(() => done.verify(utf8('v=')), isRefusal);
});

it('without a mechanism in common there is no exchange', () => {
  for (const mechanisms of [[], ['OAUTHBEARER'], ['SCRAM-SHA-256-PLUS'], ['scram-sha-256']]) {
    assert.throws(() => createScramClient({ crypto: nodeCrypto, password: 'x', mechanisms, certificate: undefined }), isRefusal);
  }
});

it('fuzz: whatever the server says, the client goes on or refuses', () => {
  const noise = fc.oneof(
    fc.uint8Array({ maxLength: 60 }),
    fc.string({ unit: fc.constantFrom('r', 's', 'i', 'v', 'e', '=', ',', 'A', '1', '+') }).map((text) => utf8(text)),
  );
  fc.assert(
    fc.property(noise, noise, (first, final) => {
      const client = newClient();
      client.first();
      assert.throws(() => client.continue(first), isRefusal);
      assert.throws(() => client.verify(final), isRefusal);
    }),
    { numRuns: 20_000 },
  );
});

it('passwords are prepared as PostgreSQL does it', () => {
  const cases: [given: string, prepared: string, why: string][] = [
    ['user', 'user', 'RFC 4013 section 3, 2'],
    ['USER', 'USER', 'case stays'],
    ['I\u00adX', 'IX', 'RFC 4013 section 3, 1: a soft hyphen is nothing'],
    ['\u00aa', 'a', 'RFC 4013 section 3, 4: NFKC'],
    ['\u2168', 'IX', 'RFC 4013 section 3, 5: NFKC'],
    ['tab\there', 'tab\there', 'ASCII is never looked at'],
    ['a\u00a0b', 'a b', 'other spaces are spaces'],
    ['a\u200bé', 'a é', 'so is a zero-width space'],
    ['\u00ad', '\u00ad', 'nothing would be left: as it is'],
    ['\u0007\u00aa', '\u0007\u00aa', 'prohibited: as it is'],
    ['\u0221\u00aa', '\u0221\u00aa', 'unassigned in Unicode 3.2: as it is'],
    ['\u0627\u00aa', '\u0627\u00aa', 'right-to-left that does not end so: as it is'],
    ['\u0627\u2460\u0627', '\u06271\u0627', 'right-to-left all the way, with a digit inside'],
    ['\ufb2a\u0627', '\u05e9\u05c1\u0627', 'checked before it is normalized, as the server does'],
    ['na\u0308ive \u{1f512}', 'na\u0308ive \u{1f512}', 'an emoji is unassigned, so nothing is composed either'],
    ['na\u0308ive', 'n\u00e4ive', 'composed'],
  ];
  for (const [given, prepared, why] of cases) assert.equal(Buffer.from(preparedPassword(given)).toString(), prepared, why);
});

it('the MD5 answer is PostgreSQL’s', () => {
  const salt = new Uint8Array([0xde, 0xad, 0xbe, 0xef]);
  assert.equal(md5Password(nodeCrypto, 'gw', 'geheim', salt), `md5${md5(md5('geheim', 'gw'), salt)}`);
  assert.equal(md5Password(nodeCrypto, 'md5_user', 'password', new Uint8Array([0, 0, 0, 0])).length, 35);
});

it('base64 is the platform’s, and strict', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 50 }), (bytes) => {
      const text = toBase64(bytes);
      assert.equal(text, Buffer.from(bytes).toString('base64'));
      assert.deepEqual(fromBase64(text), bytes);
    }),
  );
  for (const text of ['A', 'AA', 'AAA', '=', '====', 'A===', 'AB==', 'AAB=', 'AA==AAAA', 'AA =', 'AAA\n', 'AA-_', 'AAA=AAA=']) {
    assert.equal(fromBase64(text), undefined, text);
  }
  assert.deepEqual(fromBase64(''), new Uint8Array(0));
});

function newClient(): ScramClient {
  return createScramClient({ crypto: nodeCrypto, password: 'pencil', mechanisms: ['SCRAM-SHA-256'], certificate: undefined });
}

function md5(...parts: (string | Uint8Array)[]): string {
  return parts.reduce((hash, part) => hash.update(part), createHash('md5')).digest('hex');
}

function hmac(key: Uint8Array, data: string): Buffer {
  return createHmac('sha256', key).update(data).digest();
}

function isRefusal(error: unknown): boolean {
  return error instanceof GatewayFault && error.code === 'upstream-refused' && !/pencil/.test(error.message + error.detail);
}

/** The least that has a signature algorithm: an empty tbsCertificate, ecdsa-with-SHA256, an empty signature. */
const certificate = new Uint8Array([0x30, 17, 0x30, 0, 0x30, 10, 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2, 3, 1, 0]);
