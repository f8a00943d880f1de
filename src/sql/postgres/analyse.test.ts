import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { before, describe, test } from 'node:test';
import { GatewayFault } from '../../core/fault.ts';
import { actionsByName } from '../../policy/schema.ts';
import type { Statement } from '../statement.ts';
import { analyse } from './analyse.ts';
import { builtinOperators, effectFunctions, reachingFunctions } from './builtins.ts';
import { loadParser } from './parser.ts';
import { SyntaxFault } from './syntax-fault.ts';
import { summaryOf } from './testing/summary.ts';

before(loadParser);

for (const file of ['reads', 'writes', 'session', 'define', 'administer', 'evasions']) {
  describe(`what a statement means: ${file}`, () => {
    for (const [sql, expected] of casesIn(file)) test(sql, () => assert.equal(outcomeOf(sql), expected));
  });
}

describe('every action that an analysis names', () => {
  test('is one of the policy schema', () => {
    const emitted = new Set([...effectFunctions.values(), ...reachingFunctions.values()]);
    for (const file of ['reads', 'writes', 'session', 'define', 'administer', 'evasions'])
      for (const [sql, expected] of casesIn(file))
        if (!expected.startsWith('refused'))
          for (const act of analyse(sql).statements.flatMap((statement) => statement.acts)) emitted.add(act.action);
    for (const name of readdirSync(new URL('.', import.meta.url)).filter((file) => /(?<!\.test)\.ts$/.test(file)))
      for (const match of readFileSync(new URL(name, import.meta.url), 'utf8').matchAll(/'(sql:[a-z-]+)'/g))
        emitted.add(match[1] as `sql:${string}`);
    assert.ok(emitted.size > 80);
    assert.deepEqual(
      [...emitted].filter((action) => !actionsByName.has(action)),
      [],
    );
  });
});

describe('texts that lines cannot show', () => {
  test('a line comment ends at a carriage return', () => {
    assert.equal(outcomeOf('select 1 -- x\r; delete from orders'), outcomeOf('select 1; delete from orders'));
  });
  test('a form feed is white space, U+00A0 part of a name', () => {
    assert.equal(outcomeOf('delete\ffrom\forders'), outcomeOf('delete from orders'));
    assert.equal(outcomeOf('delete from orders\u00a0'), 'delete: delete orders\u00a0; written orders\u00a0; unbounded');
  });
  test('a string goes on after a line break', () => {
    assert.equal(outcomeOf(`select set_config('ro'\n'le', 'x', false)`), outcomeOf(`select set_config('role', 'x', false)`));
  });
  test('nothing, blanks and comments are no statements', () => {
    for (const sql of ['', ' \n', ';', ';;', '-- x', '/* x */'])
      assert.deepEqual(analyse(sql), { statements: [], literalSensitive: false });
  });
  test('a NUL, which the parser would take for the end, is refused', () => {
    assert.throws(() => analyse('select 1\0; drop table x'), fault('unclassified'));
  });
  test('an unpaired surrogate is refused', () => {
    assert.throws(() => analyse(`select '\ud800'`), fault('unclassified'));
  });
  test('a long text is refused by its bytes', () => {
    assert.throws(() => analyse(`select '${'é'.repeat(50)}'`, 100), fault('limit-exceeded'));
    assert.equal(analyse(`select '${'e'.repeat(50)}'`, 100).statements.length, 1);
  });
});

describe('syntax errors', () => {
  test("carry PostgreSQL's message and the position in characters", () => {
    assert.throws(
      () => analyse(`select 'é' frm é é`),
      (error) => {
        assert.ok(error instanceof SyntaxFault);
        assert.equal(error.code, 'unclassified');
        assert.equal(error.position, 16);
        assert.equal(error.publicMessage, 'syntax error at or near "é" at character 16');
        assert.match(error.detail, /^syntax error: .* at character 16$/);
        return true;
      },
    );
  });
  test('differ from what is understood but not classified', () => {
    assert.throws(
      () => analyse('explain (surprise) select 1'),
      (error) =>
        error instanceof GatewayFault &&
        error.code === 'unclassified' &&
        !(error instanceof SyntaxFault) &&
        !error.detail.startsWith('syntax'),
    );
  });
});

describe('names for who has the catalogue', () => {
  test('attributes may be functions of the row', () => {
    assert.deepEqual(only('select c.evil, (c).worse from customers c').attributes, ['evil', 'worse']);
  });
  test('a call is no attribute: it may be a column of its row, and a row that it gets is seen as such', () => {
    const call = only('select worst(c) from customers c');
    assert.deepEqual([call.attributes, call.mentions, call.mentionsAll], [[], ['c', 'worst'], true]);
    assert.deepEqual([only('select worst(id) from customers c').mentionsAll], [false]);
  });
  test('operators are all there, those behind other syntax too', () => {
    const { operators } = only(
      `select a + b, a between 1 and 2, a in (3), case a when 4 then 5 end from t join u using (x) where c like 'x'`,
    );
    assert.deepEqual(operators.map((operator) => operator.name).toSorted(), ['+', '<=', '=', '>=', '~~'].toSorted());
  });
  test('COPY says its format and encoding', () => {
    const { copy } = only(`copy t (a) from stdin (format csv, encoding 'SJIS')`);
    assert.deepEqual(copy, {
      direction: 'from-client',
      relation: { schema: undefined, name: 't' },
      columns: ['a'],
      format: 'csv',
      encoding: 'SJIS',
    });
  });
  test('no built-in operator is opaque', () => {
    for (const operator of builtinOperators)
      assert.equal(
        only(`select a operator(pg_catalog.${operator}) b from t`.replace('a operator(pg_catalog.!!)', 'operator(pg_catalog.!!)')).opaque,
        false,
        operator,
      );
  });
});

function* casesIn(file: string): Generator<[string, string]> {
  const lines = readFileSync(new URL(`testing/${file}.cases`, import.meta.url), 'utf8').split('\n');
  for (let at = 0; at + 1 < lines.length; at += 2) {
    const [sql, expected] = [lines[at] ?? '', lines[at + 1] ?? ''];
    assert.ok(expected.startsWith('=> '), `${file}.cases, line ${at + 2}`);
    yield [sql, expected.slice(3)];
  }
}

function outcomeOf(sql: string): string {
  try {
    return summaryOf(sql);
  } catch (error) {
    if (!(error instanceof GatewayFault)) throw error;
    return `refused: ${error.detail}`;
  }
}

function only(sql: string): Statement {
  const [statement, ...others] = analyse(sql).statements;
  assert.ok(statement !== undefined && others.length === 0);
  return statement;
}

function fault(code: string): (error: unknown) => boolean {
  return (error) => error instanceof GatewayFault && error.code === code;
}
