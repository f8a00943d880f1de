import { mkdtempSync, rmSync, chmodSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as turn, setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { startPostgres15 } from '../conformance/parts/postgres15.ts';
import { createBank } from '../src/cli/demo/bank.ts';
import { compileDataClasses } from '../src/masking/classes.ts';
import { nodeCrypto } from '../src/net/crypto.ts';
import { CatalogueReader } from '../src/net/postgres-catalogue.ts';
import { createAnalyser, loadParser } from '../src/sql/postgres/index.ts';
import { Definitions } from '../src/protocols/postgres/definitions.ts';

/**
 * How long a session waits for the catalogue after it has defined something: a real PostgreSQL 15, the demo's bank, and the same with
 * 2,000 tables of ten columns and 200 views, half of them on other views. Milliseconds on the wall from the definition's end. Then, for a reading as
 * there is one every minute though nothing was defined, how long other sessions wait for their turn: milliseconds of the main thread's CPU.
 *
 *     node bench/postgres-catalogue.ts [readings, 40 where not given]
 */

const readings = Number(process.argv[2] ?? 40);
const gateway = { user: 'gateway', password: 'bench' };
const folder = mkdtempSync(join(tmpdir(), 'sallyport-bench-'));
chmodSync(folder, 0o711);
await loadParser();
const server = await startPostgres15({ folder: join(folder, 'postgres') });
try {
  await createBank({ host: '127.0.0.1', port: server.port, user: server.user, password: server.password, database: 'postgres' }, gateway);
  await measure('the bank');
  await measure('2,000 tables, 200 views', many);
} finally {
  await server.stop();
  rmSync(folder, { recursive: true, force: true });
}

async function measure(name: string, prepare: (owner: pg.Client) => Promise<void> = async () => {}): Promise<void> {
  const connection = { host: '127.0.0.1', port: server.port, ...gateway, database: 'orders', ssl: false };
  const owner = new pg.Client(connection);
  await owner.connect();
  await prepare(owner);
  const analyser = createAnalyser();
  const column = { target: 'orders', database: undefined, schema: 'public' };
  const reader = new CatalogueReader({
    place: { target: 'orders', database: undefined, databaseName: 'orders' },
    connection,
    classes: compileDataClasses(
      [
        { name: 'ssn', columns: [{ ...column, relation: 'customers', column: 'ssn' }], paths: [], detect: [], mask: 'redact' },
        { name: 'pan', columns: [{ ...column, relation: 'cards', column: 'pan' }], paths: [], detect: [], mask: 'redact' },
      ],
      nodeCrypto,
      new Uint8Array(32).fill(7),
    ),
    analyse: (sql) => analyser.analyse(sql),
    definitions: new Definitions(),
    report: (what, error) => console.error(what, error),
  });
  const began = performance.now();
  await reader.ready();
  const first = performance.now() - began;
  process.stdout.write(`${name}: first reading ${first.toFixed(0)} ms\n`);
  const made = (index: number): string => `create table made_${index} (id integer primary key, note text)`;
  const cases: readonly (readonly [name: string, definition: (index: number) => string, pauseMs?: number])[] = [
    ['a table', made],
    ['a column', (index) => `alter table customers add column added_${index} text`],
    [
      'a view',
      (index) => `create or replace view customer_contacts as select id, name, email, ssn as reference from customers where id > ${index}`,
    ],
    ['a table, the first for a while', (index) => `drop table made_${index}`, 1_200],
  ];
  for (const [what, definition, pauseMs = 0] of cases) {
    const took: number[] = [];
    const cpuBefore = process.cpuUsage();
    const times = pauseMs === 0 ? readings : Math.min(readings, 10);
    for (let index = 0; index < times; index += 1) {
      await delay(pauseMs);
      await owner.query(definition(index));
      const defined = performance.now();
      await reader.markStale('relations');
      took.push(performance.now() - defined);
    }
    const { user, system } = process.cpuUsage(cpuBefore);
    took.sort((a, b) => a - b);
    const at = (part: number): string => took[Math.min(took.length - 1, Math.floor(took.length * part))]!.toFixed(1);
    const cpu = ((user + system) / 1000 / times).toFixed(1);
    process.stdout.write(`  after ${what}: p50 ${at(0.5)} ms, p95 ${at(0.95)} ms; CPU of this process ${cpu} ms\n`);
  }
  const stretches: number[] = [];
  for (let index = 0; index < 20; index += 1) {
    await delay(1_200);
    stretches.push(await longestStretch(() => reader.markStale('relations')));
  }
  stretches.sort((a, b) => a - b);
  process.stdout.write(
    `  nothing new: longest stretch p50 ${stretches[10]!.toFixed(1)} ms, longest of 20 ${stretches.at(-1)!.toFixed(1)} ms\n`,
  );
  for (let index = 0; index < readings; index += 1)
    await owner.query(`drop table if exists made_${index}; alter table customers drop added_${index}`);
  await owner.end();
}

/** Of this thread's CPU time between two turns of the event loop. */
async function longestStretch(work: () => Promise<unknown>): Promise<number> {
  let longest = 0;
  let isOver = false;
  let last = threadCpuMs();
  const ticking = (async () => {
    // One turn more than the work takes: its end may be a stretch as well.
    for (let more = true; more;) {
      more = !isOver;
      await turn();
      const now = threadCpuMs();
      longest = Math.max(longest, now - last);
      last = now;
    }
  })();
  await work();
  isOver = true;
  await ticking;
  return longest;
}

function threadCpuMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1_000;
}

async function many(owner: pg.Client): Promise<void> {
  for (let table = 0; table < 2_000; table += 1) {
    const columns = Array.from({ length: 9 }, (_, index) => `c${index} text`).join(', ');
    await owner.query(`create table t${table} (id integer, ${columns})`);
  }
  for (let view = 0; view < 100; view += 1) {
    await owner.query(
      `create view v${view} as select t.id, t.c0 as first, upper(t.c1) as second, c.ssn from t${view} t join customers c on c.id = t.id where t.c2 = 'x'`,
    );
    await owner.query(
      `create view w${view} as select v.id, v.first, v.ssn || v.second as mixed from v${view} v left join t${view + 100} t using (id)`,
    );
  }
}
