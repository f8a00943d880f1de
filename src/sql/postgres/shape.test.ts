import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import fc from 'fast-check';
import type { LineageCatalogue } from '../lineage.ts';
import { analyse } from './analyse.ts';
import { createAnalyser } from './analyser.ts';
import { loadParser } from './parser.ts';
import { shapeOf } from './shape.ts';

before(loadParser);

describe('one shape', () => {
  for (const [one, other] of [
    ['select * from t where id = 1', 'select * from t where id = 234567890'],
    ['select 1.5', 'select 20.25'],
    [`select 'a'`, `select 'it''s; -- not a comment /* $$ é'`],
    ['select -1, a-1', 'select -2, a-3'],
    [`insert into t values (1, 'a', 2.5)`, `insert into t values (22, '', 0.0)`],
    ['select "a""b1" from t limit 5', 'select "a""b1" from t limit 6'],
  ] as const) {
    test(`${one} and ${other}`, () => {
      assert.notEqual(shapeOf(one), undefined);
      assert.equal(shapeOf(one), shapeOf(other));
    });
  }
});

describe('different shapes', () => {
  for (const [one, other] of [
    ['select 1', 'select 1.0'],
    ['select 1', `select '1'`],
    ['select a1', 'select a2'],
    ['select "a1"', 'select "a2"'],
    ['select 1', 'select  1'],
    ['select a', 'select A'],
    [`select 'a', 'b'`, `select 'a'`],
  ] as const) {
    test(`${one} and ${other}`, () => assert.notEqual(shapeOf(one), shapeOf(other)));
  }
});

describe('no shape', () => {
  for (const sql of [
    `select E'a'`,
    `select e'a'`,
    `select B'1', 1`,
    `select x'1f'`,
    `select N'a'`,
    `select U&'a'`,
    `select U&"a"`,
    `select interval'1'`,
    `select 'a\\'`,
    `select "a\\"`,
    `select 'a'\n'b'`,
    `select 'a' 'b'`,
    'select 1 -- x',
    'select /* x */ 1',
    'select $1',
    'select $$a$$',
    'select a$1',
    'select 1$',
    'select 1e5',
    'select 0x1f',
    'select 1_000',
    'select 1a',
    'select 1é',
    'select .5',
    'select 1.',
    'select 1..2',
    'select 1.5.2',
    'select 1234567890',
    'select é',
    'select\u00a01',
    'select\v1',
    'select 1\0',
    `select 'a\0'`,
    'select \u00011',
    `select 'a`,
    'select "a',
  ]) {
    test(JSON.stringify(sql), () => assert.equal(shapeOf(sql), undefined));
  }
});

describe('an analyser', () => {
  test('gives one object for one shape', () => {
    const analyser = createAnalyser();
    assert.equal(analyser.analyse('select * from t where id = 1'), analyser.analyse('select * from t where id = 2'));
  });
  test('keeps apart what literals decide, and still remembers the exact text', () => {
    const analyser = createAnalyser();
    const [role, path] = [`select set_config('role', 'x', false)`, `select set_config('search_path', 'x', false)`];
    assert.equal(analyser.analyse(role), analyser.analyse(role));
    assert.notDeepEqual(analyser.analyse(role), analyser.analyse(path));
    assert.notDeepEqual(analyser.analyse('explain (analyze 0) delete from t'), analyser.analyse('explain (analyze 1) delete from t'));
    assert.notDeepEqual(analyser.analyse(`set work_mem = 1`), analyser.analyse(`set work_mem = 2`));
  });
  test('drops what was not used for longest', () => {
    const analyser = createAnalyser({ maxShapes: 2 });
    const first = analyser.analyse('select a from t');
    analyser.analyse('select b from t');
    assert.equal(analyser.analyse('select a from t'), first);
    analyser.analyse('select c from t');
    assert.equal(analyser.analyse('select a from t'), first);
    for (const column of 'defghi') analyser.analyse(`select ${column} from t`);
    assert.notEqual(analyser.analyse('select a from t'), first);
  });
  test('holds to the limit it was given', () => {
    assert.throws(() => createAnalyser({ maxBytes: 10 }).analyse('select 1234567'), { code: 'limit-exceeded' });
  });
});

describe('texts of one shape', () => {
  test('mean the same, whatever their literals, unless their literals matter', () => {
    let compared = 0;
    fc.assert(
      fc.property(statement(), (pieces) => {
        const [one, other] = [pieces.map((piece) => piece[0]).join(''), pieces.map((piece) => piece[1]).join('')];
        const shape = shapeOf(one);
        if (shape === undefined || shape !== shapeOf(other)) return;
        const analysis = attempt(one);
        if (typeof analysis === 'string' || analysis.literalSensitive) return;
        compared += 1;
        assert.equal(meaningOf(attempt(other)), meaningOf(analysis));
      }),
      { numRuns: 1_500 },
    );
    assert.ok(compared > 500, `only ${compared} pairs were compared`);
  });

  test('are still told apart after any edit that the shape does not see', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...fragments), { maxLength: 12 }), (words) => {
        const one = words.join('');
        const shape = shapeOf(one);
        if (shape === undefined) return;
        const other = one.replace(/(?<![\w."'])\d+(?![\w."'])/g, '7').replace(/'(?:[^'])*'/g, `'z'`);
        if (shapeOf(other) !== shape) return;
        const [first, second] = [attempt(one), attempt(other)];
        if (typeof first === 'string' || typeof second === 'string' || first.literalSensitive) return;
        assert.equal(meaningOf(second), meaningOf(first));
      }),
      { numRuns: 3_000 },
    );
  });
});

type Pair = readonly [string, string];

/** Pieces of a statement in two versions that differ in their literals only. */
function statement(): fc.Arbitrary<readonly Pair[]> {
  const same = (text: string): Pair => [text, text];
  const literal = fc.oneof(
    fc.tuple(fc.nat(), fc.nat()).map(([a, b]): Pair => [String(a), String(b)]),
    fc.tuple(fc.nat(999), fc.nat(999)).map(([a, b]): Pair => [`${a}.5`, `${b}.25`]),
    fc.tuple(fc.string(), fc.string()).map(([a, b]): Pair => [quoted(a), quoted(b)]),
    fc.constantFrom(same('null'), same('true')),
  );
  const expression = fc.oneof(
    literal,
    literal.map(([a, b]): Pair => [`- ${a}`, `- ${b}`]),
    literal.map(([a, b]): Pair => [`coalesce(ssn, ${a}::text)`, `coalesce(ssn, ${b}::text)`]),
    literal.map(([a, b]): Pair => [`my_function(${a}, c)`, `my_function(${b}, c)`]),
    literal.map(([a, b]): Pair => [`nextval(${a})`, `nextval(${b})`]),
    literal.map(([a, b]): Pair => [`(select ssn from customers where id = ${a})`, `(select ssn from customers where id = ${b})`]),
    literal.map(([a, b]): Pair => [`profile -> ${a}`, `profile -> ${b}`]),
    literal.map(([a, b]): Pair => [`profile #> ${a}`, `profile #> ${b}`]),
    literal.map(([a, b]): Pair => [`profile[${a}]`, `profile[${b}]`]),
    literal.map(([a, b]): Pair => [`jsonb_extract_path(profile, ${a})`, `jsonb_extract_path(profile, ${b})`]),
    literal.map(([a, b]): Pair => [`jsonb_path_query(profile, ${a})`, `jsonb_path_query(profile, ${b})`]),
    fc.constantFrom(same('id'), same('c.ssn'), same('"a1"'), same('count(*)')),
  );
  const build = (...parts: readonly (string | fc.Arbitrary<Pair>)[]): fc.Arbitrary<readonly Pair[]> =>
    fc.tuple(...parts.map((part) => (typeof part === 'string' ? fc.constant(same(part)) : part)));
  return fc.oneof(
    build('select ', expression, ', ', expression, ' from customers c where id = ', expression, ' order by 1 limit ', literal),
    build('update orders set total = ', expression, ' where total > ', expression, ' or ', literal, ' = ', literal),
    build('insert into orders values (', expression, ', ', expression, ') on conflict do nothing returning ', expression),
    build('delete from orders where ', literal, ' = ', literal),
    build('explain select ', expression, ' from customers c'),
    build('execute p (', expression, ', ', expression, ')'),
    build('with x as (select ', expression, ' as y from customers c) select y from x fetch first ', literal, ' rows only'),
    build('select set_config(', literal, ', ', literal, ', false)'),
    build('merge into orders o using late l on o.id = l.id and l.x = ', literal, ' when matched then update set total = ', literal),
  );
}

function quoted(text: string): string {
  return `'${text.replaceAll(/[\\\0]/g, '').replaceAll("'", "''")}'`;
}

/** All that an analysis says, lineage with it, where `customers` and `orders` have columns. */
function meaningOf(analysis: ReturnType<typeof attempt>): string {
  if (typeof analysis === 'string') return analysis;
  const catalogue: LineageCatalogue = {
    relation: ({ name }) => ({ id: name.length, columns: ['id', 'total', 'profile', 'ssn', 'x', 'a'] }),
    hasUserFunction: () => false,
    hasUserOperator: () => false,
  };
  const lineages = analysis.statements.map((one) => one.lineage(catalogue) ?? null);
  return JSON.stringify([analysis, lineages]);
}

function attempt(sql: string): ReturnType<typeof analyse> | string {
  try {
    return analyse(sql);
  } catch (error) {
    return String(error);
  }
}

const fragments = [
  'select ',
  'a',
  ' from ',
  't',
  ' where ',
  '1',
  '23',
  ' ',
  `'x'`,
  `''`,
  ',',
  '(',
  ')',
  '+',
  '-',
  '.',
  '"q"',
  ' limit ',
  '::int',
  '5.0',
  ' = ',
  'b2',
  '\n',
  ';',
];
