import assert from 'node:assert/strict';
import { test } from 'node:test';
import { lineageOf, parseCondition, placesOf, withoutConstants } from './index.ts';

test('the record of a query has no constants', () => {
  const query = `SELECT c["ssn"], 'it''s' FROM c WHERE c.ssn = "078-05-1120" AND c.n IN (1, .5e3, 0xFF) AND c.x = @x OFFSET 5 LIMIT 10`;
  assert.equal(withoutConstants(query), 'SELECT c[?], ?? FROM c WHERE c.ssn = ? AND c.n IN (?, ?, ?) AND c.x = @x OFFSET ? LIMIT ?');
});

test('the condition of a partial update is a query that selects nothing', () => {
  const lineage = lineageOf(parseCondition(`from c where c.ssn = '1' and c.taskNum > 3`));
  assert.deepEqual(lineage.predicates, [[{ kind: 'key', key: 'ssn' }], [{ kind: 'key', key: 'taskNum' }]]);
  assert.deepEqual(placesOf(lineage.row), []);
  assert.throws(() => parseCondition(`SELECT * FROM c`), /expected FROM at character 1/);
});
