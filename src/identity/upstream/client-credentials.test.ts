import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import type { RequestListener } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { createDemoAuthority, type PemPair } from '../../cli/demo/certificates.ts';
import { Secret } from '../../config/secret.ts';
import type { OAuthCredentialConfig, UpstreamCredentialConfig } from '../../config/upstream-credential.ts';
import { GatewayFault } from '../../core/fault.ts';
import { startTokenService, type TokenService } from '../testing/token-service.ts';
import { upstreamCredential, type UpstreamCredential } from './index.ts';

let service: TokenService;
let tls: PemPair;
const keys = {
  rsa: generateKeyPairSync('rsa', { modulusLength: 2048 }),
  ec: generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  ed: generateKeyPairSync('ed25519'),
  stranger: generateKeyPairSync('rsa', { modulusLength: 2048 }),
};

before(async () => {
  const authority = await createDemoAuthority();
  setDefaultCACertificates([...getCACertificates('bundled'), authority.certificate]);
  tls = await authority.issue(['localhost']);
  const keyClients = (['rsa', 'ec', 'ed'] as const).map((name) => ({
    client_id: `by-${name}`,
    token_endpoint_auth_method: 'private_key_jwt' as const,
    jwks: { keys: [{ ...keys[name].publicKey.export({ format: 'jwk' }), kid: `${name}-1`, use: 'sig' }] },
  }));
  service = await startTokenService({
    ...tls,
    resource: 'https://crm.internal',
    clients: [
      { client_id: 'by basic', client_secret: ' s%c+r:t', token_endpoint_auth_method: 'client_secret_basic' },
      { client_id: 'by-post', client_secret: secretText, token_endpoint_auth_method: 'client_secret_post' },
      ...(keyClients as unknown as []),
    ],
  });
});

after(() => service.close());

describe('OAuth client credentials, against a certified server', () => {
  it('with a secret, in the header or in the body', async () => {
    const basic = oauth({ clientId: 'by basic', authentication: { kind: 'secret', method: 'basic', secret: secret(' s%c+r:t') } });
    const post = oauth({ clientId: 'by-post', authentication: { kind: 'secret', method: 'post', secret: secret(secretText) } });
    for (const credential of [basic, post]) assert.ok(await service.accepts(await bearerOf(credential)));
    assert.equal(await bearerOf(post), await bearerOf(post), 'the second request has the token of the first');
  });

  it('with a private key of each kind', async () => {
    for (const name of ['rsa', 'ec', 'ed'] as const) {
      const key = secret(keys[name].privateKey.export({ type: 'pkcs8', format: 'pem' }) as string);
      const audience = new URL(service.tokenUrl).origin;
      const credential = oauth({ clientId: `by-${name}`, authentication: { kind: 'private-key', key, keyId: `${name}-1`, audience } });
      assert.ok(await service.accepts(await bearerOf(credential)), name);
    }
  });

  it('a token that the target refuses is fetched anew', async () => {
    const clock = { ms: 0, now: () => Date.now(), monotonic: () => clock.ms };
    const credential = oauth({}, clock);
    const [field] = await credential.fieldsFor(request);
    clock.ms = 60_000;
    assert.equal(credential.refused([field!]), true);
    const [next] = await credential.fieldsFor(request);
    assert.notEqual(next!.value, field!.value);
    assert.equal(credential.refused([next!]), false);
  });

  it('refusals name their reason and nothing of what was sent', async () => {
    const wrong = oauth({ authentication: { kind: 'secret', method: 'post', secret: secret('wrong-swordfish') } });
    await faultOf(wrong, 'upstream-refused', /the token service localhost:\d+ refuses the gateway: invalid_client/);
    const strangersKey = secret(keys.stranger.privateKey.export({ type: 'pkcs8', format: 'pem' }) as string);
    const audience = service.tokenUrl;
    const forged = oauth({ clientId: 'by-rsa', authentication: { kind: 'private-key', key: strangersKey, keyId: undefined, audience } });
    await faultOf(forged, 'upstream-refused', /invalid_client/);
  });
});

describe('a token service that misbehaves', () => {
  const cases: readonly (readonly [name: string, listener: RequestListener, code: GatewayFault['code'], text: RegExp])[] = [
    ['is overloaded', (_request, response) => response.writeHead(503).end('swordfish'), 'upstream-unavailable', /answers with status 503/],
    [
      'has a page for an answer',
      (_request, response) => response.writeHead(200, { 'content-type': 'text/html' }).end('swordfish'),
      'upstream-refused',
      /does not answer as OAuth 2\.0 asks for/,
    ],
    [
      'sends elsewhere',
      (request, response) => response.writeHead(307, { location: `https://${request.headers.host}/swordfish` }).end(),
      'upstream-refused',
      /answers with status 307/,
    ],
    [
      'gives a token that breaks lines',
      answer({ access_token: 'swordfish\r\nx: y', token_type: 'Bearer' }),
      'upstream-refused',
      /not of type Bearer/,
    ],
    ['gives a token of another type', answer({ access_token: 'swordfish', token_type: 'DPoP' }), 'upstream-refused', /not of type Bearer/],
    [
      'answers without an end',
      (_request, response) => {
        response.writeHead(200, { 'content-type': 'application/json' });
        response.end(`{"access_token":"${'swordfish'.repeat(40_000)}"}`);
      },
      'upstream-unavailable',
      /cannot be reached or does not answer properly/,
    ],
    ['hangs up', (request) => request.socket.destroy(), 'upstream-unavailable', /cannot be reached or does not answer properly/],
  ];
  for (const [name, listener, code, text] of cases) {
    it(name, async () => {
      let asked = 0;
      const server = createServer({ cert: tls.certificate, key: tls.key }, (request, response) => {
        asked += 1;
        listener(request, response);
      });
      await new Promise<void>((resolve) => {
        server.listen(0, '127.0.0.1', resolve);
      });
      const credential = oauth({ tokenUrl: `https://localhost:${(server.address() as AddressInfo).port}/token` });
      await faultOf(credential, code, text);
      await faultOf(credential, code, text);
      assert.equal(asked, 1, 'the second request hears of the failure of the first');
      server.closeAllConnections();
      server.close();
    });
  }

  it('is asked over TLS only', async () => {
    await faultOf(oauth({ tokenUrl: 'http://localhost:1/token' }), 'upstream-unavailable', /cannot be reached/);
  });
});

function answer(body: unknown): RequestListener {
  return (_request, response) => response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

function oauth(
  changes: Partial<OAuthCredentialConfig>,
  clock = { now: () => Date.now(), monotonic: () => performance.now() },
): UpstreamCredential {
  const config: UpstreamCredentialConfig = {
    kind: 'oauth',
    tokenUrl: service.tokenUrl,
    clientId: 'by-post',
    authentication: { kind: 'secret', method: 'post', secret: secret(secretText) },
    scope: 'crm.read',
    audience: undefined,
    resource: 'https://crm.internal',
    ...changes,
  };
  return upstreamCredential(config, {
    clock,
    env: {},
    fetch,
    upstream: { server: 'https://api.test', ca: undefined, verifies: true, takesCertificate: true },
  });
}

async function bearerOf(credential: UpstreamCredential): Promise<string> {
  const [field] = await credential.fieldsFor(request);
  assert.equal(field?.name, 'authorization');
  return field.value.replace(/^Bearer /, '');
}

async function faultOf(credential: UpstreamCredential, code: GatewayFault['code'], text: RegExp): Promise<void> {
  await assert.rejects(
    async () => credential.fieldsFor(request),
    (error) => {
      assert.ok(error instanceof GatewayFault);
      assert.equal(error.code, code);
      assert.match(error.publicMessage, text);
      assert.doesNotMatch(`${error.publicMessage} ${error.detail} ${error.hint} ${String(error.cause)}`, /swordfish/);
      return true;
    },
  );
}

function secret(text: string): Secret {
  return new Secret('env:TEST', Buffer.from(text));
}

const secretText = 'swordfish-bdfghjklmnpqrstvwxz';
const request = { method: 'GET', host: 'crm.internal', target: '/', fields: [], body: 'none' } as const;
