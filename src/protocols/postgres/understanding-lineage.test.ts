import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { bank, build, classes, meaning, place, rows } from './catalogue.fixture.test.ts';
import { analyse } from './fixture.test.ts';
import { maskContext, planColumns } from './mask.ts';
import { numbered } from './testing/bank.ts';
import { unsettled } from './unsettled.ts';
import { understand, type NamedStatements, type Understanding } from './understanding.ts';

const computed = { name: 'x', tableOid: 0, columnAttribute: 0, typeOid: 25, typeModifier: -1, format: 0 } as const;

/** The class for which each of so many computed columns is masked; `-` where it is not. */
function masked(understanding: Understanding, columns = 1, catalogue = bank): string {
  const context = maskContext(classes, catalogue, 'taint', new Set());
  const fields = Array.from({ length: columns }, () => computed);
  return planColumns(context, understanding.maskFacts, fields)
    .columns.map(({ rule }) => rule?.class ?? '-')
    .join(' ');
}

describe('a condition on a sensitive column', () => {
  const sql = "select count(*) from public.people where ssn like '1%'";

  it('leaves what is computed beside it as it is', () => assert.equal(masked(meaning(sql)), '-'));

  it('is a fact of the operation, whoever may see the column', () => {
    assert.deepEqual(meaning(sql).facts['sensitive_predicates'], ['ssn']);
    assert.deepEqual(meaning(sql, { revealed: ['ssn'] }).facts['sensitive_predicates'], ['ssn']);
    assert.deepEqual(meaning("declare c cursor for select 1 from public.people where ssn = 'a'").facts['sensitive_predicates'], ['ssn']);
    assert.deepEqual(meaning("update public.people set name = 'x' where ssn = '1'").facts['sensitive_predicates'], ['ssn']);
  });

  it('is none where nothing sensitive decides anything', () => {
    assert.equal(meaning("select ssn from public.people where name = 'a'").facts['sensitive_predicates'], undefined);
    assert.equal(meaning('select id from orders where amount > 1').facts['sensitive_predicates'], undefined);
  });

  it('is taken for one where it is not certain', () =>
    assert.deepEqual(meaning('select whole(name) from public.people p where ssn is null').facts['sensitive_predicates'], ['pan', 'ssn']));

  it('does not keep COPY from what it chooses', () => {
    assert.equal(meaning("copy (select name from public.people where ssn = '1') to stdout").refusal, undefined);
    assert.equal(meaning('copy (select left(ssn, 2) from public.people) to stdout').refusal?.code, 'masking-refused');
    assert.equal(meaning('copy public.people to stdout').refusal?.code, 'masking-refused');
  });
});

describe('lineage is not relied upon', () => {
  const sql = "select upper(name) from people where ssn = '1'";

  it('where a name may mean several relations: the search path is the server’s to know', () => {
    assert.equal(masked(meaning(sql)), 'ssn');
    assert.equal(masked(meaning(sql.replace('people', 'public.people'))), '-');
  });

  it('where a table of that name was made in this session', () => {
    const masks = maskContext(classes, bank, 'taint', new Set());
    const nothing: NamedStatements = { statement: () => undefined, cursor: () => undefined };
    const sight = { place, catalogue: bank, masks, made: new Set(['people']) };
    assert.equal(masked(understand(analyse(sql.replace('people', 'public.people')), sight, nothing)), 'ssn');
  });

  it('while the catalogue has not seen what was defined', () => {
    const catalogue = unsettled(bank, 'relations');
    assert.equal(masked(meaning(sql.replace('people', 'public.people'), { catalogue }), 1, catalogue), 'ssn');
  });

  it('in a text of several statements, whose results are not told apart', () =>
    assert.equal(masked(meaning(`select 1; ${sql.replace('people', 'public.people')}`)), 'ssn'));

  it('where code runs', () => assert.equal(masked(meaning('select whole(p), upper(p.name) from public.people p'), 2), 'pan pan'));
});

describe('what runs under a name', () => {
  const inner = 'select upper(name), left(ssn, 2) from public.people where ssn = $1';
  const named = (sql: string): NamedStatements => {
    const [effect] = analyse(sql).statements[0]!.sessionEffects;
    const statement = effect?.kind === 'prepare' || effect?.kind === 'declare-cursor' ? effect.statement : undefined;
    return { statement: () => statement, cursor: () => statement };
  };

  it('EXECUTE shows what was prepared', () =>
    assert.equal(masked(meaning("execute p ('1')", { named: named(`prepare p as ${inner}`) }), 2), '- ssn'));

  it('FETCH shows what was declared', () => {
    const declared = named('declare p cursor for select upper(name), left(ssn, 2) from public.people');
    assert.equal(masked(meaning('fetch p', { named: declared }), 2), '- ssn');
  });

  it('a cursor that outlives its transaction may hold what its names meant then', () => {
    const declared = named("declare p cursor with hold for select upper(name) from public.people where ssn = '1'");
    assert.equal(masked(meaning('fetch p', { named: declared })), 'ssn');
  });

  it('EXPLAIN EXECUTE shows a plan, which is something else', () =>
    assert.equal(
      masked(meaning('explain execute p', { named: named(`prepare p as select name from public.people where ssn = 'x'`) })),
      'ssn',
    ));
});

describe('a view’s column', () => {
  const withViews = (views: readonly (readonly [number, string, readonly string[], string])[]) =>
    build({
      ...rows,
      relations: [
        ...rows.relations,
        { oid: 12_002, schema: 'pg_catalog', name: 'pg_stat_activity', kind: 'v', rowSecurity: false },
        ...views.map(([oid, name]) => ({ oid, schema: 'public', name, kind: 'v', rowSecurity: false })),
      ],
      columns: new Map([
        ...rows.columns,
        [12_002, numbered(['pid', 'query'])],
        ...views.map(([oid, , columns]) => [oid, numbered(columns)] as const),
      ]),
      views: [...rows.views, ...views.map(([oid, , , definition]) => ({ oid, definition, origins: undefined }))],
    });

  it('that is computed has the classes of what it is computed from, through views on views in any order', () => {
    const catalogue = withViews([
      [20_071, 'outer_view', ['n', 's', 't'], 'select length(v.shout), concat(v.seen, v.shout), v.tail from public.inner_view v'],
      [
        20_070,
        'inner_view',
        ['shout', 'seen', 'tail'],
        "select upper(p.name), left(p.ssn, 2), right(p.ssn_last, 4) from public.people p where p.ssn > 'a'",
      ],
    ]);
    const taintOf = (oid: number) => Object.fromEntries(catalogue.relationByOid(oid)!.columnTaint);
    assert.deepEqual(taintOf(20_070), { shout: [], seen: ['ssn'], tail: ['ssn'] });
    assert.deepEqual(taintOf(20_071), { n: [], s: ['ssn'], t: ['ssn'] });
    assert.equal(masked(meaning('select n + 1, s from outer_view', { catalogue }), 2, catalogue), '- ssn');
  });

  it('that calls code has any class', () => {
    const catalogue = withViews([[20_070, 'v', ['a', 'b'], 'select public.whole(p.*), p.id from public.people p']]);
    assert.equal(catalogue.relationByOid(20_070)!.columnTaint.size, 0);
    assert.deepEqual([...catalogue.relationByOid(20_070)!.tainted].sort(), ['pan', 'ssn']);
  });

  it('that repeats other sessions’ statements has any class; the others have none', () => {
    const catalogue = withViews([[20_070, 'v', ['pid', 'what'], 'select a.pid, a.query from pg_stat_activity a']]);
    assert.deepEqual(catalogue.relationByOid(20_070)!.columnTaint.get('pid'), []);
    assert.deepEqual([...catalogue.relationByOid(20_070)!.columnTaint.get('what')!].sort(), ['pan', 'ssn']);
  });
});
