import { GatewayFault } from '../../core/fault.ts';
import type { OperationHeaders } from './headers.ts';
import type { Resource, ResourceType } from './resource.ts';

/** What a request does, told from method, path and headers together. */
export type OperationKind =
  /** The account, or a description of databases, containers, code, users, throughput: nothing of an item. */
  | 'read-metadata'
  | 'read'
  | 'read-feed'
  | 'change-feed'
  | 'query'
  | 'query-plan'
  | 'create'
  | 'upsert'
  | 'replace'
  | 'patch'
  | 'delete'
  | 'batch'
  | 'execute'
  | 'delete-partition';

/** Faults: `unclassified` where method, path and headers do not go together in a documented way, `unsupported` for what is not served. */
export function kindOf(method: string, resource: Resource, headers: OperationHeaders): OperationKind {
  const kind = kindByMethod(method, resource, headers);
  const selecting = [headers.isQuery, headers.isQueryPlan, headers.isUpsert, headers.isBatch].filter(Boolean).length;
  const selected = kind === 'query' || kind === 'query-plan' || kind === 'upsert' || kind === 'batch';
  const isItemWrite = resource.type === 'docs' && WRITES.has(kind);
  if (
    selecting !== (selected || isMetadataQuery(method, headers) ? 1 : 0) ||
    (headers.changeFeed !== undefined) !== (kind === 'change-feed') ||
    (headers.mediaType === QUERY) !== (headers.isQuery || headers.isQueryPlan) ||
    (headers.triggers.length > 0 && !isItemWrite) ||
    (headers.setsThroughput && !mayCarryThroughput(resource.type, kind))
  )
    throw doNotGoTogether();
  return kind;
}

/** The bodies that a kind needs. */
export function needsJson(kind: OperationKind): boolean {
  return BODIES.has(kind);
}

function kindByMethod(method: string, resource: Resource, headers: OperationHeaders): OperationKind {
  const { type, id } = resource;
  switch (method) {
    case 'GET':
    case 'HEAD':
      if (type === 'partitionkey') throw doNotGoTogether();
      if (type !== 'docs' && type !== 'conflicts') return 'read-metadata';
      if (id !== undefined) return 'read';
      return headers.changeFeed === undefined ? 'read-feed' : 'change-feed';
    case 'POST':
      return postOf(resource, headers);
    case 'PUT':
      if (id === undefined || !REPLACEABLE.has(type)) throw doNotGoTogether();
      return 'replace';
    case 'PATCH':
      if (id === undefined || type !== 'docs') throw doNotGoTogether();
      return 'patch';
    case 'DELETE':
      if (id === undefined || !DELETABLE.has(type)) throw doNotGoTogether();
      return 'delete';
    default:
      throw doNotGoTogether();
  }
}

function postOf({ type, id }: Resource, headers: OperationHeaders): OperationKind {
  if (type === 'partitionkey') return 'delete-partition';
  if (type === 'sprocs' && id !== undefined) return 'execute';
  if (id !== undefined) throw doNotGoTogether();
  if (headers.isQueryPlan) {
    if (type === 'docs') return 'query-plan';
    throw doNotGoTogether();
  }
  if (headers.isQuery) {
    if (type === 'docs' || type === 'conflicts') return 'query';
    if (type !== 'permissions') return 'read-metadata';
    throw new GatewayFault('unsupported', {
      publicMessage: 'permissions cannot be queried here: a query could show their resource tokens under another name',
      hint: 'Read all of them.',
    });
  }
  if (headers.isBatch) {
    if (type === 'docs') return 'batch';
    throw doNotGoTogether();
  }
  if (!CREATABLE.has(type)) throw doNotGoTogether();
  return headers.isUpsert ? 'upsert' : 'create';
}

function isMetadataQuery(method: string, headers: OperationHeaders): boolean {
  return method === 'POST' && headers.isQuery;
}

function mayCarryThroughput(type: ResourceType, kind: OperationKind): boolean {
  return ((type === 'dbs' || type === 'colls') && kind === 'create') || (type === 'offers' && kind === 'replace');
}

function doNotGoTogether(): GatewayFault {
  return new GatewayFault('unclassified', {
    publicMessage: 'method, path and headers of the request do not go together in a way that is documented, so what it does is not certain',
  });
}

const QUERY = 'application/query+json';
const WRITES: ReadonlySet<OperationKind> = new Set(['create', 'upsert', 'replace', 'patch', 'delete', 'batch']);
const BODIES: ReadonlySet<OperationKind> = new Set(['query', 'query-plan', 'create', 'upsert', 'replace', 'patch', 'batch', 'execute']);
const CREATABLE: ReadonlySet<ResourceType> = new Set(['dbs', 'colls', 'docs', 'sprocs', 'triggers', 'udfs', 'users', 'permissions']);
const REPLACEABLE: ReadonlySet<ResourceType> = new Set(['colls', 'docs', 'sprocs', 'triggers', 'udfs', 'users', 'permissions', 'offers']);
const DELETABLE: ReadonlySet<ResourceType> = new Set([
  'dbs',
  'colls',
  'docs',
  'sprocs',
  'triggers',
  'udfs',
  'users',
  'permissions',
  'conflicts',
]);
