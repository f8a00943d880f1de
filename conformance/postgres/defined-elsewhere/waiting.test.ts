import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import pg from 'pg';
import { eventually } from '../../harness.ts';
import { bind, describe as describing, execute, parse, query, sync, type Raw } from '../undecided/guarded.ts';
import { site } from './site.ts';

const bank = site();
let views = 0;

/** `reader` waits for a lock while `definer`, in a transaction that holds it, defines and commits. Each time with another view. */
async function overtaken(
  definition: (view: string) => string,
  read: (view: string) => readonly Uint8Array[],
): Promise<{ readonly view: string; readonly answers: readonly string[]; readonly reader: Raw }> {
  const [definer, reader] = [await bank.open(), await bank.open()];
  const view = `notes_${(views += 1)}`;
  await all(definer, `create view ${view} as select id, note from plain`);
  await all(definer, 'begin', `lock table plain, ${view} in access exclusive mode`, definition(view));
  reader.write(...read(view));
  await waits();
  await all(definer, 'commit');
  return { view, reader, answers: await reader.answers() };
}

async function all(session: Raw, ...texts: readonly string[]): Promise<void> {
  for (const text of texts) assert.doesNotMatch(String(await session.run(text)), /\bE \w{5}/, text);
}

/** Until a session of the gateway waits for a lock at the server. */
async function waits(): Promise<void> {
  await eventually('a session that waits', async () => {
    const { rows } = await bank.bank.direct("select from pg_stat_activity where wait_event_type = 'Lock'");
    return rows.length > 0 ? true : undefined;
  });
}

function rows(answers: readonly string[]): readonly string[] {
  return answers.filter((word) => word.startsWith('D'));
}

const replaced = (view: string): string => `create or replace view ${view} as select id, picked(id) as note from plain`;
const ways = [
  ['a Query', 'lower', (text: string) => [query(text)]],
  ['the extended protocol', 'upper', (text: string) => [parse(text), bind(), describing('P'), execute(), sync]],
  ['the extended protocol, undescribed', 'initcap', (text: string) => [parse(text), bind(), execute(), sync]],
] as const;

describe('a statement that waits for a lock while another session commits a definition', () => {
  for (const [how, builtIn, send] of ways) {
    it(`does not show what a view was replaced by (${how})`, async () => {
      const { view, answers, reader } = await overtaken(replaced, (name) => send(`select note from ${name} order by id`));
      assert.deepEqual(rows(answers), [], String(answers));
      assert.ok(answers.includes('E 40001'), String(answers));
      assert.match(String(rows(await reader.run(`select note from ${view} where id = 1`))), /redacted/);
    });

    it(`does not show what a function returns that takes the place of a built-in one (${how})`, async () => {
      const shadow = `create function ${builtIn}(a varchar) returns text language sql stable as 'select picked(1)::text'`;
      const { answers, reader } = await overtaken(
        () => shadow,
        () => send(`select ${builtIn}(note) from plain order by id`),
      );
      assert.deepEqual(rows(answers), [], String(answers));
      assert.ok(answers.includes('E 40001'), String(answers));
      assert.match(String(rows(await reader.run(`select ${builtIn}(note) from plain where id = 1`))), /redacted/);
    });

    it(`shows what means what it meant before (${how})`, async () => {
      for (const definition of [
        () => 'alter table plain add column if not exists added text',
        () => "create or replace function unrelated() returns text language sql as 'select 1::text'",
        (view: string) => `create or replace view ${view} as select id, note from plain`,
        () => 'create table if not exists another (id integer)',
        () => 'drop table another',
      ]) {
        const { answers } = await overtaken(definition, (view) => send(`select note from ${view} order by id`));
        assert.deepEqual(rows(answers), ['D plain', 'D plainer'], `${definition('v')}: ${String(answers)}`);
      }
    });
  }

  it('does not copy out what a view was replaced by', async () => {
    const { answers } = await overtaken(replaced, (view) => [query(`copy (select note from ${view}) to stdout`)]);
    assert.equal(answers.includes('d'), false, String(answers));
    assert.ok(answers.includes('E 40001'), String(answers));
  });

  it('changes nothing twice: what may have written ends its session without asking for another try', async () => {
    const { answers } = await overtaken(replaced, (view) => [
      query(`update plain set id = id where id = 1 returning (select note from ${view} where id = 1)`),
    ]);
    assert.deepEqual(answers.slice(-2), ['E 08006', 'closed'], String(answers));
  });

  it('is not shown where several definitions went by, of which the catalogue shows the last only', async () => {
    const [reader, holder, first] = [await bank.open(), await bank.open(), await bank.open()];
    await all(first, 'create view several as select id, note from plain');
    await all(first, 'create table held (one integer)');
    // What views stand on, the gateway's own reading would wait for as well.
    await all(holder, 'begin', 'lock table held in access exclusive mode');
    reader.write(query('select note from several, held order by id'));
    await waits();
    await all(first, 'create schema one', 'alter schema one rename to two', 'drop schema two');
    await all(holder, 'commit');
    assert.deepEqual(rows(await reader.answers()), []);
  });

  it('says nothing in an error of the values of a table that has taken the name of another one', async () => {
    const definer = await bank.open();
    const reader = new pg.Client(await bank.bank.client('pipeline'));
    await reader.connect();
    const swap = ['alter schema open rename to x', 'alter schema closed rename to open', 'alter schema x rename to closed'];
    await all(definer, 'begin', 'lock table open.papers in access exclusive mode', ...swap);
    const told = reader.query('select content::date from open.papers where id = $1', [1]).catch((error: pg.DatabaseError) => error);
    await waits();
    await all(definer, 'commit');
    const error = await told;
    assert.ok(error instanceof pg.DatabaseError);
    assert.deepEqual([error.code, error.message], ['22007', 'message withheld by masking (SQLSTATE 22007)']);
    await reader.end();
  });
});
