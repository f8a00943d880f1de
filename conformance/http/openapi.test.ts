import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, it } from 'node:test';
import { eventually } from '../harness.ts';
import { startHouse, type House } from './house.ts';

/** Policy by the names that an API's own document gives to what can be asked of it. */
let house: House;
const document = `openapi: 3.1.1
info: { title: CRM, version: '1' }
paths:
  /customers/{id}:
    get: { operationId: getCustomer, responses: {} }
    delete: { operationId: deleteCustomer, responses: {} }
  /customers/export:
    get: { operationId: exportCustomers, responses: {} }
`;

before(async () => {
  house = await startHouse({
    handle: (_request, response) => response.end('done'),
    policies: `@id("connect") permit (principal in Group::"deployers", action == Action::"connect", resource);
@id("one customer") permit (principal in Group::"deployers", action, resource == Method::"crm/getCustomer");
@id("below a path") permit (principal in Group::"deployers", action == Action::"http:put", resource in Path::"crm/notes");
@id("deletes wait") permit (principal in Group::"deployers", action, resource == Method::"strict/deleteCustomer");`,
    adjust(config) {
      const crm = config['targets']!['crm'] as Record<string, unknown>;
      Object.assign(config['targets']!, { strict: { ...crm, openapi: 'file:crm.openapi.yaml', openapi_unlisted: 'deny' } });
      crm['openapi'] = 'file:crm.openapi.yaml';
      config['data_classes'] = {};
    },
    files: { 'crm.openapi.yaml': document },
  });
});
after(() => house.close());

const status = async (method: string, url: string): Promise<string> =>
  (await house.curl('pipeline', '-X', method, '-o', join(house.folder, 'body'), '-w', '%{http_code}', url)).stdout;

it('an operation is permitted by its name, the next more specific one is another', async () => {
  assert.equal(await status('GET', `${house.crm}/customers/7`), '200');
  assert.equal(await status('GET', `${house.crm}/customers/export`), '403');
  assert.equal(await status('DELETE', `${house.crm}/customers/7`), '403');
  const decided = await house.records(['operation.decided']);
  const text = JSON.stringify(decided);
  assert.ok(text.includes('crm/getCustomer') && text.includes('crm/exportCustomers') && text.includes('crm/deleteCustomer'), text);
});

it('what is not listed is decided by its path, or refused where the target is configured so', async () => {
  assert.equal(await status('PUT', `${house.crm}/notes/1`), '200');
  const strict = house.crm.replace(/crm$/, 'strict');
  assert.equal(await status('DELETE', `${strict}/customers/7`), '200');
  const answer = await house.curl('pipeline', '-X', 'PUT', `${strict}/notes/1`);
  assert.match(answer.stdout, /the API document of this target lists no such path, and nothing else is let through/);
  assert.match((await house.curl('pipeline', '-X', 'PATCH', `${strict}/customers/7`)).stdout, /lists no such method for this path/);
});

it('a new document counts from the next request on', async () => {
  writeFileSync(join(house.folder, 'crm.openapi.yaml'), document.replace('getCustomer', 'readCustomer'));
  await eventually('the new name to be refused', async () => (await status('GET', `${house.crm}/customers/7`)) === '403' || undefined);
});
