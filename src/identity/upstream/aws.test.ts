import assert from 'node:assert/strict';
import { it } from 'node:test';
import { Secret } from '../../config/secret.ts';
import { GatewayFault } from '../../core/fault.ts';
import { awsCredential } from './aws.ts';
import type { OutgoingRequest } from './credential.ts';

const get: OutgoingRequest = { method: 'GET', host: 'crm.s3.us-east-1.amazonaws.com', target: '/a', fields: [], body: 'none' };

it('everything but the field itself is under the signature', async () => {
  const credential = signer('s3');
  const signatures = new Set<string>();
  const requests: readonly OutgoingRequest[] = [
    get,
    { ...get, method: 'DELETE' },
    { ...get, target: '/b' },
    { ...get, target: '/a?b' },
    { ...get, host: 'other.s3.us-east-1.amazonaws.com' },
    { ...get, fields: [{ name: 'x-amz-acl', value: 'public-read' }] },
    { ...get, body: Buffer.from('1') },
    { ...get, body: Buffer.from('2') },
  ];
  for (const request of requests) signatures.add((await credential.fieldsFor(request)).find(({ name }) => name === 'authorization')!.value);
  assert.equal(signatures.size, requests.length);
});

it('what its client has signed, and what cannot be signed with certainty, does not pass', async () => {
  const cases: readonly (readonly [request: OutgoingRequest, service: string, code: GatewayFault['code'], text: RegExp])[] = [
    [{ ...get, target: '/a?X-Amz-Credential=x&X-Amz-Signature=00' }, 's3', 'unsupported', /its query has a signature/],
    [{ ...get, fields: [{ name: 'content-encoding', value: 'aws-chunked,gzip' }] }, 's3', 'unsupported', /signed chunks/],
    [{ ...get, target: '/a?prefix=b+c' }, 's3', 'unclassified', /a "\+" in the query cannot be signed/],
    [{ ...get, method: 'POST', body: 'streamed' }, 'execute-api', 'limit-exceeded', /covers the whole body/],
  ];
  for (const [request, service, code, text] of cases) {
    assert.throws(
      () => signer(service).fieldsFor(request),
      (error) => error instanceof GatewayFault && error.code === code && text.test(error.publicMessage),
    );
  }
  const streamed = await signer('s3').fieldsFor({ ...get, method: 'PUT', body: 'streamed' });
  assert.equal(streamed.find(({ name }) => name === 'x-amz-content-sha256')?.value, 'UNSIGNED-PAYLOAD');
});

function signer(service: string) {
  const secret = (text: string): Secret => new Secret('env:X', Buffer.from(text));
  const config = {
    region: 'us-east-1',
    service,
    accessKeyId: secret('AKIDEXAMPLE'),
    secretAccessKey: secret('swordfish'),
    sessionToken: secret('session'),
  };
  return awsCredential(config, () => Date.UTC(2026, 0, 1));
}
