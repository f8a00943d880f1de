import assert from 'node:assert/strict';
import { it } from 'node:test';
import { GatewayFault } from '../../core/fault.ts';
import { checkedHead, type CheckedHead } from './head.ts';
import { bearerOf } from './identify.ts';

it('a bearer token is found, however its scheme is spelled', () => {
  assert.equal(bearerOf(headWith('bearer  abc.DEF-_~+/==')).credential, 'abc.DEF-_~+/==');
  assert.equal(bearerOf(headWith(undefined)).credential, undefined);
});

it('a credential of another kind is refused, and not repeated', () => {
  for (const value of [
    'Basic YTpi',
    'Bearer',
    'Bearer a b',
    'Bearer a,b',
    'a',
    '',
    'Bearer a=b',
    'Bearer "a"',
    'Negotiate x',
    'BearerX a',
  ]) {
    assert.throws(
      () => bearerOf(headWith(value)),
      (error) =>
        error instanceof GatewayFault && error.code === 'authentication-failed' && error.publicMessage === 'the token was not accepted',
      value,
    );
  }
});

function headWith(authorization: string | undefined): CheckedHead {
  const rawHeaders = ['Host', 'a', ...(authorization === undefined ? [] : ['Authorization', authorization])];
  const head = checkedHead({ version: '1.1', method: 'GET', target: '/', rawHeaders });
  assert.ok(!(head instanceof GatewayFault));
  return head;
}
