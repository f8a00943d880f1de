import type { ObjectType } from '../core/operation.ts';
import { actionGroups, actionsByName } from './actions.ts';

export { actionsByName, sqlActions } from './actions.ts';

/** The kinds of value that a fact may have in policy's `context`. */
export type FactType = 'String' | 'Long' | 'Bool' | 'Set<String>';

/**
 * Every fact of policy's `context`, besides `target`, the target itself. All but `target`, `protocol` and `groups_known` are optional: a
 * policy asks `context has unbounded` first. The engine sets these three, `hour` and `weekday`; a caller's value for them is not used.
 */
export const factTypes: Readonly<Record<string, FactType>> = {
  /** Set by the engine. */
  protocol: 'String',
  /** False where the token says "too many groups". Set by the engine. */
  groups_known: 'Bool',
  /** 0 to 23, UTC. Set by the engine. */
  hour: 'Long',
  /** `monday` … `sunday`, UTC. Set by the engine. */
  weekday: 'String',
  /** Why the session was opened, as its principal stated it. */
  reason: 'String',

  /** Kinds of the SQL statements in the operation: `select`, `insert`, `create-table`, `explain-analyze` … */
  statements: 'Set<String>',
  /** UPDATE or DELETE without a WHERE that names a column, TRUNCATE; a write to every document or file. */
  unbounded: 'Bool',
  /** … CASCADE: it reaches objects that it does not name. Only where it is true. */
  cascade: 'Bool',
  /** Functions called, `schema.name`, or `name` where the statement leaves the schema open. */
  functions: 'Set<String>',
  /** Runs code or text that the gateway cannot see. */
  opaque: 'Bool',
  /** Data classes of columns by which rows are chosen, joined, grouped or sorted: what is asked of values that are not shown. */
  sensitive_predicates: 'Set<String>',
  /** Data classes of which values are looked up by their pseudonyms. */
  lookups: 'Set<String>',
  /** A prepared statement or server-side handle. */
  prepared: 'Bool',
  /** The database asked for at connection. */
  database: 'String',
  /** The user name that the client claimed: recorded, never believed. */
  claimed_user: 'String',
  /** The program name that the client claimed. */
  application: 'String',

  /** The whole command line, words joined by one space, as it will run. SSH: words quoted where they need it; only of one simple command with literal words. */
  command: 'String',
  /** The words of the command line, without their order. SSH: as `command`. */
  argv: 'Set<String>',
  /** The first word of the command line. SSH: as `command`. */
  program: 'String',
  /** SSH: equal to one of the target's `exact_commands`. Only where it is true. */
  exact_command: 'Bool',
  /** SSH: why a command line is more than one simple command with literal words (`shell/syntax.ts`). Absent where it is not. */
  shell_syntax: 'Set<String>',
  /** SSH: programs that a command line names, at any place. */
  commands: 'Set<String>',
  /** SSH: programs among them that run other text or other programs. */
  interpreter: 'Set<String>',
  /** SSH: a redirection writes, or a program that is known to. */
  writes_file: 'Bool',
  /** SSH: the subsystem's name. */
  subsystem: 'String',
  /** SSH: without SIG. */
  signal: 'String',
  /** A terminal was asked for: what is typed decides what runs. */
  terminal: 'Bool',
  /** The remote user of an SSH session. */
  remote_user: 'String',
  /** Names of environment variables that the client sets. */
  environment: 'Set<String>',

  /** Upper case. */
  method: 'String',
  /** Canonical, decoded once, without the query. */
  path: 'String',
  host: 'String',
  /** Names of query parameters. */
  query_parameters: 'Set<String>',
  content_type: 'String',
  /** `name=value` of the values in the request's body that the target's `body_facts` name. */
  body: 'Set<String>',
  /** The same of the parameters of its query that `query_facts` names. */
  query: 'Set<String>',
  /** The same of its header fields that `header_facts` names, in lower case. */
  headers: 'Set<String>',
  /** gRPC: `package.Service`. */
  service: 'String',
  /** gRPC: the method's name. */
  rpc: 'String',

  /** Kubernetes. The core group is the empty string. */
  api_group: 'String',
  api_version: 'String',
  /** Kubernetes: `get`, `list`, `watch`, `create`, `update`, `patch`, `delete`, `deletecollection`, as its own authorisation has it. */
  verb: 'String',
  /** Kubernetes: the resource's plural name. */
  resource: 'String',
  subresource: 'String',
  namespace: 'String',
  name: 'String',
  /** Of a stream into a pod or its log; absent: the only one. */
  container: 'String',
  /** Input goes into the container. */
  stdin: 'Bool',
  /** A container runs as user 0, or as the user of its image, which nobody knows here. */
  runs_as_root: 'Bool',
  privileged: 'Bool',
  /** Paths, network, processes or IPC of the node. */
  host_access: 'Bool',
  /** Paths of the node that are mounted. */
  host_paths: 'Set<String>',
  /** Linux capabilities that are added. */
  capabilities: 'Set<String>',
  images: 'Set<String>',
  service_account: 'String',
  dry_run: 'Bool',
  force: 'Bool',
  /** Ports of a pod that are forwarded, as far as the request names them. */
  ports: 'Set<String>',
  /** Of a token that is asked for. */
  audiences: 'Set<String>',
  /** Whom the client wants to be taken for. Never passed on. */
  impersonated_user: 'String',
  impersonated_groups: 'Set<String>',

  /** Cosmos: a query that reads every partition. */
  cross_partition: 'Bool',
  partition_key: 'String',

  /** Files over SSH: `sftp`, `scp`, `rsync` or `git`. With any but `sftp` a path is what its text says, whatever links there are on the server. */
  transfer: 'String',
  /** How a file is opened: `read`, `write`, `append`, `create`, `truncate`, `exclusive`. */
  opens: 'Set<String>',
  /** What is opened: `regular`, `folder`, `link`, `device`, `other`; absent where nothing is there yet. */
  file_type: 'String',
  /** Permissions that a file is given, four octal digits: `4755`. */
  file_mode: 'String',
  /** What a link that is made leads to, as it is written. */
  link_target: 'String',
  /** A file that has the new name already is replaced. */
  overwrites: 'Bool',

  /** SSH and Kubernetes forwards: where to. Of a port that the target listens on: where that is, `*` for all addresses, 0 for a port that it chooses. */
  destination_host: 'String',
  destination_port: 'Long',
  /** SSH: who connects to a port that the target listens on, as the target says. */
  originator_host: 'String',
  originator_port: 'Long',
};

/** Facts that the engine always sets, so that policies need not ask for their presence. */
const alwaysPresent: ReadonlySet<string> = new Set(['protocol', 'groups_known']);

/** The object types of one family of protocols: what its actions may be asked about. Every family's objects may be the target itself. */
const objectTypesByFamily: Readonly<Record<string, readonly ObjectType[]>> = {
  connect: ['Target', 'Database', 'Namespace'],
  reveal: ['DataClass'],
  sql: ['Target', 'Database', 'Schema', 'Relation', 'Function', 'Setting', 'Role'],
  ssh: ['Target', 'Command', 'File', 'Forward', 'Setting', 'Role'],
  http: ['Target', 'Path', 'Method'],
  grpc: ['Target', 'Path', 'Method'],
  kubernetes: ['Target', 'Namespace', 'Resource', 'Path', 'Forward', 'Role'],
  cosmos: ['Target', 'Database', 'Schema', 'Relation', 'Function', 'Resource', 'Role'],
};

/** In which types an object of this type may stand directly. Data classes belong to no target, so that no rule about targets reveals one. */
const parentTypes: Readonly<Record<ObjectType, readonly string[]>> = {
  Target: ['Label'],
  Database: ['Target'],
  Schema: ['Database', 'Target'],
  Relation: ['Schema', 'Database', 'Target'],
  Function: ['Schema', 'Database', 'Target'],
  Setting: ['Database', 'Target'],
  Role: ['Database', 'Namespace', 'Target'],
  DataClass: [],
  Namespace: ['Target'],
  Resource: ['Resource', 'Namespace', 'Database', 'Target'],
  Path: ['Path', 'Target'],
  Method: ['Path', 'Target'],
  Command: ['Target'],
  File: ['File', 'Target'],
  Forward: ['Resource', 'Namespace', 'Target'],
};

/** Every type of object that an act may be about. */
export const objectTypes: readonly ObjectType[] = Object.keys(parentTypes) as ObjectType[];

/** The whole schema, in Cedar's own notation. */
export const schemaText: string = declareSchema([...actionsByName.keys()]);

/**
 * A schema that judges policies which name exactly these actions as the whole schema does: besides them it holds one action of each
 * family and set of groups, since actions that agree in both differ in nothing but their names.
 */
export function validationSchema(mentioned: ReadonlySet<string>): string {
  const kinds = new Map<string, string>();
  for (const [name, groups] of actionsByName) kinds.set(`${familyOf(name)} ${groups.join(' ')}`, name);
  const representatives = new Set(kinds.values());
  return declareSchema([...actionsByName.keys()].filter((name) => mentioned.has(name) || representatives.has(name)));
}

function declareSchema(actions: readonly string[]): string {
  return [
    'entity Group;',
    'entity Issuer;',
    'entity Label;',
    'entity Agent, User in [Group, Issuer] { issuer: String, subject: String } tags String;',
    ...Object.entries(parentTypes).map(([type, parents]) => `entity ${type}${parents.length === 0 ? '' : ` in [${parents.join(', ')}]`};`),
    `type Facts = { target: Target, ${Object.entries(factTypes).map(declareFact).join(', ')} };`,
    ...actionGroups.filter((group) => !actionsByName.has(group)).map((group) => `action ${JSON.stringify(group)};`),
    ...actions.map((name) => declareAction(name, actionsByName.get(name) ?? [])),
  ].join('\n');
}

function declareFact([name, type]: [string, FactType]): string {
  return `${name}${alwaysPresent.has(name) ? '' : '?'}: ${type}`;
}

function declareAction(name: string, groups: readonly string[]): string {
  const member = groups.length === 0 ? '' : ` in [${groups.map((group) => JSON.stringify(group)).join(', ')}]`;
  const resources = objectTypesByFamily[familyOf(name)] ?? [];
  return `action ${JSON.stringify(name)}${member} appliesTo { principal: [Agent, User], resource: [${resources.join(', ')}], context: Facts };`;
}

function familyOf(name: string): string {
  return name.split(':', 1)[0] ?? name;
}
