/**
 * The action vocabulary: every action name and the groups in which it stands. A name is shared by every protocol of its family, so
 * that a rule written for one SQL dialect holds for the next. The names of `sqlActions` are what SQL analysers put into their acts.
 */

/** `connect` and `reveal` are actions as well as groups; the other groups are never asked about themselves. */
export const actionGroups = ['read', 'write', 'define', 'administer', 'execute', 'transfer', 'connect', 'reveal'] as const;
export type ActionGroup = (typeof actionGroups)[number];

/**
 * The groups in which an action stands. In two, a permit of either suffices and a forbid of either bites: so only where a permit of
 * either is meant to cover it. What `administer` is needed for stands in no other.
 */
type ActionTable = Readonly<Record<string, readonly ActionGroup[]>>;

/**
 * SQL. `define` changes what a schema holds; `administer` changes who may do what, loads code, touches the server's files or keeps it
 * running; `connect` is a session's own housekeeping, which every session that may do anything at all needs.
 */
export const sqlActions = {
  // Rows.
  'sql:select': ['read'],
  'sql:insert': ['write'],
  'sql:update': ['write'],
  'sql:delete': ['write'],
  'sql:merge': ['write'],
  'sql:truncate': ['write'],
  'sql:copy-to': ['read', 'transfer'],
  'sql:copy-from': ['write', 'transfer'],
  'sql:bulk-load': ['write', 'transfer'],
  'sql:large-object': ['write', 'transfer'],
  'sql:explain': ['read'],
  'sql:lock': ['write'],
  'sql:refresh': ['write'],
  'sql:nextval': ['write'],
  'sql:prepare-transaction': ['write'],
  'sql:listen': ['read'],
  'sql:notify': ['write'],

  // A session's own housekeeping.
  'sql:set': ['connect'],
  'sql:reset': ['connect'],
  'sql:show': ['connect'],
  'sql:discard': ['connect'],
  'sql:transaction': ['connect'],

  // Code that the gateway cannot look into.
  'sql:call-function': ['execute'],
  'sql:call': ['execute'],
  'sql:do': ['execute'],

  // What a schema holds.
  ...lifecycle('define', [
    'table',
    'view',
    'materialized-view',
    'index',
    'schema',
    'database',
    'function',
    'procedure',
    'aggregate',
    'trigger',
    'type',
    'domain',
    'sequence',
    'rule',
    'operator',
    'operator-class',
    'operator-family',
    'cast',
    'collation',
    'conversion',
    'statistics',
    'foreign-table',
    'text-search',
    'access-method',
    'transform',
    'synonym',
    'large-object',
  ]),
  'sql:comment': ['define'],

  // Who may do what, loaded code, servers of its own.
  ...lifecycle('administer', [
    'role',
    'policy',
    'extension',
    'language',
    'event-trigger',
    'publication',
    'subscription',
    'server',
    'foreign-data-wrapper',
    'user-mapping',
    'tablespace',
    'assembly',
    'certificate',
    'credential',
    'key',
    'audit',
  ]),
  'sql:grant': ['administer'],
  'sql:revoke': ['administer'],
  'sql:alter-default-privileges': ['administer'],
  'sql:alter-owner': ['administer'],
  'sql:reassign-owned': ['administer'],
  'sql:drop-owned': ['administer'],
  'sql:security-label': ['administer'],
  'sql:import-foreign-schema': ['administer'],
  'sql:set-role': ['administer'],
  'sql:set-session-authorization': ['administer'],
  'sql:execute-as': ['administer'],
  'sql:revert': ['administer'],

  // The server itself.
  'sql:alter-system': ['administer'],
  'sql:vacuum': ['administer'],
  'sql:analyze': ['administer'],
  'sql:cluster': ['administer'],
  'sql:reindex': ['administer'],
  'sql:checkpoint': ['administer'],
  'sql:load': ['administer'],
  'sql:cancel': ['administer'],
  'sql:server-file': ['administer'],
  'sql:server-program': ['administer'],
  'sql:remote-query': ['administer'],
  'sql:backup': ['administer'],
  'sql:restore': ['administer'],
  'sql:dbcc': ['administer'],
  'sql:reconfigure': ['administer'],
  'sql:shutdown': ['administer'],
} as const satisfies ActionTable;

const sshActions = {
  'ssh:shell': ['execute'],
  'ssh:exec': ['execute'],
  'ssh:subsystem': ['execute'],
  /** Opening sftp. Each request in it is decided by itself. */
  'ssh:sftp': ['connect'],
  /** Running as another remote user than the target's own. */
  'ssh:log-in-as': ['administer'],
  'ssh:set-environment': ['execute'],
  'ssh:terminal': ['connect'],
  'ssh:signal': ['connect'],
  'ssh:read-file': ['read', 'transfer'],
  'ssh:list-files': ['read'],
  'ssh:write-file': ['write', 'transfer'],
  'ssh:remove-file': ['write'],
  'ssh:rename-file': ['write'],
  'ssh:set-file-attributes': ['write'],
  'ssh:link-file': ['write'],
  'ssh:make-folder': ['write'],
  'ssh:remove-folder': ['write'],
  'ssh:forward-local': ['transfer'],
  /** Having the target listen. */
  'ssh:forward-remote': ['transfer'],
  /** Each connection that comes there. */
  'ssh:accept-connection': ['transfer'],
  'ssh:forward-agent': ['administer'],
  'ssh:forward-x11': ['transfer'],
} as const satisfies ActionTable;

const httpActions = {
  'http:get': ['read'],
  'http:head': ['read'],
  'http:options': ['read'],
  'http:query': ['read'],
  'http:post': ['write'],
  'http:put': ['write'],
  'http:patch': ['write'],
  'http:delete': ['write'],
  'http:connect': ['transfer'],
  'http:trace': ['administer'],
  'http:other': ['administer'],
  'http:websocket': ['execute'],
} as const satisfies ActionTable;

const grpcActions = {
  'grpc:call': ['execute'],
  'grpc:stream': ['execute'],
  'grpc:reflect': ['read'],
  'grpc:health': ['connect'],
} as const satisfies ActionTable;

const kubernetesActions = {
  'kubernetes:get': ['read'],
  'kubernetes:list': ['read'],
  'kubernetes:watch': ['read'],
  'kubernetes:logs': ['read', 'transfer'],
  'kubernetes:discover': ['connect'],
  'kubernetes:review': ['connect'],
  'kubernetes:create': ['write'],
  'kubernetes:update': ['write'],
  'kubernetes:patch': ['write'],
  'kubernetes:apply': ['write'],
  'kubernetes:scale': ['write'],
  'kubernetes:delete': ['write'],
  'kubernetes:delete-collection': ['write'],
  'kubernetes:evict': ['write'],
  'kubernetes:resize': ['write'],
  'kubernetes:define': ['define'],
  'kubernetes:exec': ['execute'],
  'kubernetes:attach': ['execute'],
  'kubernetes:debug': ['execute'],
  'kubernetes:port-forward': ['transfer'],
  'kubernetes:proxy': ['execute'],
  'kubernetes:copy': ['execute'],
  'kubernetes:bind': ['administer'],
  'kubernetes:escalate': ['administer'],
  'kubernetes:impersonate': ['administer'],
  'kubernetes:create-token': ['administer'],
  'kubernetes:approve': ['administer'],
  'kubernetes:sign': ['administer'],
  'kubernetes:schedule': ['administer'],
  'kubernetes:extend': ['administer'],
  'kubernetes:node-proxy': ['administer'],
  'kubernetes:other': ['administer'],
} as const satisfies ActionTable;

const cosmosActions = {
  'cosmos:read': ['read'],
  'cosmos:query': ['read'],
  'cosmos:read-feed': ['read'],
  'cosmos:change-feed': ['read', 'transfer'],
  'cosmos:read-metadata': ['connect'],
  'cosmos:create': ['write'],
  'cosmos:upsert': ['write'],
  'cosmos:replace': ['write'],
  'cosmos:patch': ['write'],
  'cosmos:delete': ['write'],
  'cosmos:batch': ['write'],
  'cosmos:delete-partition': ['write'],
  'cosmos:execute-procedure': ['execute'],
  ...prefixed('cosmos', 'define', ['container', 'database', 'procedure', 'trigger', 'function']),
  ...prefixed('cosmos', 'administer', ['user', 'permission', 'offer']),
} as const satisfies ActionTable;

/** Every action by name, with the groups in which it stands; the groups `connect` and `reveal` are actions of their own. */
export const actionsByName: ReadonlyMap<string, readonly ActionGroup[]> = new Map(
  Object.entries<readonly ActionGroup[]>({
    connect: [],
    reveal: [],
    ...sqlActions,
    ...sshActions,
    ...httpActions,
    ...grpcActions,
    ...kubernetesActions,
    ...cosmosActions,
  }),
);

type Lifecycle<Kind extends string, Group extends ActionGroup> = {
  readonly [Name in `sql:${'create' | 'alter' | 'drop'}-${Kind}`]: readonly [Group];
};

/** `sql:create-…`, `sql:alter-…` and `sql:drop-…` for each kind of object. */
function lifecycle<const Kind extends string, const Group extends ActionGroup>(
  group: Group,
  kinds: readonly Kind[],
): Lifecycle<Kind, Group> {
  return prefixed('sql', group, kinds) as Lifecycle<Kind, Group>;
}

function prefixed(family: string, group: ActionGroup, kinds: readonly string[]): Record<string, readonly [ActionGroup]> {
  return Object.fromEntries(
    kinds.flatMap((kind) => ['create', 'alter', 'drop'].map((verb) => [`${family}:${verb}-${kind}`, [group]] as const)),
  );
}
