import type { UpstreamCredentialConfig } from '../../config/upstream-credential.ts';
import type { ClockPort } from '../../core/ports.ts';
import { awsCredential } from './aws.ts';
import { fetchAzureToken } from './azure.ts';
import { authenticationOf, fetchClientToken } from './client-credentials.ts';
import { fixedCredential, type ClientIdentity, type OutgoingField, type UpstreamCredential } from './credential.ts';
import { fetchPluginCredential, type PluginCredential, type PluginUpstream } from './exec-plugin.ts';
import { TokenCache, type FetchToken } from './token-cache.ts';

export type { ClientIdentity, UpstreamCredential } from './credential.ts';

/** What credentials are made with. */
export interface UpstreamCredentialParts {
  readonly clock: ClockPort;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly fetch: typeof fetch;
  /** Of the target that they are for. */
  readonly upstream: PluginUpstream;
}

/** The gateway's own credential at a target, as it was configured. Tokens are fetched when the first request needs one. */
export function upstreamCredential(config: UpstreamCredentialConfig, parts: UpstreamCredentialParts): UpstreamCredential {
  const { clock, env, fetch } = parts;
  switch (config.kind) {
    case 'bearer':
      return fixedCredential({ name: 'authorization', value: `Bearer ${config.token.text()}` });
    case 'basic': {
      const pair = Buffer.from(`${config.user}:${config.password.text()}`, 'utf8').toString('base64');
      return fixedCredential({ name: 'authorization', value: `Basic ${pair}` });
    }
    case 'header':
      return fixedCredential({ name: config.name.toLowerCase(), value: config.value.text() });
    case 'oauth': {
      const { tokenUrl, clientId, scope, audience, resource } = config;
      const stated = Object.entries({ scope, audience, resource }).filter((entry): entry is [string, string] => entry[1] !== undefined);
      const authenticate = authenticationOf(config);
      // Whoever needs a token is told of a key that is none.
      authenticate.catch(() => {});
      return tokenCredential(
        async () =>
          fetchClientToken({ tokenUrl, clientId, authenticate: await authenticate, parameters: Object.fromEntries(stated), fetch }),
        clock,
      );
    }
    case 'azure':
      return tokenCredential(() => fetchAzureToken(config, { env, fetch, now: () => clock.now() }), clock);
    case 'exec':
      return pluginCredential(() => fetchPluginCredential(config, { env, now: () => clock.now(), upstream: parts.upstream }), clock);
    case 'aws':
      return awsCredential(config, () => clock.now());
    default:
      return config satisfies never;
  }
}

/** Bearer tokens (RFC 6750) that are fetched when they are needed. */
function tokenCredential(fetch: FetchToken, clock: ClockPort): UpstreamCredential {
  const tokens = new TokenCache(fetch, clock);
  return {
    fieldNames: ['authorization'],
    fieldsFor() {
      const token = tokens.current();
      return typeof token === 'string' ? bearer(token) : token.then(bearer);
    },
    refused: (fields) => fields.some(({ value }) => tokens.refused(value.slice('Bearer '.length))),
  };
}

/** A token, a client certificate, or both. */
function pluginCredential(fetch: FetchToken<PluginCredential>, clock: ClockPort): UpstreamCredential {
  const identities = new WeakMap<readonly OutgoingField[], ClientIdentity>();
  const given = new TokenCache(async () => {
    const { value, lifetimeMs } = await fetch();
    const fields = value.token === undefined ? [] : bearer(value.token);
    if (value.identity !== undefined) identities.set(fields, value.identity);
    return { value: fields, lifetimeMs };
  }, clock);
  return {
    fieldNames: ['authorization'],
    fieldsFor: () => given.current(),
    identityOf: (fields) => identities.get(fields),
    refused: (fields) => given.refused(fields),
  };
}

function bearer(token: string): readonly OutgoingField[] {
  return [{ name: 'authorization', value: `Bearer ${token}` }];
}
