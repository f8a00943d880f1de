import assert from 'node:assert/strict';
import { createHash, decapsulate, diffieHellman, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { describe, it } from 'node:test';
import { answerHybrid, HybridClient, isHybridAvailable } from './hybrid-secret.ts';

const raw = (key: KeyObject, bytes: number): Buffer => key.export({ format: 'der', type: 'spki' }).subarray(-bytes);

describe('the secret of mlkem768x25519-sha256', () => {
  it('is had by this Node', () => {
    assert.equal(isHybridAvailable(), true);
  });

  it('is the same on both sides, and another one each time', () => {
    const [one, other] = [new HybridClient(), new HybridClient()];
    const [answer, again] = [answerHybrid(one.init), answerHybrid(one.init)];
    assert.deepEqual([one.init.length, answer.reply.length, answer.secret.length], [1216, 1120, 32]);
    assert.deepEqual(one.secret(answer.reply), answer.secret);
    assert.notDeepEqual(answer.secret, again.secret);
    assert.notDeepEqual(one.init, other.init);
    assert.notDeepEqual(other.secret(answer.reply), answer.secret);
  });

  it('is what the RFC makes of both halves', () => {
    const [mlkem, x25519] = [generateKeyPairSync('ml-kem-768'), generateKeyPairSync('x25519')];
    const { reply, secret } = answerHybrid(Buffer.concat([raw(mlkem.publicKey, 1184), raw(x25519.publicKey, 32)]));
    const theirs = createPublicKey({ key: { kty: 'OKP', crv: 'X25519', x: reply.subarray(1088).toString('base64url') }, format: 'jwk' });
    const halves = [
      decapsulate(mlkem.privateKey, reply.subarray(0, 1088)),
      diffieHellman({ privateKey: x25519.privateKey, publicKey: theirs }),
    ];
    assert.deepEqual(secret, createHash('sha256').update(Buffer.concat(halves)).digest());
  });

  it('is none of messages of another length', () => {
    const client = new HybridClient();
    const { reply } = answerHybrid(client.init);
    for (const length of [0, 1, 32, 1184, 1215]) assert.throws(() => answerHybrid(client.init.subarray(0, length)), /a key of \d+ bytes/);
    assert.throws(() => answerHybrid(Buffer.concat([client.init, Buffer.alloc(1)])), /a key of 1217 bytes/);
    for (const length of [0, 1, 32, 1088, 1119]) assert.throws(() => client.secret(reply.subarray(0, length)), /a reply of \d+ bytes/);
    assert.throws(() => client.secret(Buffer.concat([reply, Buffer.alloc(1)])), /a reply of 1121 bytes/);
  });

  it('is none of an ML-KEM key with a coefficient that is not below its modulus', () => {
    const { init } = new HybridClient();
    // The first coefficient has twelve bits: 3,329 is the modulus.
    for (const [low, high] of [
      [0x01, 0x0d],
      [0xff, 0x0f],
    ] as const) {
      const wrong = Buffer.from(init);
      wrong[0] = low;
      wrong[1] = (wrong[1]! & 0xf0) | high;
      assert.throws(() => answerHybrid(wrong));
    }
  });

  it('is none of points of small order', () => {
    const client = new HybridClient();
    const { reply } = answerHybrid(client.init);
    // RFC 7748 section 6.1: 0, 1, and one of order 8.
    const points = ['00'.repeat(32), `01${'00'.repeat(31)}`, 'e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800'];
    for (const point of points.map((text) => Buffer.from(text, 'hex'))) {
      assert.throws(() => answerHybrid(Buffer.concat([client.init.subarray(0, 1184), point])));
      assert.throws(() => client.secret(Buffer.concat([reply.subarray(0, 1088), point])));
    }
  });

  it('is another one where either half of the reply was changed', () => {
    const client = new HybridClient();
    const { reply, secret } = answerHybrid(client.init);
    for (const at of [0, 1087, 1088, 1118]) {
      const changed = Buffer.from(reply);
      changed[at]! ^= 1;
      assert.notDeepEqual(client.secret(changed), secret);
    }
  });
});
