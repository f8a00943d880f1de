import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { stringify } from 'yaml';
import { ApiClient } from '../../src/cli/client.ts';
import { createDemoAuthority } from '../../src/cli/demo/certificates.ts';
import { freePort } from '../../src/cli/demo/free-port.ts';
import { startGateway, type Gateway } from '../../src/cli/gateway.ts';
import { startDevelopmentIssuer, type DevelopmentIssuer } from '../../src/identity/development/issuer.ts';
import { sshHostKey } from '../../src/identity/ssh-host-key.ts';
import { newSshKeyPair } from '../../src/identity/ssh-key-format.ts';
import { auditRecords } from '../parts/audit-records.ts';
import { Site } from '../parts/older-bank.ts';
import { startSshd, type Account, type Sshd, type SshdOptions } from '../parts/sshd.ts';
import { openDoor, type Door } from './door.ts';

/** OpenSSH's server with a gateway in front. Everything is real; everything is stopped and removed by `close`. */
export interface SshWorld {
  readonly folder: string;
  readonly configFile: string;
  readonly authorityFile: string;
  readonly sshd: Sshd;
  readonly gateway: Gateway;
  readonly issuer: DevelopmentIssuer;
  readonly apiUrl: string;
  /** Where the gateway takes SSH clients, and the line by which they know it. */
  readonly port: number;
  readonly hostKey: string;
  /** At the machine itself, as the gateway signs on there. */
  readonly direct: Door;
  /** Through the gateway, with a fresh key of this client or person (default: the pipeline). */
  behind(options?: { readonly as?: string; readonly user?: string; readonly config?: readonly string[] }): Promise<Door>;
  /** An OIDC token. */
  token(as: string): Promise<string>;
  /** A gateway token for the target, which fits a password. */
  gatewayToken(as: string): Promise<string>;
  api(as: string): Promise<ApiClient>;
  records(types?: readonly string[]): Promise<readonly Readonly<Record<string, unknown>>[]>;
  /** Answers the next request for approval, which it waits for. */
  answer(as: string, verb: 'approve' | 'deny', reason: string): Promise<Readonly<Record<string, unknown>>>;
  close(): Promise<void>;
}

export type WorldConfig = Record<string, Record<string, unknown>>;

export interface SshWorldOptions {
  readonly policies?: string;
  readonly adjust?: (config: WorldConfig, sshd: Sshd) => void;
  /** As whom the gateway signs on to the machine. */
  readonly account?: Account | undefined;
  readonly sshd?: SshdOptions;
}

export async function startSshWorld(options: SshWorldOptions = {}): Promise<SshWorld> {
  const site = new Site('ssh');
  try {
    return await start(site, options);
  } catch (error) {
    await site.close();
    throw error;
  }
}

async function start(site: Site, options: SshWorldOptions): Promise<SshWorld> {
  const { folder } = site;
  const sshd = await startSshd({ ...options.sshd, ...(options.account === undefined ? {} : { account: options.account }) });
  site.closers.push(() => sshd.stop());
  const authority = await createDemoAuthority();
  const authorityFile = join(folder, 'ca.crt');
  writeFileSync(authorityFile, authority.certificate);
  // Of one world at a time: authorities of several have the same name.
  setDefaultCACertificates([...getCACertificates('bundled'), authority.certificate]);
  process.env['SALLYPORT_CA'] = authorityFile;
  const issuer = await startDevelopmentIssuer({ audience, pipelines, people, folder: join(folder, 'issuer') });
  site.closers.push(() => issuer.close());
  const tls = await authority.issue(['localhost', '127.0.0.1']);
  writeFileSync(join(folder, 'gateway.crt'), tls.certificate);
  writeFileSync(join(folder, 'gateway.key'), tls.key, { mode: 0o600 });
  writeFileSync(join(folder, 'target.key'), sshd.privateKey, { mode: 0o600 });
  mkdirSync(join(folder, 'policies'));
  writeFileSync(join(folder, 'policies', 'all.cedar'), options.policies ?? openPolicy);
  const [port, apiPort] = [await freePort(), await freePort()];
  const config = worldConfig(issuer, sshd, port, apiPort);
  options.adjust?.(config, sshd);
  const configFile = join(folder, 'sallyport.yaml');
  writeFileSync(configFile, stringify(config, { aliasDuplicateObjects: false }));
  const gateway = await startGateway(configFile, { logLevel: process.env['SALLYPORT_TEST_LOG'] ?? 'silent' });
  site.closers.push(() => gateway.close());
  const apiUrl = `https://localhost:${apiPort}`;
  const hostKey = sshHostKey(join(folder, 'data')).publicKey;
  const api = async (as: string): Promise<ApiClient> => new ApiClient(apiUrl, await issuer.mint(as));
  const exchange = async (as: string, asked: Readonly<Record<string, string>>): Promise<string> => {
    const response = await new ApiClient(apiUrl).postForm('/oauth/token', {
      grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
      subject_token: await issuer.mint(as),
      subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
      audience: 'box',
      ...asked,
    });
    const body = (await response.json()) as { access_token?: string };
    if (body.access_token === undefined) throw new Error(`nothing was issued: ${JSON.stringify(body)}`);
    return body.access_token;
  };
  return {
    folder,
    configFile,
    authorityFile,
    sshd,
    gateway,
    issuer,
    apiUrl,
    port,
    hostKey,
    direct: openDoor({
      name: 'direct',
      folder,
      host: sshd.host,
      port: sshd.port,
      user: sshd.user,
      privateKey: sshd.privateKey,
      hostKey: sshd.hostKey,
    }),
    async behind({ as = 'pipeline', user = 'box', config: lines = [] } = {}) {
      const pair = newSshKeyPair('conformance');
      await exchange(as, { requested_token_type: 'urn:sallyport:token-type:ssh-key', ssh_public_key: pair.publicKey });
      return openDoor({ name: 'behind', folder, host: '127.0.0.1', port, user, privateKey: pair.privateKey, hostKey, config: lines });
    },
    token: (as) => issuer.mint(as),
    gatewayToken: (as) => exchange(as, {}),
    api,
    records: async (types = []) => auditRecords(await api('auditor-uma'), types),
    async answer(as, verb, reason) {
      const client = await api(as);
      for (;;) {
        const { approvals } = await client.get<{ approvals: Readonly<Record<string, unknown>>[] }>('/api/v1/approvals', {
          state: 'pending',
        });
        const [first] = approvals;
        if (first !== undefined) {
          await client.post(`/api/v1/approvals/${String(first['id'])}/${verb}`, { reason });
          return first;
        }
        await pause(50);
      }
    },
    close: () => site.close(),
  };
}

function worldConfig(issuer: DevelopmentIssuer, sshd: Sshd, port: number, apiPort: number): WorldConfig {
  return {
    gateway: { name: 'gw-ssh', host: '127.0.0.1', tls: { certificate: 'file:gateway.crt', key: 'file:gateway.key' }, data: 'data' },
    listeners: { ssh: `127.0.0.1:${port}`, api: `127.0.0.1:${apiPort}` },
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
      box: {
        protocol: 'ssh',
        upstream: { host: sshd.host, port: sshd.port, user: sshd.user, host_key: sshd.fingerprint, key: 'file:target.key' },
        labels: { env: 'production' },
        environment: ['LANG', 'LC_*', 'SALLYPORT_*'],
        home: sshd.home,
      },
    },
    roles: { reviewer: ['dba'], auditor: ['audit'], operator: ['platform'], admin: ['platform'] },
  };
}

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
