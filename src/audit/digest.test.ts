import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { KeyedDigest } from './digest.ts';

test('the vectors of RFC 4231 whose key fits a block', () => {
  const vectors = [
    ['0b'.repeat(20), Buffer.from('Hi There').toString('hex'), 'b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7'],
    [
      Buffer.from('Jefe').toString('hex'),
      Buffer.from('what do ya want for nothing?').toString('hex'),
      '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843',
    ],
    ['aa'.repeat(20), 'dd'.repeat(50), '773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe'],
  ] as const;
  for (const [key, data, mac] of vectors) assert.equal(new KeyedDigest(Buffer.from(key, 'hex')).of(Buffer.from(data, 'hex')), mac);
});

test('any key and any bytes, one after the other, as Node has it', () => {
  const bytes = fc.oneof(fc.uint8Array({ maxLength: 300 }), fc.uint8Array({ minLength: 4_090, maxLength: 4_100 }));
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), bytes, bytes, (key, one, other) => {
      const digest = new KeyedDigest(key);
      for (const data of [one, other, one]) assert.equal(digest.of(data), createHmac('sha256', key).update(data).digest('hex'));
    }),
  );
  assert.throws(() => new KeyedDigest(new Uint8Array(65)), RangeError);
});
