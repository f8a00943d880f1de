import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import { compileDataClasses } from '../../masking/classes.ts';
import { nodeCrypto } from '../../net/crypto.ts';
import { createAnalyser, loadParser } from '../../sql/postgres/index.ts';
import { buildCatalogue } from './catalogue-build.ts';
import { maskContext } from './mask.ts';
import { noRows } from './testing/bank.ts';
import { understand, type Sight, type Understanding } from './understanding.ts';

before(loadParser);

const analyser = createAnalyser();
const analyse = (sql: string) => analyser.analyse(sql);
const place = { target: 'bank', database: undefined, databaseName: 'bank' };
const classes = compileDataClasses([], nodeCrypto, new Uint8Array(32));

const tables = { customers: 20_001, orders: 20_002, parent: 20_003, part: 20_004 };
const settings = { oid: 12_001, schema: 'pg_catalog', name: 'pg_settings', kind: 'v', rowSecurity: false };

/** `origins`: the tables or views that its columns come from. */
function view(oid: number, name: string, definition: string | undefined, origins: readonly number[], more: object = {}) {
  return {
    relation: { oid, schema: 'public', name, kind: 'v', rowSecurity: false, ...more },
    view: { oid, definition: definition ?? 'not a query', origins: origins.map((relation) => ({ relation, column: 1 })) },
  };
}

const views = [
  view(20_011, 'contacts', 'select customers.id from public.customers', [20_001]),
  view(20_012, 'few', 'select contacts.id from public.contacts', [20_011]),
  view(20_013, 'ones', 'select 1 as one from public.customers', [0]),
  view(20_014, 'buyers', 'select o.id from public.orders o where exists (select 1 from public.customers c where c.id = o.id)', [20_002]),
  view(20_015, 'joint', 'select o.id from public.orders o, public.customers c', [20_002], { hasTriggers: true }),
  view(20_016, 'ruled', 'select o.id from public.orders o, public.customers c', [20_002], { hasRules: true }),
  view(20_017, 'dark', undefined, []),
  view(20_018, 'knobs', 'select pg_settings.name, pg_settings.setting from pg_settings', [12_001]),
  view(20_019, 'on_dark', 'select dark.id from public.dark', [20_017]),
];

function sight(more: Partial<Sight> = {}): Sight {
  const rows = {
    ...noRows,
    relations: [
      settings,
      ...Object.entries(tables).map(([name, oid]) => ({ oid, schema: 'public', name, kind: 'r', rowSecurity: false })),
      ...views.map(({ relation }) => relation),
    ],
    views: views.map((one) => one.view),
    inheritance: [{ child: tables.part, parent: tables.parent }],
  };
  const catalogue = buildCatalogue({ rows, place, classes, analyse, previous: undefined });
  return { place, catalogue, masks: maskContext(classes, catalogue, 'taint', new Set()), made: new Set(), ...more };
}

function understood(sql: string, from: Sight = sight()): Understanding {
  return understand(analyse(sql), from, { statement: () => undefined, cursor: () => undefined });
}

function acts(sql: string): readonly string[] {
  return understood(sql)
    .acts.map(({ action, object }) => `${action.slice('sql:'.length)} ${object.id.replace('bank/public.', '')}`)
    .sort();
}

describe('a write to a view is asked about as a write to what it stands on', () => {
  it('directly, through a view on a view, and by every kind of write', () => {
    assert.deepEqual(acts('delete from contacts where id = 1'), ['delete contacts', 'delete customers']);
    assert.deepEqual(acts('delete from few where id = 1'), ['delete contacts', 'delete customers', 'delete few']);
    assert.deepEqual(acts('insert into few values (1)'), ['insert contacts', 'insert customers', 'insert few']);
    assert.deepEqual(acts('copy contacts from stdin'), ['copy-from contacts', 'copy-from customers']);
    assert.deepEqual(acts('merge into contacts c using (values (1)) v(a) on c.id = v.a when matched then delete'), [
      'delete contacts',
      'delete customers',
    ]);
    assert.deepEqual(acts('with x as (update contacts set id = 2 where id = 1 returning 1) select 1'), [
      'update contacts',
      'update customers',
    ]);
  });

  it('where the view shows nothing of its table: DELETE works on such a view too', () => {
    assert.deepEqual(acts('delete from ones'), ['delete customers', 'delete ones']);
  });

  it('and not as a write to what its condition reads', () => {
    assert.deepEqual(acts('delete from buyers where id = 1'), ['delete buyers', 'delete orders']);
  });

  it('of everything that it names where triggers or rules do the writing', () => {
    for (const name of ['joint', 'ruled'])
      assert.deepEqual(acts(`update ${name} set id = 1 where id = 2`), ['update customers', 'update orders', `update ${name}`].sort());
  });

  it('while reading it is reading the view', () => {
    assert.deepEqual(acts('select id from few'), ['select few']);
  });

  it('and is refused where its definition was not understood, at any depth', () => {
    for (const name of ['dark', 'on_dark']) {
      assert.equal(understood(`delete from ${name} where id = 1`).refusal?.code, 'unclassified');
      assert.equal(understood(`select * from ${name}`).refusal, undefined);
    }
  });

  it('and is refused where the view stands on pg_settings: that write is SET by a third name', () => {
    assert.equal(understood("update knobs set setting = 'off' where name = 'standard_conforming_strings'").refusal?.code, 'unclassified');
  });
});

it('what is done to a part is done to its parent, reading too', () => {
  assert.deepEqual(acts('select 1 from part'), ['select parent', 'select part']);
  assert.deepEqual(acts('delete from part where id = 1'), ['delete parent', 'delete part']);
  assert.deepEqual(acts('select 1 from parent'), ['select parent']);
});

describe('a view that changed in the transaction that is open', () => {
  const refused = (sql: string, views: Sight['views'], made: readonly string[] = []) =>
    understood(sql, sight({ made: new Set(made), ...(views === undefined ? {} : { views }) })).refusal?.code === 'unclassified';
  const on = (...names: readonly string[]) => names.map((name) => ({ schema: undefined, name }));
  const inTransaction = (sql: string, ...made: readonly { name: string; on: ReturnType<typeof on> }[]) => {
    const {
      acts: asked,
      facts,
      refusal,
    } = understood(sql, sight({ made: new Set(['fresh', ...made.map(({ name }) => name)]), views: { made, moved: false } }));
    assert.equal(refusal, undefined);
    return {
      asked: asked.map(({ action, object }) => `${action.slice('sql:'.length)} ${object.id.replace('bank/public.', '')}`).sort(),
      facts,
    };
  };

  it('is asked about as everything that its definition names, whatever rules and triggers it may have by now', () => {
    const mine = { name: 'mine', on: on('mine', 'orders', 'few') };
    const { asked, facts } = inTransaction('delete from mine where id = 1', mine);
    assert.deepEqual(asked, ['delete contacts', 'delete customers', 'delete few', 'delete mine', 'delete orders']);
    assert.equal(facts['opaque'], true);
    assert.deepEqual(inTransaction('insert into outer_one values (1)', mine, { name: 'outer_one', on: on('mine', 'fresh') }).asked, [
      'insert contacts',
      'insert customers',
      'insert few',
      'insert fresh',
      'insert mine',
      'insert orders',
      'insert outer_one',
    ]);
    assert.deepEqual(inTransaction('select 1 from mine', mine).asked, ['select mine']);
    assert.deepEqual(
      acts('create view mine as select id from customers; delete from mine where id = 1').filter((act) => act.startsWith('delete')),
      ['delete customers', 'delete mine'],
    );
    const bare = inTransaction('insert into bare values (1)', { name: 'bare', on: [] });
    assert.deepEqual([bare.asked, bare.facts['opaque']], [['insert bare'], true]);
  });

  it('and has the name of something else is asked about as both', () => {
    assert.deepEqual(inTransaction('delete from orders where id = 1', { name: 'orders', on: on('customers') }).asked, [
      'delete customers',
      'delete orders',
    ]);
  });

  it('is not written to where it stands on what is not known, or on the settings', () => {
    for (const name of ['dark', 'on_dark', 'pg_settings', 'knobs', 'nowhere'])
      assert.equal(refused('delete from mine', { made: [{ name: 'mine', on: on(name) }], moved: false }, ['mine']), true, name);
    assert.equal(
      refused('insert into fresh values (1)', { made: [{ name: 'mine', on: on('dark') }], moved: false }, ['fresh', 'mine']),
      false,
    );
  });

  it('and has another name is not written to under any', () => {
    assert.equal(refused('delete from orders', { made: [], moved: true }), true);
    for (const move of [
      'alter view contacts rename to orders',
      'alter table contacts rename to orders',
      'alter view contacts set schema other',
      'alter schema public rename to other',
      'alter view newer rename to orders',
    ])
      assert.equal(refused(`${move}; delete from orders`, undefined), true, move);
    for (const move of [
      'alter table customers rename to people',
      'alter table orders rename id to number',
      'alter view contacts owner to someone',
      'alter table parent attach partition part default',
    ])
      assert.equal(refused(`${move}; delete from orders`, undefined), false, move);
  });
});
