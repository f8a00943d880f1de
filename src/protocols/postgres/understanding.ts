import type { GatewayFault } from '../../core/fault.ts';
import type { Act, Facts } from '../../core/operation.ts';
import type { Analysis, QualifiedName, SessionEffect, Statement } from '../../sql/statement.ts';
import type { CatalogueRelation } from './catalogue.ts';
import { findLookups, type LookupParameters } from './lookup.ts';
import { footprintOf, type Footprint } from './footprint.ts';
import { reachedClasses, type MaskContext, type MaskFacts } from './mask.ts';
import type { Place } from './objects.ts';
import type { SchemaCatalogue } from './schema-catalogue.ts';
import { reasonChange, type ReasonChange } from './reason.ts';
import { readOnlyRefusal } from './read-only.ts';
import { redirectsNames } from './settings.ts';
import { Tracer } from './understanding-lineage.ts';
import { withNamed } from './understanding-named.ts';
import { Resolver } from './understanding-names.ts';
import { gatewaySettingRefusal, refusalOf } from './understanding-refusals.ts';
import { joinedChanges, noViewChanges, viewChanges, viewWriteRefusal, type ViewChanges } from './view-writes.ts';

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
  /** Of which statements of others it changes the meaning, once it is committed; undefined: of none. */
  readonly footprint: Footprint | undefined;
  /** A transaction may end with it, for others to see or not. */
  readonly ending: 'commit' | 'rollback' | undefined;
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
    defines: statements.some(({ kind }) => kind === 'commit-prepared') ? 'code' : definesOf([...acts.values()]),
    footprint: footprintOf(statements),
    ending: endingOf(statements),
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

function endingOf(statements: readonly Statement[]): Understanding['ending'] {
  const kinds = new Set(statements.flatMap(({ sessionEffects }) => sessionEffects.map(({ kind }) => kind)));
  if (kinds.has('commit')) return 'commit';
  return kinds.has('rollback') ? 'rollback' : undefined;
}

function madeNames(statement: Statement): readonly string[] {
  return statement.acts.flatMap(({ action, object }) =>
    makingAction.test(action) && object.type === 'Relation' ? [object.name.name] : [],
  );
}

function display(name: QualifiedName): string {
  return name.schema === undefined ? name.name : `${name.schema}.${name.name}`;
}

const endingKinds: ReadonlySet<string> = new Set(['commit', 'rollback', 'rollback-to-savepoint', 'release-savepoint']);
const namingEffects: ReadonlySet<SessionEffect['kind']> = new Set(['prepare', 'deallocate', 'declare-cursor', 'close-cursor', 'discard']);
const definingAction = /^sql:(create|alter|drop|rename|refresh|comment)/;
const codeAction = /^sql:(create|alter)-(function|procedure|operator|cast|aggregate|type|domain|extension|schema)/;
const makingAction = /^sql:create-(table|view|materialized-view|foreign-table)$/;
