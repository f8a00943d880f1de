import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { leaks, startOracle, type Oracle } from './oracle.ts';

let oracle: Oracle;
before(async () => {
  oracle = await startOracle();
});
after(() => oracle.house.close());

test('two containers that differ in hidden values alone answer alike', async () => {
  const { asked, answered } = await oracle.alike(100);
  assert.ok(answered > asked / 3, `of ${asked} queries ${answered} were answered`);
});

test('conditions about hidden values get no value out either', () => oracle.withConditions(50));

test('the emulator itself does give these values out', async () => {
  const container = oracle.house.direct().database('one').container('customers');
  const { resources } = await container.items.query('SELECT VALUE UPPER(c.ssn) FROM c').fetchAll();
  assert.ok(leaks({ status: 200, text: JSON.stringify(resources), headers: [] }));
});
