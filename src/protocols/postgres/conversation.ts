import type { Effect, OpenSession } from '../../core/effect.ts';
import type { GatewayFault } from '../../core/fault.ts';
import type { Grant } from '../../core/grant.ts';
import type { Completion } from '../../core/operation.ts';
import { Defining } from './defining.ts';
import type { Definitions, Settlements } from './definitions.ts';
import { Doubts } from './doubts.ts';
import type { PostgresEnvironment, PostgresTarget } from './environment.ts';
import { ExpectedQueue, type Running } from './expected.ts';
import { faultMessage, notice } from './fault.ts';
import type { Framer } from './frame.ts';
import { maskContext } from './mask.ts';
import type { FieldDescription, TransactionStatus } from './messages.ts';
import { Names, type PreparedStatement } from './names.ts';
import type { Place } from './objects.ts';
import { Reasons } from './reason.ts';
import type { SchemaCatalogue } from './schema-catalogue.ts';
import { redirectsNames, type Settings } from './settings.ts';
import { Stopping } from './stopping.ts';
import { unsettled, withMade, type Unsettled } from './unsettled.ts';
import { understand, type Sight, type Understanding } from './understanding.ts';
import { joinedChanges, noViewChanges } from './view-writes.ts';

/** What both directions of a ready session share: names, what is awaited, the transaction's state, and what goes out. */
export class Conversation {
  readonly environment: PostgresEnvironment;
  readonly session: OpenSession;
  readonly target: PostgresTarget;
  readonly clientFramer: Framer;
  readonly upstreamFramer: Framer;
  readonly names = new Names();
  readonly expected = new ExpectedQueue();
  readonly reasons: Reasons;
  readonly stopping: Stopping;
  /** Of every session of this database. */
  readonly definitions: Definitions;
  readonly defining: Defining;
  readonly doubts: Doubts;
  /** The server's last word on the transaction (trap 5). */
  transaction: TransactionStatus = 'I';
  /** The operation that is copying in or out, as the server said. */
  copying: { readonly direction: 'in' | 'out'; readonly running: Running } | undefined;
  /** After an error in an extended cycle: the client's messages up to its Sync mean nothing any more, at the server too. */
  skipping = false;
  /**
   * Values in place of pseudonyms were bound, and their portals may still be there: until the transaction has ended, what the server says
   * beside its answers may repeat them (CONTEXT of an error, the plan that `auto_explain` sends when a portal is dropped).
   */
  lookedUp = false;
  /** A table that is named without its schema may be another one than the catalogue says (`Understanding.mayShadow`). */
  shadowed: boolean;
  /** Syncs sent into a copy, which the server ignores there; where the copy had failed by then it answers them after all. */
  ignoredSyncs = 0;
  /** Grant of the operation forwarded last: an answer waits for its record, and so for all earlier ones. */
  lastGrant: Grant;
  out: Effect[] = [];
  readonly #place: Place;
  /** The target's catalogue and the policy's version, asked for once in a step. */
  #latest: SchemaCatalogue | undefined;
  #policy: string | undefined;
  #sight: Sight | undefined;
  #sightOf: { catalogue: unknown; policy: string; changed: Unsettled | undefined } | undefined;
  /** What was defined inside the transaction that is open: only this session sees it. */
  #unsettled: Unsettled | undefined;
  /** Relations made here that no catalogue has seen. */
  readonly #made = new Set<string>();
  #views = noViewChanges;
  #notices: Uint8Array[] = [];
  #waits = 0;
  /** What others had settled and begun when this was last waited for. */
  #settlements: Settlements;
  #begun = 0;

  constructor(parts: {
    environment: PostgresEnvironment;
    session: OpenSession;
    target: PostgresTarget;
    database: string | undefined;
    settings: Settings;
    clientFramer: Framer;
    upstreamFramer: Framer;
    cancelUpstream: () => Effect;
  }) {
    this.environment = parts.environment;
    this.session = parts.session;
    this.target = parts.target;
    this.clientFramer = parts.clientFramer;
    this.upstreamFramer = parts.upstreamFramer;
    this.reasons = new Reasons(parts.settings);
    this.shadowed = [...parts.settings.values].some(([setting, value]) => redirectsNames(setting, value.split(',')));
    this.stopping = new Stopping(this, parts.cancelUpstream);
    this.lastGrant = parts.session.grant;
    const { name, database: own } = parts.target;
    // The target's own database, however it was named, is one and the same to policy and data classes.
    const database = parts.database === own ? undefined : parts.database;
    this.#place = { target: name, database, databaseName: database ?? own };
    this.definitions = parts.target.definitions(this.#place.databaseName);
    this.#settlements = this.definitions.settlements;
    this.defining = new Defining(this);
    this.doubts = new Doubts(this);
  }

  get databaseName(): string {
    return this.#place.databaseName;
  }

  /** The client's messages wait for something that is not the target's answer. */
  get paused(): boolean {
    return this.#waits > 0;
  }

  /**
   * True where the client's next message waits until what others are defining is over, and what they have defined was read: once for each
   * definition, and not where this session may hold a lock that others, or the reading, wait for.
   */
  waitsForOthers(): boolean {
    const { settlements, count } = this.definitions;
    if (this.#settlements === settlements && this.#begun === count) return false;
    if (this.transaction !== 'I' || !this.expected.isEmpty) return false;
    if (this.#begun !== count) {
      this.#begun = count;
      if (this.definitions.mark() !== count) {
        this.wait(this.target.definitionsOver(this.#place.databaseName));
        return true;
      }
    }
    if (this.#settlements === settlements) return false;
    this.#settlements = settlements;
    const latest = (this.#latest ??= this.target.catalogue(this.#place.databaseName));
    if (latest.isUnsettled !== true) return false;
    this.wait(this.target.catalogueSettled(this.#place.databaseName));
    return true;
  }

  /** Pauses the client, and with `upstream` the target's answers, until `until` has settled; it never rejects. */
  wait(until: Promise<void>, upstream = false): void {
    this.#waits += 1;
    this.out.push({ kind: 'wait', until, upstream });
  }

  resumed(): void {
    this.#waits -= 1;
  }

  /**
   * From where statements are seen now. The same object until the catalogue, the policy or this session's definitions change. What was
   * sent and may be defining something counts as defined: a statement behind it will run after it.
   */
  sight(): Sight {
    const latest = (this.#latest ??= this.target.catalogue(this.#place.databaseName));
    const policy = (this.#policy ??= this.environment.policyVersion());
    const changed = this.#unsettled === 'code' || this.expected.defines === 'nothing' ? this.#unsettled : this.expected.defines;
    const of = this.#sightOf;
    if (this.#sight !== undefined && of?.catalogue === latest && of.policy === policy && of.changed === changed) return this.#sight;
    if (changed === undefined && of?.catalogue !== latest) {
      this.#made.clear();
      this.#views = noViewChanges;
    }
    this.#sight = this.#sightOn(latest, changed);
    this.#sightOf = { catalogue: latest, policy, changed };
    this.#understood = new WeakMap();
    return this.#sight;
  }

  /** What a statement that is being answered means by another catalogue than the one that it was judged by. */
  understandBy(
    catalogue: SchemaCatalogue,
    { analysis }: PreparedStatement,
  ): { readonly sight: Sight; readonly understanding: Understanding } {
    const sight = this.#sightOn(catalogue, this.#unsettled);
    return { sight, understanding: understand(analysis, sight, this.names) };
  }

  #sightOn(latest: SchemaCatalogue, changed: Unsettled | undefined): Sight {
    const base = changed === undefined ? latest : unsettled(latest, changed);
    const catalogue = this.#made.size === 0 ? base : withMade(base, latest);
    const revealed = this.environment.reveals(this.session.principal, this.session.target);
    const masks = maskContext(this.target.classes, catalogue, this.session.target.masking, revealed);
    return {
      place: this.#place,
      catalogue,
      masks,
      made: new Set(this.#made),
      views: this.#views,
      readOnly: this.session.target.readOnly === true,
    };
  }

  /** The understanding of a statement, made once for each sight. Statements that run others by name are never kept. */
  understand(statement: PreparedStatement): Understanding {
    const sight = this.sight();
    const { analysis } = statement;
    const kept = this.#understood.get(analysis);
    if (kept !== undefined) return kept;
    const understanding = understand(analysis, sight, this.names);
    if (understanding.namesUnknown) this.target.catalogueMissed(this.#place.databaseName);
    if (!statement.byName) this.#understood.set(analysis, understanding);
    return understanding;
  }

  #understood = new WeakMap<object, Understanding>();

  /** A statement that defines something completed. */
  defined(what: Unsettled, { makes, viewChanges }: Understanding): void {
    if (this.#unsettled !== 'code') this.#unsettled = what;
    for (const name of makes) this.#made.add(name);
    this.#views = joinedChanges(this.#views, viewChanges);
    this.#sight = undefined;
  }

  /**
   * The transaction ended: what it defined is for everyone to see, and the catalogue is read again. The client waits for that, so that
   * its next statement is understood with what it has just defined. What cannot concern others leaves their view of it alone.
   */
  settled(): void {
    if (this.#unsettled === undefined) return;
    if (!this.defining.concernsOthers) {
      const read = this.target.catalogueAfterwards(this.#place.databaseName);
      this.wait(read.then((catalogue) => this.#readOwn(catalogue)));
      return;
    }
    this.defining.settled(this.#unsettled);
    this.wait(this.target.catalogueStale(this.#place.databaseName, this.#unsettled));
    this.#unsettled = undefined;
    this.#sight = undefined;
    this.#latest = undefined;
    // The catalogue that is there now is the one that has not seen it yet.
    this.#sightOf = { catalogue: this.target.catalogue(this.#place.databaseName), policy: '', changed: undefined };
  }

  #readOwn(catalogue: SchemaCatalogue | undefined): void {
    if (catalogue === undefined || this.transaction !== 'I' || this.expected.defines !== 'nothing') return;
    this.#unsettled = undefined;
    this.#sight = undefined;
    this.#latest = undefined;
  }

  forward(bytes: Uint8Array, grant: Grant): void {
    this.out.push({ kind: 'forward', bytes, grant });
  }

  /** The gateway's own housekeeping, under the session's grant. */
  housekeep(bytes: Uint8Array): void {
    this.forward(bytes, this.session.grant);
  }

  /** Bytes for the client that came from, or follow from, the target's answers. */
  reply(bytes: Uint8Array): void {
    this.out.push({ kind: 'reply', bytes, grant: this.lastGrant });
  }

  /** A notice of the gateway's own: at once, or behind the message that is passing. */
  notice(text: string): void {
    this.#notices.push(notice(text));
    this.flushNotices();
  }

  flushNotices(): void {
    if (!this.upstreamFramer.atBoundary) return;
    for (const bytes of this.#notices) this.out.push({ kind: 'reply', bytes, grant: undefined });
    this.#notices = [];
  }

  note(event: string, detail: Readonly<Record<string, string | number>>): void {
    this.out.push({ kind: 'note', event, detail });
  }

  /** Ends the session with the fault in the client's own protocol, where a message can still be put in. */
  end(fault: GatewayFault): void {
    if (this.upstreamFramer.atBoundary) this.out.push({ kind: 'reply', bytes: faultMessage(fault, { phase: 'end' }), grant: undefined });
    this.out.push({ kind: 'close', fault });
  }

  complete(running: Running, outcome: Completion['outcome']): void {
    if (running.ended) return;
    running.ended = true;
    if (running.samplePlan !== undefined) {
      const columns = running.samplePlan.columns.map((column) => column.field.name);
      this.out.push({ kind: 'sample', sample: { operationId: running.id, columns, rows: running.sample } });
    }
    this.out.push({
      kind: 'complete',
      completion: {
        operationId: running.id,
        outcome,
        errorCode: running.errorCode,
        reason: running.reason,
        rows: running.rows,
        bytes: running.bytes,
        masked: running.maskedAny ? Object.fromEntries(running.masked) : NOTHING,
      },
    });
  }

  /** The effects of the step that ends here. Other things than this session may change before the next one. */
  take(): readonly Effect[] {
    this.stopping.time();
    const { out } = this;
    this.out = [];
    this.#latest = undefined;
    this.#policy = undefined;
    return out;
  }
}

/** RowDescription's fields as masking takes them. */
export function resultFields(fields: readonly FieldDescription[]) {
  return fields.map((field) => ({
    name: field.name,
    tableOid: field.tableOid,
    columnAttribute: field.column,
    typeOid: field.typeOid,
    typeModifier: field.typeModifier,
    format: field.format,
  }));
}

const NOTHING: Completion['masked'] = {};
