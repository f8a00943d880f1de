import { readFile } from 'node:fs/promises';
import type { AzureCredentialConfig } from '../../config/upstream-credential.ts';
import { fetchClientToken, withAssertion } from './client-credentials.ts';
import { ClientSecretPost } from 'openid-client';
import type { AccessToken } from './token-cache.ts';
import { askTokenService, codeOfStatus, errorCodeOf, isToken, tokenServiceFault, type TokenServiceAnswer } from './token-service.ts';

/** From what tokens of Microsoft Entra ID are had. */
export interface AzureSurroundings {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly fetch: typeof fetch;
  /** Milliseconds since 1970: some answers say when a token ends, and not for how long it lives. */
  readonly now: () => number;
}

/** A token for one resource, by whatever identity was configured. Throws `upstream-unavailable` or `upstream-refused`. */
export async function fetchAzureToken(config: AzureCredentialConfig, surroundings: AzureSurroundings): Promise<AccessToken> {
  const { identity, resource } = config;
  switch (identity.kind) {
    case 'managed':
      return surroundings.env['IDENTITY_ENDPOINT'] !== undefined && surroundings.env['IDENTITY_HEADER'] !== undefined
        ? appServiceToken(resource, identity.clientId, surroundings)
        : machineToken(resource, identity.clientId, surroundings);
    case 'workload':
      return workloadToken(resource, identity, surroundings);
    case 'secret':
      return entraToken(resource, identity.tenant, identity.clientId, ClientSecretPost(identity.secret.text()), surroundings);
    default:
      return identity satisfies never;
  }
}

/**
 * The instance metadata service of a virtual machine, a scale set, or a node of AKS ("How to use managed identities for Azure resources on an Azure VM to acquire an
 * access token"). It answers 404, 410, 429 and 5xx while it is busy or being updated.
 */
async function machineToken(resource: string, clientId: string | undefined, surroundings: AzureSurroundings): Promise<AccessToken> {
  const authority = (surroundings.env['AZURE_POD_IDENTITY_AUTHORITY_HOST'] ?? 'http://169.254.169.254').replace(/\/$/, '');
  const url = `${authority}/metadata/identity/oauth2/token?${managedQuery('2018-02-01', resource, clientId)}`;
  return tokenOf(managedIdentity, await askTokenService(surroundings.fetch, managedIdentity, url, { metadata: 'true' }), surroundings);
}

/** App Service, Functions and Container Apps ("Managed identities", "REST endpoint reference"). */
async function appServiceToken(resource: string, clientId: string | undefined, surroundings: AzureSurroundings): Promise<AccessToken> {
  const { IDENTITY_ENDPOINT: endpoint = '', IDENTITY_HEADER: header = '' } = surroundings.env;
  const url = `${endpoint}?${managedQuery('2019-08-01', resource, clientId)}`;
  return tokenOf(
    managedIdentity,
    await askTokenService(surroundings.fetch, managedIdentity, url, { 'x-identity-header': header }),
    surroundings,
  );
}

function managedQuery(version: string, resource: string, clientId: string | undefined): string {
  return new URLSearchParams({ 'api-version': version, resource, ...(clientId === undefined ? {} : { client_id: clientId }) }).toString();
}

function tokenOf(what: string, { status, body }: TokenServiceAnswer, { now }: AzureSurroundings): AccessToken {
  if (status !== 200) {
    const code = errorCodeOf(body);
    throw tokenServiceFault(codeOfStatus(status), what, `refuses the gateway: ${status}${code === undefined ? '' : ` (${code})`}`);
  }
  const text = body?.['access_token'];
  // Numbers as text, and not both of them everywhere.
  const seconds = body?.['expires_in'] === undefined ? Number(body?.['expires_on']) - now() / 1000 : Number(body['expires_in']);
  if (!isToken(text) || !Number.isFinite(seconds)) throw tokenServiceFault('upstream-unavailable', what, 'does not answer with a token');
  return { value: text, lifetimeMs: seconds * 1000 };
}

/** A Kubernetes service account's token, exchanged for one of Entra ID ("Microsoft Entra Workload ID"). The file is read each time: it changes by the hour. */
async function workloadToken(
  resource: string,
  identity: AzureCredentialConfig['identity'] & { readonly kind: 'workload' },
  surroundings: AzureSurroundings,
): Promise<AccessToken> {
  const { env } = surroundings;
  const tenant = identity.tenant ?? env['AZURE_TENANT_ID'];
  const clientId = identity.clientId ?? env['AZURE_CLIENT_ID'];
  const file = env['AZURE_FEDERATED_TOKEN_FILE'];
  if (tenant === undefined || clientId === undefined || file === undefined) {
    const missing = tenant === undefined ? 'AZURE_TENANT_ID' : clientId === undefined ? 'AZURE_CLIENT_ID' : 'AZURE_FEDERATED_TOKEN_FILE';
    throw tokenServiceFault('upstream-refused', workloadIdentity, `is not set up: ${missing} is not set`);
  }
  const assertion = await readFile(file, 'utf8').catch((error: unknown) => {
    throw tokenServiceFault(
      'upstream-refused',
      workloadIdentity,
      'is not set up: the file of AZURE_FEDERATED_TOKEN_FILE cannot be read',
      error,
    );
  });
  return entraToken(resource, tenant, clientId, withAssertion(assertion.trim()), surroundings);
}

function entraToken(
  resource: string,
  tenant: string,
  clientId: string,
  authenticate: Parameters<typeof fetchClientToken>[0]['authenticate'],
  { env, fetch }: AzureSurroundings,
): Promise<AccessToken> {
  const authority = (env['AZURE_AUTHORITY_HOST'] ?? 'https://login.microsoftonline.com').replace(/\/$/, '');
  return fetchClientToken({
    tokenUrl: `${authority}/${encodeURIComponent(tenant)}/oauth2/v2.0/token`,
    clientId,
    authenticate,
    parameters: { scope: `${resource}/.default` },
    fetch,
  });
}

const managedIdentity = 'the managed identity service';
const workloadIdentity = 'workload identity';
