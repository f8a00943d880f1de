import { plain } from '../matrix.ts';
import { pythonCalls, type Call, type PythonWay } from './client.ts';

/** What azure-cosmos of Python does with items, in a container `items` with the partition key `/kind` that is there and empty. In order: later ones go by earlier ones. */
export function pythonMatrix(database: string): readonly (readonly [string, Call])[] {
  const container = `dbs/${database}/colls/items`;
  const query = (text: string | Readonly<Record<string, unknown>>, options: Readonly<Record<string, unknown>> = {}): Call => [
    'QueryItems',
    container,
    text,
    { enableCrossPartitionQuery: true, ...options },
  ];
  return [
    ['database: read', ['ReadDatabase', `dbs/${database}`]],
    ['container: read', ['ReadContainer', container]],
    ...items.map((item): readonly [string, Call] => [`item: create ${item.id}`, ['CreateItem', container, item]]),
    ['item: create, conflict', ['CreateItem', container, items[0]]],
    ['item: upsert, new', ['UpsertItem', container, { id: 'n', kind: 'tool', name: 'rasp', price: 7 }]],
    ['item: upsert, known', ['UpsertItem', container, { id: 'n', kind: 'tool', name: 'file', price: 8 }]],
    ['item: replace', ['ReplaceItem', `${container}/docs/n`, { id: 'n', kind: 'tool', name: 'plane', price: 9 }]],
    [
      'item: replace with another etag',
      ['ReplaceItem', `${container}/docs/n`, { id: 'n', kind: 'tool' }, { accessCondition: { type: 'IfMatch', condition: '"x"' } }],
    ],
    ['item: read', ['ReadItem', `${container}/docs/n`, { partitionKey: 'tool' }]],
    ['item: read, not there', ['ReadItem', `${container}/docs/zz`, { partitionKey: 'tool' }]],
    ['item: a name that needs escapes', ['ReadItem', `${container}/docs/with späce`, { partitionKey: 'odd' }]],
    ['feed, page by page', ['ReadItems', container, { maxItemCount: 2 }]],
    ['change feed', ['QueryItemsChangeFeed', container, { partitionKey: 'tool', isStartFromBeginning: true }]],
    ['query: everything', query('SELECT * FROM c WHERE c.kind = "fruit"')],
    ['query: parameters', query({ query: 'SELECT c.id FROM c WHERE c.name = @name', parameters: [{ name: '@name', value: 'apple' }] })],
    ['query: VALUE', query('SELECT VALUE UPPER(c.name) FROM c')],
    ['query: pages in one partition', query('SELECT VALUE c.id FROM c', { partitionKey: 'fruit', maxItemCount: 1 })],
    [
      'query: pages in order in one partition',
      query('SELECT VALUE c.id FROM c ORDER BY c.price', { partitionKey: 'fruit', maxItemCount: 1 }),
    ],
    ['query: pages in order over partitions', query('SELECT * FROM c ORDER BY c.price DESC', { maxItemCount: 2 })],
    ['query: TOP', query('SELECT TOP 2 c.id FROM c ORDER BY c.name')],
    ['query: COUNT', query('SELECT VALUE COUNT(1) FROM c')],
    ['query: SUM', query('SELECT VALUE SUM(c.price) FROM c')],
    ['query: syntax error', query('SELECT * FROM c WHERE')],
    ['item: delete', ['DeleteItem', `${container}/docs/n`, { partitionKey: 'tool' }]],
    ['item: delete, not there', ['DeleteItem', `${container}/docs/n`, { partitionKey: 'tool' }]],
  ];
}

/** How each ended, the same on every way. */
export async function pythonOutcomes(way: PythonWay, database: string): Promise<ReadonlyMap<string, string>> {
  const matrix = pythonMatrix(database);
  const outcomes = await pythonCalls(
    way,
    matrix.map(([, call]) => call),
  );
  return new Map(
    matrix.map(([name], index) => {
      const outcome = outcomes[index]!;
      if ('result' in outcome) return [name, JSON.stringify(plain(outcome.result)).replaceAll(database, 'the database')];
      return [name, `error ${outcome.status}${outcome.substatus === null ? '' : `/${outcome.substatus}`}`];
    }),
  );
}

const items = [
  { id: 'a1', kind: 'fruit', name: 'apple', price: 3 },
  { id: 'a2', kind: 'fruit', name: 'banana', price: 1 },
  { id: 'b1', kind: 'tool', name: 'hammer', price: 20 },
  { id: 'with späce', kind: 'odd', name: 'ünïcode', price: 4 },
];
