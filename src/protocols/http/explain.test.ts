import assert from 'node:assert/strict';
import { it } from 'node:test';
import { nodeCrypto } from '../../net/crypto.ts';
import { explainHttp } from './explain.ts';
import { testEnvironment } from './testing/masks.ts';

const { classes } = testEnvironment(nodeCrypto, ['customers/*#$.ssn']);
const explain = (line: string | undefined, more: { readOnly?: boolean; revealed?: ReadonlySet<string> } = {}) =>
  explainHttp({ line, target: 'crm', readOnly: more.readOnly, operations: undefined, classes, revealed: more.revealed ?? new Set() });

it('a request’s first line says what it would mean, and what would be masked', () => {
  const { acts, facts, classes: masked, refusal } = explain('GET /customers/7?expand=orders');
  assert.deepEqual(acts[0]?.object.id, 'crm/customers/7');
  assert.deepEqual(facts, { method: 'GET', path: '/customers/7', query_parameters: ['expand'] });
  assert.deepEqual([masked, refusal], [['ssn'], undefined]);
  assert.deepEqual(explain('GET /customers/7', { revealed: new Set(['ssn']) }).classes, []);
  assert.deepEqual(explain(undefined).acts, [{ action: 'connect', object: { type: 'Target', id: 'crm' } }]);
});

it('what would be refused before policy is asked is refused here too', () => {
  for (const [line, code] of [
    ['customers', 'unclassified'],
    ['GET /a/../b', 'unclassified'],
    ['GET https://crm/a', 'unsupported'],
  ] as const) {
    assert.equal(explain(line).refusal?.code, code, line);
  }
  assert.equal(explain('POST /a', { readOnly: true }).refusal?.code, 'read-only');
  assert.equal(explain('QUERY /a', { readOnly: true }).refusal, undefined);
});
