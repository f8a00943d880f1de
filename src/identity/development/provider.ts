import { randomBytes } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Provider, errors, type ClientMetadata, type Configuration } from 'oidc-provider';
import { memoryAdapter } from './adapter.ts';
import type { DevelopmentIssuerOptions } from './issuer.ts';
import type { DevelopmentKeys } from './keys.ts';
import { choosePersonPage, confirmCodePage, messagePage, userCodePage } from './pages.ts';

/** The client through which people sign in: public, code with PKCE on a loopback address (RFC 8252), device code (RFC 8628). */
export const peopleClientId = 'sallyport-cli';

/**
 * The certified library, configured: everything it would otherwise warn about on stderr (its own pages, keys and store) is ours.
 * Every access token is a JWT for the one audience (RFC 9068).
 */
export function developmentProvider(
  issuer: string,
  options: DevelopmentIssuerOptions,
  keys: DevelopmentKeys,
  claimsOf: (identifier: string) => Readonly<Record<string, unknown>>,
  lifetimeSeconds: number,
): Provider {
  const pipelineIds = new Set(options.pipelines.map(({ clientId }) => clientId));
  const configuration: Configuration = {
    adapter: memoryAdapter(),
    jwks: keys,
    clients: [...options.pipelines.map(pipelineClient), peopleClient],
    cookies: { keys: [randomBytes(32).toString('hex')] },
    scopes: ['openid', 'profile', 'groups', 'offline_access'],
    claims: { openid: ['sub', 'name', 'preferred_username', 'groups'], profile: [], groups: [] },
    conformIdTokenClaims: false,
    pkce: { required: () => true },
    clientBasedCORS: () => false,
    ttl: {
      AccessToken: lifetimeSeconds,
      ClientCredentials: lifetimeSeconds,
      IdToken: lifetimeSeconds,
      RefreshToken: 12 * 3600,
      DeviceCode: 600,
      Grant: 12 * 3600,
      Session: 12 * 3600,
      Interaction: 600,
    },
    interactions: { url: (_, { uid }) => `/interaction/${uid}` },
    findAccount: (_, subject) => ({ accountId: subject, claims: () => ({ sub: subject, ...claimsOf(subject) }) }),
    extraTokenClaims: (_, token) => claimsOf(token.kind === 'ClientCredentials' ? (token.clientId ?? '') : (token.accountId ?? '')),
    formats: {
      customizers: {
        jwt: (_, token, jwt) => {
          const pipeline = options.pipelines.find(({ clientId }) => clientId === token.clientId);
          if (pipeline !== undefined) jwt.payload.sub = pipeline.subject;
        },
      },
    },
    renderError: (ctx, out) => {
      ctx.type = 'html';
      ctx.body = messagePage('This did not work', `${out.error}: ${out.error_description ?? ''}`);
    },
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      deviceFlow: {
        enabled: true,
        userCodeInputSource: (ctx, form, _out, error) => {
          ctx.body = userCodePage(form, error === undefined ? undefined : 'This code is not known, not valid any more, or was used.');
        },
        userCodeConfirmSource: (ctx, form, _client, _device, userCode) => {
          ctx.body = confirmCodePage(form, userCode);
        },
        successSource: (ctx) => {
          ctx.body = messagePage('Signed in', 'You can close this page and go back to your terminal.');
        },
      },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => options.audience,
        useGrantedResource: () => true,
        getResourceServerInfo: (_, resource, client) => {
          if (resource !== options.audience) throw new errors.InvalidTarget();
          const audience = { scope: 'gateway', audience: options.audience, accessTokenTTL: lifetimeSeconds };
          return { ...audience, accessTokenFormat: 'jwt', jwt: { sign: { alg: pipelineIds.has(client.clientId) ? 'RS256' : 'ES256' } } };
        },
      },
    },
  };
  return new Provider(issuer, configuration);
}

/** The login page: GET shows the people, POST signs the chosen one in and grants the client everything it may have. */
export async function answerInteraction(
  provider: Provider,
  options: DevelopmentIssuerOptions,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { params } = await provider.interactionDetails(request, response);
  const clientId = String(params.client_id);
  const person = request.method === 'POST' ? (await readForm(request)).get('person') : null;
  const accountId = options.people.find(({ subject }) => subject === person)?.subject;
  if (accountId === undefined) {
    response.writeHead(200, { 'content-type': 'text/html; charset=utf-8', 'cache-control': 'no-store' });
    response.end(choosePersonPage(options.people, clientId));
    return;
  }
  const grant = new provider.Grant({ accountId, clientId });
  grant.addOIDCScope('openid profile groups offline_access');
  grant.addResourceScope(options.audience, 'gateway');
  const grantId = await grant.save();
  await provider.interactionFinished(request, response, { login: { accountId }, consent: { grantId } });
}

async function readForm(request: IncomingMessage): Promise<URLSearchParams> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > formLimitBytes) throw new RangeError('form too large');
    chunks.push(chunk);
  }
  return new URLSearchParams(Buffer.concat(chunks).toString());
}

function pipelineClient(pipeline: DevelopmentIssuerOptions['pipelines'][number]): ClientMetadata {
  return {
    client_id: pipeline.clientId,
    client_secret: pipeline.clientSecret,
    grant_types: ['client_credentials'],
    response_types: [],
    redirect_uris: [],
    token_endpoint_auth_method: 'client_secret_basic',
  };
}

const peopleClient: ClientMetadata = {
  client_id: peopleClientId,
  client_name: 'Sallyport',
  application_type: 'native',
  grant_types: ['authorization_code', 'refresh_token', 'urn:ietf:params:oauth:grant-type:device_code'],
  response_types: ['code'],
  redirect_uris: ['http://127.0.0.1/callback', 'http://localhost/callback', 'http://[::1]/callback'],
  token_endpoint_auth_method: 'none',
};

const formLimitBytes = 16_384;
