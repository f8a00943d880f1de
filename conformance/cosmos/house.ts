import { Agent } from 'node:https';
import { CosmosClient, type CosmosClientOptions } from '@azure/cosmos';
import { freePort } from '../../src/cli/demo/free-port.ts';
import { atNewSite, type Site } from '../parts/site.ts';
import { startTestGateway, trustedAuthority, type TestConfig, type TestGateway } from '../parts/test-gateway.ts';
import { startEmulator, type Emulator } from './emulator/index.ts';
import { startVercel } from './vercel.ts';

/** A gateway in front of two emulators, for one test file. Everything is real; everything is stopped and removed by `close`. */
export interface House extends TestGateway {
  readonly emulator: Emulator;
  /** Without a slash at the end. */
  readonly url: string;
  readonly vercelUrl: string;
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
  close(): Promise<void>;
}

export interface HouseOptions {
  readonly policies?: string;
  readonly adjust?: (config: TestConfig) => void;
}

export function startHouse(options: HouseOptions = {}): Promise<House> {
  return atNewSite('cosmos', (site) => start(site, options));
}

async function start(site: Site, options: HouseOptions): Promise<House> {
  const authority = await trustedAuthority(site);
  const emulator = await startEmulator({ tokens: [upstreamToken] });
  site.closers.push(() => emulator.close());
  const vercel = await startVercel();
  site.closers.push(() => vercel.close());
  const httpsPort = await freePort();
  const target = (url: string, credential: Record<string, unknown>): Record<string, unknown> => ({
    protocol: 'cosmos',
    upstream: { url, tls: 'unsafe_disable', ...credential },
    labels: { env: 'production' },
  });
  const test = await startTestGateway(site, {
    name: 'gw-cosmos',
    authority,
    otherHosts: ['bank.localhost'],
    files: { 'account.key': emulator.key, 'entra.token': upstreamToken },
    policies: options.policies ?? policies,
    config: {
      listeners: { https: `127.0.0.1:${httpsPort}` },
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
    },
    adjust: options.adjust,
  });
  const { token } = test;
  const clients: CosmosClient[] = [];
  const agent = new Agent({ ca: authority.certificate, keepAlive: true });
  site.closers.push(async () => {
    for (const client of clients) client.dispose();
    agent.destroy();
  });
  const url = `https://localhost:${httpsPort}`;
  const kept = (client: CosmosClient): CosmosClient => {
    clients.push(client);
    return client;
  };
  return {
    ...test,
    emulator,
    url,
    vercelUrl: vercel.url,
    client: (as, name, more = {}) =>
      kept(
        new CosmosClient({
          endpoint: `${url}/cosmos/${name}`,
          aadCredentials: { getToken: async () => ({ token: await token(as), expiresOnTimestamp: Date.now() + 200_000 }) },
          agent,
          connectionPolicy: { retryOptions: { maxRetryAttemptCount: 0, fixedRetryIntervalInMilliseconds: 0, maxWaitTimeInSeconds: 1 } },
          ...more,
        }),
      ),
    direct: () => kept(new CosmosClient({ endpoint: emulator.url, key: emulator.key })),
    async send(as, method, path, headers = {}, body) {
      const authorization = as === undefined ? {} : { authorization: encodeURIComponent(`type=aad&ver=1.0&sig=${await token(as)}`) };
      return request(agent, `${url}${path}`, method, { 'x-ms-version': '2020-07-15', ...authorization, ...headers }, body);
    },
    close: () => site.close(),
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
const everything =
  'action in [Action::"connect", Action::"read", Action::"write", Action::"define", Action::"execute", Action::"administer", Action::"transfer"]';
const policies = `@id("pipelines do everything")
permit (principal in Group::"deployers", ${everything}, resource);
@id("fraud desk reads and sees")
permit (principal in Group::"fraud", action in [Action::"connect", Action::"read", Action::"reveal"], resource);
`;
