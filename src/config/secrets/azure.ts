import { requestJson, textAt } from './http.ts';
import { SecretProblem, type SecretSources } from './sources.ts';
import type { SecretReference } from './reference.ts';

/**
 * A secret of Azure Key Vault, read with the machine's managed identity: a token from the instance metadata service (AZURE_CLIENT_ID
 * picks one of several identities), then GET https://<vault>.vault.azure.net/secrets/<name>/<version>.
 */
export async function readKeyVaultSecret(reference: SecretReference & { kind: 'azure-keyvault' }, sources: SecretSources): Promise<string> {
  const host = reference.vault.includes('.') ? reference.vault : `${reference.vault}.vault.azure.net`;
  const problem = (message: string) => new SecretProblem(`azure-keyvault:${reference.vault}/${reference.name}: ${message}`);
  const token = await managedIdentityToken(`https://${host.slice(host.indexOf('.') + 1)}`, sources, problem);
  const version = reference.version === undefined ? '' : `/${reference.version}`;
  const answer = await requestJson(
    {
      service: 'Azure Key Vault',
      url: `https://${host}/secrets/${reference.name}${version}?api-version=7.4`,
      method: 'GET',
      headers: { Authorization: `Bearer ${token}` },
    },
    sources,
    problem,
  );
  const value = textAt(answer, 'value');
  if (value === undefined) throw problem('Azure Key Vault answered without a value');
  return value;
}

async function managedIdentityToken(
  resource: string,
  sources: SecretSources,
  problem: (message: string) => SecretProblem,
): Promise<string> {
  const query = new URLSearchParams({ 'api-version': '2018-02-01', resource });
  const clientId = sources.env.AZURE_CLIENT_ID;
  if (clientId !== undefined && clientId !== '') query.set('client_id', clientId);
  const authority = sources.env.AZURE_POD_IDENTITY_AUTHORITY_HOST ?? 'http://169.254.169.254';
  const answer = await requestJson(
    {
      service: 'the managed identity endpoint',
      url: `${authority.replace(/\/$/, '')}/metadata/identity/oauth2/token?${query.toString()}`,
      method: 'GET',
      headers: { Metadata: 'true' },
    },
    sources,
    problem,
  );
  const token = textAt(answer, 'access_token');
  if (token === undefined) throw problem('the managed identity endpoint answered without a token');
  return token;
}
