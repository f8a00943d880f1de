import type { IssuedToken } from '../api/schema.ts';
import { kubeconfig, readAuthority, TemporaryKubeconfig, type Cluster } from './kubeconfig.ts';
import { runClient } from './run-client.ts';
import { gatewayUrl } from './settings.ts';
import { targetToken, type TargetTokenOptions } from './target-token.ts';
import { print } from './terminal.ts';

interface ConnectOptions extends TargetTokenOptions {
  readonly ca?: string;
}

/**
 * Runs a client with a kubeconfig of its own, which is removed afterwards, and resolves with its exit code. Without a command: prints a kubeconfig that has
 * no token in it, but asks for one through this program whenever a client needs it.
 */
export async function connectKubernetes(
  issued: IssuedToken,
  target: string,
  words: readonly string[],
  options: ConnectOptions,
): Promise<number> {
  const { host, port, path = '' } = issued.connection!;
  const cluster: Cluster = {
    name: target,
    server: `https://${host.includes(':') ? `[${host}]` : host}:${port}${path}`,
    authority: readAuthority(options.ca ?? process.env['SALLYPORT_CA']),
  };
  if (words.length === 0) {
    print(kubeconfig(cluster, await plugin(target, options)).trimEnd());
    return 0;
  }
  const temporary = new TemporaryKubeconfig(cluster, issued);
  try {
    temporary.keepFresh(
      issued,
      () => targetToken(target, options),
      (line) => void process.stderr.write(`sallyport: ${line}\n`),
    );
    return await runClient(words, { KUBECONFIG: temporary.path });
  } finally {
    temporary.remove();
  }
}

async function plugin(target: string, options: ConnectOptions) {
  const { tokenFile, audience } = options;
  const ca = options.ca ?? process.env['SALLYPORT_CA'];
  return {
    command: 'sallyport',
    args: [
      'token',
      '--kube',
      '--target',
      target,
      ...(tokenFile === undefined ? [] : ['--token-file', tokenFile]),
      ...(audience === undefined ? [] : ['--audience', audience]),
    ],
    env: { SALLYPORT_URL: await gatewayUrl(options.url), ...(ca === undefined || ca === '' ? {} : { SALLYPORT_CA: ca }) },
  };
}
