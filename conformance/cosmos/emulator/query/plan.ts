import { countOf, hasAggregate, type Parameters } from './evaluate.ts';
import type { Node, Select } from './parse.ts';

/** The part of a query plan that SDKs work by (`partitionedQueryExecutionInfoVersion` 2). */
export interface QueryInfo {
  readonly distinctType: 'None' | 'Unordered' | 'Ordered';
  readonly top: number | null;
  readonly offset: number | null;
  readonly limit: number | null;
  readonly orderBy: readonly ('Ascending' | 'Descending')[];
  readonly orderByExpressions: readonly string[];
  readonly groupByExpressions: readonly string[];
  readonly groupByAliases: readonly string[];
  readonly aggregates: readonly string[];
  readonly groupByAliasToAggregateType: Readonly<Record<string, string | null>>;
  readonly rewrittenQuery: string;
  readonly hasSelectValue: boolean;
  readonly hasNonStreamingOrderBy: boolean;
}

/** How SDKs are to run a query over several partitions. */
export function planOf(query: Select, whole: string, parameters: Parameters): QueryInfo {
  const text = (node: Node): string => whole.slice(node.from, node.to);
  const top = countOf(query.top, parameters) ?? null;
  const offset = countOf(query.offset, parameters) ?? null;
  const limit = countOf(query.limit, parameters) ?? null;
  const items = query.items ?? [];
  const aggregated = query.value === undefined ? items.some(({ node }) => hasAggregate(node)) : hasAggregate(query.value);
  const aliases = Object.fromEntries(items.map(({ node, alias }) => [alias, aggregateOf(node) ?? null]));
  return {
    distinctType: !query.distinct ? 'None' : query.orderBy.length > 0 ? 'Ordered' : 'Unordered',
    top,
    offset,
    limit,
    orderBy: query.orderBy.map(({ descending }) => (descending ? 'Descending' : 'Ascending')),
    orderByExpressions: query.orderBy.map(({ node }) => text(node)),
    groupByExpressions: query.groupBy.map(text),
    groupByAliases: query.groupBy.length === 0 ? [] : items.map(({ alias }) => alias),
    aggregates:
      aggregated && query.groupBy.length === 0
        ? [aggregateOf(query.value ?? items[0]!.node) ?? 'Count']
        : aggregated && query.value !== undefined
          ? [aggregateOf(query.value) ?? 'Count']
          : [],
    groupByAliasToAggregateType: query.groupBy.length === 0 ? {} : aliases,
    rewrittenQuery: rewritten(query, text, aggregated, top, offset, limit),
    hasSelectValue: query.value !== undefined,
    hasNonStreamingOrderBy: false,
  };
}

/** One partition cannot answer it alone for all. */
export function needsPlan(info: QueryInfo): boolean {
  const { distinctType, top, offset, orderBy, groupByExpressions, aggregates } = info;
  return (
    distinctType !== 'None' ||
    top !== null ||
    offset !== null ||
    orderBy.length > 0 ||
    groupByExpressions.length > 0 ||
    aggregates.length > 0
  );
}

function rewritten(
  query: Select,
  text: (node: Node) => string,
  aggregated: boolean,
  top: number | null,
  offset: number | null,
  limit: number | null,
): string {
  const where = query.where === undefined ? 'true' : text(query.where);
  const distinct = query.distinct ? 'DISTINCT ' : '';
  if (query.groupBy.length > 0) {
    const groups = query.groupBy.map((node) => `{"item": ${text(node)}}`).join(', ');
    const list = query.groupBy.map(text).join(', ');
    const payload =
      query.value === undefined
        ? `{${(query.items ?? []).map(({ node, alias }) => `"${alias}": ${aggregateOf(node) === undefined ? text(node) : partial(node, text)}`).join(', ')}}`
        : aggregateOf(query.value) === undefined
          ? text(query.value)
          : `[${partial(query.value, text)}]`;
    return `SELECT [${groups}] AS groupByItems, ${payload} AS payload\n${query.fromText}\nWHERE (${where})\nGROUP BY ${list}`;
  }
  if (aggregated && query.value !== undefined) return `SELECT VALUE [${partial(query.value, text)}]\n${query.fromText}\nWHERE (${where})`;
  const root = query.sources[0]?.alias ?? 'c';
  const most = top ?? (limit === null ? null : (offset ?? 0) + limit);
  if (query.orderBy.length === 0) {
    if (limit === null) return '';
    const selection =
      query.value !== undefined
        ? `VALUE ${text(query.value)}`
        : query.items === undefined
          ? '*'
          : query.items.map(({ node, alias }) => `${text(node)} AS ${alias}`).join(', ');
    return `SELECT ${distinct}${selection}\n${query.fromText}\nWHERE (${where})\nOFFSET 0 LIMIT ${most}`;
  }
  const orderBy = query.orderBy.map(({ node }) => `{"item": ${text(node)}}`).join(', ');
  const payload =
    query.value !== undefined
      ? text(query.value)
      : query.items === undefined
        ? root
        : `{${query.items.map(({ node, alias }) => `"${alias}": ${text(node)}`).join(', ')}}`;
  const sorted = query.orderBy.map(({ node, descending }) => `${text(node)} ${descending ? 'DESC' : 'ASC'}`).join(', ');
  return `SELECT ${distinct}${most === null ? '' : `TOP ${most} `}${root}._rid, [${orderBy}] AS orderByItems, ${payload} AS payload\n${query.fromText}\nWHERE ((${where}) AND ({documentdb-formattableorderbyquery-filter}))\nORDER BY ${sorted}`;
}

/** What a partition says of its part of an aggregate. */
function partial(node: Node, text: (node: Node) => string): string {
  const type = aggregateOf(node);
  const inner = node.is === 'call' ? text(node.args[0]!) : text(node);
  switch (type) {
    case 'Average':
      return `{"item": {"sum": SUM(${inner}), "count": COUNT(${inner})}}`;
    case 'Min':
      return `{"item": {"min": MIN(${inner}), "count": COUNT(${inner})}}`;
    case 'Max':
      return `{"item": {"max": MAX(${inner}), "count": COUNT(${inner})}}`;
    default:
      return `{"item": ${text(node)}}`;
  }
}

function aggregateOf(node: Node): string | undefined {
  return node.is === 'call' ? TYPES.get(node.name.toUpperCase()) : undefined;
}

const TYPES = new Map([
  ['COUNT', 'Count'],
  ['SUM', 'Sum'],
  ['AVG', 'Average'],
  ['MIN', 'Min'],
  ['MAX', 'Max'],
]);
