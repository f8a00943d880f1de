import { spawnSync } from 'node:child_process';
import { chownSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort } from '../../src/cli/demo/free-port.ts';
import { launch, type Program, type User } from '../parts/programs.ts';
import { haproxy } from '../parts/proxies.ts';
import { completed, decided, recordBytes } from './log.ts';

export interface PeerOptions {
  readonly folder: string;
  readonly upstreamPort: number;
  /** Users of the database, all with the same password. */
  readonly users: readonly string[];
  readonly password: string;
  readonly database: string;
  readonly onClose: (closer: () => Promise<void>) => void;
}

export interface Proxy {
  readonly port: number;
  readonly program: Program;
}

/** HAProxy as a TCP relay. */
export async function startHaproxy(options: PeerOptions): Promise<Proxy> {
  const port = await freePort();
  return started(options, haproxy({ folder: options.folder, mode: 'tcp', port, target: `127.0.0.1:${options.upstreamPort}` }));
}

/** pgbouncer; `session` is how it is compared, `transaction` lets many sessions share few server connections. */
export async function startPgbouncer(options: PeerOptions, pooling: 'session' | 'transaction'): Promise<Proxy> {
  const port = await freePort();
  const user = serverUser();
  const folder = join(options.folder, `pgbouncer-${pooling}`);
  mkdirSync(folder, { mode: 0o755 });
  const put = (name: string, text: string): string => {
    const path = join(folder, name);
    writeFileSync(path, text, { mode: 0o600 });
    if (user !== undefined) chownSync(path, user.uid, user.gid);
    return path;
  };
  const users = put('users.txt', options.users.map((name) => `"${name}" "${options.password}"\n`).join(''));
  const file = put(
    'pgbouncer.ini',
    `[databases]
${options.database} = host=127.0.0.1 port=${options.upstreamPort} dbname=${options.database}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = ${pooling === 'session' ? 'trust' : 'scram-sha-256'}
auth_file = ${users}
pool_mode = ${pooling}
max_client_conn = 8000
default_pool_size = 100
min_pool_size = 0
ignore_startup_parameters = extra_float_digits,options
log_connections = 0
log_disconnections = 0
`,
  );
  return started(options, { name: `pgbouncer (${pooling} pooling)`, command: 'pgbouncer', parameters: [file], port, user });
}

/** A relay on `node:net` that looks at nothing: how fast anything on this platform could be. With `records`, it keeps some of nothing. */
export async function startRelay(options: PeerOptions, records?: 'disk' | 'process'): Promise<Proxy> {
  const port = await freePort();
  const parameters = [fileURLToPath(new URL('relay.ts', import.meta.url)), String(port), String(options.upstreamPort)];
  if (records !== undefined) {
    const folder = join(options.folder, `relay-${records}`);
    mkdirSync(folder);
    parameters.push(folder, records, ...[decided(1), completed(1)].map((record) => String(recordBytes(record))));
  }
  const name = records === undefined ? 'relay on node:net' : `relay with bare records (${records})`;
  return started(options, { name, command: process.execPath, parameters, port });
}

async function started(options: PeerOptions, launched: Parameters<typeof launch>[0]): Promise<Proxy> {
  const program = await launch(launched);
  options.onClose(() => program.stop());
  return { port: launched.port, program };
}

/** pgbouncer refuses to run as root. */
function serverUser(): User | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const id = (flag: string): number => Number(spawnSync('id', [flag, 'postgres'], { encoding: 'utf8' }).stdout.trim());
  return { uid: id('-u'), gid: id('-g') };
}
