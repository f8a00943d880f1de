import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { signAwsRequest, type RequestToSign } from './aws-signature.ts';

/** The signature that AWS has published for a request, in the words of its test suite. */
interface Vector {
  readonly name: string;
  readonly method?: string;
  readonly target?: string;
  readonly fields?: RequestToSign['fields'];
  readonly body?: string;
  readonly signature: string;
}

describe('aws-sig-v4-test-suite', () => {
  const scope = { region: 'us-east-1', service: 'service', timeMs: Date.UTC(2015, 7, 30, 12, 36) };
  const unreserved = '-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
  const field = (name: string, value: string) => ({ name, value });
  const vectors: readonly Vector[] = [
    { name: 'get-vanilla', signature: '5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31' },
    { name: 'post-vanilla', method: 'POST', signature: '5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b' },
    {
      name: 'get-unreserved',
      target: `/${unreserved}`,
      signature: '07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f',
    },
    {
      name: 'get-vanilla-query-unreserved',
      target: `/?${unreserved}=${unreserved}`,
      signature: '9c3e54bfcdf0b19771a7f523ee5669cdf59bc7cc0884027167c21bb143a40197',
    },
    {
      name: 'get-vanilla-query-order-key-case',
      target: '/?Param2=value2&Param1=value1',
      signature: 'b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500',
    },
    {
      name: 'get-vanilla-query-order-value',
      target: '/?Param1=value2&Param1=value1',
      signature: '5772eed61e12b33fae39ee5e7012498b51d56abc0abb7c60486157bd471c4694',
    },
    {
      name: 'get-vanilla-utf8-query',
      target: '/?%E1%88%B4=bar',
      signature: '2cdec8eed098649ff3a119c94853b13c643bcf08f8b0a1d91e12c9027818dd04',
    },
    {
      name: 'get-header-value-order',
      fields: ['value4', 'value1', 'value3', 'value2'].map((value) => field('my-header1', value)),
      signature: '08c7e5a9acfcfeb3ab6b2185e75ce8b1deb5e634ec47601a50643f830c755c01',
    },
    {
      name: 'get-header-key-duplicate',
      fields: ['value2', 'value2', 'value1'].map((value) => field('my-header1', value)),
      signature: 'c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea',
    },
    {
      name: 'get-header-value-trim',
      fields: [field('my-header1', ' value1'), field('my-header2', '"a   b   c"')],
      signature: 'acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736',
    },
    {
      name: 'post-x-www-form-urlencoded',
      method: 'POST',
      fields: [field('content-type', 'application/x-www-form-urlencoded')],
      body: 'Param1=value1',
      signature: 'ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a',
    },
  ];
  for (const { name, method = 'GET', target = '/', fields = [], body = '', signature } of vectors) {
    it(name, () => {
      const request = { method, host: 'example.amazonaws.com', target, fields, body: Buffer.from(body) };
      assert.equal(signatureOf(signAwsRequest(request, { ...suite, sessionToken: undefined }, scope)), signature);
    });
  }

  it('get-vanilla-with-session-token', () => {
    const token = '6e86291e8372ff2a2260956d9b8aae1d763fbf315fa00fa31553b73ebf194267';
    const request = { method: 'GET', host: 'example.amazonaws.com', target: '/', fields: [], body: new Uint8Array() };
    const added = signAwsRequest(request, { ...suite, sessionToken: token }, scope);
    assert.equal(signatureOf(added), '07ec1639c89043aa0e3e2de82b96708f198cceab042d4a97044c66dd9f74e7f8');
    assert.ok(added.some(({ name, value }) => name === 'x-amz-security-token' && value === token));
  });
});

describe('examples of the Amazon S3 API Reference', () => {
  const scope = { region: 'us-east-1', service: 's3', timeMs: Date.UTC(2013, 4, 24) };
  const credentials = {
    accessKeyId: 'AKIAIOSFODNN7EXAMPLE',
    secretAccessKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
    sessionToken: undefined,
  };
  const vectors: readonly Vector[] = [
    {
      name: 'GET object',
      target: '/test.txt',
      fields: [{ name: 'range', value: 'bytes=0-9' }],
      signature: 'f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41',
    },
    {
      name: 'PUT object, whose name has a character that stands for itself in a path',
      method: 'PUT',
      target: '/test$file.text',
      fields: [
        { name: 'date', value: 'Fri, 24 May 2013 00:00:00 GMT' },
        { name: 'x-amz-storage-class', value: 'REDUCED_REDUNDANCY' },
      ],
      body: 'Welcome to Amazon S3.',
      signature: '98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd',
    },
    { name: 'GET lifecycle', target: '/?lifecycle', signature: 'fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543' },
    {
      name: 'list objects',
      target: '/?max-keys=2&prefix=J',
      signature: '34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7',
    },
  ];
  for (const { name, method = 'GET', target = '/', fields = [], body = '', signature } of vectors) {
    it(name, () => {
      const request = { method, host: 'examplebucket.s3.amazonaws.com', target, fields, body: Buffer.from(body) };
      assert.equal(signatureOf(signAwsRequest(request, credentials, scope)), signature);
    });
  }

  it('a body that is left out is named so', () => {
    const request = { method: 'PUT', host: 'examplebucket.s3.amazonaws.com', target: '/large', fields: [], body: undefined };
    const added = signAwsRequest(request, credentials, scope);
    assert.equal(added.find(({ name }) => name === 'x-amz-content-sha256')?.value, 'UNSIGNED-PAYLOAD');
  });
});

function signatureOf(added: readonly { readonly name: string; readonly value: string }[]): string | undefined {
  return added.find(({ name }) => name === 'authorization')?.value.split('Signature=')[1];
}

const suite = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY' };
