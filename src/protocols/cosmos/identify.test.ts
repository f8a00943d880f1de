import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkedHead, type CheckedHead } from '../http/head.ts';
import { cosmosCredentialOf } from './identify.ts';
import { authorizationOf, signedText } from './signature.ts';

function head(authorization: string | undefined): CheckedHead {
  const rawHeaders = ['host', 'gw', ...(authorization === undefined ? [] : ['authorization', authorization])];
  return checkedHead({ version: '1.1', method: 'GET', target: '/', rawHeaders }) as CheckedHead;
}

test('a token comes as SDKs send it, and nothing else does', () => {
  const of = (authorization: string | undefined): string | undefined => cosmosCredentialOf(head(authorization)).credential;
  assert.equal(of(undefined), undefined);
  assert.equal(of('type=aad&ver=1.0&sig=a.b-c_d'), 'a.b-c_d');
  assert.equal(of('type%3Daad%26ver%3D1.0%26sig%3Da.b-c_d'), 'a.b-c_d');
  assert.equal(of('Bearer a.b-c_d'), 'a.b-c_d');
  for (const refused of [
    'type=master&ver=1.0&sig=YWJj',
    'type=resource&ver=1&sig=x',
    'type=aad&ver=1.0&sig=',
    'type=aad&ver=1.0&sig=a b',
    'Basic YTpi',
    'type=aad',
    'type%3Daad%',
  ])
    assert.throws(() => of(refused), /not accepted/, refused);
});

test('what a key signs is what the documentation says', () => {
  const date = 'Thu, 27 Apr 2017 00:51:12 GMT';
  assert.equal(signedText('GET', '/dbs/ToDoList', date), 'get\ndbs\ndbs/ToDoList\nthu, 27 apr 2017 00:51:12 gmt\n\n');
  assert.equal(
    signedText('POST', '/dbs/ToDoList/colls/Items/docs', date),
    'post\ndocs\ndbs/ToDoList/colls/Items\nthu, 27 apr 2017 00:51:12 gmt\n\n',
  );
  assert.equal(signedText('GET', '/', date), 'get\n\n\nthu, 27 apr 2017 00:51:12 gmt\n\n');
  assert.equal(signedText('PUT', '/offers/AbC1', date).split('\n')[2], 'abc1');
  assert.equal(signedText('GET', '/dbs/a/colls/b/docs/with%20space', date).split('\n')[2], 'dbs/a/colls/b/docs/with space');
  assert.equal(authorizationOf('master', 'a+/='), 'type%3Dmaster%26ver%3D1.0%26sig%3Da%2B%2F%3D');
});
