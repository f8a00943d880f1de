import type pg from 'pg';
import type { ViewRow } from '../protocols/postgres/catalogue-build.ts';

/** A view's definition as `pg_get_viewdef` has it under an empty search path. */
export interface ViewText {
  readonly oid: number;
  readonly definition: string;
}

/**
 * Which table's column each output of the views is, in the words of the server: every definition is parsed there and described (manual,
 * "Extended Query"), all of them in one round trip. Nothing is planned, much less run: planning would call functions that are declared
 * immutable. Call it in a transaction whose search path is empty; where a definition could not be parsed (the schema of one of its tables
 * may not be used, say) that transaction has failed, and `begin` is asked for another one.
 */
export async function viewOrigins(
  client: pg.Client,
  views: readonly ViewText[],
  begin: () => Promise<unknown>,
): Promise<readonly ViewRow[]> {
  const known = new Map<number, ViewRow['origins']>();
  for (let rest = views; rest.length > 0;) {
    const described = await describe(client, rest);
    for (const [index, origins] of described.entries()) known.set(rest[index]!.oid, origins);
    const failed = described.length < rest.length;
    rest = rest.slice(described.length + 1);
    if (failed && rest.length > 0) await begin();
  }
  return views.map(({ oid, definition }) => ({ oid, definition, origins: known.get(oid) }));
}

/** Of the first views up to one that could not be parsed. Rejects where the connection is lost. */
async function describe(client: pg.Client, views: readonly ViewText[]): Promise<readonly NonNullable<ViewRow['origins']>[]> {
  return new Promise((resolve, reject) => {
    client.query(new Descriptions(views, resolve, reject));
  });
}

/** What node-postgres wants of a query of another kind than its own (`Submittable`), as far as these messages can call it. */
class Descriptions {
  readonly #views: readonly ViewText[];
  readonly #resolve: (described: readonly NonNullable<ViewRow['origins']>[]) => void;
  readonly #reject: (error: unknown) => void;
  readonly #described: NonNullable<ViewRow['origins']>[] = [];
  /** node-postgres puts its `query_timeout` here. */
  callback: (error?: unknown) => void;

  constructor(
    views: readonly ViewText[],
    resolve: (described: readonly NonNullable<ViewRow['origins']>[]) => void,
    reject: (error: unknown) => void,
  ) {
    this.#views = views;
    this.#resolve = resolve;
    this.#reject = reject;
    this.callback = (error) => {
      if (error === undefined) this.#resolve(this.#described);
      else this.#reject(error);
    };
  }

  submit(connection: pg.Connection): void {
    connection.stream.cork();
    for (const [index, { definition }] of this.#views.entries()) {
      connection.parse({ name: '', text: `select 0 as ${mark(index)}, view.* from (${definition}) as view`, types: [] }, true);
      connection.describe({ type: 'S', name: '' }, true);
    }
    connection.sync();
    connection.stream.uncork();
  }

  /** Each answer says by its first column which question it belongs to. */
  handleRowDescription({ fields: [first, ...fields] }: { readonly fields: readonly Field[] }): void {
    if (first?.name !== mark(this.#described.length)) throw new TypeError('a description of something else');
    this.#described.push(fields.map((field) => ({ relation: field.tableID, column: field.columnID })));
  }

  /** A view that cannot be parsed ends the batch before its Sync; whatever else is wrong is not the view's fault. */
  handleError(error: unknown): void {
    const { severity } = error as { severity?: string };
    this.callback(severity === 'ERROR' ? undefined : error);
  }

  handleReadyForQuery(): void {
    this.callback();
  }
}

interface Field {
  readonly name: string;
  readonly tableID: number;
  readonly columnID: number;
}

function mark(index: number): string {
  return `sallyport_${index}`;
}
