/** What has been found in one statement so far; `finish` makes the summary of it. */
import type { QualifiedName, SessionEffect, SqlAct, SqlObjectName, Statement } from '../statement.ts';
import { traceLineage, type TracedText } from './lineage.ts';
import { nameKey } from './nodes.ts';

export const currentDatabase: SqlObjectName = { type: 'Database', database: undefined };

export class Findings {
  kind = '';
  /** True until a rule has made sure that no literal of the statement decides anything in the summary. */
  literalSensitive = true;
  unbounded = false;
  cascade = false;
  returnsRows = false;
  /** Something may change that others could see, now or later. */
  changes = false;
  /** Nothing but this session changes: its settings, names, position. */
  changesSession = false;
  /** Two calls may differ. */
  differs = false;
  opaque = false;
  /** A write stores values. */
  stores = false;
  /** set_config: which setting is in a literal. */
  setsByFunction = false;
  /** A place in a document is written down as a constant: which one decides what is read. */
  readsPlace = false;
  /** Values may leave by a way that is no result column: an argument of a function that is not known to be harmless. */
  launders = false;
  /** An argument outlives the statement where nothing is known of it: a setting, a notification. */
  keeps = false;
  /** Calls what may read any relation. */
  readsAny = false;
  /** Makes or changes something whose expressions run later. */
  defines = false;
  /** Values of every column of a type are checked or converted. */
  changesTypes = false;
  /** EXPLAIN without ANALYZE: planned, not run. */
  plannedOnly = false;
  copy: Statement['copy'] = undefined;
  readonly effects: SessionEffect[] = [];

  readonly #acts = new Map<string, SqlAct>();
  readonly #relations = new Map<string, QualifiedName>();
  readonly #written = new Map<string, QualifiedName>();
  readonly #functions = new Map<string, QualifiedName>();
  readonly #operators = new Map<string, QualifiedName>();
  readonly #types = new Map<string, QualifiedName>();
  readonly #seen = new Mentions();
  readonly #stored = new Mentions();
  readonly #attributes = new Set<string>();
  /** Names in FROM (aliases, or relations without one) whose whole row is a relation's. */
  readonly #rows = new Set<string>();
  /** Names in FROM whose whole row holds only what a sub-select, CTE or function gives: mentioned where it is written. */
  readonly #derived = new Set<string>();
  /** Names that may stand for a whole row; known only when all of FROM has been seen. */
  readonly #rowReferences: { readonly name: string; readonly unlessDerived: boolean; readonly storing: boolean }[] = [];

  act(action: `sql:${string}`, object: SqlObjectName): void {
    this.#acts.set(`${action} ${JSON.stringify(object)}`, { action, object });
  }

  /** Names a relation without doing anything to it. */
  relation(name: QualifiedName): void {
    this.#relations.set(nameKey(name), name);
  }

  actOnRelation(action: `sql:${string}`, name: QualifiedName): void {
    this.relation(name);
    this.act(action, { type: 'Relation', name });
  }

  read(name: QualifiedName): void {
    this.actOnRelation('sql:select', name);
  }

  write(action: `sql:${string}`, name: QualifiedName): void {
    this.actOnRelation(action, name);
    this.#written.set(nameKey(name), name);
    this.changes = true;
  }

  get namesRelations(): boolean {
    return this.#relations.size > 0;
  }

  relations(): readonly QualifiedName[] {
    return [...this.#relations.values()];
  }

  function(name: QualifiedName): void {
    this.#functions.set(nameKey(name), name);
  }

  operator(name: QualifiedName): void {
    this.#operators.set(nameKey(name), name);
  }

  type(name: QualifiedName): void {
    this.#types.set(nameKey(name), name);
  }

  keepsArguments(): void {
    this.keeps = true;
    this.launders = true;
  }

  /** Runs what the text does not show. */
  runsUnseen(): void {
    this.opaque = true;
    this.changes = true;
    this.launders = true;
  }

  mention(name: string, storing: boolean): void {
    this.#seen.names.add(name);
    if (storing) this.#stored.names.add(name);
  }

  mentionAll(storing: boolean): void {
    this.#seen.all = true;
    if (storing) this.#stored.all = true;
  }

  attribute(name: string, storing: boolean): void {
    this.mention(name, storing);
    this.#attributes.add(name);
  }

  rowOfRelation(name: string): void {
    this.#rows.add(name);
  }

  rowDerived(name: string): void {
    this.#derived.add(name);
  }

  /** `name` may stand for a whole row: surely where it names a relation; with `unlessDerived` also where nothing is known of it. */
  rowReference(name: string, unlessDerived: boolean, storing: boolean): void {
    this.#rowReferences.push({ name, unlessDerived, storing });
  }

  finish(traced: TracedText): Statement {
    for (const { name, unlessDerived, storing } of this.#rowReferences)
      if (this.#rows.has(name) || (unlessDerived && !this.#derived.has(name))) this.mentionAll(storing);
    const seen = this.#seen.summary();
    // Even EXPLAIN of what makes a temporary relation may first make the schema for it.
    const makes = [...this.#acts.values()].some((act) => act.action.slice('sql:'.length).startsWith('create'));
    const altersAnything = this.changes || this.changesSession || this.differs;
    // Planning a write may run functions of the target's constraints and defaults that call themselves immutable.
    const runsNamed = this.effects.some((effect) => effect.kind === 'execute');
    return {
      kind: this.kind,
      acts: [...this.#acts.values()],
      relations: this.relations(),
      written: this.plannedOnly ? [] : [...this.#written.values()],
      functions: [...this.#functions.values()],
      operators: [...this.#operators.values()],
      types: [...this.#types.values()],
      mentions: seen.mentions,
      mentionsAll: seen.mentionsAll,
      attributes: [...this.#attributes],
      copies: this.launders ? seen : this.stores && !this.plannedOnly ? this.#stored.summary() : undefined,
      copiesAny: this.readsAny && (this.keeps || this.stores || this.defines) && !this.plannedOnly,
      evaluatesUnnamed: this.changesTypes || runningWhatWasLeft.has(this.kind) || (maintaining.has(this.kind) && !this.namesRelations),
      unbounded: this.unbounded && !this.plannedOnly,
      cascade: this.cascade,
      pureRead:
        !this.opaque && this.#types.size === 0 && (this.plannedOnly ? !runsNamed && !makes && this.#written.size === 0 : !altersAnything),
      reads: !this.opaque && (this.plannedOnly ? !makes : !this.changes),
      returnsRows: this.returnsRows,
      opaque: this.opaque,
      copy: this.copy,
      sessionEffects: this.effects,
      lineage: (catalogue, sql) => traceLineage(sql === undefined ? traced : { sql, index: 0, inner: false }, catalogue),
    };
  }
}

class Mentions {
  readonly names = new Set<string>();
  all = false;

  summary(): { readonly mentions: readonly string[]; readonly mentionsAll: boolean } {
    return { mentions: [...this.names], mentionsAll: this.all };
  }
}

/** What was left to the end of the transaction runs in them: cursors WITH HOLD, deferred constraints. */
const runningWhatWasLeft: ReadonlySet<string> = new Set(['commit', 'commit-prepared', 'prepare-transaction', 'set-constraints']);

/** Of a whole database or schema, where they name no relation: expressions of statistics and indexes run. */
const maintaining: ReadonlySet<string> = new Set(['analyze', 'cluster', 'reindex', 'vacuum']);
