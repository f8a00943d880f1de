import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { eventually, run } from '../../harness.ts';
import { extended, failure, LimitedSite } from './site.ts';

/** One target for each limit, all of them the bank's database. What one test uses up, no other has. */
const targets = {
  rate: { limits: { operations_per_minute: 5 } },
  doors: { limits: { concurrent_sessions: 2 } },
  reasons: { require_reason: true },
  reloaded: { limits: { operations_per_minute: 3 } },
  free: {},
};

const policies = `
@id("the machine room is cleaned on a ticket alone")
forbid (principal, action == Action::"sql:delete", resource) unless { context has reason && context.reason like "INC-*" };
`;

let site: LimitedSite;
before(async () => (site = await LimitedSite.start(targets, policies)));
after(() => site?.bank.close());

describe('operations_per_minute', () => {
  it('refuses what comes too often, says when to come back, and keeps session and transaction in order', async () => {
    const client = await site.session('rate');
    await client.query('begin');
    for (let times = 1; times < 5; times += 1) await client.query('select 1');
    const error = await failure(client.query('select 1'));
    assert.equal(error.code, '53400');
    assert.match(error.message, /^operations_per_minute \(5\) of target rate is reached; try again in \d+ s \(operation ses_/);
    assert.match(error.hint ?? '', /Wait as long as it says/);
    await client.query('rollback');
    assert.equal((await failure(client.query(extended('select 1')))).code, '53400', 'extended protocol');
    assert.equal((await failure(client.query('select 1'))).code, '53400');
    await client.end();
  });

  it('counts over all sessions of the principal and no one else’s, and is on record', async () => {
    const again = await site.session('rate');
    assert.equal((await failure(again.query('select 1'))).code, '53400');
    await again.end();
    const other = await site.session('rate', 'dba-gina');
    assert.deepEqual((await other.query('select 1 as one')).rows, [{ one: 1 }]);
    await other.end();
    const denied = (await decided('rate')).filter(({ decision }) => decision === 'deny');
    assert.ok(denied.length >= 3);
    assert.ok(denied.every(({ code }) => code === 'rate-exceeded'));
  });
});

describe('concurrent_sessions', () => {
  it('lets so many in and one more when one has left', async () => {
    const [first, second] = [await site.session('doors'), await site.session('doors')];
    const { status, stderr } = await run('psql', ['-XAtc', 'select 1'], await site.bank.env('pipeline', { PGDATABASE: 'doors' }));
    assert.equal(status, 2);
    assert.match(stderr, /FATAL: {2}concurrent_sessions \(2\) of target doors is reached/);
    const error = await failure(site.session('doors'));
    assert.equal(error.code, '53300');
    await (await site.session('doors', 'dba-gina')).end();
    await first.end();
    const third = await eventually('a free place', () => site.session('doors').catch(() => undefined));
    assert.deepEqual((await second.query('select 1 as one')).rows, [{ one: 1 }]);
    await Promise.all([second.end(), third.end()]);
  });

  it('does not let two that come at once both have the last place', async () => {
    await eventually('an empty target', async () => ((await open('doors')) === 0 ? true : undefined));
    const came = await Promise.allSettled(Array.from({ length: 8 }, () => site.session('doors')));
    const inside = came.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
    assert.equal(inside.length, 2);
    await Promise.all(inside.map((client) => client.end()));
  });
});

describe('require_reason', () => {
  it('refuses what asks for anything without a reason, and says how to state one', async () => {
    const client = await site.session('reasons');
    const error = await failure(client.query('select 1'));
    assert.equal(error.code, '42501');
    assert.match(error.message, /target reasons asks for a reason, and none was stated/);
    assert.match(error.hint ?? '', /a leading comment \/\* reason: … \*\/, or SET sallyport\.reason/);
    assert.equal((await failure(client.query({ text: 'select $1::int', values: [1] }))).code, '42501');
    await client.query('begin');
    await client.query('commit');
    await client.end();
  });

  it('takes it from a leading comment, the setting or the application name, and puts it on record', async () => {
    const client = await site.session('reasons');
    await client.query('/* reason: looking around */ select 1');
    await client.query('/* reason: looking around */ select $1::int', [1]);
    assert.equal((await client.query("set sallyport.reason = 'INC-7 it''s broken'")).command, 'SET');
    await client.query('select 2');
    await client.query('select $1::int', [2]);
    assert.equal((await client.query('reset sallyport.reason')).command, 'RESET');
    assert.equal((await failure(client.query('select 3'))).code, '42501');
    await client.query("set application_name = 'reason: nightly run'");
    await client.query('select 4');
    await client.end();
    const reasons = (await decided('reasons'))
      .filter(({ decision, text }) => decision === 'allow' && String(text).includes('select'))
      .map(({ facts }) => (facts as Record<string, string>)['reason']);
    assert.deepEqual(reasons.slice(-5), ['looking around', 'looking around', "INC-7 it's broken", "INC-7 it's broken", 'nightly run']);
  });

  it('takes it at startup, from psql and psycopg', async () => {
    for (const extra of [{ PGOPTIONS: '-c sallyport.reason=INC-8' }, { PGAPPNAME: 'reason: INC-9' }]) {
      const env = await site.bank.env('pipeline', { PGDATABASE: 'reasons', ...extra });
      const told = await run('psql', ['-XAtc', 'select 1'], env);
      assert.deepEqual([told.stdout.trim(), told.stderr], ['1', '']);
      const program = 'import psycopg; c = psycopg.connect(); print(c.execute("select %s", [1]).fetchone())';
      assert.equal((await run('/usr/bin/python3', ['-c', program], env)).stdout.trim(), '(1,)');
    }
  });

  it('is policy’s to read: each reason is decided for itself', async () => {
    const client = await site.session('free');
    const remove = 'delete from payments where id = -1';
    assert.equal((await failure(client.query(remove))).code, '42501');
    await client.query("set sallyport.reason = 'INC-1'");
    await client.query(remove);
    await client.query("set sallyport.reason = 'because'");
    assert.equal((await failure(client.query(remove))).code, '42501');
    await client.query(`/* reason: INC-2 */ ${remove}`);
    await client.end();
  });

  it('is set by a statement of its own, in step with pipelined ones and with a failed transaction', async () => {
    const client = await site.session('reasons');
    for (const sql of ["set local sallyport.reason = 'x'", "set sallyport.reason = 'x'; select 1", "set sallyport.admin = 'on'"]) {
      const error = await failure(client.query(sql));
      assert.equal(error.code, '0A000', sql);
    }
    assert.equal((await failure(client.query("/* reason: x */ select set_config('sallyport.reason', 'x', false)"))).code, '0A000');
    await client.query('begin');
    await failure(client.query('/* reason: x */ select 1 / 0'));
    assert.equal((await failure(client.query('/* reason: x */ select 1'))).code, '25P02');
    await client.query("set sallyport.reason = 'INC-3'");
    await client.query('rollback');
    assert.deepEqual((await client.query('select 1 as one')).rows, [{ one: 1 }]);
    assert.equal((await client.query(extended("set sallyport.reason = 'INC-4'"))).command, 'SET');
    await client.end();
  });
});

describe('a changed limit', () => {
  it('holds from the next operation on, in sessions that are open', async () => {
    const client = await site.session('reloaded');
    for (let times = 0; times < 3; times += 1) await client.query('select 1');
    assert.equal((await failure(client.query('select 1'))).code, '53400');
    await site.reconfigure((all) => (all['reloaded']!['limits'] = { operations_per_minute: 30 }));
    await client.query('select 1');
    await site.reconfigure((all) => delete all['reloaded']!['limits']);
    for (let times = 0; times < 40; times += 1) await client.query('select 1');
    await site.reconfigure((all) => (all['reloaded']!['limits'] = { operations_per_minute: 1 }));
    assert.match((await failure(client.query('select 1').then(() => client.query('select 1')))).message, /operations_per_minute \(1\)/);
    await client.end();
  });
});

async function decided(target: string) {
  return site.records('operation.decided', target);
}

async function open(target: string): Promise<number> {
  const { sessions } = (await site.bank.api('platform-pia', '/api/v1/sessions')) as { sessions: { target: string; state: string }[] };
  return sessions.filter((one) => one.target === target && one.state !== 'closed').length;
}
