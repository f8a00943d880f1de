import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { eventually, run, start, startBank, type Bank } from '../harness.ts';

interface Approval {
  readonly id: string;
  readonly state: string;
  readonly text: string;
}

let bank: Bank;
before(async () => {
  bank = await startBank();
});
after(async () => {
  await bank.close();
});

async function psql(as: string, ...commands: string[]) {
  const parameters = ['-X', '-A', '-t', '-q', ...commands.flatMap((command) => ['-c', command])];
  return run('psql', parameters, await bank.env(as));
}

async function pending(text: string): Promise<Approval> {
  return eventually(`an approval of ${text}`, async () => {
    const { approvals } = (await bank.api('dba-erin', '/api/v1/approvals?state=pending')) as { approvals: readonly Approval[] };
    return approvals.find((approval) => approval.text.includes(text));
  });
}

const approve = (id: string, as = 'dba-erin') =>
  bank.api(as, `/api/v1/approvals/${id}/approve`, { method: 'POST', body: '{"reason":"ok"}' });
const deny = (id: string) => bank.api('dba-erin', `/api/v1/approvals/${id}/deny`, { method: 'POST', body: '{"reason":"not on a Friday"}' });

describe('masking in a stock psql', () => {
  it('masks a column under any name, and passes the others on', async () => {
    const { stdout, stderr } = await psql('pipeline', 'select name, ssn as innocent from customers where id = 1');
    assert.match(stderr, /NOTICE: {2}masked: ssn \(1 value\)/);
    const { rows } = await bank.direct('select name, ssn from customers where id = 1');
    assert.equal(stdout.trim(), `${rows[0].name}|***-**-${rows[0].ssn.slice(-4)}`);
  });

  it('shows no value by cast, expression, row, JSON, view, union, function, sort trick or error text', async () => {
    const { rows } = await bank.direct('select ssn from customers order by id limit 50');
    const dodges = [
      'select ssn::text from customers order by id limit 50',
      "select ssn || '' from customers order by id limit 50",
      'select reverse(ssn) from customers order by id limit 50',
      'select customers from customers order by id limit 50',
      'select row_to_json(c) from customers c order by id limit 50',
      "select to_jsonb(c) -> 'ssn' from customers c order by id limit 50",
      'select reference from customer_contacts order by id limit 50',
      'select ssn from customers where id <= 50 union all select null order by 1',
      'select string_agg(ssn, $$,$$) from (select ssn from customers order by id limit 50) s',
      'with a(b) as (select ssn from customers order by id limit 50) select b from a',
      'select x from customers as c(a, b, d, e, x, f, g) order by a limit 50',
      'select (c).ssn from customers c order by id limit 50',
      'select ssn(c) from customers c order by id limit 50',
      'select profile ->> $$ssn$$ from customers order by id limit 50',
      'select profile from customers order by id limit 50',
      'select max(ssn) over (order by id) from customers order by id limit 50',
      'select case when ssn > $$0$$ then ssn end from customers order by id limit 50',
      'select ssn::int from customers order by id limit 1',
      'select most_common_vals::text from pg_stats where tablename = $$customers$$',
      'select encode(ssn::bytea, $$hex$$) from customers order by id limit 50',
      'table customers limit 50',
      'select array(select ssn from customers order by id limit 50)',
      'select xmlelement(name x, ssn) from customers order by id limit 50',
      'select query_to_xml($$select ssn from customers order by id limit 50$$, true, true, $$$$)',
      'copy (select ssn from customers order by id limit 50) to stdout',
      'insert into payments (account_id, amount, payee, made_at) select 1, 1, ssn, now() from customers limit 1 returning payee',
      'select x from (select name, left(ssn, 11) as x from customers order by id limit 50) s',
      'select name, v from customers c, lateral (select c.ssn || $$$$ as v) l order by id limit 50',
      'with recursive t(a, b) as (select name, ssn from customers where id <= 50 union all select b, null from t where b is not null) select lower(a) from t',
      'select q || $$$$ from (select id, ssn from customers where id <= 50) as s(id, q) join customers using (id)',
      'select lower(j.five) from (customers cross join (select 1) o) as j(a, b, c, d, five) order by a limit 50',
      'begin; declare c cursor for select ssn || $$$$ from customers order by id limit 50; fetch all c; commit',
      'prepare p as select lower(ssn) from customers order by id limit 50; execute p',
      'select profile #>> $${ssn}$$, profile[$$ssn$$], jsonb_path_query(profile, $$$.*$$) from customers order by id limit 50',
      'select (profile - $$name$$)::text, e.value from customers, jsonb_each_text(profile) e order by id limit 50',
      'update customers set name = name where id <= 50 returning lower(ssn), customers.*',
    ];
    for (const dodge of dodges) {
      const { stdout, stderr } = await psql('pipeline', dodge);
      for (const { ssn } of rows) {
        const said = `${stdout}${stderr}`;
        for (const form of [ssn, ssn.replaceAll('-', ''), [...ssn].reverse().join(''), Buffer.from(ssn).toString('hex')]) {
          assert.ok(!said.includes(form), `${dodge} showed ${form}`);
        }
      }
    }
  });

  it('passes what a hidden column only chooses, and says so on record; an answer in a column is masked', async () => {
    const { rows } = await bank.direct('select ssn, name from customers where id = 7');
    const { ssn, name } = rows[0] as { ssn: string; name: string };
    const chosen = [
      [`select count(*) from customers where ssn = '${ssn}'`, '1'],
      [`select upper(name) from customers where ssn = '${ssn}'`, name.toUpperCase()],
      [`with c as (select name from customers where ssn = '${ssn}') select name || '' from c union all select 'end'`, `${name}\nend`],
      [`select count(*) from customers a join customers b on a.ssn = b.ssn where a.id = 7`, '1'],
    ] as const;
    for (const [sql, expected] of chosen) assert.equal((await psql('pipeline', sql)).stdout.trim(), expected, sql);
    const answers = [
      `select ssn = '${ssn}' from customers where id = 7`,
      `select exists (select from customers where ssn = '${ssn}')`,
      `select (select 1 from customers where ssn = '${ssn}' limit 1)`,
      `select count(*) filter (where ssn = '${ssn}') from customers`,
      `select case ssn when '${ssn}' then 1 end from customers where id = 7`,
    ];
    for (const sql of answers) assert.equal((await psql('pipeline', sql)).stdout.trim(), '', sql);
    const { records } = (await bank.api('auditor-uma', '/api/v1/audit/records?type=operation.decided&limit=1000')) as {
      records: readonly { record: { text: string; facts: Record<string, unknown> } }[];
    };
    const decided = records.filter(({ record }) => record.text.startsWith('select count(*) from customers where ssn = '));
    assert.deepEqual(
      decided.map(({ record }) => record.facts['sensitive_predicates']),
      [['ssn']],
    );
  });

  it('shows no value that made-up rows spell out', async () => {
    const { rows } = await bank.direct('select ssn from customers where id = 7');
    const prefix = rows[0].ssn.slice(0, 3) as string;
    const spelled = [
      'select g from customers, generate_series(100, 999) g where id = 7 and left(ssn, 3)::int = g',
      'select count(*) + 99 from customers, generate_series(100, 999) g where id = 7 and left(ssn, 3)::int >= g',
      'select g from generate_series(100, 999) g where exists (select from customers where id = 7 and left(ssn, 3)::int = g)',
      'with w as (select g as h, g from generate_series(100, 999) g) select g from w, customers where id = 7 and left(ssn, 3)::int = h',
      'select g from generate_series(100, 999) g offset (select left(ssn, 3)::int - 100 from customers where id = 7) limit 1',
      `select '${prefix}' from customers where id = 7 and ssn like '${prefix}%' union all select '000' from customers where id = 7 and ssn like '000%'`,
    ];
    for (const sql of spelled) assert.ok(!(await psql('pipeline', sql)).stdout.includes(prefix), sql);
  });

  it('passes a place of a document that no rule names, and masks the one that one does', async () => {
    const { rows } = await bank.direct("select profile ->> 'segment' as segment, profile ->> 'ssn' as ssn from customers where id = 7");
    const { segment, ssn } = rows[0] as { segment: string; ssn: string };
    const shown = await psql(
      'pipeline',
      "select profile ->> 'segment', profile #>> '{segment}', profile['segment'] from customers where id = 7",
    );
    assert.equal(shown.stdout.trim(), `${segment}|${segment}|"${segment}"`);
    const hidden = await psql('pipeline', "select profile ->> 'ssn', profile['ssn'], profile from customers where id = 7");
    assert.equal(hidden.stdout.includes(ssn), false);
    assert.match(hidden.stdout, new RegExp(`"segment": "${segment}"`));
  });

  it('shows a class to those who may see it, and only that class', async () => {
    const { stdout } = await psql('fraud-omar', 'select pan from cards where id = 7', 'select ssn from customers where id = 7');
    const { rows } = await bank.direct('select (select pan from cards where id = 7), (select ssn from customers where id = 7)');
    assert.equal(stdout.trim(), `${rows[0].pan}\n***-**-${rows[0].ssn.slice(-4)}`);
  });

  it('finds card numbers in free text', async () => {
    const { rows } = await bank.direct("select id, memo from payments where memo like 'card %' order by id limit 1");
    const { stdout } = await psql('pipeline', `select memo from payments where id = ${rows[0].id}`);
    assert.match(stdout, /^card \*+\d{4}\n$/);
  });
});

describe('denials', () => {
  it('names the policy, keeps the session, and aborts the transaction as any error does', async () => {
    const { stdout, stderr } = await psql('pipeline', 'begin', 'drop table payments', 'select 1', 'rollback', 'select 2');
    assert.match(stderr, /no one drops tables or databases/);
    assert.match(stderr, /current transaction is aborted/);
    assert.equal(stdout.trim(), '2');
  });

  it('refuses a whole message when a part of it is refused', async () => {
    const before = await bank.direct('select count(*) from payments');
    const { stderr } = await psql('pipeline', 'delete from payments where id = 1; commit; drop table payments');
    assert.match(stderr, /ERROR/);
    assert.deepEqual((await bank.direct('select count(*) from payments')).rows, before.rows);
  });

  it('lets a stranger in nowhere, and says no more than it should', async () => {
    const { status, stderr } = await psql('stranger', 'select 1');
    assert.equal(status, 2);
    assert.doesNotMatch(stderr, /group|claim|repository/);
    const unknown = await run('psql', ['-X', '-c', 'select 1'], await bank.env('pipeline', { PGDATABASE: 'nowhere' }));
    assert.equal(unknown.status, 2);
  });

  it('refuses a token that is not one, and plaintext', async () => {
    const forged = await run('psql', ['-X', '-c', 'select 1'], await bank.env('pipeline', { PGPASSWORD: 'eyJhbGciOiJub25lIn0.e30.' }));
    assert.match(forged.stderr, /FATAL/);
    const plain = await run('psql', ['-X', '-c', 'select 1'], await bank.env('pipeline', { PGSSLMODE: 'disable' }));
    assert.match(plain.stderr, /encrypt/i);
  });
});

describe('a held command in a stock psql', () => {
  it('says at once that it waits, runs once another person approves, and is gone for everyone else', async () => {
    const waiting = start('psql', ['-X', '-c', 'begin', '-c', 'delete from cards', '-c', 'rollback'], await bank.env('pipeline'));
    const { id } = await pending('delete from cards');
    await eventually('the notice', () => (/waiting for approval by dba/.test(waiting.stderr()) ? true : undefined));
    await assert.rejects(approve(id, 'pipeline'), /401/);
    await assert.rejects(approve(id, 'fraud-omar'), /403/);
    await approve(id);
    const { stdout, status } = await waiting.done;
    assert.equal(status, 0);
    assert.match(stdout, /DELETE 6000/);
    await assert.rejects(approve(id), /40\d/);
  });

  it('is refused with the reviewer’s reason', async () => {
    const waiting = start('psql', ['-X', '-c', 'delete from cards', '-c', 'select 42'], await bank.env('pipeline'));
    await deny((await pending('delete from cards')).id);
    const { stdout, stderr } = await waiting.done;
    assert.match(stderr, /not on a Friday/);
    assert.match(stdout, /42/);
    assert.equal((await bank.direct('select count(*)::int as n from cards')).rows[0].n, 6000);
  });

  it('ends with Ctrl-C, and with the client’s end', async () => {
    const cancelled = start('psql', ['-X', '-c', 'delete from accounts', '-c', 'select 43'], await bank.env('pipeline'));
    const first = await pending('delete from accounts');
    cancelled.process.kill('SIGINT');
    const ran = await cancelled.done;
    assert.match(ran.stderr, /cancel/i);
    await assert.rejects(approve(first.id), /40\d/);

    const killed = start('psql', ['-X', '-c', 'delete from accounts'], await bank.env('pipeline'));
    const second = await pending('delete from accounts');
    killed.process.kill('SIGKILL');
    await eventually('the end of the request', async () => {
      const { state } = (await bank.api('dba-erin', `/api/v1/approvals/${second.id}`)) as Approval;
      return state === 'cancelled' ? true : undefined;
    });
    assert.equal((await bank.direct('select count(*)::int as n from accounts')).rows[0].n, 8000);
  });
});

describe('psql’s own commands', () => {
  it('describes, copies and cancels as without a gateway', async () => {
    const { stdout } = await psql('pipeline', '\\d cards');
    assert.match(stdout, /account_id/);
    const copied = await run(
      'psql',
      ['-X', '-q', '-c', '\\copy payments (account_id, amount, payee, made_at) from stdin'],
      await bank.env('pipeline'),
      '1\t2.50\tTest Payee\t2026-11-01\n',
    );
    assert.equal(copied.status, 0, copied.stderr);
    const out = await psql('pipeline', "copy (select payee, amount from payments where payee = 'Test Payee') to stdout");
    assert.equal(out.stdout, 'Test Payee\t2.50\n');
  });

  it('cancels a running statement with the gateway’s own key', async () => {
    const running = start('psql', ['-X', '-c', 'select count(*) from generate_series(1, 1000000000)'], await bank.env('pipeline'));
    await eventually('the statement', async () => {
      const { rows } = await bank.direct(
        "select 1 from pg_stat_activity where state = 'active' and query like '%generate_series%' and pid <> pg_backend_pid()",
      );
      return rows[0];
    });
    running.process.kill('SIGINT');
    const { stderr } = await running.done;
    assert.match(stderr, /canceling statement due to user request/);
  });
});
