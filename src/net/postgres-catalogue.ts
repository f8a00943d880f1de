import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { GatewayFault } from '../core/fault.ts';
import { buildCatalogue, type CatalogueRows, type ViewRow } from '../protocols/postgres/catalogue-build.ts';
import type { Place } from '../protocols/postgres/objects.ts';
import type { SchemaCatalogue } from '../protocols/postgres/schema-catalogue.ts';
import { unsettled, type Unsettled } from '../protocols/postgres/unsettled.ts';
import type { DataClasses } from '../masking/classes.ts';
import { containDefects } from './contained-client.ts';
import type { Analysis } from '../sql/statement.ts';

export interface CatalogueSource {
  readonly place: Place;
  /** How the gateway itself connects. */
  readonly connection: pg.ClientConfig;
  readonly classes: DataClasses;
  readonly analyse: (sql: string) => Analysis;
  readonly report: (what: string, error: unknown) => void;
}

/**
 * One database's catalogue, read over a connection of the gateway's own: before its first session, when something was defined through
 * the gateway, and every minute for what was defined around it.
 */
export class CatalogueReader {
  readonly #source: CatalogueSource;
  #current: SchemaCatalogue | undefined;
  #stale: Unsettled | undefined;
  #reading: Promise<void> | undefined;
  #again = false;
  #readAt = 0;

  constructor(source: CatalogueSource) {
    this.#source = source;
  }

  /** Waits for the first snapshot. Throws `upstream-unavailable`, or `upstream-refused` where the target refuses the gateway. */
  async ready(): Promise<void> {
    if (this.#current === undefined) await this.#read();
  }

  /** The newest snapshot, marked as unsettled while a newer one is wanted. */
  current(): SchemaCatalogue {
    if (this.#current === undefined) throw unavailable('no snapshot yet');
    if (Date.now() - this.#readAt > maxAgeMs) this.#refresh();
    return this.#stale === undefined ? this.#current : unsettled(this.#current, this.#stale);
  }

  /** Something was defined: what is known is not believed until it was read again. */
  markStale(what: Unsettled): Promise<void> {
    if (this.#stale !== 'code') this.#stale = what;
    this.#refresh();
    return Promise.race([this.#whenRead(), delay(waitMs, undefined, { ref: false })]);
  }

  async #whenRead(): Promise<void> {
    while (this.#reading !== undefined) await this.#reading.catch(() => {});
  }

  /** A name was not found: perhaps it is new. */
  missed(): void {
    if (Date.now() - this.#readAt > missedAfterMs) this.#refresh();
  }

  #refresh(): void {
    this.#read().catch((error: unknown) => this.#source.report('catalogue not read', error));
  }

  async #read(): Promise<void> {
    if (this.#reading !== undefined) {
      this.#again = true;
      return this.#reading;
    }
    this.#readAt = Date.now();
    this.#reading = this.#readOnce().finally(() => {
      this.#reading = undefined;
      if (!this.#again) return;
      this.#again = false;
      this.#refresh();
    });
    return this.#reading;
  }

  async #readOnce(): Promise<void> {
    const { classes, place, analyse } = this.#source;
    const rows = await readRows(this.#source.connection);
    this.#current = buildCatalogue({ rows, place, classes, analyse, previous: this.#current });
    if (!this.#again) this.#stale = undefined;
  }
}

async function readRows(connection: pg.ClientConfig): Promise<CatalogueRows> {
  const client = new pg.Client({
    ...connection,
    application_name: 'sallyport catalogue',
    connectionTimeoutMillis: 10_000,
    query_timeout: 60_000,
  });
  client.on('error', () => {});
  containDefects(client);
  if (connection.ssl === false) refuseClearPassword(client);
  try {
    await client.connect().catch((error: unknown) => {
      throw notConnected(error);
    });
    await client.query("begin isolation level repeatable read read only; set local search_path = ''");
    const rows = {
      relations: await relations(client),
      columns: await columns(client),
      views: await views(client),
      inheritance: await inheritance(client),
      generated: await generated(client),
      userFunctions: await userFunctions(client),
      userOperators: await userOperators(client),
      textTypes: await textTypes(client),
    };
    await client.query('commit');
    return rows;
  } catch (error) {
    throw error instanceof GatewayFault ? error : unavailable(String(error), error);
  } finally {
    await client.end().catch(() => {});
  }
}

async function relations(client: pg.Client): Promise<CatalogueRows['relations']> {
  const { rows } = await client.query<{
    oid: string;
    schema: string;
    name: string;
    kind: string;
    security: boolean;
    rules: boolean;
    triggers: boolean;
  }>(
    `select c.oid::text, n.nspname as schema, c.relname as name, c.relkind as kind,
            c.relrowsecurity or exists (select from pg_catalog.pg_attribute a join pg_catalog.pg_cast k on k.castsource = a.atttypid
              where a.attrelid = c.oid and not a.attisdropped and k.castfunc >= 16384) as security,
            c.relhasrules and exists (select from pg_catalog.pg_rewrite w where w.ev_class = c.oid and w.ev_type <> '1') as rules,
            c.relkind = 'v' and c.relhastriggers as triggers
       from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace where c.relkind in ('r','p','v','m','f','c')`,
  );
  return rows.map((row) => ({
    oid: Number(row.oid),
    schema: row.schema,
    name: row.name,
    kind: row.kind,
    rowSecurity: row.security,
    hasRules: row.rules,
    hasTriggers: row.triggers,
  }));
}

async function columns(client: pg.Client): Promise<CatalogueRows['columns']> {
  const { rows } = await client.query<{ relation: string; number: number; name: string; type: string }>(
    `select a.attrelid::text as relation, a.attnum as number, a.attname as name,
            (case t.typtype when 'd' then t.typbasetype else t.oid end)::text as type
       from pg_catalog.pg_attribute a join pg_catalog.pg_class c on c.oid = a.attrelid
       join pg_catalog.pg_type t on t.oid = a.atttypid
      where a.attnum > 0 and not a.attisdropped and c.relkind in ('r','p','v','m','f','c')`,
  );
  return rows.map((row) => ({ relation: Number(row.relation), number: row.number, name: row.name, type: Number(row.type) }));
}

async function views(client: pg.Client): Promise<readonly ViewRow[]> {
  const { rows } = await client.query<{ oid: string; definition: string }>(
    `select c.oid::text, pg_catalog.pg_get_viewdef(c.oid) as definition
       from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
      where c.relkind in ('v','m') and n.nspname not in ('pg_catalog', 'information_schema')`,
  );
  const found: ViewRow[] = [];
  for (const row of rows) {
    const definition = row.definition.trim().replace(/;$/, '');
    found.push({ oid: Number(row.oid), definition, origins: await origins(client, definition) });
  }
  return found;
}

/** The server itself says which table's column each output of the view is; no row is read. */
async function origins(client: pg.Client, definition: string): Promise<ViewRow['origins']> {
  await client.query('savepoint origins');
  try {
    const { fields } = await client.query(`select * from (${definition}) as view limit 0`);
    return fields.map((field) => ({ relation: field.tableID, column: field.columnID }));
  } catch {
    await client.query('rollback to savepoint origins');
    return undefined;
  } finally {
    await client.query('release savepoint origins');
  }
}

async function inheritance(client: pg.Client): Promise<CatalogueRows['inheritance']> {
  const { rows } = await client.query<{ child: string; parent: string }>(
    'select inhrelid::text as child, inhparent::text as parent from pg_catalog.pg_inherits',
  );
  return rows.map((row) => ({ child: Number(row.child), parent: Number(row.parent) }));
}

async function generated(client: pg.Client): Promise<CatalogueRows['generated']> {
  const { rows } = await client.query<{ relation: string; number: number; from: number }>(
    `select a.attrelid::text as relation, a.attnum as number, d.refobjsubid as "from"
       from pg_catalog.pg_attribute a
       join pg_catalog.pg_attrdef f on f.adrelid = a.attrelid and f.adnum = a.attnum
       join pg_catalog.pg_depend d on d.classid = 'pg_catalog.pg_attrdef'::pg_catalog.regclass and d.objid = f.oid
        and d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass and d.refobjid = a.attrelid and d.refobjsubid > 0
      where a.attgenerated <> '' and d.refobjsubid <> a.attnum`,
  );
  return rows.map((row) => ({ relation: Number(row.relation), number: row.number, from: row.from }));
}

async function userFunctions(client: pg.Client): Promise<readonly string[]> {
  const { rows } = await client.query<{ name: string }>(
    `select distinct p.proname as name from pg_catalog.pg_proc p join pg_catalog.pg_namespace n on n.oid = p.pronamespace
      where n.nspname not in ('pg_catalog', 'information_schema')`,
  );
  return rows.map((row) => row.name);
}

async function userOperators(client: pg.Client): Promise<readonly string[]> {
  const { rows } = await client.query<{ name: string }>(
    `select distinct o.oprname as name from pg_catalog.pg_operator o join pg_catalog.pg_namespace n on n.oid = o.oprnamespace
      where n.nspname <> 'pg_catalog'`,
  );
  return rows.map((row) => row.name);
}

async function textTypes(client: pg.Client): Promise<readonly number[]> {
  const { rows } = await client.query<{ oid: string }>(
    "select oid::text from pg_catalog.pg_type where typcategory = 'S' and typtype = 'b' and oid >= 16384",
  );
  return rows.map((row) => Number(row.oid));
}

/** node-postgres would send it to whoever asks. Its own listener comes after this one and finds the connection gone. */
function refuseClearPassword(client: pg.Client): void {
  const { connection } = client;
  connection.once('authenticationCleartextPassword', () => connection.stream.destroy(new Error(wantsClearPassword)));
}

/** A target that answers and refuses is told from one that does not answer: only the latter is worth another try. */
function notConnected(error: unknown): GatewayFault {
  const { code = '', message, syscall } = error as { code?: string; message: string; syscall?: string };
  if (error instanceof pg.DatabaseError) {
    const busy = /^(?:53|57P)/.test(code);
    return busy ? unavailable(String(error), error) : refused(`the target refused the gateway's connection (SQLSTATE ${code})`, error);
  }
  if (message === wantsClearPassword) return refused(message, error);
  if (message === withoutTls) return refused('the target does not offer TLS, which its configuration demands', error);
  if (code !== '' && syscall === undefined) return refused('TLS with the target failed', error);
  return unavailable(String(error), error);
}

function refused(publicMessage: string, cause: unknown): GatewayFault {
  return new GatewayFault('upstream-refused', {
    publicMessage,
    detail: String(cause),
    cause,
    hint: 'The gateway’s operators have the details.',
  });
}

function unavailable(detail: string, cause?: unknown): GatewayFault {
  return new GatewayFault('upstream-unavailable', {
    publicMessage: 'the target cannot be reached: its catalogue could not be read',
    detail,
    cause,
    hint: 'Try again in a moment.',
  });
}

const wantsClearPassword = 'the target wants a clear password without TLS';
/** What node-postgres says of a server that answers "N" to its SSLRequest. */
const withoutTls = 'The server does not support SSL connections';
const maxAgeMs = 60_000;
/** A client waits no longer than this for what it has just defined to be read. */
const waitMs = 5_000;
const missedAfterMs = 1_000;
