import assert from 'node:assert/strict';
import { it } from 'node:test';
import { GatewayFault } from '../../core/fault.ts';
import { checkedTrailers, mayFollow } from './trailers.ts';

it('of trailers go on those that say something of the body, or are the sender’s own', () => {
  for (const name of [
    'x-checksum',
    'content-digest',
    'repr-digest',
    'digest',
    'signature',
    'signature-input',
    'server-timing',
    'etag',
    'x-amz-checksum-crc32',
  ]) {
    assert.ok(mayFollow(name), name);
  }
});

it('of trailers do not go on those that a server needs before the body, or that say who asks', () => {
  const names = [
    'content-length',
    'content-type',
    'content-encoding',
    'Content_Type',
    'transfer-encoding',
    'trailer',
    'host',
    'te',
    'connection',
    'expect',
    'range',
    'if-match',
    'cache-control',
    'accept-encoding',
    'authorization',
    'cookie',
    'set-cookie',
    'x-forwarded-for',
    'x-api-key',
    'x-http-method-override',
    'sallyport-reason',
    'proxy-authorization',
    'idempotency-key',
  ];
  for (const name of names) assert.ok(!mayFollow(name), name);
});

it('trailers are read like a head: what has two meanings ends the request', () => {
  for (const raw of [
    ['a b', '1'],
    ['a', 'x\r\ny'],
    ['a', '\u00e9'],
    ['Content-Length', '1', 'Content-Length', '2'],
    ['X-A', '1', 'X_A', '2'],
  ]) {
    assert.throws(
      () => checkedTrailers(raw),
      (error) => error instanceof GatewayFault && error.code === 'protocol-violation',
      String(raw),
    );
  }
});
