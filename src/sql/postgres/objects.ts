/** What a DDL statement is about: the kind of object and its name, out of the many forms in which the parse tree gives them. */
import type { SqlObjectName } from '../statement.ts';
import { currentDatabase } from './findings.ts';
import {
  bodyOf,
  items,
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

/** How an object of this kind is named in a parse tree, and what it is called in action names (`sql:drop-<kind>`). */
interface ObjectKind {
  readonly kind: string;
  readonly named: 'relation' | 'function' | 'in-schema' | 'on-relation' | 'schema' | 'database' | 'role' | 'elsewhere';
}

export function objectKind(type: unknown): ObjectKind {
  return objectKinds.get(requiredText(type, 'object type')) ?? refuse(`unknown object type ${String(type)}`);
}

/** The object that `node` names; `relation` where the statement gives it as a RangeVar instead. */
export function objectNamed(type: unknown, node: unknown, relation?: unknown): SqlObjectName {
  const { named } = objectKind(type);
  if (relation !== undefined && relation !== null) {
    const name = relationName(bodyOf(relation));
    return named === 'in-schema' ? inSchema(name.schema) : { type: 'Relation', name };
  }
  switch (named) {
    case 'relation':
      return { type: 'Relation', name: qualifiedName(nameParts(node)) };
    case 'function':
      return { type: 'Function', name: qualifiedName(nameParts(node)) };
    case 'on-relation':
      return { type: 'Relation', name: qualifiedName(nameParts(node).slice(0, -1)) };
    case 'in-schema':
      return inSchema(qualifiedName(typeOrNameParts(node)).schema);
    case 'schema':
      return { type: 'Schema', schema: singleName(node) };
    case 'database':
      return { type: 'Database', database: singleName(node) };
    case 'role':
      return { type: 'Role', role: roleName(node) };
    case 'elsewhere':
      return currentDatabase;
  }
}

/** Types, operators, collations and the like have no object type of their own: they are asked about as their schema. */
export function inSchema(schema: string | undefined): SqlObjectName {
  return schema === undefined ? currentDatabase : { type: 'Schema', schema };
}

/** The schema of a name that is a list of String nodes. */
export function schemaOf(name: unknown): SqlObjectName {
  return inSchema(qualifiedName(strings(name)).schema);
}

/** A role as RoleSpec; the words CURRENT_USER and so on in lower case. */
export function roleOf(role: unknown): string {
  const body: Body = bodyOf(role);
  const type = requiredText(body['roletype'], 'role type');
  if (type === 'ROLESPEC_CSTRING') return requiredText(body['rolename'], 'role name');
  return roleWords.get(type) ?? refuse(`unknown role type ${type}`);
}

function roleName(node: unknown): string {
  const found = tagged(node);
  return found?.tag === 'RoleSpec' ? roleOf(found.body) : singleName(node);
}

function singleName(node: unknown): string {
  return stringNode(node) ?? refuse('a name was expected');
}

/** The parts of a name: a List of String nodes, an ObjectWithArgs, a RangeVar or one String. */
function nameParts(node: unknown): readonly string[] {
  const found = tagged(node);
  switch (found?.tag) {
    case 'ObjectWithArgs':
      return strings(found.body['objname']);
    case 'RangeVar': {
      const name = relationName(found.body);
      return name.schema === undefined ? [name.name] : [name.schema, name.name];
    }
    case 'String':
      return [singleName(node)];
    default:
      return strings(items(node));
  }
}

/** The same, or a TypeName; of a list that starts with a type or an access method, that type or the names behind it. */
function typeOrNameParts(node: unknown): readonly string[] {
  const found = tagged(node);
  if (found?.tag === 'TypeName') return strings(found.body['names']);
  if (found?.tag !== 'List') return nameParts(node);
  const first = tagged(listOf(found.body['items'])[0]);
  if (first?.tag === 'TypeName') return strings(first.body['names']);
  const parts = listOf(found.body['items']).map((part) => text(stringNode(part)) ?? refuse('a name was expected'));
  return parts.slice(-2);
}

function kinds(named: ObjectKind['named'], byType: Readonly<Record<string, string>>): readonly (readonly [string, ObjectKind])[] {
  return Object.entries(byType).map(([type, kind]) => [`OBJECT_${type}`, { kind, named }] as const);
}

const objectKinds: ReadonlyMap<string, ObjectKind> = new Map([
  ...kinds('relation', {
    TABLE: 'table',
    VIEW: 'view',
    MATVIEW: 'materialized-view',
    INDEX: 'index',
    SEQUENCE: 'sequence',
    FOREIGN_TABLE: 'foreign-table',
  }),
  ...kinds('function', { FUNCTION: 'function', ROUTINE: 'function', PROCEDURE: 'procedure', AGGREGATE: 'aggregate' }),
  ...kinds('on-relation', { COLUMN: 'table', TABCONSTRAINT: 'table', TRIGGER: 'trigger', RULE: 'rule', POLICY: 'policy' }),
  ...kinds('in-schema', {
    TYPE: 'type',
    ATTRIBUTE: 'type',
    DOMAIN: 'domain',
    DOMCONSTRAINT: 'domain',
    OPERATOR: 'operator',
    COLLATION: 'collation',
    CONVERSION: 'conversion',
    STATISTIC_EXT: 'statistics',
    TSCONFIGURATION: 'text-search',
    TSDICTIONARY: 'text-search',
    TSPARSER: 'text-search',
    TSTEMPLATE: 'text-search',
  }),
  ...kinds('elsewhere', {
    OPCLASS: 'operator-class',
    OPFAMILY: 'operator-family',
    CAST: 'cast',
    TRANSFORM: 'transform',
    ACCESS_METHOD: 'access-method',
    EXTENSION: 'extension',
    LANGUAGE: 'language',
    EVENT_TRIGGER: 'event-trigger',
    PUBLICATION: 'publication',
    SUBSCRIPTION: 'subscription',
    FOREIGN_SERVER: 'server',
    FDW: 'foreign-data-wrapper',
    USER_MAPPING: 'user-mapping',
    TABLESPACE: 'tablespace',
    LARGEOBJECT: 'large-object',
    PARAMETER_ACL: 'parameter',
  }),
  ...kinds('schema', { SCHEMA: 'schema' }),
  ...kinds('database', { DATABASE: 'database' }),
  ...kinds('role', { ROLE: 'role' }),
]);

const roleWords: ReadonlyMap<string, string> = new Map([
  ['ROLESPEC_CURRENT_ROLE', 'current_role'],
  ['ROLESPEC_CURRENT_USER', 'current_user'],
  ['ROLESPEC_SESSION_USER', 'session_user'],
  ['ROLESPEC_PUBLIC', 'public'],
]);
