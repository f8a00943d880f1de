import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { startPostgres15, type Postgres15 } from '../../conformance/parts/postgres15.ts';
import { startDevelopmentIssuer } from '../../src/identity/development/issuer.ts';
import type { Program } from '../parts/programs.ts';
import { progress } from '../parts/report.ts';
import { startGateway } from './gateway.ts';
import { startHaproxy, startPgbouncer, startRelay } from './peers.ts';
import { runPgbench } from './pgbench.ts';

/** One way from a client to the same PostgreSQL. */
export interface Path {
  readonly name: PathName;
  readonly port: number;
  readonly database: string;
  readonly user: string;
  readonly password: string;
  /** The program in between; none on the direct way. */
  readonly program: Program | undefined;
}

export const pathNames = [
  'direct',
  'haproxy',
  'pgbouncer',
  'node relay',
  'relay, records process',
  'relay, records disk',
  'sallyport process',
  'sallyport disk',
] as const;
export type PathName = (typeof pathNames)[number];

/** Who signs in at the gateway: `job` sees no data class, `columns-only` those that detectors find, `analyst` all. */
export type Who = 'job' | 'columns-only' | 'analyst';

export interface World {
  readonly folder: string;
  readonly postgres: Postgres15;
  path(name: PathName, who?: Who): Path;
  /** A gateway of its own, to a target that takes thousands of sessions: a pgbouncer that shares its server connections. */
  idlePath(): Promise<Path & { readonly program: Program }>;
  /** A gateway of its own with so many workers. */
  workersPath(workers: number): Promise<Path>;
  /** The database itself, as its superuser. */
  query(sql: string): Promise<pg.QueryResult>;
}

export interface WorldOptions {
  readonly ledgerRows: number;
  readonly profileFolder: string | undefined;
  readonly gatewayFolder: string | undefined;
  readonly onClose: (closer: () => Promise<void>) => void;
}

/** PostgreSQL 15 with pgbench's tables and a ledger, and in front of it HAProxy, pgbouncer, a bare relay and two gateways. No TLS anywhere. */
export async function startWorld(options: WorldOptions): Promise<World> {
  const { onClose } = options;
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-bench-'));
  chmodSync(folder, 0o711);
  onClose(async () => rmSync(folder, { recursive: true, force: true }));
  progress('PostgreSQL 15');
  const postgres = await startPostgres15({ folder: join(folder, 'postgres'), settings, hba });
  onClose(() => postgres.stop());
  const query = (sql: string): Promise<pg.QueryResult> => queryAs(postgres, sql);
  for (const name of [user, gatewayUser]) await query(`create role ${name} superuser login password '${password}'`);
  await query(`create database ${database} owner ${user}`);
  await fill(postgres, options.ledgerRows);

  progress('HAProxy, pgbouncer, gateways');
  const at = { folder, upstreamPort: postgres.port, users: [user, gatewayUser], password, database, onClose };
  const haproxy = await startHaproxy(at);
  const pgbouncer = await startPgbouncer(at, 'session');
  const relay = await startRelay(at);
  const relayInProcess = await startRelay(at, 'process');
  const relayOnDisk = await startRelay(at, 'disk');
  const sharing = await startPgbouncer(at, 'transaction');
  const issuer = await startDevelopmentIssuer({ audience, pipelines, people: [], lifetimeSeconds: 12 * 3_600 });
  onClose(() => issuer.close());
  const gatewayAt = {
    ...at,
    user: gatewayUser,
    idlePort: sharing.port,
    issuer: issuer.issuer,
    audience,
    profileFolder: options.profileFolder,
    gatewayFolder: options.gatewayFolder,
  };
  const inProcess = await startGateway(gatewayAt, 'process');
  const onDisk = await startGateway(gatewayAt, 'disk');
  const tokens = new Map<Who, string>();
  for (const { clientId } of pipelines) tokens.set(clientId, await issuer.mint(clientId));

  const between = {
    direct: undefined,
    haproxy,
    pgbouncer,
    'node relay': relay,
    'relay, records process': relayInProcess,
    'relay, records disk': relayOnDisk,
    'sallyport process': inProcess,
    'sallyport disk': onDisk,
  };
  const path = (name: PathName, who: Who = 'job'): Path => {
    const proxy = between[name];
    const token = proxy === inProcess || proxy === onDisk;
    return {
      name,
      port: proxy?.port ?? postgres.port,
      database,
      user,
      password: token ? (tokens.get(who) ?? '') : password,
      program: proxy?.program,
    };
  };
  const idlePath = async (): Promise<Path & { readonly program: Program }> => {
    const { port, program } = await startGateway(gatewayAt, 'process', 'idle');
    return { ...path('sallyport process'), port, program, database: 'idle' };
  };
  const workersPath = async (workers: number): Promise<Path> => {
    const { port, program } = await startGateway({ ...gatewayAt, workers }, 'process', `${workers} workers`);
    return { ...path('sallyport process'), port, program };
  };
  return { folder, postgres, path, idlePath, workersPath, query };
}

/** pgbench's own tables; and rows of 124 bytes on the wire, twice: one with a column of a data class, one without. */
async function fill(postgres: Postgres15, ledgerRows: number): Promise<void> {
  progress(`pgbench's tables, scale ${scale}`);
  await runPgbench({ port: postgres.port, database, user, password }, ['-i', '-q', '-s', String(scale)]);
  progress(`${ledgerRows.toLocaleString('en-US')} rows of a ledger, twice`);
  const client = new pg.Client({ host: '127.0.0.1', port: postgres.port, user, password, database });
  await client.connect();
  try {
    await client.query(`
      create unlogged table ledger as
        select i as id, i % 8000 as account, 'owner ' || lpad((i % 5000)::text, 8, '0') as owner,
          (array['Grid Power Company', 'City Water Works', 'Corner Market Hall'])[1 + i % 3] as payee,
          'standing order of the month, thank you and goodbye to all' as memo
        from generate_series(1, ${ledgerRows}) i;
      create unlogged table open_ledger as select * from ledger;
      create table four (n integer);
      insert into four select generate_series(1, 4);
      analyze;
    `);
  } finally {
    await client.end();
  }
}

async function queryAs(postgres: Postgres15, sql: string): Promise<pg.QueryResult> {
  const client = new pg.Client({
    host: '127.0.0.1',
    port: postgres.port,
    user: 'postgres',
    password: postgres.password,
    database: 'postgres',
  });
  await client.connect();
  try {
    return await client.query(sql);
  } finally {
    await client.end();
  }
}

const scale = 10;
export const database = 'bench';
const user = 'bench';
const gatewayUser = 'gateway';
const password = 'only-for-measuring';
const audience = 'https://localhost/sallyport-bench';

/** Clients sign on directly without a password; the gateway has to know its own. */
const hba = `host all ${user} 127.0.0.1/32 trust\nhost all all 127.0.0.1/32 scram-sha-256\n`;
const settings = { max_connections: '300', shared_buffers: '512MB', synchronous_commit: 'off' };

const pipelines: readonly { clientId: Who; clientSecret: string; subject: string; claims: Readonly<Record<string, unknown>> }[] = (
  ['job', 'columns-only', 'analyst'] as const
).map((clientId) => ({
  clientId,
  clientSecret: 'bench',
  subject: `repo:bank/orders:${clientId}`,
  claims: {
    repository: 'bank/orders',
    repository_id: '7741',
    ref: 'refs/heads/main',
    environment: 'production',
    run_id: '1',
    role: clientId,
  },
}));
