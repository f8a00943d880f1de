import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { parse, stringify } from 'yaml';
import { ApiClient } from '../../src/cli/client.ts';
import type { DemoConfig } from '../../src/cli/demo/world.ts';
import { freePort } from '../../src/cli/demo/free-port.ts';
import { eventually, run, type Bank, type Ran } from '../harness.ts';

/** A gateway of its own, in a process of its own, in front of the bank's database. */
export interface Site {
  readonly configFile: string;
  readonly data: string;
  readonly postgresPort: number;
  readonly apiUrl: string;
  client(as: string): Promise<pg.ClientConfig>;
  api(as: string): Promise<ApiClient>;
}

/** Writes the configuration of another gateway beside the bank's own: other ports, another data folder, `adjust`ed. */
export async function newSite(bank: Bank, name: string, adjust: (config: DemoConfig) => void = () => {}): Promise<Site> {
  process.env['SALLYPORT_CA'] = bank.authorityFile;
  const [postgresPort, apiPort] = [await freePort(), await freePort()];
  const config = parse(readFileSync(bank.configFile, 'utf8')) as DemoConfig;
  config['gateway'] = { ...config['gateway'], name, data: `data-${name}` };
  config['listeners'] = { postgres: `127.0.0.1:${postgresPort}`, api: `127.0.0.1:${apiPort}` };
  adjust(config);
  const configFile = join(bank.folder, `${name}.yaml`);
  writeFileSync(configFile, stringify(config, { aliasDuplicateObjects: false }));
  const apiUrl = `https://localhost:${apiPort}`;
  return {
    configFile,
    data: join(bank.folder, `data-${name}`),
    postgresPort,
    apiUrl,
    client: async (as) => ({ ...(await bank.client(as)), port: postgresPort }),
    api: async (as) => new ApiClient(apiUrl, await bank.issuer.mint(as)),
  };
}

export interface ServingProcess {
  readonly pid: number;
  /** The operators' log so far. */
  log(): string;
  signal(signal: NodeJS.Signals): void;
  /** The exit code, or the signal that ended it. */
  readonly ended: Promise<number | NodeJS.Signals>;
}

/** Runs `sallyport serve` and resolves once it serves. `wrapper`: a program that starts it, such as `prlimit --nofile=64`. */
export async function serve(site: Pick<Site, 'configFile'>, wrapper: readonly string[] = []): Promise<ServingProcess> {
  const [command, ...parameters] = [...wrapper, process.execPath, program, 'serve', '-c', site.configFile];
  // Halves what a start costs, once one gateway has ended by itself: it is written at exit.
  const env = { ...process.env, NODE_COMPILE_CACHE: join(dirname(site.configFile), 'compiled') };
  const child = spawn(command, parameters, { env, stdio: ['ignore', 'ignore', 'pipe'] });
  running.add(child);
  let log = '';
  child.stderr.on('data', (text: Buffer) => (log += text.toString()));
  const ended = once(child, 'exit').then(([code, signal]) => (code ?? signal) as number | NodeJS.Signals);
  let over = false;
  void ended.then(() => {
    over = true;
    running.delete(child);
  });
  await eventually(
    'the gateway',
    () => {
      if (over) throw new Error(`the gateway did not start:\n${log}`);
      return log.includes('"gateway started"') ? true : undefined;
    },
    startMs,
  );
  return { pid: child.pid as number, log: () => log, signal: (signal) => void child.kill(signal), ended };
}

/** For `after`: gateways that a failed test left. */
export function killLeftovers(): void {
  for (const child of running) child.kill('SIGKILL');
}

export interface StoredRecord {
  /** Which of several. */
  readonly log?: string;
  readonly sequence: number;
  readonly record: { readonly type: string } & Readonly<Record<string, unknown>>;
}

/** Every record from `first` on, as an auditor reads them. */
export async function recordsFrom(site: Pick<Site, 'api'>, first = 0, types: readonly string[] = []): Promise<readonly StoredRecord[]> {
  const client = await site.api('auditor-uma');
  const found: StoredRecord[] = [];
  const type = types.length === 0 ? undefined : types.join(',');
  for (let at: number | string | null = first; at !== null;) {
    const page: { records: StoredRecord[]; next: number | string | null } = await client.get('/api/v1/audit/records', {
      type,
      sequence: at,
      limit: 1000,
    });
    found.push(...page.records);
    at = page.next;
  }
  return found;
}

/** A connected client. What ends its connection is kept, and is no uncaught error. */
export async function connected(config: pg.ClientConfig): Promise<pg.Client & { readonly fatal: () => Error | undefined }> {
  const client = new pg.Client(config);
  let fatal: Error | undefined;
  client.on('error', (error) => (fatal ??= error));
  await client.connect();
  return Object.assign(client, { fatal: () => fatal });
}

/** The command line against a gateway, as this person. */
export async function sallyport(
  at: { readonly apiUrl: string; readonly authorityFile: string },
  token: string | undefined,
  ...parameters: readonly string[]
): Promise<Ran> {
  const env = { ...process.env, SALLYPORT_URL: at.apiUrl, SALLYPORT_CA: at.authorityFile };
  return run(process.execPath, [program, ...parameters], token === undefined ? env : { ...env, SALLYPORT_TOKEN: token });
}

/** Three processes have to compile everything, on a machine that does other things. */
const startMs = 60_000;
const running = new Set<ChildProcess>();
const program = join(dirname(fileURLToPath(import.meta.url)), '..', '..', 'bin', 'sallyport.js');
