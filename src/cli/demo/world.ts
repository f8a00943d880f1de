import { randomBytes } from 'node:crypto';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { startDevelopmentIssuer, type DevelopmentIssuer } from '../../identity/development/issuer.ts';
import { startGateway, type Gateway } from '../gateway.ts';
import { createBank, logOf } from './bank.ts';
import { createDemoAuthority } from './certificates.ts';
import { startCrm, type Crm } from './crm.ts';
import { startMachine, type Machine } from './machine/index.ts';
import { startEmbeddedPostgres, type EmbeddedPostgres } from './embedded-postgres.ts';
import { freePort } from './free-port.ts';
import { demoPolicies } from './policies.ts';

/** A whole small bank on this machine: database, HTTP API, OIDC issuer, gateway. */
export interface DemoWorld {
  readonly folder: string;
  readonly configFile: string;
  /** PEM file, for `sslrootcert`. */
  readonly authorityFile: string;
  readonly postgres: EmbeddedPostgres;
  readonly issuer: DevelopmentIssuer;
  readonly gateway: Gateway;
  readonly postgresPort: number;
  /** Where HTTP clients reach the bank's API by way of the gateway. Undefined: there is none. */
  readonly crmUrl: string | undefined;
  readonly apiUrl: string;
  /** A server that is reached by SSH, as the target `app-1`. Undefined: there is none. */
  readonly machine: Machine | undefined;
  close(): Promise<void>;
}

export interface DemoWorldOptions {
  /** Must not exist yet, or be empty. */
  readonly folder: string;
  readonly postgresPort?: number | undefined;
  readonly apiPort?: number | undefined;
  /** With the bank's HTTP API, and a listener for it at this port. */
  readonly crm?: { readonly httpsPort?: number | undefined };
  /** With a server that is reached by SSH, and a listener for it at this port. */
  readonly machine?: { readonly sshPort?: number | undefined };
  readonly logLevel?: string;
  /** Told of each step as it begins. */
  readonly progress?: (step: string) => void;
  /** Steps before the gateway: what `conformance` changes of the configuration. */
  readonly adjust?: (config: DemoConfig) => void;
  readonly policies?: Readonly<Record<string, string>>;
}

export type DemoConfig = Record<string, Record<string, unknown>>;

export async function startDemoWorld(options: DemoWorldOptions): Promise<DemoWorld> {
  const { folder, progress = () => {} } = options;
  const closers: (() => Promise<void>)[] = [];
  const close = async (): Promise<void> => {
    const failures: unknown[] = [];
    for (let next = closers.pop(); next !== undefined; next = closers.pop()) {
      await next().catch((error: unknown) => failures.push(error));
    }
    if (failures.length > 0) throw failures[0];
  };
  try {
    mkdirSync(folder, { recursive: true });
    // The database's user must pass through it, and sees nothing of it.
    if (process.getuid?.() === 0) chmodSync(folder, 0o711);
    progress('certificates');
    const authority = await createDemoAuthority();
    const authorityFile = join(folder, 'ca.crt');
    writeFileSync(authorityFile, authority.certificate);
    const [gatewayTls, postgresTls] = [await authority.issue(['localhost', '127.0.0.1']), await authority.issue(['localhost'])];

    progress('PostgreSQL 18 with a bank in it');
    const postgres = await startEmbeddedPostgres({ folder: join(folder, 'postgres'), password: newPassword(), tls: postgresTls });
    closers.push(() => postgres.stop());
    const admin = { host: '127.0.0.1', port: postgres.port, user: postgres.superuser, password: postgres.password, database: 'postgres' };
    const upstreamPassword = newPassword();
    await createBank(admin, { user: 'gateway', password: upstreamPassword });

    const crmKey = newPassword();
    let crm: Crm | undefined;
    if (options.crm !== undefined) {
      progress('an HTTP API in front of it');
      const connection = { ...admin, user: 'gateway', password: upstreamPassword, database: 'orders' };
      const started = await startCrm({ connection, tls: postgresTls, key: crmKey });
      crm = started;
      closers.push(() => started.close());
    }

    let machine: Machine | undefined;
    if (options.machine !== undefined) {
      progress('a server with SSH');
      const started = await startMachine(join(folder, 'app-1'), await logOf({ ...admin, database: 'orders' }));
      machine = started;
      closers.push(() => started.close());
    }

    progress('an OIDC issuer');
    const issuer = await startDevelopmentIssuer({ audience, pipelines, people, folder: join(folder, 'issuer') });
    closers.push(() => issuer.close());

    progress('the gateway');
    const postgresPort = options.postgresPort ?? (await freePort());
    const apiPort = options.apiPort ?? (await freePort());
    const httpsPort = options.crm?.httpsPort ?? (await freePort());
    writeFileSync(join(folder, 'gateway.crt'), gatewayTls.certificate);
    writeFileSync(join(folder, 'gateway.key'), gatewayTls.key, { mode: 0o600 });
    writeFileSync(join(folder, 'orders.password'), upstreamPassword, { mode: 0o600 });
    writeFileSync(join(folder, 'crm.key'), crmKey, { mode: 0o600 });
    if (machine !== undefined) writeFileSync(join(folder, 'app-1.key'), machine.privateKey, { mode: 0o600 });
    mkdirSync(join(folder, 'policies'), { recursive: true });
    for (const [name, text] of Object.entries(options.policies ?? demoPolicies)) writeFileSync(join(folder, 'policies', name), text);
    const config = demoConfig({
      issuer: issuer.issuer,
      clientId: issuer.peopleClientId,
      upstreamPort: postgres.port,
      postgresPort,
      apiPort,
      crm: crm === undefined ? undefined : { port: crm.port, httpsPort },
      machine: machine === undefined ? undefined : { ...machine, sshPort: options.machine?.sshPort ?? (await freePort()) },
    });
    options.adjust?.(config);
    const configFile = join(folder, 'sallyport.yaml');
    writeFileSync(configFile, stringify(config));
    const gateway = await startGateway(configFile, { logLevel: options.logLevel ?? 'warn' });
    closers.push(() => gateway.close());
    const crmUrl = crm === undefined ? undefined : `https://localhost:${httpsPort}/http/crm`;
    return {
      folder,
      configFile,
      authorityFile,
      postgres,
      issuer,
      gateway,
      postgresPort,
      crmUrl,
      machine,
      apiUrl: `https://localhost:${apiPort}`,
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

interface Places {
  readonly issuer: string;
  readonly clientId: string;
  readonly upstreamPort: number;
  readonly postgresPort: number;
  readonly apiPort: number;
  readonly crm: { readonly port: number; readonly httpsPort: number } | undefined;
  readonly machine: (Pick<Machine, 'port' | 'user' | 'hostKey'> & { readonly sshPort: number }) | undefined;
}

function demoConfig(at: Places): DemoConfig {
  const issuer = { issuer: at.issuer, audience, private_network: true, unsafe_http: true };
  return {
    gateway: { name: 'gw-demo', host: 'localhost', tls: { certificate: 'file:gateway.crt', key: 'file:gateway.key' }, data: 'data' },
    listeners: {
      postgres: `127.0.0.1:${at.postgresPort}`,
      api: `127.0.0.1:${at.apiPort}`,
      ...(at.crm === undefined ? {} : { https: `127.0.0.1:${at.crm.httpsPort}` }),
      ...(at.machine === undefined ? {} : { ssh: `127.0.0.1:${at.machine.sshPort}` }),
    },
    issuers: [
      {
        name: 'ci',
        ...issuer,
        groups_claim: 'groups',
        groups: [{ group: 'deployers', when: { repository_id: '7741', ref: 'refs/heads/main', environment: 'production' } }],
        sign_in: { client_id: at.clientId },
      },
    ] as unknown as Record<string, unknown>,
    targets: {
      orders: {
        protocol: 'postgres',
        upstream: {
          host: 'localhost',
          port: at.upstreamPort,
          database: 'orders',
          user: 'gateway',
          password: 'file:orders.password',
          tls: 'verify-full',
          ca: 'file:ca.crt',
        },
        labels: { env: 'production', data: 'customer' },
      },
      ...(at.crm === undefined ? {} : { crm: crmTarget(at.crm.port) }),
      ...(at.machine === undefined ? {} : { 'app-1': machineTarget(at.machine) }),
    },
    data_classes: {
      ssn: {
        columns: ['orders/public.customers.ssn'],
        paths: [
          'orders/public.customers.profile#$.ssn',
          ...(at.crm === undefined ? [] : ['crm/customers#$[*].ssn', 'crm/customers/*#$.ssn']),
        ],
        detect: 'us-ssn',
        mask: 'partial-last4',
      },
      'card-number': { columns: ['orders/public.cards.pan'], detect: 'card-number', mask: 'partial-last4' },
      'account-number': { columns: ['orders/public.accounts.number'], mask: 'pseudonym' },
    },
    roles: { admin: ['platform'], reviewer: ['dba'], auditor: ['audit'], operator: ['platform', 'dba'] },
  };
}

function crmTarget(port: number) {
  return {
    protocol: 'http',
    upstream: { url: `https://localhost:${port}`, ca: 'file:ca.crt', credential: { bearer: 'file:crm.key' } },
    labels: { env: 'production', data: 'customer' },
  };
}

function machineTarget({ port, user, hostKey }: Pick<Machine, 'port' | 'user' | 'hostKey'>) {
  return {
    protocol: 'ssh',
    upstream: { host: '127.0.0.1', port, user, host_key: hostKey, key: 'file:app-1.key' },
    labels: { env: 'production', role: 'application' },
    exact_commands: ['systemctl restart app'],
  };
}

/** Others on this machine reach the database's port too. */
function newPassword(): string {
  return randomBytes(24).toString('base64url');
}

const audience = 'https://localhost/sallyport';

const pipelines = [
  {
    clientId: 'pipeline',
    clientSecret: 'demo',
    subject: 'repo:bank/orders:environment:production',
    claims: {
      repository: 'bank/orders',
      repository_id: '7741',
      repository_owner_id: '1203',
      ref: 'refs/heads/main',
      environment: 'production',
      run_id: '481516',
      run_attempt: '1',
      actor: 'dana',
      workflow_ref: 'bank/orders/.github/workflows/deploy.yml@refs/heads/main',
    },
  },
  {
    clientId: 'stranger',
    clientSecret: 'demo',
    subject: 'repo:elsewhere/fork:ref:refs/heads/main',
    claims: { repository: 'elsewhere/fork', repository_id: '99', ref: 'refs/heads/main' },
  },
];

const people = [
  { subject: 'dba-erin', name: 'Erin (database administrator)', groups: ['dba'] },
  { subject: 'dba-frank', name: 'Frank (database administrator)', groups: ['dba'] },
  { subject: 'dba-gina', name: 'Gina (database administrator on deployment duty)', groups: ['dba', 'deployers'] },
  { subject: 'auditor-uma', name: 'Uma (auditor)', groups: ['audit'] },
  { subject: 'fraud-omar', name: 'Omar (fraud desk)', groups: ['fraud'] },
  { subject: 'platform-pia', name: 'Pia (platform engineer)', groups: ['platform'] },
];
