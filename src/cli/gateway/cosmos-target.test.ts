import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { test } from 'node:test';
import { Secret } from '../../config/secret.ts';
import type { CosmosTargetConfig } from '../../config/index.ts';
import type { UpstreamCredential } from '../../identity/upstream/index.ts';
import { cosmosCredential } from './cosmos-target.ts';

const clock = { now: () => Date.parse('2026-11-30T06:00:00Z') } as Parameters<typeof cosmosCredential>[2];
const key = Buffer.from('a key of an account').toString('base64');
const request = { method: 'POST', host: 'bank', target: '/base/dbs/shop/colls/c/docs', fields: [], body: 'none' } as const;

function upstream(accountKey: string | undefined): CosmosTargetConfig['upstream'] {
  const secret = accountKey === undefined ? undefined : new Secret('env:KEY', new TextEncoder().encode(accountKey));
  return { accountKey: secret, basePath: '/base' } as CosmosTargetConfig['upstream'];
}

test('a key signs the request as it goes out, without the base path', async () => {
  const fields = await cosmosCredential(upstream(key), undefined, clock)!.fieldsFor(request);
  const text = 'post\ndocs\ndbs/shop/colls/c\nmon, 30 nov 2026 06:00:00 gmt\n\n';
  const signature = createHmac('sha256', Buffer.from(key, 'base64')).update(text).digest('base64');
  assert.deepEqual(fields, [
    { name: 'authorization', value: encodeURIComponent(`type=master&ver=1.0&sig=${signature}`) },
    { name: 'x-ms-date', value: 'Mon, 30 Nov 2026 06:00:00 GMT' },
  ]);
});

test('a token is sent as the account takes it, and one that it refuses is told to whoever made it', async () => {
  const refused: string[] = [];
  const token: UpstreamCredential = {
    fieldNames: ['authorization'],
    fieldsFor: async () => [{ name: 'authorization', value: 'Bearer a.b-c+/=' }],
    refused: ([field]) => refused.push(field!.value) > 0,
  };
  const credential = cosmosCredential(upstream(undefined), token, clock)!;
  const fields = await credential.fieldsFor(request);
  assert.equal(fields[0]!.value, 'type%3Daad%26ver%3D1.0%26sig%3Da.b-c%2B%2F%3D');
  assert.equal(credential.refused(fields), true);
  assert.deepEqual(refused, ['Bearer a.b-c+/=']);
});
