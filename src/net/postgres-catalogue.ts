import { setTimeout as delay } from 'node:timers/promises';
import type pg from 'pg';
import { buildCatalogue } from '../protocols/postgres/catalogue-build.ts';
import type { Place } from '../protocols/postgres/objects.ts';
import type { SchemaCatalogue } from '../protocols/postgres/schema-catalogue.ts';
import { ViewLineages } from '../protocols/postgres/view-lineages.ts';
import { unsettled, type Unsettled } from '../protocols/postgres/unsettled.ts';
import type { DataClasses } from '../masking/classes.ts';
import { CatalogueConnection, unavailable } from './catalogue-connection.ts';
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
  readonly #connection: CatalogueConnection;
  readonly #lineages = new ViewLineages();
  #current: SchemaCatalogue | undefined;
  #stale: Unsettled | undefined;
  #reading: Promise<void> | undefined;
  #again = false;
  #readAt = 0;

  constructor(source: CatalogueSource) {
    this.#source = source;
    this.#connection = new CatalogueConnection(source.connection);
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
    const rows = await this.#connection.read();
    this.#current = buildCatalogue({ rows, place, classes, analyse, previous: this.#current, lineages: this.#lineages });
    if (!this.#again) this.#stale = undefined;
  }
}

const maxAgeMs = 60_000;
/** A client waits no longer than this for what it has just defined to be read. */
const waitMs = 5_000;
const missedAfterMs = 1_000;
