import { randomUUID } from 'node:crypto';
import {
  BulkOperationType,
  ChangeFeedStartFrom,
  PermissionMode,
  type Container,
  type CosmosClient,
  type Database,
  type OperationInput,
} from '@azure/cosmos';

/** What one use of the SDK does and gives back, the same on every way. */
export interface Capability {
  readonly name: string;
  /** `small`: of what `@vercel/cosmosdb-server` knows as well. */
  readonly small?: boolean;
  run(bench: Workbench): Promise<unknown>;
}

export interface Workbench {
  readonly client: CosmosClient;
  readonly database: Database;
  readonly container: Container;
}

/** A database and a container of its own with six items, in two partitions. */
export async function workbench(client: CosmosClient, name: string): Promise<Workbench> {
  const { database } = await client.databases.createIfNotExists({ id: name });
  const { container } = await database.containers.createIfNotExists({ id: 'items', partitionKey: { paths: ['/kind'] } });
  for (const item of items) await container.items.upsert(structuredClone(item));
  return { client, database, container };
}

const items = [
  { id: 'a1', kind: 'fruit', name: 'apple', price: 3, tags: ['red', 'sweet'], size: { w: 1, h: 2 } },
  { id: 'a2', kind: 'fruit', name: 'banana', price: 1, tags: ['yellow'], size: { w: 4, h: 1 } },
  { id: 'a3', kind: 'fruit', name: 'cherry', price: 9, tags: [] },
  { id: 'b1', kind: 'tool', name: 'hammer', price: 20, tags: ['heavy', 'red'] },
  { id: 'b2', kind: 'tool', name: 'saw', price: 15, tags: ['sharp'] },
  { id: 'c1', kind: 'book', name: 'atlas', price: 42, tags: ['heavy'], note: null },
];

async function all(
  bench: Workbench,
  query: string,
  options: Record<string, unknown> = {},
  parameters: { name: string; value: never }[] = [],
): Promise<unknown> {
  return (await bench.container.items.query({ query, parameters }, options).fetchAll()).resources;
}

/** Page by page, following continuation. */
async function pages(bench: Workbench, query: string, options: Record<string, unknown>): Promise<unknown> {
  const found: unknown[] = [];
  let continuation: string | undefined;
  do {
    const page = await bench.container.items
      .query(query, { ...options, ...(continuation === undefined ? {} : { continuationToken: continuation }) })
      .fetchNext();
    found.push(page.resources);
    continuation = page.continuationToken;
  } while (continuation !== undefined && found.length < 20);
  return found;
}

const queries: readonly (readonly [string, string, small?: boolean])[] = [
  ['filter', 'SELECT * FROM c WHERE c.price > 2 AND c.kind = "fruit"', true],
  ['projection', 'SELECT c.id, c.name AS label, c.size.w FROM c WHERE c.kind = "fruit"'],
  ['VALUE', 'SELECT VALUE c.name FROM c', true],
  ['object', 'SELECT VALUE {id: c.id, "twice": c.price * 2, list: [c.name, c.price]} FROM c'],
  ['functions', 'SELECT VALUE UPPER(CONCAT(c.name, "-", c.id)) FROM c WHERE STARTSWITH(c.name, "a")'],
  ['coalesce and choice', 'SELECT c.id, c.note ?? "none" AS note, (c.price > 10 ? "dear" : "cheap") AS price FROM c'],
  ['IN, BETWEEN, LIKE', 'SELECT VALUE c.id FROM c WHERE c.kind IN ("fruit", "tool") AND c.price BETWEEN 1 AND 15 AND c.name LIKE "%a%"'],
  ['JOIN', 'SELECT c.id, t AS tag FROM c JOIN t IN c.tags'],
  ['JOIN over a sub-query', 'SELECT VALUE {id: c.id, t: t} FROM c JOIN (SELECT VALUE x FROM x IN c.tags WHERE x != "red") AS t'],
  ['EXISTS', 'SELECT VALUE c.id FROM c WHERE EXISTS(SELECT VALUE t FROM t IN c.tags WHERE t = "red")'],
  ['ARRAY', 'SELECT c.id, ARRAY(SELECT VALUE UPPER(t) FROM t IN c.tags) AS tags FROM c'],
  ['FROM a path', 'SELECT VALUE s FROM s IN c.tags'],
  ['ORDER BY', 'SELECT c.id FROM c ORDER BY c.price DESC'],
  ['ORDER BY, everything', 'SELECT * FROM c ORDER BY c.name'],
  ['TOP', 'SELECT TOP 3 c.id FROM c ORDER BY c.id'],
  ['OFFSET LIMIT', 'SELECT c.id FROM c ORDER BY c.id OFFSET 2 LIMIT 2'],
  ['DISTINCT', 'SELECT DISTINCT VALUE c.kind FROM c'],
  ['COUNT', 'SELECT VALUE COUNT(1) FROM c'],
  ['SUM', 'SELECT VALUE SUM(c.price) FROM c'],
  ['AVG', 'SELECT VALUE AVG(c.price) FROM c'],
  ['MIN', 'SELECT VALUE MIN(c.name) FROM c'],
  ['MAX', 'SELECT VALUE MAX(c.price) FROM c'],
  ['GROUP BY', 'SELECT c.kind, COUNT(1) AS n, MAX(c.price) AS most FROM c GROUP BY c.kind'],
  ['syntax error', 'SELECT * FROM c WHERE'],
];

export const capabilities: readonly Capability[] = [
  { name: 'account', run: async ({ client }) => (await client.getDatabaseAccount()).resource?.consistencyPolicy },
  { name: 'database: read', small: true, run: async ({ database }) => (await database.read()).resource?.id },
  { name: 'database: list', run: async ({ client }) => (await client.databases.readAll().fetchAll()).resources.length > 0 },
  {
    name: 'container: list',
    small: true,
    run: async ({ database }) => (await database.containers.readAll().fetchAll()).resources.map(({ id }) => id),
  },
  { name: 'container: read', small: true, run: async ({ container }) => (await container.read()).resource?.partitionKey },
  {
    name: 'container: create with throughput, replace, delete',
    run: async ({ database }) => {
      const { container } = await database.containers.create({ id: 'other', partitionKey: { paths: ['/id'] }, throughput: 500 });
      const { resource } = await container.read();
      await container.replace({ ...resource!, defaultTtl: 100 });
      const replaced = (await container.read()).resource?.defaultTtl;
      const offer = (await container.readOffer()).resource;
      return [replaced, offer?.content?.offerThroughput, (await container.delete()).statusCode];
    },
  },
  {
    name: 'throughput: replace',
    run: async ({ client, container }) => {
      const { resource } = await container.readOffer();
      await client.offer(resource!.id).replace({ ...resource!, content: { ...resource!.content!, offerThroughput: 700 } });
      return (await container.readOffer()).resource?.content?.offerThroughput;
    },
  },
  { name: 'item: read', small: true, run: async ({ container }) => (await container.item('a1', 'fruit').read()).resource },
  { name: 'item: read, not there', small: true, run: async ({ container }) => (await container.item('zz', 'fruit').read()).statusCode },
  {
    name: 'item: names that need escapes',
    run: async ({ container }) => {
      const found: unknown[] = [];
      for (const id of ['with space', 'ünïcode', 'plus+sign', '100%', 'a&b=c', "quote'", '(1)']) {
        await container.items.create({ id, kind: 'odd' });
        found.push((await container.item(id, 'odd').read()).resource?.id, (await container.item(id, 'odd').delete()).statusCode);
      }
      return found;
    },
  },
  {
    name: 'item: create, conflict',
    small: true,
    run: async ({ container }) => {
      await container.items.create({ id: 'n1', kind: 'new', name: 'x' });
      return container.items.create({ id: 'n1', kind: 'new', name: 'x' });
    },
  },
  {
    name: 'item: upsert',
    small: true,
    run: async ({ container }) => (await container.items.upsert({ id: 'n1', kind: 'new', name: 'y' })).resource,
  },
  {
    name: 'item: replace',
    small: true,
    run: async ({ container }) => (await container.item('n1', 'new').replace({ id: 'n1', kind: 'new', name: 'z' })).resource,
  },
  {
    name: 'item: replace with an etag',
    run: async ({ container }) => {
      const { resource, etag } = await container.item('n1', 'new').read<{ id: string; kind: string }>();
      const condition = { accessCondition: { type: 'IfMatch', condition: etag } };
      const first = await container.item('n1', 'new').replace({ ...resource!, n: 1 }, condition);
      const second = await container
        .item('n1', 'new')
        .replace({ ...resource!, n: 2 }, condition)
        .catch((error: { code: number }) => error.code);
      return [first.statusCode, second];
    },
  },
  {
    name: 'item: patch',
    run: async ({ container }) => {
      const { resource } = await container.item('n1', 'new').patch([
        { op: 'add', path: '/list', value: [1, 2] },
        { op: 'add', path: '/list/0', value: 0 },
        { op: 'set', path: '/name', value: 'patched' },
        { op: 'incr', path: '/n', value: 5 },
        { op: 'move', from: '/name', path: '/title' },
        { op: 'remove', path: '/list/1' },
      ] as never);
      return resource;
    },
  },
  {
    name: 'item: patch under a condition',
    run: async ({ container }) => {
      const patch = (condition: string): Promise<number> =>
        container
          .item('n1', 'new')
          .patch({ condition, operations: [{ op: 'set', path: '/seen', value: true }] })
          .then(
            ({ statusCode }) => statusCode,
            (error: { code: number }) => error.code,
          );
      return [await patch('FROM c WHERE c.n > 3'), await patch('FROM c WHERE c.n > 300')];
    },
  },
  { name: 'item: delete', small: true, run: async ({ container }) => (await container.item('n1', 'new').delete()).statusCode },
  ...queries.map(([name, query, small]): Capability => ({
    name: `query: ${name}`,
    small: small === true,
    run: async (bench) => sorted(await all(bench, query), query),
  })),
  ...queries
    .filter(([, query]) => !/\b(SUM|AVG|MIN|MAX|COUNT)\b/.test(query))
    .map(([name, query]): Capability => ({
      name: `query in one partition: ${name}`,
      run: async (bench) => sorted(await all(bench, query, { partitionKey: 'fruit' }), query),
    })),
  {
    name: 'query: parameters',
    small: true,
    run: (bench) =>
      all(bench, 'SELECT VALUE c.id FROM c WHERE c.name = @name AND c.price < @most', {}, [
        { name: '@name', value: 'apple' as never },
        { name: '@most', value: 10 as never },
      ]),
  },
  { name: 'query: pages', run: (bench) => pages(bench, 'SELECT VALUE c.id FROM c', { maxItemCount: 2, partitionKey: 'fruit' }) },
  {
    name: 'query: pages in order',
    run: (bench) => pages(bench, 'SELECT VALUE c.id FROM c ORDER BY c.price', { maxItemCount: 2, partitionKey: 'fruit' }),
  },
  {
    name: 'query: pages in order over partitions',
    run: async ({ container }) => {
      const iterator = container.items.query('SELECT c.id FROM c ORDER BY c.price', { maxItemCount: 2 });
      const found: unknown[] = [];
      while (iterator.hasMoreResults()) found.push((await iterator.fetchNext()).resources);
      return found;
    },
  },
  {
    name: 'query: metrics',
    run: async ({ container }) =>
      (await container.items.query('SELECT * FROM c', { populateQueryMetrics: true }).fetchNext()).resources.length,
  },
  { name: 'feed', run: async ({ container }) => (await container.items.readAll().fetchAll()).resources.length },
  {
    name: 'change feed',
    run: async ({ container }) => {
      const iterator = container.items.getChangeFeedIterator({
        changeFeedStartFrom: ChangeFeedStartFrom.Beginning('fruit'),
        maxItemCount: 2,
      });
      const found: unknown[] = [];
      for (let page = await iterator.readNext(); page.statusCode === 200; page = await iterator.readNext()) found.push(page.result);
      return found;
    },
  },
  {
    name: 'batch',
    run: async ({ container }) => {
      const operations: OperationInput[] = [
        { operationType: BulkOperationType.Create, resourceBody: { id: 'x1', kind: 'batch', n: 1 } },
        { operationType: BulkOperationType.Upsert, resourceBody: { id: 'x2', kind: 'batch', n: 2 } },
        { operationType: BulkOperationType.Patch, id: 'x1', resourceBody: { operations: [{ op: 'incr', path: '/n', value: 1 }] } },
        { operationType: BulkOperationType.Read, id: 'x1' },
        { operationType: BulkOperationType.Replace, id: 'x2', resourceBody: { id: 'x2', kind: 'batch', n: 3 } },
        { operationType: BulkOperationType.Delete, id: 'x2' },
      ];
      return (await container.items.batch(operations, 'batch')).result;
    },
  },
  {
    name: 'batch: all or nothing',
    run: async ({ container }) => {
      const { result, code } = await container.items.batch(
        [
          { operationType: BulkOperationType.Create, resourceBody: { id: 'x9', kind: 'batch' } },
          { operationType: BulkOperationType.Create, resourceBody: { id: 'x1', kind: 'batch' } },
        ],
        'batch',
      );
      return [code, result?.map(({ statusCode }) => statusCode), (await container.item('x9', 'batch').read()).statusCode];
    },
  },
  {
    name: 'bulk',
    run: async ({ container }) => {
      const operations = Array.from({ length: 12 }, (_, index): OperationInput => ({
        operationType: BulkOperationType.Upsert,
        partitionKey: `bulk${index % 3}`,
        resourceBody: { id: `k${index}`, kind: `bulk${index % 3}`, n: index },
      }));
      const done = await container.items.executeBulkOperations(operations);
      return done.map(({ response }) => response?.statusCode);
    },
  },
  {
    name: 'partition: delete',
    run: async ({ container }) => {
      await container.items.upsert({ id: 'p1', kind: 'gone' });
      await container.deleteAllItemsForPartitionKey('gone');
      return (await container.item('p1', 'gone').read()).statusCode;
    },
  },
  {
    name: 'stored procedure',
    run: async ({ container }) => {
      const body = 'function (a, b) { getContext().getResponse().setBody({ sum: a + b }); }';
      const { resource } = await container.scripts.storedProcedures.create({ id: 'add', body });
      const procedure = container.scripts.storedProcedure('add');
      await procedure.replace({ id: 'add', body: `${body} ` });
      return [resource?.id, (await procedure.execute('fruit', [1, 2])).resource, (await procedure.delete()).statusCode];
    },
  },
  {
    name: 'trigger',
    run: async ({ container }) => {
      const body = 'function () { var r = getContext().getRequest(); var b = r.getBody(); b.stamped = true; r.setBody(b); }';
      await container.scripts.triggers.create({ id: 'stamp', body, triggerType: 'Pre', triggerOperation: 'All' } as never);
      const { resource } = await container.items.create({ id: 't1', kind: 'new' }, { preTriggerInclude: 'stamp' as never });
      await container.item('t1', 'new').delete();
      return [resource, (await container.scripts.trigger('stamp').delete()).statusCode];
    },
  },
  {
    name: 'user-defined function',
    run: async (bench) => {
      await bench.container.scripts.userDefinedFunctions.create({ id: 'twice', body: 'function (n) { return 2 * n; }' });
      const found = await all(bench, 'SELECT VALUE udf.twice(c.price) FROM c', { partitionKey: 'fruit' });
      await bench.container.scripts.userDefinedFunction('twice').delete();
      return found;
    },
  },
  {
    name: 'users and permissions',
    run: async ({ database, container }) => {
      const { user } = await database.users.create({ id: 'ursula' });
      const { resource } = await user.permissions.create({ id: 'may-read', permissionMode: PermissionMode.Read, resource: container.url });
      const listed = (await database.users.readAll().fetchAll()).resources.map(({ id }) => id);
      await user.permission('may-read').delete();
      await user.delete();
      return [resource?.id, listed];
    },
  },
  { name: 'conflicts', run: async ({ container }) => (await container.conflicts.readAll().fetchAll()).resources },
];

/** Without ORDER BY, rows of several partitions come in no order. */
function sorted(rows: unknown, query: string): unknown {
  if (/ORDER BY/.test(query) || !Array.isArray(rows)) return rows;
  return rows.map((row) => JSON.stringify(plain(row))).sort();
}

/** What is the same in each run. */
export function plain(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key]) => !CHANGING.has(key))
      .map(([key, inner]) => [key, plain(inner)]),
  );
}

export async function outcomeOf(capability: Capability, bench: Workbench): Promise<string> {
  try {
    return JSON.stringify(plain(await capability.run(bench))) ?? 'undefined';
  } catch (error) {
    const { code, substatus, message } = error as { code?: number | string; substatus?: number; message: string };
    return `error ${code ?? message}${substatus === undefined ? '' : `/${substatus}`}`;
  }
}

export function uniqueName(): string {
  return `shop-${randomUUID().slice(0, 8)}`;
}

const CHANGING: ReadonlySet<string> = new Set([
  '_rid',
  '_self',
  '_etag',
  '_ts',
  '_lsn',
  '_attachments',
  'eTag',
  'requestCharge',
  '_docs',
  '_conflicts',
]);
