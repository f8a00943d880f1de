import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { GatewayFault } from '../../core/fault.ts';
import { lineageOf, parseQuery, type ItemPath, type Value } from './index.ts';

/** The row, `| predicates`, `^ what it is arranged by`; `+` where rows are made up. */
function shown(query: string): string {
  try {
    const { row, predicates, arranging, makesUpRows, sums } = lineageOf(parseQuery(query));
    return [
      valueText(row),
      ...(predicates.length === 0 ? [] : [`| ${paths(predicates)}`]),
      ...(arranging.length === 0 ? [] : [`^ ${paths(arranging)}`]),
      ...(sums.length === 0 ? [] : [`sum ${paths(sums)}`]),
      ...(makesUpRows ? ['+'] : []),
    ].join(' ');
  } catch (error) {
    assert.ok(error instanceof GatewayFault, String(error));
    return `${error.code}: ${error.publicMessage.replace('the query cannot be understood with certainty: ', '')}`;
  }
}

function valueText(value: Value): string {
  switch (value.kind) {
    case 'stored':
      return path(value.path);
    case 'object':
      return `{${value.members.map(({ key, value }) => `${key ?? '?'}: ${valueText(value)}`).join(', ')}}`;
    case 'array':
      return `[${value.elements.map(valueText).join(', ')}]`;
    case 'computed':
      return `f(${paths(value.from)})`;
    case 'conditioned':
      return `(${valueText(value.value)} if ${paths(value.on)})`;
    default:
      return value satisfies never;
  }
}

function paths(list: readonly ItemPath[]): string {
  return [...new Set(list.map(path))].sort().join(' ');
}

function path(steps: ItemPath): string {
  return `$${steps.map((step) => (step.kind === 'key' ? `.${step.key}` : step.kind === 'element' ? '#' : '*')).join('')}`;
}

function cases(what: string, table: string): void {
  describe(what, () => {
    for (const line of table.trim().split('\n')) {
      const [query = '', expected = ''] = line.split(' => ');
      test(query, () => assert.equal(shown(query), expected));
    }
  });
}

cases(
  'what is selected as it stands',
  `
SELECT * FROM c => $
SELECT * FROM c AS x WHERE true => $
select value c from c => $
SELECT c.ssn FROM c => {ssn: $.ssn}
SELECT c.ssn AS harmless, c["s\\u0073n"] other, c FROM c => {harmless: $.ssn, other: $.ssn, c: $}
SELECT c['ssn'] FROM c => {ssn: $.ssn}
SELECT VALUE c.a.b[0].ssn FROM c => $.a.b#.ssn
SELECT VALUE root.ssn FROM root => $.ssn
SELECT * FROM Families.children[0] c => $.children#
SELECT * FROM f IN Families.children => $.children#
SELECT a.number FROM c JOIN a IN c.accounts => {number: $.accounts#.number}
SELECT VALUE {n: c.name, "all": [c.ssn, 1]} FROM c => {n: $.name, all: [$.ssn, f()]}
SELECT VALUE {n: c.ssn}.n FROM c => $.ssn
SELECT VALUE [c.ssn][0] FROM c => $.ssn
SELECT VALUE x.y FROM (SELECT c.ssn AS y FROM c) AS x => $.ssn
SELECT VALUE x FROM c JOIN x IN (SELECT VALUE [c.a, c.b]) => f($.a $.b)
SELECT VALUE (SELECT VALUE c.ssn) FROM c => $.ssn
SELECT ARRAY(SELECT VALUE a.number FROM a IN c.accounts) AS ns FROM c => {ns: [$.accounts#.number]}
SELECT VALUE t FROM c JOIN (SELECT VALUE t FROM t IN c.tags WHERE t = 'x') AS t => $.tags# | $.tags#
SELECT TOP 3 c.id FROM c OFFSET 1 LIMIT @n => {id: $.id}
`,
);

cases(
  'what is computed',
  `
SELECT UPPER(c.ssn) AS s, c.ssn || '' AS t, c.ssn ?? 'none' AS u, (c.a ? c.b : 1) AS v FROM c => {s: f($.ssn), t: f($.ssn), u: f($.ssn), v: f($.a $.b)}
SELECT UPPER(c.ssn) FROM c => {?: f($.ssn)}
SELECT VALUE ToString(c) FROM c => f($)
SELECT VALUE c[@p] FROM c => $*
SELECT VALUE c[c.key] FROM c => f($* $.key)
SELECT VALUE c["s" || "sn"] FROM c => f($*)
SELECT VALUE c.ssn = '1' FROM c => f($.ssn)
SELECT VALUE c.ssn LIKE '1%' ESCAPE '!' FROM c => f($.ssn)
SELECT VALUE (c.ssn BETWEEN 'a' AND c.b) FROM c => f($.b $.ssn)
SELECT VALUE c.ssn NOT IN ('1', c.x) FROM c => f($.ssn $.x)
SELECT VALUE NOT c.a AND -c.b < ~c.d FROM c => f($.a $.b $.d)
SELECT VALUE MAX(c.ssn) FROM c => f($.ssn)
SELECT VALUE EXISTS(SELECT VALUE 1 FROM a IN c.accounts WHERE a.number = '1') FROM c => f($.accounts#.number)
SELECT VALUE (SELECT VALUE COUNT(1) FROM a IN c.accounts WHERE a.number = '1') FROM c => (f() if $.accounts#.number)
SELECT VALUE (SELECT VALUE COUNT(a.number) FROM a IN c.accounts) FROM c => (f() if $.accounts#.number) | $.accounts#.number
SELECT VALUE (SELECT VALUE x FROM x IN (SELECT VALUE ['0', '1']) WHERE STARTSWITH(c.ssn, x)) FROM c => (f() if $.ssn)
SELECT ARRAY(SELECT VALUE a.kind FROM a IN c.accounts WHERE a.number = '1') AS ks FROM c => {ks: ([$.accounts#.kind] if $.accounts#.number)}
SELECT VALUE udf.mine(c.ssn) FROM c => f($.ssn)
`,
);

cases(
  'what is asked of values that do not come back',
  `
SELECT c.id FROM c WHERE c.ssn = '1' AND NOT IS_DEFINED(c.x) => {id: $.id} | $.ssn $.x
SELECT VALUE COUNT(1) FROM c WHERE c.ssn = '1' => f() | $.ssn
SELECT VALUE COUNT(c.ssn) FROM c => f() | $.ssn
SELECT c.id FROM c ORDER BY c.ssn DESC, c.id => {id: $.id} | $.id $.ssn ^ $.id $.ssn
SELECT DISTINCT c.ssn FROM c => {ssn: $.ssn} | $.ssn ^ $.ssn
SELECT c.city, COUNT(1) AS n FROM c GROUP BY c.city => {city: $.city, n: f()} | $.city ^ $.city
SELECT VALUE AVG(c.n) FROM c => f($.n) sum $.n
SELECT x FROM c JOIN x IN (SELECT VALUE ['0', '1']) WHERE STARTSWITH(c.ssn, x) => {x: f()} | $.ssn +
SELECT VALUE COUNT(1) FROM c JOIN x IN (SELECT VALUE StringSplit(c.ssn, '1')) => f() | $.ssn +
SELECT c._rid, [{"item": c.n}] AS orderByItems, c AS payload FROM c WHERE (true) ORDER BY c.n => {_rid: $._rid, orderByItems: [{item: $.n}], payload: $} | $.n ^ $.n
SELECT [{"item": c.n}] AS groupByItems, {"m": {"item": {"max": MAX(c.v), "count": COUNT(c.v)}}} AS payload FROM c GROUP BY c.n => {groupByItems: [{item: $.n}], payload: {m: {item: {max: f($.v), count: f()}}}} | $.n $.v ^ $.n
`,
);

cases(
  'what is not understood is refused',
  `
SELECT * FROM c -- ssn => unclassified: comments are not passed, because servers read them in different ways
SELECT * FROM c /* ssn */ => unclassified: comments are not passed, because servers read them in different ways
SELECT c.ssn => unclassified: the name c stands for no input of FROM
SELECT ssn FROM c => unclassified: the name ssn stands for no input of FROM
SELECT c.x FROM c AS d => unclassified: the name c stands for no input of FROM
SELECT * FROM c JOIN t IN c.tags => unclassified: SELECT * is for exactly one input
SELECT t FROM c JOIN t IN c.tags JOIN t IN c.others => unclassified: two inputs have the name t
SELECT VALUE reveal(c) FROM c => unclassified: the function REVEAL is not known
SELECT * FROM c ORDER BY RANK FullTextScore(c.x, 'a') => unclassified: expected a name at character 26
SELECT * FROM c HAVING c.x => unclassified: expected its end at character 17
SELECT * FROM c; SELECT * FROM d => unclassified: a character that it does not know, at character 16
SELECT VALUE c.x 'alias' FROM c => unclassified: expected its end at character 18
SELECT VALUE 1x FROM c => unclassified: a number that runs into the next word, at character 14
SELECT VALUE "\\x41" FROM c => unclassified: an escape that is not documented, at character 15
SELECT VALUE "open FROM c => unclassified: a string without its end, from character 14
SELECT c.ſsn FROM c => unclassified: a character that it does not know, at character 10
SELECT TOP (1) * FROM c => unclassified: expected a number or a parameter behind TOP, OFFSET and LIMIT
UPDATE c SET x = 1 => unclassified: expected SELECT at character 1
 => unclassified: expected SELECT at character 1
`,
);

test('hostile queries end in a fault, not in an exhausted stack', () => {
  for (const query of [
    `SELECT VALUE ${'('.repeat(100_000)}1`,
    `SELECT VALUE ${'-'.repeat(1)}${'NOT '.repeat(10_000)}1`,
    `SELECT VALUE ${'[{a: '.repeat(3_000)}`,
    `SELECT VALUE ${'(SELECT VALUE '.repeat(3_000)}`,
    `SELECT VALUE 1 ${'?? 1 '.repeat(5_000)}`,
    `SELECT VALUE c${'.a'.repeat(9_000)} FROM c`,
    `SELECT * FROM c${'.a'.repeat(9_000)}`,
    `SELECT VALUE '${'x'.repeat(300_000)}'`,
  ])
    assert.match(shown(query), /^limit-exceeded: /, query.slice(0, 40));
});
