import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import pg from 'pg';
import { startBank, type Bank } from '../harness.ts';
import { bind, execute, openRaw, parse, query, sync } from './undecided/guarded.ts';

/**
 * A binary COPY has no text in which a detector could find a value. It was once refused when the server began to answer, which ended the
 * session: the answer could not be taken back. It is one statement that is refused, in its place, before the server hears of it.
 */

let bank: Bank;
before(async () => {
  bank = await startBank();
});
after(async () => {
  await bank.close();
});

const refusal = 'E 42501';
const spellings = [
  'copy payments (id, memo) to stdout (format binary)',
  'copy payments (id, memo) to stdout with (format "binary", encoding utf8)',
  'COPY BINARY payments (id, memo) TO STDOUT',
  'copy payments (id, memo) to stdout with binary',
  'copy (select id, memo from payments) to stdout (format binary)',
  "copy (with p as (select memo from payments) select 'memo: ' || memo from p) to stdout (format binary)",
];

describe('a binary COPY while values are looked for', () => {
  it('is refused as one statement in every spelling, and the session goes on', async () => {
    const raw = await openRaw(bank);
    for (const text of spellings) {
      assert.deepEqual(await raw.run(text), [refusal, 'Z I'], text);
      assert.deepEqual((await raw.run('select 1')).at(-2), 'C SELECT 1');
    }
    raw.close();
  });

  it('says what to do instead', async () => {
    const client = new pg.Client(await bank.client('pipeline'));
    await client.connect();
    await assert.rejects(client.query(spellings[0]!), (error: pg.DatabaseError) => {
      assert.match(error.message, /a binary COPY cannot be searched for sensitive values/);
      assert.match(error.hint ?? '', /text or CSV/);
      return true;
    });
    await client.end();
  });

  it('never reaches the server, where its transaction fails as with an error of its own', async () => {
    const raw = await openRaw(bank);
    assert.equal((await raw.run('begin')).at(-1), 'Z T');
    const { rows } = await bank.direct("select pid from pg_stat_activity where usename = 'gateway' and state = 'idle in transaction'");
    assert.deepEqual(await raw.run(spellings[0]!), [refusal, 'Z E']);
    const { rows: seen } = await bank.direct(`select query from pg_stat_activity where pid = ${rows[0].pid}`);
    assert.doesNotMatch(seen[0].query as string, /copy/i);
    assert.deepEqual(await raw.run('select 1'), ['E 25P02', 'Z E']);
    assert.equal((await raw.run('rollback')).at(-1), 'Z I');
    raw.close();
  });

  it('is refused between others: in one text nothing of it runs, in a pipeline what stands in front has run', async () => {
    const raw = await openRaw(bank);
    assert.deepEqual(await raw.run(`select 1; ${spellings[0]}; select 2`), [refusal, 'Z I']);
    raw.write(
      parse('select 41 + 1'),
      bind(),
      execute(),
      parse(spellings[0]!),
      bind(),
      execute(),
      parse('select 2'),
      bind(),
      execute(),
      sync,
      query('select 3'),
    );
    const answers = await raw.answers(2);
    assert.deepEqual(
      answers.filter((word) => /^[DECZ]/.test(word)),
      ['D 42', 'C SELECT 1', refusal, 'Z I', 'D 3', 'C SELECT 1', 'Z I'],
    );
    raw.close();
  });
});
