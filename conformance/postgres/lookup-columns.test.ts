import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, it } from 'node:test';
import pg from 'pg';
import { Random } from '../../fuzz/random.ts';
import type { LineageCatalogue } from '../../src/sql/lineage.ts';
import { createAnalyser, loadParser } from '../../src/sql/postgres/index.ts';
import { startPostgres15, type Postgres15 } from '../parts/postgres15.ts';

/**
 * A pseudonym is turned back for the column that it is compared with: were that another one than the gateway thinks, a value would be
 * compared with what the client wrote. So the server is asked where the columns of random queries come from, by stars, aliases, joins,
 * sub-selects and CTEs, and each that the gateway is certain of must be the one that the server names.
 */
const tables: Readonly<Record<string, readonly string[]>> = { a: ['i', 'x', 'y'], b: ['i', 'y', 'z', 'x'], c: ['k', 'z', 'i'] };
const analyser = createAnalyser();
let folder: string;
let server: Postgres15;
let client: pg.Client;
/** By oid and attribute number. */
const columns = new Map<string, string>();
const oids = new Map<string, number>();

before(async () => {
  await loadParser();
  folder = mkdtempSync(join(tmpdir(), 'sallyport-lookup-'));
  chmodSync(folder, 0o711);
  server = await startPostgres15({ folder: join(folder, 'server') });
  client = new pg.Client({ host: '127.0.0.1', port: server.port, user: server.user, password: server.password, database: 'postgres' });
  await client.connect();
  await client.query('create table a (i text, gone integer, x text, y text); alter table a drop column gone');
  await client.query('create table b (i text, y text, z text, x text); create table c (k text, z text, i text)');
  const { rows } = await client.query(
    "select c.oid::integer, relname, attnum, attname from pg_class c join pg_attribute on attrelid = c.oid where relname in ('a', 'b', 'c') and attnum > 0",
  );
  for (const { oid, relname, attnum, attname } of rows as { oid: number; relname: string; attnum: number; attname: string }[]) {
    oids.set(relname, oid);
    columns.set(`${oid} ${attnum}`, `${oid} ${attname}`);
  }
});
after(async () => {
  await client?.end();
  await server?.stop();
  rmSync(folder, { recursive: true, force: true });
});

it('the column of a look-up is the one that the server compares', async () => {
  // Every column is a class of its own, named as `columns` names it.
  const catalogue: LineageCatalogue = {
    relation: ({ name }) => {
      const known = tables[name];
      return known === undefined ? undefined : { id: oids.get(name)!, columns: known };
    },
    hasUserFunction: () => false,
    hasUserOperator: () => false,
    lookup: (relation, column) => ({ class: `${relation} ${column}`, padded: false }),
  };
  let agreed = 0;
  for (let index = 0; index < 6_000; index += 1) {
    const queries = new Queries(Random.ofCase(7, index));
    const { before: clauses, from } = queries.whole();
    const column = queries.column();
    const sql = `${clauses}select 1 from ${from} where s.${column} = $1`;
    const found = analyser.analyse(sql).statements[0]!.lineage(catalogue, sql)?.lookups.parameters.get(1);
    if (found === undefined) continue;
    const fields = await client.query(`${clauses}select s.${column} from ${from} limit 0`).then(
      (result) => result.fields,
      // Ambiguous, or a join that cannot be: nothing is compared.
      () => [],
    );
    const [field] = fields;
    if (field === undefined || field.tableID === 0) continue;
    assert.deepEqual(found.classes, [columns.get(`${field.tableID} ${field.columnID}`)], sql);
    agreed += 1;
  }
  assert.ok(agreed > 500, `${agreed} were certain`);
});

class Queries {
  readonly #random: Random;
  #names = 0;

  constructor(random: Random) {
    this.#random = random;
  }

  /** A query under the name `s`. */
  whole(): { readonly before: string; readonly from: string } {
    const query = this.#query(3);
    return this.#random.chance(0.3) ? { before: `with s as (${query}) `, from: 's' } : { before: '', from: `(${query}) s` };
  }

  column(): string {
    return this.#random.pick(['i', 'x', 'y', 'z', 'k', 'w']);
  }

  #query(depth: number): string {
    const random = this.#random;
    const from = random.chance(0.25) ? `${this.#item(depth)}, ${this.#item(depth - 1)}` : this.#item(depth);
    const query = `select ${random.pick(['*', '*', '*', "'g' as w, *", "*, 'g'"])} from ${from}`;
    if (!random.chance(0.15)) return query;
    const name = random.pick(['a', 'b', 'c', 'w']);
    return `with ${name} as (${query}) select * from ${name}`;
  }

  #item(depth: number): string {
    const random = this.#random;
    if (depth <= 0 || random.chance(0.35)) return `${random.pick(Object.keys(tables))} as ${this.#name()}${this.#aliases(0.3)}`;
    if (random.chance(0.3)) return `(${this.#query(depth - 1)}) as ${this.#name()}${this.#aliases(0.3)}`;
    if (random.chance(0.2)) return `(values ('g', 'h'), ('i', 'j')) as ${this.#name()}(${random.pick(['x, y', 'y, z', 'i, x'])})`;
    const kind = random.pick(['join', 'left join', 'full join', 'right join']);
    const how = random.pick([' on true', ' using (x)', ' using (y)', ' using (i, x)', ` using (i) as ${this.#name()}`, 'natural']);
    const [left, right] = [this.#item(depth - 1), this.#item(depth - 1)];
    const joined = how === 'natural' ? `${left} natural ${kind} ${right}` : `${left} ${kind} ${right}${how}`;
    return random.chance(0.3) ? `(${joined}) as ${this.#name()}${this.#aliases(0.4)}` : `(${joined})`;
  }

  #aliases(chance: number): string {
    return this.#random.chance(chance) ? this.#random.pick(['(x)', '(z, y)', '(y, x, i)', '(k, w)']) : '';
  }

  #name(): string {
    this.#names += 1;
    return `q${this.#names}`;
  }
}
