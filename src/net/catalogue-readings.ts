import type pg from 'pg';
import type { CatalogueRows, ViewRow } from '../protocols/postgres/catalogue-build.ts';
import { catalogueQueries } from './catalogue-queries.ts';
import { viewOrigins } from './view-origins.ts';

/**
 * The readings of one database's catalogue over one connection. Each is one snapshot, but for views' definitions, which the server writes
 * with the names of the moment. A later one asks only for the columns and views that changed since the one before; a new connection knows
 * nothing, so that nothing lasts from one server, or one life of it, to another.
 */
export class CatalogueReadings {
  readonly #client: pg.Client;
  #since: string | undefined;
  #columns: ReadonlyMap<number, Columns> = new Map();
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
    this.#columns = withChanged(this.#columns, answers.columns, relations);
    const views = await this.#describe(answers.views);
    this.#views = new Map(views.map((view) => [view.oid, view]));
    this.#since = /^\d+$/.exec(text(answers.snapshot[0]?.[0]))![0];
    // Nobody has to wait for this.
    this.#client.query('commit').catch(() => {});
    return {
      relations,
      columns: new Map([...this.#columns].map(([oid, { names }]) => [oid, names])),
      columnTypes: new Map([...this.#columns].map(([oid, { types }]) => [oid, types])),
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

function withChanged(
  known: ReadonlyMap<number, Columns>,
  rows: readonly Row[],
  relations: readonly { readonly oid: number }[],
): ReadonlyMap<number, Columns> {
  const changed = new Map<number, Columns>();
  for (const [relation, number, name, type] of rows) {
    const oid = Number(relation);
    let columns = changed.get(oid);
    if (columns === undefined) changed.set(oid, (columns = { names: new Map(), types: new Map() }));
    if (number === null) continue;
    columns.names.set(Number(number), text(name));
    columns.types.set(Number(number), Number(type));
  }
  return new Map(
    relations.map(({ oid }) => {
      const columns = changed.get(oid) ?? known.get(oid);
      if (columns === undefined) throw new TypeError(`no columns of relation ${oid}`);
      return [oid, columns];
    }),
  );
}

/** By attribute number. */
interface Columns {
  readonly names: Map<number, string>;
  readonly types: Map<number, number>;
}

type Row = readonly (string | null)[];

function text(value: string | null | undefined): string {
  if (typeof value !== 'string') throw new TypeError('a null in the catalogue');
  return value;
}

const beginning = "begin isolation level repeatable read read only; set local search_path = ''";
const asText = { getTypeParser: () => (value: string) => value };
