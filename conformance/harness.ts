import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { startDemoWorld, type DemoConfig, type DemoWorld } from '../src/cli/demo/world.ts';

/** A bank behind a gateway, for one test file. Everything is real; everything is stopped and removed by `close`. */
export interface Bank extends DemoWorld {
  /** What the clients of this kind need in their environment. `as` is a pipeline's client id or a person's subject. */
  env(as: string, extra?: Readonly<Record<string, string>>): Promise<NodeJS.ProcessEnv>;
  /** Options for node-postgres through the gateway. */
  client(as: string): Promise<pg.ClientConfig>;
  /** The database itself, around the gateway, as its superuser. */
  direct(sql: string): Promise<pg.QueryResult>;
  /** The API as this person. Throws for anything but 2xx. */
  api(as: string, path: string, init?: RequestInit): Promise<unknown>;
}

export interface BankOptions {
  readonly adjust?: (config: DemoConfig) => void;
  readonly policies?: Readonly<Record<string, string>>;
  readonly logLevel?: string;
}

export async function startBank(options: BankOptions = {}): Promise<Bank> {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-test-'));
  chmodSync(folder, 0o711);
  const world = await startDemoWorld({ folder: join(folder, 'world'), logLevel: 'silent', ...options });
  const authority = await import('node:fs').then((fs) => fs.readFileSync(world.authorityFile, 'utf8'));
  const { Agent, request } = await import('node:https');
  const agent = new Agent({ ca: authority });
  return {
    ...world,
    async env(as, extra = {}) {
      return {
        ...process.env,
        PGHOST: 'localhost',
        PGPORT: String(world.postgresPort),
        PGDATABASE: 'orders',
        PGUSER: 'ci',
        PGPASSWORD: await world.issuer.mint(as),
        PGSSLMODE: 'verify-full',
        PGSSLROOTCERT: world.authorityFile,
        PGCONNECT_TIMEOUT: '10',
        LC_ALL: 'C.UTF-8',
        ...extra,
      };
    },
    async client(as) {
      return {
        host: 'localhost',
        port: world.postgresPort,
        database: 'orders',
        user: 'ci',
        password: await world.issuer.mint(as),
        ssl: { ca: authority },
      };
    },
    async direct(sql) {
      const { port, superuser, password } = world.postgres;
      const client = new pg.Client({ host: '127.0.0.1', port, user: superuser, password, database: 'orders' });
      await client.connect();
      try {
        return await client.query(sql);
      } finally {
        await client.end();
      }
    },
    async api(as, path, init = {}) {
      const token = await world.issuer.mint(as);
      const body = typeof init.body === 'string' ? init.body : undefined;
      return new Promise((resolve, reject) => {
        const headers = { authorization: `Bearer ${token}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }) };
        const call = request(`${world.apiUrl}${path}`, { agent, method: init.method ?? 'GET', headers }, (response) => {
          let text = '';
          response.on('data', (part: Buffer) => (text += part.toString()));
          response.on('end', () => {
            const status = response.statusCode ?? 0;
            if (status < 200 || status > 299) reject(new Error(`${init.method ?? 'GET'} ${path}: ${status} ${text}`));
            else resolve(text === '' ? undefined : JSON.parse(text));
          });
        });
        call.on('error', reject);
        call.end(body);
      });
    },
    async close() {
      agent.destroy();
      await world.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

export interface Ran {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A program started with its output collected as it comes. */
export interface Running {
  readonly process: ChildProcessWithoutNullStreams;
  readonly stdout: () => string;
  readonly stderr: () => string;
  readonly done: Promise<Ran>;
}

export function start(command: string, parameters: readonly string[], env: NodeJS.ProcessEnv, input?: string): Running {
  const child = spawn(command, parameters, { env });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (text: Buffer) => (stdout += text.toString()));
  child.stderr.on('data', (text: Buffer) => (stderr += text.toString()));
  child.stdin.on('error', () => {});
  child.stdin.end(input ?? '');
  const done = new Promise<Ran>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (status) => resolve({ status, stdout, stderr }));
  });
  return { process: child, stdout: () => stdout, stderr: () => stderr, done };
}

export function run(command: string, parameters: readonly string[], env: NodeJS.ProcessEnv, input?: string): Promise<Ran> {
  return start(command, parameters, env, input).done;
}

/** Waits until `found` answers something else than undefined. */
export async function eventually<T>(what: string, found: () => T | undefined | Promise<T | undefined>, withinMs = 20_000): Promise<T> {
  const deadline = Date.now() + withinMs;
  for (;;) {
    const value = await found();
    if (value !== undefined) return value;
    if (Date.now() > deadline) throw new Error(`${what}: did not happen within ${withinMs} ms`);
    await new Promise((resolve) => {
      setTimeout(resolve, 50);
    });
  }
}

/**
 * Random letters that no recogniser of sensitive data takes for anything, and in which no word that stands for a credential (`hmac`, `token`, …) can come about:
 * the record of a statement with one of those would be without its constants, rightly, and a test that looks for them would miss them.
 */
export function unremarkable(length: number): string {
  const letters = 'bdfghjklmnpqrstvwxyz';
  return Array.from(randomBytes(length), (byte) => letters[byte % letters.length]).join('');
}
