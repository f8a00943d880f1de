import { spawn } from 'node:child_process';
import { chmodSync, closeSync, cpSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { stringify } from 'yaml';
import { launch } from '../../../bench/parts/programs.ts';
import { freePort } from '../../../src/cli/demo/free-port.ts';
import { startDevelopmentIssuer } from '../../../src/identity/development/issuer.ts';
import { startPostgres15, type Postgres15 } from '../../parts/postgres15.ts';
import type { Suite } from './suite.ts';

/** One way to a PostgreSQL of its own, fresh, in which the suite's database is. */
export interface Way {
  readonly name: 'control' | 'gateway';
  /** Runs a test as pg_regress does; what psql printed, with nothing in it that names this run. `past`: around the gateway. */
  run(test: string, past?: boolean): Promise<string>;
}

export interface WayOptions {
  readonly suite: Suite;
  readonly folder: string;
  readonly onClose: (closer: () => Promise<void>) => void;
}

export async function startControl(options: WayOptions): Promise<Way> {
  const { place, direct } = await startServer('control', options);
  return { name: 'control', run: (test) => runTest(options, place, test, direct) };
}

/** The gateway allows everything and knows no data class. Upstream it is the same superuser that the control run signs on as. */
export async function startThroughGateway(options: WayOptions): Promise<Way> {
  const { place, postgres, direct } = await startServer('gateway', options);
  const { onClose } = options;
  const issuer = await startDevelopmentIssuer({ audience, pipelines: [job], people: [], lifetimeSeconds: 12 * 3_600 });
  onClose(() => issuer.close());
  const folder = join(place, 'sallyport');
  mkdirSync(join(folder, 'policies'), { recursive: true });
  writeFileSync(join(folder, 'upstream.password'), postgres.password, { mode: 0o600 });
  writeFileSync(join(folder, 'policies/everything.cedar'), policy);
  const port = await freePort();
  const file = join(folder, 'sallyport.yaml');
  writeFileSync(file, stringify(configuration(issuer.issuer, postgres, port, await freePort())));
  const program = await launch({
    name: 'the gateway',
    command: process.execPath,
    parameters: [ownCommand, 'serve', '-c', file],
    port,
  });
  onClose(() => program.stop());
  const through: Connection = { ...direct, PGPORT: String(port), PGPASSWORD: await issuer.mint(job.clientId) };
  return { name: 'gateway', run: (test, past = false) => runTest(options, place, test, past ? direct : through) };
}

interface Connection {
  readonly PGHOST: string;
  readonly PGPORT: string;
  readonly PGUSER: string;
  readonly PGPASSWORD: string;
}

interface Started {
  /** What the server and psql read and write: names of both ways are equally long, since tables are as wide as what stands in them. */
  readonly place: string;
  readonly postgres: Postgres15;
  readonly direct: Connection;
}

async function startServer(name: Way['name'], { suite, folder, onClose }: WayOptions): Promise<Started> {
  const place = join(folder, name);
  mkdirSync(place, { recursive: true });
  cpSync(suite.folder, join(place, 'regress'), { recursive: true });
  cpSync(suite.libraries, join(place, 'libraries'), { recursive: true });
  // The server writes results too.
  mkdirSync(join(place, 'results'));
  chmodSync(join(place, 'results'), 0o777);
  // As pg_regress configures a server of its own.
  const postgres = await startPostgres15({ folder: join(place, 'server'), settings: { max_prepared_transactions: '2' } });
  onClose(() => postgres.stop());
  const client = new pg.Client({ host, port: postgres.port, user: postgres.user, password: postgres.password, database: 'postgres' });
  await client.connect();
  try {
    for (const statement of databaseStatements) await client.query(statement);
  } finally {
    await client.end();
  }
  return { place, postgres, direct: { PGHOST: host, PGPORT: String(postgres.port), PGUSER: postgres.user, PGPASSWORD: postgres.password } };
}

/** As `psql_start_test` of pg_regress_main.c and `initialize_environment` of pg_regress.c have it. */
async function runTest({ folder }: WayOptions, place: string, test: string, connection: Connection): Promise<string> {
  const input = openSync(join(place, 'regress/sql', `${test}.sql`), 'r');
  const path = join(place, 'results', `${test}.out`);
  const output = openSync(path, 'w');
  const parameters = ['-X', '-a', '-q', '-d', database, '-v', 'HIDE_TABLEAM=on', '-v', 'HIDE_TOAST_COMPRESSION=on'];
  const child = spawn('psql', parameters, {
    stdio: [input, output, output],
    env: {
      PATH: process.env.PATH,
      ...connection,
      PGSSLMODE: 'disable',
      PGGSSENCMODE: 'disable',
      PGAPPNAME: `pg_regress/${test}`,
      PGTZ: 'America/Los_Angeles',
      PGDATESTYLE: 'Postgres, MDY',
      PGOPTIONS: '-c intervalstyle=postgres_verbose',
      LC_MESSAGES: 'C',
      PG_ABS_SRCDIR: join(place, 'regress'),
      PG_ABS_BUILDDIR: place,
      PG_LIBDIR: join(place, 'libraries'),
      PG_DLSUFFIX: '.so',
    },
  });
  await new Promise<void>((resolve, reject) => {
    const patience = setTimeout(() => child.kill('SIGKILL'), patienceMs);
    child.once('error', reject);
    child.once('exit', () => {
      clearTimeout(patience);
      resolve();
    });
  }).finally(() => {
    closeSync(input);
    closeSync(output);
  });
  // Not every byte of it is UTF-8: the suite has tests of encodings.
  const text = readFileSync(path, 'latin1').replaceAll(place, join(folder, 'way'));
  writeFileSync(path, text, 'latin1');
  return text;
}

function configuration(issuer: string, postgres: Postgres15, port: number, apiPort: number) {
  return {
    gateway: { name: 'gw-regress', host: 'localhost', unsafe_plaintext: true, data: 'data' },
    listeners: { postgres: `${host}:${port}`, api: `${host}:${apiPort}` },
    issuers: [
      {
        name: 'ci',
        issuer,
        audience,
        private_network: true,
        unsafe_http: true,
        groups: [{ group: 'deployers', when: { repository_id: '7741' } }],
      },
    ],
    targets: {
      [database]: {
        protocol: 'postgres',
        upstream: { host, port: postgres.port, database, user: postgres.user, password: 'file:upstream.password', tls: 'unsafe_disable' },
      },
    },
    audit: { durability: 'process' },
  };
}

/** As `create_database` of pg_regress.c has it. */
const database = 'regression';
const databaseStatements = [
  `create database ${database} template template0`,
  ...["lc_messages to 'C'", "lc_monetary to 'C'", "lc_numeric to 'C'", "lc_time to 'C'", "bytea_output to 'hex'"].map(
    (setting) => `alter database ${database} set ${setting}`,
  ),
  `alter database ${database} set timezone_abbreviations to 'Default'`,
];

const policy = `
@id("everything is allowed")
permit (principal, action, resource);
`;

const job = {
  clientId: 'suite',
  clientSecret: 'suite',
  subject: 'repo:bank/orders:suite',
  claims: { repository: 'bank/orders', repository_id: '7741', ref: 'refs/heads/main', run_id: '1' },
};
const audience = 'https://localhost/sallyport-regress';
const host = '127.0.0.1';
const ownCommand = fileURLToPath(new URL('../../../bin/sallyport.js', import.meta.url));
const patienceMs = 600_000;
