import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type pg from 'pg';
import { eventually, run } from '../../harness.ts';
import { extended, failure, LimitedSite } from './site.ts';

const targets = {
  'most-rows': { limits: { rows: 100 } },
  'most-bytes': { limits: { bytes: 5_000 } },
  'rows-a-minute': { limits: { rows_per_minute: 50 } },
  patient: { limits: { statement_timeout: '1s' } },
};
const policies = `@id("deletes wait for a DBA") @review("dba") forbid (principal, action == Action::"sql:delete", resource);`;

let site: LimitedSite;
before(async () => (site = await LimitedSite.start(targets, policies)));
after(() => site?.bank.close());

const many = 'select id from payments';

describe('rows', () => {
  it('lets as many pass and fails with one more, in simple and extended protocol', async () => {
    const client = await site.session('most-rows');
    assert.equal((await client.query(`${many} limit 100`)).rows.length, 100);
    assert.equal((await client.query(`${many} limit $1`, [100])).rows.length, 100);
    for (const query of [`${many} limit 101`, { text: `${many} limit $1`, values: [101] }, many, extended(many)]) {
      const error = await failure(client.query(query));
      assert.equal(error.code, '54000');
      assert.match(error.message, /^rows \(100\) of target most-rows is exceeded: the answer was stopped.* \(operation ses_/);
      assert.match(error.hint ?? '', /Ask for less at a time/);
      assert.deepEqual((await client.query('select 1 as one')).rows, [{ one: 1 }]);
    }
    await client.end();
    await failedAs('most-rows', '54000', /^rows \(100\)/);
  });

  it('stops the target, and no other session', async () => {
    const [client, other] = [await site.session('most-rows'), await site.session('most-rows')];
    const { pid } = (await client.query('select pg_backend_pid() as pid')).rows[0] as { pid: number };
    const slow = other.query('select count(*)::int as n, (select pg_sleep(0.5))::text as slept from payments');
    const endless = 'select a.id from payments a, payments b';
    assert.equal((await failure(client.query(endless))).code, '54000');
    const state = await eventually('an idle session', async () => {
      const { rows } = await site.bank.direct(`select state from pg_stat_activity where pid = ${pid} and state = 'idle'`);
      return rows.length > 0 ? 'idle' : undefined;
    });
    assert.equal(state, 'idle');
    assert.equal(((await slow).rows[0] as { n: number }).n, 100_000);
    await Promise.all([client.end(), other.end()]);
  });

  it('fails a transaction as every error does', async () => {
    const client = await site.session('most-rows');
    for (const query of [`${many} limit 101`, { text: `${many} limit $1`, values: [101] }, extended(many)]) {
      await client.query('begin');
      await client.query("insert into payments (account_id, amount, payee, made_at) values (1, 1, 'limits', now())");
      assert.equal((await failure(client.query(query))).code, '54000');
      assert.equal((await failure(client.query('select 1'))).code, '25P02');
      await client.query('rollback');
    }
    await client.end();
    assert.deepEqual((await site.bank.direct("select 1 from payments where payee = 'limits'")).rows, []);
  });

  it('undoes what a statement did whose rows were too many', async () => {
    const client = await site.session('most-rows');
    const change = "update payments set memo = 'changed' where id <= 20000 returning id";
    assert.equal((await failure(client.query(extended(change)))).code, '54000');
    const changed = async () =>
      (await site.bank.direct("select count(*)::int as n from payments where memo = 'changed'")).rows[0] as unknown;
    assert.deepEqual(await changed(), { n: 0 });
    // In the simple protocol it is committed by itself: undone if the cancel came in time, and else the client is told.
    const { message } = await failure(client.query(change));
    assert.deepEqual(await changed(), { n: message.includes('what it changed stands') ? 20_000 : 0 });
    await client.query("update payments set memo = null where memo = 'changed'");
    await client.end();
  });

  it('is the sum of a portal that is fetched in parts', async () => {
    const client = await site.session('most-rows');
    const inParts = (last: number) => ({ text: `${many} limit $1`, values: [last], rows: 40 }) as pg.QueryConfig;
    assert.equal((await client.query(inParts(100))).rows.length, 100);
    assert.equal((await failure(client.query(inParts(101)))).code, '54000');
    await client.end();
  });

  it('holds for COPY: what was released stays released', async () => {
    const env = await site.bank.env('pipeline', { PGDATABASE: 'most-rows' });
    const copied = await run('psql', ['-Xc', `\\copy (${many}) to stdout`], env);
    assert.equal(copied.status, 1);
    assert.match(copied.stderr, /ERROR: {2}rows \(100\) of target most-rows is exceeded/);
    assert.equal(copied.stdout.split('\n').filter((line) => line !== '').length, 100);
    assert.equal((await run('psql', ['-Xc', `\\copy (${many} limit 100) to stdout`], env)).status, 0);
  });

  it('holds in a psycopg pipeline, where nothing behind it has run', async () => {
    const told = await python('most-rows', [
      'c = psycopg.connect(autocommit=True)',
      'first = second = None',
      'try:',
      '  with c.pipeline() as p:',
      `    a = c.execute("${many}")`,
      `    b = c.execute("insert into payments (account_id, amount, payee, made_at) values (1, 1, 'behind', now())")`,
      'except psycopg.Error as e: first = e.sqlstate',
      'print(first, c.info.transaction_status.name, c.execute("select count(*) from payments where payee = \'behind\'").fetchone())',
    ]);
    assert.equal(told, '54000 IDLE (0,)');
  });

  it('changes in a session that is open', async () => {
    const client = await site.session('most-rows');
    await site.reconfigure((all) => (all['most-rows']!['limits'] = { rows: 200 }));
    assert.equal((await client.query(`${many} limit 150`)).rows.length, 150);
    assert.match((await failure(client.query(many))).message, /^rows \(200\)/);
    await client.end();
  });
});

describe('bytes', () => {
  it('lets as many pass and no more', async () => {
    const client = await site.session('most-bytes');
    assert.equal((await client.query("select repeat('x', 4000) as x")).rows.length, 1);
    assert.match(
      (await failure(client.query("select repeat('x', 6000) as x"))).message,
      /^bytes \(5000\) of target most-bytes is exceeded/,
    );
    assert.equal((await failure(client.query("select repeat('x', 60000000) as x"))).code, '54000');
    assert.equal((await failure(client.query("copy (select repeat('x', 100) from generate_series(1, 100)) to stdout"))).code, '54000');
    assert.deepEqual((await client.query('select 1 as one')).rows, [{ one: 1 }]);
    await client.end();
  });
});

describe('rows_per_minute', () => {
  it('counts what a cursor gives, over statements and sessions', async () => {
    const client = await site.session('rows-a-minute');
    await client.query('begin');
    await client.query(`declare c cursor for ${many}`);
    assert.equal((await client.query('fetch 30 from c')).rows.length, 30);
    const error = await failure(client.query('fetch 30 from c'));
    assert.equal(error.code, '54000');
    assert.match(error.message, /^rows_per_minute \(50\) of target rows-a-minute is reached/);
    await client.query('rollback');
    const again = await site.session('rows-a-minute');
    const refused = await failure(again.query('select 1'));
    assert.equal(refused.code, '53400');
    assert.match(refused.message, /^rows_per_minute \(50\) of target rows-a-minute is reached; try again in \d+ s/);
    await Promise.all([client.end(), again.end()]);
  });
});

describe('statement_timeout', () => {
  it('cancels what takes longer, whatever the session has set, and says so itself', async () => {
    const [client, other] = [await site.session('patient'), await site.session('patient')];
    await client.query('set statement_timeout = 0');
    const steady = (async () => {
      // Together longer than one may take, each much shorter.
      for (let times = 0; times < 24; times += 1) await other.query('select pg_sleep(0.1)');
    })();
    for (const query of ['select pg_sleep(60)', { text: 'select pg_sleep($1)', values: [60] }]) {
      const error = await failure(client.query(query));
      assert.equal(error.code, '57014');
      assert.match(error.message, /^statement_timeout \(1 s\) of target patient is exceeded: the statement was cancelled/);
      assert.deepEqual((await client.query('select 1 as one')).rows, [{ one: 1 }]);
    }
    await client.query('begin');
    assert.equal((await failure(client.query('select pg_sleep(60)'))).code, '57014');
    assert.equal((await failure(client.query('select 1'))).code, '25P02');
    await client.query('rollback');
    await steady;
    await Promise.all([client.end(), other.end()]);
    await failedAs('patient', '57014', /^statement_timeout \(1 s\)/);
  });

  it('times each statement of a pipeline for itself, and a text of several as one', async () => {
    const client = await site.session('patient');
    assert.equal((await failure(client.query('select pg_sleep(0.7); select pg_sleep(0.7)'))).code, '57014');
    await client.end();
    const told = await python('patient', [
      'c = psycopg.connect(autocommit=True)',
      'with c.pipeline() as p:',
      '  for i in range(20): c.execute("select pg_sleep(0.1)")',
      'print(c.execute("select 1").fetchone())',
      'try:',
      '  with c.pipeline() as p:',
      '    c.execute("select pg_sleep(0.1)"); c.execute("select pg_sleep(60)"); c.execute("select 2")',
      'except psycopg.Error as e: print(e.sqlstate, c.info.transaction_status.name)',
    ]);
    assert.equal(told, '(1,)\n57014 IDLE');
  });

  it('lets a pipeline wait as long as its client does', async () => {
    const told = await python('patient', [
      'c = psycopg.connect(autocommit=True)',
      'with c.pipeline() as p:',
      '  a = c.execute("select 1"); time.sleep(2.5); b = c.execute("select 2")',
      '  print(a.fetchone(), b.fetchone())',
    ]);
    assert.equal(told, '(1,) (2,)');
  });

  it('ends a copy that its client has left waiting', async () => {
    const told = await python('patient', [
      'c = psycopg.connect(autocommit=True)',
      'try:',
      '  with c.cursor().copy("copy payments (account_id, amount, payee, made_at) from stdin") as copy:',
      "    copy.write_row((1, 1, 'copied', '2026-01-01')); time.sleep(2.5); copy.write_row((1, 1, 'copied', '2026-01-01'))",
      'except psycopg.Error as e: print(e.sqlstate)',
      'print(c.execute("select count(*) from payments where payee = \'copied\'").fetchone())',
    ]);
    assert.equal(told, '57014\n(0,)');
  });

  it('does not count the time in which a person is asked', async () => {
    const client = await site.session('patient');
    const held = client.query('delete from payments where id = -1');
    const id = await eventually('a request', async () => {
      const { approvals } = (await site.bank.api('dba-erin', '/api/v1/approvals')) as { approvals: { id: string; target: string }[] };
      return approvals.find(({ target }) => target === 'patient')?.id;
    });
    await new Promise((resolve) => {
      setTimeout(resolve, 1_500);
    });
    await site.bank.api('dba-erin', `/api/v1/approvals/${id}/approve`, { method: 'POST', body: '{}' });
    assert.equal((await held).rowCount, 0);
    await client.end();
  });
});

async function python(target: string, lines: readonly string[]): Promise<string> {
  const env = await site.bank.env('pipeline', { PGDATABASE: target });
  const { stdout, stderr } = await run('/usr/bin/python3', ['-c', ['import psycopg, time', ...lines].join('\n')], env);
  assert.equal(stderr, '');
  return stdout.trim();
}

async function failedAs(target: string, sqlState: string, reason: RegExp): Promise<void> {
  const completed = await eventually('the record', async () => {
    const found = (await site.records('operation.completed', target)).filter(({ error_code: code }) => code === sqlState);
    return found.length > 0 ? found : undefined;
  });
  for (const { outcome, reason: why } of completed) {
    assert.equal(outcome, 'failed');
    assert.match(String(why), reason);
  }
}
