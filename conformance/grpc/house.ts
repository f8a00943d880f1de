import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { ApiClient } from '../../src/cli/client.ts';
import { createDemoAuthority } from '../../src/cli/demo/certificates.ts';
import { freePort } from '../../src/cli/demo/free-port.ts';
import { startGateway, type Gateway } from '../../src/cli/gateway.ts';
import { startDevelopmentIssuer } from '../../src/identity/development/issuer.ts';
import { auditRecords } from '../parts/audit-records.ts';
import type { Way } from './peers/cases.ts';

/** A gateway in front of gRPC servers, for one test file. Everything is real; `close` stops and removes it. */
export interface House {
  readonly folder: string;
  readonly gateway: Gateway;
  readonly authorityFile: string;
  /** PEM of the authority that signed every certificate here. */
  readonly authority: string;
  readonly httpsPort: number;
  /** Of servers on this machine. */
  readonly certificate: { readonly cert: string; readonly key: string };
  token(as: string): Promise<string>;
  /** To a target through the gateway. */
  way(target: string, as: string): Promise<Way>;
  api(as: string): Promise<ApiClient>;
  records(types?: readonly string[]): Promise<readonly Readonly<Record<string, unknown>>[]>;
  close(): Promise<void>;
}

export interface HouseOptions {
  /** Targets by name, made once there is a certificate for the servers behind them; what is left out is filled in. */
  targets(certificate: House['certificate'], folder: string): Promise<Readonly<Record<string, TargetOptions>>>;
  readonly policies?: string;
  readonly dataClasses?: Readonly<Record<string, unknown>>;
}

export interface TargetOptions {
  readonly port: number;
  readonly plain?: boolean;
  readonly settings?: Readonly<Record<string, unknown>>;
}

export async function startHouse(options: HouseOptions): Promise<House> {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-grpc-'));
  const authority = await createDemoAuthority();
  const authorityFile = join(folder, 'ca.crt');
  writeFileSync(authorityFile, authority.certificate);
  const own = await authority.issue(['localhost', '127.0.0.1']);
  const certificate = { cert: own.certificate, key: own.key };
  const targets = await options.targets(certificate, folder);
  const issuer = await startDevelopmentIssuer({ audience, pipelines, people, folder: join(folder, 'issuer') });
  const tls = await authority.issue(['localhost', '127.0.0.1', ...Object.keys(targets).map((name) => `${name}.localhost`)]);
  writeFileSync(join(folder, 'gateway.crt'), tls.certificate);
  writeFileSync(join(folder, 'gateway.key'), tls.key, { mode: 0o600 });
  writeFileSync(join(folder, 'target.token'), targetToken, { mode: 0o600 });
  mkdirSync(join(folder, 'policies'));
  writeFileSync(join(folder, 'policies', 'all.cedar'), options.policies ?? policies);
  const [httpsPort, apiPort] = [await freePort(), await freePort()];
  const config = {
    gateway: { name: 'gw-grpc', host: 'localhost', tls: { certificate: 'file:gateway.crt', key: 'file:gateway.key' }, data: 'data' },
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
    ],
    targets: Object.fromEntries(Object.entries(targets).map(([name, target]) => [name, targetConfig(target)])),
    data_classes: options.dataClasses ?? {},
    roles: { reviewer: ['dba'], auditor: ['audit'], operator: ['platform'], admin: ['platform'] },
  };
  const configFile = join(folder, 'sallyport.yaml');
  writeFileSync(configFile, stringify(config, { aliasDuplicateObjects: false }));
  const gateway = await startGateway(configFile, { logLevel: process.env['SALLYPORT_TEST_LOG'] ?? 'silent' }).catch(
    async (error: unknown) => {
      await issuer.close();
      rmSync(folder, { recursive: true, force: true });
      throw error;
    },
  );
  const api = async (as: string): Promise<ApiClient> => {
    process.env['SALLYPORT_CA'] = authorityFile;
    return new ApiClient(`https://localhost:${apiPort}`, await issuer.mint(as));
  };
  return {
    folder,
    gateway,
    authorityFile,
    authority: authority.certificate,
    httpsPort,
    certificate,
    token: (as) => issuer.mint(as),
    async way(target, as) {
      const address = `localhost:${httpsPort}`;
      return { address, authority: `${target}.localhost`, ca: authority.certificate, token: await issuer.mint(as) };
    },
    api,
    records: async (types = []) => auditRecords(await api('auditor-uma'), types),
    async close() {
      await gateway.close();
      await issuer.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function targetConfig({ port, plain = false, settings = {} }: TargetOptions): Readonly<Record<string, unknown>> {
  return {
    protocol: 'grpc',
    upstream: {
      url: `${plain ? 'http' : 'https'}://localhost:${port}`,
      ...(plain ? { tls: 'unsafe_disable' } : { ca: 'file:ca.crt' }),
      credential: { bearer: 'file:target.token' },
    },
    labels: { env: 'production' },
    ...settings,
  };
}

export const targetToken = 'target-bdfghjklmn';
const audience = 'https://localhost/sallyport';
const pipelines = [
  { clientId: 'pipeline', clientSecret: 'x', subject: 'repo:bank/ledger:environment:production', claims: { repository_id: '7741' } },
  { clientId: 'stranger', clientSecret: 'x', subject: 'repo:elsewhere/fork', claims: { repository_id: '99' } },
];
const people = [
  { subject: 'dba-erin', name: 'Erin', groups: ['dba'] },
  { subject: 'auditor-uma', name: 'Uma', groups: ['audit'] },
  { subject: 'fraud-omar', name: 'Omar', groups: ['fraud'] },
  { subject: 'platform-pia', name: 'Pia', groups: ['platform'] },
];
const policies = `@id("everything") permit (principal in Group::"deployers", action, resource);`;
