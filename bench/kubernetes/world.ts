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
import { launch, type Program } from '../parts/programs.ts';

/** A cluster, and what stands in front of it: each a process of its own, with TLS on both sides, as in use. */
export interface BenchWorld {
  /** By way: `direct`, `gateway` (sees everything), `masked` (two classes are looked for in what is shown), `nginx`. */
  kubectl(version: KubectlVersion, way: BenchWay): Kubectl;
  /** GET; the answer goes nowhere. curl's exit status, 0 for success alone. */
  curl(way: BenchWay, path: string): Promise<number | null>;
  /** What stands between client and cluster on this way; undefined where nothing does. */
  between(way: BenchWay): Program | undefined;
}

export type BenchWay = 'direct' | 'gateway' | 'masked' | 'nginx';

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
  put('cluster.token', clusterToken);
  const [clusterPort, gatewayPort, nginxPort] = [await freePort(), await freePort(), await freePort()];
  const cluster = await launch({
    name: 'cluster',
    command: process.execPath,
    parameters: [fileURLToPath(new URL('cluster.ts', import.meta.url)), folder, String(clusterPort), String(megabytes)],
    port: clusterPort,
  });
  onClose(() => cluster.stop());
  const issuer = await startDevelopmentIssuer({ audience, pipelines, people: [], folder: join(folder, 'issuer') });
  onClose(() => issuer.close());
  mkdirSync(join(folder, 'policies'));
  put('policies/bench.cedar', policy);
  put('sallyport.yaml', stringify(configuration(issuer.issuer, clusterPort, gatewayPort, await freePort())));
  const command = fileURLToPath(new URL('../../bin/sallyport.js', import.meta.url));
  const profile =
    profileFolder === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${profileFolder}`, '--cpu-prof-name=kubernetes.cpuprofile'];
  const gateway = await launch({
    name: 'gateway',
    command: process.execPath,
    parameters: [...profile, command, 'serve', '-c', join(folder, 'sallyport.yaml')],
    port: gatewayPort,
  });
  onClose(() => gateway.stop());
  const nginx = await launch({
    name: 'nginx',
    command: 'nginx',
    parameters: ['-c', put('nginx.conf', nginxConfiguration(folder, clusterPort, nginxPort)), '-e', join(folder, 'nginx.log')],
    port: nginxPort,
  });
  onClose(() => nginx.stop());
  const ways: Readonly<Record<BenchWay, readonly [string, string]>> = {
    direct: [`https://localhost:${clusterPort}`, clusterToken],
    gateway: [`https://localhost:${gatewayPort}/k8s/aks`, await issuer.mint('trusted')],
    masked: [`https://localhost:${gatewayPort}/k8s/aks`, await issuer.mint('pipeline')],
    nginx: [`https://localhost:${nginxPort}`, clusterToken],
  };
  return {
    kubectl(version, way) {
      const [server, token] = ways[way];
      const path = join(folder, `kubeconfig-${way}`);
      writeKubeconfig(path, { server, token, authorityFile });
      return new Kubectl(version, path, folder);
    },
    between: (way) => (way === 'direct' ? undefined : way === 'nginx' ? nginx : gateway),
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

function nginxConfiguration(folder: string, clusterPort: number, port: number): string {
  return `daemon off;
worker_processes 1;
pid ${folder}/nginx.pid;
error_log ${folder}/nginx.log;
events {}
http {
  access_log off;
  client_body_temp_path ${folder}; proxy_temp_path ${folder}; fastcgi_temp_path ${folder}; uwsgi_temp_path ${folder}; scgi_temp_path ${folder};
  server {
    listen 127.0.0.1:${port} ssl http2;
    ssl_certificate ${folder}/server.crt;
    ssl_certificate_key ${folder}/server.key;
    location / {
      proxy_pass https://localhost:${clusterPort};
      proxy_ssl_trusted_certificate ${folder}/ca.crt;
      proxy_ssl_verify on;
      proxy_http_version 1.1;
      proxy_max_temp_file_size 0;
    }
  }
}
`;
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
