import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import { compileDataClasses } from '../../masking/classes.ts';
import { nodeCrypto } from '../../net/crypto.ts';
import { createAnalyser, loadParser } from '../../sql/postgres/index.ts';
import { buildCatalogue, type CatalogueRows } from './catalogue-build.ts';
import { maskContext, planColumns } from './mask.ts';
import type { SchemaCatalogue } from './schema-catalogue.ts';
import { noRows, numbered } from './testing/bank.ts';
import { unsettled, withMade } from './unsettled.ts';
import { understand, type Understanding } from './understanding.ts';

before(loadParser);

const analyser = createAnalyser();
const analyse = (sql: string) => analyser.analyse(sql);

const place = { target: 'bank', database: undefined, databaseName: 'bank' };
const classes = compileDataClasses(
  [
    {
      name: 'ssn',
      columns: [
        { target: 'bank', database: undefined, schema: 'public', relation: 'people', column: 'ssn' },
        { target: 'bank', database: undefined, schema: 'public', relation: 'parent', column: 'ssn' },
      ],
      paths: [],
      detect: [],
      mask: 'redact',
    },
  ],
  nodeCrypto,
  new Uint8Array(32).fill(3),
);

function relation(oid: number, name: string, kind: string, columns: readonly string[]) {
  return {
    relation: { oid, schema: 'public', name, kind, rowSecurity: false },
    columns: numbered(columns),
  };
}

function catalogueOf(
  relations: readonly ReturnType<typeof relation>[],
  rest: Partial<CatalogueRows> = {},
  previous?: SchemaCatalogue,
): SchemaCatalogue {
  const rows = {
    ...noRows,
    relations: relations.map((one) => one.relation),
    columns: new Map(relations.map((one) => [one.relation.oid, one.columns])),
    ...rest,
  };
  return buildCatalogue({ rows, place, classes, analyse, previous });
}

function understood(sql: string, catalogue: SchemaCatalogue, made: readonly string[] = []): Understanding {
  const masks = maskContext(classes, catalogue, 'taint', new Set());
  return understand(
    analyse(sql),
    { place, catalogue, masks, made: new Set(made) },
    { statement: () => undefined, cursor: () => undefined },
  );
}

describe('set_config of the name in a row of pg_settings, as pg_dump does it', () => {
  const sql = "select set_config(name, 'view, foreign-table', false) from pg_settings where name = 'restrict_nonsystem_relation_kind'";
  const own = { relation: { oid: 12_001, schema: 'pg_catalog', name: 'pg_settings', kind: 'v', rowSecurity: false }, columns: new Map() };

  it('sets what the condition says', () => {
    const { refusal, acts } = understood(sql, catalogueOf([own]));
    assert.equal(refusal, undefined);
    assert.ok(acts.some(({ action, object }) => action === 'sql:set' && object.id.includes('restrict_nonsystem_relation_kind')));
  });

  it('is refused where another relation of that name could stand in front of the server’s', () => {
    const shadowed = catalogueOf([own, relation(20_009, 'pg_settings', 'v', ['name'])]);
    assert.equal(understood(sql, shadowed).refusal?.code, 'unclassified');
  });
});

const people = relation(20_001, 'people', 'r', ['id', 'ssn']);

describe('what is made under a name that is read as well', () => {
  it('copies from the relation of that name', () => {
    for (const sql of [
      'create temp view people as select ssn as name from public.people',
      'create temp table people as select ssn from people',
      'create table other.people as select ssn from public.people',
      'select ssn into temp people from people',
    ])
      assert.equal(understood(sql, catalogueOf([people])).refusal?.code, 'masking-refused', sql);
  });
});

describe('a part that is taken from its parent', () => {
  const parts = [relation(20_010, 'parent', 'p', ['id', 'ssn']), relation(20_011, 'part', 'r', ['id', 'ssn'])];
  const together = catalogueOf(parts, { inheritance: [{ child: 20_011, parent: 20_010 }] });

  it('is not taken by those who may not see its classes: on its own nothing says what it holds', () => {
    for (const sql of ['alter table parent detach partition part', 'alter table part no inherit parent'])
      assert.equal(understood(sql, together).refusal?.code, 'masking-refused', sql);
  });

  it('keeps its classes where someone else took it', () => {
    const apart = catalogueOf(parts, {}, together);
    assert.deepEqual(understood('select ssn from part', apart).classes, ['ssn']);
  });
});

describe('a view on a materialized view', () => {
  it('shows what that one holds', () => {
    const catalogue = catalogueOf([people, relation(20_002, 'kept', 'm', ['hidden']), relation(20_003, 'shown', 'v', ['hidden'])], {
      views: [
        { oid: 20_002, definition: 'select people.ssn as hidden from public.people', origins: [{ relation: 20_001, column: 2 }] },
        { oid: 20_003, definition: 'select kept.hidden from public.kept', origins: [{ relation: 20_002, column: 1 }] },
      ],
    });
    assert.deepEqual(understood('select hidden from shown', catalogue).classes, ['ssn']);
  });
});

describe('an oid that no catalogue has, in a session that made something', () => {
  const stale = catalogueOf([people]);
  const catalogue = withMade(unsettled(stale, 'relations'), stale);
  const masks = maskContext(classes, catalogue, 'taint', new Set());
  const field = { name: 'v', tableOid: 29_999, columnAttribute: 1, typeOid: 25, typeModifier: -1, format: 0 as const };

  function isShown(sql: string): boolean {
    const sight = { place, catalogue, masks, made: new Set(['fresh']) };
    const { maskFacts } = understand(analyse(sql), sight, { statement: () => undefined, cursor: () => undefined });
    return planColumns(masks, maskFacts, [field]).isIdentity;
  }

  it('is what the session made', () => {
    assert.equal(isShown('select v from fresh'), true);
  });

  it('may be what someone else made anew under a name that is known', () => {
    assert.equal(isShown('select ssn from people'), false);
    assert.equal(isShown('select v from fresh join people using (id)'), false);
  });
});

describe('what reads any relation by its name or by a query given as text', () => {
  it('stores nothing where any class is hidden, now or in an expression that runs later', () => {
    const catalogue = catalogueOf([people, relation(20_040, 'notes', 'r', ['id', 'note'])]);
    const xml = "query_to_xml('select ssn from people', true, true, '')::text";
    for (const sql of [
      `insert into notes select 1, ${xml}`,
      `insert into notes values (1, 'x') on conflict (id) do update set note = (select max(${xml}) from notes)`,
      `update notes set note = ${xml}`,
      `create temp table kept as select ${xml}`,
      `select set_config('app.kept', ${xml}, false)`,
      `select pg_notify('a', ${xml})`,
      `create table kept (v text default ${xml})`,
      `alter table notes alter note set default ${xml}`,
      `create domain kept as text default ${xml}`,
      `create policy kept on notes using (${xml} <> '')`,
      'insert into notes select 1, data from pg_logical_slot_peek_changes($$s$$, null, null)',
      'insert into notes select 1, query from pg_stat_get_activity(null)',
      'insert into notes select 1, t_data::text from heap_page_items(get_raw_page($$people$$, 0))',
      'create publication p for all tables',
      'create publication p for tables in schema public',
    ])
      assert.equal(understood(sql, catalogue).refusal?.code, 'masking-refused', sql);
    assert.equal(understood("select table_to_xml('people', true, true, '')", catalogue).refusal, undefined, 'what is shown is masked');
  });

  it('is refused where the text itself can keep what it reads: set_config, setval, an advisory lock', () => {
    const catalogue = catalogueOf([people]);
    for (const sql of [
      "select query_to_xml('select set_config(''a.b'', ssn, false) from people', true, true, '')",
      "select * from ts_stat('select pg_advisory_lock(hashtext(ssn))::text::tsvector from people')",
      "select * from crosstab('select 1, 2, setval(''s'', id) from people') as t (a int, b int)",
    ])
      assert.equal(understood(sql, catalogue).refusal?.code, 'masking-refused', sql);
  });
});

describe('a table that this session made', () => {
  it('is not the storage of another one’s long values, whatever its name', () => {
    const made = withMade(unsettled(catalogueOf([people]), 'relations'), catalogueOf([people]));
    assert.equal(understood('select chunk_data from pg_toast.pg_toast_20000', made, ['pg_toast_20000']).maskFacts.opaque, true);
    assert.equal(understood('select chunk_data from pg_toast_20000', made, ['pg_toast_20000']).maskFacts.opaque, false);
  });
});

describe('errors that can repeat rows of what a statement does not name', () => {
  const view = {
    relation: { ...relation(20_050, 'shown', 'v', ['id']).relation },
    columns: relation(20_050, 'shown', 'v', ['id']).columns,
  };
  const views = [
    { oid: 20_050, definition: 'select people.id from public.people', origins: [{ relation: people.relation.oid, column: 1 }] },
  ];

  it('are known of a view that is written: it is its table whose row fails', () => {
    const catalogue = catalogueOf([people, view], { views });
    const { maskFacts } = understood('update shown set id = -1', catalogue);
    assert.deepEqual(
      maskFacts.behind.map(({ name }) => name),
      ['people'],
    );
    assert.equal(maskFacts.beyond, false);
    assert.deepEqual(understood('select id from shown', catalogue).maskFacts.behind, []);
  });

  it('may be any relation’s where policies of rows are asked, types change, all is analysed or a transaction ends', () => {
    const guarded = {
      ...relation(20_060, 'guarded', 'r', ['id']),
      relation: { ...relation(20_060, 'guarded', 'r', ['id']).relation, rowSecurity: true },
    };
    const catalogue = catalogueOf([people, guarded]);
    for (const sql of [
      'select id from guarded',
      'alter domain d add check (value::int > 0)',
      'alter type t alter attribute a type d cascade',
      'analyze',
      'vacuum analyze',
      'commit',
      'reindex schema public',
    ])
      assert.equal(understood(sql, catalogue).maskFacts.beyond, true, sql);
    for (const sql of ['select id from people', 'analyze people', 'rollback', 'drop domain d', "alter type e add value 'x'", 'select 1'])
      assert.equal(understood(sql, catalogue).maskFacts.beyond, false, sql);
    assert.equal(understood('select id from guarded', unsettled(catalogue, 'relations')).maskFacts.beyond, true);
    assert.equal(understood('select id from people', unsettled(catalogue, 'relations')).maskFacts.beyond, false);
  });
});

describe('what copies whenever something is written later', () => {
  it('is not made by those who may not see it: policies of rows that ask, keys that follow updates', () => {
    const catalogue = catalogueOf([people, relation(20_040, 'notes', 'r', ['id', 'note'])]);
    for (const sql of [
      'create policy p on notes using ((select ssn::int from people limit 1) > 0)',
      'alter policy p on notes with check (note = (select max(ssn) from people))',
      'create table kept (v text references people (ssn) on update cascade)',
      'alter table notes add foreign key (note) references people (ssn) on update cascade',
    ])
      assert.equal(understood(sql, catalogue).refusal?.code, 'masking-refused', sql);
    for (const sql of [
      'create policy p on notes using (note = current_user)',
      'create table kept (v int references people (id) on update cascade)',
    ])
      assert.equal(understood(sql, catalogue).refusal, undefined, sql);
  });
});

describe('rules', () => {
  const log = relation(20_030, 'log', 'r', ['id']);
  const ruled = { ...log, relation: { ...log.relation, hasRules: true } };

  it('are not made by those who may not see what they read', () => {
    const catalogue = catalogueOf([people, log]);
    for (const sql of [
      'create rule r as on insert to log do select ssn from people',
      'create rule r as on update to log do also insert into log select length(ssn) from people',
    ])
      assert.equal(understood(sql, catalogue).refusal?.code, 'masking-refused', sql);
    assert.equal(understood('create rule r as on delete to log do instead nothing', catalogue).refusal, undefined);
  });

  it('may answer a write with the rows of another statement: what has no origin is masked', () => {
    const answer = { name: 'ssn', tableOid: 0, columnAttribute: 0, typeOid: 25, typeModifier: -1, format: 0 as const };
    for (const [written, isShown] of [
      [ruled, false],
      [log, true],
    ] as const) {
      const catalogue = catalogueOf([people, written]);
      const { maskFacts } = understood('insert into log values (1)', catalogue);
      assert.equal(planColumns(maskContext(classes, catalogue, 'taint', new Set()), maskFacts, [answer]).isIdentity, isShown);
    }
  });
});
