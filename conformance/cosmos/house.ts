import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { Agent } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CosmosClient, type CosmosClientOptions } from '@azure/cosmos';
import { stringify } from 'yaml';
import { ApiClient } from '../../src/cli/client.ts';
import { createDemoAuthority } from '../../src/cli/demo/certificates.ts';
import { freePort } from '../../src/cli/demo/free-port.ts';
import { startGateway, type Gateway } from '../../src/cli/gateway.ts';
import { startDevelopmentIssuer } from '../../src/identity/development/issuer.ts';
import { auditRecords } from '../parts/audit-records.ts';
import { startEmulator, type Emulator } from './emulator/index.ts';
import { startVercel } from './vercel.ts';

/** A gateway in front of two emulators, for one test file. Everything is real; everything is stopped and removed by `close`. */
export interface House {
  readonly emulator: Emulator;
  readonly gateway: Gateway;
  /** Without a slash at the end. */
  readonly url: string;
  readonly vercelUrl: string;
  token(as: string): Promise<string>;
  /** The SDK through the gateway: target `bank` (signed with the account key), `entra` (with a token) or `other` (`@vercel/cosmosdb-server`). */
  client(as: string, target: string, options?: Partial<CosmosClientOptions>): CosmosClient;
  /** The SDK at the emulator, around the gateway. */
  direct(): CosmosClient;
  /** A request of one's own making through the gateway. */
  send(
    as: string | undefined,
    method: string,
    path: string,
    headers?: Readonly<Record<string, string>>,
    body?: string,
  ): Promise<{ status: number; headers: Headers; text: string }>;
  api(as: string): Promise<ApiClient>;
  records(types?: readonly string[]): Promise<readonly Readonly<Record<string, unknown>>[]>;
  close(): Promise<void>;
}

export type HouseConfig = Record<string, Record<string, unknown>>;

export interface HouseOptions {
  readonly policies?: string;
  readonly adjust?: (config: HouseConfig) => void;
}

export async function startHouse(options: HouseOptions = {}): Promise<House> {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-cosmos-'));
  const authority = await createDemoAuthority();
  const emulator = await startEmulator({ tokens: [upstreamToken] });
  const vercel = await startVercel();
  const issuer = await startDevelopmentIssuer({ audience, pipelines, people, folder: join(folder, 'issuer') });
  const tls = await authority.issue(['localhost', '127.0.0.1', 'bank.localhost']);
  writeFileSync(join(folder, 'gateway.crt'), tls.certificate);
  writeFileSync(join(folder, 'gateway.key'), tls.key, { mode: 0o600 });
  writeFileSync(join(folder, 'account.key'), emulator.key, { mode: 0o600 });
  writeFileSync(join(folder, 'entra.token'), upstreamToken, { mode: 0o600 });
  mkdirSync(join(folder, 'policies'));
  writeFileSync(join(folder, 'policies', 'all.cedar'), options.policies ?? policies);
  const [httpsPort, apiPort] = [await freePort(), await freePort()];
  const target = (url: string, credential: Record<string, unknown>): Record<string, unknown> => ({
    protocol: 'cosmos',
    upstream: { url, tls: 'unsafe_disable', ...credential },
    labels: { env: 'production' },
  });
  const config: HouseConfig = {
    gateway: { name: 'gw-cosmos', host: 'localhost', tls: { certificate: 'file:gateway.crt', key: 'file:gateway.key' }, data: 'data' },
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
      bank: target(emulator.url, { account_key: 'file:account.key' }),
      entra: target(emulator.url, { credential: { bearer: 'file:entra.token' } }),
      other: target(vercel.url, { account_key: 'file:account.key' }),
    },
    data_classes: {
      ssn: { paths: ['bank/shop/customers#$.ssn'], detect: 'us-ssn', mask: 'partial-last4' },
      'account-number': { paths: ['bank/shop/customers#$.accounts[*].number'], mask: 'pseudonym' },
      salary: { paths: ['bank/shop/customers#$.job.salary'], mask: 'redact' },
    },
    roles: { reviewer: ['dba'], auditor: ['audit'], operator: ['platform'], admin: ['platform'] },
  };
  options.adjust?.(config);
  const configFile = join(folder, 'sallyport.yaml');
  writeFileSync(configFile, stringify(config, { aliasDuplicateObjects: false }));
  const clients: CosmosClient[] = [];
  const agent = new Agent({ ca: authority.certificate, keepAlive: true });
  const closeOthers = async (): Promise<void> => {
    for (const client of clients) client.dispose();
    agent.destroy();
    await Promise.all([issuer.close(), emulator.close(), vercel.close()]);
    rmSync(folder, { recursive: true, force: true });
  };
  const gateway = await startGateway(configFile, { logLevel: process.env['SALLYPORT_TEST_LOG'] ?? 'silent' }).catch(
    async (error: unknown) => {
      await closeOthers();
      throw error;
    },
  );
  process.env['SALLYPORT_CA'] = join(folder, 'ca.crt');
  writeFileSync(join(folder, 'ca.crt'), authority.certificate);
  const url = `https://localhost:${httpsPort}`;
  const kept = (client: CosmosClient): CosmosClient => {
    clients.push(client);
    return client;
  };
  const api = async (as: string): Promise<ApiClient> => new ApiClient(`https://localhost:${apiPort}`, await issuer.mint(as));
  return {
    emulator,
    gateway,
    url,
    vercelUrl: vercel.url,
    token: (as) => issuer.mint(as),
    client: (as, name, more = {}) =>
      kept(
        new CosmosClient({
          endpoint: `${url}/cosmos/${name}`,
          aadCredentials: { getToken: async () => ({ token: await issuer.mint(as), expiresOnTimestamp: Date.now() + 200_000 }) },
          agent,
          connectionPolicy: { retryOptions: { maxRetryAttemptCount: 0, fixedRetryIntervalInMilliseconds: 0, maxWaitTimeInSeconds: 1 } },
          ...more,
        }),
      ),
    direct: () => kept(new CosmosClient({ endpoint: emulator.url, key: emulator.key })),
    async send(as, method, path, headers = {}, body) {
      const authorization = as === undefined ? {} : { authorization: encodeURIComponent(`type=aad&ver=1.0&sig=${await issuer.mint(as)}`) };
      return request(agent, `${url}${path}`, method, { 'x-ms-version': '2020-07-15', ...authorization, ...headers }, body);
    },
    api,
    records: async (types = []) => auditRecords(await api('auditor-uma'), types),
    async close() {
      for (const client of clients) client.dispose();
      await gateway.close();
      await closeOthers();
    },
  };
}

async function request(
  agent: Agent,
  url: string,
  method: string,
  headers: Readonly<Record<string, string>>,
  body: string | undefined,
): Promise<{ status: number; headers: Headers; text: string }> {
  const { request: call } = await import('node:https');
  return new Promise((resolve, reject) => {
    const sent = call(url, { agent, method, headers }, (response) => {
      let text = '';
      response.on('data', (part: Buffer) => (text += part.toString()));
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, headers: new Headers(response.headers as Record<string, string>), text }),
      );
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

const upstreamToken = 'upstream-bdfghjklmn';
const audience = 'https://localhost/sallyport';
const pipelines = [
  { clientId: 'pipeline', clientSecret: 'x', subject: 'repo:bank/shop:environment:production', claims: { repository_id: '7741' } },
  { clientId: 'stranger', clientSecret: 'x', subject: 'repo:elsewhere/fork', claims: { repository_id: '99' } },
];
const people = [
  { subject: 'dba-erin', name: 'Erin', groups: ['dba'] },
  { subject: 'auditor-uma', name: 'Uma', groups: ['audit'] },
  { subject: 'fraud-omar', name: 'Omar', groups: ['fraud'] },
];
const everything =
  'action in [Action::"connect", Action::"read", Action::"write", Action::"define", Action::"execute", Action::"administer", Action::"transfer"]';
const policies = `@id("pipelines do everything")
permit (principal in Group::"deployers", ${everything}, resource);
@id("fraud desk reads and sees")
permit (principal in Group::"fraud", action in [Action::"connect", Action::"read", Action::"reveal"], resource);
`;
