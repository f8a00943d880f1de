import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { before, describe, test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import fc from 'fast-check';
import { GatewayFault } from '../../core/fault.ts';
import { analyse } from './analyse.ts';
import { loadParser } from './parser.ts';
import { summaryOf } from './testing/summary.ts';

before(loadParser);

const samples = ['reads', 'writes', 'define', 'evasions'].flatMap((file) =>
  readFileSync(new URL(`testing/${file}.cases`, import.meta.url), 'utf8')
    .split('\n')
    .filter((line, at) => at % 2 === 0 && line !== ''),
);

describe('whatever the text', () => {
  test('random characters end in an analysis or a fault', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 200 }), (sql) => only(sql)),
      { numRuns: 2_000 },
    );
  });

  test('so do mutilated statements', () => {
    const cut = fc.tuple(
      fc.constantFrom(...samples),
      fc.nat(200),
      fc.nat(20),
      fc.constantFrom('', ...samples, "'", '"', '(', ')', '$$', '/*', ';', '\\', ' as ', '*'),
    );
    fc.assert(
      fc.property(cut, ([sql, at, length, inserted]) => only(sql.slice(0, at) + inserted + sql.slice(at + length))),
      { numRuns: 4_000 },
    );
  });
});

describe('deep nesting', () => {
  const deep: Readonly<Record<string, (levels: number) => string>> = {
    parentheses: (levels) => `select ${'('.repeat(levels)}1${')'.repeat(levels)}`,
    sums: (levels) => `select ${'1+'.repeat(levels)}1`,
    negations: (levels) => `select ${'not '.repeat(levels)}true`,
    calls: (levels) => `select ${'f('.repeat(levels)}1${')'.repeat(levels)}`,
    'sub-selects': (levels) => `${'(select '.repeat(levels)}1${')'.repeat(levels)}`,
    unions: (levels) => `select 1${' union select 1'.repeat(levels)}`,
    joins: (levels) => `select * from t${' cross join t'.repeat(levels)}`,
    CTEs: (levels) => `${'with x as ('.repeat(levels)}select 1${') select 1'.repeat(levels)}`,
    conditions: (levels) => `delete from t where ${'a and (b or '.repeat(levels)}c${')'.repeat(levels)}`,
  };
  for (const [what, build] of Object.entries(deep)) {
    test(`${what}: a hundred levels are understood`, () => assert.ok(analyse(build(100)).statements.length === 1));
    test(`${what}: any number ends in an analysis or a fault, and the parser goes on`, async () => {
      for (const levels of [1_500, 5_000, 20_000, 100_000]) {
        only(build(levels));
        await recovered();
      }
    });
  }

  test('statements that break the parser, one after the other, do not break it for others', async () => {
    const expected = summaryOf('select c.ssn from customers c where id = 1');
    for (let round = 0; round < 60; round += 1) {
      only(`select ${'not '.repeat(3_000)}true`);
      only(`select ${'1+'.repeat(9_000)}1`);
      await recovered();
      assert.equal(summaryOf('select c.ssn from customers c where id = 1'), expected);
    }
  });

  test('a flat statement may be long', () => {
    assert.equal(analyse(`select * from t where ${'a = 1 or '.repeat(5_000)}b = 2`).statements.length, 1);
    assert.equal(analyse(`insert into t values ${'(1, 2), '.repeat(5_000)}(3, 4)`).statements.length, 1);
    assert.equal(analyse(`select * from t where id in (${'1, '.repeat(20_000)}2)`).statements.length, 1);
  });
});

/** An analysis or a fault, nothing else; what is understood is a complete summary. */
function only(sql: string): void {
  try {
    for (const statement of analyse(sql).statements) assert.notEqual(statement.kind, '');
  } catch (error) {
    if (!(error instanceof GatewayFault)) throw error;
    assert.ok(['unclassified', 'limit-exceeded'].includes(error.code), error.detail);
  }
}

/** Waits until a fresh parser has taken the place of one that failed. */
async function recovered(): Promise<void> {
  for (let turn = 0; turn < 10_000; turn += 1) {
    try {
      analyse('select 1');
      return;
    } catch {
      await nextTurn();
    }
  }
  assert.fail('the parser did not come back');
}
