import { requestJson, textAt } from './http.ts';
import { readEnvironment, SecretProblem, type SecretSources } from './sources.ts';
import type { SecretReference } from './reference.ts';

/**
 * One field of a HashiCorp Vault or OpenBao secret, key-value engine version 2: GET /v1/<mount>/data/<path>, signed in with
 * VAULT_TOKEN at VAULT_ADDR (and VAULT_NAMESPACE where it is set).
 */
export async function readVaultSecret(reference: SecretReference & { kind: 'vault' }, sources: SecretSources): Promise<string> {
  const address = readEnvironment('VAULT_ADDR', sources).replace(/\/$/, '');
  const token = readEnvironment('VAULT_TOKEN', sources);
  const namespace = sources.env.VAULT_NAMESPACE;
  const answer = await requestJson(
    {
      service: 'Vault',
      url: `${address}/v1/${reference.mount}/data/${reference.path}`,
      method: 'GET',
      headers: {
        'X-Vault-Token': token,
        'X-Vault-Request': 'true',
        ...(namespace === undefined || namespace === '' ? {} : { 'X-Vault-Namespace': namespace }),
      },
    },
    sources,
    (message) => new SecretProblem(`vault:${reference.mount}/${reference.path}: ${message}`),
  );
  const value = textAt(answer, 'data', 'data', reference.field);
  if (value === undefined)
    throw new SecretProblem(`expected a text field ${reference.field} in the secret ${reference.mount}/${reference.path}`);
  return value;
}
