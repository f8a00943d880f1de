import { setTimeout as delay } from 'node:timers/promises';
import type pg from 'pg';
import { buildCatalogue } from '../protocols/postgres/catalogue-build.ts';
import type { Place } from '../protocols/postgres/objects.ts';
import type { SchemaCatalogue } from '../protocols/postgres/schema-catalogue.ts';
import { ViewLineages } from '../protocols/postgres/view-lineages.ts';
import type { Definitions, Settlements } from '../protocols/postgres/definitions.ts';
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
  /** Of this database, by whatever target. */
  readonly definitions: Definitions;
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
  /** What had been settled when the reading of `#current` began, and when the one began that goes on. */
  #seen: Settlements;
  #seeing: Settlements;
  #reading: Promise<void> | undefined;
  #again = false;
  #readAt = 0;
  /** Readings begun, and the number of the last one that came to its end. */
  #begun = 0;
  #done = 0;

  constructor(source: CatalogueSource) {
    this.#source = source;
    this.#connection = new CatalogueConnection(source.connection);
    this.#seen = this.#seeing = source.definitions.settlements;
  }

  /**
   * Waits for the first snapshot, and for a newer one where something was defined since by way of another target: a session that begins would otherwise
   * see everything as unsettled, inside a transaction of its own to the end of it. Throws `upstream-unavailable`, or `upstream-refused` where the
   * target refuses the gateway.
   */
  async ready(): Promise<void> {
    if (this.#current === undefined) await this.#read();
    if (this.current().isUnsettled === true) await this.settled();
  }

  /** The newest snapshot, marked as unsettled while a newer one is wanted. */
  current(): SchemaCatalogue {
    if (this.#current === undefined) throw unavailable('no snapshot yet');
    const { settlements } = this.#source.definitions;
    if (this.#seen === settlements) {
      if (Date.now() - this.#readAt > maxAgeMs) this.#refresh();
      return this.#current;
    }
    const isWanted = this.#seeing === settlements ? Date.now() - this.#readAt > missedAfterMs : !this.#again;
    if (isWanted && (this.#seeing !== settlements || this.#reading === undefined)) this.#refresh();
    return unsettled(this.#current, this.#seen.code === settlements.code ? 'relations' : 'code');
  }

  /** Something was defined: what is known is not believed until it was read again. */
  markStale(what: Unsettled): Promise<void> {
    this.#source.definitions.settle(what);
    this.#refresh();
    return this.settled();
  }

  /** Until all was read that has been settled by now, or that takes too long. */
  async settled(): Promise<void> {
    const isSeeing = this.#seeing === this.#source.definitions.settlements;
    await this.#whenReadBehind(isSeeing ? this.#begun - 1 : this.#begun);
  }

  /** A snapshot of which no part was read before now; undefined where there is none in time. */
  async afterwards(): Promise<SchemaCatalogue | undefined> {
    const before = this.#begun;
    this.#refresh();
    await this.#whenReadBehind(before);
    return this.#done > before ? this.#current : undefined;
  }

  /** Until a reading with a higher number than `before` is there, or none is going on, or that takes too long. */
  async #whenReadBehind(before: number): Promise<void> {
    const read = async (): Promise<void> => {
      while (this.#reading !== undefined && this.#done <= before) await this.#reading.catch(() => {});
    };
    await Promise.race([read(), delay(waitMs, undefined, { ref: false })]);
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
    const { classes, place, analyse, definitions } = this.#source;
    const seeing = (this.#seeing = definitions.settlements);
    const number = (this.#begun += 1);
    const rows = await this.#connection.read();
    this.#current = buildCatalogue({ rows, place, classes, analyse, previous: this.#current, lineages: this.#lineages });
    this.#seen = seeing;
    this.#done = number;
  }
}

const maxAgeMs = 60_000;
/** A client waits no longer than this for what it has just defined to be read. */
const waitMs = 5_000;
const missedAfterMs = 1_000;
