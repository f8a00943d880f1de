import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import type { LineageCatalogue, Source } from '../lineage.ts';
import { analyse } from './analyse.ts';
import { loadParser } from './parser.ts';

before(loadParser);

const relations: Readonly<Record<string, readonly string[]>> = {
  c: ['id', 'name', 'ssn', 'doc'],
  o: ['id', 'c_id', 'memo', 'tags'],
};

const catalogue: LineageCatalogue = {
  relation({ name }) {
    const columns = relations[name];
    return columns === undefined ? undefined : { id: name.charCodeAt(0), columns };
  },
  hasUserFunction: (name) => name === 'mine' || name === 'overridden',
  hasUserOperator: (name) => name === '<->',
};

/** `{c.ssn} {}`: the sources of each column, in order; behind `|` what decides which rows there are. */
function shown(sql: string): string {
  const lineage = analyse(sql).statements[0]!.lineage(catalogue);
  if (lineage === undefined) return 'not certain';
  const columns = lineage.columns.map(list).join(' ');
  return lineage.predicates.length === 0 ? columns : `${columns} | ${list(lineage.predicates)}`;
}

function list(sources: readonly Source[]): string {
  const names = sources.map(({ relation, column, path }) => {
    const steps = path.map(({ key, anyKey, element }) => `/${key ?? (anyKey ? '*' : '')}${element ? '#' : ''}`).join('');
    return `${String.fromCharCode(relation)}.${column}${steps}`;
  });
  return `{${[...new Set(names)].sort().join(' ')}}`;
}

function cases(what: string, table: string): void {
  describe(what, () => {
    for (const line of table.trim().split('\n')) {
      const [sql = '', expected = ''] = line.split(' => ');
      test(sql, () => assert.equal(shown(sql), expected));
    }
  });
}

cases(
  'conditions do not reach values',
  `
select count(*) from c where ssn like '1%' => {} | {c.ssn}
select upper(name) from c where ssn = '1' => {c.name} | {c.ssn}
select name from c order by ssn limit 1 => {c.name} | {c.ssn}
select count(*) from c group by ssn having max(ssn) > 'a' => {} | {c.ssn}
select o.memo || '' from c join o on c.ssn = o.memo => {o.memo} | {c.ssn o.memo}
select memo || '' from c join o using (id) => {o.memo} | {c.id o.id}
select n from (select count(*) as n from c where ssn = '1') s => {} | {c.ssn}
with w as (select count(*) as n from c where ssn = '1') select n from w => {} | {c.ssn}
select lower(name) from c where id in (select id from c where ssn = '1') => {c.name} | {c.id c.ssn}
delete from c where ssn = '1' returning upper(name) => {c.name} | {c.ssn}
`,
);

cases(
  'what a value depends on reaches it',
  `
select ssn = '1', ssn like '1%' from c => {c.ssn} {c.ssn}
select case when ssn = '1' then 'yes' end from c => {c.ssn}
select count(*) filter (where ssn = '1') from c => {c.ssn}
select string_agg(name, ',' order by ssn) from c => {c.name c.ssn}
select percentile_disc(0.5) within group (order by ssn) from c => {c.ssn}
select rank() over (order by ssn), count(*) over (partition by ssn) from c => {c.ssn} {c.ssn}
select rank() over w, lag(name) over (w order by id) from c window w as (partition by ssn) => {c.ssn} {c.id c.name c.ssn}
select distinct on (ssn) upper(name) from c => {c.name c.ssn}
select (select 1 from c where ssn like '1%' limit 1) => {c.ssn}
select (select n from (select 1 as n from c where ssn = '1') s) => {c.ssn}
select exists (select from c where ssn = '1'), array(select 1 from c where ssn = '1') => {c.ssn} {c.ssn}
select id in (select 1 from c where ssn = '1') from o => {c.ssn o.id}
select 'x' intersect select ssn from c => {c.ssn} | {c.ssn}
select (with w as (select 1 from c where ssn = '1') select count(*) from w) => {c.ssn}
select json_array(select 1 from c where ssn = '1') => {c.ssn}
select o.id, (select max(memo) from o where memo = c.ssn) || '' from c, o => {o.id} {c.ssn o.memo}
`,
);

cases(
  'made-up rows say what they are compared with',
  `
select g || '' from c, generate_series(0, 999) g where g = left(ssn, 3)::integer => {c.ssn} | {c.ssn}
select max(g) from c, generate_series(0, 999) g where g <= left(ssn, 3)::integer and c.id = 1 => {c.ssn} | {c.id c.ssn}
select count(*) from c, generate_series(0, 999) g where g <= left(ssn, 3)::integer and c.id = 1 => {c.ssn} | {c.id c.ssn}
select row_number() over () from c, generate_series(1, length(ssn)) => {c.ssn}
select count(*) from c, string_to_table(ssn, '-') => {c.ssn}
select v || '' from c join (values ('a'), ('b')) t(v) on ssn like v || '%' => {c.ssn} | {c.ssn}
select h || '' from (select g as h, g as k from generate_series(0, 9) g) s, c where k = left(ssn, 1)::integer => {c.ssn} | {c.ssn}
select s.g || '' from (select g, ssn from generate_series(0, 9) g, c) s where s.g = left(s.ssn, 1)::integer => {c.ssn} | {c.ssn}
select s.g || '' from (select g, g = left(ssn, 1)::integer as hit from generate_series(0, 9) g, c) s where hit => {c.ssn} | {c.ssn}
select g || '' from generate_series(0, 9) g, lateral (select g as h) l, c where h = left(ssn, 1)::integer => {c.ssn} | {c.ssn}
select g || '' from generate_series(0, 9) g where exists (select from c where left(ssn, 1)::integer = g) => {c.ssn} | {c.ssn}
select g || '' from generate_series(0, 9) g where g in (select left(ssn, 1)::integer from c) => {c.ssn} | {c.ssn}
select g || '' from generate_series(0, 9) g where g = (select left(ssn, 1)::integer from c limit 1) => {c.ssn} | {c.ssn}
select g || '' from generate_series(0, 9) g, lateral (select 1 from c where left(ssn, 1)::integer = g) q => {c.ssn} | {c.ssn}
select g || '' from c, generate_series(0, 999) g order by abs(g - left(ssn, 3)::integer) limit 1 => {c.ssn} | {c.ssn}
select g || '', abs(g - left(ssn, 3)::integer) as d from c, generate_series(0, 999) g order by d limit 1 => {c.ssn} {c.ssn} | {c.ssn}
select g || '' from generate_series(0, 9) g, c group by g having g = max(left(ssn, 1)::integer) => {c.ssn} | {c.ssn}
select g || '' from generate_series(0, 9) g offset (select left(ssn, 1)::integer from c limit 1) => {c.ssn} | {c.ssn}
select count(*) from (select 1 from generate_series(1, 999) limit (select left(ssn, 3)::integer from c limit 1)) q => {c.ssn} | {c.ssn}
select x.g || '' from (c join generate_series(0, 9) as s(n) on n = left(ssn, 1)::integer) as x(a, b, d, e, g) => {c.ssn} | {c.ssn}
select g || '' from generate_series(0, 9) g join o on g = o.id join c on o.id = left(c.ssn, 1)::integer => {c.ssn o.id} | {c.ssn o.id}
with w as (select g from generate_series(0, 9) g) select a.g || '' from w a, w b, c where a.g = b.g and b.g = left(ssn, 1)::integer => {c.ssn} | {c.ssn}
with w as (select g from generate_series(0, 9) g, c where g = left(ssn, 1)::integer) select g || '' from w => {c.ssn} | {c.ssn}
select v || '' from c, (values ('0'), ('1')) t(v) where (v = '0' and ssn like '0%') or (v = '1' and ssn like '1%') => {c.ssn} | {c.ssn}
select v || '' from c, (values ('0'), ('1')) t(v) where (v <> '0' or ssn like '0%') and (v <> '1' or ssn like '1%') => {c.ssn} | {c.ssn}
select '0' from c where ssn like '0%' union all select '1' from c where ssn like '1%' => {c.ssn} | {c.ssn}
delete from o using generate_series(0, 9) g, c where g = left(c.ssn, 1)::integer returning g || '' => {c.ssn} | {c.ssn}
`,
);

cases(
  'stored rows show what is stored in them',
  `
select count(*) from c a join c b on a.ssn = b.ssn => {} | {c.ssn}
select upper(c.name) from c join o on o.c_id = c.id where c.ssn = '1' => {c.name} | {c.id c.ssn o.c_id}
select upper(x.name) from (select id, name, ssn from c) x join o on o.c_id = x.id => {c.name} | {c.id o.c_id}
select count(*) from c where exists (select from o where o.c_id = c.id and o.memo = '1') => {} | {c.id o.c_id o.memo}
select count(*) from o where c_id = (select c.id from c where ssn = '1') => {c.id o.c_id} | {c.id c.ssn o.c_id}
select g || '' from generate_series(0, 9) g, c where ssn = '1' and g = 3 => {} | {c.ssn}
select upper(name) from c where ssn = '1' or id = 3 => {c.name} | {c.id c.ssn}
select 'end' union all select upper(name) from c where ssn = '1' => {c.name} | {c.ssn}
`,
);

cases(
  'names',
  `
select x || '' from (select ssn as x from c) s => {c.ssn}
select x || '' from c as t(i, n, x) => {c.ssn}
select s.q || '' from (select * from c) s(p, r, q) => {c.ssn}
select * from c, o => {c.id} {c.name} {c.ssn} {c.doc} {o.id} {o.c_id} {o.memo} {o.tags}
select o.*, 1 from c, o => {o.id} {o.c_id} {o.memo} {o.tags} {}
select * from c join o using (id) => {c.id o.id} {c.name} {c.ssn} {c.doc} {o.c_id} {o.memo} {o.tags} | {c.id o.id}
select * from c natural join o => {c.id o.id} {c.name} {c.ssn} {c.doc} {o.c_id} {o.memo} {o.tags} | {c.id o.id}
select j.b || '' from (c join o on true) as j(a, b) => {c.name}
select u.id || '' from c join o using (id) as u => {c.id o.id} | {c.id o.id}
select c::text, to_jsonb(c), c.to_json from c => {c.doc c.id c.name c.ssn} {c.doc c.id c.name c.ssn} {c.doc c.id c.name c.ssn}
select (c).ssn || '', (c).name || '', (c).nothing from c => {c.ssn} {c.name} {c.doc c.id c.name c.ssn}
select (doc).name || '' from c, o as doc => {c.doc o.c_id o.id o.memo o.tags}
select x.v || '' from o, lateral (select ssn as v from c where c.id = o.c_id) x => {c.ssn} | {c.id o.c_id}
select ctid::text, c.xmin::text from c => {} {}
select v || '' from (values ('a'), ('b')) t(v) => {}
select v || '' from (select ssn from c union all select memo from o) t(v) => {c.ssn o.memo}
select name || '' from o, (select upper(ssn) from c) q, c => {c.name c.ssn}
select ssn from c => {c.ssn}
table o => {o.id} {o.c_id} {o.memo} {o.tags}
`,
);

cases(
  'common table expressions',
  `
with w as (select ssn as a, name as b from c) select a || '', b || '' from w => {c.ssn} {c.name}
with w(p, q) as (select ssn, name from c) select p || '', q || '' from w => {c.ssn} {c.name}
with c as (select memo as ssn from o) select ssn || '' from c => {o.memo}
with recursive t(a, b) as (select id, ssn from c union all select length(b), 'x' from t) select a, b from t => {c.id c.ssn} {c.ssn}
with recursive t(a, b, d) as (select 1, name, ssn from c union all select a, d, b from t) select b from t => {c.name c.ssn}
with recursive a as (select * from b), b as (select memo from o) select memo from a => {o.memo}
with recursive t as (select 1 as n union all select n + 1 from t where n < (select max(length(ssn)) from c)) select n from t => {c.ssn} | {c.ssn}
with d as (delete from c where name = 'x' returning ssn) select ssn || '' from d => {c.ssn} | {c.name}
with w as (select 1) select w from w => {}
with recursive t(a) as (select ssn from c union all select a from t) search depth first by a set s select a from t => not certain
`,
);

cases(
  'functions in FROM',
  `
select g || '' from generate_series(1, 3) g, c => {}
select e.value || '', upper(name) from c, json_each_text('{}') e => {} {c.name}
select k || '', v || '' from c, jsonb_each_text(c.doc) e(k, v) => {c.doc} {c.doc/*}
select x.a || '' from c, jsonb_to_record(c.doc) as x(a text) => {c.doc}
select w || '', n from c, string_to_table(ssn, '-') with ordinality as t(w, n) => {c.ssn} {}
select a || '', b || '' from c, rows from (string_to_table(name, ','), string_to_table(ssn, '-')) as t(a, b) => {c.name} {c.ssn}
select x || '' from c, json_table(c.doc, '$' columns (x text path '$.a', nested path '$.b' columns (y int))) t => {c.doc}
select x || '' from c, xmltable('/a' passing xmlelement(name a, ssn) columns x text path '.') t => {c.ssn}
select q || '' from unnest(array[1, 2]) q, c => {}
select * from unnest((select array_agg(c) from c)) => not certain
select name || '' from c, lower(ssn) z => {c.name c.ssn}
`,
);

cases(
  'statements that write',
  `
insert into o (memo) values ('x') returning upper(memo), id => {o.memo} {o.id}
insert into o (memo) select ssn from c returning upper(memo) => {c.ssn o.memo}
insert into o (id) values (1) on conflict (id) do update set memo = excluded.memo where o.memo <> 'a' returning id => {o.id o.memo} | {o.id o.memo}
insert into c (id) values (1) on conflict (ssn, lower(name)) where doc is null do nothing returning id => {c.id} | {c.doc c.name c.ssn}
insert into c (id) values (1) on conflict on constraint x do nothing returning id => not certain
update c set name = 'x' where ssn = '1' returning old.name || '', new.id, name || '' => {c.name} {c.id} {c.name} | {c.ssn}
update c set name = o.memo from o where o.id = c.id returning upper(c.name) => {c.name o.memo} | {c.id o.id}
update c set name = 'x' returning with (old as before) before.ssn || '' => {c.ssn}
delete from c using o where o.id = c.id returning *, o.memo || '' => {c.id} {c.name} {c.ssn} {c.doc} {o.id} {o.c_id} {o.memo} {o.tags} {o.memo} | {c.id o.id}
merge into c using o on c.id = o.id when matched and c.ssn = '1' then delete returning merge_action(), o.memo => {c.id c.ssn o.id} {o.memo} | {c.id c.ssn o.id}
merge into c using o on c.id = o.id when matched then delete returning * => not certain
`,
);

cases(
  'places in documents',
  `
select doc ->> 'country', doc -> 'a' -> 'b' from c => {c.doc/country} {c.doc/a/b}
select doc #>> '{a,0,b}', doc #> array['a', 'b'] from c => {c.doc/a/0#/b} {c.doc/a/b}
select doc['a']['b'], doc['a'][0] from c => {c.doc/a/b} {c.doc/a/*#}
select doc -> name, doc -> $1, doc -> 0 from c => {c.doc/*# c.name} {c.doc/*#} {c.doc/*#}
select jsonb_extract_path_text(doc, 'a', name) from c => {c.doc/a/*# c.name}
select jsonb_path_query_first(doc, '$.a[*]."b c".*') from c => {c.doc/a/#/b c/*}
select jsonb_path_query_first(doc, '$.**.a'), jsonb_path_query(doc, '$.a ? (@.b == 1)') from c => {c.doc} {c.doc}
select (doc ->> 'a')::jsonb ->> 'b', lower(doc ->> 'a') from c => {c.doc/a/b} {c.doc/a}
select (doc || '{}') ->> 'a', coalesce(doc, '{}') ->> 'a', (doc - 'a') ->> 'b' from c => {c.doc} {c.doc} {c.doc}
select (select doc from c limit 1) ->> 'a', (select doc from c where ssn = '1') ->> 'a' => {c.doc/a} {c.doc c.ssn}
select d ->> 'a' from (select doc as d from c) s => {c.doc/a}
select to_jsonb(c) ->> 'name' from c => {c.doc c.id c.name c.ssn}
select doc #>> '{"a",b}' from c => {c.doc}
select jsonb_array_elements(doc) ->> 'a' from c => {c.doc}
select e ->> 'a' from c, jsonb_array_elements(c.doc) e => {c.doc/#}
select e.v ->> 'a' from c, jsonb_array_elements(c.doc) e(v) => {c.doc/#/a}
`,
);

cases(
  'what cannot be proven',
  `
select mine(name) from c => not certain
select overridden(name) from c => not certain
select name <-> 'x' from c => not certain
select name === 'x' from c => not certain
select name::mytype from c => not certain
select other.lower(name) from c => not certain
select id from unknown => not certain
select nowhere from c => not certain
select z.id from c => not certain
select (c).* from c => not certain
select set_config('a.b', name, false) from c => not certain
explain select ssn from c => not certain
copy c to stdout => not certain
show all => not certain
`,
);

cases(
  'statements that run others',
  `
copy (select upper(name) from c where ssn = '1') to stdout => {c.name} | {c.ssn}
`,
);

describe('a statement under a name', () => {
  const named = (sql: string): string => {
    const [effect] = analyse(sql).statements[0]!.sessionEffects;
    const statement = effect?.kind === 'prepare' || effect?.kind === 'declare-cursor' ? effect.statement : undefined;
    const lineage = statement?.lineage(catalogue);
    return lineage === undefined ? 'not certain' : lineage.columns.map(list).join(' ');
  };
  test('PREPARE', () => assert.equal(named('prepare p as select upper(name) from c where ssn = $1'), '{c.name}'));
  test('DECLARE', () => assert.equal(named('declare p cursor for select upper(name) from c'), '{c.name}'));
  test('DECLARE WITH HOLD outlives what its names meant', () =>
    assert.equal(named('declare p cursor with hold for select upper(name) from c'), 'not certain'));
});

describe('a statement that grows while it is traced', () => {
  test('is given up', () => {
    let sql = 'select * from c';
    for (let level = 0; level < 24; level += 1) sql = `select a.*, b.* from (${sql}) a, (${level === 0 ? sql : 'select 1'}) b`;
    const doubled = Array.from({ length: 14 }, (_, level) => `w${level + 1} as (select a.*, b.* from w${level} a, w${level} b)`);
    assert.equal(shown(`with w0 as (select * from c), ${doubled.join(', ')} select * from w14`), 'not certain');
    assert.notEqual(shown(sql), '');
  });
  test('as is one that would be parsed again for long', () =>
    assert.equal(shown(`select 1 from c where name in (${Array.from({ length: 7_000 }, () => "'longer'").join(', ')})`), 'not certain'));
});
