import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { CosmosClient, type CosmosClientOptions } from '@azure/cosmos';
import { eventually } from '../harness.ts';
import { startHouse, type House } from './house.ts';

const policies = `@id("pipelines work")
permit (principal in Group::"deployers", action in [Action::"read", Action::"write"], resource in Database::"bank/shop");
@id("fraud desk reads and sees")
permit (principal in Group::"fraud", action in [Action::"connect", Action::"read", Action::"reveal"], resource);
@id("no scans")
forbid (principal, action == Action::"cosmos:query", resource == Relation::"bank/shop/orders") when { context has cross_partition && context.cross_partition };
@id("deletes wait")
@review("dba") @expires("15m") @message("A delete needs a DBA.")
forbid (principal, action == Action::"cosmos:delete", resource);
@id("the ledger waits")
@review("dba") @expires("15m")
forbid (principal, action in [Action::"cosmos:upsert", Action::"cosmos:query"], resource == Relation::"bank/shop/ledger");
`;

let house: House;
before(async () => {
  house = await startHouse({
    policies,
    adjust(config) {
      const targets = config['targets'] as Record<string, Record<string, unknown>>;
      targets['bank']!['hold'] = 'refuse-and-retry';
      targets['bank']!['limits'] = { rows: 2 };
    },
  });
  const { database } = await house.direct().databases.create({ id: 'shop' });
  for (const id of ['customers', 'orders', 'ledger']) await database.containers.create({ id, partitionKey: { paths: ['/city'] } });
  const { container } = { container: database.container('customers') };
  await container.items.create({
    id: '1',
    city: 'Bern',
    name: 'Ann',
    ssn: '078-05-1120',
    accounts: [{ number: '4455667788' }],
    job: { salary: 900 },
    note: 'has 219-09-9999',
  });
  for (const id of ['1', '2', '3', '4']) await database.container('orders').items.create({ id, city: 'Bern' });
});
after(() => house.close());

const customers = (client: CosmosClient) => client.database('shop').container('customers');
const send = (headers: Readonly<Record<string, string>>, body: unknown) =>
  house.send('pipeline', 'POST', '/cosmos/bank/dbs/shop/colls/ledger/docs', headers, JSON.stringify(body));
const orders = (client: CosmosClient) => client.database('shop').container('orders');
async function failure(work: Promise<unknown>): Promise<{ code: unknown; substatus: unknown; message: string }> {
  const error = await work.then(
    () => assert.fail('it was let through'),
    (error: unknown) => error as { code: unknown; substatus: unknown; message: string; body?: { message?: string } },
  );
  return { code: error.code, substatus: error.substatus, message: error.body?.message ?? error.message };
}

describe('the first door', () => {
  const with_ = (options: Partial<CosmosClientOptions>): CosmosClient =>
    house.client('pipeline', 'bank', { aadCredentials: undefined as never, ...options });

  test('takes a token as SDKs send one, also percent-encoded and as a bearer token', async () => {
    assert.equal((await customers(house.client('pipeline', 'bank')).item('1', 'Bern').read()).statusCode, 200);
    const token = await house.token('pipeline');
    const provided = with_({ tokenProvider: async () => `type=aad&ver=1.0&sig=${token}` });
    assert.equal((await customers(provided).item('1', 'Bern').read()).statusCode, 200);
    const { status } = await house.send(undefined, 'GET', '/cosmos/bank/dbs/shop', { authorization: `Bearer ${token}` });
    assert.equal(status, 200);
  });

  test('takes no key and no resource token, and says why', async () => {
    const keyed = await failure(
      customers(with_({ key: Buffer.from('a key').toString('base64') }))
        .item('1', 'Bern')
        .read(),
    );
    assert.equal(keyed.code, 401);
    assert.match(keyed.message, /an account key is not taken here/);
    const { status, text } = await house.send(undefined, 'GET', '/cosmos/bank/dbs/shop', {
      authorization: encodeURIComponent('type=resource&ver=1&sig=abc'),
    });
    assert.equal(status, 401);
    assert.match(text, /resource tokens are the account’s/);
  });

  test('lets whoever may work in a database read what SDKs need to know of the account', async () => {
    const { resource } = await house.client('pipeline', 'bank').getDatabaseAccount();
    assert.equal(resource?.consistencyPolicy, 'Session');
    assert.equal((await failure(house.client('pipeline', 'bank').databases.create({ id: 'mine' }))).code, 403);
  });

  test('lets strangers in nowhere', async () => {
    const { code } = await failure(customers(house.client('stranger', 'bank')).item('1', 'Bern').read());
    assert.equal(code, 403);
    assert.equal((await failure(customers(house.client('pipeline', 'nowhere')).item('1', 'Bern').read())).code, 403);
  });
});

describe('the second door', () => {
  test('refuses in the words of Cosmos DB', async () => {
    const { code, substatus, message } = await failure(orders(house.client('pipeline', 'bank')).items.query('SELECT * FROM c').fetchAll());
    assert.equal(code, 403);
    assert.equal(substatus, 5301);
    assert.match(message, /no scans[\s\S]*ActivityId: /);
    const { resources } = await orders(house.client('pipeline', 'bank'))
      .items.query('SELECT VALUE c.id FROM c WHERE c.id < "3"', { partitionKey: 'Bern' })
      .fetchAll();
    assert.deepEqual(resources, ['1', '2']);
  });

  test('denies code unless it is permitted', async () => {
    await orders(house.direct()).scripts.storedProcedures.create({ id: 'tidy', body: 'function () {}' });
    const { code } = await failure(orders(house.client('pipeline', 'bank')).scripts.storedProcedure('tidy').execute('Bern', []));
    assert.equal(code, 403);
  });

  test('holds what people must approve: the same request goes through once', async () => {
    const gone = () => orders(house.client('pipeline', 'bank')).item('4', 'Bern').delete();
    assert.match((await failure(gone())).message, /Approval: https:/);
    const erin = await house.api('dba-erin');
    const approval = await eventually('the request for approval', async () => {
      const { approvals } = await erin.get<{ approvals: readonly { id: string; text: string }[] }>('/api/v1/approvals', {
        state: 'pending',
      });
      return approvals[0];
    });
    assert.match(approval.text, /DELETE \/dbs\/shop\/colls\/orders\/docs\/4\noperation: delete/);
    await erin.post(`/api/v1/approvals/${approval.id}/approve`, { reason: 'because' });
    assert.equal((await gone()).statusCode, 204);
    assert.match((await failure(gone())).message, /Approval: https:/);
  });

  /** A request that was approved cannot be turned into another one by whoever sends it again: neither by its body, nor by headers that decide what it does. */
  test('holds anew what is not exactly what was approved', async () => {
    const key = { 'x-ms-documentdb-partitionkey': '["Bern"]' };
    const item = { id: '1', city: 'Bern', sum: 1 };
    const upsert = (body: unknown, headers: Readonly<Record<string, string>> = {}) =>
      send({ 'content-type': 'application/json', 'x-ms-documentdb-is-upsert': 'True', ...key, ...headers }, body);
    const query = (value: string, headers: Readonly<Record<string, string>> = {}) =>
      send(
        { 'content-type': 'application/query+json', 'x-ms-documentdb-isquery': 'True', ...key, ...headers },
        { query: 'SELECT * FROM c WHERE c.id = @id', parameters: [{ name: '@id', value }] },
      );
    const held = async (request: Promise<{ status: number; text: string }>): Promise<string> => {
      const { status, text } = await request;
      assert.equal(status, 403, text);
      const { sallyport } = JSON.parse(text) as { sallyport: { approval?: { id: string } } };
      assert.ok(sallyport.approval !== undefined, text);
      return sallyport.approval.id;
    };
    const erin = await house.api('dba-erin');
    const approved = async (
      request: () => Promise<{ status: number; text: string }>,
      others: readonly (typeof request)[],
    ): Promise<number> => {
      const asked = await held(request());
      await eventually('the request for approval', () => erin.get(`/api/v1/approvals/${asked}`).catch(() => undefined));
      await erin.post(`/api/v1/approvals/${asked}/approve`, { reason: 'because' });
      for (const other of others) assert.notEqual(await held(other()), asked);
      const { status } = await request();
      assert.notEqual(await held(request()), asked, 'an approval is used up');
      return status;
    };
    const written = await approved(
      () => upsert(item),
      [
        () => upsert({ ...item, sum: 1_000_000 }),
        () => upsert({ ...item, city: 'Basel' }, { 'x-ms-documentdb-partitionkey': '["Basel"]' }),
        () => upsert(item, { 'x-ms-documentdb-partitionkey': '["Basel"]' }),
        () => upsert(item, { 'x-ms-consistency-level': 'Eventual' }),
        () => upsert(item, { 'if-match': '"1"' }),
      ],
    );
    assert.equal(written, 201);
    const found = await approved(
      () => query('1'),
      [
        () => query('2'),
        () => query('1', { 'x-ms-documentdb-partitionkey': '["Basel"]' }),
        () => query('1', { 'x-ms-max-item-count': '1' }),
      ],
    );
    assert.equal(found, 200);
    const { resources } = await house.direct().database('shop').container('ledger').items.readAll<{ sum: number }>().fetchAll();
    assert.deepEqual(
      resources.map(({ sum }) => sum),
      [1],
    );
  });

  test('counts items', async () => {
    const { code, message } = await failure(
      orders(house.client('pipeline', 'bank'))
        .items.query('SELECT * FROM c', { partitionKey: 'Bern', maxItemCount: 100 })
        .fetchAll()
        .then(() => orders(house.client('pipeline', 'bank')).items.readAll({ partitionKey: 'Bern' }).fetchAll()),
    );
    assert.equal(code, 403);
    assert.match(message, /rows \(2\) of target bank is exceeded/);
  });
});

describe('direct mode', () => {
  test('is refused with the reason', async () => {
    for (const path of ['//addresses/', '/addresses/?$resolveFor=dbs&$filter=protocol%20eq%20rntbd']) {
      const { status, text } = await house.send('pipeline', 'GET', `/cosmos/bank${path}`);
      assert.equal(status, 400);
      assert.match(text, /direct mode/);
    }
  });

  test('the account document names the gateway alone', async () => {
    const { text } = await house.send('pipeline', 'GET', '/cosmos/bank/');
    assert.doesNotMatch(text, new RegExp(house.emulator.url.slice(-5)));
    const account = JSON.parse(text) as Record<'writableLocations' | 'readableLocations', unknown>;
    const location = [{ name: 'East US', databaseAccountEndpoint: `${house.url}/cosmos/bank/` }];
    assert.deepEqual([account.writableLocations, account.readableLocations], [location, location]);
  });
});

describe('masking', () => {
  test('reads, queries and the change feed show masks, and the fraud desk sees', async () => {
    const masked = { name: 'Ann', ssn: '***-**-1120', note: 'has ***-**-9999', salary: null };
    const client = customers(house.client('pipeline', 'bank'));
    const shown = (item: { name: string; ssn: string; note: string; job: { salary: unknown } } | undefined) => ({
      name: item?.name,
      ssn: item?.ssn,
      note: item?.note,
      salary: item?.job.salary,
    });
    const read = await client.item('1', 'Bern').read();
    assert.deepEqual(shown(read.resource as never), masked);
    assert.match(JSON.stringify(read.headers), /sallyport-masked/);
    assert.deepEqual(shown((await client.items.query('SELECT * FROM c ORDER BY c.name').fetchAll()).resources[0] as never), masked);
    const changes = await client.items.changeFeed('Bern', { startFromBeginning: true }).fetchNext();
    assert.deepEqual(shown(changes.result[0] as never), masked);
    const fraud = await customers(house.client('fraud-omar', 'bank')).item('1', 'Bern').read();
    assert.deepEqual(shown(fraud.resource as never), { name: 'Ann', ssn: '078-05-1120', note: 'has 219-09-9999', salary: 900 });
  });

  test('what was read masked is not written back; a patch leaves it', async () => {
    const item = customers(house.client('pipeline', 'bank')).item('1', 'Bern');
    const { resource } = await item.read();
    assert.match(
      (await failure(item.replace({ ...(resource as { id: string }), name: 'Bea' }))).message,
      /with a partial update \(patch\)/,
    );
    await item.patch([{ op: 'set', path: '/name', value: 'Bea' }]);
    const { resource: stored } = await customers(house.direct()).item('1', 'Bern').read();
    assert.deepEqual({ name: stored.name, ssn: stored.ssn }, { name: 'Bea', ssn: '078-05-1120' });
  });

  test('a query about hidden values is on record, without the value', async () => {
    await customers(house.client('pipeline', 'bank'))
      .items.query(
        { query: 'SELECT VALUE COUNT(1) FROM c WHERE c.ssn = @s', parameters: [{ name: '@s', value: '078-05-1120' }] },
        { partitionKey: 'Bern' },
      )
      .fetchAll();
    const records = JSON.stringify(await house.records(['operation.decided', 'operation.completed']));
    assert.match(records, /sensitive_predicates.{0,4}\[.{0,2}ssn/);
    assert.doesNotMatch(records, /078-05-1120|219-09-9999|4455667788/);
  });
});
