import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type pg from 'pg';
import { eventually, startBank, type Bank } from '../harness.ts';
import { connected, killLeftovers, newSite, recordsFrom, serve, type ServingProcess, type Site } from './child.ts';

/** What is defined by a session in one worker, for a session in the other. `accounts.number` is hidden, and `picked` is code that reads it. */

let bank: Bank;
let site: Site;
let served: ServingProcess;
let definer: pg.Client;
let reader: pg.Client & { readonly fatal: () => Error | undefined };
const workers = { definer: 0, reader: 0 };

before(async () => {
  bank = await startBank({
    policies: { 'all.cedar': '@id("pipelines do everything") permit (principal in Group::"deployers", action, resource);' },
  });
  await bank.gateway.close();
  await bank.direct(`set role gateway;
    create function picked(one integer) returns varchar language sql stable as $$ select number::varchar from accounts where id = one $$;
    create table plain (id integer primary key, note varchar not null);
    insert into plain values (1, 'plain');
    create view notes as select id, note from plain`);
  site = await newSite(bank, 'definitions', (config) => (config['gateway'] = { ...config['gateway'], workers: 2 }));
  served = await serve(site);
  definer = await connected(await site.client('pipeline'));
  await definer.query('select 1');
  reader = await connected(await site.client('pipeline'));
  // The catalogue that both workers know.
  for (const client of [definer, reader]) assert.equal(await noteOf(client, 'select note from notes'), 'plain');
  const opened = (await recordsFrom(site)).filter(({ record }) => record.type === 'session.opened').map(({ log }) => Number(log?.at(-1)));
  [workers.definer, workers.reader] = [opened[0]!, opened[1]!];
  assert.notEqual(workers.definer, workers.reader);
});
after(async () => {
  killLeftovers();
  await bank.close();
});

describe('what was defined through one worker', () => {
  it('is known in the other one at once', async () => {
    for (const [definition, question] of [
      [
        "create function lower(a varchar) returns text language sql stable as 'select picked(1)::text'",
        'select lower(note) as note from plain',
      ],
      ['create or replace view notes as select id, picked(id) as note from plain', 'select note from notes'],
    ] as const) {
      assert.equal(await noteOf(reader, question), 'plain');
      await definer.query(definition);
      assert.match(await noteOf(reader, question), /redacted/, definition);
    }
  });

  it('is not shown by a statement that waited in the other one while it was committed', async () => {
    await definer.query('begin; lock table plain in access exclusive mode');
    await definer.query("create function upper(a varchar) returns text language sql stable as 'select picked(1)::text'");
    const asked = noteOf(reader, 'select upper(note) as note from plain').catch((error: pg.DatabaseError) => error.code);
    await eventually('a session that waits', async () => {
      const { rows } = await bank.direct("select from pg_stat_activity where wait_event_type = 'Lock'");
      return rows.length > 0 ? true : undefined;
    });
    await definer.query('commit');
    assert.equal(await asked, '40001');
    assert.match(await noteOf(reader, 'select upper(note) as note from plain'), /redacted/);
  });

  it('is refused, and the transaction undone, while the other one does not answer', async () => {
    process.kill(pidOf(workers.reader), 'SIGSTOP');
    try {
      await assert.rejects(definer.query('create view unheard as select note from plain'), { code: '40001', message: /another worker/ });
      await definer.query('begin');
      await definer.query('create view unheard as select note from plain');
      await assert.rejects(definer.query('commit'), { code: '40001' });
      await definer.query('rollback');
      // What concerns nobody else waits for nobody.
      await definer.query('create temp table mine (id integer); create index on plain (note)');
    } finally {
      process.kill(pidOf(workers.reader), 'SIGCONT');
    }
    assert.deepEqual((await bank.direct("select from pg_class where relname = 'unheard'")).rows, []);
    await definer.query('create view heard as select note from plain');
    assert.equal(await noteOf(reader, 'select note from heard'), 'plain');
  });

  it('does not wait for one that has died, and one that starts knows what goes on', async () => {
    await definer.query('begin');
    await definer.query('create view in_vain as select note from plain');
    process.kill(pidOf(workers.reader), 'SIGKILL');
    await definer.query('commit');
    await eventually('the end', () => reader.fatal());
    reader = await eventually('another worker', async () => connected(await site.client('pipeline')).catch(() => undefined));
    await definer.query("create function initcap(a varchar) returns text language sql stable as 'select picked(1)::text'");
    assert.match(await noteOf(reader, 'select initcap(note) as note from plain'), /redacted/);
  });
});

async function noteOf(client: pg.Client, question: string): Promise<string> {
  return (await client.query<{ note: string }>(question)).rows[0]?.note ?? 'no row';
}

function pidOf(worker: number): number {
  const started = [...served.log().matchAll(/"worker":(\d+),"pid":(\d+),"msg":"worker started"/g)];
  return Number(started.findLast(([, number]) => Number(number) === worker)?.[2]);
}
