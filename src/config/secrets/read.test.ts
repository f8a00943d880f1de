import assert from 'node:assert/strict';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, beforeEach, describe, it } from 'node:test';
import { inspect } from 'node:util';
import { Workspace } from '../testing/workspace.ts';
import { readSecret } from './read.ts';
import { parseReference } from './reference.ts';
import type { SecretSources } from './sources.ts';

const workspace = new Workspace();
after(() => workspace.remove());

interface Seen {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

const seen: Seen[] = [];
let answers: readonly (readonly [status: number, body: string, headers?: Record<string, string>])[] = [];
const server = createServer((request, response) => {
  let body = '';
  request.on('data', (chunk: Buffer) => {
    body += chunk.toString();
  });
  request.on('end', () => {
    seen.push({ method: request.method ?? '', url: request.url ?? '', headers: request.headers, body });
    const [status, text, headers] = answers[seen.length - 1] ?? [500, ''];
    response.writeHead(status, headers).end(text);
  });
});
let origin = '';

before(async () => {
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
after(() => server.close());
beforeEach(() => {
  seen.length = 0;
  answers = [];
});

function sources(env: Record<string, string>): SecretSources {
  return { folder: workspace.folder, env, fetch: toServer, now: () => Date.UTC(2015, 7, 30, 12, 36) };
}

/** Sends what is for a cloud's own host to the server of this test. */
const toServer: typeof fetch = (input, init) => {
  const url = new URL(input);
  const headers = { ...(init?.headers as Record<string, string>), 'x-host': url.host };
  return fetch(`${origin}${url.pathname}${url.search}`, { ...init, headers });
};

async function read(reference: string, env: Record<string, string> = {}): Promise<string> {
  return (await readSecret(reference, sources(env))).text();
}

const aws = {
  AWS_REGION: 'us-east-1',
  AWS_ACCESS_KEY_ID: 'AKIDEXAMPLE',
  AWS_SECRET_ACCESS_KEY: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY',
};
const vault = { VAULT_ADDR: 'https://vault.example:8200/', VAULT_TOKEN: 'hvs.token' };

describe('env and file', () => {
  it('reads a variable', async () => assert.equal(await read('env:PASSWORD', { PASSWORD: 'p w' }), 'p w'));

  it('a variable that is not set or empty is an error', async () => {
    await assert.rejects(read('env:PASSWORD'), /expected the environment variable PASSWORD to be set/);
    await assert.rejects(read('env:PASSWORD', { PASSWORD: '' }), /PASSWORD/);
  });

  it('reads a file beside the configuration; text loses one line break, bytes none', async () => {
    workspace.write('secret', 'p w\r\n\n');
    const secret = await readSecret('file:secret', sources({}));
    assert.equal(secret.text(), 'p w\r\n');
    assert.equal(new TextDecoder().decode(secret.reveal()), 'p w\r\n\n');
  });

  it('a file that is missing, empty, a folder or too large is an error', async () => {
    workspace.write('empty', '');
    workspace.write('large', 'x'.repeat(1024 * 1024 + 1));
    await assert.rejects(read('file:none'), /ENOENT/);
    await assert.rejects(read('file:empty'), /expected something in the file/);
    await assert.rejects(read('file:tls'), /EISDIR/);
    await assert.rejects(read('file:large'), /at most 1048576 bytes/);
  });

  it('prints as its reference everywhere', async () => {
    const secret = await readSecret('env:PASSWORD', sources({ PASSWORD: 'hunter2' }));
    for (const text of [
      String(secret),
      JSON.stringify({ secret }),
      inspect({ secret }),
      inspect(secret, { showHidden: true, customInspect: false }),
    ]) {
      assert.ok(!text.includes('hunter2'), text);
      assert.match(text, /env:PASSWORD/);
    }
  });
});

describe('Vault', () => {
  it('reads one field of a version 2 secret', async () => {
    answers = [[200, JSON.stringify({ data: { data: { password: 's3cret' }, metadata: {} } })]];
    assert.equal(await read('vault:kv/db/orders#password', { ...vault, VAULT_NAMESPACE: 'bank' }), 's3cret');
    assert.equal(seen[0]?.url, '/v1/kv/data/db/orders');
    assert.equal(seen[0]?.headers['x-vault-token'], 'hvs.token');
    assert.equal(seen[0]?.headers['x-vault-namespace'], 'bank');
    assert.equal(seen[0]?.headers['x-host'], 'vault.example:8200');
  });

  it('says what is missing', async () => {
    await assert.rejects(read('vault:kv/db#password', { VAULT_TOKEN: 'x' }), /VAULT_ADDR/);
    await assert.rejects(read('vault:kv/db#password', { VAULT_ADDR: 'x' }), /VAULT_TOKEN/);
    answers = [[200, JSON.stringify({ data: { data: { user: 's3cret' } } })]];
    await assert.rejects(read('vault:kv/db#password', vault), /expected a text field password in the secret kv\/db$/);
  });

  it('a field named like something every object has is not there', async () => {
    answers = [[200, JSON.stringify({ data: { data: {} } })]];
    await assert.rejects(read('vault:kv/db#constructor', vault), /expected a text field/);
  });
});

describe('Azure Key Vault', () => {
  it('signs in with the managed identity and reads the secret', async () => {
    answers = [
      [200, JSON.stringify({ access_token: 'identity-token' })],
      [200, JSON.stringify({ value: 's3cret', id: 'x' })],
    ];
    assert.equal(await read('azure-keyvault:bank/orders-password', { AZURE_CLIENT_ID: 'client-7' }), 's3cret');
    const [token, secret] = seen;
    assert.equal(token?.headers['x-host'], '169.254.169.254');
    assert.equal(token?.headers.metadata, 'true');
    assert.equal(
      token?.url,
      '/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https%3A%2F%2Fvault.azure.net&client_id=client-7',
    );
    assert.equal(secret?.headers['x-host'], 'bank.vault.azure.net');
    assert.equal(secret?.url, '/secrets/orders-password?api-version=7.4');
    assert.equal(secret?.headers.authorization, 'Bearer identity-token');
  });

  it('reads a version, and vaults outside the public cloud', async () => {
    answers = [
      [200, JSON.stringify({ access_token: 't' })],
      [200, JSON.stringify({ value: 'v' })],
    ];
    assert.equal(await read('azure-keyvault:bank.vault.usgovcloudapi.net/pw/0123abcd'), 'v');
    assert.match(seen[0]!.url, /resource=https%3A%2F%2Fvault\.usgovcloudapi\.net$/);
    assert.equal(seen[1]?.headers['x-host'], 'bank.vault.usgovcloudapi.net');
    assert.equal(seen[1]?.url, '/secrets/pw/0123abcd?api-version=7.4');
  });

  it('an answer without token or value is an error', async () => {
    answers = [[200, '{}']];
    await assert.rejects(read('azure-keyvault:bank/pw'), /answered without a token/);
    seen.length = 0;
    answers = [
      [200, JSON.stringify({ access_token: 't' })],
      [200, JSON.stringify({ value: 7 })],
    ];
    await assert.rejects(read('azure-keyvault:bank/pw'), /answered without a value/);
  });
});

describe('AWS Secrets Manager', () => {
  it('signs the request and reads text, a field and binary', async () => {
    answers = [
      [200, JSON.stringify({ SecretString: 's3cret' })],
      [200, JSON.stringify({ SecretString: '{"password":"s3cret"}' })],
      [200, JSON.stringify({ SecretBinary: Buffer.from('s3cret').toString('base64') })],
    ];
    assert.equal(await read('aws-secretsmanager:prod/orders', aws), 's3cret');
    assert.equal(await read('aws-secretsmanager:prod/orders#password', { ...aws, AWS_SESSION_TOKEN: 'session' }), 's3cret');
    assert.equal(await read('aws-secretsmanager:arn:aws:secretsmanager:us-east-1:1203:secret:orders-AbC', aws), 's3cret');
    const [first, second] = seen;
    assert.equal(first?.method, 'POST');
    assert.equal(first?.headers['x-host'], 'secretsmanager.us-east-1.amazonaws.com');
    assert.equal(first?.headers['x-amz-target'], 'secretsmanager.GetSecretValue');
    assert.equal(first?.body, '{"SecretId":"prod/orders"}');
    assert.match(
      first?.headers.authorization ?? '',
      /^AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE\/20150830\/us-east-1\/secretsmanager\/aws4_request, SignedHeaders=content-type;host;x-amz-date;x-amz-target, Signature=[0-9a-f]{64}$/,
    );
    assert.equal(second?.headers['x-amz-security-token'], 'session');
    assert.match(second?.headers.authorization ?? '', /SignedHeaders=content-type;host;x-amz-date;x-amz-security-token;x-amz-target/);
  });

  it('another endpoint may be named', async () => {
    answers = [[200, JSON.stringify({ SecretString: 'v' })]];
    assert.equal(await read('aws-secretsmanager:x', { ...aws, AWS_ENDPOINT_URL_SECRETS_MANAGER: 'https://aws.internal:4566' }), 'v');
    assert.equal(seen[0]?.headers['x-host'], 'aws.internal:4566');
  });

  it('a field of a secret that has none is an error', async () => {
    answers = [
      [200, JSON.stringify({ SecretString: 's3cret' })],
      [200, JSON.stringify({ SecretString: '{"user":"s3cret"}' })],
    ];
    for (const expected of [/expected the secret to be JSON/, /expected a text field password/]) {
      await assert.rejects(
        read('aws-secretsmanager:x#password', aws),
        (error: Error) => expected.test(error.message) && !error.message.includes('s3cret'),
      );
    }
  });
});

describe('a store that misbehaves', () => {
  const cases: readonly (readonly [name: string, answer: readonly [number, string, Record<string, string>?], expected: RegExp])[] = [
    ['refuses', [403, 's3cret'], /Vault answered 403 \(access denied\)$/],
    ['has no such secret', [404, 's3cret'], /Vault answered 404 \(no such secret\)$/],
    ['redirects', [302, '', { location: 'http://127.0.0.1:1/' }], /could not be reached or did not answer properly$/],
    ['answers no JSON', [200, 's3cret'], /did not answer with JSON$/],
    ['answers too much', [200, `"s3cret${'x'.repeat(1024 * 1024)}"`], /did not answer properly$/],
  ];
  for (const [name, answer, expected] of cases) {
    it(`${name}: an error without its answer`, async () => {
      answers = [answer];
      await assert.rejects(read('vault:kv/db#password', vault), (error: Error) => {
        assert.match(error.message, expected);
        assert.ok(!inspect(error).includes('s3cret'));
        assert.ok(!inspect(error).includes('hvs.token'));
        return true;
      });
      assert.equal(seen.length, 1);
    });
  }

  it('is not there: an error', async () => {
    const broken: SecretSources = { ...sources(vault), fetch: () => Promise.reject(new TypeError('hvs.token')) };
    await assert.rejects(readSecret('vault:kv/db#password', broken), (error: Error) => !inspect(error).includes('hvs.token'));
  });
});

it('what is no reference is refused', () => {
  for (const text of [
    '',
    'hunter2',
    'env:',
    'env:A B',
    'file:',
    'vault:kv/db',
    'vault:kv#x',
    'azure-keyvault:bank',
    'azure-keyvault:bank/a/b/c',
    'aws-secretsmanager:',
    'gcp:x',
    'ENV:X',
    'env:X\n',
  ]) {
    assert.equal(parseReference(text), undefined, text);
  }
});
