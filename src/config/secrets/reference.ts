/**
 * Where a secret is kept, as `sallyport.yaml` writes it:
 *
 * - `env:NAME`
 * - `file:path`, relative to the configuration file
 * - `azure-keyvault:vault/name` or `azure-keyvault:vault/name/version`; `vault` is a name, or a host name outside the public cloud
 * - `vault:mount/path#field`, a HashiCorp Vault or OpenBao key-value engine, version 2
 * - `aws-secretsmanager:name-or-arn` or `aws-secretsmanager:name-or-arn#field` for one field of a JSON secret
 */
export type SecretReference =
  | { readonly kind: 'env'; readonly name: string }
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'azure-keyvault'; readonly vault: string; readonly name: string; readonly version: string | undefined }
  | { readonly kind: 'vault'; readonly mount: string; readonly path: string; readonly field: string }
  | { readonly kind: 'aws-secretsmanager'; readonly id: string; readonly field: string | undefined };

export const secretReferencePattern = new RegExp(
  [
    /^env:[A-Za-z_][A-Za-z0-9_]*$/,
    /^file:[^\n]+$/,
    /^azure-keyvault:[A-Za-z0-9.-]+\/[A-Za-z0-9-]+(?:\/[0-9a-f]+)?$/,
    /^vault:[A-Za-z0-9_-]+(?:\/[A-Za-z0-9_.-]+)+#[^#\n]+$/,
    /^aws-secretsmanager:[A-Za-z0-9/_+=.@:-]+(?:#[^#\n]+)?$/,
  ]
    .map((pattern) => pattern.source)
    .join('|'),
);

/** Takes apart what matches `secretReferencePattern`; anything else is undefined. */
export function parseReference(reference: string): SecretReference | undefined {
  if (!secretReferencePattern.test(reference)) return undefined;
  const colon = reference.indexOf(':');
  const kind = reference.slice(0, colon);
  const rest = reference.slice(colon + 1);
  const [place = '', field] = rest.split('#');
  const steps = place.split('/');
  switch (kind) {
    case 'env':
      return { kind, name: rest };
    case 'file':
      return { kind, path: rest };
    case 'azure-keyvault':
      return { kind, vault: steps[0]!, name: steps[1]!, version: steps[2] };
    case 'vault':
      return { kind, mount: steps[0]!, path: steps.slice(1).join('/'), field: field! };
    case 'aws-secretsmanager':
      return { kind, id: place, field };
    default:
      return undefined;
  }
}
