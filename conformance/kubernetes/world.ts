import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { stringify } from 'yaml';
import { ApiClient } from '../../src/cli/client.ts';
import { createDemoAuthority } from '../../src/cli/demo/certificates.ts';
import { freePort } from '../../src/cli/demo/free-port.ts';
import { startGateway, type Gateway } from '../../src/cli/gateway.ts';
import { startDevelopmentIssuer, type DevelopmentIssuer } from '../../src/identity/development/issuer.ts';
import { auditRecords } from '../parts/audit-records.ts';
import type { KubectlVersion } from '../parts/kubectl.ts';
import { Site } from '../parts/older-bank.ts';
import { startApiServer, type ApiServer, type ApiServerOptions, type Rule } from './api-server/index.ts';
import { Kubectl } from './clients.ts';
import { writeKubeconfig } from './kubeconfig.ts';

/** An API server of ours with a gateway in front. */
export interface KubernetesWorld extends GatewayWorld {
  readonly cluster: ApiServer;
}

/** A gateway in front of an API server. Everything is stopped and removed by `close`. */
export interface GatewayWorld {
  readonly folder: string;
  readonly configFile: string;
  readonly authorityFile: string;
  readonly gateway: Gateway;
  readonly issuer: DevelopmentIssuer;
  /** Of the target `aks`, without a slash at the end. */
  readonly server: string;
  /** Of the API server itself, as the gateway signs on there. */
  readonly directServer: string;
  token(as: string): Promise<string>;
  /** kubectl through the gateway, as this client or person. */
  kubectl(version: KubectlVersion, as: string, namespace?: string): Promise<Kubectl>;
  /** kubectl at the API server itself, as the user that the gateway signs on as. */
  direct(version: KubectlVersion, namespace?: string): Kubectl;
  api(as: string): Promise<ApiClient>;
  records(types?: readonly string[]): Promise<readonly Readonly<Record<string, unknown>>[]>;
  close(): Promise<void>;
}

export type WorldConfig = Record<string, Record<string, unknown>>;

export interface GatewayOptions {
  readonly policies?: string;
  readonly adjust?: (config: WorldConfig) => void;
}

export interface WorldOptions extends GatewayOptions {
  readonly generation?: ApiServerOptions['generation'];
  readonly dial?: ApiServerOptions['dial'];
  /** What others than the gateway's own user may do in the cluster: whom it impersonates, say. */
  readonly rules?: readonly Rule[];
}

export async function startKubernetesWorld(options: WorldOptions = {}): Promise<KubernetesWorld> {
  let cluster: ApiServer | undefined;
  const world = await startGatewayWorld(async ({ folder, closers }, tls) => {
    cluster = await startApiServer({
      folder,
      tls,
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
export async function startGatewayWorld(
  startCluster: (place: Pick<Site, 'folder' | 'closers'>, tls: ServerCertificate) => Promise<number>,
  options: GatewayOptions = {},
): Promise<GatewayWorld> {
  const site = new Site('kubernetes');
  try {
    return await start(site, startCluster, options);
  } catch (error) {
    await site.close();
    throw error;
  }
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
  const authority = await createDemoAuthority();
  const authorityFile = join(folder, 'ca.crt');
  writeFileSync(authorityFile, authority.certificate);
  // Of one world at a time: authorities of several have the same name.
  setDefaultCACertificates([...getCACertificates('bundled'), authority.certificate]);
  process.env['SALLYPORT_CA'] = authorityFile;
  mkdirSync(join(folder, 'cluster'));
  const certificate = { ...(await authority.issue(['localhost'])), authority: authority.certificate };
  const clusterPort = await startCluster({ folder: join(folder, 'cluster'), closers }, certificate);
  const issuer = await startDevelopmentIssuer({ audience, pipelines, people, folder: join(folder, 'issuer') });
  site.closers.push(() => issuer.close());
  const tls = await authority.issue(['localhost', '127.0.0.1']);
  writeFileSync(join(folder, 'gateway.crt'), tls.certificate);
  writeFileSync(join(folder, 'gateway.key'), tls.key, { mode: 0o600 });
  writeFileSync(join(folder, 'cluster.token'), clusterToken, { mode: 0o600 });
  mkdirSync(join(folder, 'policies'));
  writeFileSync(join(folder, 'policies', 'all.cedar'), options.policies ?? openPolicy);
  const [httpsPort, apiPort] = [await freePort(), await freePort()];
  const config: WorldConfig = {
    gateway: { name: 'gw-kubernetes', host: 'localhost', tls: { certificate: 'file:gateway.crt', key: 'file:gateway.key' }, data: 'data' },
    listeners: { https: `127.0.0.1:${httpsPort}`, api: `127.0.0.1:${apiPort}` },
    issuers: [
      {
        name: 'ci',
        issuer: issuer.issuer,
        audience,
        private_network: true,
        unsafe_http: true,
        groups_claim: 'groups',
        groups: [{ group: 'deployers', when: { repository_id: '7741' } }],
      },
    ] as unknown as Record<string, unknown>,
    targets: {
      aks: {
        protocol: 'kubernetes',
        upstream: { url: `https://localhost:${clusterPort}`, ca: 'file:ca.crt', credential: { bearer: 'file:cluster.token' } },
        labels: { env: 'production' },
      },
    },
    roles: { reviewer: ['dba'], auditor: ['audit'], operator: ['platform'], admin: ['platform'] },
  };
  options.adjust?.(config);
  const configFile = join(folder, 'sallyport.yaml');
  writeFileSync(configFile, stringify(config, { aliasDuplicateObjects: false }));
  const gateway = await startGateway(configFile, { logLevel: process.env['SALLYPORT_TEST_LOG'] ?? 'silent' });
  site.closers.push(() => gateway.close());
  const [server, directServer] = [`https://localhost:${httpsPort}/k8s/aks`, `https://localhost:${clusterPort}`];
  let kubeconfigs = 0;
  const client = (version: KubectlVersion, address: string, token: string, namespace: string): Kubectl => {
    const path = join(folder, `kubeconfig-${(kubeconfigs += 1)}`);
    writeKubeconfig(path, { server: address, authorityFile, token, namespace });
    return new Kubectl(version, path, folder);
  };
  const api = async (as: string): Promise<ApiClient> => new ApiClient(`https://localhost:${apiPort}`, await issuer.mint(as));
  return {
    folder,
    configFile,
    authorityFile,
    gateway,
    issuer,
    server,
    directServer,
    token: (as) => issuer.mint(as),
    kubectl: async (version, as, namespace = 'default') => client(version, server, await issuer.mint(as), namespace),
    direct: (version, namespace = 'default') => client(version, directServer, clusterToken, namespace),
    api,
    records: async (types = []) => auditRecords(await api('auditor-uma'), types),
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
const audience = 'https://localhost/sallyport';
const pipelines = [
  { clientId: 'pipeline', clientSecret: 'x', subject: 'repo:bank/shop:environment:production', claims: { repository_id: '7741' } },
  { clientId: 'stranger', clientSecret: 'x', subject: 'repo:elsewhere/fork', claims: { repository_id: '99' } },
];
const people = [
  { subject: 'dba-erin', name: 'Erin', groups: ['dba'] },
  { subject: 'auditor-uma', name: 'Uma', groups: ['audit'] },
  { subject: 'platform-pia', name: 'Pia', groups: ['platform'] },
];
/** Whatever the pipeline asks for. */
export const openPolicy = `@id("pipelines may do everything")
permit (principal in Group::"deployers", action, resource);
`;
