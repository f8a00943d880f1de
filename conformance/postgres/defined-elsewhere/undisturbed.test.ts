import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { site } from './site.ts';

const bank = site();
const sessions = 4;

describe('sessions that read while another one defines', () => {
  it('are shown what they are shown otherwise, whatever it is', async () => {
    const [definer, ...readers] = await Promise.all(Array.from({ length: 1 + sessions }, async () => bank.open()));
    const defining = { isOver: false };
    let [read, stopped] = [0, 0];
    const reading = readers.map(async (reader) => {
      while (!defining.isOver) {
        const answers = await reader.run('select note from notes');
        // On a machine that is busy two definitions may go by within one statement.
        if (answers[0] === 'E 40001') stopped += 1;
        else assert.deepEqual(answers[1], 'D plain');
        read += 1;
      }
    });
    const definitions = [
      'create temp table mine (id integer, note text)',
      'create temp view my_notes as select note from plain',
      'create index on mine (id)',
      'alter table mine add column more text',
      'drop view my_notes',
      'drop table mine',
      'create index plain_note on plain (note)',
      "comment on table plain is 'plain'",
      'drop index plain_note',
      'create table elsewhere (id integer)',
      "create function elsewhere() returns integer language sql as 'select 1'",
      'drop function elsewhere()',
      'drop table elsewhere',
    ];
    for (let round = 0; round < 3; round += 1)
      for (const definition of definitions) {
        assert.doesNotMatch(String(await definer!.run(definition)), /\bE \w{5}/, definition);
        await pause(2);
      }
    defining.isOver = true;
    await Promise.all(reading);
    assert.ok(read > 3 * definitions.length, String(read));
    assert.ok(stopped <= read / 20, `${stopped} of ${read}`);
  });

  it('do not wait for one that keeps a transaction open in which it has defined something', async () => {
    const [definer, reader] = [await bank.open(), await bank.open()];
    await definer.run('begin');
    await definer.run("create function open_for_long() returns integer language sql as 'select 1'");
    const begun = performance.now();
    for (let i = 0; i < 20; i += 1) assert.deepEqual((await reader.run('select note from notes'))[1], 'D plain');
    assert.ok(performance.now() - begun < 2_000);
    await definer.run('rollback');
  });
});
