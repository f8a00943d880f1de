import type { AnswerHead, HeaderField } from '../request.ts';
import type { ContainerMasks } from './masks.ts';

/** The fields of an answer that the client may see: documented ones alone. `runsCode`: what code logged may hold anything. */
export function shownFields(head: AnswerHead, masks: ContainerMasks, runsCode: boolean): readonly HeaderField[] {
  return head.fields.filter(({ name }) => SHOWN.has(name) || (IF_NOTHING_IS_HIDDEN.has(name) && !masks.hides && !runsCode));
}

/** The notice of what was masked, by class. */
export function withNotice(fields: readonly HeaderField[], masked: ReadonlyMap<string, number>): readonly HeaderField[] {
  if (masked.size === 0) return fields;
  return [...fields, { name: 'sallyport-masked', value: [...masked].map(([name, count]) => `${name}=${count}`).join(', ') }];
}

const IF_NOTHING_IS_HIDDEN: ReadonlySet<string> = new Set(['x-ms-documentdb-script-log-results', 'x-ms-cosmos-index-utilization']);
/** Microsoft Learn, "Common Azure Cosmos DB REST response headers", and those that SDKs read. */
const SHOWN: ReadonlySet<string> = new Set([
  'cache-control',
  'content-type',
  'date',
  'etag',
  'last-modified',
  'lsn',
  'retry-after',
  'x-ms-activity-id',
  'x-ms-alt-content-path',
  'x-ms-content-path',
  'x-ms-continuation',
  'x-ms-cosmos-is-partition-key-delete-pending',
  'x-ms-cosmos-item-llsn',
  'x-ms-cosmos-llsn',
  'x-ms-cosmos-min-throughput',
  'x-ms-cosmos-physical-partition-id',
  'x-ms-cosmos-query-execution-info',
  'x-ms-cosmos-quorum-acked-llsn',
  'x-ms-documentdb-collection-index-transformation-progress',
  'x-ms-documentdb-partitionkeyrangeid',
  'x-ms-documentdb-query-metrics',
  'x-ms-gatewayversion',
  'x-ms-global-committed-lsn',
  'x-ms-item-count',
  'x-ms-item-lsn',
  'x-ms-last-state-change-utc',
  'x-ms-number-of-read-regions',
  'x-ms-offer-replace-pending',
  'x-ms-quorum-acked-lsn',
  'x-ms-request-charge',
  'x-ms-request-duration-ms',
  'x-ms-resource-quota',
  'x-ms-resource-usage',
  'x-ms-retry-after-ms',
  'x-ms-schemaversion',
  'x-ms-serviceversion',
  'x-ms-session-token',
  'x-ms-substatus',
  'x-ms-transport-request-id',
]);
