import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { stringify } from 'yaml';
import { createDemoAuthority } from '../../src/cli/demo/certificates.ts';
import { freePort } from '../../src/cli/demo/free-port.ts';
import { startDevelopmentIssuer } from '../../src/identity/development/issuer.ts';
import { customers } from '../parts/customers.ts';
import { launch, type Launch, type Program } from '../parts/programs.ts';
import { haproxy, nginx } from '../parts/proxies.ts';
import { progress } from '../parts/report.ts';

/** One way to the same API. */
export interface Way {
  readonly name: WayName;
  /** Without a slash at the end. */
  readonly url: string;
  readonly headers: readonly string[];
  /** The program in between; none on the direct way. */
  readonly program: Program | undefined;
}

export const wayNames = [
  'direct',
  'nginx',
  'haproxy',
  'bare node:tls',
  'bare node:http',
  'node:http with records',
  'sallyport process',
  'sallyport disk',
  'sallyport open',
] as const;
export type WayName = (typeof wayNames)[number];
/** Who signs in at the gateway: `job` sees no data class, `analyst` all. */
export type Who = 'job' | 'analyst';

export interface HttpWorld {
  readonly folder: string;
  way(name: WayName, who?: Who): Way;
}

export interface HttpWorldOptions {
  readonly profileFolder: string | undefined;
  readonly gatewayFolder: string | undefined;
  /** The core that a proxy gets for itself; the API and the client share the other. Undefined: wherever the system puts them. */
  readonly proxyCore: number | undefined;
  readonly onClose: (closer: () => Promise<void>) => void;
}

/**
 * nginx as an API of two answers, and in front of it nginx, HAProxy, the least that a proxy on Node can be (`floor.ts`), and gateways with everything on; one of them (`open`) has no
 * data class, so that nothing is hidden there and nothing looked for. Clients speak TLS with each of them; behind them nothing is
 * encrypted, and connections are kept.
 */
export async function startHttpWorld(options: HttpWorldOptions): Promise<HttpWorld> {
  const { onClose } = options;
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-bench-http-'));
  chmodSync(folder, 0o711);
  onClose(async () => rmSync(folder, { recursive: true, force: true }));
  progress('the API, nginx, HAProxy, gateways');
  const put = (name: string, text: string, mode = 0o644): string => {
    writeFileSync(join(folder, name), text, { mode });
    return join(folder, name);
  };
  const { certificate, key } = await (await createDemoAuthority()).issue(['localhost', '127.0.0.1']);
  const tls = {
    certificate: put('server.crt', certificate),
    key: put('server.key', key, 0o600),
    both: put('server.pem', `${certificate}\n${key}`, 0o600),
  };
  const start = async (launched: Launch, core: number | undefined): Promise<Program> => {
    const pinned =
      core === undefined
        ? launched
        : { ...launched, command: 'taskset', parameters: ['-c', String(core), launched.command, ...launched.parameters] };
    const program = await launch(pinned);
    onClose(() => program.stop());
    return program;
  };

  mkdirSync(join(folder, 'api'), { mode: 0o755 });
  put('api/customers.json', JSON.stringify({ customers: customers() }));
  const [api, nginxPort, haproxyPort] = [await freePort(), await freePort(), await freePort()];
  await start(nginx({ folder, name: 'api', port: api, servers: apiServer(api, folder) }), otherCore(options.proxyCore));
  const proxies = new Map<WayName, { readonly url: string; readonly program: Program }>();
  const add = (name: WayName, port: number, path: string, program: Program): void =>
    void proxies.set(name, { url: `https://127.0.0.1:${port}${path}`, program });
  const nginxLaunch = nginx({ folder, name: 'proxy', port: nginxPort, servers: proxyServer(nginxPort, api, tls) });
  add('nginx', nginxPort, '', await start(nginxLaunch, options.proxyCore));
  const haproxyLaunch = haproxy({ folder, mode: 'http', port: haproxyPort, clients: `ssl crt ${tls.both}`, target: `127.0.0.1:${api}` });
  add('haproxy', haproxyPort, '', await start(haproxyLaunch, options.proxyCore));
  mkdirSync(join(folder, 'records'));
  for (const [kind, way] of [
    ['bytes', 'bare node:tls'],
    ['http', 'bare node:http'],
    ['records', 'node:http with records'],
  ] as const) {
    const port = await freePort();
    const parameters = [floor, kind, String(port), String(api), tls.certificate, tls.key, join(folder, 'records')];
    const launched = { name: `bare proxy (${kind})`, command: process.execPath, parameters, port };
    add(way, port, '', await start(launched, options.proxyCore));
  }

  const issuer = await startDevelopmentIssuer({ audience, pipelines, people: [], lifetimeSeconds: 12 * 3_600 });
  onClose(() => issuer.close());
  for (const kind of ['process', 'disk', 'open'] as const) {
    const port = await freePort();
    mkdirSync(join(folder, kind, 'policies'), { recursive: true });
    put(`${kind}/policies/bench.cedar`, policy);
    const config = put(`${kind}/sallyport.yaml`, stringify(configuration(kind, port, await freePort(), api, issuer.issuer, tls)));
    const profile =
      options.profileFolder === undefined
        ? []
        : ['--cpu-prof', `--cpu-prof-dir=${options.profileFolder}`, `--cpu-prof-name=http-${kind}.cpuprofile`];
    const command = options.gatewayFolder === undefined ? ownCommand : join(options.gatewayFolder, 'bin/sallyport.js');
    const launched = {
      name: `gateway (${kind})`,
      command: process.execPath,
      parameters: [...profile, command, 'serve', '-c', config],
      port,
    };
    add(`sallyport ${kind}`, port, `/http/${target}`, await start(launched, options.proxyCore));
  }
  const tokens = { job: await issuer.mint('job'), analyst: await issuer.mint('analyst') };
  return {
    folder,
    way(name, who = 'job') {
      const proxy = proxies.get(name);
      const headers = name.startsWith('sallyport') ? [`authorization: Bearer ${tokens[who]}`] : [];
      return { name, url: proxy?.url ?? `http://127.0.0.1:${api}`, headers, program: proxy?.program };
    },
  };
}

/** The core that is left for client and API. */
export function otherCore(proxyCore: number | undefined): number | undefined {
  return proxyCore === undefined ? undefined : proxyCore === 0 ? 1 : 0;
}

function apiServer(port: number, folder: string): string {
  return `server {
    listen 127.0.0.1:${port};
    root ${folder}/api;
    location = /small { return 200 '{"id":7,"name":"someone","state":"open"}'; }
  }`;
}

function proxyServer(port: number, api: number, tls: { readonly certificate: string; readonly key: string }): string {
  return `upstream api { server 127.0.0.1:${api}; keepalive 64; keepalive_requests 1000000; }
  server {
    listen 127.0.0.1:${port} ssl;
    ssl_certificate ${tls.certificate};
    ssl_certificate_key ${tls.key};
    location / { proxy_pass http://api; proxy_http_version 1.1; proxy_set_header Connection ""; }
  }`;
}

function configuration(
  kind: 'process' | 'disk' | 'open',
  port: number,
  apiPort: number,
  upstream: number,
  issuer: string,
  tls: { readonly certificate: string; readonly key: string },
) {
  return {
    gateway: { name: 'gw-bench', host: 'localhost', tls: { certificate: `file:${tls.certificate}`, key: `file:${tls.key}` }, data: 'data' },
    listeners: { https: `127.0.0.1:${port}`, api: `127.0.0.1:${apiPort}` },
    issuers: [
      {
        name: 'ci',
        issuer,
        audience,
        private_network: true,
        unsafe_http: true,
        groups: [
          { group: 'deployers', when: { repository_id: '7741' } },
          { group: 'analysts', when: { role: 'analyst' } },
        ],
      },
    ],
    targets: {
      [target]: {
        protocol: 'http',
        upstream: { url: `http://127.0.0.1:${upstream}`, tls: 'unsafe_disable' },
        labels: { env: 'production' },
      },
    },
    data_classes:
      kind === 'open'
        ? {}
        : {
            ssn: { paths: [`${target}/**#$.customers.ssn`], detect: 'us-ssn', mask: 'partial-last4' },
            'card-number': { paths: [`${target}/**#$.customers.card.number`], detect: 'card-number', mask: 'partial-last4' },
            phone: { paths: [`${target}/**#$.customers.phone`], mask: 'redact' },
          },
    audit: { durability: kind === 'disk' ? 'disk' : 'process' },
  };
}

const policy = `
@id("pipelines work on the API")
permit (principal in Group::"deployers", action in [Action::"connect", Action::"read", Action::"write"], resource in Label::"env=production");

@id("analysts see everything")
permit (principal in Group::"analysts", action == Action::"reveal", resource);

@id("deletes wait for a DBA")
@review("dba") @approvals("1") @expires("15m")
forbid (principal, action == Action::"http:delete", resource in Label::"env=production");
`;

const target = 'bench';
const audience = 'https://localhost/sallyport-bench';
const pipelines = (['job', 'analyst'] as const).map((clientId) => ({
  clientId,
  clientSecret: 'bench',
  subject: `repo:bank/orders:${clientId}`,
  claims: { repository: 'bank/orders', repository_id: '7741', role: clientId },
}));
const floor = fileURLToPath(new URL('floor.ts', import.meta.url));
const ownCommand = fileURLToPath(new URL('../../bin/sallyport.js', import.meta.url));
