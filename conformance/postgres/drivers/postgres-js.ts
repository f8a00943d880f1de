import { readFileSync } from 'node:fs';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as delay } from 'node:timers/promises';
import postgres from 'postgres';
import { attempt, capability, report } from './capability.ts';

/** postgres.js, which sends a connection's queries without waiting for answers: one JSON line for each capability. */
const { env } = process;
const notices: unknown[] = [];
const connect = (changes: postgres.Options<Record<string, never>> = {}) =>
  postgres({
    host: env.PGHOST!,
    port: Number(env.PGPORT),
    database: env.PGDATABASE!,
    user: env.PGUSER!,
    password: env.PGPASSWORD!,
    ssl: { ca: readFileSync(env.PGSSLROOTCERT!, 'utf8') },
    max: 1,
    onnotice: ({ severity, message }) => notices.push([severity, message]),
    ...changes,
  });
const sql = connect();
const open = connect({ database: env.OPEN_DATABASE! });
const rows = async (query: PromiseLike<readonly unknown[]>) => [...(await query)];
const fresh = () => sql`delete from items`;

await capability('simple query', () => rows(sql`select id, name from customers order by id limit 3`.simple()));
await capability('prepared query', async () => [
  await rows(sql`select ${40}::int + id as n, name from customers where id = ${2}`),
  await rows(sql`select ${50}::int + id as n, name from customers where id = ${3}`),
  await rows(sql`select name from customers where id = any(${[4, 5]})`),
]);
await capability('types as text', () => rows(sql`select * from typed where id = ${1}`));
await capability('types as parameters', () =>
  rows(sql`select ${'9007199254740993'}::int8 as a, ${'1.50'}::numeric as b, ${true}::bool as c, ${Buffer.from([0, 255])}::bytea as d,
    ${sql.json({ a: [1] })}::jsonb as e, ${[1, 2]}::int[] as f, ${new Date(Date.UTC(2026, 1, 28))}::timestamptz as g, ${0.1}::float8 as h`),
);
await capability('NULLs', () => rows(sql`select ${null}::text as a, null::int as b`));
await capability('large row', async () => {
  const big = 'x'.repeat(10_000_000);
  const [row] = await sql`select ${big}::text as big`;
  return row!.big === big;
});
await capability('100,000 rows', async () => {
  const all = await sql`select id, 'row ' || id as text from payments order by id`;
  return [all.length, all[99_999]];
});
await capability('transactions', async () => {
  await fresh();
  const failed = await attempt(() =>
    sql.begin(async (inside) => {
      await inside`insert into items values (1, 'rolled back')`;
      await inside`select 1/0`;
    }),
  );
  await sql.begin(async (inside) => {
    await inside`insert into items values (2, 'kept')`;
    await attempt(() =>
      inside.savepoint(async (nested) => {
        await nested`insert into items values (3, 'undone')`;
        await nested`select 1/0`;
      }),
    );
  });
  return [failed, await rows(sql`select * from items order by id`)];
});
await capability('error in transaction', async () => [
  await attempt(() => sql.begin((inside) => [inside`select 1/0`, inside`select 1`])),
  await rows(sql`select 2 as two`),
]);
await capability('several statements at once', async () => {
  await fresh();
  return rows(sql`insert into items values (1, 'a'); select note from items; select 2 as two`.simple());
});
await capability('copy text', async () => {
  await fresh();
  await pipeline(Readable.from(['1\ta\n2\t', '\\N\n']), await sql`copy items from stdin`.writable());
  const parts: Buffer[] = [];
  for await (const part of await sql`copy items to stdout`.readable()) parts.push(part as Buffer);
  return Buffer.concat(parts).toString();
});
await capability('notifications', async () => {
  const heard: string[] = [];
  const listening = await open.listen('news', (payload) => heard.push(payload));
  await sql.notify('news', 'good');
  while (heard.length === 0) await delay(20);
  await listening.unlisten();
  return heard;
});
await capability('cancel', async () => {
  const query = sql`select pg_sleep(30)`.execute();
  const running = attempt(() => query);
  await delay(300);
  query.cancel();
  const ended = await running;
  // The server signals a cancelled backend twice (its process and its group): the second one must not hit what comes next.
  await delay(300);
  return [ended, await rows(sql`select 1 as one`)];
});
await capability('notices', async () => {
  await open`select 1`;
  notices.length = 0;
  await open`do $$ begin raise notice 'from the server'; raise warning 'and more'; end $$`;
  return notices;
});
await capability('portal by portions', async () => {
  const sizes: number[] = [];
  await sql`select id from customers where id <= ${25} order by id`.cursor(10, (portion) => {
    sizes.push(portion.length);
  });
  return sizes;
});
await capability('portal closed early', async () => {
  const seen: unknown[] = [];
  for await (const portion of sql`select id from customers order by id`.cursor(3)) {
    seen.push(...portion);
    if (seen.length >= 6) break;
  }
  return [seen, await rows(sql`select 1 as one`)];
});
await capability('pipeline', async () => {
  const answers = await Promise.all(Array.from({ length: 200 }, (_, id) => sql`select id from customers where id = ${id + 1}`));
  return answers.reduce((sum, [row]) => sum + row!.id, 0);
});
await capability('pipeline with an error', async () => {
  await fresh();
  return Promise.all([
    attempt(() => sql`insert into items values (1, 'first')`),
    attempt(() => sql`select 1/0`),
    attempt(() => sql`insert into items values (2, ${'second'})`),
    rows(sql`select * from items order by id`),
  ]);
});
await capability('pipeline with a denied statement', async () => {
  await fresh();
  return Promise.all([
    attempt(() => sql`insert into items values (1, 'first')`),
    attempt(() => sql`select * from forbidden`),
    attempt(() => sql`insert into items values (2, ${'second'})`),
    attempt(() => sql`select * from forbidden where id = ${1}`),
    attempt(() => sql`select * from forbidden`.simple()),
    rows(sql`select * from items order by id`),
  ]);
});
await capability('masked as text', () => rows(sql`select id, ssn, profile from customers order by id limit 3`));
await capability('masked types', async () => [(await sql`select * from shaded`)[0]]);
await capability('denied', async () => [
  await attempt(() => sql`select * from forbidden`.simple()),
  await attempt(() => sql`select * from forbidden where id = ${1}`),
  await rows(sql`select 1 as one`),
]);
await capability('denied in a transaction', async () => {
  await fresh();
  const denied = await attempt(() =>
    sql.begin(async (inside) => {
      await inside`insert into items values (1, 'lost')`;
      await inside`select * from forbidden`;
    }),
  );
  return [denied, await rows(sql`select count(*) from items`)];
});
await capability('prepared, 300 times', async () => {
  let sum = 0;
  for (let id = 1; id <= 300; id += 1) sum += (await sql`select id from customers where id = ${id}`)[0]!.id;
  return sum;
});
await capability('64 connections', async () => {
  const many = connect({ max: 64 });
  const answers = await Promise.all(Array.from({ length: 64 }, (_, n) => many`select ${n}::int as n`));
  await many.end();
  return answers.reduce((sum, [row]) => sum + row!.n, 0);
});
await sql.end();
await open.end();
report();
