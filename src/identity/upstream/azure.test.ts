import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http';
import { createServer as createSecureServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { createLocalJWKSet, jwtVerify } from 'jose';
import { createDemoAuthority } from '../../cli/demo/certificates.ts';
import { Secret } from '../../config/secret.ts';
import type { AzureCredentialConfig } from '../../config/upstream-credential.ts';
import { GatewayFault } from '../../core/fault.ts';
import { signToken, testKey } from '../testing/tokens.ts';
import { fetchAzureToken } from './azure.ts';

const aks = '6dae42f8-4368-4678-94ff-3960e28e3630';
const folder = mkdtempSync(join(tmpdir(), 'sallyport-azure-'));
const servers: { close(): unknown; closeAllConnections(): void }[] = [];
after(() => {
  for (const server of servers) {
    server.closeAllConnections();
    server.close();
  }
  rmSync(folder, { recursive: true, force: true });
});

/** As "How to use managed identities for Azure resources on an Azure VM to acquire an access token" describes it. */
const metadataService: RequestListener = (request, response) => {
  const { pathname, searchParams } = new URL(request.url ?? '', 'http://169.254.169.254');
  const answer = (status: number, body: unknown): void =>
    void response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  if (request.method !== 'GET' || pathname !== '/metadata/identity/oauth2/token') answer(404, { error: 'Not found' });
  else if (request.headers['metadata'] !== 'true' || request.headers['x-forwarded-for'] !== undefined) {
    answer(400, { error: 'bad_request_102', error_description: 'Required metadata header not specified' });
  } else if (searchParams.get('api-version') !== '2018-02-01') answer(400, { error: 'bad_request_100' });
  else if (searchParams.get('client_id') === 'unknown') {
    answer(400, { error: 'invalid_request', error_description: 'Identity not found swordfish' });
  } else if (searchParams.get('client_id') === 'busy') answer(429, { error: 'too_many_requests' });
  else {
    const resource = searchParams.get('resource');
    answer(200, {
      access_token: `vm-${resource}-${searchParams.get('client_id')}`,
      client_id: 'of-the-vm',
      expires_in: '86399',
      expires_on: '1799999999',
      not_before: '1799913600',
      resource,
      token_type: 'Bearer',
    });
  }
};

describe('managed identity of a machine', () => {
  it('by the instance metadata service, one of several by its client id', async () => {
    const env = { AZURE_POD_IDENTITY_AUTHORITY_HOST: await listen(metadataService) };
    assert.deepEqual(await token({ kind: 'managed', clientId: undefined }, env), { value: `vm-${aks}-null`, lifetimeMs: 86_399_000 });
    assert.deepEqual(await token({ kind: 'managed', clientId: 'u-1' }, env), { value: `vm-${aks}-u-1`, lifetimeMs: 86_399_000 });
    await refused(token({ kind: 'managed', clientId: 'unknown' }, env), 'upstream-refused', /refuses the gateway: 400 \(invalid_request\)/);
    await refused(token({ kind: 'managed', clientId: 'busy' }, env), 'upstream-unavailable', /429/);
  });

  it('where there is none', async () => {
    const env = { AZURE_POD_IDENTITY_AUTHORITY_HOST: 'http://127.0.0.1:1' };
    await refused(
      token({ kind: 'managed', clientId: undefined }, env),
      'upstream-unavailable',
      /the managed identity service cannot be reached/,
    );
  });
});

describe('managed identity of an app service', () => {
  it('by the endpoint and the secret of the environment', async () => {
    const endpoint = await listen((request, response) => {
      const { searchParams } = new URL(request.url ?? '', 'http://localhost');
      if (
        request.headers['x-identity-header'] !== '853b9a84-5bfa-4b22-a3f3-0b9a43d9ad8a' ||
        searchParams.get('api-version') !== '2019-08-01'
      ) {
        response.writeHead(401).end();
        return;
      }
      const body = {
        access_token: `app-${searchParams.get('resource')}`,
        expires_on: '1586984735',
        resource: aks,
        token_type: 'Bearer',
        client_id: 'c',
      };
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    });
    const env = { IDENTITY_ENDPOINT: `${endpoint}/MSI/token`, IDENTITY_HEADER: '853b9a84-5bfa-4b22-a3f3-0b9a43d9ad8a' };
    const now = (1_586_984_735 - 3_600) * 1000;
    assert.deepEqual(await token({ kind: 'managed', clientId: undefined }, env, now), { value: `app-${aks}`, lifetimeMs: 3_600_000 });
    await refused(token({ kind: 'managed', clientId: undefined }, { ...env, IDENTITY_HEADER: 'x' }, now), 'upstream-refused', /401/);
  });
});

describe('Entra ID', () => {
  const cluster = testKey('RS256', 'cluster-1');
  const verify = createLocalJWKSet({ keys: [cluster.jwk] });
  /** The token endpoint of one tenant, which trusts one cluster's service account and one client's secret. */
  const entra: RequestListener = (request, response) => void answerToken(request, response);
  const answerToken = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const form = new URLSearchParams(await bodyOf(request));
    const answer = (status: number, body: unknown): void =>
      void response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    const failure = (number: string): void =>
      answer(401, { error: 'invalid_client', error_description: `${number}: swordfish Trace ID: …` });
    if (request.url !== '/tenant-1/oauth2/v2.0/token' || form.get('grant_type') !== 'client_credentials') return answer(404, {});
    if (form.get('client_assertion_type') === 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer') {
      const checks = {
        issuer: 'https://cluster.example',
        audience: 'api://AzureADTokenExchange',
        subject: 'system:serviceaccount:gw:sallyport',
      };
      const verified = await jwtVerify(form.get('client_assertion') ?? '', verify, checks).catch(() => undefined);
      if (verified === undefined || form.get('client_id') !== 'app-1') return failure('AADSTS700213');
    } else if (form.get('client_secret') !== 'swordfish' || form.get('client_id') !== 'app-1') return failure('AADSTS7000215');
    answer(200, { token_type: 'Bearer', expires_in: 3599, ext_expires_in: 3599, access_token: `entra-${form.get('scope')}` });
  };

  it('with the token of a Kubernetes service account, read anew each time', async () => {
    const file = join(folder, 'token');
    const env = {
      AZURE_AUTHORITY_HOST: `${await listenSecurely(entra)}/`,
      AZURE_TENANT_ID: 'tenant-1',
      AZURE_CLIENT_ID: 'app-1',
      AZURE_FEDERATED_TOKEN_FILE: file,
    };
    const claims = { iss: 'https://cluster.example', aud: 'api://AzureADTokenExchange', sub: 'system:serviceaccount:gw:sallyport' };
    const seconds = Math.floor(Date.now() / 1000);
    const workload = { kind: 'workload', tenant: undefined, clientId: undefined } as const;
    await refused(token(workload, env), 'upstream-refused', /the file of AZURE_FEDERATED_TOKEN_FILE cannot be read/);
    writeFileSync(file, `${signToken(cluster, { ...claims, exp: seconds + 600 })}\n`);
    assert.deepEqual(await token(workload, env), { value: `entra-${aks}/.default`, lifetimeMs: 3_599_000 });
    writeFileSync(file, signToken(cluster, { ...claims, exp: seconds - 600 }));
    await refused(token(workload, env), 'upstream-refused', /refuses the gateway: invalid_client, AADSTS700213/);
    await refused(token(workload, { ...env, AZURE_TENANT_ID: undefined }), 'upstream-refused', /AZURE_TENANT_ID is not set/);
  });

  it('with a secret', async () => {
    const env = { AZURE_AUTHORITY_HOST: await listenSecurely(entra) };
    const client = (text: string) =>
      ({ kind: 'secret', tenant: 'tenant-1', clientId: 'app-1', secret: new Secret('env:X', Buffer.from(text)) }) as const;
    assert.deepEqual(await token(client('swordfish'), env), { value: `entra-${aks}/.default`, lifetimeMs: 3_599_000 });
    await refused(token(client('swordfish2'), env), 'upstream-refused', /AADSTS7000215/);
  });
});

function token(identity: AzureCredentialConfig['identity'], env: Record<string, string | undefined>, now = Date.now()) {
  return fetchAzureToken({ resource: aks, identity }, { env, fetch, now: () => now });
}

async function refused(asked: Promise<unknown>, code: GatewayFault['code'], text: RegExp): Promise<void> {
  await assert.rejects(asked, (error) => {
    assert.ok(error instanceof GatewayFault);
    assert.equal(error.code, code);
    assert.match(error.publicMessage, text);
    assert.doesNotMatch(`${error.publicMessage} ${error.detail} ${String(error.cause)}`, /swordfish/);
    return true;
  });
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  let text = '';
  for await (const part of request) text += String(part);
  return text;
}

async function listen(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  servers.push(server);
  return `http://127.0.0.1:${await portOf(server)}`;
}

async function listenSecurely(listener: RequestListener): Promise<string> {
  const authority = await createDemoAuthority();
  setDefaultCACertificates([...getCACertificates('bundled'), authority.certificate]);
  const { certificate: cert, key } = await authority.issue(['localhost']);
  const server = createSecureServer({ cert, key }, listener);
  servers.push(server);
  return `https://localhost:${await portOf(server)}`;
}

async function portOf(server: Server | ReturnType<typeof createServer>): Promise<number> {
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  return (server.address() as AddressInfo).port;
}
