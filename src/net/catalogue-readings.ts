import { setImmediate as turn } from 'node:timers/promises';
import type pg from 'pg';
import type { CatalogueRows, ViewRow } from '../protocols/postgres/catalogue-build.ts';
import { catalogueQueries } from './catalogue-queries.ts';
import { viewOrigins } from './view-origins.ts';

/**
 * The readings of one database's catalogue over one connection. Each is one snapshot, but for views' definitions, which the server writes
 * with the names of the moment. A later one asks only for the columns and views that changed since the one before; a new connection knows
 * nothing, so that nothing lasts from one server, or one life of it, to another.
 *
 * Sessions have their turn in between: a large catalogue is taken in by pieces, and what is made of it begins with a turn of its own.
 */
export class CatalogueReadings {
  readonly #client: pg.Client;
  #since: string | undefined;
  #columns: Columns = { names: new Map(), types: new Map() };
  #views: ReadonlyMap<number, ViewRow> = new Map();

  constructor(client: pg.Client) {
    this.#client = client;
  }

  /** After a failure the connection and what was read over it are no more to be used. */
  async next(): Promise<CatalogueRows> {
    const answers = await this.#ask();
    const relations = answers.relations.map(([oid, schema, name, kind, security, rules, triggers]) => ({
      oid: Number(oid),
      schema: text(schema),
      name: text(name),
      kind: text(kind),
      rowSecurity: security === 't',
      hasRules: rules === 't',
      hasTriggers: triggers === 't',
    }));
    this.#columns = await withChanged(this.#columns, answers.columns, relations);
    const views = await this.#describe(answers.views);
    this.#views = new Map(views.map((view) => [view.oid, view]));
    this.#since = /^\d+$/.exec(text(answers.snapshot[0]?.[0]))![0];
    // Nobody has to wait for this.
    this.#client.query('commit').catch(() => {});
    await turn();
    return {
      relations,
      columns: this.#columns.names,
      columnTypes: this.#columns.types,
      views,
      inheritance: answers.inheritance.map(([child, parent]) => ({ child: Number(child), parent: Number(parent) })),
      generated: answers.generated.map(([relation, number, from]) => ({
        relation: Number(relation),
        number: Number(number),
        from: Number(from),
      })),
      userFunctions: answers.userFunctions.map(([name]) => text(name)),
      userOperators: answers.userOperators.map(([name]) => text(name)),
      textTypes: answers.textTypes.map(([oid]) => Number(oid)),
    };
  }

  /** All queries in one round trip. */
  async #ask(): Promise<Readonly<Record<keyof ReturnType<typeof catalogueQueries>, readonly Row[]>>> {
    const queries = catalogueQueries(this.#since);
    const sql = [beginning, ...Object.values(queries)].join(';\n');
    const [, , ...results] = (await this.#client.query({ text: sql, rowMode: 'array', types: asText })) as unknown as readonly {
      readonly rows: readonly Row[];
    }[];
    const names = Object.keys(queries) as (keyof typeof queries)[];
    if (results.length !== names.length) throw new TypeError('not as many answers as questions');
    return Object.fromEntries(names.map((name, index) => [name, results[index]!.rows])) as Record<keyof typeof queries, readonly Row[]>;
  }

  async #describe(rows: readonly Row[]): Promise<readonly ViewRow[]> {
    const kept = new Map<number, ViewRow>();
    const asked = rows.map(([oid, written, isNew]) => {
      // Null: dropped since the snapshot was taken. It is understood no more.
      const view = { oid: Number(oid), definition: (written ?? '').trim().replace(/;$/, ''), origins: undefined };
      const known = isNew === 't' ? undefined : this.#views.get(view.oid);
      if (known?.definition === view.definition) kept.set(view.oid, known);
      return view;
    });
    const changed = asked.filter(({ oid, definition }) => definition !== '' && !kept.has(oid));
    const described = await viewOrigins(this.#client, changed, async () => {
      await this.#client.query(`rollback; ${beginning}`);
    });
    const found = new Map(described.map((view) => [view.oid, view]));
    return asked.map((view) => kept.get(view.oid) ?? found.get(view.oid) ?? view);
  }
}

async function withChanged(known: Columns, rows: readonly Row[], relations: readonly { readonly oid: number }[]): Promise<Columns> {
  const changed = new Map<number, { readonly names: Map<number, string>; readonly types: Map<number, number> }>();
  for (const [index, [relation, number, name, type]] of rows.entries()) {
    if (index % rowsATurn === rowsATurn - 1) await turn();
    const oid = Number(relation);
    let columns = changed.get(oid);
    if (columns === undefined) changed.set(oid, (columns = { names: new Map(), types: new Map() }));
    if (number === null) continue;
    columns.names.set(Number(number), text(name));
    columns.types.set(Number(number), Number(type));
  }
  const all = { names: new Map<number, ReadonlyMap<number, string>>(), types: new Map<number, ReadonlyMap<number, number>>() };
  for (const { oid } of relations) {
    const { names = known.names.get(oid), types = known.types.get(oid) } = changed.get(oid) ?? {};
    if (names === undefined || types === undefined) throw new TypeError(`no columns of relation ${oid}`);
    all.names.set(oid, names);
    all.types.set(oid, types);
  }
  return all;
}

/** By relation and attribute number. */
interface Columns {
  readonly names: ReadonlyMap<number, ReadonlyMap<number, string>>;
  readonly types: ReadonlyMap<number, ReadonlyMap<number, number>>;
}

type Row = readonly (string | null)[];

function text(value: string | null | undefined): string {
  if (typeof value !== 'string') throw new TypeError('a null in the catalogue');
  return value;
}

/** A third of a millisecond's work. */
const rowsATurn = 2_000;
const beginning = "begin isolation level repeatable read read only; set local search_path = ''";
const asText = { getTypeParser: () => (value: string) => value };
