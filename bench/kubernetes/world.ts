import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { stringify } from 'yaml';
import { run } from '../../conformance/harness.ts';
import { Kubectl } from '../../conformance/kubernetes/clients.ts';
import { writeKubeconfig } from '../../conformance/kubernetes/kubeconfig.ts';
import type { KubectlVersion } from '../../conformance/parts/kubectl.ts';
import { createDemoAuthority } from '../../src/cli/demo/certificates.ts';
import { freePort } from '../../src/cli/demo/free-port.ts';
import { startDevelopmentIssuer } from '../../src/identity/development/issuer.ts';
import { launch, type Launch, type Program } from '../parts/programs.ts';
import { haproxy, nginx } from '../parts/proxies.ts';

/** A cluster, and what stands in front of it: each a process of its own, with TLS on both sides, as in use. */
export interface BenchWorld {
  /** By way: `direct`, `gateway` (sees everything), `masked` (two classes are looked for in what is shown), `nginx` and `haproxy` (which ask nobody). */
  kubectl(version: KubectlVersion, way: BenchWay): Kubectl;
  /** GET; the answer goes nowhere. curl's exit status, 0 for success alone. */
  curl(way: BenchWay, path: string): Promise<number | null>;
  /** What stands between client and cluster on this way; undefined where nothing does. */
  between(way: BenchWay): Program | undefined;
}

export const benchWays = ['direct', 'gateway', 'masked', 'nginx', 'haproxy'] as const;
export type BenchWay = (typeof benchWays)[number];

export async function startBenchWorld(
  folder: string,
  megabytes: number,
  profileFolder: string | undefined,
  onClose: (close: () => Promise<void>) => void,
): Promise<BenchWorld> {
  const authority = await createDemoAuthority();
  const tls = await authority.issue(['localhost']);
  const put = (name: string, text: string): string => {
    const path = join(folder, name);
    writeFileSync(path, text, { mode: 0o600 });
    return path;
  };
  const authorityFile = put('ca.crt', authority.certificate);
  put('server.crt', tls.certificate);
  put('server.key', tls.key);
  const both = put('server.pem', `${tls.certificate}\n${tls.key}`);
  put('cluster.token', clusterToken);
  const [clusterPort, gatewayPort] = [await freePort(), await freePort()];
  const [nginxPort, haproxyPort] = [await freePort(), await freePort()];
  const start = async (launched: Launch): Promise<Program> => {
    const program = await launch(launched);
    onClose(() => program.stop());
    return program;
  };
  await start({
    name: 'cluster',
    command: process.execPath,
    parameters: [fileURLToPath(new URL('cluster.ts', import.meta.url)), folder, String(clusterPort), String(megabytes)],
    port: clusterPort,
  });
  const issuer = await startDevelopmentIssuer({ audience, pipelines, people: [], folder: join(folder, 'issuer') });
  onClose(() => issuer.close());
  mkdirSync(join(folder, 'policies'));
  put('policies/bench.cedar', policy);
  put('sallyport.yaml', stringify(configuration(issuer.issuer, clusterPort, gatewayPort, await freePort())));
  const command = fileURLToPath(new URL('../../bin/sallyport.js', import.meta.url));
  const profile =
    profileFolder === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${profileFolder}`, '--cpu-prof-name=kubernetes.cpuprofile'];
  const gateway = await start({
    name: 'gateway',
    command: process.execPath,
    parameters: [...profile, command, 'serve', '-c', join(folder, 'sallyport.yaml')],
    port: gatewayPort,
  });
  const proxies = {
    nginx: await start(nginx({ folder, name: 'nginx', port: nginxPort, servers: nginxServers(folder, clusterPort, nginxPort) })),
    haproxy: await start(
      haproxy({
        folder,
        mode: 'http',
        port: haproxyPort,
        clients: `ssl crt ${both} alpn h2,http/1.1`,
        target: `127.0.0.1:${clusterPort} ssl verify required ca-file ${authorityFile} verifyhost localhost`,
      }),
    ),
  };
  const ways: Readonly<Record<BenchWay, readonly [string, string]>> = {
    direct: [`https://localhost:${clusterPort}`, clusterToken],
    gateway: [`https://localhost:${gatewayPort}/k8s/aks`, await issuer.mint('trusted')],
    masked: [`https://localhost:${gatewayPort}/k8s/aks`, await issuer.mint('pipeline')],
    nginx: [`https://localhost:${nginxPort}`, clusterToken],
    haproxy: [`https://localhost:${haproxyPort}`, clusterToken],
  };
  return {
    kubectl(version, way) {
      const [server, token] = ways[way];
      const path = join(folder, `kubeconfig-${way}`);
      writeKubeconfig(path, { server, token, authorityFile });
      return new Kubectl(version, path, folder);
    },
    between: (way) => (way === 'direct' ? undefined : way === 'nginx' || way === 'haproxy' ? proxies[way] : gateway),
    async curl(way, path) {
      const [server, token] = ways[way];
      const header = ['-H', `Authorization: Bearer ${token}`];
      return (
        await run(
          'curl',
          ['-sS', '--fail', '--http1.1', '--cacert', authorityFile, ...header, '-o', '/dev/null', `${server}${path}`],
          process.env,
        )
      ).status;
    },
  };
}

function configuration(issuer: string, clusterPort: number, gatewayPort: number, apiPort: number) {
  return {
    gateway: { name: 'gw-bench', host: 'localhost', tls: { certificate: 'file:server.crt', key: 'file:server.key' }, data: 'data' },
    listeners: { https: `127.0.0.1:${gatewayPort}`, api: `127.0.0.1:${apiPort}` },
    issuers: [
      {
        name: 'ci',
        issuer,
        audience,
        private_network: true,
        unsafe_http: true,
        groups: [
          { group: 'deployers', when: { repository_id: '7741' } },
          { group: 'trusted', when: { role: 'trusted' } },
        ],
      },
    ],
    targets: {
      aks: {
        protocol: 'kubernetes',
        upstream: { url: `https://localhost:${clusterPort}`, ca: 'file:ca.crt', credential: { bearer: 'file:cluster.token' } },
        labels: { env: 'production' },
      },
    },
    data_classes: {
      'card-number': { detect: 'card-number', mask: 'partial-last4' },
      ssn: { detect: 'us-ssn', mask: 'partial-last4' },
    },
  };
}

/** Streams of exec are upgrades, for which nginx wants to be told each time; connections to the API server are kept for everything else. */
function nginxServers(folder: string, clusterPort: number, port: number): string {
  return `map $http_upgrade $connection_upgrade { default upgrade; '' ''; }
  upstream cluster { server 127.0.0.1:${clusterPort}; keepalive 64; }
  server {
    listen 127.0.0.1:${port} ssl http2;
    ssl_certificate ${folder}/server.crt;
    ssl_certificate_key ${folder}/server.key;
    location / {
      proxy_pass https://cluster;
      proxy_ssl_trusted_certificate ${folder}/ca.crt;
      proxy_ssl_name localhost;
      proxy_ssl_verify on;
      proxy_http_version 1.1;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection $connection_upgrade;
      proxy_max_temp_file_size 0;
    }
  }`;
}

const clusterToken = 'cluster-bdfghjklmn';
const audience = 'https://localhost/sallyport';
const pipelines = [
  { clientId: 'pipeline', clientSecret: 'x', subject: 'repo:bank/shop:environment:production', claims: { repository_id: '7741' } },
  { clientId: 'trusted', clientSecret: 'x', subject: 'repo:bank/shop:trusted', claims: { repository_id: '7741', role: 'trusted' } },
];
const policy = `
@id("pipelines may do everything in production")
permit (principal in Group::"deployers", action in [Action::"connect", Action::"read", Action::"write", Action::"execute"], resource in Target::"aks");

@id("the trusted see everything")
permit (principal in Group::"trusted", action == Action::"reveal", resource);

@id("nobody enters the system's pods")
forbid (principal, action in Action::"execute", resource in Namespace::"aks/kube-system");
`;
