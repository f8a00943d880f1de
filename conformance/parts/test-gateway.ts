import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { stringify } from 'yaml';
import { ApiClient } from '../../src/cli/client.ts';
import { createDemoAuthority, type DemoAuthority } from '../../src/cli/demo/certificates.ts';
import { freePort } from '../../src/cli/demo/free-port.ts';
import { startGateway, type Gateway } from '../../src/cli/gateway.ts';
import { startDevelopmentIssuer, type DevelopmentIssuer } from '../../src/identity/development/issuer.ts';
import { auditRecords, type FoundRecord } from './audit-records.ts';
import type { Site } from './site.ts';

/** A gateway with what it needs, but for its targets: an issuer of tokens, and an authority that everybody trusts. */
export interface TestGateway {
  readonly folder: string;
  readonly configFile: string;
  readonly authorityFile: string;
  readonly gateway: Gateway;
  readonly issuer: DevelopmentIssuer;
  readonly apiUrl: string;
  /** An OIDC token of this client or person. */
  readonly token: (as: string) => Promise<string>;
  readonly api: (as: string) => Promise<ApiClient>;
  /** Of the audit log, of these types (none: all). */
  readonly records: (types?: readonly string[]) => Promise<readonly FoundRecord[]>;
}

export type TestConfig = Record<string, Record<string, unknown>>;

export interface TestGatewayOptions {
  readonly name: string;
  readonly authority: DemoAuthority;
  /** The gateway's own name and those of its certificate beside `localhost`. */
  readonly host?: string;
  readonly otherHosts?: readonly string[];
  /** Beside the configuration, by name. */
  readonly files?: Readonly<Record<string, string>>;
  readonly policies: string;
  /** Listeners beside the API, targets, and whatever else there is to say. */
  readonly config: TestConfig;
  readonly adjust?: ((config: TestConfig) => void) | undefined;
}

/** An authority whose certificate lies in the site as `ca.crt`. This process trusts it: of several, the newest, since all have the same name. */
export async function trustedAuthority(site: Site, authority?: DemoAuthority): Promise<DemoAuthority> {
  const trusted = authority ?? (await createDemoAuthority());
  writeFileSync(authorityFileOf(site), trusted.certificate);
  setDefaultCACertificates([...getCACertificates('bundled'), trusted.certificate]);
  process.env['SALLYPORT_CA'] = authorityFileOf(site);
  return trusted;
}

/** Stopped when the site is closed. */
export async function startTestGateway(site: Site, options: TestGatewayOptions): Promise<TestGateway> {
  const { folder } = site;
  const issuer = await startDevelopmentIssuer({ audience, pipelines, people, folder: join(folder, 'issuer') });
  site.closers.push(() => issuer.close());
  const { host = 'localhost', otherHosts = [] } = options;
  const tls = await options.authority.issue(['localhost', '127.0.0.1', ...otherHosts]);
  writeFileSync(join(folder, 'gateway.crt'), tls.certificate);
  const files = { 'gateway.key': tls.key, ...options.files };
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text, { mode: 0o600 });
  mkdirSync(join(folder, 'policies'));
  writeFileSync(join(folder, 'policies', 'all.cedar'), options.policies);
  const apiPort = await freePort();
  const config: TestConfig = {
    gateway: { name: options.name, host, tls: { certificate: 'file:gateway.crt', key: 'file:gateway.key' }, data: 'data' },
    issuers: [{ ...trustedIssuer, issuer: issuer.issuer }] as unknown as Record<string, unknown>,
    roles: { reviewer: ['dba'], auditor: ['audit'], operator: ['platform'], admin: ['platform'] },
    ...options.config,
    listeners: { ...options.config['listeners'], api: `127.0.0.1:${apiPort}` },
  };
  options.adjust?.(config);
  const configFile = join(folder, 'sallyport.yaml');
  writeFileSync(configFile, stringify(config, { aliasDuplicateObjects: false }));
  const gateway = await startGateway(configFile, { logLevel: process.env['SALLYPORT_TEST_LOG'] ?? 'silent' });
  site.closers.push(() => gateway.close());
  const authorityFile = authorityFileOf(site);
  const apiUrl = `https://localhost:${apiPort}`;
  const token = (as: string): Promise<string> => issuer.mint(as);
  const api = async (as: string): Promise<ApiClient> => {
    // Several gateways may be open in one test, each with an authority of its own.
    process.env['SALLYPORT_CA'] = authorityFile;
    return new ApiClient(apiUrl, await token(as));
  };
  const records = async (types: readonly string[] = []): Promise<readonly FoundRecord[]> => auditRecords(await api('auditor-uma'), types);
  return { folder, configFile, authorityFile, gateway, issuer, apiUrl, token, api, records };
}

function authorityFileOf(site: Site): string {
  return join(site.folder, 'ca.crt');
}

const audience = 'https://localhost/sallyport';
const trustedIssuer = {
  name: 'ci',
  audience,
  private_network: true,
  unsafe_http: true,
  groups_claim: 'groups',
  groups: [{ group: 'deployers', when: { repository_id: '7741' } }],
};
const pipelines = [
  { clientId: 'pipeline', clientSecret: 'x', subject: 'repo:bank/shop:environment:production', claims: { repository_id: '7741' } },
  { clientId: 'stranger', clientSecret: 'x', subject: 'repo:elsewhere/fork', claims: { repository_id: '99' } },
];
const people = [
  { subject: 'dba-erin', name: 'Erin', groups: ['dba'] },
  { subject: 'auditor-uma', name: 'Uma', groups: ['audit'] },
  { subject: 'fraud-omar', name: 'Omar', groups: ['fraud'] },
  { subject: 'platform-pia', name: 'Pia', groups: ['platform'] },
];
/** Whatever the pipeline asks for. */
export const openPolicy = `@id("pipelines may do everything")
permit (principal in Group::"deployers", action, resource);
`;
