import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { nodeCrypto } from '../../net/crypto.ts';
import type { ReceivedRequest } from '../request.ts';
import { askCosmos } from './ask.ts';
import {
  asked as askedAt,
  customers,
  environmentWith,
  query,
  received,
  session,
  type EnvironmentOptions,
  type Sent,
} from './testing/requests.ts';

const environmentFor = (options: EnvironmentOptions = {}) => environmentWith(nodeCrypto, options);
const asked = (sent: Sent, environment = environmentFor()) => askedAt(sent, environment);

/** `action object`, each; or the refusal. */
function acts(sent: Sent): string {
  const one = asked(sent);
  if (one.refusal !== undefined) return `${one.refusal.code}: ${one.refusal.publicMessage}`;
  return one
    .operation(session)
    .acts.map(({ action, object }) => `${action.replace('cosmos:', '')} ${object.type} ${object.id}`)
    .join(', ');
}

function cases(table: readonly (readonly [string, Sent, string | RegExp])[]): void {
  for (const [name, sent, expected] of table) {
    test(name, () => {
      if (typeof expected === 'string') assert.equal(acts(sent), expected);
      else assert.match(acts(sent), expected);
    });
  }
}

const get = (path: string, headers: Readonly<Record<string, string>> = {}): Sent => ({ method: 'GET', path, headers });
const post = (path: string, body: unknown, headers: Readonly<Record<string, string>> = {}): Sent => ({
  method: 'POST',
  path,
  body,
  headers: { 'content-type': 'application/json', ...headers },
});
const put = (path: string, body: unknown): Sent => ({ ...post(path, body), method: 'PUT' });
const remove = (path: string): Sent => ({ method: 'DELETE', path });
const docs = `${customers}/docs`;
const batch = (operations: readonly unknown[]): Sent => post(docs, operations, { 'x-ms-cosmos-is-batch-request': 'true' });
const patch = (body: unknown): Sent => ({ ...post(`${docs}/7`, body), method: 'PATCH' });
const query2 = (body: unknown): Sent => ({ ...query(''), body });

describe('method, path, headers and body together say what is done', () => {
  cases([
    ['the account', get('/'), 'read-metadata Target bank'],
    ['databases', get('/dbs/'), 'read-metadata Target bank'],
    ['a container', get(customers), 'read-metadata Relation bank/shop/customers'],
    ['partition key ranges', get(`${customers}/pkranges`), 'read-metadata Relation bank/shop/customers'],
    ['an item', get(`${docs}/7`), 'read Relation bank/shop/customers'],
    ['all items', get(docs), 'read-feed Relation bank/shop/customers'],
    ['the change feed', get(docs, { 'a-im': 'Incremental feed' }), 'change-feed Relation bank/shop/customers'],
    ['a query', query('SELECT * FROM c'), 'query Relation bank/shop/customers'],
    [
      'a query plan',
      post(docs, { query: 'SELECT * FROM c' }, { 'content-type': 'application/query+json', 'x-ms-cosmos-is-query-plan-request': 'True' }),
      'read-metadata Relation bank/shop/customers',
    ],
    [
      'a query that calls code',
      query('SELECT VALUE udf.tax(c.price) FROM c'),
      'query Relation bank/shop/customers, execute-procedure Function bank/shop/customers/tax',
    ],
    ['a new item', post(docs, { id: '7' }), 'create Relation bank/shop/customers'],
    ['upsert', post(docs, { id: '7' }, { 'x-ms-documentdb-is-upsert': 'True' }), 'upsert Relation bank/shop/customers'],
    ['replace', put(`${docs}/7`, { id: '7' }), 'replace Relation bank/shop/customers'],
    [
      'patch',
      { ...post(`${docs}/7`, { operations: [{ op: 'set', path: '/a', value: 1 }] }), method: 'PATCH' },
      'patch Relation bank/shop/customers',
    ],
    ['delete', remove(`${docs}/7`), 'delete Relation bank/shop/customers'],
    [
      'a batch is what it holds',
      post(
        docs,
        [
          { operationType: 'Create', resourceBody: { id: '1' } },
          { operationType: 'Read', id: '1' },
          { operationType: 'Delete', id: '2' },
        ],
        {
          'x-ms-cosmos-is-batch-request': 'true',
          'x-ms-cosmos-batch-atomic': 'true',
        },
      ),
      'batch Relation bank/shop/customers, create Relation bank/shop/customers, read Relation bank/shop/customers, delete Relation bank/shop/customers',
    ],
    [
      'a trigger is code',
      post(docs, { id: '7' }, { 'x-ms-documentdb-pre-trigger-include': 'stamp' }),
      'create Relation bank/shop/customers, execute-procedure Function bank/shop/customers/stamp',
    ],
    ['a stored procedure', post('/dbs/shop/colls/orders/sprocs/tidy', []), 'execute-procedure Function bank/shop/orders/tidy'],
    [
      'a new stored procedure',
      post(`${customers}/sprocs`, { id: 'tidy', body: 'function () {}' }),
      'create-procedure Function bank/shop/customers/tidy',
    ],
    [
      'upsert of code makes it or replaces it',
      post(`${customers}/udfs`, { id: 'tax', body: '' }, { 'x-ms-documentdb-is-upsert': 'True' }),
      'create-function Function bank/shop/customers/tax, alter-function Function bank/shop/customers/tax',
    ],
    ['a function replaced', put(`${customers}/udfs/tax`, { id: 'tax', body: '' }), 'alter-function Function bank/shop/customers/tax'],
    ['a trigger removed', remove(`${customers}/triggers/stamp`), 'drop-trigger Function bank/shop/customers/stamp'],
    ['a new database', post('/dbs', { id: 'shop' }), 'create-database Database bank/shop'],
    [
      'a new container with throughput',
      post('/dbs/shop/colls', { id: 'orders', partitionKey: { paths: ['/id'] } }, { 'x-ms-offer-throughput': '400' }),
      'create-container Relation bank/shop/orders, create-offer Relation bank/shop/orders',
    ],
    ['a container removed', remove(customers), 'drop-container Relation bank/shop/customers'],
    ['throughput', put('/offers/abcd', { content: { offerThroughput: 500 } }), 'alter-offer Resource bank/offers/abcd'],
    ['a user', post('/dbs/shop/users', { id: 'ann' }), 'create-user Role bank/shop/ann'],
    ['a permission', post('/dbs/shop/users/ann/permissions', { id: 'p' }), 'create-permission Role bank/shop/ann/p'],
    [
      'a partition emptied',
      { method: 'POST', path: `${customers}/operations/partitionkeydelete` },
      'delete-partition Relation bank/shop/customers',
    ],
    ['conflicts', get('/dbs/shop/colls/orders/conflicts'), 'read-feed Relation bank/shop/orders'],
  ]);
});

describe('what is not certain is refused', () => {
  const uncertain = /^unclassified: /;
  cases([
    ['an unknown header', get(docs, { 'x-ms-cosmos-do-something': '1' }), /the header x-ms-cosmos-do-something is not known/],
    ['a header neither true nor false', post(docs, {}, { 'x-ms-documentdb-is-upsert': '1' }), /neither true nor false/],
    ['upsert and query', query('SELECT * FROM c', undefined, { 'x-ms-documentdb-is-upsert': 'true' }), uncertain],
    ['batch and upsert', post(docs, [], { 'x-ms-cosmos-is-batch-request': 'true', 'x-ms-documentdb-is-upsert': 'true' }), uncertain],
    ['a query by its media type alone', post(docs, { query: 'SELECT * FROM c' }, { 'content-type': 'application/query+json' }), uncertain],
    ['a query by its header alone', post(docs, { query: 'SELECT * FROM c' }, { 'x-ms-documentdb-isquery': 'true' }), uncertain],
    ['a change feed of one item', get(`${docs}/7`, { 'a-im': 'Incremental feed' }), uncertain],
    ['another feed', get(docs, { 'a-im': 'Everything' }), uncertain],
    ['triggers on a read', get(`${docs}/7`, { 'x-ms-documentdb-post-trigger-include': 'x' }), uncertain],
    ['throughput on an item', post(docs, { id: '1' }, { 'x-ms-offer-throughput': '400' }), uncertain],
    ['a path by resource ids', get('/dbs/AbCdEf==/colls/AbCdEfGhIjk=/docs'), /resource id/],
    ['a path with too much', get(`${docs}/7/attachments`), /^unsupported: /],
    [
      'a query for resource tokens',
      { ...query('SELECT p._token AS x FROM p'), path: '/dbs/shop/users/ann/permissions' },
      /^unsupported: permissions cannot be queried/,
    ],
    ['PUT on a feed', put(docs, { id: '7' }), uncertain],
    ['POST on an item', post(`${docs}/7`, { id: '7' }), uncertain],
    ['a path that names a kind twice', get('/dbs/a/colls/b/dbs/c'), /^unsupported: /],
    ['a query in the body of a GET', { ...get('/dbs'), body: { query: 'SELECT * FROM c' } }, uncertain],
    ['a body that is too deep', post(docs, `{"a":${'['.repeat(128)}${']'.repeat(128)}}`), /more than 128 levels/],
    ['a query with a member that is not known', query2({ query: 'SELECT * FROM c', parameters: [], more: 1 }), uncertain],
    ['a batch operation with a member that is not known', batch([{ operationType: 'Read', id: '1', more: 1 }]), uncertain],
    ['a batch that reads with a body', batch([{ operationType: 'Read', id: '1', resourceBody: {} }]), uncertain],
    ['a batch that creates nothing', batch([{ operationType: 'Create' }]), uncertain],
    ['a batch that is too long', batch(Array.from({ length: 101 }, () => ({ operationType: 'Read', id: '1' }))), /^limit-exceeded: /],
    ['a patch with a member that is not known', patch({ operations: [], more: 1 }), uncertain],
    ['a patch operation with one', patch([{ op: 'set', path: '/a', value: 1, more: 1 }]), uncertain],
    ['a patch that sets from elsewhere', patch([{ op: 'set', path: '/a', from: '/b', value: 1 }]), uncertain],
    ['a patch that moves from nowhere', patch([{ op: 'move', path: '/a' }]), uncertain],
    ['a definition whose name is a path', post('/dbs', { id: 'a/colls/b' }), uncertain],
    ['a query in the address', get(`${docs}?$filter=x`), /^unsupported: /],
    ['a body that is no JSON', post(docs, '{"id":'), uncertain],
    ['a key twice', post(docs, '{"id":"1","ssn":"a","\\u0073sn":"b"}'), /a key twice/],
    ['a body where none belongs', { ...get(docs), body: {} }, uncertain],
    ['none where one belongs', { method: 'POST', path: docs }, uncertain],
    ['a batch in the binary form', post(docs, '\u0081\u0000', { 'x-ms-cosmos-is-batch-request': 'true' }), uncertain],
    [
      'a batch with an unknown operation',
      post(docs, [{ operationType: 'Execute', id: 'x' }], { 'x-ms-cosmos-is-batch-request': 'true' }),
      uncertain,
    ],
    ['a patch with an unknown operation', { ...post(`${docs}/7`, [{ op: 'copy', from: '/a', path: '/b' }]), method: 'PATCH' }, uncertain],
    ['a query that is not understood', query('SELECT * FROM c -- all'), /comments/],
    ['a definition without a name', post('/dbs', { name: 'x' }), uncertain],
    [
      'a container with an unknown property',
      post('/dbs/shop/colls', { id: 'v', materializedViewDefinition: {} }),
      /materializedViewDefinition is not known/,
    ],
  ]);
});

describe('what is not certain of a request as it came', () => {
  const refused = (request: ReceivedRequest): string | undefined => askCosmos(request, environmentFor()).refusal?.code;

  test('a header that is given twice', () => {
    const once = received(post(docs, { id: '1' }, { 'x-ms-documentdb-is-upsert': 'false' }));
    assert.equal(refused(once), undefined);
    const again = { name: 'x-ms-documentdb-is-upsert', value: 'true' };
    assert.equal(refused({ ...once, forwardable: [...once.forwardable, again] }), 'unclassified');
  });

  test('a body that nobody has seen', () => {
    assert.equal(refused({ ...received(post(docs, { id: '1' })), body: { kind: 'streamed', octets: 3_000_000 } }), 'limit-exceeded');
  });

  test('is on record without the name of its item', () => {
    const sent = get(`${docs}/canary-7`, { 'x-ms-cosmos-do-something': '1' });
    assert.doesNotMatch(asked(sent).operation(session).text, /canary/);
  });
});

/** As azure-cosmos 3.1 for Python sends it, which found the slash at the end of the endpoint in the account document. */
test('a path behind the endpoint’s own slash is the same path, judged and sent with one', () => {
  const one = asked(get(`/${docs}/7/`));
  assert.deepEqual([one.refusal, one.upstream.target], [undefined, `${docs}/7`]);
  assert.equal(acts(get(`/${docs}/7/`)), acts(get(`${docs}/7`)));
  for (const path of [`//${docs}/7`, `/${docs}//7`, '//evil.example/dbs', '///', '//dbs//shop'])
    assert.throws(() => asked(get(path)), /"\/\/"/, path);
});

describe('direct mode', () => {
  test('is refused with the reason', () => {
    for (const path of ['//addresses/', '/addresses/?$resolveFor=x', '/addresses'])
      assert.throws(() => asked(get(path)), /direct mode/, path);
    assert.equal(acts(get('/dbs/addresses')), 'read-metadata Database bank/addresses');
  });
});

describe('facts', () => {
  const facts = (sent: Sent) => asked(sent).operation(session).facts;
  test('say what is asked of hidden values, and what code runs', () => {
    assert.deepEqual(facts(query("SELECT VALUE COUNT(1) FROM c WHERE c.ssn = '1' AND UPPER(c.name) = udf.f(1)")), {
      method: 'POST',
      path: docs,
      cross_partition: true,
      functions: ['UPPER', 'COUNT', 'udf.f'],
      opaque: true,
      sensitive_predicates: ['ssn'],
    });
    assert.equal(facts({ method: 'POST', path: `${customers}/operations/partitionkeydelete` })['unbounded'], true);
    assert.deepEqual(facts(query('SELECT LEFT(c.ssn, 1) AS x FROM c'))['sensitive_predicates'], ['ssn']);
    assert.deepEqual(facts(query('SELECT * FROM c ORDER BY c.ssn'))['sensitive_predicates'], ['ssn']);
    const conditional: Sent = {
      ...post(`${docs}/7`, { condition: 'FROM c WHERE c.job.salary > 1', operations: [{ op: 'set', path: '/a', value: 1 }] }),
      method: 'PATCH',
    };
    assert.deepEqual(facts(conditional)['sensitive_predicates'], ['salary']);
  });

  test('a partition key that may be a hidden value goes to policy and not on record', () => {
    const one = asked(get(`${docs}/7`, { 'x-ms-documentdb-partitionkey': '["078-05-1120"]' }));
    const operation = one.operation(session);
    assert.equal(operation.facts['partition_key'], '[redacted]');
    assert.equal(one.unmasked?.facts['partition_key'], '["078-05-1120"]');
    assert.doesNotMatch(operation.text, /1120/);
    assert.match(operation.unmasked().text, /1120/);
  });
});

describe('the record', () => {
  const text = (sent: Sent): string => {
    const operation = asked(sent, environmentFor({ revealed: ['ssn', 'salary', 'account-number'] })).operation(session);
    return [operation.text, ...(operation.parameters ?? [])].join('\n');
  };
  test('has no value of a place that is sensitive to anyone', () => {
    const canary = 'canary-7';
    for (const sent of [
      query(`SELECT * FROM c WHERE c.ssn = '${canary}'`),
      post(`${customers}/sprocs/tidy`, [canary]),
      query('SELECT * FROM c WHERE c.ssn = @s', [{ name: '@s', value: canary }]),
      query(`SELECT VALUE c.ssn ?? '${canary}' FROM c`),
      post(docs, { id: '1', ssn: canary, accounts: [{ number: canary }], job: { salary: canary } }),
      post(
        docs,
        [
          { operationType: 'Upsert', resourceBody: { id: '1', ssn: canary } },
          { operationType: 'Patch', id: '1', resourceBody: [{ op: 'set', path: '/ssn', value: canary }] },
        ],
        { 'x-ms-cosmos-is-batch-request': 'true' },
      ),
      {
        ...post(`${docs}/7`, {
          condition: `FROM c WHERE c.ssn = '${canary}'`,
          operations: [{ op: 'add', path: '/accounts/-', value: { number: canary } }],
        }),
        method: 'PATCH',
      },
      { ...post(`${docs}/7`, [{ op: 'set', path: '/job/salary', value: canary }]), method: 'PATCH' },
    ] satisfies Sent[])
      assert.doesNotMatch(text(sent), new RegExp(canary), JSON.stringify(sent.body));
  });

  test('has what is not', () => {
    assert.match(
      text(query('SELECT * FROM c WHERE c.name = @n', [{ name: '@n', value: 'Ann' }])),
      /SELECT \* FROM c WHERE c.name = @n\n.*/s,
    );
    assert.match(text(post('/dbs/shop/colls/orders/docs', { id: '1', note: 'of 078-05-1120' })), /"note":"of \*\*\*-\*\*-1120"/);
    assert.match(text(batch([{ operationType: 'Delete', id: 'item-9' }])), /"id":"item-9"/);
    assert.match(text(post(docs, { id: '1', password: 'x', ssn: '1' })), /"password":"\[redacted\]"/);
  });
});

test('upstream, only JSON can come back, and nothing of the client says who it is', () => {
  const { upstream } = asked(
    get(docs, {
      'x-ms-cosmos-supported-serialization-formats': 'JsonText,CosmosBinary',
      'x-ms-date': 'yesterday',
      'accept-encoding': 'br',
      accept: 'application/x-binary',
      'x-custom': '1',
      cookie: 'a=b',
    }),
  );
  assert.deepEqual(
    upstream.fields.map(({ name, value }) => `${name}: ${value}`),
    [
      'x-ms-version: 2020-07-15',
      'accept: application/json',
      'accept-encoding: identity',
      'x-ms-cosmos-supported-serialization-formats: JsonText',
    ],
  );
});

test('a read-only target and one of a single database let nothing else through', () => {
  const refused = (sent: Sent, options: EnvironmentOptions): string | undefined => asked(sent, environmentFor(options)).refusal?.code;
  assert.equal(refused(post(docs, { id: '1' }), { readOnly: true }), 'read-only');
  assert.equal(refused(query('SELECT * FROM c'), { readOnly: true }), undefined);
  assert.equal(refused(get(docs), { database: 'other' }), 'policy-denied');
  assert.equal(refused(get('/offers'), { database: 'shop' }), 'policy-denied');
  assert.equal(refused(get('/'), { database: 'shop' }), undefined);
});

describe('what an approval binds of a request', () => {
  const exact = (sent: Sent): string => Buffer.from(asked(sent).operation(session).exact()).toString('hex');
  const key = { 'x-ms-documentdb-partitionkey': '["Bern"]' };
  const upsert = { ...key, 'x-ms-documentdb-is-upsert': 'True' };
  const orders = '/dbs/shop/colls/orders/docs';
  const item = { id: '7', city: 'Bern', sum: 1 };
  const write = (body: unknown, headers: Readonly<Record<string, string>> = {}, path = orders): Sent =>
    post(path, body, { ...upsert, ...headers });
  const ask = (text: string, value: unknown, headers: Readonly<Record<string, string>> = {}): Sent =>
    query(text, [{ name: '@n', value }], { ...key, ...headers });
  const byName = 'SELECT * FROM c WHERE c.name = @n';
  const runs = (parameters: unknown, headers: Readonly<Record<string, string>> = key): Sent =>
    post('/dbs/shop/colls/orders/sprocs/tidy', parameters, headers);
  const approved = {
    write: write(item),
    query: ask(byName, 'Ann'),
    code: runs([1]),
    patch: { ...post(`${orders}/7`, [], key), method: 'PATCH' },
    read: get(`${orders}/7`, key),
  };
  const others: readonly (readonly [string, keyof typeof approved, Sent])[] = [
    ['another value in the item', 'write', write({ ...item, sum: 1_000_000 })],
    ['the same item, spelled in another way', 'write', write(JSON.stringify(item, null, 1))],
    ['another container', 'write', write(item, {}, docs)],
    ['another partition', 'write', write(item, { 'x-ms-documentdb-partitionkey': '["Basel"]' })],
    ['no partition', 'write', post(orders, item, { 'x-ms-documentdb-is-upsert': 'True' })],
    ['create in place of upsert', 'write', post(orders, item, key)],
    ['replace in place of upsert', 'write', { ...post(`${orders}/7`, item, key), method: 'PUT' }],
    ['a trigger', 'write', write(item, { 'x-ms-documentdb-pre-trigger-include': 'stamp' })],
    ['another kind of trigger', 'write', write(item, { 'x-ms-documentdb-post-trigger-include': 'stamp' })],
    ['another consistency', 'write', write(item, { 'x-ms-consistency-level': 'Eventual' })],
    ['a condition', 'write', write(item, { 'if-match': '"1"' })],
    ['another indexing', 'write', write(item, { 'x-ms-indexing-directive': 'Exclude' })],
    ['another version of the service', 'write', write(item, { 'x-ms-version': '2018-12-31' })],
    ['another text of the query', 'query', ask('SELECT * FROM c WHERE c.name != @n', 'Ann')],
    ['another parameter', 'query', ask(byName, 'Bea')],
    ['a parameter of another type', 'query', ask('SELECT * FROM c WHERE c.name = @n', ['Ann'])],
    ['a query over all partitions', 'query', query(byName, [{ name: '@n', value: 'Ann' }])],
    ['another page of it', 'query', ask(byName, 'Ann', { 'x-ms-continuation': 'next' })],
    ['a longer page of it', 'query', ask(byName, 'Ann', { 'x-ms-max-item-count': '1000' })],
    ['other parameters of code', 'code', runs([2])],
    ['code in another partition', 'code', runs([1], { 'x-ms-documentdb-partitionkey': '["Basel"]' })],
    ['code that logs', 'code', runs([1], { ...key, 'x-ms-documentdb-script-enable-logging': 'true' })],
    ['a delete in place of a read', 'read', { ...get(`${orders}/7`, key), method: 'DELETE' }],
    ['another partial update', 'patch', { ...post(`${orders}/7`, [{ op: 'set', path: '/sum', value: 2 }], key), method: 'PATCH' }],
  ];
  for (const [what, which, sent] of others) test(`${what} is another request`, () => assert.notEqual(exact(sent), exact(approved[which])));

  test('is not what tells one try from the next', () => {
    for (const headers of [
      { 'x-ms-activity-id': 'b' },
      { 'x-ms-client-request-id': 'b' },
      { 'x-ms-cosmos-correlated-activityid': 'b' },
      { 'x-ms-date': 'later' },
      { 'user-agent': 'another' },
      { 'x-ms-session-token': '0:1#2' },
    ])
      assert.equal(exact(write(item, headers)), exact(approved.write), JSON.stringify(headers));
  });
});
