import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from '../../src/cli/demo/free-port.ts';
import type { KubectlVersion } from '../parts/kubectl.ts';
import { atNewSite, type Site } from '../parts/site.ts';
import { openPolicy, startTestGateway, trustedAuthority, type TestConfig, type TestGateway } from '../parts/test-gateway.ts';
import { startApiServer, type ApiServer, type ApiServerOptions, type Rule } from './api-server/index.ts';
import { Kubectl } from './clients.ts';
import { writeKubeconfig } from './kubeconfig.ts';

/** An API server of ours with a gateway in front. */
export interface KubernetesWorld extends GatewayWorld {
  readonly cluster: ApiServer;
}

/** A gateway in front of an API server. Everything is stopped and removed by `close`. */
export interface GatewayWorld extends TestGateway {
  /** Of the target `aks`, without a slash at the end. */
  readonly server: string;
  /** Of the API server itself, as the gateway signs on there. */
  readonly directServer: string;
  /** kubectl through the gateway, as this client or person. */
  kubectl(version: KubectlVersion, as: string, namespace?: string): Promise<Kubectl>;
  /** kubectl at the API server itself, as the user that the gateway signs on as. */
  direct(version: KubectlVersion, namespace?: string): Kubectl;
  close(): Promise<void>;
}

export interface GatewayOptions {
  readonly policies?: string;
  readonly adjust?: (config: TestConfig) => void;
}

export interface WorldOptions extends GatewayOptions {
  readonly generation?: ApiServerOptions['generation'];
  readonly dial?: ApiServerOptions['dial'];
  /** PEM, of client certificates. */
  readonly clientAuthority?: string;
  /** What others than the gateway's own user may do in the cluster: whom it impersonates, say. */
  readonly rules?: readonly Rule[];
}

export async function startKubernetesWorld(options: WorldOptions = {}): Promise<KubernetesWorld> {
  let cluster: ApiServer | undefined;
  const world = await startGatewayWorld(async ({ folder, closers }, tls) => {
    cluster = await startApiServer({
      folder,
      tls: { ...tls, ...(options.clientAuthority === undefined ? {} : { clientAuthority: options.clientAuthority }) },
      accounts: [{ token: clusterToken, user: { name: 'gateway', groups: ['system:masters'] } }],
      rules: options.rules ?? [],
      generation: options.generation ?? 'current',
      ...(options.dial === undefined ? {} : { dial: options.dial }),
    });
    const started = cluster;
    closers.push(() => started.close());
    return started.port;
  }, options);
  return { ...world, cluster: cluster! };
}

/** `startCluster` starts an API server at `localhost` and says its port. What it has started it puts among the closers of its place. */
export function startGatewayWorld(
  startCluster: (place: Pick<Site, 'folder' | 'closers'>, tls: ServerCertificate) => Promise<number>,
  options: GatewayOptions = {},
): Promise<GatewayWorld> {
  return atNewSite('kubernetes', (site) => start(site, startCluster, options));
}

export interface ServerCertificate {
  readonly certificate: string;
  readonly key: string;
  /** Of who has issued it. */
  readonly authority: string;
}

async function start(
  site: Site,
  startCluster: (place: Pick<Site, 'folder' | 'closers'>, tls: ServerCertificate) => Promise<number>,
  options: GatewayOptions,
): Promise<GatewayWorld> {
  const { folder, closers } = site;
  const authority = await trustedAuthority(site);
  mkdirSync(join(folder, 'cluster'));
  const certificate = { ...(await authority.issue(['localhost'])), authority: authority.certificate };
  const clusterPort = await startCluster({ folder: join(folder, 'cluster'), closers }, certificate);
  const httpsPort = await freePort();
  const aks = {
    protocol: 'kubernetes',
    upstream: { url: `https://localhost:${clusterPort}`, ca: 'file:ca.crt', credential: { bearer: 'file:cluster.token' } },
    labels: { env: 'production' },
  };
  const test = await startTestGateway(site, {
    name: 'gw-kubernetes',
    authority,
    files: { 'cluster.token': clusterToken },
    policies: options.policies ?? openPolicy,
    config: { listeners: { https: `127.0.0.1:${httpsPort}` }, targets: { aks } },
    adjust: options.adjust,
  });
  const { authorityFile } = test;
  const [server, directServer] = [`https://localhost:${httpsPort}/k8s/aks`, `https://localhost:${clusterPort}`];
  let kubeconfigs = 0;
  const client = (version: KubectlVersion, address: string, token: string, namespace: string): Kubectl => {
    const path = join(folder, `kubeconfig-${(kubeconfigs += 1)}`);
    writeKubeconfig(path, { server: address, authorityFile, token, namespace });
    return new Kubectl(version, path, folder);
  };
  return {
    ...test,
    server,
    directServer,
    kubectl: async (version, as, namespace = 'default') => client(version, server, await test.token(as), namespace),
    direct: (version, namespace = 'default') => client(version, directServer, clusterToken, namespace),
    close: () => site.close(),
  };
}

/** A pod whose one container, `main`, does nothing by itself. */
export function plainPod(
  name: string,
  namespace = 'default',
  more: Readonly<Record<string, unknown>> = {},
): Parameters<ApiServer['create']>[0] {
  const container = { name: 'main', image: 'registry.example/web:1', ...more };
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace, labels: { app: 'web' } },
    spec: { containers: [container] },
  };
}

export const clusterToken = 'cluster-bdfghjklmn';
