/** Who may do what, loaded code, other servers, and the server's own upkeep. */
import type { SqlObjectName } from '../statement.ts';
import { defined, defines, relation, unseen } from './define.ts';
import { currentDatabase } from './findings.ts';
import { bodyOf, inline, listOf, refuse, relationName, requiredText, stringNode, strings, tagged, text, type Body } from './nodes.ts';
import { objectKind, objectNamed, roleOf } from './objects.ts';
import type { At, StatementRule } from './rule.ts';
import { setForLater, settingNamed } from './settings.ts';
import { checkFields } from './walk.ts';

export const administerStatements: ReadonlyMap<string, StatementRule> = new Map<string, StatementRule>([
  ['CreateRoleStmt', defines('CreateRoleStmt', 'create-role', (body) => role(requiredText(body['role'], 'role name')))],
  ['AlterRoleStmt', defines('AlterRoleStmt', 'alter-role', (body) => role(roleOf(body['role'])))],
  ['AlterRoleSetStmt', setForRole],
  ['DropRoleStmt', (body, at) => onRoles(body['roles'], 'drop-role', at)],
  ['DropOwnedStmt', (body, at) => onRoles(body['roles'], 'drop-owned', at)],
  ['ReassignOwnedStmt', reassignOwned],
  ['GrantStmt', grant],
  ['GrantRoleStmt', grantRole],
  ['AlterDefaultPrivilegesStmt', defaultPrivileges],
  ['CreatePolicyStmt', rowSecurity('CreatePolicyStmt', 'create-policy')],
  ['AlterPolicyStmt', rowSecurity('AlterPolicyStmt', 'alter-policy')],
  ['CreateExtensionStmt', createExtension],
  ['AlterExtensionStmt', unseen('alter-extension', inDatabase)],
  ['AlterExtensionContentsStmt', unseen('alter-extension', inDatabase)],
  ['CreatePLangStmt', unseen('create-language', inDatabase)],
  ['CreateEventTrigStmt', unseen('create-event-trigger', inDatabase)],
  ['AlterEventTrigStmt', defines('AlterEventTrigStmt', 'alter-event-trigger', inDatabase)],
  ['CreatePublicationStmt', publication('create-publication')],
  ['AlterPublicationStmt', publication('alter-publication')],
  ['CreateSubscriptionStmt', unseen('create-subscription', inDatabase)],
  ['AlterSubscriptionStmt', unseen('alter-subscription', inDatabase)],
  ['DropSubscriptionStmt', defines('DropSubscriptionStmt', 'drop-subscription', inDatabase)],
  ['CreateFdwStmt', unseen('create-foreign-data-wrapper', inDatabase)],
  ['AlterFdwStmt', unseen('alter-foreign-data-wrapper', inDatabase)],
  ['CreateForeignServerStmt', unseen('create-server', inDatabase)],
  ['AlterForeignServerStmt', unseen('alter-server', inDatabase)],
  ['CreateUserMappingStmt', defines('CreateUserMappingStmt', 'create-user-mapping', mappedRole)],
  ['AlterUserMappingStmt', defines('AlterUserMappingStmt', 'alter-user-mapping', mappedRole)],
  ['DropUserMappingStmt', defines('DropUserMappingStmt', 'drop-user-mapping', mappedRole)],
  ['ImportForeignSchemaStmt', importForeignSchema],
  ['CreateTableSpaceStmt', defines('CreateTableSpaceStmt', 'create-tablespace', inDatabase)],
  ['DropTableSpaceStmt', defines('DropTableSpaceStmt', 'drop-tablespace', inDatabase)],
  ['AlterTableSpaceOptionsStmt', defines('AlterTableSpaceOptionsStmt', 'alter-tablespace', inDatabase)],
  ['AlterTableMoveAllStmt', defines('AlterTableMoveAllStmt', 'alter-tablespace', inDatabase)],
  ['AlterSystemStmt', alterSystem],
  ['VacuumStmt', vacuum],
  ['ClusterStmt', maintain('cluster')],
  ['ReindexStmt', reindex],
  ['CheckPointStmt', defines('CheckPointStmt', 'checkpoint', inDatabase)],
  ['LoadStmt', unseen('load', inDatabase)],
]);

function setForRole(body: Body, at: At): void {
  // ALTER ROLE ALL
  const name = body['role'] === undefined ? 'all' : roleOf(body['role']);
  defined(at, 'alter-role', role(name));
  setForLater(body['setstmt'], at.found);
}

function onRoles(roles: unknown, kind: string, at: At): void {
  for (const node of listOf(roles)) defined(at, kind, role(roleOf(tagged(node)?.body)));
}

function reassignOwned(body: Body, at: At): void {
  onRoles([...listOf(body['roles']), { RoleSpec: body['newrole'] }], 'reassign-owned', at);
}

function grant(body: Body, at: At): void {
  const kind = body['is_grant'] === true ? 'grant' : 'revoke';
  const type = requiredText(body['objtype'], 'object type');
  const everyIn = body['targtype'] === 'ACL_TARGET_ALL_IN_SCHEMA';
  for (const node of listOf(body['objects'])) {
    if (everyIn) defined(at, kind, objectNamed('OBJECT_SCHEMA', node));
    else if (type === 'OBJECT_PARAMETER_ACL') defined(at, kind, { type: 'Setting', setting: requiredText(stringNode(node), 'parameter') });
    else defined(at, kind, objectNamed(type, node));
  }
  objectKind(type);
}

function grantRole(body: Body, at: At): void {
  const kind = body['is_grant'] === true ? 'grant' : 'revoke';
  for (const node of listOf(body['granted_roles'])) {
    const granted = tagged(node);
    if (granted?.tag !== 'AccessPriv') return refuse('a role was expected');
    defined(at, kind, role(requiredText(granted.body['priv_name'], 'role name')));
  }
}

/** For the schemas that it names, else for all that the role makes. */
function defaultPrivileges(body: Body, at: At): void {
  const schemas = listOf(body['options']).flatMap((node) => {
    const option = tagged(node);
    if (option?.tag !== 'DefElem') return refuse('an option was expected');
    return option.body['defname'] === 'schemas' ? strings(tagged(option.body['arg'])?.body['items']) : [];
  });
  for (const schema of schemas) defined(at, 'alter-default-privileges', { type: 'Schema', schema });
  if (schemas.length === 0) defined(at, 'alter-default-privileges', currentDatabase);
  if (inline(body['action'])?.['behavior'] === 'DROP_CASCADE') at.found.cascade = true;
}

/** CASCADE installs what the extension requires. */
function createExtension(body: Body, at: At): void {
  unseen('create-extension', inDatabase)(body, at);
  if (listOf(body['options']).some((node) => tagged(node)?.body['defname'] === 'cascade')) at.found.cascade = true;
}

/**
 * What a policy asks of other relations is asked with every statement on its own one, whose text says nothing of it: as if it were copied there.
 */
function rowSecurity(tag: string, kind: string): StatementRule {
  return (body, at) => {
    at.found.stores = true;
    defined(at, kind, relation(body['table']));
    at.walk.fields(tag, body, { ...at.scope, storing: true }, ['table']);
  };
}

/** A publication lets what it names leave the server: tables, all of a schema, or all there are. */
function publication(kind: string): StatementRule {
  return (body, at) => {
    const { found, walk, scope } = at;
    if (body['for_all_tables'] === true) publishesAny(at);
    for (const node of listOf(body['pubobjects'])) {
      const table = inline(tagged(node)?.body['pubtable']);
      if (table === undefined) {
        if (body['action'] !== 'AP_DropObjects') publishesAny(at);
        continue;
      }
      checkFields('PublicationTable', table);
      found.read(relationName(bodyOf(table['relation'])));
      walk.node(table['whereClause'], scope);
    }
    defined(at, kind, currentDatabase);
    found.launders = true;
    found.mentionAll(true);
  };
}

function publishesAny({ found }: At): void {
  found.readsAny = true;
  found.keepsArguments();
}

function importForeignSchema(body: Body, at: At): void {
  defined(at, 'import-foreign-schema', { type: 'Schema', schema: requiredText(body['local_schema'], 'schema name') });
  at.found.runsUnseen();
}

function alterSystem(body: Body, at: At): void {
  defined(at, 'alter-system', { type: 'Setting', setting: settingNamed(body['setstmt']) });
}

/** VACUUM and ANALYZE: of the relations named, else of the database. */
function vacuum(body: Body, at: At): void {
  const kind = body['is_vacuumcmd'] === true ? 'vacuum' : 'analyze';
  const relations = listOf(body['rels']).map((node) => {
    const found = tagged(node);
    if (found?.tag !== 'VacuumRelation') return refuse('a relation was expected');
    checkFields(found.tag, found.body);
    return relation(found.body['relation']);
  });
  for (const object of relations.length === 0 ? [currentDatabase] : relations) defined(at, kind, object);
}

function maintain(kind: string): StatementRule {
  return (body, at) => defined(at, kind, body['relation'] === undefined ? currentDatabase : relation(body['relation']));
}

function reindex(body: Body, at: At): void {
  const schema = body['kind'] === 'REINDEX_OBJECT_SCHEMA' ? text(body['name']) : undefined;
  if (schema !== undefined) defined(at, 'reindex', { type: 'Schema', schema });
  else maintain('reindex')(body, at);
}

function mappedRole(body: Body): SqlObjectName {
  return role(roleOf(body['user']));
}

function role(name: string): SqlObjectName {
  return { type: 'Role', role: name };
}

function inDatabase(): SqlObjectName {
  return currentDatabase;
}
