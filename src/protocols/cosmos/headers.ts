import { GatewayFault } from '../../core/fault.ts';
import type { HeaderField } from '../request.ts';

/** What the headers of a request say of its operation. */
export interface OperationHeaders {
  readonly isQuery: boolean;
  readonly isQueryPlan: boolean;
  readonly isUpsert: boolean;
  readonly isBatch: boolean;
  /** `A-IM`; undefined: no change feed. */
  readonly changeFeed: 'incremental' | 'full-fidelity' | undefined;
  /** Names of triggers that the request runs. */
  readonly triggers: readonly string[];
  /** Throughput is asked for. */
  readonly setsThroughput: boolean;
  /** As it was sent: JSON. */
  readonly partitionKey: string | undefined;
  /** Lower case, without parameters. */
  readonly mediaType: string;
  /** What may go upstream. */
  readonly forwarded: readonly HeaderField[];
}

/**
 * Reads the headers by which Cosmos DB selects an operation. Every `x-ms-…` header is on a list of its own: one that is not might select an operation
 * that nobody has judged. Faults: `unclassified` for an unknown one, one given twice, or a value that servers could read in two ways.
 */
export function operationHeaders(fields: readonly HeaderField[]): OperationHeaders {
  const found = new Map<string, string>();
  for (const { name, value } of fields) {
    if (!isOfCosmos(name)) continue;
    if (!SELECTING.has(name) && !PASSED.has(name) && !LEFT_OUT.has(name)) throw refusal(`the header ${name} is not known`);
    if (found.has(name)) throw refusal(`the header ${name} is given twice`);
    found.set(name, value);
  }
  return {
    isQuery: flag(found, 'x-ms-documentdb-isquery'),
    isQueryPlan: flag(found, 'x-ms-cosmos-is-query-plan-request'),
    isUpsert: flag(found, 'x-ms-documentdb-is-upsert'),
    isBatch: flag(found, 'x-ms-cosmos-is-batch-request'),
    changeFeed: changeFeedOf(found.get('a-im')),
    triggers: [...list(found, 'x-ms-documentdb-pre-trigger-include'), ...list(found, 'x-ms-documentdb-post-trigger-include')],
    setsThroughput: THROUGHPUT.some((name) => found.has(name)),
    partitionKey: found.get('x-ms-documentdb-partitionkey'),
    mediaType: (found.get('content-type') ?? '').split(';', 1)[0]!.trim().toLowerCase(),
    forwarded: fields.filter(({ name }) => SELECTING.has(name) || PASSED.has(name)),
  };
}

function isOfCosmos(name: string): boolean {
  return name.startsWith('x-ms-') || SELECTING.has(name) || PASSED.has(name);
}

function flag(found: ReadonlyMap<string, string>, name: string): boolean {
  const value = found.get(name)?.toLowerCase();
  if (value === undefined || value === 'false') return false;
  if (value === 'true') return true;
  throw refusal(`the header ${name} is neither true nor false`);
}

function list(found: ReadonlyMap<string, string>, name: string): readonly string[] {
  const value = found.get(name);
  if (value === undefined) return [];
  const names = value.split(',').map((one) => one.trim());
  if (names.every((one) => /^[^\s/\\?#"]{1,255}$/.test(one))) return names;
  throw refusal(`the header ${name} is no list of names`);
}

function changeFeedOf(value: string | undefined): OperationHeaders['changeFeed'] {
  if (value === undefined) return undefined;
  const known = value.toLowerCase();
  if (known === 'incremental feed') return 'incremental';
  if (known === 'full-fidelity feed') return 'full-fidelity';
  throw refusal('A-IM names a feed that is not known');
}

function refusal(problem: string): GatewayFault {
  return new GatewayFault('unclassified', {
    publicMessage: `what the request asks for is not certain: ${problem}`,
    hint: 'Headers decide what a request to Cosmos DB does; only documented ones are passed.',
  });
}

const THROUGHPUT: readonly string[] = [
  'x-ms-offer-throughput',
  'x-ms-cosmos-offer-autopilot-settings',
  'x-ms-cosmos-migrate-offer-to-autopilot',
  'x-ms-cosmos-migrate-offer-to-manual-throughput',
  'x-ms-offer-type',
];

/** They decide what the request does. Forwarded. */
const SELECTING: ReadonlySet<string> = new Set([
  'a-im',
  'content-type',
  'x-ms-cosmos-is-batch-request',
  'x-ms-cosmos-is-query-plan-request',
  'x-ms-documentdb-is-upsert',
  'x-ms-documentdb-isquery',
  'x-ms-documentdb-partitionkey',
  'x-ms-documentdb-post-trigger-include',
  'x-ms-documentdb-pre-trigger-include',
  ...THROUGHPUT,
]);

/** How it is done, and which part of the answer comes first. Forwarded. */
const PASSED: ReadonlySet<string> = new Set([
  'cache-control',
  'if-match',
  'if-modified-since',
  'if-none-match',
  'prefer',
  'user-agent',
  'x-ms-activity-id',
  'x-ms-client-request-id',
  'x-ms-consistency-level',
  'x-ms-continuation',
  'x-ms-cosmos-allow-cachedreads',
  'x-ms-cosmos-allow-tentative-writes',
  'x-ms-cosmos-batch-atomic',
  'x-ms-cosmos-batch-continue-on-error',
  'x-ms-cosmos-batch-ordered',
  'x-ms-cosmos-changefeed-wire-format-version',
  'x-ms-cosmos-correlated-activityid',
  'x-ms-cosmos-database-rid',
  'x-ms-cosmos-intended-collection-rid',
  'x-ms-cosmos-is-client-encrypted',
  'x-ms-cosmos-physical-partition-id',
  'x-ms-cosmos-populateindexmetrics',
  'x-ms-cosmos-populateindexmetrics-v2',
  'x-ms-cosmos-priority-level',
  'x-ms-cosmos-query-optimisticdirectexecute',
  'x-ms-cosmos-query-version',
  'x-ms-cosmos-sdk-supportedcapabilities',
  'x-ms-cosmos-supported-query-features',
  'x-ms-cosmos-throughput-bucket',
  'x-ms-cosmos-use-mastertelemetry',
  'x-ms-dedicatedgateway-bypass-cache',
  'x-ms-dedicatedgateway-max-age',
  'x-ms-documentdb-disable-ru-per-minute-usage',
  'x-ms-documentdb-expiry-seconds',
  'x-ms-documentdb-force-query-scan',
  'x-ms-documentdb-partitionkeyrangeid',
  'x-ms-documentdb-populatequerymetrics',
  'x-ms-documentdb-populatequotainfo',
  'x-ms-documentdb-query-enable-scan',
  'x-ms-documentdb-query-enablecrosspartition',
  'x-ms-documentdb-query-iscontinuationexpected',
  'x-ms-documentdb-query-parallelizecrosspartitionquery',
  'x-ms-documentdb-responsecontinuationtokenlimitinkb',
  'x-ms-documentdb-script-enable-logging',
  'x-ms-end-epk',
  'x-ms-indexing-directive',
  'x-ms-max-item-count',
  'x-ms-read-key-type',
  'x-ms-session-token',
  'x-ms-start-epk',
  'x-ms-useragent',
  'x-ms-version',
]);

/**
 * Known, and not passed: the date, which the gateway signs; binary JSON, which could not be looked into; statistics of partitions, which hold partition keys of items.
 */
const LEFT_OUT: ReadonlySet<string> = new Set([
  'x-ms-cosmos-supported-serialization-formats',
  'x-ms-date',
  'x-ms-documentdb-populatepartitionstatistics',
  'x-ms-return-client-request-id',
]);
