/** DDL: what a schema holds. Each statement is an act on the object that it makes, changes or drops. */
import type { SqlObjectName } from '../statement.ts';
import { exclusionOperators } from './expressions.ts';
import { currentDatabase } from './findings.ts';
import {
  bodyOf,
  inline,
  listOf,
  qualifiedName,
  refuse,
  relationName,
  requiredText,
  stringNode,
  strings,
  tagged,
  text,
  type Body,
} from './nodes.ts';
import { inSchema, objectKind, objectNamed, schemaOf } from './objects.ts';
import type { At, StatementRule } from './rule.ts';
import { setForLater } from './settings.ts';
import { checkFields, type Rule } from './walk.ts';

export const defineStatements: ReadonlyMap<string, StatementRule> = new Map<string, StatementRule>([
  ['CreateStmt', createTable],
  ['CreateForeignTableStmt', createForeignTable],
  ['AlterTableStmt', alterTable],
  ['DropStmt', drop],
  ['RenameStmt', rename],
  ['AlterObjectSchemaStmt', setSchema],
  ['AlterOwnerStmt', setOwner],
  ['AlterObjectDependsStmt', (body, at) => alter(body, at, body['objectType'])],
  ['CommentStmt', (body, at) => describe(body, at, 'comment')],
  ['SecLabelStmt', (body, at) => describe(body, at, 'security-label')],
  ['ViewStmt', createView],
  ['IndexStmt', defines('IndexStmt', 'create-index', (body) => relation(body['relation']), ['relation'])],
  ['CreateSchemaStmt', createSchema],
  ['CreateSeqStmt', defines('CreateSeqStmt', 'create-sequence', (body) => relation(body['sequence']), ['sequence'])],
  ['AlterSeqStmt', defines('AlterSeqStmt', 'alter-sequence', (body) => relation(body['sequence']), ['sequence'])],
  ['CreateFunctionStmt', createFunction],
  [
    'AlterFunctionStmt',
    unseen(
      (body) => `alter-${objectKind(body['objtype']).kind}`,
      (body) => functionNamed(bodyOf(body['func'])['objname']),
    ),
  ],
  ['CreateTrigStmt', createTrigger],
  ['RuleStmt', createRule],
  ['CreateDomainStmt', defines('CreateDomainStmt', 'create-domain', (body) => schemaOf(body['domainname']))],
  ['AlterDomainStmt', alterDomain],
  [
    'CompositeTypeStmt',
    defines('CompositeTypeStmt', 'create-type', (body) => inSchema(relationName(bodyOf(body['typevar'])).schema), ['typevar']),
  ],
  ['CreateEnumStmt', defines('CreateEnumStmt', 'create-type', (body) => schemaOf(body['typeName']))],
  ['AlterEnumStmt', defines('AlterEnumStmt', 'alter-type', (body) => schemaOf(body['typeName']))],
  ['CreateRangeStmt', unseen('create-type', (body) => schemaOf(body['typeName']))],
  ['AlterTypeStmt', unseen('alter-type', (body) => schemaOf(body['typeName']))],
  ['DefineStmt', createByDefinition],
  ['CreateOpClassStmt', unseen('create-operator-class', (body) => schemaOf(body['opclassname']))],
  ['CreateOpFamilyStmt', unseen('create-operator-family', (body) => schemaOf(body['opfamilyname']))],
  ['AlterOpFamilyStmt', unseen('alter-operator-family', (body) => schemaOf(body['opfamilyname']))],
  ['AlterOperatorStmt', unseen('alter-operator', (body) => schemaOf(bodyOf(body['opername'])['objname']))],
  ['CreateCastStmt', unseen('create-cast', () => currentDatabase)],
  ['CreateTransformStmt', unseen('create-transform', () => currentDatabase)],
  ['CreateConversionStmt', unseen('create-conversion', (body) => schemaOf(body['conversion_name']))],
  ['CreateAmStmt', unseen('create-access-method', () => currentDatabase)],
  ['CreateStatsStmt', createStatistics],
  ['AlterStatsStmt', defines('AlterStatsStmt', 'alter-statistics', (body) => schemaOf(body['defnames']))],
  ['AlterCollationStmt', defines('AlterCollationStmt', 'alter-collation', (body) => schemaOf(body['collname']))],
  ['AlterTSDictionaryStmt', defines('AlterTSDictionaryStmt', 'alter-text-search', (body) => schemaOf(body['dictname']))],
  ['AlterTSConfigurationStmt', defines('AlterTSConfigurationStmt', 'alter-text-search', (body) => schemaOf(body['cfgname']))],
  ['CreatedbStmt', defines('CreatedbStmt', 'create-database', database)],
  ['AlterDatabaseStmt', defines('AlterDatabaseStmt', 'alter-database', database)],
  ['AlterDatabaseRefreshCollStmt', defines('AlterDatabaseRefreshCollStmt', 'alter-database', database)],
  ['AlterDatabaseSetStmt', setForDatabase],
  ['DropdbStmt', defines('DropdbStmt', 'drop-database', database)],
]);

/** Nodes that stand only in DDL. */
export const defineRules: ReadonlyMap<string, Rule> = new Map<string, Rule>([
  ['Constraint', constraint],
  ['TableLikeClause', (body, scope, walk) => walk.body('RangeVar', body['relation'], scope)],
  ['StatsElem', mentioningName('StatsElem')],
]);

/** A statement about one object, whose other fields hold nothing but expressions, types and options. */
export function defines(tag: string, kind: string, object: (body: Body) => SqlObjectName, handled: readonly string[] = []): StatementRule {
  return (body, at) => {
    defined(at, kind, object(body));
    at.walk.fields(tag, body, at.scope, handled);
  };
}

/** A statement that makes code run later, now or elsewhere which its text does not show. */
export function unseen(kind: string | ((body: Body) => string), object: (body: Body) => SqlObjectName): StatementRule {
  return (body, at) => {
    defined(at, typeof kind === 'string' ? kind : kind(body), object(body));
    at.found.runsUnseen();
  };
}

export function defined({ found }: At, kind: string, object: SqlObjectName): void {
  found.kind = kind;
  found.changes = true;
  found.defines = true;
  if (object.type === 'Relation') {
    found.actOnRelation(`sql:${kind}`, object.name);
    found.rowOfRelation(object.name.name);
  } else found.act(`sql:${kind}`, object);
}

export function relation(rangeVar: unknown): SqlObjectName {
  const body = bodyOf(rangeVar);
  checkFields('RangeVar', body);
  return { type: 'Relation', name: relationName(body) };
}

function createTable(body: Body, at: At): void {
  tableParts(body, at);
  defined(at, 'create-table', relation(body['relation']));
}

function createForeignTable(body: Body, at: At): void {
  const base = bodyOf(body['base']);
  checkFields('CreateStmt', base);
  tableParts(base, at);
  at.walk.fields('CreateForeignTableStmt', body, at.scope, ['base']);
  defined(at, 'create-foreign-table', relation(base['relation']));
}

/** A child of a parent changes what the parent shows. */
function tableParts(body: Body, { found, walk, scope }: At): void {
  for (const node of listOf(body['inhRelations'])) {
    const parent = relation(tagged(node)?.body);
    if (parent.type === 'Relation') found.actOnRelation('sql:alter-table', parent.name);
  }
  walk.fields('CreateStmt', body, scope, ['relation', 'inhRelations']);
}

function alterTable(body: Body, at: At): void {
  const { found, walk, scope } = at;
  const { kind } = objectKind(body['objtype']);
  const target = objectNamed(body['objtype'], undefined, body['relation']);
  checkFields('RangeVar', bodyOf(body['relation']));
  for (const node of listOf(body['cmds'])) {
    const command = tagged(node);
    if (command?.tag !== 'AlterTableCmd') return refuse('an ALTER TABLE command was expected');
    checkFields(command.tag, command.body);
    const subtype = requiredText(command.body['subtype'], 'ALTER TABLE command');
    if (subtype === 'AT_ChangeOwner') found.act('sql:alter-owner', target);
    if (subtype.endsWith('RowSecurity')) found.act('sql:alter-policy', target);
    if (command.body['behavior'] === 'DROP_CASCADE') found.cascade = true;
    const storing = storingCommands.has(subtype);
    if (storing) found.stores = true;
    const column = text(command.body['name']);
    if (storing && column !== undefined) found.mention(column, true);
    const other = otherRelation(command.body['def']);
    if (other === undefined) walk.fields(command.tag, command.body, { ...scope, storing });
    else {
      found.actOnRelation(`sql:alter-${kind}`, other);
      found.mentionAll(storing);
      walk.body('PartitionBoundSpec', tagged(command.body['def'])?.body['bound'], scope);
    }
  }
  if (kind === 'type') found.changesTypes = true;
  defined(at, `alter-${kind}`, target);
}

/** Every column of that type is checked. */
function alterDomain(body: Body, at: At): void {
  defines('AlterDomainStmt', 'alter-domain', (one) => schemaOf(one['typeName']))(body, at);
  at.found.changesTypes = true;
}

/** The second relation of ATTACH, DETACH, INHERIT and NO INHERIT. */
function otherRelation(definition: unknown): ReturnType<typeof relationName> | undefined {
  const found = tagged(definition);
  if (found?.tag === 'RangeVar') return relationName(found.body);
  if (found?.tag !== 'PartitionCmd') return undefined;
  checkFields(found.tag, found.body);
  return relationName(bodyOf(found.body['name']));
}

function drop(body: Body, at: At): void {
  const { kind } = objectKind(body['removeType']);
  for (const node of listOf(body['objects'])) defined(at, `drop-${kind}`, objectNamed(body['removeType'], node));
}

function alter(body: Body, at: At, type: unknown): void {
  const { kind } = objectKind(type);
  defined(at, `alter-${kind}`, objectNamed(type, body['object'], body['relation']));
}

/** A new name takes a column out of the place where it is known by name: all that the old one held counts as copied. */
function rename(body: Body, at: At): void {
  const { found } = at;
  const type = body['renameType'];
  const named = type === 'OBJECT_SCHEMA' || type === 'OBJECT_DATABASE' || type === 'OBJECT_ROLE';
  // The column of a view, an index or a composite type: the act is on what holds it.
  const holder = type === 'OBJECT_COLUMN' ? body['relationType'] : type;
  alter({ ...body, object: named ? { String: { sval: body['subname'] } } : body['object'] }, at, holder);
  const column = type === 'OBJECT_COLUMN' || type === 'OBJECT_ATTRIBUTE' ? text(body['subname']) : undefined;
  if (column !== undefined) found.mention(column, true);
  if (renamesContent.has(requiredText(type, 'object type'))) found.mentionAll(true);
  found.stores = true;
}

function setSchema(body: Body, at: At): void {
  alter(body, at, body['objectType']);
  at.found.stores = true;
  if (renamesContent.has(requiredText(body['objectType'], 'object type'))) at.found.mentionAll(true);
  at.found.act('sql:alter-schema', { type: 'Schema', schema: requiredText(body['newschema'], 'schema name') });
}

function setOwner(body: Body, at: At): void {
  defined(at, 'alter-owner', objectNamed(body['objectType'], body['object'], body['relation']));
}

function describe(body: Body, at: At, kind: 'comment' | 'security-label'): void {
  defined(at, kind, objectNamed(body['objtype'], body['object']));
}

/** A view shows other relations' columns under names of its own. */
function createView(body: Body, at: At): void {
  const { found, walk, scope } = at;
  found.stores = true;
  walk.fields('ViewStmt', body, { ...scope, storing: true }, ['view']);
  defined(at, 'create-view', relation(body['view']));
}

function createSchema(body: Body, at: At): void {
  for (const element of listOf(body['schemaElts'])) at.include(element);
  const owner = inline(body['authrole'])?.['rolename'];
  const name = text(body['schemaname']) ?? text(owner);
  defined(at, 'create-schema', name === undefined ? currentDatabase : { type: 'Schema', schema: name });
}

/** The body is text in another language, or SQL that runs when it is called. C and internal functions are code loaded into the server. */
function createFunction(body: Body, at: At): void {
  defined(at, body['is_procedure'] === true ? 'create-procedure' : 'create-function', functionNamed(body['funcname']));
  at.found.runsUnseen();
  for (const node of listOf(body['options'])) {
    const option = tagged(node)?.body;
    const language = option?.['defname'] === 'language' ? stringNode(option['arg']) : undefined;
    if (language !== undefined && ['c', 'internal'].includes(language.toLowerCase())) at.found.act('sql:load', currentDatabase);
  }
}

function createTrigger(body: Body, at: At): void {
  defined(at, 'create-trigger', relation(body['relation']));
  at.found.function(qualifiedName(strings(body['funcname'])));
  const referenced = inline(body['constrrel']);
  if (referenced !== undefined) at.found.relation(relationName(referenced));
  at.walk.node(body['whenClause'], at.scope);
  at.found.runsUnseen();
}

/** What a rule does is written out in it: by it, what it reads is stored elsewhere or comes back from another statement. */
function createRule(body: Body, at: At): void {
  const { found } = at;
  for (const action of listOf(body['actions'])) at.include(action);
  at.walk.node(body['whereClause'], at.scope);
  for (const name of ['old', 'new']) found.rowOfRelation(name);
  found.returnsRows = false;
  found.unbounded = false;
  found.literalSensitive = true;
  defined(at, 'create-rule', relation(body['relation']));
  found.runsUnseen();
}

/** CREATE AGGREGATE, OPERATOR, TYPE, COLLATION, TEXT SEARCH …: all but a collation bring functions into play. */
function createByDefinition(body: Body, at: At): void {
  const { kind, named } = objectKind(body['kind']);
  defined(at, `create-${kind}`, named === 'function' ? functionNamed(body['defnames']) : schemaOf(body['defnames']));
  if (kind !== 'collation') at.found.runsUnseen();
}

function createStatistics(body: Body, at: At): void {
  at.walk.fields('CreateStatsStmt', body, at.scope);
  defined(at, 'create-statistics', body['defnames'] === undefined ? currentDatabase : schemaOf(body['defnames']));
}

function setForDatabase(body: Body, at: At): void {
  defined(at, 'alter-database', database(body));
  setForLater(body['setstmt'], at.found);
}

/** Which columns a constraint compares shows in whether it holds. A foreign key reads the other relation. */
function constraint(body: Body, scope: Parameters<Rule>[1], walk: Parameters<Rule>[2]): void {
  for (const field of ['keys', 'including', 'fk_attrs', 'pk_attrs'])
    for (const column of strings(body[field])) walk.found.mention(column, scope.storing);
  const referenced = inline(body['pktable']);
  if (referenced !== undefined) walk.found.read(relationName(referenced));
  if (body['fk_upd_action'] === cascades) followsUpdates(body, walk);
  exclusionOperators(body['exclusions'], scope, walk);
  walk.fields('Constraint', body, scope, ['keys', 'including', 'fk_attrs', 'pk_attrs', 'pktable', 'exclusions']);
}

/** ON UPDATE CASCADE: a new value of the other relation is copied into this one, whoever sets it. Without columns it is the primary key. */
function followsUpdates(body: Body, { found }: Parameters<Rule>[2]): void {
  const columns = strings(body['pk_attrs']);
  found.stores = true;
  for (const column of columns) found.mention(column, true);
  if (columns.length === 0) found.mentionAll(true);
}

function mentioningName(tag: string): Rule {
  return (body, scope, walk) => {
    const name = text(body['name']);
    if (name !== undefined) walk.found.mention(name, scope.storing);
    walk.fields(tag, body, scope);
  };
}

function functionNamed(name: unknown): SqlObjectName {
  return { type: 'Function', name: qualifiedName(strings(name)) };
}

function database(body: Body): SqlObjectName {
  return { type: 'Database', database: requiredText(body['dbname'], 'database name') };
}

/** FKCONSTR_ACTION_CASCADE */
const cascades = 'c';

/** Commands after which data stands in another column, shows through another relation, or is on its own without the parent that said what it is. */
const storingCommands: ReadonlySet<string> = new Set([
  'AT_AddColumn',
  'AT_AlterColumnType',
  'AT_SetExpression',
  'AT_DropExpression',
  'AT_AttachPartition',
  'AT_DetachPartition',
  'AT_AddInherit',
  'AT_DropInherit',
]);

const renamesContent: ReadonlySet<string> = new Set([
  'OBJECT_TABLE',
  'OBJECT_VIEW',
  'OBJECT_MATVIEW',
  'OBJECT_FOREIGN_TABLE',
  'OBJECT_SCHEMA',
  'OBJECT_DATABASE',
]);
