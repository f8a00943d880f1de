import { spawn, spawnSync } from 'node:child_process';
import { chownSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { freePort } from '../../src/cli/demo/free-port.ts';

export interface Postgres15 {
  readonly port: number;
  readonly user: 'postgres';
  readonly password: string;
  stop(): Promise<void>;
}

/** Debian's PostgreSQL 15 in a folder of its own, on loopback, with the settings and `pg_hba.conf` lines that a test asks for. */
export async function startPostgres15(options: {
  readonly folder: string;
  readonly settings?: Readonly<Record<string, string>>;
  /** Default: SCRAM for everyone. */
  readonly hba?: string;
  readonly passwordEncryption?: 'scram-sha-256' | 'md5';
  readonly tls?: { readonly certificate: string; readonly key: string; readonly clientAuthority?: string };
}): Promise<Postgres15> {
  const { folder, tls } = options;
  const owner = process.getuid?.() === 0 ? serverUser() : undefined;
  const password = 'only-the-tests-know';
  const port = await freePort();
  mkdirSync(folder, { recursive: true, mode: 0o755 });
  if (owner !== undefined) chownSync(folder, owner.uid, owner.gid);
  const put = (name: string, text: string): string => {
    const path = join(folder, name);
    writeFileSync(path, text, { mode: 0o600 });
    if (owner !== undefined) chownSync(path, owner.uid, owner.gid);
    return path;
  };
  const data = join(folder, 'data');
  const initdb = spawnSync(
    `${binaries}/initdb`,
    [
      '-D',
      data,
      '-U',
      'postgres',
      '-A',
      options.passwordEncryption ?? 'scram-sha-256',
      '--pwfile',
      put('password', password),
      '-E',
      'UTF8',
      '--locale',
      'C',
      '--no-sync',
    ],
    { ...owner, cwd: folder, encoding: 'utf8' },
  );
  if (initdb.status !== 0) throw new Error(`initdb failed: ${initdb.stderr}`);
  const settings: Record<string, string> = {
    listen_addresses: '127.0.0.1',
    port: String(port),
    unix_socket_directories: '',
    fsync: 'off',
    max_connections: '200',
    password_encryption: options.passwordEncryption ?? 'scram-sha-256',
    hba_file: put('hba.conf', options.hba ?? 'host all all 127.0.0.1/32 scram-sha-256\n'),
    ...options.settings,
  };
  if (tls !== undefined) {
    Object.assign(settings, { ssl: 'on', ssl_cert_file: put('server.crt', tls.certificate), ssl_key_file: put('server.key', tls.key) });
    if (tls.clientAuthority !== undefined) settings.ssl_ca_file = put('client-ca.crt', tls.clientAuthority);
  }
  const flags = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  const server = spawn(`${binaries}/postgres`, ['-D', data, ...flags], { ...owner, cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] });
  let output = '';
  server.stderr.on('data', (text: Buffer) => {
    output = (output + text.toString()).slice(-4_000);
  });
  await answering(port, () => (server.exitCode === null ? undefined : output));
  const stop = async (): Promise<void> => {
    if (server.exitCode !== null || server.signalCode !== null) return;
    const gone = new Promise((resolve) => {
      server.once('exit', resolve);
    });
    server.kill('SIGINT');
    await gone;
  };
  return { port, user: 'postgres', password, stop };
}

/** Any answer will do, a refusal too: how to sign on differs from test to test. */
async function answering(port: number, failed: () => string | undefined): Promise<void> {
  for (let tries = 0; tries < 300; tries += 1) {
    const output = failed();
    if (output !== undefined) throw new Error(`PostgreSQL 15 did not start:\n${output}`);
    const client = new pg.Client({ host: '127.0.0.1', port, user: 'postgres', database: 'postgres', password: 'wrong' });
    client.on('error', () => {});
    try {
      await client.connect();
      return;
    } catch (error) {
      const { code } = error as { code?: string };
      if (code !== undefined && /^(28|3D|0A)/.test(code)) return;
      await delay(50);
    } finally {
      await client.end().catch(() => {});
    }
  }
  throw new Error('PostgreSQL 15 did not answer');
}

function serverUser(): { uid: number; gid: number } {
  const { stdout } = spawnSync('id', ['-u', 'postgres'], { encoding: 'utf8' });
  const uid = Number(stdout.trim());
  return { uid, gid: Number(spawnSync('id', ['-g', 'postgres'], { encoding: 'utf8' }).stdout.trim()) };
}

const binaries = '/usr/lib/postgresql/15/bin';
