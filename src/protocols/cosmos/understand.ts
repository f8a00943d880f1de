import { GatewayFault } from '../../core/fault.ts';
import { lineageOf, parseQuery, type QueryLineage } from '../../sql/cosmos/index.ts';
import type { ReceivedRequest } from '../request.ts';
import { batchBodyOf, type BatchOperation } from './batch-body.ts';
import { operationHeaders, type OperationHeaders } from './headers.ts';
import { isObject, jsonOf, type Json } from './json-body.ts';
import { patchBodyOf, type PatchBody } from './patch-body.ts';
import { queryBodyOf, type QueryBody } from './query-body.ts';
import { kindOf, needsJson, type OperationKind } from './request-info.ts';
import { resourceOf, type Resource } from './resource.ts';

/** What a request means, with nothing judged yet. */
export interface Understood {
  readonly method: string;
  /** Canonical, decoded. */
  readonly decodedPath: string;
  readonly resource: Resource;
  readonly kind: OperationKind;
  readonly headers: OperationHeaders;
  readonly body: UnderstoodBody;
  /** Of `Sallyport-Reason`, undefined where there is none. */
  readonly reason: string | undefined;
}

export type UnderstoodBody =
  | { readonly kind: 'none' }
  | { readonly kind: 'query'; readonly body: QueryBody; readonly lineage: QueryLineage }
  /** A query over descriptions of databases, containers and so on. */
  | { readonly kind: 'metadata-query'; readonly body: QueryBody }
  | { readonly kind: 'patch'; readonly body: PatchBody }
  | {
      readonly kind: 'batch';
      readonly operations: readonly { readonly operation: BatchOperation; readonly patch: PatchBody | undefined }[];
    }
  | { readonly kind: 'item'; readonly item: Json }
  /** Parameters of a stored procedure. */
  | { readonly kind: 'parameters'; readonly parameters: Json }
  /** Of a database, a container, code, a user, throughput. */
  | { readonly kind: 'definition'; readonly definition: { readonly [key: string]: Json } };

/** Reads method, path, headers and body together. Throws a fault for whatever is not certain. */
export function understand(request: ReceivedRequest): Understood {
  const { method, target } = request;
  if (target.query !== undefined)
    throw new GatewayFault('unsupported', { publicMessage: 'Cosmos DB takes no query in the address in gateway mode' });
  const resource = resourceOf(segmentsOf(target.decodedPath));
  const headers = operationHeaders(request.forwardable);
  const kind = kindOf(method, resource, headers);
  return {
    method,
    decodedPath: target.decodedPath,
    resource,
    kind,
    headers,
    body: bodyOf(request, kind, resource, headers),
    reason: request.fields.find(({ name }) => name === 'sallyport-reason')?.value,
  };
}

function segmentsOf(decodedPath: string): readonly string[] {
  return decodedPath === '/' ? [] : decodedPath.slice(1).split('/');
}

function bodyOf({ body }: ReceivedRequest, kind: OperationKind, resource: Resource, headers: OperationHeaders): UnderstoodBody {
  if (body.kind === 'streamed')
    throw new GatewayFault('limit-exceeded', { publicMessage: 'the body of the request is longer than one item or batch may be' });
  const isEmpty = body.kind === 'none' || body.bytes.length === 0;
  if (isEmpty) {
    if (kind === 'execute') return { kind: 'parameters', parameters: [] };
    if (needsJson(kind) || headers.isQuery) throw unexpected('there is none');
    return { kind: 'none' };
  }
  if (!needsJson(kind) && !headers.isQuery) throw unexpected('there is one');
  const json = jsonOf(body.bytes);
  switch (kind) {
    case 'query':
    case 'query-plan': {
      const query = queryBodyOf(json);
      return { kind: 'query', body: query, lineage: lineageOf(parseQuery(query.query)) };
    }
    case 'read-metadata':
      return { kind: 'metadata-query', body: queryBodyOf(json) };
    case 'patch':
      return { kind: 'patch', body: patchBodyOf(json) };
    case 'batch':
      return {
        kind: 'batch',
        operations: batchBodyOf(json).map((operation) => ({
          operation,
          patch: operation.kind === 'patch' ? patchBodyOf(operation.body) : undefined,
        })),
      };
    case 'execute':
      return { kind: 'parameters', parameters: json };
    case 'create':
    case 'upsert':
    case 'replace':
      if (resource.type === 'docs') return { kind: 'item', item: json };
      if (!isObject(json)) throw unexpected('it is no object');
      return { kind: 'definition', definition: json };
    case 'read':
    case 'read-feed':
    case 'change-feed':
    case 'delete':
    case 'delete-partition':
      throw unexpected('there is one');
    default:
      return kind satisfies never;
  }
}

function unexpected(problem: string): GatewayFault {
  return new GatewayFault('unclassified', { publicMessage: `the body of the request does not go with what it does: ${problem}` });
}
