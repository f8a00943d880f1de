import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { eventually } from '../../harness.ts';
import { query } from '../undecided/guarded.ts';
import { site } from './site.ts';

const bank = site();

describe('a session that goes away while it defines something', () => {
  it('is not waited for, and what it was defining is cancelled', async () => {
    const [definer, holder, reader] = [await bank.open(), await bank.open(), await bank.open()];
    await definer.run('create view held as select id, note from plain');
    await holder.run('begin');
    await holder.run('select note from held');
    definer.write(query('create or replace view held as select id, picked(id) as note from plain'));
    await eventually('a definition that waits', async () => ((await waiting()) ? true : undefined));
    definer.close();
    await eventually('its end', async () => ((await waiting()) ? undefined : true));
    await holder.run('commit');
    assert.deepEqual((await reader.run('select note from held where id = 1'))[1], 'D plain');
    const { rows } = await bank.bank.direct("select pg_get_viewdef('held'::regclass) as text");
    assert.doesNotMatch(rows[0].text, /picked/);
  });

  it('shows nothing by a COMMIT, or a definition by itself, whose answer it did not wait for', async () => {
    for (const builtIn of ['lower', 'upper', 'initcap', 'reverse', 'md5', 'ltrim', 'rtrim', 'btrim', 'quote_ident', 'quote_literal']) {
      const [definer, reader] = [await bank.open(), await bank.open()];
      const question = `select ${builtIn}(note) from plain where id = 1`;
      await reader.run(question);
      const define = `create function ${builtIn}(a varchar) returns text language sql stable as 'select picked(1)::text'`;
      if (builtIn < 'm') {
        await definer.run('begin');
        await definer.run(define);
        definer.write(query('commit'));
      } else definer.write(query(define));
      // It may have gone before the target has it, while it works, or after.
      await pause(builtIn.length % 3);
      definer.close();
      for (let i = 0; i < 40; i += 1) assert.doesNotMatch(String(await reader.run(question)), /D 4000/, builtIn);
    }
  });
});

async function waiting(): Promise<boolean> {
  const { rows } = await bank.bank.direct("select from pg_stat_activity where wait_event_type = 'Lock'");
  return rows.length > 0;
}
