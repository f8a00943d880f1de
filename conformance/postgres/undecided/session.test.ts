import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  bind,
  close,
  copyData,
  copyDone,
  describe as describeMessage,
  execute,
  flush,
  parse,
  query,
  guardedBank,
  sync,
  type Raw,
} from './guarded.ts';

const guarded = guardedBank();
let raw: Raw;

const outcome = (answers: readonly string[]): readonly string[] => answers.filter((word) => /^[ECZ]|closed/.test(word));

describe('who a statement runs as', () => {
  it('is not changed without a permission, in any spelling', async () => {
    for (const text of [
      'set role other',
      'set local role other',
      'SET "ROLE" = other',
      "select set_config('role', 'other', false)",
      "select set_config('ROLE', 'other', true), current_user",
      "select pg_catalog.set_config(name, 'other', false) from pg_settings where name = 'role'",
      "update knobs set setting = 'other' where name = 'role'",
      'set session authorization other',
      "select set_config('session_authorization', 'other', false)",
      'begin; set local role other; commit',
      'reset role',
      'alter role gateway set role = other',
      'alter database orders set role = other',
    ]) {
      raw = await guarded.open();
      assert.match(outcome(await raw.run(text))[0] ?? '', /^E (42501|0A000)$/, text);
      assert.deepEqual((await raw.run('select current_user'))[1], 'D gateway', text);
      raw.close();
    }
  });

  it('is not chosen at start-up', async () => {
    for (const [name, value] of [
      ['role', 'other'],
      ['session_authorization', 'other'],
      ['options', '-c role=other'],
      ['options', '--role=other'],
      ['ROLE', 'other'],
      ['replication', 'database'],
      ['replication', 'true'],
    ] as const) {
      raw = await guarded.open([[name, value]]);
      assert.match(raw.signOn.at(-1) ?? '', /^E /, `${name}=${value}`);
      raw.close();
    }
  });
});

describe('names', () => {
  it('of statements mean one thing by PREPARE and by Parse, and what is bound is decided by what it does', async () => {
    raw = await guarded.open();
    await raw.run('prepare gone as delete from free where id = 99');
    raw.write(parse('delete from guarded', 'gone'), sync);
    assert.deepEqual(outcome(await raw.answers()), ['E 42501', 'Z I']);
    await raw.run('deallocate gone');
    raw.write(bind('gone'), execute(), sync);
    assert.deepEqual(outcome(await raw.answers()), ['E 26000', 'Z I']);
    // Naming is not executing.
    assert.deepEqual(outcome(await raw.run('prepare gone as delete from guarded')), ['C PREPARE', 'Z I']);
    assert.deepEqual(outcome(await raw.run('execute gone')), ['E 42501', 'Z I']);
    raw.write(bind('gone'), execute(), sync);
    assert.deepEqual(outcome(await raw.answers()), ['E 42501', 'Z I']);
  });

  it('that the server did not accept keep their old meaning', async () => {
    raw = await guarded.open();
    raw.write(parse('select 1', 's'), sync, parse('select nothing from nowhere', 's'), sync, parse('select 2', 't'), sync);
    await raw.answers(3);
    raw.write(bind('s'), execute(), bind('t', 'p'), execute('p'), sync);
    assert.deepEqual(
      (await raw.answers()).filter((word) => word.startsWith('D')),
      ['D 1', 'D 2'],
    );
  });

  it('of the unnamed statement, replaced between Bind and Execute, leave the portal what it was', async () => {
    raw = await guarded.open();
    raw.write(parse('select 1'), bind(), parse('select 2'), execute(), bind('', 'p'), execute('p'), sync);
    assert.deepEqual(
      (await raw.answers()).filter((word) => word.startsWith('D')),
      ['D 1', 'D 2'],
    );
    raw.write(parse('select 1'), bind(), parse('delete from guarded'), execute(), sync);
    assert.deepEqual(outcome(await raw.answers()), ['E 42501', 'Z I']);
  });

  it('of cursors and portals are one name space, which ends with the transaction and goes back with a savepoint', async () => {
    raw = await guarded.open();
    await raw.run('begin');
    await raw.run('declare c cursor for select generate_series(1, 3)');
    raw.write(describeMessage('P', 'c'), execute('c', 1), sync);
    assert.equal((await raw.answers()).includes('D 1'), true);
    raw.write(parse("select 'portal'"), bind('', 'p'), sync);
    await raw.answers();
    assert.equal((await raw.run('fetch all from p')).includes('D portal'), true);
    await raw.run('rollback');
    for (const name of ['c', 'p']) assert.deepEqual(outcome(await raw.run(`fetch all from ${name}`)), ['E 34000', 'Z I']);
    raw.write(close('P', 'c'), close('S', 'nobody'), sync);
    assert.deepEqual(await raw.answers(), ['3', '3', 'Z I']);
  });
});

describe('copy mode', () => {
  it('begins where the server says so: statements behind a COPY that failed are statements', async () => {
    raw = await guarded.open();
    raw.write(query('copy free (id, nothing) from stdin'), copyData('1\tx\n'), copyDone, query('delete from guarded'), query('select 1'));
    assert.deepEqual(outcome(await raw.answers(3)), ['E 42703', 'Z I', 'E 42501', 'Z I', 'C SELECT 1', 'Z I']);
  });

  it('is left where the server leaves it: data that fails does not hide what follows', async () => {
    raw = await guarded.open();
    raw.write(query('copy free from stdin'), copyData('not a number\tx\n'), copyDone, query('delete from guarded'));
    assert.deepEqual(outcome(await raw.answers(2)), ['E 22P02', 'Z I', 'E 42501', 'Z I']);
  });

  it('is not there where nobody copies: data and its end mean nothing', async () => {
    raw = await guarded.open();
    raw.write(copyData('delete from guarded'), copyDone, flush, query('select 1'), copyDone, query('delete from guarded'));
    assert.deepEqual(outcome(await raw.answers(2)), ['C SELECT 1', 'Z I', 'E 42501', 'Z I']);
  });

  it('is no place for statements', async () => {
    raw = await guarded.open();
    raw.write(query('copy free from stdin'));
    raw.write(query('delete from guarded'));
    assert.equal((await raw.answers(2)).at(-1), 'closed');
  });
});
