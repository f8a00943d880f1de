import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { ApiClient } from '../../src/cli/client.ts';
import { startHouse, type House } from './house.ts';
import { pythonCalls, tokenAuth, type Call, type Outcome } from './python/client.ts';
import { pythonOutcomes } from './python/matrix.ts';

const policies = `@id("pipelines work")
permit (principal in Group::"deployers", action in [Action::"connect", Action::"read", Action::"write"], resource);
@id("nothing is deleted")
forbid (principal, action == Action::"cosmos:delete", resource in Database::"bank/shop");
`;

let house: House;
before(async () => {
  house = await startHouse({
    policies,
    adjust(config) {
      const targets = config['targets'] as Record<string, Record<string, unknown>>;
      targets['down'] = { ...targets['bank'], upstream: { ...(targets['bank']!['upstream'] as object), url: 'http://localhost:1' } };
    },
  });
  for (const [name, container, path] of [
    ['shop', 'customers', '/city'],
    ['direct', 'items', '/kind'],
    ['behind', 'items', '/kind'],
  ] as const) {
    const { database } = await house.direct().databases.create({ id: name });
    await database.containers.create({ id: container, partitionKey: { paths: [path] } });
  }
});
after(() => house.close());

async function through(calls: readonly Call[], token?: string, target = 'bank'): Promise<readonly Outcome[]> {
  const auth = tokenAuth('shop', token ?? (await house.token('pipeline')));
  return pythonCalls({ endpoint: `${house.url}/cosmos/${target}`, auth, ca: house.authorityFile }, calls);
}
async function gatewayToken(): Promise<string> {
  const response = await new ApiClient(house.apiUrl).postForm('/oauth/token', {
    grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
    subject_token: await house.token('pipeline'),
    subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
    audience: 'bank',
  });
  return ((await response.json()) as { access_token: string }).access_token;
}
const customers = 'dbs/shop/colls/customers';
const ann = { id: '1', city: 'Bern', name: 'Ann', ssn: '078-05-1120', job: { salary: 900 }, note: 'has 219-09-9999' };

test('azure-cosmos of Python does the same through the gateway as directly', async () => {
  const { emulator, authorityFile: ca } = house;
  const direct = await pythonOutcomes({ endpoint: emulator.url, auth: { masterKey: emulator.key }, ca }, 'direct');
  const auth = tokenAuth('behind', await house.token('pipeline'));
  const behind = await pythonOutcomes({ endpoint: `${house.url}/cosmos/bank`, auth, ca }, 'behind');
  assert.deepEqual([...behind], [...direct]);
  assert.equal(direct.get('query: pages in one partition'), '[["a1"],["a2"]]');
  assert.equal(direct.get('query: COUNT'), '[[5]]');
  assert.equal(direct.get('item: delete'), 'null');
});

test('what is hidden is masked in items and in queries, with an OIDC token and with a gateway token', async () => {
  const masked = { name: 'Ann', ssn: '***-**-1120', job: { salary: null }, note: 'has ***-**-9999' };
  const query = (text: string, options = {}): Call => ['QueryItems', customers, text, { enableCrossPartitionQuery: true, ...options }];
  const calls: readonly Call[] = [
    ['UpsertItem', customers, ann],
    ['ReadItem', `${customers}/docs/1`, { partitionKey: 'Bern' }],
    query('SELECT * FROM c ORDER BY c.name', { maxItemCount: 1 }),
    query('SELECT VALUE c.ssn FROM c'),
    query("SELECT VALUE c.name FROM c WHERE c.ssn = '078-05-1120' ORDER BY c.name"),
    query('SELECT c.name FROM c ORDER BY c.ssn'),
  ];
  for (const token of [await house.token('pipeline'), await gatewayToken()]) {
    const [upserted, read, ordered, values, asked, refused] = await through(calls, token);
    const shown = (outcome: Outcome | undefined, pick = (result: unknown): unknown => result): unknown => {
      assert.ok(outcome !== undefined && 'result' in outcome, JSON.stringify(outcome));
      const { name, ssn, job, note } = pick(outcome.result) as typeof ann;
      return { name, ssn, job, note };
    };
    assert.deepEqual([shown(upserted), shown(read)], [masked, masked]);
    assert.equal((read as { masked: string }).masked, 'ssn=2, salary=1');
    assert.deepEqual(
      shown(ordered, (pages) => (pages as unknown[][])[0]![0]),
      masked,
    );
    assert.deepEqual((values as { result: unknown }).result, [['***-**-1120']]);
    // The plan by which the SDK asks each partition has the constant as it was.
    assert.deepEqual((asked as { result: unknown }).result, [['Ann']]);
    assert.equal((refused as { status: number }).status, 403);
  }
  assert.doesNotMatch(JSON.stringify(await house.records()), /078-05-1120|219-09-9999/);
});

test('a refusal is told as the SDK tells the service’s own', async () => {
  const [deleted] = await through([['DeleteItem', `${customers}/docs/1`, { partitionKey: 'Bern' }]]);
  assert.ok(deleted !== undefined && 'status' in deleted);
  assert.deepEqual([deleted.status, deleted.substatus], [403, 5301]);
  assert.match(deleted.message, /"code":"Forbidden".*nothing is deleted.*ActivityId: ses_/s);
  const [stranger] = await through([['ReadItem', `${customers}/docs/1`, { partitionKey: 'Bern' }]], await house.token('stranger'));
  assert.equal((stranger as { status: number }).status, 403);
});

test('a database that no token was given for is 401, and says why', async () => {
  const [created] = await through([['CreateDatabase', { id: 'mine' }]]);
  assert.ok(created !== undefined && 'status' in created);
  assert.equal(created.status, 401);
  assert.match(created.message, /the authorization header is not understood/);
});

test('an account that is down is 503 in the error of Cosmos DB, to the SDK and to whoever asks by hand', async () => {
  const [read] = await through([['ReadItem', `${customers}/docs/1`, { partitionKey: 'Bern' }]], undefined, 'down');
  assert.ok(read !== undefined && 'status' in read);
  assert.equal(read.status, 503);
  const { status, headers, text } = await house.send('pipeline', 'GET', '/cosmos/down/dbs/shop');
  assert.deepEqual([status, headers.get('content-type'), headers.get('retry-after')], [503, 'application/json', '5']);
  const error = JSON.parse(text) as Readonly<Record<string, string>>;
  assert.equal(error['code'], 'ServiceUnavailable');
  assert.match(error['message']!, /^the target cannot be reached[\s\S]*ActivityId: ses_/);
  assert.match(headers.get('x-ms-activity-id') ?? '', /^ses_/);
  for (const shown of [read.message, text]) assert.doesNotMatch(shown, /localhost:1|ECONNREFUSED/);
});
