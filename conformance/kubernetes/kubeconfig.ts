import { writeFileSync } from 'node:fs';

/** A kubeconfig for one server and one bearer token. */
export function writeKubeconfig(
  path: string,
  options: { readonly server: string; readonly authorityFile: string; readonly token: string; readonly namespace?: string },
): void {
  const { server, authorityFile, token, namespace = 'default' } = options;
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'cluster', cluster: { server, 'certificate-authority': authorityFile } }],
    users: [{ name: 'user', user: { token } }],
    contexts: [{ name: 'context', context: { cluster: 'cluster', user: 'user', namespace } }],
    'current-context': 'context',
  };
  writeFileSync(path, JSON.stringify(config), { mode: 0o600 });
}
