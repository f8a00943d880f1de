import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { bind, execute, parse, query, guardedBank, sync, type Raw } from './guarded.ts';

const guarded = guardedBank();
let raw: Raw;

/** Sends each on a connection of its own; none may change the guarded table, and each is refused in its place. */
async function refused(...texts: readonly string[]): Promise<void> {
  for (const text of texts) {
    raw = await guarded.open();
    const answers = await raw.run(text);
    assert.deepEqual([answers.at(-2), answers.at(-1)], ['E 42501', 'Z I'], text);
    assert.deepEqual((await raw.run('select 1')).at(-2), 'C SELECT 1');
    raw.close();
    await guarded.assertUntouched(text);
  }
}

describe('a table that must not be written', () => {
  it('is not written through a view, a view on a view, one that shows nothing of it, one with triggers, one with rules', async () => {
    await refused(
      'delete from shown where id = 1',
      'update shown_again set note = $$x$$ where id = 1',
      'insert into shown_again values (3, $$x$$)',
      'delete from blank',
      'delete from triggered where id = 1',
      'delete from ruled where id = 1',
      'merge into shown s using (values (1)) v(id) on s.id = v.id when matched then delete',
      'with gone as (delete from shown where id = 1 returning 1) select count(*) from gone',
      'explain (costs off, analyze) delete from shown where id = 1',
      'copy (delete from shown where id = 1 returning id) to stdout',
      'copy shown from stdin',
      'insert into shown values (1, $$x$$) on conflict (id) do update set note = $$x$$',
    );
  });

  it('is not written through a view that is made for it: in the same message, the same transaction, or the one before', async () => {
    await refused(
      'create view mine as select * from guarded; delete from mine where id = 1',
      'create temp view mine as select * from guarded; delete from mine where id = 1',
      'create or replace view knobs_too as select * from guarded; update knobs_too set note = $$x$$ where id = 1',
    );
    raw = await guarded.open();
    for (const text of ['begin', 'create temp view mine as select * from guarded']) await raw.run(text);
    assert.deepEqual(await raw.run('delete from mine where id = 1'), ['E 42501', 'Z E']);
    await raw.run('rollback');
    await raw.run('create temp view mine as select * from guarded');
    assert.deepEqual(await raw.run('delete from mine where id = 1'), ['E 42501', 'Z I']);
  });

  it('is not written through a view that is renamed on its way', async () => {
    for (const move of ['alter view shown rename to fresh', 'alter table shown rename to fresh']) {
      raw = await guarded.open();
      for (const text of ['begin', move]) await raw.run(text);
      assert.deepEqual(await raw.run('delete from fresh where id = 1'), ['E 42501', 'Z E'], move);
      await raw.run('rollback');
      raw.close();
    }
    raw = await guarded.open();
    for (const text of ['begin', 'alter table free rename to freed', 'alter view shown rename to free']) await raw.run(text);
    assert.deepEqual(await raw.run('delete from free where id = 1'), ['E 42501', 'Z E']);
    await raw.run('rollback');
  });

  it('is not written through a view that is made in the messages ahead, whose answers have not come', async () => {
    raw = await guarded.open();
    raw.write(
      query('begin'),
      query('create temp view mine as select * from guarded'),
      query('delete from mine where id = 1'),
      query('commit'),
    );
    const answers = await raw.answers(4);
    assert.equal(answers.includes('E 42501'), true);
    assert.equal(answers.at(-1), 'Z I');
    raw.close();

    raw = await guarded.open();
    raw.write(
      parse('create temp view mine as select * from guarded'),
      bind(),
      execute(),
      parse('delete from mine where id = 1'),
      bind(),
      execute(),
      sync,
    );
    assert.deepEqual(
      (await raw.answers()).filter((word) => /^[ECZ]/.test(word)),
      ['C CREATE VIEW', 'E 42501', 'Z I'],
    );
  });

  it('is not written by a statement that was prepared for another relation of that name', async () => {
    raw = await guarded.open();
    await raw.run('create temp table target (id integer, note text)');
    await raw.run('prepare gone as delete from target where id = 1');
    await raw.run('drop table target');
    await raw.run('create temp view target as select * from guarded');
    assert.deepEqual(await raw.run('execute gone'), ['E 42501', 'Z I']);
    raw.write(bind('gone'), execute(), sync);
    assert.deepEqual(await raw.answers(), ['E 42501', 'Z I']);
  });

  it('is not written by the name of a part', async () => {
    await refused('delete from parted_1 where id = 1', 'update parted_1 set note = $$x$$ where id = 1', 'truncate parted_1');
    const { rows } = await guarded.bank.direct('select note from parted');
    assert.deepEqual(rows, [{ note: 'part' }]);
  });

  it('is not written by the rest of a batch, however its parts are joined', async () => {
    await refused(
      'select 1; delete from guarded',
      'select 1;;; delete from guarded; select 2',
      'begin; select 1; commit; delete from guarded',
      'select 1 /* ; */ ; /* /* */ delete from free; */ delete from guarded --',
      'select 1 -- \r; delete from guarded',
      'insert into free values (9, $$x$$); delete from guarded',
      'do $$ begin delete from guarded; end $$',
    );
    const { rows } = await guarded.bank.direct('select 1 from free where id = 9');
    assert.deepEqual(rows, []);
  });
});
