import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { attempt, capability, report } from './capability.ts';

/** node-postgres, run as a program of its own: one JSON line for each capability. */
const { env } = process;
const config: pg.ClientConfig = {
  host: env.PGHOST!,
  port: Number(env.PGPORT),
  database: env.PGDATABASE!,
  user: env.PGUSER!,
  password: env.PGPASSWORD!,
  ssl: { ca: readFileSync(env.PGSSLROOTCERT!, 'utf8') },
};

async function connect(changes: pg.ClientConfig = {}): Promise<pg.Client> {
  const client = new pg.Client({ ...config, ...changes });
  client.on('error', () => {});
  await client.connect();
  return client;
}

type Connection = pg.Connection & {
  sendCopyFromChunk(chunk: Buffer): void;
  endCopyFrom(): void;
};

/** What the driver's own copy package does: a query object that speaks COPY. */
class Copy {
  readonly done: Promise<Buffer>;
  readonly #text: string;
  readonly #input: readonly Buffer[];
  readonly #output: Buffer[] = [];
  #settle!: { resolve: (data: Buffer) => void; reject: (error: Error) => void };
  #error: Error | undefined;

  constructor(text: string, input: readonly Buffer[] = []) {
    this.#text = text;
    this.#input = input;
    this.done = new Promise((resolve, reject) => {
      this.#settle = { resolve, reject };
    });
  }

  submit(connection: Connection): void {
    connection.query(this.#text);
  }

  handleCopyInResponse(connection: Connection): void {
    for (const chunk of this.#input) connection.sendCopyFromChunk(chunk);
    connection.endCopyFrom();
  }

  handleCopyData(message: { chunk: Buffer }): void {
    this.#output.push(message.chunk);
  }

  handleCommandComplete(): void {}

  handleError(error: Error): void {
    this.#error = error;
    this.#settle.reject(error);
  }

  handleReadyForQuery(): void {
    if (this.#error === undefined) this.#settle.resolve(Buffer.concat(this.#output));
  }
}

function copy(client: pg.Client, text: string, input?: readonly Buffer[]): Promise<Buffer> {
  const request = new Copy(text, input);
  client.query(request as unknown as pg.Submittable);
  return request.done;
}

/** Answers until the end, fetched `rows` at a time: Execute with a limit of rows. */
function inPortions(client: pg.Client, text: string, values: unknown[], rows: number): Promise<pg.QueryResult> {
  return new Promise((resolve, reject) => {
    const query = new pg.Query({ text, values, rows } as pg.QueryConfig, (error: Error | undefined, result: pg.QueryResult) =>
      error ? reject(error) : resolve(result),
    );
    client.query(query);
  });
}

const client = await connect();
const rows = async (text: string, values?: unknown[]): Promise<unknown[]> =>
  (await client.query({ text, rowMode: 'array', ...(values === undefined ? {} : { values }) })).rows;
const binary = async (text: string, values: unknown[] = []): Promise<unknown[]> =>
  (await client.query({ text, values, binary: true } as pg.QueryConfig)).rows;
const fresh = () => client.query('delete from items');

await capability('simple query', async () => rows('select id, name from customers order by id limit 3'));
await capability('prepared query', async () => [
  await rows('select $1::int + id, name from customers where id = $2', [40, 2]),
  (await client.query({ name: 'by-id', text: 'select name from customers where id = $1', values: [3] })).rows,
  (await client.query({ name: 'by-id', text: 'select name from customers where id = $1', values: [4] })).rows,
]);
await capability('types as text', () => rows('select * from typed where id = $1', [1]));
await capability('types in binary', () => binary('select i2, i4, i8, num, f4, f8, b, t, vc, by, u from typed where id = $1', [1]));
await capability('types as parameters', () =>
  rows('select $1::int8, $2::numeric, $3::bool, $4::bytea, $5::jsonb, $6::int[], $7::timestamptz, $8::float8', [
    '9007199254740993',
    '1.50',
    true,
    Buffer.from([0, 255]),
    { a: [1] },
    [1, null, 3],
    new Date(Date.UTC(2026, 1, 28)),
    0.1,
  ]),
);
await capability('NULLs', () => rows('select $1::text, null::int, array[null]::int[]', [null]));
await capability('large row', async () => {
  const big = 'x'.repeat(10_000_000);
  const [row] = (await rows('select $1::text, length($1::text)', [big])) as [string, number][];
  return [row![0] === big, row![1]];
});
await capability('100,000 rows', async () => {
  const all = (await rows("select id, 'row ' || id from payments order by id")) as [string, string][];
  return [all.length, all[99_999]];
});
await capability('transactions', async () => {
  await fresh();
  await client.query('begin');
  await client.query("insert into items values (1, 'rolled back')");
  await client.query('rollback');
  await client.query('begin');
  await client.query("insert into items values (2, 'kept')");
  await client.query('savepoint a');
  await client.query("insert into items values (3, 'undone')");
  await client.query('rollback to a');
  await client.query('commit');
  return rows('select * from items order by id');
});
await capability('error in transaction', async () => {
  await client.query('begin');
  const first = await attempt(() => client.query('select 1/0'));
  const second = await attempt(() => client.query('select 1'));
  await client.query('rollback');
  return [first, second, await rows('select 2')];
});
await capability('several statements at once', async () => {
  await fresh();
  const results = (await client.query(
    "insert into items values (1, 'a'); select note from items; select 2 as two",
  )) as unknown as pg.QueryResult[];
  return results.map((result) => [result.command, result.rows]);
});
await capability('copy text', async () => {
  await fresh();
  await copy(client, 'copy items from stdin', [Buffer.from('1\ta\n2\t'), Buffer.from('\\N\n')]);
  return (await copy(client, 'copy items to stdout')).toString();
});
await capability('copy csv', async () => {
  await fresh();
  await copy(client, 'copy items from stdin (format csv, header)', [Buffer.from('id,note\n1,"a,b"\n2,\n')]);
  return (await copy(client, 'copy (select * from items order by id) to stdout (format csv)')).toString();
});
await capability('copy binary', async () => {
  const open = await connect({ database: env.OPEN_DATABASE! });
  await open.query("delete from items; insert into items values (1, 'a'), (2, null)");
  const data = await copy(open, 'copy items to stdout (format binary)');
  await open.query('delete from items');
  await copy(open, 'copy items from stdin (format binary)', [data]);
  const back = await open.query('select * from items order by id');
  await open.end();
  return [data.toString('hex'), back.rows];
});
await capability('error in copy', async () => {
  await fresh();
  const failed = await attempt(() => copy(client, 'copy items from stdin', [Buffer.from('no number\tx\n')]));
  return [failed, await rows('select count(*) from items')];
});
await capability('notifications', async () => {
  const listener = await connect({ database: env.OPEN_DATABASE! });
  const heard = new Promise((resolve) => {
    listener.once('notification', ({ channel, payload }) => resolve([channel, payload]));
  });
  await listener.query('listen news');
  await client.query("notify news, 'good'");
  const news = await heard;
  await listener.end();
  return news;
});
await capability('cancel', async () => {
  const running = attempt(() => client.query('select pg_sleep(30)'));
  await delay(300);
  // Version 8 has no public call for it; this is what its type leaves out.
  const canceller = new pg.Client({ ...config, ssl: false }) as unknown as { cancel(target: pg.Client, query: unknown): void };
  canceller.cancel(client, (client as unknown as { _activeQuery?: unknown; activeQuery?: unknown })._activeQuery);
  const ended = await running;
  // The server signals a cancelled backend twice (its process and its group): the second one must not hit what comes next.
  await delay(300);
  return [ended, await rows('select 1')];
});
await capability('notices', async () => {
  const heard: unknown[] = [];
  const open = await connect({ database: env.OPEN_DATABASE! });
  open.on('notice', ({ message, severity }) => heard.push([severity, message]));
  await open.query("do $$ begin raise notice 'from the server'; raise warning 'and more'; end $$");
  await open.end();
  return heard;
});
await capability('portal by portions', async () => {
  const all = await inPortions(client, 'select id from customers where id <= $1 order by id', [25], 10);
  return [all.rows.length, all.rows.at(-1)];
});
await capability('masked as text', () => rows('select id, ssn, profile from customers order by id limit 3'));
await capability('masked in binary', () => binary('select id, ssn from customers where id <= $1 order by id', [3]));
await capability('masked types', async () => [
  (await client.query('select * from shaded')).rows[0],
  (await binary('select id, i2, i4, i8, num, f4, f8, b, t, by, u from shaded'))[0],
]);
await capability('denied', async () => [
  await attempt(() => client.query('select * from forbidden')),
  await attempt(() => client.query('select * from forbidden where id = $1', [1])),
  await rows('select 1'),
]);
await capability('denied in a transaction', async () => {
  await fresh();
  await client.query('begin');
  await client.query("insert into items values (1, 'lost')");
  const denied = await attempt(() => client.query('select * from forbidden'));
  const after = await attempt(() => client.query('select 1'));
  await client.query('commit');
  return [denied, after, await rows('select count(*) from items')];
});
await capability('prepared, 300 times', async () => {
  let sum = 0;
  for (let id = 1; id <= 300; id += 1) {
    const { rows: found } = await client.query({ name: 'many', text: 'select id from customers where id = $1', values: [id] });
    sum += found[0].id;
  }
  return sum;
});
await capability('defines and uses', async () => {
  await client.query('create table fresh_pg (id int, note text)');
  await client.query("insert into fresh_pg values (1, 'new')");
  const seen = await rows('select * from fresh_pg');
  await client.query('drop table fresh_pg');
  await client.query('create temporary table passing (id int, note text)');
  await client.query("insert into passing values (1, 'short-lived')");
  return [seen, await rows('select * from passing')];
});
await capability('64 connections', async () => {
  const many = await Promise.all(Array.from({ length: 64 }, () => connect()));
  const answers = await Promise.all(many.map((one, index) => one.query('select $1::int as n', [index])));
  await Promise.all(many.map((one) => one.end()));
  return answers.reduce((sum, { rows: [row] }) => sum + row.n, 0);
});
await client.end();
report();
