import { GatewayFault } from '../../core/fault.ts';
import type { Act, Facts, ObjectRef } from '../../core/operation.ts';
import type { Analysis, QualifiedName, SessionEffect, SqlAct, SqlObjectName, Statement } from '../../sql/statement.ts';
import type { CatalogueRelation } from './catalogue.ts';
import { findLookups, type LookupParameters } from './lookup.ts';
import { reachedClasses, type MaskContext, type MaskFacts } from './mask.ts';
import { functionObject, databaseObject, relationObject, roleObject, schemaObject, settingObject, type Place } from './objects.ts';
import type { SchemaCatalogue } from './schema-catalogue.ts';
import { reasonChange, reasonSetting, type ReasonChange } from './reason.ts';
import { readOnlyRefusal } from './read-only.ts';
import { Tracer } from './understanding-lineage.ts';
import { isFreeSetting, isGatewaySetting, isPinnedSetting, redirectsNames } from './settings.ts';
import { unknownName } from './unknown-name.ts';
import { alsoNamed, alsoReached, joinedChanges, noViewChanges, viewChanges, viewWriteRefusal, type ViewChanges } from './view-writes.ts';

/**
 * What one SQL text means at one target for one principal: its analysis with names resolved against the catalogue. Valid under the
 * `Sight` it was made with. The same object for the same statement, so that decisions can be cached under it.
 */
export interface Understanding {
  /** In the order of the text, as the server completes them. */
  readonly statements: readonly Statement[];
  readonly acts: readonly Act[];
  readonly facts: Facts;
  readonly maskFacts: MaskFacts;
  /** The same for what goes on record: with what PREPARE names, whose constants stand in the text. */
  readonly recordFacts: MaskFacts;
  /** Hidden classes whose values the statement can compute with or show. */
  readonly classes: readonly string[];
  readonly pureRead: boolean;
  /** The operation is refused before policy is asked: why. */
  readonly refusal: GatewayFault | undefined;
  /** Parameters that are pseudonyms; undefined where there are none, or it is refused. */
  readonly lookups: LookupParameters | undefined;
  /** `masking: strict`, and hidden classes are in reach: the result's columns must be known before anything runs. */
  readonly needsFields: boolean;
  /** It names a relation that the catalogue does not have: newer than the snapshot, or none at all. */
  readonly namesUnknown: boolean;
  /** It defines something: the catalogue is read again afterwards. `code`: functions, operators or types may have come with it. */
  readonly defines: 'nothing' | 'relations' | 'code';
  /** Names of relations that it makes. */
  readonly makes: readonly string[];
  readonly viewChanges: ViewChanges;
  /** Code runs that the gateway cannot see, named here or behind a view: it may change settings, names, anything of the session. */
  readonly runsUnseen: boolean;
  /** Such code by itself, not row security alone, or another search path: a table that is named without its schema may be another one. */
  readonly mayShadow: boolean;
  /** It gives, forgets or declares names by SQL (PREPARE, DEALLOCATE, DECLARE …). */
  readonly namesBySql: boolean;
  /** Rows of it may come to the client, by whatever way. */
  readonly showsRows: boolean;
  /** It copies from the client. */
  readonly copiesIn: boolean;
  /** It does nothing but end a transaction. */
  readonly ends: boolean;
  /** It states the session's reason, which is the gateway's own business: an empty statement goes in its place. */
  readonly reasonChange: ReasonChange | undefined;
}

/** From where a session looks at a target: changes with the catalogue, the policy and the classes. */
export interface Sight {
  readonly place: Place;
  readonly catalogue: SchemaCatalogue;
  readonly masks: MaskContext;
  /** Relations that this session made and the catalogue has not seen yet. What the gateway let them hold carries no hidden class. */
  readonly made: ReadonlySet<string>;
  /** The target is for reading only. */
  readonly readOnly?: boolean;
  /** Views that changed since the catalogue was read. */
  readonly views?: ViewChanges;
}

/** Statements that are known by name in this session (PREPARE, Parse, DECLARE): what EXECUTE and FETCH run. */
export interface NamedStatements {
  statement(name: string): Statement | undefined;
  /** `not followed`: it is one of what runs another by name. */
  cursor(name: string): Statement | 'not followed' | undefined;
  /** False where there is certainly nothing of this name, neither here nor at the server. Left out: not known. */
  mayExist?(what: 'S' | 'P', name: string): boolean;
}

export function understand(analysis: Analysis, seen: Sight, named: NamedStatements): Understanding {
  const statements = withNamed(analysis.statements, named);
  const changes = viewChanges(statements, seen);
  const sight: Sight = changes === noViewChanges ? seen : { ...seen, views: joinedChanges(seen.views ?? noViewChanges, changes) };
  const resolver = new Resolver(sight);
  const acts = new Map<string, Act>();
  for (const statement of statements)
    for (const act of resolver.acts(statement)) acts.set(`${act.action} ${act.object.type} ${act.object.id}`, act);

  const opaque = resolver.opaque || statements.some((statement) => statement.opaque);
  const written = resolver.relations(statements.flatMap((statement) => statement.written));
  // A relation of the very name that is being made may be read in the same breath: `create temp view people as select … from people`.
  const relations = resolver.relations(statements.flatMap((statement) => statement.relations));
  resolver.unknown = false;
  resolver.relations(statements.flatMap(readNames));
  const withoutLineage: MaskFacts = {
    mentions: [...new Set(statements.flatMap((statement) => statement.mentions))],
    mentionsAll: resolver.wholeRows || statements.some((statement) => statement.mentionsAll),
    relations,
    written,
    ...reachedUnnamed(statements, relations, written, sight.catalogue),
    opaque: opaque || resolver.unknown || written.some((relation) => relation.hasRules === true),
  };
  const tracer = new Tracer(sight, withoutLineage, definesOf([...acts.values()]) !== 'nothing');
  const maskFacts: MaskFacts = { ...withoutLineage, lineage: analysis.statements.length === 1 ? tracer.result(statements) : undefined };
  const predicates = tracer.predicates(statements);
  const classes = reachedClasses(sight.masks, maskFacts);
  const lookups = findLookups(analysis, statements, relations, sight.catalogue, tracer);
  const changed = reasonChange(statements);
  const functions = [...new Set(statements.flatMap((statement) => statement.functions.map(display)))];
  return {
    statements: analysis.statements,
    acts: [...acts.values()],
    facts: {
      protocol: 'postgres',
      statements: statements.map((statement) => statement.kind),
      unbounded: statements.some((statement) => statement.unbounded),
      opaque,
      functions,
      ...(predicates.length === 0 ? {} : { sensitive_predicates: predicates }),
      ...(lookups.classes.length === 0 ? {} : { lookups: lookups.classes }),
    },
    maskFacts,
    recordFacts: recordFactsOf(maskFacts, statements, sight),
    classes,
    pureRead:
      !opaque && statements.every((statement) => statement.pureRead) && !relations.some((relation) => sight.catalogue.runsCode(relation)),
    refusal:
      gatewaySettingRefusal(statements, changed) ??
      viewWriteRefusal(statements, sight) ??
      (sight.readOnly === true ? readOnlyRefusal(statements, opaque) : undefined) ??
      refusalOf(statements, sight, { ...maskFacts, opaque: resolver.unknown }, classes, opaque, tracer) ??
      lookups.refusal,
    lookups: lookups.parameters,
    needsFields: sight.masks.mode === 'strict' && classes.length > 0,
    namesUnknown: resolver.unknown,
    defines: definesOf([...acts.values()]),
    makes: statements.flatMap(madeNames),
    viewChanges: changes,
    runsUnseen: opaque || relations.some((relation) => runsCode(relation, sight.catalogue)),
    mayShadow:
      opaque ||
      analysis.statements.some((statement) => statement.sessionEffects.some(redirects)) ||
      relations.some((relation) => isOwnView(relation) && runsCode(relation, sight.catalogue)),
    namesBySql: analysis.statements.some(({ sessionEffects }) => sessionEffects.some(({ kind }) => namingEffects.has(kind))),
    showsRows: analysis.statements.some(({ returnsRows, copy }) => returnsRows || copy?.direction === 'to-client'),
    copiesIn: analysis.statements.some(({ copy }) => copy?.direction === 'from-client'),
    ends: analysis.statements.length > 0 && analysis.statements.every(({ kind }) => endingKinds.has(kind)),
    reasonChange: changed,
  };
}

function recordFactsOf(facts: MaskFacts, statements: readonly Statement[], sight: Sight): MaskFacts {
  const prepared = statements.flatMap(({ sessionEffects }) =>
    sessionEffects.flatMap((effect) => (effect.kind === 'prepare' ? [effect.statement] : [])),
  );
  if (prepared.length === 0) return facts;
  const resolver = new Resolver(sight);
  for (const statement of prepared) resolver.acts(statement);
  const written = resolver.relations(prepared.flatMap((statement) => statement.written));
  const relations = resolver.relations(prepared.flatMap((statement) => statement.relations));
  return {
    ...facts,
    mentions: [...facts.mentions, ...prepared.flatMap((statement) => statement.mentions)],
    mentionsAll: facts.mentionsAll || resolver.wholeRows || prepared.some((statement) => statement.mentionsAll),
    relations: [...facts.relations, ...relations],
    written: [...facts.written, ...written],
    opaque: facts.opaque || resolver.opaque || resolver.unknown || prepared.some((statement) => statement.opaque),
  };
}

/** What an error of it may repeat beside what it names. */
function reachedUnnamed(
  statements: readonly Statement[],
  relations: readonly CatalogueRelation[],
  written: readonly CatalogueRelation[],
  catalogue: SchemaCatalogue,
): Pick<MaskFacts, 'behind' | 'beyond'> {
  const behind = written.filter(({ kind }) => kind === 'view').map((view) => catalogue.writesThrough(view));
  const ofCode = relations.some((relation) => catalogue.runsCodeAsRead?.(relation) ?? catalogue.runsCode(relation));
  return {
    behind: behind.flatMap((those) => those ?? []),
    beyond: ofCode || behind.includes(undefined) || statements.some((statement) => statement.evaluatesUnnamed),
  };
}

/** While something was defined the catalogue says so of every relation: then it is believed of views. */
function runsCode(relation: CatalogueRelation, catalogue: SchemaCatalogue): boolean {
  return catalogue.runsCode(relation) && (catalogue.isUnsettled !== true || relation.kind === 'view');
}

function redirects(effect: SessionEffect): boolean {
  return effect.kind === 'set' && redirectsNames(effect.setting, effect.values);
}

function isOwnView({ kind, schema }: CatalogueRelation): boolean {
  return kind === 'view' && schema !== 'pg_catalog' && schema !== 'information_schema';
}

/** Relations whose rows may be read: one that is only written or made here may be new. */
function readNames(statement: Statement): readonly QualifiedName[] {
  const made = madeNames(statement);
  return statement.relations.filter(
    (name) => !made.includes(name.name) && !statement.written.some((other) => other.name === name.name && other.schema === name.schema),
  );
}

function definesOf(acts: readonly Act[]): Understanding['defines'] {
  if (acts.some((act) => codeAction.test(act.action))) return 'code';
  return acts.some((act) => definingAction.test(act.action)) ? 'relations' : 'nothing';
}

function madeNames(statement: Statement): readonly string[] {
  return statement.acts.flatMap(({ action, object }) =>
    makingAction.test(action) && object.type === 'Relation' ? [object.name.name] : [],
  );
}

/** EXECUTE and FETCH mean what they name, prepared earlier in the session or earlier in the same text. */
function withNamed(statements: readonly Statement[], named: NamedStatements): readonly Statement[] {
  const prepared = new Map<string, Statement>();
  const cursors = new Map<string, Statement>();
  const all: Statement[] = [];
  for (const statement of statements) {
    all.push(statement);
    for (const effect of statement.sessionEffects) {
      if (effect.kind === 'prepare') prepared.set(effect.name, effect.statement);
      else if (effect.kind === 'declare-cursor') cursors.set(effect.name, effect.statement);
      else if (effect.kind === 'execute')
        all.push(statementOf(prepared.get(effect.name) ?? named.statement(effect.name), effect.name, named));
      else if (effect.kind === 'fetch') all.push(cursorOf(cursors.get(effect.name) ?? named.cursor(effect.name), effect.name, named));
    }
  }
  return all;
}

function statementOf(statement: Statement | undefined, name: string, named: NamedStatements): Statement {
  if (statement !== undefined) return statement;
  throw unknownName('prepared statement', name, named.mayExist?.('S', name) ?? true);
}

/** One that was not declared through the gateway is one that a function opened, where code ran that may have. */
function cursorOf(cursor: Statement | 'not followed' | undefined, name: string, named: NamedStatements): Statement {
  if (cursor === 'not followed') throw unknownName('cursor', name, true);
  if (cursor === undefined && named.mayExist?.('P', name) === false) throw unknownName('cursor', name, false);
  return cursor ?? cursorOfCode;
}

/** What code opened can be anything, as in a DO block. */
const cursorOfCode: Statement = {
  kind: 'do',
  acts: [{ action: 'sql:do', object: { type: 'Database', database: undefined } }],
  relations: [],
  written: [],
  functions: [],
  operators: [],
  types: [],
  mentions: [],
  mentionsAll: true,
  attributes: [],
  copies: undefined,
  copiesAny: false,
  evaluatesUnnamed: true,
  unbounded: false,
  cascade: false,
  pureRead: false,
  reads: false,
  lineage: () => undefined,
  returnsRows: true,
  opaque: true,
  copy: undefined,
  sessionEffects: [],
};

class Resolver {
  readonly #sight: Sight;
  opaque = false;
  unknown = false;
  wholeRows = false;

  constructor(sight: Sight) {
    this.#sight = sight;
  }

  relations(names: readonly QualifiedName[]): readonly CatalogueRelation[] {
    const found = new Map<number, CatalogueRelation>();
    for (const name of names) {
      const meant = this.#sight.catalogue.relationsNamed(name);
      // The storage of long values is in no catalogue, and nothing of its name was made here.
      const isMade = this.#sight.made.has(name.name) && name.schema !== 'pg_toast';
      if (meant.length === 0 && !isMade) this.unknown = true;
      for (const relation of meant) found.set(relation.oid, relation);
    }
    return [...found.values()];
  }

  acts(statement: Statement): readonly Act[] {
    const { catalogue, place } = this.#sight;
    const acts = statement.acts.flatMap((act) => this.#act(act));
    const calls = (name: QualifiedName): void => {
      this.opaque = true;
      acts.push({ action: 'sql:call-function', object: functionObject(place, name.schema ?? defaultSchema, name.name) });
    };
    // The server may prefer a function or an operator that was made here to its own of the same name.
    for (const name of statement.functions) if (name.schema === undefined && catalogue.hasUserFunction(name.name)) calls(name);
    for (const name of statement.operators) if (name.schema === undefined && catalogue.hasUserOperator(name.name)) calls(name);
    for (const attribute of statement.attributes) {
      if (!catalogue.hasUserFunction(attribute) || this.#isColumn(statement, attribute)) continue;
      this.wholeRows = true;
      calls({ schema: undefined, name: attribute });
    }
    return acts;
  }

  /** `c.x` is a column where one of that name exists, else the function `x` called with the row. */
  #isColumn(statement: Statement, attribute: string): boolean {
    return this.relations(statement.relations).some((relation) => [...relation.columns.values()].includes(attribute));
  }

  #act(act: SqlAct): readonly Act[] {
    if (act.object.type === 'Setting' && isGatewaySetting(act.object.setting)) return [];
    if (act.action === 'sql:set' && act.object.type === 'Setting' && isFreeSetting(act.object.setting)) return [];
    const objects = act.object.type === 'Relation' ? this.#relations(act.action, act.object.name) : this.#objects(act.object);
    return objects.map((object) => ({ action: act.action, object }));
  }

  /** With those that the act reaches through it. What a view that was just made has of triggers and rules is not known. */
  #relations(action: SqlAct['action'], name: QualifiedName): readonly ObjectRef[] {
    const beneath = alsoNamed(action, name, this.#sight);
    if (beneath === undefined) return this.#reached(action, name);
    this.opaque = true;
    return [name, ...beneath].flatMap((each) => this.#reached(action, each));
  }

  #reached(action: SqlAct['action'], name: QualifiedName): readonly ObjectRef[] {
    const { catalogue, place } = this.#sight;
    const found = catalogue.relationsNamed(name);
    const reached = found.flatMap((relation) => alsoReached(action, relation, this.#sight));
    if (reached.length === 0) return this.#objects({ type: 'Relation', name });
    return [...new Set([...found, ...reached])].map((relation) => relationObject(place, relation.schema, relation.name));
  }

  /** A name that may mean several things means all of them: the most restricted one decides. */
  #objects(name: SqlObjectName): readonly ObjectRef[] {
    const { place } = this.#sight;
    switch (name.type) {
      case 'Relation': {
        const found = this.#sight.catalogue.relationsNamed(name.name);
        if (found.length > 0) return found.map((relation) => relationObject(place, relation.schema, relation.name));
        return [relationObject(place, name.name.schema ?? defaultSchema, name.name.name)];
      }
      case 'Function':
        return [functionObject(place, name.name.schema ?? defaultSchema, name.name.name)];
      case 'Schema':
        return [schemaObject(place, name.schema)];
      case 'Database':
        return [databaseObject(place.target, name.database ?? place.databaseName)];
      case 'Setting':
        return [settingObject(place, name.setting)];
      case 'Role':
        return [roleObject(place, name.role)];
    }
  }
}

/**
 * What no policy can allow: it would change how statements are read, or carry sensitive data out of the column that is masked. `code`: it
 * runs code that the gateway cannot see; what that code reads by itself is policy's business (`sql:call-function`, `sql:do`, `define`).
 */
function refusalOf(
  statements: readonly Statement[],
  sight: Sight,
  facts: MaskFacts,
  classes: readonly string[],
  code: boolean,
  tracer: Tracer,
): GatewayFault | undefined {
  for (const statement of statements) {
    for (const effect of statement.sessionEffects) {
      if (effect.kind === 'set' && isPinnedSetting(effect.setting, effect.values)) {
        return new GatewayFault('unsupported', {
          publicMessage: `${effect.setting} cannot be changed through the gateway`,
          hint: 'Leave it at its default.',
        });
      }
    }
    if (setsByRow(statement) && isShadowed(settingsView, sight)) {
      return new GatewayFault('unclassified', {
        publicMessage: 'set_config of a name that is read from a pg_settings which may not be the server’s own',
        hint: 'Give set_config the name of the setting as a literal.',
      });
    }
    const { copies, copy } = statement;
    if (copies !== undefined) {
      const { mentions, mentionsAll } = copies;
      const carried = reachedClasses(sight.masks, { ...facts, mentions, mentionsAll, opaque: facts.opaque || statement.copiesAny });
      if (carried.length > 0 && statement.copiesAny)
        return withheld('it may carry away', carried, 'Name what is read in the statement itself, or have the class revealed to you.');
      if (carried.length > 0)
        return withheld('it would copy', carried, 'Leave the sensitive columns out, or have their class revealed to you.');
    }
    if (copy?.direction === 'to-client' && copy.format === 'binary' && !sight.masks.detectors.isEmpty) return unsearchable();
    if (copy?.direction === 'to-client') {
      const shown = copyClasses(statement, sight, facts, tracer.columnClasses(statement) ?? classes);
      if (shown.length > 0)
        return withheld('COPY would show', shown, 'Use SELECT, which shows masked values, or name only columns that are not sensitive.');
    }
  }
  const visible = code ? reachedClasses(sight.masks, { ...facts, opaque: false }) : [];
  if (visible.length === 0) return undefined;
  return withheld('code that the gateway cannot see would get', visible, 'Call the function without sensitive columns.');
}

/** The reason is stated by a statement of its own, which has no part in the transaction. */
function gatewaySettingRefusal(statements: readonly Statement[], change: ReasonChange | undefined): GatewayFault | undefined {
  if (change !== undefined) return undefined;
  const named = statements
    .flatMap(({ sessionEffects }) => sessionEffects)
    .find((effect) => effect.kind === 'set' && isGatewaySetting(effect.setting));
  if (named?.kind !== 'set') return undefined;
  return new GatewayFault('unsupported', {
    publicMessage: `${named.setting} cannot be set like this`,
    hint: `Send SET ${reasonSetting} = '…' as a statement of its own, not SET LOCAL and not by set_config.`,
  });
}

function unsearchable(): GatewayFault {
  return new GatewayFault('masking-refused', {
    publicMessage: 'a binary COPY cannot be searched for sensitive values',
    hint: 'Copy in text or CSV format.',
  });
}

/** The analysis took `name` of the server's `pg_settings` for the name of the setting. */
function setsByRow({ functions, relations }: Statement): boolean {
  return functions.some(({ name }) => name === 'set_config') && relations.some(({ name }) => name === settingsView);
}

function isShadowed(name: string, { catalogue, made }: Sight): boolean {
  return made.has(name) || catalogue.relationsNamed({ schema: undefined, name }).some(({ schema }) => schema !== 'pg_catalog');
}

function copyClasses(statement: Statement, sight: Sight, facts: MaskFacts, classes: readonly string[]): readonly string[] {
  const columns = statement.copy?.columns ?? [];
  return columns.length > 0 ? reachedClasses(sight.masks, { ...facts, mentions: columns, mentionsAll: false }) : classes;
}

function withheld(what: string, classes: readonly string[], hint: string): GatewayFault {
  const names = classes.map((name) => `"${name}"`).join(', ');
  return new GatewayFault('masking-refused', { publicMessage: `refused: ${what} data class ${names}, which you may not see`, hint });
}

function display(name: QualifiedName): string {
  return name.schema === undefined ? name.name : `${name.schema}.${name.name}`;
}

const endingKinds: ReadonlySet<string> = new Set(['commit', 'rollback', 'rollback-to-savepoint', 'release-savepoint']);
const defaultSchema = 'public';
const settingsView = 'pg_settings';
const namingEffects: ReadonlySet<SessionEffect['kind']> = new Set(['prepare', 'deallocate', 'declare-cursor', 'close-cursor', 'discard']);
const definingAction = /^sql:(create|alter|drop|rename|refresh|comment)/;
const codeAction = /^sql:(create|alter)-(function|procedure|operator|cast|aggregate|type|domain|extension|schema)/;
const makingAction = /^sql:create-(table|view|materialized-view|foreign-table)$/;
