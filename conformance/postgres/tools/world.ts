import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type pg from 'pg';
import { startBank, type Bank } from '../../harness.ts';
import { asSuperuser, startOlderBank } from '../../parts/older-bank.ts';
import { Site } from '../../parts/site.ts';

/** The bank in a PostgreSQL 18 and in a PostgreSQL 15 behind one gateway that allows everything, for the tools that people use. */
export interface ToolWorld {
  readonly bank: Bank;
  readonly servers: readonly ToolServer[];
  /** A folder for what tools write. */
  readonly scratch: string;
  close(): Promise<void>;
}

/** One server, seen by a tool from three places. `database` is the server's own name of a database. */
export interface ToolServer {
  readonly name: string;
  readonly version: 15 | 18;
  /** Around the gateway. */
  direct(database: string): Promise<Place>;
  /** Through the gateway, where everything is allowed and shown. */
  gateway(database: string): Promise<Place>;
  /** Through the gateway, where everything is allowed and the demo's data classes are masked. */
  masked(database: string): Promise<Place>;
  /** The server itself, as its superuser. */
  query(sql: string, database?: string): Promise<pg.QueryResult>;
}

export interface Place {
  readonly env: NodeJS.ProcessEnv;
  /** What `dbname` has to be. */
  readonly dbname: string;
}

export async function startToolWorld(): Promise<ToolWorld> {
  const site = new Site('tools');
  const close = (): Promise<void> => site.close();
  try {
    const old = await startOlderBank(site);
    await prepare(old.admin);

    const bank = await startBank({
      policies: { 'tools.cedar': allowEverything },
      adjust: (config) => {
        // Tools are what is looked at here: a disk that stalls under other tests' load must not refuse them.
        config.audit = { durability: 'process' };
        const { orders } = config.targets as Record<string, { upstream: object; labels: object }>;
        const open = { ...orders!, labels: { ...orders!.labels, masking: 'open' } };
        const all = { orders, orders15: old.target(orders!), open, open15: old.target(open) };
        // Copies of their own: the configuration's YAML allows no aliases.
        config.targets = Object.fromEntries(Object.entries(all).map(([name, target]) => [name, structuredClone(target)]));
        const classes = config.data_classes as Record<string, { columns: string[]; paths?: string[] }>;
        for (const one of Object.values(classes)) {
          one.columns = both(one.columns);
          if (one.paths !== undefined) one.paths = both(one.paths);
        }
      },
    });
    site.closers.push(() => bank.close());
    const newAdmin = { host: '127.0.0.1', port: bank.postgres.port, user: bank.postgres.superuser, password: bank.postgres.password };
    await prepare(newAdmin);

    const newPassword = readFileSync(join(bank.folder, 'orders.password'), 'utf8');
    const server = (version: 15 | 18, admin: pg.ClientConfig, password: string, ca: string): ToolServer => {
      const suffix = version === 15 ? '15' : '';
      const through = async (target: string, database: string): Promise<Place> => {
        const dbname = database === 'orders' ? `${target}${suffix}` : `${target}${suffix}/${database}`;
        return { dbname, env: await bank.env('pipeline', { PGDATABASE: dbname, PGUSER: 'gateway' }) };
      };
      return {
        name: `PostgreSQL ${version}`,
        version,
        direct: async (database) => ({
          dbname: database,
          env: await bank.env('pipeline', {
            PGPORT: String(admin.port),
            PGUSER: 'gateway',
            PGPASSWORD: password,
            PGSSLROOTCERT: ca,
            PGDATABASE: database,
          }),
        }),
        gateway: (database) => through('open', database),
        masked: (database) => through('orders', database),
        query: (sql, database = 'orders') => asSuperuser({ ...admin, database }, sql),
      };
    };
    return {
      bank,
      servers: [server(18, newAdmin, newPassword, bank.authorityFile), server(15, old.admin, old.password, old.authorityFile)],
      scratch: site.folder,
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

function both(names: readonly string[]): string[] {
  return names.flatMap((name) => [name, name.replace(/^orders\//, 'orders15/')]);
}

/** The gateway's role may make databases and roles; and there is a schema in which the things are that dumps and `\d` show. */
async function prepare(admin: pg.ClientConfig): Promise<void> {
  await asSuperuser({ ...admin, database: 'orders' }, 'alter role gateway createdb createrole; grant pg_read_all_settings to gateway');
  await asSuperuser({ ...admin, database: 'orders' }, 'create extension if not exists pg_trgm');
  await asSuperuser({ ...admin, database: 'orders' }, things);
}

/** One of each kind of thing, owned by the gateway's role. */
const things = `
set role gateway;
create schema things;
set search_path to things;
create type mood as enum ('sad', 'ok', 'glad');
create type pair as (a integer, b text);
create domain percent as numeric check (value between 0 and 100);
create sequence numbers start 10 increment 5;
create table plain (id integer generated always as identity primary key, name varchar(20) not null default 'none', mood mood, share percent,
  made timestamptz not null default '2026-01-01', raw bytea, doc jsonb, tags text[], total numeric generated always as (share * 2) stored);
comment on table plain is 'A table of everything; with "quotes", ''apostrophes'' and ünïcode ✓';
comment on column plain.name is 'Its name';
create unique index plain_name on plain (lower(name)) where name <> 'none';
create index plain_doc on plain using gin (doc);
insert into plain (name, mood, share, raw, doc, tags) select 'row ' || i, (array['sad','ok','glad']::mood[])[1 + i % 3], i % 100,
  decode(lpad(to_hex(i), 8, '0'), 'hex'), jsonb_build_object('i', i, 'text', 'a "quoted" \\ thing'), array['a', null, 'b,c'] from generate_series(1, 200) i;
create table parts (id integer not null, day date not null, note text) partition by range (day);
create table parts_2025 partition of parts for values from ('2025-01-01') to ('2026-01-01');
create table parts_2026 partition of parts for values from ('2026-01-01') to ('2027-01-01');
insert into parts select i, date '2025-06-01' + i, 'note ' || i from generate_series(1, 400) i;
create table child (plain_id integer references plain on delete cascade, constraint positive check (plain_id > 0));
insert into child select i from generate_series(1, 50) i;
create view glad as select id, name from plain where mood = 'glad' with check option;
create view glad_names with (security_barrier) as select name from glad;
create materialized view moods as select mood, count(*) as n from plain group by mood;
create function twice(x integer) returns integer language sql immutable as 'select x * 2';
create function stamp() returns trigger language plpgsql as $$ begin new.made := '2026-02-02'; return new; end $$;
create procedure touch(integer) language sql as 'update things.plain set made = made where id = $1';
create aggregate product(numeric) (sfunc = numeric_mul, stype = numeric, initcond = 1);
create operator === (leftarg = integer, rightarg = integer, function = int4eq);
create trigger stamp before update on plain for each row when (old.name is distinct from new.name) execute function stamp();
create rule quiet as on delete to child do also notify gone;
create policy mine on child using (true);
create statistics plain_stats on name, mood from plain;
create collation german (provider = libc, locale = 'C');
create text search configuration simple_too (copy = simple);
grant select, update (name) on plain to public;
alter default privileges in schema things grant select on tables to public;
create publication out for table plain;
alter table parts replica identity full;
reset role;
reset search_path;
analyze;
`;

const allowEverything = `
@id("everything is allowed")
permit (principal, action, resource);

@id("everything is shown where the target is open")
permit (principal, action == Action::"reveal", resource)
when { context.target in Label::"masking=open" };
`;
