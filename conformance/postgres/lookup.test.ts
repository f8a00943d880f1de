import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import pg from 'pg';
import { eventually, run, startBank, type Bank } from '../harness.ts';

const sqlOfPlan = 'explain (verbose) select id from customers where ssn = $1';
const policies = `
@id("pipelines may do everything")
permit (
  principal in Group::"deployers",
  action in [Action::"connect", Action::"read", Action::"write", Action::"define", Action::"transfer", Action::"execute"],
  resource in Label::"env=production"
);

@id("pipelines see everything on open targets")
permit (principal in Group::"deployers", action == Action::"reveal", resource)
when { context.target in Label::"masking=open" };

@id("looking up customers waits for the database administrators")
@review("dba") @approvals("1") @expires("15m")
forbid (principal, action in Action::"read", resource)
when { context.target in Label::"held=yes" && context has lookups && context.lookups.contains("ssn") };
`;

/** A session at a target, which keeps every byte that it is sent. */
class Session extends pg.Client {
  readonly #seen: Buffer[] = [];

  async open(): Promise<void> {
    await this.connect();
    (this as unknown as { connection: { stream: NodeJS.ReadableStream } }).connection.stream.on('data', (bytes: Buffer) =>
      this.#seen.push(Buffer.from(bytes)),
    );
  }

  forget(): void {
    this.#seen.length = 0;
  }

  /** What came, message by message, as tag and body; notices left out, and of errors and rows nothing but the tag. */
  messages(): string[] {
    const bytes = Buffer.concat(this.#seen);
    const all: string[] = [];
    for (let at = 0; at + 5 <= bytes.length; at += 1 + bytes.readInt32BE(at + 1)) {
      const tag = bytes.toString('latin1', at, at + 1);
      if (tag !== 'N') all.push('ED'.includes(tag) ? tag : bytes.toString('latin1', at, at + 1 + bytes.readInt32BE(at + 1)));
    }
    return all;
  }

  get seen(): string {
    return Buffer.concat(this.#seen).toString('latin1');
  }

  /** Fails where a value that is hidden came to the client, also with its blanks, or without its hyphens. */
  assertUnseen(): void {
    for (const value of [truth.ssn, truth.account]) {
      assert.ok(!this.seen.includes(value), `${value} in ${this.seen.slice(this.seen.indexOf(value) - 300).slice(0, 400)}`);
      assert.ok(!this.seen.includes(value.replaceAll('-', '')));
    }
  }
}

/**
 * Looking up by pseudonym, against a PostgreSQL that tells as much as it can: plans, durations and parameters go to whoever asks for the
 * server's log (`client_min_messages`). No detectors, so that nothing but the look-up itself keeps a value from the client.
 */
let bank: Bank;
/** Values of customer 7, and of account 12, which is his sixth. */
let truth: { ssn: string; name: string; account: string };
/** The same as a session sees it that may not see more. */
let shown: { ssn: string; account: string; other: string };

before(async () => {
  bank = await startBank({
    policies: { 'lookup.cedar': policies },
    adjust: (config) => {
      const { orders } = config.targets as Record<string, { labels: object }>;
      const named = {
        orders,
        open: { ...orders!, labels: { ...orders!.labels, masking: 'open' } },
        strict: { ...orders!, masking: 'strict' },
        held: { ...orders!, labels: { ...orders!.labels, held: 'yes' } },
      };
      config.targets = Object.fromEntries(Object.entries(named).map(([name, target]) => [name, structuredClone(target)]));
      const columns = (names: readonly string[]) =>
        Object.keys(named).flatMap((target) => names.map((column) => `${target}/public.${column}`));
      config.data_classes = {
        ssn: { columns: columns(['customers.ssn', 'visits.ssn']), mask: 'pseudonym', lookup: true },
        'account-number': { columns: columns(['accounts.number']), mask: 'pseudonym', lookup: true },
        phone: { columns: columns(['customers.phone']), mask: 'pseudonym' },
      };
    },
  });
  await bank.direct(
    'create domain number_of_person as text check (length(value) > 3); create table visits (id integer primary key, ssn number_of_person not null unique, n integer check (n < 100)); alter table visits owner to gateway',
  );
  await bank.direct('insert into visits select distinct on (ssn) id, ssn, 1 from customers where id <= 100 order by ssn, id');
  await bank.direct('alter role gateway set log_min_duration_statement = 0; alter role gateway set log_parameter_max_length_on_error = -1');
  await bank.direct("alter role gateway set session_preload_libraries = 'auto_explain'");
  await bank.direct("alter role gateway set auto_explain.log_min_duration = 0; alter role gateway set auto_explain.log_level = 'notice'");
  const { rows } = await bank.direct(
    'select ssn, name, number as account from customers, accounts where customers.id = 7 and accounts.id = 12',
  );
  truth = rows[0] as typeof truth;
  const client = await connect('orders');
  const seen = await client.query('select ssn, number as account from customers, accounts where customers.id = 7 and accounts.id = 12');
  const other = await client.query('select ssn from customers where id = 8');
  shown = { ...(seen.rows[0] as { ssn: string; account: string }), other: other.rows[0].ssn };
  await client.end();
  assert.match(shown.ssn, /^\d{3}-\d\d-\d{4}$/);
  assert.notEqual(shown.ssn, truth.ssn);
});
after(async () => {
  await bank?.close();
});

async function connect(target: string, as = 'pipeline'): Promise<Session> {
  const client = new Session({ ...(await bank.client(as)), database: target });
  client.on('error', () => {});
  await client.open();
  return client;
}

async function using<T>(target: string, work: (client: Session) => Promise<T>): Promise<T> {
  const client = await connect(target);
  try {
    const result = await work(client);
    client.assertUnseen();
    return result;
  } finally {
    await client.end();
  }
}

/** Ids found, in order. */
async function ids(client: pg.Client, text: string, values: readonly unknown[], more: object = {}): Promise<number[]> {
  const { rows } = await client.query({ text, values: [...values], ...more });
  return rows.map((row: { id: number }) => row.id).sort((a, b) => a - b);
}

async function refusal(client: pg.Client, text: string, values?: readonly unknown[]): Promise<string> {
  return client.query(text, values === undefined ? undefined : [...values]).then(
    () => assert.fail(`${text} was not refused`),
    (error: unknown) => {
      assert.ok(error instanceof pg.DatabaseError, String(error));
      assert.equal(error.code, '42501', `${text}: ${error.message}`);
      return `${error.message} ${error.hint}`;
    },
  );
}

describe('a bound pseudonym finds what it stands for', () => {
  const found: readonly (readonly [string, () => readonly unknown[], readonly number[]])[] = [
    ['select id from customers where ssn = $1', () => [shown.ssn], [7]],
    ['select id from customers c where $1 = c.ssn', () => [shown.ssn], [7]],
    ['select id from public.customers where customers.ssn = $1::text and id < 5000', () => [shown.ssn], [7]],
    ['select id from customers where ssn = $1::varchar', () => [shown.ssn], [7]],
    ['select id from customers where ssn is not distinct from $1', () => [shown.ssn], [7]],
    ['select id from customers where ssn in ($1, $2)', () => [shown.ssn, shown.other], [7, 8]],
    ['select id from customers where ssn = any ($1)', () => [[shown.ssn, shown.other]], [7, 8]],
    ['select id from customers where ssn = any ($1::text[])', () => [[shown.ssn, null, shown.other]], [7, 8]],
    ['select id from customers where ssn = any (array[$1, $2])', () => [shown.ssn, shown.other], [7, 8]],
    ['select id from customers where ssn not in ($1) and id between 6 and 8', () => [shown.ssn], [6, 8]],
    ['select id from customers where ssn <> $1 and id between 6 and 8', () => [shown.ssn], [6, 8]],
    ['select id from customers where ssn is distinct from $1 and id between 6 and 8', () => [shown.ssn], [6, 8]],
    ['select id from customers where ssn <> all ($1) and id between 6 and 8', () => [[shown.ssn]], [6, 8]],
    ['select id from customers where ssn = $1 or ssn = $2', () => [shown.ssn, shown.other], [7, 8]],
    ['select id from customers where ssn = $1 and phone is not null and ssn = $1', () => [shown.ssn], [7]],
    ['select id from accounts where number = $1', () => [shown.account], [12]],
    ['select id from accounts where number = $1', () => [`${shown.account}   `], [12]],
    ['select id from accounts where number = $1::text', () => [shown.account], [12]],
    ['select id from accounts where number = any ($1)', () => [[shown.account, null]], [12]],
    ['select c.id from customers c join visits v on c.ssn = v.ssn where v.ssn = $1', () => [shown.ssn], [7]],
    ['select c.id from customers c join visits v on v.ssn = $1 and c.ssn = v.ssn', () => [shown.ssn], [7]],
    ['select c.id from customers c join visits using (ssn) where ssn = $1', () => [shown.ssn], [7]],
    ['select c.id from customers c, accounts a where c.ssn = $1 and a.number = $2', () => [shown.ssn, shown.account], [7]],
    ['select id from customers where id in (select v.id from visits v where v.ssn = $1)', () => [shown.ssn], [7]],
    ['with w as (select id, ssn as hidden from customers) select id from w where hidden = $1', () => [shown.ssn], [7]],
    ['select id from (select * from customers limit 100) s where s.ssn = $1', () => [shown.ssn], [7]],
    [
      'select id from (select id, ssn from customers where id < 9 union all select id, ssn from visits where id > 9) s where ssn = $1',
      () => [shown.ssn],
      [7],
    ],
    ['select id from customers where ssn = $1 and id = $2', () => [shown.ssn, 7], [7]],
    ['select id from customers where ssn = $1', () => [''], []],
    ['select id from customers where ssn = $1', () => [null], []],
  ];
  for (const [sql, values, expected] of found)
    it(sql, () => using('orders', async (client) => assert.deepEqual(await ids(client, sql, values()), expected)));

  it('in binary, by a name, again and again', () =>
    using('orders', async (client) => {
      for (const value of [shown.ssn, shown.other, shown.ssn])
        assert.equal(
          (await ids(client, 'select id from customers where ssn = $1', [Buffer.from(value)], { name: 'by ssn', binary: true })).length,
          1,
        );
      // array_send: one dimension, no nulls, text (25), two elements, lower bound 1.
      const element = (value: string) => Buffer.concat([int32(value.length), Buffer.from(value)]);
      const array = Buffer.concat([...[1, 0, 25, 2, 1].map(int32), element(shown.ssn), element(shown.other)]);
      assert.deepEqual(await ids(client, 'select id from customers where ssn = any ($1::text[])', [array]), [7, 8]);
    }));

  it('to change and to delete, and RETURNING shows pseudonyms', () =>
    using('orders', async (client) => {
      await client.query('begin');
      const updated = await client.query('update visits set n = n + 1 where ssn = $1 returning id, n, ssn', [shown.ssn]);
      assert.deepEqual(updated.rows, [{ id: 7, n: 2, ssn: shown.ssn }]);
      const merged = await client.query(
        'merge into visits v using customers c on c.id = v.id and v.ssn = $1 when matched then update set n = v.n + 1',
        [shown.ssn],
      );
      assert.equal(merged.rowCount, 1);
      const deleted = await client.query('delete from visits where ssn = $1', [shown.ssn]);
      assert.equal(deleted.rowCount, 1);
      await client.query('rollback');
    }));

  it('is the same to a session that sees the value: there the value finds it, and the pseudonym nothing', async () => {
    const client = await connect('open');
    assert.deepEqual(await ids(client, 'select id from customers where ssn = $1', [truth.ssn]), [7]);
    assert.deepEqual(await ids(client, 'select id from customers where ssn = $1', [shown.ssn]), []);
    assert.deepEqual(await ids(client, `select id from customers where ssn = '${truth.ssn}'`, []), [7]);
    await client.end();
  });

  it('in strict mode too, where no other condition passes', () =>
    using('strict', async (client) => {
      assert.deepEqual(await ids(client, 'select id from customers where ssn = $1 and id < 5000', [shown.ssn]), [7]);
      assert.deepEqual(
        await ids(client, 'select c.id from customers c join visits v on v.id = c.id and v.ssn in ($1, $2)', [shown.ssn, shown.other]),
        [7, 8],
      );
      assert.match(await refusal(client, 'select id from customers where ssn = $1 and ssn like $2', [shown.ssn, '1%']), /strict/);
      assert.match(await refusal(client, 'select ssn = $1 from customers', [shown.ssn]), /strict/);
      assert.match(
        await refusal(client, 'select c.id from customers c join visits v on v.ssn = c.ssn where c.ssn = $1', [shown.ssn]),
        /strict/,
      );
      assert.match(await refusal(client, 'select id from customers where ssn in ($1, upper(name))', [shown.ssn]), /strict/);
    }));
});

describe('a pseudonym in the text of a Query finds what it stands for', () => {
  /** `S`: the pseudonym of customer 7, or his number where that is seen; `O`: that of 8; `A`: account 12. */
  const found: readonly (readonly [string, readonly number[]])[] = [
    ["select id from customers where ssn = 'S'", [7]],
    ["select id from customers where 'S' = ssn;", [7]],
    ["select id /* ssn = 'x' */ from customers where ssn in ('S', 'O') -- 'S'", [7, 8]],
    ['select id from customers where ssn = any (\'{S,"O"}\')', [7, 8]],
    ["select id from customers where ssn = any (array['S', 'O']::text[])", [7, 8]],
    ["select id from customers where ssn is not distinct from 'S'::varchar and name <> 'it''s €'", [7]],
    ["select id from customers where ssn not in ('S') and ssn <> '' and id between 6 and 8", [6, 8]],
    ["select id from accounts where number = 'A'", [12]],
    ["select c.id from customers c join visits v on c.ssn = v.ssn where v.ssn = 'S'", [7]],
    ["with w as (select * from customers where ssn = 'S') select w.id from w, accounts a where a.number = 'A'", [7]],
    ["update visits set n = n where ssn = 'S' returning id", [7]],
    ["select id from customers where ssn = 'S' and false", []],
    ["update visits set n = n where ssn = 'S'", []],
    ["delete from visits where ssn = 'S' and id = 8", []],
  ];
  const spelled = (sql: string, ssn: string, other: string, account: string) =>
    sql
      .replaceAll(/(?<=['"{])S(?=['",}])/g, ssn)
      .replaceAll(/(?<=['"{])O(?=['",}])/g, other)
      .replaceAll(/(?<=')A(?=')/g, account);

  for (const [sql, expected] of found)
    it(`${sql}, and is answered as a Query is`, async () => {
      const { rows } = await bank.direct('select ssn from customers where id = 8');
      const open = await connect('open');
      open.forget();
      await open.query(spelled(sql, truth.ssn, rows[0].ssn, truth.account));
      await using('orders', async (client) => {
        client.forget();
        const text = spelled(sql, shown.ssn, shown.other, shown.account);
        const result = await client.query(text);
        assert.deepEqual(
          result.rows.map((row: { id: number }) => row.id).sort((a, b) => a - b),
          expected,
        );
        assert.deepEqual(client.messages(), open.messages());
      });
      await open.end();
    });

  it('in strict mode, in a transaction, one after the other without waiting', async () => {
    await using('strict', async (client) =>
      assert.deepEqual(await ids(client, `select id from customers where ssn = '${shown.ssn}'`, []), [7]),
    );
    await using('orders', async (client) => {
      const one = `select id from customers where ssn = '${shown.ssn}'`;
      const all = await Promise.all(['begin', one, 'select 1 as id', one, 'commit', one].map((sql) => client.query(sql)));
      assert.deepEqual(
        all.map(({ rows }) => (rows as { id: number }[]).map((row) => row.id)),
        [[], [7], [1], [7], [], [7]],
      );
    });
  });

  it('fails as a Query does: its place in the text, its transaction, and nothing of it is left', async () => {
    const broken = (ssn: string) => `select 1 / (id - 7), nme from customers where ssn = '${ssn}'`;
    const dividing = (ssn: string) => `select 1 / (id - 7) from customers where ssn = '${ssn}' and id < 9`;
    const open = await connect('open');
    await using('orders', async (client) => {
      for (const sql of [broken, dividing]) {
        const [seen, hidden] = await Promise.all([
          open.query(sql(truth.ssn)).then(
            () => assert.fail('it ran'),
            (error: pg.DatabaseError) => error,
          ),
          client.query(sql(shown.ssn)).then(
            () => assert.fail('it ran'),
            (error: pg.DatabaseError) => error,
          ),
        ]);
        assert.deepEqual([hidden.code, hidden.position], [seen.code, seen.position]);
      }
      await client.query('begin');
      await assert.rejects(client.query(dividing(shown.ssn)), { code: '22012' });
      await assert.rejects(client.query(`select id from customers where ssn = '${shown.ssn}'`), { code: '25P02' });
      await client.query('rollback');
      assert.deepEqual(await ids(client, `select id from customers where ssn = '${shown.ssn}'`, []), [7]);
    });
    await open.end();
  });

  it('leaves no unnamed statement or portal behind that would run unjudged', async () => {
    const wire = await connect('orders');
    const { connection } = wire as unknown as { connection: { stream: { write(bytes: Uint8Array): void } } };
    const errors: string[] = [];
    wire.on('error', (error) => errors.push((error as pg.DatabaseError).code ?? String(error)));
    await wire.query({ text: 'select 1 as one, $1::text', values: ['x'] });
    await assert.rejects(wire.query(`select 1 / (id - 7) from customers where ssn = '${shown.ssn}'`), { code: '22012' });
    await eventually('the end of it', () => wire.messages().at(-1)?.startsWith('Z') || undefined);
    wire.forget();
    const text = (value: string) => Buffer.from(`${value}\0`);
    const frame = (tag: string, ...parts: Buffer[]) =>
      Buffer.concat([Buffer.from(tag), int32(parts.reduce((sum, { length }) => sum + length, 4)), ...parts]);
    const short = (value: number) => Buffer.from([0, value]);
    connection.stream.write(frame('B', text(''), text(''), short(0), short(1), int32(11), Buffer.from(truth.ssn), short(0)));
    connection.stream.write(frame('E', text(''), int32(0)));
    connection.stream.write(frame('S'));
    await eventually('an answer', () => wire.messages().some((each) => each.startsWith('Z')) || undefined);
    assert.deepEqual(
      wire.messages().map((each) => each[0]),
      ['E', 'Z'],
    );
    assert.match(wire.seen, /26000/);
    await wire.end();
  });

  it('is refused where the text is no plain constant, or is prepared', () =>
    using('orders', async (client) => {
      for (const literal of [
        `E'${shown.ssn}'`,
        `$$${shown.ssn}$$`,
        `text '${shown.ssn}'`,
        `U&'${shown.ssn}'`,
        `N'${shown.ssn}'`,
        `'${shown.ssn.slice(0, 4)}'\n'${shown.ssn.slice(4)}'`,
      ])
        assert.match(await refusal(client, `select id from customers where ssn = ${literal}`), /plain constant/, literal);
      assert.match(
        await refusal(client, `select id from customers where ssn = '${shown.ssn}' and id = $1`, [7]),
        /prepared.*bound parameter/,
      );
      assert.match(await refusal(client, `select id from customers where ssn = '12345'`), /no pseudonym that can be turned back/);
      assert.deepEqual(await ids(client, `select id from customers where ssn <> '' and ssn = $1`, [shown.ssn]), [7]);
      assert.deepEqual(await ids(client, `select id from customers where ssn = '${truth.ssn}'`, []), []);
    }));

  it('of a stock psql', async () => {
    const psql = async (sql: string) => (await run('psql', ['-X', '-A', '-t', '-q', '-c', sql], await bank.env('pipeline'))).stdout.trim();
    const seen = await psql('select ssn from customers where id = 7');
    // What psql asks of the catalogue for itself changes nothing.
    const described = ['-c', String.raw`\d customers`, '-c', String.raw`\df`, '-c', `select id from customers where ssn = '${seen}'`];
    const after_ = await run('psql', ['-X', '-A', '-t', '-q', ...described], await bank.env('pipeline'));
    assert.equal(after_.stdout.trim().split('\n').at(-1), '7');
    assert.equal(await psql(`select id, ssn from customers where ssn = '${seen}'`), `7|${seen}`);
    assert.equal(await psql(`update visits set n = n where ssn = '${seen}' returning id`), '7');
    assert.equal(await psql(`select id from customers where ssn = '${truth.ssn}'`), '');
  });
});

describe('a value is no pseudonym', () => {
  it('finds nothing, however it is bound', () =>
    using('orders', async (client) => {
      for (const sql of ['ssn = $1', 'ssn in ($1)', 'ssn is not distinct from $1::text'])
        assert.deepEqual(await ids(client, `select id from customers where ${sql}`, [truth.ssn]), [], sql);
      assert.deepEqual(await ids(client, 'select id from customers where ssn = any ($1)', [[truth.ssn]]), []);
      assert.deepEqual(await ids(client, 'select id from accounts where number = $1', [truth.account]), []);
    }));

  it('is not compared with what the client itself wrote', () =>
    using('orders', async (client) => {
      const rows = `(values ('${shown.ssn}'), ((select ssn from visits limit 0))) g (x)`;
      // Were the pseudonym turned back here, a column of all numbers would say which one it is.
      assert.deepEqual((await client.query(`select count(*)::int as n from ${rows} where x = $1`, [shown.ssn])).rows, [{ n: 1 }]);
      const united = `(select '${shown.ssn}' as x union all select ssn from visits where false) g`;
      assert.deepEqual((await client.query(`select count(*)::int as n from ${united} where x = $1`, [shown.ssn])).rows, [{ n: 1 }]);
    }));
});

describe('a table of all numbers does not say what a pseudonym stands for', () => {
  it('where code has made it, under the name of the table that is looked up', () =>
    using('orders', async (client) => {
      const { rows } = await bank.direct('select min(n) as n from visits');
      assert.deepEqual(rows, [{ n: 1 }]);
      // Where the value is, is asked by halves.
      await client.query(
        `do $$ begin create temp table visits as select id, 'x'::text as ssn, id as n from public.visits; update visits v set ssn = p.ssn from public.visits p where p.id = v.id; end $$`,
      );
      const half = 'select 1 as found from visits where ssn = $1 and n < 50';
      assert.match(await refusal(client, half, [shown.ssn]), /by the name of a table alone.*schema\.table/);
      assert.match(await refusal(client, half.replace('$1', `'${shown.ssn}'`)), /by the name of a table alone/);
      assert.deepEqual(await ids(client, 'select id from public.visits where ssn = $1 and n < 50', [shown.ssn]), [7]);
    }));
});

describe('what could give the value back is refused, with the way out', () => {
  const cases: readonly (readonly [string, () => readonly unknown[] | undefined, RegExp])[] = [
    ['select $1 from customers where ssn = $1', () => [shown.ssn], /by \$1, which the statement also uses otherwise.*parameter of its own/],
    ['select id from customers where ssn = $1 and name <> $1', () => [shown.ssn], /uses otherwise/],
    ['select id from customers where ssn = $1 or $1 is null', () => [shown.ssn], /uses otherwise/],
    ['select id from customers where ssn = $1 order by ($1)::text', () => [shown.ssn], /uses otherwise/],
    ['update visits set ssn = $1 where ssn = $1', () => [shown.ssn], /uses otherwise/],
    ['select id from customers where ssn = $1 and upper(ssn) = $1', () => [shown.ssn], /uses otherwise/],
    [
      'select c.id from customers c, accounts a where c.ssn = $1 and a.number = $1',
      () => [shown.ssn],
      /several classes.*one parameter for each/,
    ],
    ['select id from customers where ssn = $1 or ssn = any ($1)', () => [shown.ssn], /one value and for an array/],
    ['declare c cursor for select id from customers where ssn = $1', () => [shown.ssn], /by DECLARE/],
    ['select id from customers where ssn = $1', () => ['12345'], /no pseudonym that can be turned back/],
    ['select id from customers where ssn = $1', () => ['Müller 12345678'], /no pseudonym that can be turned back/],
    ['select id from customers where ssn = any ($1)', () => ['[0:0]={a}'], /cannot be read/],
    ['select id from customers where ssn = any ($1)', () => ['{{123-45-6789}}'], /cannot be read/],
  ];
  for (const [sql, values, expected] of cases)
    it(sql, () => using('orders', async (client) => assert.match(await refusal(client, sql, values()), expected)));

  it('PREPARE, EXECUTE and several statements at once', () =>
    using('orders', async (client) => {
      await client.query('prepare p as select id from customers where ssn = $1');
      assert.match(await refusal(client, `execute p ('${shown.ssn}')`), /by EXECUTE/);
      await client.query({ name: 'named', text: 'select id from customers where ssn = $1', values: [shown.ssn] });
      assert.match(await refusal(client, `execute named ('${shown.ssn}')`), /by EXECUTE/);
      assert.match(await refusal(client, `select 1; select id from customers where ssn = '${shown.ssn}'`), /several statements/);
      assert.match(await refusal(client, `copy (select id from customers where ssn = '${shown.ssn}') to stdout`), /cannot be looked up/);
      assert.match(await refusal(client, `declare c cursor for select id from customers where ssn = '${shown.ssn}'`), /by DECLARE/);
    }));

  it('a foreign table beside it', async () => {
    await bank.direct(
      'create extension if not exists postgres_fdw; create server far foreign data wrapper postgres_fdw; create foreign table far_people (ssn text) server far; grant select on far_people to gateway',
    );
    await using('orders', async (client) => {
      const sql = 'select c.id from customers c, far_people f where f.ssn = c.ssn and c.ssn = $1';
      await eventually('the gateway knows the foreign table', async () =>
        /beside a foreign table/.test(await client.query(sql, [shown.ssn]).then(String, String)) ? true : undefined,
      );
      assert.match(await refusal(client, sql, [shown.ssn]), /beside a foreign table/);
    });
    await bank.direct('drop server far cascade');
  });
});

describe('a value cannot be guessed by such a comparison, in strict mode', () => {
  /** Parse is left out: the statement was named by SQL. */
  const bindTo = async (client: Session, name: string): Promise<string[]> => {
    client.forget();
    const { connection } = client as unknown as { connection: { stream: { write(bytes: Uint8Array): void } } };
    const text = (value: string) => Buffer.from(`${value}\0`);
    const frame = (tag: string, ...parts: Buffer[]) =>
      Buffer.concat([Buffer.from(tag), int32(parts.reduce((sum, { length }) => sum + length, 4)), ...parts]);
    connection.stream.write(
      Buffer.concat([frame('B', text(''), text(name), Buffer.alloc(6)), frame('D', text('P')), frame('E', text(''), int32(0)), frame('S')]),
    );
    await eventually('an answer', () => client.messages().at(-1)?.startsWith('Z') || undefined);
    return client.messages().map((each) => each[0]!);
  };

  it('of a statement that SQL has named, alone or behind one whose constant stands for nothing', async () => {
    for (const before_ of ['', "select id from customers where ssn = '' and id = 0; ", 'select 1; ']) {
      const client = await connect('strict');
      const errors: unknown[] = [];
      client.on('error', (error) => errors.push(error));
      await client.query(`${before_}prepare p as select id from customers where ssn = '${truth.ssn}'`).catch(() => {});
      assert.ok((await bindTo(client, 'p')).includes('E'), before_);
      assert.ok(!client.messages().some((each) => each.startsWith('D')), before_);
      await client.end();
    }
  });
});

describe('the value comes back by no other way', () => {
  it('not by what the server knows of statements', () =>
    using('orders', async (client) => {
      await client.query('begin');
      const bound = { name: 'kept', text: 'select id, current_query() as q from customers where ssn = $1', values: [shown.ssn] };
      await client.query(bound);
      for (const sql of [
        'select * from pg_stat_activity',
        'select * from pg_prepared_statements',
        'select * from pg_cursors',
        'select current_query()',
        'explain (analyze, verbose) execute kept (null)',
        `explain (verbose) select id from customers where ssn = '${shown.ssn}'`,
      ])
        await client.query(`savepoint s; ${sql}`).catch(async () => client.query('rollback to savepoint s'));
      const [row] = (
        await client.query(
          `select current_query() as q, (select string_agg(query, '') from pg_stat_activity) as a from customers where ssn = '${shown.ssn}'`,
        )
      ).rows;
      assert.notEqual(row, undefined);
      await client.query(`select current_query(), id from customers where ssn = '${shown.ssn}'`);
      await client.query(sqlOfPlan, [shown.ssn]).catch(() => {});
      await client.query('rollback');
    }));

  it('not by errors, whatever the server adds to them', () =>
    using('orders', async (client) => {
      await client.query('set log_parameter_max_length_on_error = -1').catch(() => {});
      await client.query("set client_min_messages = 'debug1'").catch(() => {});
      for (const sql of [
        'select 1 / (id - 7) from customers where ssn = $1',
        'select name::integer from customers where ssn = $1',
        'select ssn::integer from customers where ssn = $1',
        'update visits set n = 1000 where ssn = $1',
        'update visits set id = 8 where ssn = $1',
        'update visits set ssn = null where ssn = $1',
        'insert into visits select 8, v.id::text, 1 from visits v where v.ssn = $1',
        'select name::regclass from customers where ssn = $1',
        'select id from customers where ssn = $1 and name::regclass is not null',
      ])
        for (const send of [() => client.query(sql, [shown.ssn]), () => client.query(sql.replace('$1', `'${shown.ssn}'`))])
          await assert.rejects(send(), sql);
    }));

  it('not by the log that a client may ask for: plans, parameters, durations; not in what follows either', () =>
    using('orders', async (client) => {
      const notices: string[] = [];
      client.on('notice', (notice) => notices.push(String(notice.message)));
      for (const setting of ["client_min_messages = 'log'", 'debug_print_plan = on', 'debug_print_parse = on', 'debug_pretty_print = on'])
        await client.query(`set ${setting}`);
      await client.query('select id from customers where ssn = $1', [shown.ssn]);
      await client.query(`select id from customers where ssn = '${shown.ssn}'`);
      assert.ok(notices.length > 0, 'the server sends its log');
      assert.ok(
        notices.some((text) => text.includes('withheld by masking')),
        `plans are withheld: ${notices.join('|')}`,
      );
      await client.query('begin');
      // A portal that lives on; another statement is running when it is dropped.
      const first = client.query({ text: 'select id from customers where ssn = $1', values: [shown.ssn], rows: 1 } as pg.QueryConfig);
      const second = client.query('select 1');
      await Promise.all([first, second, client.query('commit')]);
      await Promise.all([
        client.query('select id from customers where ssn = $1', [shown.ssn]),
        client.query('select 1 as one, $1::text as two', ['x']),
        client.query('select 2'),
      ]);
    }));

  it('not in the record, which keeps the classes; a reviewer sees what the client sent', async () => {
    const held = await connect('held');
    const answer = held.query('select id, name from customers where ssn = $1', [shown.ssn]);
    const approval = await eventually('the approval', async () => {
      const { approvals } = (await bank.api('dba-erin', '/api/v1/approvals?state=pending')) as { approvals: readonly { id: string }[] };
      return approvals[0];
    });
    const text = JSON.stringify(await bank.api('dba-erin', `/api/v1/approvals/${approval.id}`));
    assert.ok(text.includes(shown.ssn), text);
    assert.ok(!text.includes(truth.ssn));
    await bank.api('dba-erin', `/api/v1/approvals/${approval.id}/approve`, { method: 'POST', body: '{"reason":"ok"}' });
    assert.deepEqual((await answer).rows, [{ id: 7, name: truth.name }]);
    held.assertUnseen();
    await held.end();
    const records = JSON.stringify(await bank.api('auditor-uma', '/api/v1/audit/records?limit=1000'));
    assert.match(records, /"lookups":\["ssn"\]/);
    assert.ok(!records.includes(truth.ssn) && !records.includes(truth.account));
    const data = join(bank.folder, 'data');
    const written = readdirSync(data, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
    const texts = written.map((entry) => readFileSync(join(entry.parentPath, entry.name), 'latin1'));
    assert.ok(
      texts.some((each) => each.includes(shown.ssn)),
      'samples of rows are there, with pseudonyms',
    );
    for (const each of texts) assert.ok(!each.includes(truth.ssn) && !each.includes(truth.account));
  });
});

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}
