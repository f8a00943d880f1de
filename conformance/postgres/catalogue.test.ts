import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, describe, it } from 'node:test';
import pg from 'pg';
import { compileDataClasses } from '../../src/masking/classes.ts';
import { CatalogueReadings } from '../../src/net/catalogue-readings.ts';
import { nodeCrypto } from '../../src/net/crypto.ts';
import { CatalogueReader } from '../../src/net/postgres-catalogue.ts';
import type { CatalogueRows } from '../../src/protocols/postgres/catalogue-build.ts';
import { createAnalyser, loadParser } from '../../src/sql/postgres/index.ts';
import { eventually } from '../harness.ts';
import { startPostgres15, type Postgres15 } from '../parts/postgres15.ts';
import { Definitions } from '../../src/protocols/postgres/definitions.ts';

/**
 * A reading asks only for what changed since the one before. Whatever happens in between, it must come to what a connection that knows
 * nothing is told: a catalogue that is behind unmasks.
 */

let server: Postgres15;
let folder: string;
let owner: pg.Client;
let kept: CatalogueReadings;
const clients: pg.Client[] = [];

before(async () => {
  await loadParser();
  folder = mkdtempSync(join(tmpdir(), 'sallyport-test-'));
  chmodSync(folder, 0o711);
  server = await startPostgres15({ folder: join(folder, 'postgres'), settings: { max_prepared_transactions: '2' } });
});
after(async () => {
  await Promise.all(clients.map((client) => client.end().catch(() => {})));
  await server.stop();
  rmSync(folder, { recursive: true, force: true });
});
beforeEach(async () => {
  owner ??= await connected();
  await owner.query(schema);
  kept = new CatalogueReadings(await connected());
  await kept.next();
});

describe('a reading of what changed', () => {
  const stories: Readonly<Record<string, string>> = {
    'a column was added': 'alter table people add nickname text',
    'a column has another type': 'alter table others alter note type character (20)',
    'a column was renamed': 'alter table people rename ssn to harmless',
    'two columns changed their names':
      'alter table people rename name to x; alter table people rename ssn to name; alter table people rename x to ssn',
    'a column was dropped, and another has its name': 'alter table others drop note; alter table others add note text',
    'a table was dropped and made anew under its name': 'drop table others; create table others (note text, id integer)',
    'two tables changed their names': 'alter table people rename to x; alter table others rename to people; alter table x rename to others',
    'a table without columns was made, and one lost all of its own': 'create table empty (); alter table others drop id, drop note',
    'a part was attached, and renamed with its parent':
      'create table events_1 partition of events for values from (1) to (2); alter table events rename pan to number',
    'a view was replaced': 'create or replace view contacts as select id, ssn as label from people',
    'a view was replaced by one of the same text, after two columns changed their names':
      'alter table people rename name to x; alter table people rename ssn to name; alter table people rename x to ssn; create or replace view contacts as select id, name as label from people',
    'a view was dropped and made anew': 'drop view on_contacts, contacts; create view contacts as select id, ssn as label from people',
    'the view below a view was replaced': 'create or replace view contacts as select id, reverse(ssn) as label from people',
    'a view’s column was renamed': 'alter view contacts rename label to tag',
    'a view was renamed, and another took its name':
      'alter view contacts rename to x; create view contacts as select id, ssn as label from people',
    'a materialized view was made': 'create materialized view kept_contacts as select * from on_contacts',
    'two schemas changed their names': 'alter schema a rename to x; alter schema b rename to a; alter schema x rename to b',
    'two schemas changed their names, and the view has the text it had before':
      'alter schema a rename to x; alter schema b rename to a; alter schema x rename to b; drop view public.of_a; create view public.of_a as select secret from a.t',
    'a function behind a view was renamed': 'alter function shout(text) rename to whisper',
    'rules, triggers, row security': `create rule r as on insert to others do instead nothing; alter table people enable row level security;
       create function f() returns trigger language plpgsql as 'begin end'; create trigger t instead of update on contacts for each row execute function f()`,
    'everything was frozen': 'create table late (id integer); vacuum freeze pg_attribute; vacuum freeze pg_class; vacuum freeze pg_rewrite',
    'everything was written anew':
      'alter table others add late text; vacuum full pg_attribute; vacuum full pg_class; vacuum full pg_rewrite',
  };
  for (const [story, definitions] of Object.entries(stories)) {
    it(story, async () => {
      for (const definition of definitions.split(';')) await owner.query(definition);
      await assertUpToDate();
      await owner.query('create table afterwards (id integer)');
      await assertUpToDate();
    });
  }

  it('sees what was open while another reading took place', async () => {
    const slow = await connected();
    await slow.query('begin');
    await slow.query('savepoint one; alter table events add inside text; create view inner_view as select note from others');
    await owner.query('create table quick (id integer)');
    await kept.next();
    await owner.query('create table quicker (id integer)');
    await kept.next();
    await slow.query('commit');
    await assertUpToDate();
  });

  it('sees what was prepared and committed later', async () => {
    const slow = await connected();
    await slow.query("begin; alter table others rename note to remark; prepare transaction 'later'");
    await owner.query('create table quick (id integer)');
    await kept.next();
    await kept.next();
    await owner.query("commit prepared 'later'");
    await assertUpToDate();
  });

  it('says nothing of the columns of a view whose tables may not be looked at, and all of the others', async () => {
    await owner.query(`create role onlooker login password 'looks'; create schema closed; create table closed.t (id integer);
      create view a_closed as select id from closed.t; create view b_closed as select id from closed.t`);
    try {
      const readings = new CatalogueReadings(await connected({ user: 'onlooker', password: 'looks' }));
      for (const rows of [await readings.next(), await readings.next()]) {
        const names = new Map(rows.relations.map(({ oid, name }) => [oid, name]));
        const unknown = rows.views.filter(({ origins }) => origins === undefined).map(({ oid }) => names.get(oid));
        assert.deepEqual(new Set(unknown), new Set(['a_closed', 'b_closed']));
      }
    } finally {
      await owner.query('drop schema closed cascade; drop role onlooker');
    }
  });

  it('runs nothing of the database’s own: a view’s immutable function was once called, as the gateway, whenever it was planned', async () => {
    await owner.query(`create function waits() returns text language plpgsql immutable as 'begin perform pg_advisory_lock(7); return 1; end';
      create view waiting as select p.name, w from people p, waits() w`);
    await owner.query('select pg_advisory_lock(7)');
    try {
      const reading = kept.next();
      const isWaiting = async (): Promise<boolean> =>
        (await owner.query("select from pg_locks where locktype = 'advisory' and not granted")).rowCount !== 0;
      let isRead = false;
      void reading.then(() => (isRead = true));
      await eventually('the reading, or its wait', async () => {
        assert.ok(!(await isWaiting()), 'the reading waits for the function');
        return isRead ? true : undefined;
      });
      await reading;
    } finally {
      await owner.query('select pg_advisory_unlock_all()');
    }
  });
});

describe('the catalogue of a target', () => {
  it('masks what a view shows from the moment it is replaced, renamed or made anew', async () => {
    const reader = readerOf();
    await reader.ready();
    const labels = async (): Promise<unknown> => {
      await reader.markStale('relations');
      return ['contacts', 'on_contacts'].map((name) => [...reader.current().relationsNamed({ schema: 'public', name })[0]!.columnTaint]);
    };
    assert.deepEqual(await labels(), [[], []]);
    await owner.query('create or replace view contacts as select id, ssn as label from people');
    const masked = [
      ['id', []],
      ['label', ['ssn']],
    ];
    assert.deepEqual(await labels(), [masked, masked]);
    await owner.query('create or replace view contacts as select id, lower(ssn) as label from people');
    assert.deepEqual(await labels(), [masked, masked]);
    await owner.query('alter table people rename ssn to harmless');
    assert.deepEqual(await labels(), [masked, masked]);
    await owner.query('alter table people rename name to ssn; create or replace view contacts as select id, ssn as label from people');
    assert.deepEqual(await labels(), [masked, masked], 'what is called as the class says is masked, whatever it was');
    await owner.query('drop table people cascade; create table people (ssn text, name text, id integer)');
    await owner.query(
      'create view contacts as select id, name as label from people; create view on_contacts as select id, ssn as label from people',
    );
    assert.deepEqual(await labels(), [[], masked]);
  });

  it('is read over another connection where the one that was kept is gone', async () => {
    const reader = readerOf();
    await reader.ready();
    await owner.query("select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'sallyport catalogue'");
    await owner.query('create table made_later (id integer)');
    await reader.markStale('relations');
    assert.equal(reader.current().isUnsettled, undefined);
    assert.equal(reader.current().relationsNamed({ schema: 'public', name: 'made_later' }).length, 1);
  });

  it('is waited for no longer than it takes to see what was defined, however often others have it read', async () => {
    const reader = readerOf();
    await reader.ready();
    const others = { areAsking: true };
    const ask = (): void => {
      void reader.afterwards();
      if (others.areAsking) setImmediate(ask);
    };
    ask();
    try {
      const begun = performance.now();
      await reader.markStale('code');
      assert.ok(performance.now() - begun < 3_000);
      assert.equal(reader.current().isUnsettled, undefined);
    } finally {
      others.areAsking = false;
    }
  });

  it('is read anew for a session that begins after something was defined by way of another target', async () => {
    const definitions = new Definitions();
    const reader = readerOf('postgres', definitions);
    await reader.ready();
    // pg_dump opens a transaction first of all, in which nothing is waited for: it had its lists of privileges masked.
    definitions.settle('code');
    assert.equal(reader.current().isUnsettled, true);
    await reader.ready();
    assert.notEqual(reader.current().isUnsettled, true);
  });

  it('keeps no database from being dropped', async () => {
    await owner.query('create database passing');
    const reader = readerOf('passing');
    await reader.ready();
    await owner.query('drop database passing');
  });
});

async function assertUpToDate(): Promise<void> {
  const fresh = await connected();
  assert.deepEqual(sorted(await kept.next()), sorted(await new CatalogueReadings(fresh).next()));
}

function sorted({ columns, columnTypes, ...rows }: CatalogueRows): unknown {
  const texts = Object.entries(rows).map(([name, some]) => [name, some.map((one) => JSON.stringify(one)).sort()]);
  const numbered = (some: CatalogueRows['columns'] | CatalogueRows['columnTypes']): unknown =>
    [...some!].map(([oid, values]) => JSON.stringify([oid, [...values].sort(([a], [b]) => a - b)])).sort();
  return { ...Object.fromEntries(texts), columns: numbered(columns), columnTypes: numbered(columnTypes) };
}

async function connected(as: pg.ClientConfig = {}): Promise<pg.Client> {
  const client = new pg.Client({ ...connection(), ...as });
  client.on('error', () => {});
  await client.connect();
  clients.push(client);
  return client;
}

function connection(database = 'postgres'): pg.ClientConfig {
  return { host: '127.0.0.1', port: server.port, user: server.user, password: server.password, database, ssl: false };
}

function readerOf(database = 'postgres', definitions = new Definitions()): CatalogueReader {
  const analyser = createAnalyser();
  const column = { target: 'bank', database: undefined, schema: 'public', relation: 'people', column: 'ssn' };
  return new CatalogueReader({
    place: { target: 'bank', database: undefined, databaseName: database },
    connection: connection(database),
    classes: compileDataClasses(
      [{ name: 'ssn', columns: [column], paths: [], detect: [], mask: 'redact' }],
      nodeCrypto,
      new Uint8Array(32).fill(7),
    ),
    analyse: (sql) => analyser.analyse(sql),
    definitions,
    report: (what, error) => assert.fail(`${what}: ${String(error)}`),
  });
}

const schema = `
drop schema public cascade; drop schema if exists a, b, x cascade; create schema public; create schema a; create schema b;
grant usage on schema public, a, b to public;
create table people (id integer, name text, ssn text);
create table others (id integer, note text);
create table events (id integer, pan text) partition by range (id);
create function shout(text) returns text language sql immutable as 'select upper($1)';
create table a.t (open text, secret text);
create table b.t (secret text, open text);
create view of_a as select secret from a.t;
create view contacts as select id, name as label from people;
create view on_contacts as select id, label from contacts;
create view loud as select id, public.shout(name) as cry from people`;
