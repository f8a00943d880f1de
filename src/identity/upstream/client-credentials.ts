import { createPrivateKey, webcrypto } from 'node:crypto';
import { GatewayFault } from '../../core/fault.ts';
import {
  clientCredentialsGrant,
  ClientSecretBasic,
  ClientSecretPost,
  Configuration,
  customFetch,
  modifyAssertion,
  PrivateKeyJwt,
  type ClientAuth,
} from 'openid-client';
import type { OAuthCredentialConfig } from '../../config/upstream-credential.ts';
import type { AccessToken } from './token-cache.ts';
import { boundedFetch, codeOfStatus, errorCodeOf, isToken, objectOf, tokenServiceFault } from './token-service.ts';

export interface ClientCredentials {
  readonly tokenUrl: string;
  readonly clientId: string;
  readonly authenticate: ClientAuth;
  readonly parameters: Readonly<Record<string, string>>;
  readonly fetch: typeof fetch;
}

/** A token for a client (RFC 6749 section 4.4). Throws `upstream-unavailable` or `upstream-refused`. */
export async function fetchClientToken({ tokenUrl, clientId, authenticate, parameters, fetch }: ClientCredentials): Promise<AccessToken> {
  const url = new URL(tokenUrl);
  const what = `the token service ${url.host}`;
  const configuration = new Configuration({ issuer: url.origin, token_endpoint: url.href }, clientId, undefined, authenticate);
  const bounded = boundedFetch(fetch);
  let answered: Response | undefined;
  configuration[customFetch] = async (to, options) => {
    const response = await bounded(to, options as RequestInit);
    answered = response.clone();
    return response;
  };
  try {
    const answer = await clientCredentialsGrant(configuration, { ...parameters });
    if (answer.token_type !== 'bearer' || !isToken(answer.access_token)) {
      throw tokenServiceFault('upstream-refused', what, 'gives tokens that the gateway cannot use: not of type Bearer');
    }
    return { value: answer.access_token, lifetimeMs: (answer.expires_in ?? unstatedLifetimeSeconds) * 1000 };
  } catch (error) {
    throw await faultOf(error, what, answered);
  }
}

async function faultOf(error: unknown, what: string, answered: Response | undefined): Promise<GatewayFault> {
  if (error instanceof GatewayFault) return error;
  if (answered === undefined)
    return tokenServiceFault('upstream-unavailable', what, 'cannot be reached or does not answer properly', error);
  if (answered.ok) return tokenServiceFault('upstream-refused', what, 'does not answer as OAuth 2.0 asks for');
  const code = errorCodeOf(objectOf(await answered.text()));
  return tokenServiceFault(
    codeOfStatus(answered.status),
    what,
    code === undefined ? `answers with status ${answered.status}` : `refuses the gateway: ${code}`,
  );
}

/** As the client of this configuration. Throws what Node throws for a key that is none. */
export async function authenticationOf({ authentication }: OAuthCredentialConfig): Promise<ClientAuth> {
  switch (authentication.kind) {
    case 'secret': {
      const secret = authentication.secret.text();
      return authentication.method === 'basic' ? ClientSecretBasic(secret) : ClientSecretPost(secret);
    }
    case 'private-key': {
      const { key, keyId, audience } = authentication;
      const imported = await importSigningKey(key.text());
      return PrivateKeyJwt(keyId === undefined ? imported : { key: imported, kid: keyId }, {
        [modifyAssertion]: (_header, payload) => {
          payload['aud'] = audience;
        },
      });
    }
    default:
      return authentication satisfies never;
  }
}

/** A client that shows an assertion of somebody else’s (RFC 7523 section 2.2). */
export function withAssertion(assertion: string): ClientAuth {
  return (_server, client, body) => {
    body.set('client_id', client.client_id);
    body.set('client_assertion_type', 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer');
    body.set('client_assertion', assertion);
  };
}

/** A PEM private key of any kind that OpenSSL writes; RS256, ES256, ES384, ES512 or EdDSA by the kind of key. */
async function importSigningKey(pem: string): Promise<webcrypto.CryptoKey> {
  const key = createPrivateKey(pem);
  const der = key.export({ type: 'pkcs8', format: 'der' });
  return webcrypto.subtle.importKey('pkcs8', der, algorithmOf(key.asymmetricKeyType, key.asymmetricKeyDetails?.namedCurve), false, [
    'sign',
  ]);
}

function algorithmOf(
  type: string | undefined,
  curve: string | undefined,
): webcrypto.RsaHashedImportParams | webcrypto.EcKeyImportParams | string {
  if (type === 'rsa') return { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' };
  if (type === 'ed25519') return 'Ed25519';
  const named = type === 'ec' ? CURVES.get(curve ?? '') : undefined;
  if (named === undefined) throw new TypeError('expected an RSA, EC or Ed25519 key');
  return { name: 'ECDSA', namedCurve: named };
}

const CURVES: ReadonlyMap<string, string> = new Map([
  ['prime256v1', 'P-256'],
  ['secp384r1', 'P-384'],
  ['secp521r1', 'P-521'],
]);
/** Where the answer does not say how long the token lives, which RFC 6749 section 5.1 only recommends. */
const unstatedLifetimeSeconds = 300;
