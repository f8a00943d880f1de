import { badRequest, ServiceError, type Answer, type Asked } from './answer.ts';
import { patched } from './patch.ts';
import { runTriggers } from './scripts.ts';
import type { Container, Item } from './store.ts';

/** Reads and writes of single items, and batches of them. */
export function itemAnswer(container: Container, asked: Asked, id: string | undefined): Answer {
  const { method, headers } = asked;
  const key = keyOf(headers);
  const ifMatch = headers['if-match'];
  switch (`${method} ${id === undefined ? 'feed' : 'item'}`) {
    case 'POST feed': {
      const body = runTriggers(container, headers['x-ms-documentdb-pre-trigger-include'], asked.body);
      const isUpsert = headers['x-ms-documentdb-is-upsert']?.toLowerCase() === 'true';
      const { item, isNew } = container.put(key, body, isUpsert ? 'upsert' : 'create', undefined, ifMatch);
      return written(item, isNew ? 201 : 200, headers);
    }
    case 'GET item': {
      const item = container.get(key, id!);
      if (headers['if-none-match'] === item['_etag']) return { status: 304, headers: { etag: String(item['_etag']) } };
      return written(item, 200, {});
    }
    case 'PUT item':
      return written(container.put(key, asked.body, 'replace', id, ifMatch).item, 200, headers);
    case 'PATCH item':
      return written(container.put(key, patched(container.get(key, id!), asked.body), 'replace', id, ifMatch).item, 200, headers);
    case 'DELETE item':
      container.remove(key, id!, ifMatch);
      return { status: 204 };
    default:
      throw new ServiceError(405, 'MethodNotAllowed', 'The requested verb is not supported.');
  }
}

interface BatchOperation {
  readonly operationType: string;
  readonly id?: string;
  readonly partitionKey?: string;
  readonly resourceBody?: unknown;
  readonly ifMatch?: string;
}

/** Atomic (a batch) or not (bulk). */
export function batchAnswer(container: Container, { headers, body }: Asked): Answer {
  if (!Array.isArray(body) || body.length > 100) throw badRequest('A batch has at most 100 operations.');
  const isAtomic = headers['x-ms-cosmos-batch-atomic']?.toLowerCase() === 'true';
  const undo = container.snapshot();
  const results: { statusCode: number; requestCharge: number; eTag?: unknown; resourceBody?: unknown }[] = [];
  let failed = false;
  for (const operation of body as readonly BatchOperation[]) {
    try {
      results.push({ requestCharge: 1, ...batchResult(container, operation, headers) });
    } catch (error) {
      if (!(error instanceof ServiceError)) throw error;
      failed = true;
      results.push({ statusCode: error.status, requestCharge: 1 });
      if (isAtomic) break;
    }
  }
  if (failed && isAtomic) {
    undo();
    const at = results.length - 1;
    return {
      status: 207,
      body: (body as readonly unknown[]).map((_, index) => (index === at ? results[at] : { statusCode: 424, requestCharge: 0 })),
    };
  }
  return { status: failed ? 207 : 200, body: results };
}

function batchResult(
  container: Container,
  operation: BatchOperation,
  headers: Asked['headers'],
): { readonly statusCode: number; readonly eTag?: unknown; readonly resourceBody?: unknown } {
  const key = operation.partitionKey === undefined ? keyOf(headers) : (JSON.parse(operation.partitionKey) as unknown[])[0];
  const { id = '', resourceBody, ifMatch } = operation;
  const shown = (item: Item, statusCode: number): ReturnType<typeof batchResult> => ({
    statusCode,
    eTag: item['_etag'],
    ...(headers['prefer'] === 'return=minimal' ? {} : { resourceBody: item }),
  });
  switch (operation.operationType) {
    case 'Create':
      return shown(container.put(key, resourceBody, 'create').item, 201);
    case 'Upsert': {
      const { item, isNew } = container.put(key, resourceBody, 'upsert', undefined, ifMatch);
      return shown(item, isNew ? 201 : 200);
    }
    case 'Replace':
      return shown(container.put(key, resourceBody, 'replace', id, ifMatch).item, 200);
    case 'Read':
      return { statusCode: 200, eTag: container.get(key, id)['_etag'], resourceBody: container.get(key, id) };
    case 'Delete':
      container.remove(key, id, ifMatch);
      return { statusCode: 204 };
    case 'Patch':
      return shown(container.put(key, patched(container.get(key, id), resourceBody), 'replace', id, ifMatch).item, 200);
    default:
      throw badRequest('The operation of the batch is not known.');
  }
}

/** The first value of the header; `{}` stands for none. */
export function keyOf(headers: Asked['headers']): unknown {
  const header = headers['x-ms-documentdb-partitionkey'];
  if (header === undefined) throw badRequest('PartitionKey value must be supplied for this operation.');
  return (JSON.parse(header) as unknown[])[0];
}

function written(item: Item, status: number, headers: Asked['headers']): Answer {
  const etag = { etag: String(item['_etag']) };
  return headers['prefer'] === 'return=minimal' ? { status: 204, headers: etag } : { status, body: item, headers: etag };
}
