import assert from 'node:assert/strict';
import { after, before, it } from 'node:test';
import { startHouse, type House } from './house.ts';

/** What policy sees of the values in queries and header fields, with real clients. */
let house: House;
before(async () => {
  house = await startHouse({
    handle(request, response) {
      response.writeHead(200, { 'content-type': 'text/plain' }).end(`at ${request.url} for ${String(request.headers['x-tenant'])}`);
    },
    policies: `@id("connect") permit (principal in Group::"deployers", action == Action::"connect", resource);
@id("what is open") permit (principal in Group::"deployers", action == Action::"http:get", resource in Path::"crm/orders")
when { context has query && context.query.contains("status=open") };
@id("tenant 7") permit (principal in Group::"deployers", action == Action::"http:get", resource in Path::"crm/tenants")
when { context has headers && context.headers.contains("x-tenant=7") };
@id("nobody exports") forbid (principal, action, resource) when { context has query && context.query.contains("export=all") };`,
    adjust(config) {
      Object.assign(config['targets']!['crm'] as object, { query_facts: ['status', 'export', 'card'], header_facts: ['X-Tenant'] });
    },
  });
});
after(() => house.close());

const get = async (place: string, ...parameters: readonly string[]): Promise<string> =>
  (await house.curl('pipeline', ...parameters, `${house.crm}${place}`)).stdout;

it('the value of a parameter decides, however it is spelled, and goes to the target as it was decided', async () => {
  for (const query of ['status=open', '%73tatus=open', 'status=%6fpen', 'page=2&status=open&export=one']) {
    const forwarded = query.replace('%73', 's').replace('%6f', 'o');
    assert.equal(await get(`/orders?${query}`), `at /v2/orders?${forwarded} for undefined`, query);
  }
  assert.equal(await get('/orders', '-G', '--data-urlencode', 'status=open'), 'at /v2/orders?status=open for undefined');
  for (const query of [
    '',
    'status',
    'status=closed',
    'status=Open',
    'status=open%20',
    'status=open,closed',
    'statuses=open',
    'x=status%3Dopen',
  ]) {
    assert.match(await get(`/orders?${query}`), /policy-denied/, query);
  }
  assert.match(await get('/orders?status=open&export=all'), /nobody exports/);
});

it('what servers read in different ways reaches none', async () => {
  const before = house.seen.length;
  for (const query of [
    'status=open&status=closed',
    'status=closed&status=open',
    'status=open&%73tatus=open',
    'status=open&Status=closed',
    'status=open&status%5B%5D=closed',
    'status=open&EXPORT=all',
    'status=op+en',
    'status=open&export=%2561ll',
  ]) {
    assert.match(await get(`/orders?${query}`), /they cannot be told/, query);
  }
  assert.equal(house.seen.length, before);
});

it('the value of a header field decides where the target gets it, over HTTP/1.1 and HTTP/2', async () => {
  const before = house.seen.length;
  for (const version of ['--http1.1', '--http2']) {
    assert.equal(await get('/tenants', version, '-H', 'X-TENANT: 7'), 'at /v2/tenants for 7');
    for (const value of ['8', '7, 8', '7;8'])
      assert.match(await get('/tenants', version, '-H', `x-tenant: ${value}`), /policy-denied/, value);
    assert.match(await get('/tenants', version, '-H', 'X-Tenant: 7', '-H', 'X-Tenant: 8'), /they cannot be told: x-tenant is given twice/);
    assert.match(await get('/tenants', version, '-H', 'X_Tenant: 7'), /they cannot be told: a field is spelled almost like x-tenant/);
  }
  assert.match(await get('/tenants', '--http1.1', '-H', 'Connection: x-tenant', '-H', 'X-Tenant: 7'), /policy-denied/);
  assert.equal(house.seen.length, before + 2);
});

it('each request of a connection is decided by its own values', async () => {
  const asked = ['open', 'closed', 'open', 'open', 'closed', 'closed', 'open'];
  const places = asked.flatMap((status) => ['-o', '/dev/null', `${house.crm}/orders?status=${status}`]);
  const { stdout } = await house.curl('pipeline', '--http1.1', '-w', '%{http_code} %{num_connects}\\n', ...places);
  assert.equal(stdout, asked.map((status, index) => `${status === 'open' ? 200 : 403} ${index === 0 ? 1 : 0}\n`).join(''));
});

it('a sensitive value among them is masked on record', async () => {
  assert.match(await get('/orders?status=open&card=4111111111111111'), /^at /);
  assert.equal(house.seen.at(-1)?.url, '/v2/orders?status=open&card=4111111111111111');
  const records = JSON.stringify(await house.records());
  assert.ok(records.includes('card=************1111'));
  assert.doesNotMatch(records, /4111111111111111/);
});
