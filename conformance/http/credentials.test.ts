import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer as createPlainServer } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { TLSSocket } from 'node:tls';
import { createDemoAuthority } from '../../src/cli/demo/certificates.ts';
import { startTokenService, type TokenService } from '../../src/identity/testing/token-service.ts';
import { eventually } from '../harness.ts';
import { startHouse, type House } from './house.ts';

/** What the gateway shows of itself to targets: each kind of credential, judged by the real thing where there is one. */
let house: House;
let tokens: TokenService;
let mutual: Server;
const folder = mkdtempSync(join(tmpdir(), 'sallyport-credentials-'));
const arrived: { readonly request: IncomingMessage; readonly body: Buffer }[] = [];
const metadata = createPlainServer((request, response) => {
  const isRight =
    request.headers['metadata'] === 'true' &&
    request.url?.startsWith('/metadata/identity/oauth2/token?api-version=2018-02-01&resource=api');
  response.writeHead(isRight ? 200 : 400, { 'content-type': 'application/json' });
  response.end(
    JSON.stringify(isRight ? { access_token: 'of-the-machine', expires_in: '86399', token_type: 'Bearer' } : { error: 'bad_request' }),
  );
});

before(async () => {
  const services = await createDemoAuthority();
  const tls = await services.issue(['localhost']);
  tokens = await startTokenService({
    ...tls,
    resource: 'https://crm.internal',
    clients: [{ client_id: 'gw', client_secret: 'swordfish-bdfghjklm', token_endpoint_auth_method: 'client_secret_basic' }],
  });
  clientCertificate('gw-client');
  clientCertificate('gw-rotated');
  mutual = createServer(
    { cert: tls.certificate, key: tls.key, ca: readFileSync(join(folder, 'clients.crt')), requestCert: true },
    (request, response) => {
      response.end(String((request.socket as TLSSocket).getPeerCertificate().subject.CN));
    },
  );
  writeFileSync(join(folder, 'services.crt'), services.certificate);
  writeFileSync(join(folder, 'client.crt'), readFileSync(join(folder, 'gw-client.crt')));
  writeFileSync(join(folder, 'client.key'), readFileSync(join(folder, 'gw-client.key')));
  const [mutualPort, metadataPort] = [await listen(mutual), await listen(metadata)];
  process.env['AZURE_POD_IDENTITY_AUTHORITY_HOST'] = `http://127.0.0.1:${metadataPort}`;
  Object.assign(process.env, {
    CRM_SECRET: 'swordfish-bdfghjklm',
    AWS_KEY: 'AKIDEXAMPLE',
    AWS_SECRET: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY',
  });

  house = await startHouse({
    async handle(request, response) {
      const parts: Buffer[] = [];
      for await (const part of request) parts.push(part as Buffer);
      arrived.push({ request, body: Buffer.concat(parts) });
      const { authorization = '' } = request.headers;
      const isOAuth = request.url?.startsWith('/oauth/') === true;
      if (isOAuth && !(await tokens.accepts(authorization.replace('Bearer ', '')))) response.writeHead(401).end();
      else response.end('done');
    },
    policies: `@id("all") permit (principal in Group::"deployers", action, resource);`,
    authority: services,
    adjust(config) {
      const { url, ca } = (config['targets']!['crm'] as { upstream: { url: string; ca: string } }).upstream;
      const at = (base: string, credential: unknown) => ({
        protocol: 'http',
        upstream: { url: url.replace('/v2', `/${base}`), ca, credential },
      });
      const oauth = (secret: string) => ({
        oauth: { token_url: tokens.tokenUrl, client_id: 'gw', client_secret: secret, resource: 'https://crm.internal', scope: 'crm.read' },
      });
      const aws = (service: string) => ({
        aws: { region: 'eu-west-1', service, access_key_id: 'env:AWS_KEY', secret_access_key: 'env:AWS_SECRET' },
      });
      Object.assign(config['targets']!, {
        oauth: at('oauth', oauth('env:CRM_SECRET')),
        wrong: at('oauth', oauth('env:AWS_KEY')),
        azure: at('azure', { azure: { resource: 'api://crm' } }),
        s3: at('bucket', aws('s3')),
        api: at('stage', aws('execute-api')),
        mutual: {
          protocol: 'http',
          upstream: {
            url: `https://localhost:${mutualPort}`,
            ca: `file:${join(folder, 'services.crt')}`,
            certificate: `file:${join(folder, 'client.crt')}`,
            key: `file:${join(folder, 'client.key')}`,
          },
        },
        anonymous: { protocol: 'http', upstream: { url: `https://localhost:${mutualPort}`, ca: `file:${join(folder, 'services.crt')}` } },
      });
      config['data_classes'] = {};
    },
  });
});

after(async () => {
  await house.close();
  await tokens.close();
  for (const server of [mutual, metadata]) {
    server.closeAllConnections();
    server.close();
  }
  rmSync(folder, { recursive: true, force: true });
});

const place = (target: string, path: string): string => house.crm.replace(/crm$/, `${target}${path}`);

async function send(target: string, path: string, init: RequestInit = {}): Promise<Response> {
  const headers = new Headers(init.headers);
  headers.set('authorization', `Bearer ${await house.token('pipeline')}`);
  return fetch(place(target, path), { ...init, headers });
}

describe('OAuth client credentials', () => {
  it('one token serves all requests; the client’s own never gets there', async () => {
    const answers = await Promise.all(Array.from({ length: 8 }, () => send('oauth', '/a')));
    assert.deepEqual(
      answers.map(({ status }) => status),
      answers.map(() => 200),
    );
    assert.equal(tokens.given.length, 1);
    assert.ok(arrived.every(({ request }) => request.headers.authorization === `Bearer ${tokens.given[0]}`));
  });

  it('a token that was taken back: reading goes on with a new one, writing is not sent twice', async () => {
    // One that has only just come is not asked for anew.
    const before = arrived.length;
    await tokens.revoke(tokens.given[0]!);
    const refused = await send('oauth', '/a', { method: 'POST', body: '1' });
    assert.equal(refused.status, 502);
    assert.equal(arrived.length, before + 1);
    assert.match(await refused.text(), /the target does not accept the gateway’s own credential/);
    await eventually('a new token', async () => (await send('oauth', '/a')).status === 200 || undefined, 20_000);
    assert.equal(tokens.given.length, 2);
  });

  it('a token service that refuses the gateway: 502, nothing is sent, on record as failed', async () => {
    const before = arrived.length;
    const answer = await send('wrong', '/a', { method: 'POST', body: '1' });
    assert.equal(answer.status, 502);
    const problem = await answer.text();
    assert.match(
      problem,
      /the gateway has no credential for the target: the token service localhost:\d+ refuses the gateway: invalid_client/,
    );
    assert.doesNotMatch(problem, /swordfish/);
    assert.equal(arrived.length, before);
    const completed = await eventually('the record', async () => {
      const records = await house.records(['operation.completed']);
      return records.find((record) => JSON.stringify(record).includes('invalid_client'));
    });
    assert.equal(completed['outcome'], 'failed');
  });
});

it('the managed identity of the machine', async () => {
  assert.equal((await send('azure', '/a')).status, 200);
  assert.equal(arrived.at(-1)?.request.headers.authorization, 'Bearer of-the-machine');
});

describe('AWS Signature Version 4, as botocore makes it', () => {
  const cases: readonly (readonly [name: string, target: string, path: string, init: RequestInit])[] = [
    ['a read', 's3', '/customers/7', {}],
    ['names and values that are escaped', 's3', '/r%C3%A9sum%C3%A9/a%20b/c~d?prefix=a%20b%2Fc&list-type=2&marker=', {}],
    ['a body', 's3', '/object', { method: 'PUT', body: 'Welcome', headers: { 'x-amz-meta-note': 'a  b', 'content-type': 'text/plain' } }],
    ['another service', 'api', '/orders/a%20b', { method: 'POST', body: '{"a":1}', headers: { 'content-type': 'application/json' } }],
    [
      'what the client says about signatures is not believed',
      's3',
      '/a',
      { headers: { 'x-amz-date': '19990101T000000Z', 'x-amz-content-sha256': 'x' } },
    ],
  ];
  for (const [name, target, path, init] of cases) {
    it(name, async () => {
      assert.equal((await send(target, path, init)).status, 200);
      const { request, body } = arrived.at(-1)!;
      const { authorization, 'x-amz-date': date, ...others } = request.headers;
      assert.match(String(date), /^20[0-9]{6}T/);
      const signed = new Set(/SignedHeaders=([^,]+)/.exec(authorization ?? '')?.[1]?.split(';'));
      assert.ok([...signed].includes('host'));
      const headers = Object.entries({ ...others, 'x-amz-date': date }).filter(([field]) => signed.has(field));
      const expected = execFileSync('/usr/bin/python3', [new URL('peers/aws_signature.py', import.meta.url).pathname], {
        input: JSON.stringify({
          method: request.method,
          url: `https://${request.headers.host}${request.url}`,
          headers,
          body: body.toString('base64'),
          region: 'eu-west-1',
          service: target === 's3' ? 's3' : 'execute-api',
        }),
        encoding: 'utf8',
      });
      assert.equal(authorization, expected);
    });
  }

  it('a body that is too long to be gathered is signed for S3 only', async () => {
    const body = 'x'.repeat(1024 * 1024 + 1);
    assert.equal((await send('s3', '/large', { method: 'PUT', body })).status, 200);
    assert.equal(arrived.at(-1)?.request.headers['x-amz-content-sha256'], 'UNSIGNED-PAYLOAD');
    assert.equal(arrived.at(-1)?.body.length, body.length);
    const refused = await send('api', '/large', { method: 'PUT', body });
    assert.equal(refused.status, 413);
    assert.match(await refused.text(), /a signature of AWS covers the whole body/);
  });
});

describe('client certificates', () => {
  it('are shown to a target that asks for one, which turns others away', async () => {
    assert.equal(await (await send('mutual', '/')).text(), 'gw-client');
    const refused = await send('anonymous', '/');
    assert.equal(refused.status, 502);
  });

  it('are rotated in their files', async () => {
    // Both at once: a pair that does not fit is refused, and the one in force stays.
    writeFileSync(join(folder, 'client.key'), readFileSync(join(folder, 'gw-rotated.key')));
    writeFileSync(join(folder, 'client.crt'), readFileSync(join(folder, 'gw-rotated.crt')));
    await eventually('the new one', async () => (await (await send('mutual', '/')).text()) === 'gw-rotated' || undefined);
  });
});

/** Of an authority of its own (`clients.crt`), by OpenSSL. */
function clientCertificate(name: string): void {
  const openssl = (...parameters: readonly string[]): void => void execFileSync('openssl', parameters, { cwd: folder, stdio: 'ignore' });
  if (name === 'gw-client')
    openssl('req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-keyout', 'clients.key', '-out', 'clients.crt', '-subj', '/CN=clients');
  openssl('req', '-newkey', 'rsa:2048', '-nodes', '-keyout', `${name}.key`, '-out', `${name}.csr`, '-subj', `/CN=${name}`);
  openssl(
    'x509',
    '-req',
    '-in',
    `${name}.csr`,
    '-CA',
    'clients.crt',
    '-CAkey',
    'clients.key',
    '-CAcreateserial',
    '-out',
    `${name}.crt`,
    '-days',
    '2',
  );
}

function listen(server: { listen(port: number, host: string, ready: () => void): unknown; address(): unknown }): Promise<number> {
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port));
  });
}
