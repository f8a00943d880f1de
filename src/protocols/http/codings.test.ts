import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { AnswerPlan } from '../request.ts';
import { codedAgain } from './codings.ts';

const plan: AnswerPlan = { kind: 'pieces', fields: [], coding: 'gzip', masker: () => assert.fail('nothing is masked here') };

for (const [value, isTaken] of [
  ['gzip', true],
  ['br, GZIP;q=0.1', true],
  ['x-gzip', true],
  ['*', true],
  ['*;q=0.5, br', true],
  [undefined, false],
  ['', false],
  ['br', false],
  ['gzip;q=0', false],
  ['gzip; q=0.000', false],
  ['*, gzip;q=0', false],
  ['*;q=0', false],
] as const) {
  it(`what came in gzip goes on ${isTaken ? 'in it' : 'uncoded'} where the client says ${value === undefined ? 'nothing' : `"${value}"`}`, () => {
    const fields = value === undefined ? [] : [{ name: 'accept-encoding', value }];
    const again = codedAgain(plan, fields);
    assert.equal(again.kind === 'pieces' && again.codedAgain, isTaken ? 'gzip' : undefined);
  });
}

it('what came uncoded is not coded', () => {
  const uncoded = { ...plan, coding: undefined };
  assert.equal(codedAgain(uncoded, [{ name: 'accept-encoding', value: 'gzip' }]), uncoded);
});
