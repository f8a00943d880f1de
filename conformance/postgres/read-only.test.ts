import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import pg from 'pg';
import { run, startBank, type Bank } from '../harness.ts';
import { startPostgres15, type Postgres15 } from '../parts/postgres15.ts';
import { connected } from '../reliability/child.ts';

/**
 * Targets that are for reading only, in front of PostgreSQL 18 and 15. Policy allows everything and the gateway signs on as superuser:
 * nothing but `read_only` stands between the client and the data.
 */
let folder: string;
let old: Postgres15;
let bank: Bank;

before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sallyport-read-only-'));
  chmodSync(folder, 0o711);
  old = await startPostgres15({ folder: join(folder, 'old'), settings: { max_prepared_transactions: '2' } });
  const upstream = { host: '127.0.0.1', tls: 'unsafe_disable' };
  bank = await startBank({
    policies: { 'all.cedar': '@id("all") permit (principal, action, resource);' },
    adjust: (config) => {
      const own = { ...upstream, port: old.port, user: old.user, database: 'postgres', unsafe_password: old.password };
      const { orders } = config['targets'] as unknown as Record<string, { upstream: object }>;
      config['targets'] = {
        orders: { ...orders, read_only: true },
        old: { protocol: 'postgres', upstream: own, read_only: true },
      };
    },
  });
  await bank.direct('alter role gateway superuser');
  for (const sql of setup) for (const server of servers()) await server.direct(sql);
});
after(async () => {
  await bank?.close();
  await old?.stop();
  rmSync(folder, { recursive: true, force: true });
});

for (const index of [0, 1]) {
  describe(`a target for reading only, PostgreSQL ${[18, 15][index]}`, () => {
    const server = (): Server => servers()[index]!;
    const session = async () => connected({ ...(await bank.client('pipeline')), database: server().target });

    it('answers reads, their sessions’ settings and their transactions', async () => {
      const client = await session();
      for (const sql of reads) await client.query(sql);
      assert.deepEqual((await client.query('select sum(n)::int as sum from things')).rows, [{ sum: 6 }]);
      await client.end();
    });

    it('refuses whatever writes, in a transaction too, and nothing has changed', async () => {
      const before_ = await server().state();
      const client = await session();
      for (const sql of writes) await refused(client, sql);
      for (const sql of writes) {
        await client.query('begin');
        await refused(client, sql);
        await client.query('rollback');
      }
      assert.deepEqual((await client.query('select 1 as one')).rows, [{ one: 1 }]);
      await client.end();
      assert.deepEqual(await server().state(), before_);
    });

    it('does the same for prepared statements', async () => {
      const client = await session();
      for (const sql of writes.filter((one) => !one.includes(';'))) {
        const error = await client.query({ text: sql, name: `s${sql.length}`, values: [] }).catch((thrown: unknown) => thrown);
        assert.equal((error as pg.DatabaseError).code, '25006', sql);
      }
      await client.end();
    });

    it('lets nobody out of it', async () => {
      const client = await session();
      for (const sql of waysOut) await refused(client, sql);
      for (const sql of ['reset all', 'discard all', 'set role postgres', 'reset role', 'set session authorization default']) {
        await client.query(sql).catch((error: unknown) => assert.match(String(error), /role "postgres"|does not exist/));
        assert.deepEqual((await client.query('show default_transaction_read_only')).rows, [{ default_transaction_read_only: 'on' }], sql);
        assert.deepEqual((await client.query('show transaction_read_only')).rows, [{ transaction_read_only: 'on' }], sql);
      }
      await client.end();
    });

    it('lets nobody in otherwise', async () => {
      for (const options of [
        '-c default_transaction_read_only=off',
        '-c transaction_read_only=false',
        '--default-transaction-read-only=0',
      ]) {
        const env = await bank.env('pipeline', { PGDATABASE: server().target, PGOPTIONS: options });
        const { status, stderr } = await run('psql', ['-XAtc', 'select 1'], env);
        assert.equal(status, 2, options);
        assert.match(stderr, /this target is for reading only: its sessions stay read-only/);
      }
      const env = await bank.env('pipeline', { PGDATABASE: server().target, PGOPTIONS: '-c default_transaction_read_only=on' });
      assert.equal((await run('psql', ['-XAtc', 'show transaction_read_only'], env)).stdout.trim(), 'on');
    });

    it('is held by the server too, where a view runs what nobody sees', async () => {
      const client = await session();
      const error = await client.query('select * from writing').catch((thrown: unknown) => thrown);
      assert.equal((error as pg.DatabaseError).code, '25006');
      assert.match((error as Error).message, /cannot execute INSERT in a read-only transaction/);
      assert.deepEqual((await client.query('select count(*)::int as n from things')).rows, [{ n: 3 }]);
      await client.end();
    });

    it('ends a session that such a view has let out', async () => {
      const client = await session();
      const error = await client.query('select * from opening').then(
        () => client.query('select 1'),
        (thrown: unknown) => thrown,
      );
      assert.match(String(error), /the target left read-only mode|terminated/);
      await client.end().catch(() => {});
    });
  });
}

async function refused(client: pg.Client, sql: string): Promise<void> {
  const error = await client.query(sql).then(
    () => assert.fail(`was let through: ${sql}`),
    (thrown: unknown) => thrown as pg.DatabaseError,
  );
  assert.equal(error.code, '25006', `${sql}: ${error.message}`);
  assert.match(error.message, /this target is for reading only: .* \(operation /, sql);
}

interface Server {
  readonly target: string;
  direct(sql: string): Promise<pg.QueryResult>;
  /** Everything that one of the writes could leave. */
  state(): Promise<unknown>;
}

function servers(): readonly Server[] {
  const server = (target: string, direct: Server['direct']): Server => ({
    target,
    direct,
    state: async () => (await direct(stateQuery)).rows,
  });
  return [
    server('orders', (sql) => bank.direct(sql)),
    server('old', async (sql) => {
      const client = new pg.Client({ host: '127.0.0.1', port: old.port, user: old.user, password: old.password, database: 'postgres' });
      await client.connect();
      try {
        return await client.query(sql);
      } finally {
        await client.end();
      }
    }),
  ];
}

const setup = [
  'create table things (n integer primary key); insert into things values (1), (2), (3)',
  'create sequence counter',
  `create function add_thing() returns integer language plpgsql as $$ begin insert into things values (100); return 1; end $$`,
  `create function read_thing() returns integer language sql volatile as $$ select 1 $$`,
  `create procedure do_it() language plpgsql as $$ begin insert into things values (101); commit; end $$`,
  'create view writing as select add_thing()',
  `create function let_out() returns text language sql volatile as $$ select set_config('default_transaction_read_only', 'off', false) $$`,
  'create view opening as select let_out()',
  'create materialized view snapshot as select * from things',
];

const reads = [
  'select * from things where n = 1',
  'with one as (select 1 as n) select * from one union all select n from things',
  'select random(), clock_timestamp(), gen_random_uuid()',
  'select * from things tablesample system (50)',
  'table things',
  'explain select * from things',
  'explain insert into things values (4)',
  'explain analyze select * from things',
  'show work_mem',
  "set work_mem = '8MB'",
  "select set_config('search_path', 'public', false)",
  'set session characteristics as transaction read only',
  'begin read only',
  'declare c cursor for select * from things',
  'fetch 2 from c',
  'savepoint s',
  'rollback to s',
  'lock table things in access share mode',
  'close c',
  'commit',
  'start transaction isolation level repeatable read, read only',
  'set transaction read only',
  'set local statement_timeout = 1000',
  'rollback',
  'prepare p as select n from things where n = $1',
  'execute p(1)',
  'deallocate all',
  'listen news',
  // What asyncpg sends when a connection goes back to its pool.
  'select pg_advisory_unlock_all(); close all; unlisten *; reset all',
  'discard all',
];

const writes = [
  'insert into things values (4)',
  'update things set n = 5 where n = 1',
  'delete from things where n = 1',
  'merge into things t using (select 4 as n) s on t.n = s.n when not matched then insert values (s.n)',
  'with gone as (delete from things returning n) select * from gone',
  'with added as (insert into things values (7) returning n) select n from added',
  'select n into taken from things',
  'create table taken as select n from things',
  'create temp table passing (n integer)',
  'create temp view seen as select n from things',
  'explain analyze insert into things values (4)',
  'explain analyze create temp table kept as select 1',
  "select nextval('counter')",
  "select setval('counter', 40)",
  'select lo_create(4711)',
  "select lo_from_bytea(4712, 'x')",
  'select pg_advisory_lock(1)',
  'select pg_try_advisory_lock_shared(1)',
  'select pg_advisory_xact_lock(1)',
  'copy things from stdin',
  "copy (select 1) to program 'cat'",
  "copy things to '/tmp/sallyport-never-written'",
  'truncate things',
  'lock table things in exclusive mode',
  'select * from things for update',
  'select * from things for key share',
  "notify news, 'hello'",
  "select pg_notify('news', 'hello')",
  'vacuum things',
  'analyze things',
  'cluster',
  'reindex table things',
  'checkpoint',
  'refresh materialized view snapshot',
  'create index on things (n)',
  'drop table things',
  'comment on table things is $$x$$',
  'grant select on things to public',
  'alter system set work_mem = 4096',
  "alter role current_user set default_transaction_read_only = 'off'",
  "prepare transaction 'tx'",
  "commit prepared 'tx'",
  'prepare w as insert into things values (9)',
  'declare d cursor with hold for select * from things for update',
  'select add_thing()',
  'select read_thing()',
  'select * from things where n = add_thing()',
  'call do_it()',
  'do $$ begin insert into things values (8); end $$',
  "select query_to_xml('select 1', true, true, '')",
  'select pg_cancel_backend(1)',
  'select pg_reload_conf()',
  'select pg_export_snapshot()',
  "select pg_read_file('PG_VERSION')",
  "load 'auto_explain'",
  'select 1; insert into things values (4)',
];

const waysOut = [
  'begin read write',
  'start transaction read write',
  'set transaction read write',
  'set session characteristics as transaction read write',
  'set transaction_read_only = off',
  "set local transaction_read_only to 'false'",
  'set default_transaction_read_only = off',
  'set default_transaction_read_only to default',
  'set "DEFAULT_TRANSACTION_READ_ONLY" = off',
  'reset transaction_read_only',
  'reset default_transaction_read_only',
  "select set_config('transaction_read_only', 'off', true)",
  "select set_config('default_transaction_read_only', 'o' || 'ff', false)",
  "select set_config('default_transaction_read_only', null, false)",
  'begin; set transaction read write; select 1',
  'begin transaction isolation level serializable, read write, deferrable',
];

const stateQuery = `
select (select array_agg(n order by n) from things) as things, (select last_value || ' ' || is_called from counter) as counter,
  (select count(*) from pg_class where relpersistence <> 't') as relations, (select count(*) from pg_largeobject_metadata) as objects,
  (select count(*) from pg_prepared_xacts) as prepared, (select count(*) from pg_locks where locktype = 'advisory') as locks,
  (select array_agg(setconfig) from pg_db_role_setting) as settings,
  (select coalesce(last_vacuum::text, '') || coalesce(last_analyze::text, '') from pg_stat_user_tables where relname = 'things') as upkeep`;
