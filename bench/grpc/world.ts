import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { stringify } from 'yaml';
import { descriptorSet, loadProto } from '../../conformance/grpc/peers/protos.ts';
import type { Way } from '../../conformance/grpc/peers/cases.ts';
import { createDemoAuthority } from '../../src/cli/demo/certificates.ts';
import type { AuditRecord } from '../../src/core/record.ts';
import { freePort } from '../../src/cli/demo/free-port.ts';
import { startDevelopmentIssuer } from '../../src/identity/development/issuer.ts';
import { launch, type Launch, type Program } from '../parts/programs.ts';
import { haproxy, nginx } from '../parts/proxies.ts';
import { recordBytes } from '../postgres/log.ts';

export const pathNames = [
  'direct',
  'nginx',
  'haproxy',
  'bare node:http2',
  'bare node:http2, records process',
  'bare node:http2, records disk',
  'sallyport process',
  'sallyport disk',
] as const;
export type PathName = (typeof pathNames)[number];

/** One way to the same server, and the program in between; none on the direct way. */
export interface Path {
  readonly name: PathName;
  readonly way: Way;
  readonly program: Program | undefined;
}

/** A grpc-js server, and what stands in front of it: each in a process of its own. All clients encrypt; behind the proxies nobody does. */
export interface World {
  readonly server: Program;
  path(name: PathName): Path;
  /** The target of the gateway whose messages hold something hidden. */
  readonly masked: Way;
}

export interface WorldOptions {
  readonly profileFolder: string | undefined;
  readonly gatewayFolder: string | undefined;
  readonly onClose: (closer: () => Promise<void>) => void;
}

export async function startWorld({ profileFolder, gatewayFolder, onClose }: WorldOptions): Promise<World> {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-bench-grpc-'));
  onClose(async () => rmSync(folder, { recursive: true, force: true }));
  const authority = await createDemoAuthority();
  const { certificate, key } = await authority.issue(['localhost', 'plain.localhost', 'masked.localhost']);
  writeFileSync(join(folder, 'own.crt'), certificate);
  writeFileSync(join(folder, 'own.key'), key, { mode: 0o600 });
  writeFileSync(join(folder, 'own.pem'), `${certificate}\n${key}`, { mode: 0o600 });
  writeFileSync(join(folder, 'bank.binpb'), descriptorSet(loadProto('bank.proto')));
  const start = async (launched: Launch): Promise<Program> => {
    const program = await launch(launched);
    onClose(() => program.stop());
    return program;
  };
  const paths = new Map<PathName, Path>();
  const add = (name: PathName, way: Way, program: Program | undefined): void => void paths.set(name, { name, way, program });
  const ca = authority.certificate;
  const encrypted = (port: number): Way => ({ address: `localhost:${port}`, authority: undefined, ca, token: undefined });
  const own = [join(folder, 'own.crt'), join(folder, 'own.key')];

  const [plain, tls] = [await freePort(), await freePort()];
  const parameters = [scriptOf('server.ts'), String(plain), String(tls), ...own];
  const server = await start({ name: 'grpc-js', command: process.execPath, parameters, port: plain });
  add('direct', encrypted(tls), undefined);

  const [nginxPort, haproxyPort] = [await freePort(), await freePort()];
  add(
    'nginx',
    encrypted(nginxPort),
    await start(nginx({ folder, name: 'nginx', port: nginxPort, servers: nginxServer(own, plain, nginxPort) })),
  );
  const clients = `ssl crt ${join(folder, 'own.pem')} alpn h2`;
  const target = `127.0.0.1:${plain} proto h2`;
  add('haproxy', encrypted(haproxyPort), await start(haproxy({ folder, mode: 'http', port: haproxyPort, clients, target })));

  for (const records of [undefined, 'process', 'disk'] as const) {
    const name = records === undefined ? 'bare node:http2' : (`bare node:http2, records ${records}` as const);
    const port = await freePort();
    const kept = records === undefined ? [] : [join(folder, `records-${records}`), records, ...recordLengths];
    if (records !== undefined) mkdirSync(join(folder, `records-${records}`));
    const relayed = {
      name,
      command: process.execPath,
      parameters: [scriptOf('relay.ts'), String(port), String(plain), ...own, ...kept],
      port,
    };
    add(name, encrypted(port), await start(relayed));
  }

  const issuer = await startDevelopmentIssuer({ audience, pipelines: [pipeline], people: [], folder: join(folder, 'issuer') });
  onClose(() => issuer.close());
  const token = await issuer.mint('bench');
  const command = gatewayFolder === undefined ? ownCommand : join(gatewayFolder, 'bin/sallyport.js');
  for (const durability of ['process', 'disk'] as const) {
    const port = await freePort();
    mkdirSync(join(folder, durability, 'policies'), { recursive: true });
    writeFileSync(join(folder, durability, 'policies', 'bench.cedar'), '@id("bench") permit (principal, action, resource);');
    const config = join(folder, durability, 'sallyport.yaml');
    const written = gatewayConfig(durability, issuer.issuer, { plain, https: port, api: await freePort() });
    writeFileSync(config, stringify(written, { aliasDuplicateObjects: false }));
    const profile =
      profileFolder === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${profileFolder}`, `--cpu-prof-name=grpc-${durability}.cpuprofile`];
    const launched = { name: `gateway (${durability})`, command: process.execPath, port };
    const program = await start({ ...launched, parameters: [...profile, command, 'serve', '-c', config] });
    add(`sallyport ${durability}`, { address: `localhost:${port}`, authority: 'plain.localhost', ca, token }, program);
  }
  const path = (name: PathName): Path => paths.get(name)!;
  return { server, path, masked: { ...path('sallyport process').way, authority: 'masked.localhost' } };
}

/** As many streams on a connection as its client likes. */
function nginxServer([certificate, key]: readonly string[], plain: number, port: number): string {
  return `upstream target { server 127.0.0.1:${plain}; keepalive 64; keepalive_requests 100000000; }
  server {
    listen 127.0.0.1:${port} ssl http2;
    http2_max_concurrent_streams 1000;
    ssl_certificate ${certificate}; ssl_certificate_key ${key};
    location / { grpc_pass grpc://target; }
  }`;
}

function gatewayConfig(
  durability: 'process' | 'disk',
  issuer: string,
  { plain, https, api }: { readonly plain: number; readonly https: number; readonly api: number },
) {
  const target = {
    protocol: 'grpc',
    upstream: { url: `http://127.0.0.1:${plain}`, tls: 'unsafe_disable' },
    schema: { descriptor_sets: ['file:../bank.binpb'] },
  };
  return {
    gateway: { name: 'gw-bench', host: 'localhost', tls: { certificate: 'file:../own.crt', key: 'file:../own.key' }, data: 'data' },
    listeners: { https: `127.0.0.1:${https}`, api: `127.0.0.1:${api}` },
    issuers: [{ name: 'ci', issuer, audience, private_network: true, unsafe_http: true }],
    targets: { plain: target, masked: target },
    data_classes: { ssn: { paths: ['masked/bank.v1.Account#$.ssn'], mask: 'partial-last4' } },
    audit: { durability },
  };
}

function scriptOf(name: string): string {
  return fileURLToPath(new URL(name, import.meta.url));
}

const audience = 'https://localhost/sallyport';
const pipeline = { clientId: 'bench', clientSecret: 'x', subject: 'bench', claims: {} };
const ownCommand = fileURLToPath(new URL('../../bin/sallyport.js', import.meta.url));

/** As the gateway writes them for a call of this benchmark. */
const session = 'ses_mh8o0f3k8d1c9b7a6f5e4d3c2b1a';
const operation = `${session}-100000`;
const records: readonly AuditRecord[] = [
  {
    type: 'operation.decided',
    session,
    operation,
    target: 'plain',
    principal: 'ci|bench',
    decision: 'allow',
    policies: ['bench'],
    acts: [{ action: 'grpc:call', object: 'Method::"plain/bank.v1.Ledger/Get"' }],
    facts: { service: 'bank.v1.Ledger', rpc: 'Get', path: '/bank.v1.Ledger/Get', host: 'plain.localhost' },
    text: '/bank.v1.Ledger/Get\n\n{"number":"7"}',
    text_exact: false,
    digest: `hmac-sha256:${'0'.repeat(64)}`,
    data_classes: [],
    pure_read: false,
  },
  { type: 'operation.completed', session, operation, outcome: 'succeeded', rows: 1, bytes: 53, duration_ms: 0.214, masked: {} },
];
const recordLengths = records.map((record) => String(recordBytes(record)));
