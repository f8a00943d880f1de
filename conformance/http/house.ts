import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { stringify } from 'yaml';
import { ApiClient } from '../../src/cli/client.ts';
import { createDemoAuthority, type DemoAuthority } from '../../src/cli/demo/certificates.ts';
import { freePort } from '../../src/cli/demo/free-port.ts';
import { startGateway, type Gateway } from '../../src/cli/gateway.ts';
import { startDevelopmentIssuer, type DevelopmentIssuer } from '../../src/identity/development/issuer.ts';
import { auditRecords } from '../parts/audit-records.ts';
import { run, type Ran } from '../harness.ts';

/** A gateway in front of an HTTP API, for one test file. Everything is real; everything is stopped and removed by `close`. */
export interface House {
  readonly folder: string;
  readonly configFile: string;
  readonly authorityFile: string;
  readonly gateway: Gateway;
  readonly issuer: DevelopmentIssuer;
  /** Of the target `crm` through the gateway, without a slash at the end. */
  readonly crm: string;
  readonly httpsPort: number;
  /** What the API was asked, in order. */
  readonly seen: Seen[];
  token(as: string): Promise<string>;
  /** `curl` with the authority and this principal's token. */
  curl(as: string | undefined, ...parameters: readonly string[]): Promise<Ran>;
  /** Node's own client. */
  fetch(as: string, path: string, init?: RequestInit): Promise<Response>;
  /** A file of 20 MB. */
  largeFile(): string;
  api(as: string): Promise<ApiClient>;
  records(types?: readonly string[]): Promise<readonly Readonly<Record<string, unknown>>[]>;
  close(): Promise<void>;
}

export interface Seen {
  readonly method: string;
  readonly url: string;
  readonly rawHeaders: readonly string[];
}

export type HouseConfig = Record<string, Record<string, unknown>>;

export interface HouseOptions {
  readonly handle: (request: IncomingMessage, response: ServerResponse) => unknown;
  readonly policies?: string;
  /** That everybody here trusts. Absent: one of this house. */
  readonly authority?: DemoAuthority;
  readonly adjust?: (config: HouseConfig) => void;
  /** Beside the configuration, by name. */
  readonly files?: Readonly<Record<string, string>>;
  /** The API does not encrypt. */
  readonly plainUpstream?: boolean;
}

export async function startHouse(options: HouseOptions): Promise<House> {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-http-'));
  const authority = options.authority ?? (await createDemoAuthority());
  const authorityFile = join(folder, 'ca.crt');
  writeFileSync(authorityFile, authority.certificate);
  // Of one house at a time: authorities of several have the same name.
  setDefaultCACertificates([...getCACertificates('bundled'), authority.certificate]);
  process.env['SALLYPORT_CA'] = authorityFile;

  const seen: Seen[] = [];
  const take = (request: IncomingMessage, response: ServerResponse): void => {
    seen.push({ method: request.method ?? '', url: request.url ?? '', rawHeaders: request.rawHeaders });
    void options.handle(request, response);
  };
  const own = await authority.issue(['localhost']);
  const upstream = options.plainUpstream ? createServer(take) : createSecureServer({ cert: own.certificate, key: own.key }, take);
  await new Promise<void>((resolve) => {
    upstream.listen(0, '127.0.0.1', resolve);
  });
  const upstreamPort = (upstream.address() as AddressInfo).port;

  const issuer = await startDevelopmentIssuer({ audience, pipelines, people, folder: join(folder, 'issuer') });
  const tls = await authority.issue(['localhost', '127.0.0.1', 'crm.localhost']);
  writeFileSync(join(folder, 'gateway.crt'), tls.certificate);
  writeFileSync(join(folder, 'gateway.key'), tls.key, { mode: 0o600 });
  writeFileSync(join(folder, 'crm.token'), upstreamToken, { mode: 0o600 });
  for (const [name, text] of Object.entries(options.files ?? {})) writeFileSync(join(folder, name), text);
  mkdirSync(join(folder, 'policies'));
  writeFileSync(join(folder, 'policies', 'all.cedar'), options.policies ?? policies);
  const [httpsPort, apiPort] = [await freePort(), await freePort()];
  const scheme = options.plainUpstream ? 'http' : 'https';
  const config: HouseConfig = {
    gateway: { name: 'gw-http', host: 'localhost', tls: { certificate: 'file:gateway.crt', key: 'file:gateway.key' }, data: 'data' },
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
      crm: {
        protocol: 'http',
        upstream: {
          url: `${scheme}://localhost:${upstreamPort}/v2`,
          ...(options.plainUpstream ? { tls: 'unsafe_disable' } : { ca: 'file:ca.crt' }),
          credential: { bearer: 'file:crm.token' },
        },
        labels: { env: 'production' },
      },
    },
    data_classes: {
      ssn: { paths: ['crm/customers/*#$.ssn', 'crm/customers#$[*].ssn', 'crm/events/**#$.ssn'], detect: 'us-ssn', mask: 'partial-last4' },
      'card-number': { detect: 'card-number', mask: 'partial-last4' },
    },
    roles: { reviewer: ['dba'], auditor: ['audit'], operator: ['platform'], admin: ['platform'] },
  };
  options.adjust?.(config);
  const configFile = join(folder, 'sallyport.yaml');
  writeFileSync(configFile, stringify(config, { aliasDuplicateObjects: false }));
  const closeOthers = async (): Promise<void> => {
    await issuer.close();
    upstream.closeAllConnections();
    await new Promise((resolve) => {
      upstream.close(resolve);
    });
    rmSync(folder, { recursive: true, force: true });
  };
  const gateway = await startGateway(configFile, { logLevel: process.env['SALLYPORT_TEST_LOG'] ?? 'silent' }).catch(
    async (error: unknown) => {
      await closeOthers();
      throw error;
    },
  );
  const crm = `https://localhost:${httpsPort}/http/crm`;
  const api = async (as: string): Promise<ApiClient> => new ApiClient(`https://localhost:${apiPort}`, await issuer.mint(as));
  return {
    folder,
    configFile,
    authorityFile,
    gateway,
    issuer,
    crm,
    httpsPort,
    seen,
    token: (as) => issuer.mint(as),
    async curl(as, ...parameters) {
      const authorization = as === undefined ? [] : ['-H', `Authorization: Bearer ${await issuer.mint(as)}`];
      return run('curl', ['-sS', '--cacert', authorityFile, ...authorization, ...parameters], process.env);
    },
    async fetch(as, path, init = {}) {
      const headers = new Headers(init.headers);
      headers.set('authorization', `Bearer ${await issuer.mint(as)}`);
      return fetch(`${crm}${path}`, { ...init, headers });
    },
    largeFile() {
      const path = join(folder, 'large');
      writeFileSync(path, Buffer.alloc(20 * 1024 * 1024, 0x61));
      return path;
    },
    api,
    records: async (types = []) => auditRecords(await api('auditor-uma'), types),
    async close() {
      await gateway.close();
      await closeOthers();
    },
  };
}

/** Everything of a request's body. */
export async function bodyOf(request: IncomingMessage): Promise<string> {
  let text = '';
  for await (const part of request) text += String(part);
  return text;
}

export function readText(path: string): string {
  return readFileSync(path, 'utf8');
}

export const upstreamToken = 'upstream-bdfghjklmn';
const audience = 'https://localhost/sallyport';
const pipelines = [
  { clientId: 'pipeline', clientSecret: 'x', subject: 'repo:bank/crm:environment:production', claims: { repository_id: '7741' } },
  { clientId: 'stranger', clientSecret: 'x', subject: 'repo:elsewhere/fork', claims: { repository_id: '99' } },
];
const people = [
  { subject: 'dba-erin', name: 'Erin', groups: ['dba'] },
  { subject: 'auditor-uma', name: 'Uma', groups: ['audit'] },
  { subject: 'fraud-omar', name: 'Omar', groups: ['fraud'] },
  { subject: 'platform-pia', name: 'Pia', groups: ['platform'] },
];
const policies = `@id("pipelines work on the crm")
permit (principal in Group::"deployers", action in [Action::"connect", Action::"read", Action::"write"], resource in Target::"crm");
@id("fraud desk reads and sees")
permit (principal in Group::"fraud", action in [Action::"connect", Action::"read", Action::"reveal"], resource);
@id("nobody administers")
forbid (principal, action, resource in Path::"crm/admin");
@id("deletes wait for a DBA")
@review("dba") @approvals("1") @expires("15m")
@message("A DELETE needs a DBA.")
forbid (principal, action == Action::"http:delete", resource);
`;
