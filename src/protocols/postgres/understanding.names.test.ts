import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Statement } from '../../sql/statement.ts';
import { acts, bank, build, meaning, rows } from './catalogue.fixture.test.ts';
import { analyse } from './fixture.test.ts';
import { databaseObject, functionObject, relationObject, roleObject, schemaObject } from './objects.ts';
import { isPinnedSetting } from './settings.ts';
import { unsettled } from './unsettled.ts';

describe('a name', () => {
  it('with its schema means one relation', () =>
    assert.deepEqual(acts('select id from archive.people'), ['sql:select bank/archive.people']));

  it('without one means every relation of that name: the most restricted one decides', () =>
    assert.deepEqual(acts('select id from people'), ['sql:select bank/archive.people', 'sql:select bank/public.people']));

  it('of a temporary table that stands in front of another means both', () => {
    const temporary = { oid: 20_050, schema: 'pg_temp_3', name: 'orders', kind: 'r', rowSecurity: false };
    const catalogue = build({ ...rows, relations: [...rows.relations, temporary] });
    assert.deepEqual(
      meaning('delete from orders', { catalogue })
        .acts.map(({ object }) => object.id)
        .sort(),
      ['bank/pg_temp_3.orders', 'bank/public.orders'],
    );
  });

  it('that nothing has may mean anything: every hidden class, and the catalogue is asked again', () => {
    const unknown = meaning('select x from nowhere');
    assert.deepEqual([...unknown.classes].sort(), ['pan', 'ssn']);
    assert.equal(unknown.namesUnknown, true);
    assert.deepEqual(acts('select x from nowhere'), ['sql:select bank/public.nowhere']);
  });

  it('with a dot, a slash or a quote in it is not another name', () => {
    const own = { target: 't', database: undefined, databaseName: 'd' };
    const ids = [
      relationObject(own, 'a.b', 'c').id,
      relationObject(own, 'a', 'b.c').id,
      relationObject(own, 'a', 'b"."c').id,
      relationObject(own, 'd/a', 'b').id,
      relationObject({ ...own, database: 'd' }, 'a', 'b').id,
      relationObject({ ...own, database: 'd/a' }, 'a', 'b').id,
    ];
    assert.deepEqual(ids, ['t/"a.b".c', 't/a."b.c"', 't/a."b"".""c"', 't/"d/a".b', 't/d/a.b', 't/"d/a"/a.b']);
    assert.equal(new Set(ids).size, ids.length);
    assert.equal(functionObject(own, 'a', 'x.y').id, 't/a."x.y"');
    assert.equal(schemaObject(own, 'a/b').id, 't/"a/b"');
    assert.equal(databaseObject('t', 'a/b').id, 't/"a/b"');
    assert.equal(roleObject(own, 'a/b').id, 't/"a/b"');
  });
});

describe('code', () => {
  it('of a user behind a built-in name is a call of it', () => {
    const called = meaning("select lower('x')");
    assert.equal(called.facts['opaque'], true);
    assert.equal(called.pureRead, false);
    assert.equal(acts("select lower('x')").includes('sql:call-function bank/public.lower'), true);
    assert.equal(meaning("select pg_catalog.lower('x')").facts['opaque'], false);
    assert.equal(meaning("select upper('x')").facts['opaque'], false);
  });

  it('of a user behind an operator or an attribute is a call of it', () => {
    assert.equal(meaning('select amount || note from orders').facts['opaque'], true);
    assert.equal(meaning('select o.whole from orders o').facts['opaque'], true);
    assert.equal(meaning('select o.note from orders o').facts['opaque'], false);
  });

  it('gets no sensitive column', () => {
    assert.equal(meaning('select secrets(ssn) from people').refusal?.code, 'masking-refused');
    assert.equal(meaning('select secrets(id) from people').refusal, undefined);
    assert.equal(meaning('select p.whole from people p').refusal?.code, 'masking-refused');
  });

  it('is not reading, wherever it stands', () => {
    for (const sql of ['select id from secured', 'select id from far', 'select x from coded_view', "select nextval('s')"]) {
      assert.equal(meaning(sql).pureRead, false, sql);
    }
    assert.equal(meaning('select id from orders').pureRead, true);
  });
});

describe('what reaches a sensitive column', () => {
  for (const [sql, reached] of [
    ['select ssn from people', ['ssn']],
    ['select id from people', []],
    ['select name from people where ssn is not null', ['ssn']],
    ['select * from people', ['ssn']],
    ['select p from people p', ['ssn']],
    ['select ssn_last from people', ['ssn']],
    ['select ssn_length from people', ['ssn']],
    ['select pan from events_2026', ['pan']],
    ['select pan from events', ['pan']],
    ['select label from people_view', ['ssn']],
    ['select what from view_of_view', ['ssn']],
    ['select id from people_view', []],
    ['select id from clean_view', []],
    ['select x from coded_view', ['pan', 'ssn']],
    ['with q as (select ssn as x from people) select x from q', ['ssn']],
    ['select count(*) from people', []],
  ] as const) {
    it(sql, () => assert.deepEqual([...meaning(sql).classes].sort(), reached));
  }

  it('is nothing for who may see it', () => assert.deepEqual(meaning('select ssn from people', { revealed: ['ssn'] }).classes, []));
});

describe('copying a sensitive column to where it is not masked', () => {
  for (const sql of [
    'insert into orders (note) select ssn from people',
    'create table t as select ssn from people',
    'select ssn into t from people',
    'update orders set note = (select ssn from people limit 1)',
    'update people set name = ssn',
    'update people set name = ssn_last',
    'merge into orders o using people p on o.id = p.id when matched then update set note = p.ssn',
    'copy (select ssn from people) to stdout',
    'copy people to stdout',
    'copy people_view to stdout',
    'with w as (insert into orders (note) select ssn from people returning id) select id from w',
    'insert into orders (note) select what from view_of_view',
    'insert into orders (note) select pan from events_2026',
    'create view v as select ssn from people',
    'create materialized view m as select ssn as x from people',
    'alter table people rename column ssn to x',
    'alter table people rename to innocent',
  ]) {
    it(`is refused: ${sql}`, () => {
      assert.equal(meaning(sql).refusal?.code, 'masking-refused');
      assert.equal(meaning(sql, { revealed: ['ssn', 'pan'] }).refusal, undefined, 'but not to who may see it');
    });
  }

  for (const sql of [
    'insert into orders (note) select name from people',
    "insert into people (id, ssn) values (1, '078-05-1120')",
    "update people set ssn = '078-05-1120' where id = 1",
    'delete from people where id = 1',
    'create table t as select id, name from people',
    'copy people (id, name) to stdout',
    'copy people from stdin',
  ]) {
    it(`is something else: ${sql}`, () => assert.equal(meaning(sql).refusal, undefined));
  }
});

describe('while something was defined that the catalogue has not seen', () => {
  const catalogue = unsettled(bank, 'relations');

  it('views are not believed, tables are', () => {
    assert.equal(catalogue.relationByOid(20_006), undefined);
    assert.equal(catalogue.relationByOid(20_001)?.name, 'people');
  });

  it('a view made in the transaction is read with every hidden class in mind', () => {
    assert.deepEqual([...meaning('select x || x from brand_new_view', { catalogue }).classes].sort(), ['pan', 'ssn']);
  });

  it('nothing is a pure read, and after code any name may be code', () => {
    assert.equal(meaning('select id from orders', { catalogue }).pureRead, false);
    assert.equal(meaning("select upper('x')", { catalogue }).facts['opaque'], false);
    assert.equal(meaning("select upper('x')", { catalogue: unsettled(bank, 'code') }).facts['opaque'], true);
  });
});

describe('statements by name', () => {
  const statement = (sql: string): Statement => analyse(sql).statements[0]!;
  const named = {
    statement: (name: string) => (name === 'd' ? statement('delete from orders') : undefined),
    cursor: (name: string) => (name === 'c' ? statement('select ssn from people') : undefined),
  };

  it('mean what they name', () => {
    assert.deepEqual(
      meaning('execute d', { named }).acts.map(({ action }) => action),
      ['sql:delete'],
    );
    assert.equal(meaning('execute d', { named }).facts['unbounded'], true);
    assert.deepEqual(meaning('fetch all from c', { named }).classes, ['ssn']);
  });

  it('mean what was named earlier in the same text', () => {
    const text = 'prepare p as delete from orders; execute p';
    assert.deepEqual(
      meaning(text).acts.map(({ action }) => action),
      ['sql:delete'],
    );
    assert.deepEqual(meaning('begin; declare q cursor for select ssn from people; fetch q').classes, ['ssn']);
  });

  it('that nobody named cannot be judged', () => {
    assert.throws(() => meaning('execute x'), { code: 'unclassified' });
  });

  it('that nobody declared is code: it may show anything, and needs what a DO block needs', () => {
    const fetched = meaning('fetch x');
    assert.deepEqual(acts('fetch x'), ['sql:do bank/bank']);
    assert.equal(fetched.facts['opaque'], true);
    assert.equal(fetched.pureRead, false);
    assert.equal(fetched.refusal, undefined);
    assert.deepEqual([...fetched.classes].sort(), ['pan', 'ssn']);
  });
});

describe('settings', () => {
  it('that change how statements are read are refused whatever policy says', () => {
    for (const sql of [
      "set client_encoding to 'SJIS'",
      "set names 'sjis'",
      'set standard_conforming_strings to off',
      'set local standard_conforming_strings to off',
      'set backslash_quote to on',
      'reset standard_conforming_strings',
      'set client_encoding to default',
    ]) {
      assert.equal(meaning(sql).refusal?.code, 'unsupported', sql);
    }
    for (const sql of ["set client_encoding to 'UTF8'", "set names 'utf-8'", 'set standard_conforming_strings to on', 'reset all']) {
      assert.equal(meaning(sql).refusal, undefined, sql);
    }
    assert.equal(isPinnedSetting('client_encoding', ['UTF8', 'SJIS']), true);
  });

  it('that are free ask nothing, others do', () => {
    assert.deepEqual(acts("set statement_timeout to '1s'"), []);
    assert.deepEqual(acts("set work_mem to '1GB'"), ['sql:set bank/work_mem']);
  });
});
