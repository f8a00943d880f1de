import { randomBytes } from 'node:crypto';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { Provider, type ClientMetadata } from 'oidc-provider';
import { memoryAdapter } from '../development/adapter.ts';
import { developmentKeys } from '../development/keys.ts';

/** An OAuth 2.0 server that issues tokens to clients for one resource: the certified library, over TLS. */
export interface TokenService {
  readonly tokenUrl: string;
  /** Tokens given so far, in order. */
  readonly given: readonly string[];
  /** Whether it gave this token, and it is still good. */
  accepts(token: string | undefined): Promise<boolean>;
  /** From now on these are not good any more, though they say that they are. */
  revoke(token: string): Promise<void>;
  close(): Promise<void>;
}

export interface TokenServiceOptions {
  readonly certificate: string;
  readonly key: string;
  readonly clients: readonly ClientMetadata[];
  readonly resource: string;
  readonly lifetimeSeconds?: number;
}

export async function startTokenService(options: TokenServiceOptions): Promise<TokenService> {
  const server: Server = createServer({ cert: options.certificate, key: options.key });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const issuer = `https://localhost:${(server.address() as AddressInfo).port}`;
  const provider = new Provider(issuer, {
    adapter: memoryAdapter(),
    jwks: await developmentKeys(undefined),
    clients: options.clients.map((client) => ({ grant_types: ['client_credentials'], response_types: [], redirect_uris: [], ...client })),
    clientAuthMethods: ['client_secret_basic', 'client_secret_post', 'private_key_jwt'],
    cookies: { keys: [randomBytes(32).toString('hex')] },
    scopes: ['crm.read', 'crm.write'],
    clientBasedCORS: () => false,
    ttl: { ClientCredentials: options.lifetimeSeconds ?? 600 },
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      resourceIndicators: {
        enabled: true,
        useGrantedResource: () => true,
        getResourceServerInfo: () => ({ scope: 'crm.read crm.write', audience: options.resource, accessTokenFormat: 'opaque' }),
      },
    },
  });
  const given: string[] = [];
  provider.on('grant.success', (context) => {
    given.push(String((context.body as { access_token?: unknown } | undefined)?.access_token));
  });
  const answer = provider.callback();
  server.on('request', (request, response) => void answer(request, response));
  return {
    tokenUrl: `${issuer}/token`,
    given,
    accepts: async (token) => token !== undefined && (await provider.ClientCredentials.find(token)) !== undefined,
    async revoke(token) {
      await (await provider.ClientCredentials.find(token))?.destroy();
    },
    close() {
      server.closeAllConnections();
      return new Promise((resolve) => {
        server.close(() => resolve());
      });
    },
  };
}
