import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type pg from 'pg';
import { startBank, type Bank } from '../../harness.ts';
import { asSuperuser, startOlderBank } from '../../parts/older-bank.ts';
import { Site } from '../../parts/site.ts';

/** The bank in a PostgreSQL 18 and in a PostgreSQL 15, both behind one gateway, with tables for drivers to work on. */
export interface TwoBanks {
  readonly bank: Bank;
  readonly servers: readonly BankServer[];
  close(): Promise<void>;
}

export interface BankServer {
  readonly name: string;
  /** Environment of a client that goes around the gateway, and of one that goes through it. */
  readonly direct: () => Promise<NodeJS.ProcessEnv>;
  readonly gateway: () => Promise<NodeJS.ProcessEnv>;
  /** The server itself, as its superuser. */
  query(sql: string): Promise<pg.QueryResult>;
}

export async function startTwoBanks(options: { readonly logLevel?: string } = {}): Promise<TwoBanks> {
  const site = new Site('drivers');
  const close = (): Promise<void> => site.close();
  try {
    const old = await startOlderBank(site);
    await asSuperuser({ ...old.admin, database: 'orders' }, tables);

    const bank = await startBank({
      ...options,
      policies: { 'drivers.cedar': driverPolicies },
      adjust: (config) => {
        // Drivers are what is looked at here: a disk that stalls under other tests' load must not refuse them.
        config.audit = { durability: 'process' };
        const { orders } = config.targets as Record<string, { upstream: object; labels: object }>;
        const orders15 = old.target(orders!);
        const all = { orders, orders15, open: opened(orders!), open15: opened(orders15) };
        // Copies of their own: the configuration's YAML allows no aliases.
        config.targets = Object.fromEntries(Object.entries(all).map(([name, target]) => [name, structuredClone(target)]));
        config.data_classes = dataClasses(['orders', 'orders15', 'open', 'open15']);
      },
    });
    site.closers.push(() => bank.close());
    const newAdmin = { host: '127.0.0.1', port: bank.postgres.port, user: bank.postgres.superuser, password: bank.postgres.password };
    await asSuperuser({ ...newAdmin, database: 'orders' }, tables);

    const newPassword = readFileSync(join(bank.folder, 'orders.password'), 'utf8');
    const server = (name: string, admin: pg.ClientConfig, password: string, ca: string, target: string, open: string): BankServer => ({
      name,
      direct: () =>
        bank.env('pipeline', {
          PGPORT: String(admin.port),
          PGUSER: 'gateway',
          PGPASSWORD: password,
          PGSSLROOTCERT: ca,
          OPEN_DATABASE: 'orders',
        }),
      gateway: () => bank.env('pipeline', { PGDATABASE: target, OPEN_DATABASE: open }),
      query: (sql) => asSuperuser({ ...admin, database: 'orders' }, sql),
    });
    return {
      bank,
      servers: [
        server('PostgreSQL 18', newAdmin, newPassword, bank.authorityFile, 'orders', 'open'),
        server('PostgreSQL 15', old.admin, old.password, old.authorityFile, 'orders15', 'open15'),
      ],
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** The same target, where the pipelines' group sees everything: what a binary COPY needs. */
function opened<T extends { labels: object }>(target: T): T {
  return { ...target, labels: { ...target.labels, masking: 'open' } };
}

function dataClasses(targets: readonly string[]): Record<string, unknown> {
  const columns = (names: readonly string[]) => targets.flatMap((target) => names.map((name) => `${target}/public.${name}`));
  return {
    ssn: {
      columns: columns(['customers.ssn']),
      paths: columns(['customers.profile#$.ssn']),
      detect: 'us-ssn',
      mask: 'partial-last4',
    },
    'card-number': { columns: columns(['cards.pan']), detect: 'card-number', mask: 'partial-last4' },
    'account-number': { columns: columns(['accounts.number']), mask: 'pseudonym' },
    shade: { columns: columns(shadedColumns.map((name) => `shaded.${name}`)), mask: 'redact' },
  };
}

/** Columns of `shaded` that are sensitive; the others are not. */
export const shadedColumns = ['i2', 'i4', 'i8', 'num', 'f8', 'b', 't', 'by', 'js', 'jb', 'arr', 'u', 'd', 'ti', 'tz', 'iv', 'ip'];

const typeColumns = `i2 smallint, i4 integer, i8 bigint, num numeric(20, 6), f4 real, f8 double precision, b boolean, t text, vc varchar(20), ch char(5),
  by bytea, js json, jb jsonb, arr integer[], tarr text[], u uuid, d date, ti time, ts timestamp, tz timestamptz, iv interval, ip inet`;

const typeRow = `-32768, 2147483647, -9223372036854775808, 12345678901234.567890, 1.5, 0.1, true, 'grüße ✓', 'varchar', 'ch', '\\x00ff10', '{"a": [1, null]}',
  '{"b": {"c": "d"}}', '{1,NULL,3}', '{"a b","c\\"d",NULL}', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '2026-02-28', '13:14:15.123456',
  '2026-02-28 13:14:15.5', '2026-02-28 13:14:15.5+02', '1 day 02:03:04', '192.168.0.0/24'`;

/** `forbidden` is denied by the gateway's policy, and by the server with the same SQLSTATE where no gateway is before it. */
const tables = `
create table items (id integer primary key, note text);
create table notes (id integer generated always as identity primary key, note text not null);
create table typed (id integer primary key, ${typeColumns});
insert into typed values (1, ${typeRow});
create table shaded (id integer primary key, ${typeColumns});
insert into shaded values (1, ${typeRow});
alter table items owner to gateway;
alter table notes owner to gateway;
alter table typed owner to gateway;
alter table shaded owner to gateway;
create table forbidden (id integer);
create type mood as enum ('sad', 'glad');
analyze items, notes, typed, shaded;
`;

const driverPolicies = `
@id("drivers may do everything")
permit (
  principal in Group::"deployers",
  action in [Action::"connect", Action::"read", Action::"write", Action::"define", Action::"transfer", Action::"execute"],
  resource in Label::"env=production"
);

@id("drivers see everything on open targets")
permit (principal in Group::"deployers", action == Action::"reveal", resource)
when { context.target in Label::"masking=open" };

@id("nobody reads the forbidden table")
forbid (principal, action, resource)
when { resource in [Relation::"orders/public.forbidden", Relation::"orders15/public.forbidden"] };
`;
