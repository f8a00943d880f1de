import { badRequest, ServiceError, type Answer, type Asked } from './answer.ts';
import { countOf, rowsOf, type Row } from './query/evaluate.ts';
import { parse, QueryError, type Select } from './query/parse.ts';
import { needsPlan, planOf } from './query/plan.ts';
import { userDefinedOf } from './scripts.ts';
import type { Container, Item } from './store.ts';

/** A query, or the plan of one. */
export function queryAnswer(container: Container, asked: Asked): Answer {
  const { headers } = asked;
  const { query: text, parameters: list = [] } = asked.body as { query: string; parameters?: readonly { name: string; value: unknown }[] };
  const parameters = new Map(list.map(({ name, value }) => [name, value]));
  try {
    const query = parse(text);
    const info = planOf(query, text, parameters);
    const plan = {
      partitionedQueryExecutionInfoVersion: 2,
      queryInfo: info,
      queryRanges: [{ min: '', max: 'FF', isMinInclusive: true, isMaxInclusive: false }],
    };
    if (headers['x-ms-cosmos-is-query-plan-request'] !== undefined) return { status: 200, body: plan };
    const isWhole = headers['x-ms-documentdb-partitionkey'] === undefined && headers['x-ms-documentdb-partitionkeyrangeid'] === undefined;
    if (isWhole && headers['x-ms-documentdb-query-enablecrosspartition']?.toLowerCase() !== 'true') {
      throw badRequest('Cross partition query is required but disabled.');
    }
    if (isWhole && needsPlan(info)) {
      const more = { additionalErrorInfo: JSON.stringify(plan) };
      throw new ServiceError(
        400,
        'BadRequest',
        'The provided cross partition query can not be directly served by the gateway.',
        more,
        1004,
      );
    }
    const rows = limited(query, rowsOf(query, itemsOf(container, headers), parameters, userDefinedOf(container)), parameters);
    return page(
      container,
      headers,
      rows,
      (row) => row.value,
      (row) => row.keys,
    );
  } catch (error) {
    if (error instanceof QueryError)
      throw badRequest(`{"errors":[{"severity":"Error","code":"SC1001","message":${JSON.stringify(error.message)}}]}`);
    throw error;
  }
}

/** All items, page by page. */
export function feedAnswer(container: Container, { headers }: Asked): Answer {
  return page(
    container,
    headers,
    itemsOf(container, headers),
    (item) => item,
    () => [],
  );
}

/** What changed since the etag that the client got last; `*`: since now. */
export function changesAnswer(container: Container, { headers }: Asked): Answer {
  const since = headers['if-none-match'];
  const after = since === '*' ? container.lsn : Number((since ?? '"0"').replaceAll('"', ''));
  const isFull = headers['a-im']?.toLowerCase() === 'full-fidelity feed';
  const scope = new Set(itemsOf(container, headers).map(({ id }) => id));
  const all = container.changes.filter(({ lsn, item, deleted }) => lsn > after && (scope.has(item.id) || (isFull && deleted)));
  // The latest version alone, but for all versions and deletes.
  const changes = isFull
    ? all
    : all.filter(({ item, deleted }, index) => !deleted && !all.slice(index + 1).some((later) => later.item.id === item.id));
  const count = sizeOf(headers);
  const shown = changes.slice(0, count);
  const etag = `"${shown.at(-1)?.lsn ?? container.lsn}"`;
  if (shown.length === 0) return { status: 304, headers: { etag } };
  const documents = shown.map(({ item, previous, lsn, deleted }) =>
    isFull
      ? {
          ...(deleted ? {} : { current: item }),
          ...(deleted || previous !== undefined ? { previous } : {}),
          metadata: {
            lsn,
            crts: item['_ts'],
            operationType: deleted ? 'delete' : previous === undefined ? 'create' : 'replace',
            id: item.id,
            partitionKey: { [container.keyPath[0]!]: container.keyOf(item) },
          },
        }
      : { ...item, _lsn: lsn },
  );
  return { status: 200, body: { _rid: container.rid, Documents: documents, _count: documents.length }, headers: { etag } };
}

function itemsOf(container: Container, headers: Asked['headers']): readonly Item[] {
  const key = headers['x-ms-documentdb-partitionkey'];
  const range = headers['x-ms-documentdb-partitionkeyrangeid'];
  const items = [...container.items.values()];
  if (key !== undefined) {
    const wanted = JSON.stringify((JSON.parse(key) as unknown[])[0]);
    return items.filter((item) => JSON.stringify(container.keyOf(item) ?? {}) === wanted);
  }
  return range === undefined ? items : items.filter((item) => container.partitionOf(item) === range);
}

function limited(query: Select, rows: readonly Row[], parameters: ReadonlyMap<string, unknown>): readonly Row[] {
  const [top, offset, limit] = [query.top, query.offset, query.limit].map((node) => countOf(node, parameters));
  const from = offset ?? 0;
  return rows.slice(from, limit === undefined ? undefined : from + limit).slice(0, top);
}

/** The token holds what the last row was sorted by, as the service's own does. */
function page<T>(
  container: Container,
  headers: Asked['headers'],
  rows: readonly T[],
  valueOf: (row: T) => unknown,
  keysOf: (row: T) => readonly unknown[],
): Answer {
  const from = Number(/#TRC:(\d+)/.exec(headers['x-ms-continuation'] ?? '')?.[1] ?? 0);
  const shown = rows.slice(from, from + sizeOf(headers));
  const next = from + shown.length;
  const last = shown.at(-1);
  const keys = last === undefined ? [] : keysOf(last);
  const token = `-RID:~${container.rid}#RT:1#TRC:${next}#ISV:2${keys.length === 0 ? '' : `#RTD:${Buffer.from(JSON.stringify(keys)).toString('base64url')}`}`;
  const documents = shown.map(valueOf);
  return {
    status: 200,
    body: { _rid: container.rid, Documents: documents, _count: documents.length },
    headers: { 'x-ms-item-count': String(documents.length), ...(next < rows.length ? { 'x-ms-continuation': token } : {}) },
  };
}

function sizeOf(headers: Asked['headers']): number {
  const size = Number(headers['x-ms-max-item-count'] ?? 100);
  return size > 0 ? size : 100;
}
