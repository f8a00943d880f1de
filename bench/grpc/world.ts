import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { stringify } from 'yaml';
import { descriptorSet, loadProto } from '../../conformance/grpc/peers/protos.ts';
import type { Way } from '../../conformance/grpc/peers/cases.ts';
import { createDemoAuthority } from '../../src/cli/demo/certificates.ts';
import { freePort } from '../../src/cli/demo/embedded-postgres.ts';
import { startDevelopmentIssuer } from '../../src/identity/development/issuer.ts';
import { launch, type Program } from '../parts/programs.ts';

/** A grpc-js server, and what stands in front of it: each in a process of its own. All clients encrypt; behind the proxies nobody does. */
export interface World {
  readonly gateway: Program;
  readonly nginx: Program;
  readonly ways: { readonly direct: Way; readonly nginx: Way; readonly gateway: Way; readonly masked: Way };
}

export async function startWorld(onClose: (closer: () => Promise<void>) => void, profileFolder: string | undefined): Promise<World> {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-bench-grpc-'));
  onClose(async () => rmSync(folder, { recursive: true, force: true }));
  const authority = await createDemoAuthority();
  const { certificate, key } = await authority.issue(['localhost', 'plain.localhost', 'masked.localhost']);
  writeFileSync(join(folder, 'own.crt'), certificate);
  writeFileSync(join(folder, 'own.key'), key, { mode: 0o600 });
  writeFileSync(join(folder, 'bank.binpb'), descriptorSet(loadProto('bank.proto')));
  const ports = { plain: await freePort(), tls: await freePort(), nginx: await freePort(), https: await freePort(), api: await freePort() };

  const script = fileURLToPath(new URL('server.ts', import.meta.url));
  const target = await launch({
    name: 'grpc-js',
    command: process.execPath,
    parameters: [script, String(ports.plain), String(ports.tls), join(folder, 'own.crt'), join(folder, 'own.key')],
    port: ports.plain,
  });
  onClose(() => target.stop());

  writeFileSync(join(folder, 'nginx.conf'), nginxConfig(folder, ports));
  const nginx = await launch({ name: 'nginx', command: 'nginx', parameters: ['-c', join(folder, 'nginx.conf')], port: ports.nginx });
  onClose(() => nginx.stop());

  const issuer = await startDevelopmentIssuer({ audience, pipelines: [pipeline], people: [], folder: join(folder, 'issuer') });
  onClose(() => issuer.close());
  mkdirSync(join(folder, 'policies'));
  writeFileSync(join(folder, 'policies', 'bench.cedar'), '@id("bench") permit (principal, action, resource);');
  writeFileSync(join(folder, 'sallyport.yaml'), stringify(gatewayConfig(issuer.issuer, ports), { aliasDuplicateObjects: false }));
  const profile = profileFolder === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${profileFolder}`, '--cpu-prof-name=grpc.cpuprofile'];
  const command = fileURLToPath(new URL('../../bin/sallyport.js', import.meta.url));
  const gateway = await launch({
    name: 'gateway',
    command: process.execPath,
    parameters: [...profile, command, 'serve', '-c', join(folder, 'sallyport.yaml')],
    port: ports.https,
  });
  onClose(() => gateway.stop());

  const token = await issuer.mint('bench');
  const ca = authority.certificate;
  const through = (name: string): Way => ({ address: `localhost:${ports.https}`, authority: `${name}.localhost`, ca, token });
  return {
    gateway,
    nginx,
    ways: {
      direct: { address: `localhost:${ports.tls}`, authority: undefined, ca, token: undefined },
      nginx: { address: `localhost:${ports.nginx}`, authority: undefined, ca, token: undefined },
      gateway: through('plain'),
      masked: through('masked'),
    },
  };
}

interface Ports {
  readonly plain: number;
  readonly nginx: number;
  readonly https: number;
  readonly api: number;
}

/** One worker, and as many streams on a connection as its client likes. */
function nginxConfig(folder: string, { plain, nginx }: Ports): string {
  return `daemon off; worker_processes 1; pid ${folder}/nginx.pid; error_log /dev/null; user root;
events { worker_connections 1024; }
http {
  access_log off;
  upstream target { server 127.0.0.1:${plain}; keepalive 64; }
  server {
    listen 127.0.0.1:${nginx} ssl http2;
    http2_max_concurrent_streams 1000;
    keepalive_requests 100000000;
    ssl_certificate ${folder}/own.crt; ssl_certificate_key ${folder}/own.key;
    location / { grpc_pass grpc://target; }
  }
}
`;
}

function gatewayConfig(issuer: string, { plain, https, api }: Ports) {
  const target = {
    protocol: 'grpc',
    upstream: { url: `http://127.0.0.1:${plain}`, tls: 'unsafe_disable' },
    schema: { descriptor_sets: ['file:bank.binpb'] },
  };
  return {
    gateway: { name: 'gw-bench', host: 'localhost', tls: { certificate: 'file:own.crt', key: 'file:own.key' }, data: 'data' },
    listeners: { https: `127.0.0.1:${https}`, api: `127.0.0.1:${api}` },
    issuers: [{ name: 'ci', issuer, audience, private_network: true, unsafe_http: true }],
    targets: { plain: target, masked: target },
    data_classes: { ssn: { paths: ['masked/bank.v1.Account#$.ssn'], mask: 'partial-last4' } },
  };
}

const audience = 'https://localhost/sallyport';
const pipeline = { clientId: 'bench', clientSecret: 'x', subject: 'bench', claims: {} };
