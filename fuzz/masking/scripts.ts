import type { Random } from '../random.ts';
import { literalMark } from './canaries.ts';
import { Queries } from './queries.ts';
import type { Relation } from './schema.ts';

/** Statements that one client sends one after the other. */
export interface Script {
  readonly steps: readonly string[];
  /** Some of it may last: the schema is made anew afterwards. */
  readonly commits: boolean;
  /** Nothing sensitive takes part: the answer must be what the server says. `chosen`: nor does it where only rows are chosen by it. */
  readonly clean: boolean | 'chosen';
}

/** Between two steps: time for the gateway to read its catalogue again. */
export const pause = '-- pause';

export function makeScript(random: Random): Script {
  if (random.chance(0.12)) return { steps: [new Queries(random, true).select()], commits: false, clean: true };
  if (random.chance(0.15)) return { steps: [new Queries(random, true, true, true).select()], commits: false, clean: 'chosen' };
  const queries = new Queries(random, false);
  if (random.chance(0.55)) return { steps: [single(random, queries)], commits: false, clean: false };
  const body = filled(random.pick(scripts), random, new Queries(random, false, true));
  const steps = random.chance(0.3) ? [...body, single(random, queries)] : body;
  if (random.chance(0.6)) {
    const lasts = body.includes('commit');
    return { steps: ['begin', ...steps, 'rollback'], commits: lasts, clean: false };
  }
  if (random.chance(0.5))
    return { steps: ['begin', ...steps, 'commit', ...(random.chance(0.5) ? [pause] : []), body.at(-1)!], commits: true, clean: false };
  return { steps: steps.flatMap((step, index) => (index > 0 && random.chance(0.5) ? [pause, step] : [step])), commits: true, clean: false };
}

function single(random: Random, queries: Queries): string {
  const query = queries.select();
  return random
    .pick(wrappings)
    .replace('{query}', () => query)
    .replace(/\{\w+\}/g, (hole) => filled(hole, random, queries)[0]!);
}

/** Lines of a template with their holes filled; one hole gets the same relation all through. */
function filled(template: string, random: Random, queries: Queries): string[] {
  const table = queries.table();
  const holes: Readonly<Record<string, () => string>> = {
    query: () => queries.select(2),
    deep: () => queries.select(3),
    table: () => table.name,
    other: () => queries.table().name,
    column: () => nameOf(random, table),
    hidden: () =>
      random.pick(
        table.columns
          .filter((column) => !column.clean)
          .map((column) => column.name)
          .concat(['id']),
      ),
    text: () => queries.expression(table, 'text'),
    int: () => queries.expression(table, 'int'),
    json: () => queries.expression(table, 'json'),
    cond: () => queries.condition(table),
    returning: () =>
      random.pick([
        '',
        ` returning ${queries.expression(table, 'text')}`,
        ' returning *',
        ` returning old, new`,
        ` returning ${table.name}`,
      ]),
    code: () => `'@code${random.below(4)}@'`,
    literal: () => `${literalMark}${random.below(100)}`,
  };
  return template
    .trim()
    .split('\n')
    .map((line) => line.replace(/\{(\w+)\}/g, (hole, name: string) => holes[name]?.() ?? hole));
}

function nameOf(random: Random, table: Relation): string {
  return random.pick(table.columns).name;
}

function list(text: string): readonly string[] {
  return text.trim().split(/\n\s*\n/);
}

/** Values spelled out by made-up rows that are compared with them, letter by letter. */
const spelled = [
  'from people p, generate_series(1, 24) n, generate_series(32, 126) g where ascii(substr({secret}, n, 1)) = g',
  'from people p, generate_series(1, 24) n join generate_series(32, 126) g on true where ascii(substr({secret}, n, 1)) = g',
  'from (select * from people) p, generate_series(1, 24) n, lateral (select k as g from generate_series(32, 126) k where k = ascii(substr({secret}, n, 1))) l',
  'from people p, generate_series(1, 24) n, generate_series(32, 126) g where exists (select from people q where q.id = p.id and ascii(substr({secret}, n, 1)) = g)',
  'from people p, generate_series(1, 24) n, generate_series(32, 126) g where g in (select ascii(substr({secret}, n, 1)))',
  'from people p, generate_series(1, 24) n, lateral (select g, g = ascii(substr({secret}, n, 1)) as hit from generate_series(32, 126) g) l where hit',
  'from people p, generate_series(1, 24) n, (select a as g, a as h from generate_series(32, 126) a) l where h = ascii(substr({secret}, n, 1))',
  'from people p cross join generate_series(1, 24) n left join (values (32, 0)) v(g, z) on false join generate_series(32, 126) w(x) on x = ascii(substr({secret}, n, 1)) cross join lateral (select x) l(g2)',
].map((from) => `select string_agg(chr(${from.includes('l(g2)') ? 'g2' : 'g'}), '' order by n) ${from} group by p.id`);

/** By pseudonym (`lookups.ts`): the value must come back by no expression, plan, error or notice beside it. */
const lookedUp = [
  'select * from people p where p.code = {code}',
  'select p.id, ({query}) from people p where p.code in ({code}, {code})',
  'select p.id, {text}::integer from public.people p, {table} where p.code = {code}',
  'select ({query})::text::integer from people p where p.code = {code}',
  'with w as (select * from people where code = {code}) select w::text, code || $$-$$, left(code, 3) from w',
  'select p.code, q.code || $$$$ from people p join people q on p.code = q.code where q.code = {code}',
  'select s.c, upper(s.c) from (select code as c, id from people) s where s.c = {code} order by ({query})::text',
  'select count(*) filter (where code = {code}), bool_or(code = {code}), array_agg(code = {code}) from people',
  'select case when code = {code} then code else {code} end, nullif(code, {code}), coalesce(nullif(code, {code}), {code}) from people',
  'select x, x || $$$$ from (values ({code}), ((select code from people limit 1))) v (x) where x = {code}',
  'select x, length(x) from (select code as x from people union all select {code}) v where x = {code}',
  'select g from (select code as g from people) s, generate_series(1, 3) n where s.g in ({code}, {code}) and s.g <> {code}',
  'select current_query(), pg_stat_activity.query, people.id from pg_stat_activity, people where code = {code}',
  'select c.statement, p.id from pg_cursors c right join people p on true where p.code = {code}',
  "select set_config('application_name', name, false) from people where code = {code}",
  "select query_to_xml('select * from people', true, true, '') from people where code = {code}",
  'explain (analyze, verbose) select * from people where code = {code}',
  'explain (verbose, generic_plan) select * from people where code = {code}',
  'update people set note = note where code = {code} returning *',
  'update people set ssn = ssn where code = {code} and 1 / (id - id) = 1',
  'update people set name = null where code = {code}',
  'update people set code = {code} where code = {code} returning code || $$$$',
  'delete from vip where code = {code} returning old.code, upper(code)',
  'insert into lookup (id, label) select 90, {code} from people where code = {code}',
  'insert into lookup (id, label) values (1, {code}) on conflict (id) do update set label = {code} where exists (select from people where code = {code})',
  'merge into people p using lookup l on p.code = {code} and p.id = l.id when matched then update set note = l.label returning *',
  'copy (select id from people where code = {code}) to stdout',
  'declare cur cursor for select code from people where code = {code}',
  'prepare pre as select code, code || $$$$ from people where code = {code}; execute pre',
  'select f_tell(id) from people where code = {code}',
  'select code from people where code = any (array[{code}, {code}]) or code like {code}',
  'select code from v_people v join people p on p.id = v.id and p.code = {code} where v.name = {code}',
  'select id from people where code = {code}::regclass::text',
];

const wrappings = [
  ...lookedUp,
  ...lookedUp,
  ...spelled.map((query) => query.replace('{secret}', 'p.secret')),
  ...spelled.map((query) => `with s(t) as (${query.replace('{secret}', "coalesce(p.ssn, '')")}) select t || '' from s`),
  ...Array.from({ length: 14 }, () => '{query}'),
  'explain {query}',
  'explain (analyze, verbose, timing off) {query}',
  'explain (verbose, format json) {query}',
  'explain (analyze, format xml, serialize text, settings) {query}',
  'copy ({query}) to stdout',
  'copy ({query}) to stdout (format csv, header)',
  'copy ({query}) to stdout (format binary)',
  'table {table}',
  'copy {table} to stdout',
  'copy {table} ({column}, {column}) to stdout csv',
  'select ({query})',
  'values (({query}))',
  '{query}; {query}',
  'begin; {query}; rollback',
  'select array({query})',
  'select row_to_json(z) from ({query}) as z',
  'select z::text from ({query}) as z',
  'select xmlelement(name q, z) from ({query}) as z(z)',
  'select jsonb_agg(z) from ({query}) as z',
  'select count(*), max(z::text) from ({query}) as z',
  'select * from ({query}) as z order by 1',
  'select (z).* from ({query}) as z',
  'select query_to_xml($q${query}$q$, true, true, null)',
  'select * from ({query}) as z full join lookup using (id)',
  'select * from {table} t, {other} o',
  'select o.*, t from {table} t natural join {other} o',
  'select {text}, {int} from {table} where {cond}',
  'select t.*::text from {table} t',
  'select {table} from {table}',
  'select {table}.{column}, {column}({table}) from {table}',
  'select {text} from {table} for update',
  'select {column}, count(*) from {table} group by 1 order by 1',
  'select distinct on ({column}) {column}, * from {table}',
  'show fuzz.kept',
  'select pg_get_expr(adbin, adrelid) from pg_attrdef',
];

/** Ways to move values to where nothing is known of them, to make errors and notices tell them, and to come back for them. */
const scripts = list(`
create table copy1 as {query}
select * from copy1

create temp table copy2 (v text)
insert into copy2 {query}
select v from copy2

create temp table copy3 (id int, v text, w text)
insert into copy3 (v) select {text} from {table}
insert into copy3 (w) values ((select {text} from {table} limit 1))
select * from copy3

select {text} as v into temp copy4 from {table}
select v from copy4

update lookup set label = (select {text} from {table} limit 1)
select label from lookup

update clean set t = s.v from (select {text} as v from {table}) s
select t from clean

update {table} set note = {text}
select note from {table}

update people set note = secret, city = ssn
select note, city from people

update wallets set memo = card
select memo from wallets

insert into lookup select id, {text} from {table} on conflict (id) do update set label = excluded.label
select * from lookup

insert into lookup values (1, 'x', 1) on conflict (id) do update set label = (select max({text}) from {table})
select * from lookup

merge into lookup using {table} on lookup.id = {table}.id when matched then update set label = {text}
select label from lookup

merge into lookup using {table} on true when not matched then insert values (77, {text}) returning *
select label from lookup

with moved as (delete from {table} returning {text} as v) insert into clean (id, t) select 100, v from moved
select t from clean

with moved as (update {table} set {column} = {column} returning *) select * from moved

create view view1 as {query}
select * from view1

create view view2 as select * from {table}
select * from view2

create or replace view v_clean as select id, secret as name from people
select * from v_clean

create materialized view mat1 as {query}
select * from mat1

create view view3 as select hidden as shown from mv_people
select shown from view3

create temp view view4 as select * from v_people
select * from view4

create function fresh1() returns text language sql as $f$ select secret from people limit 1 $f$
select fresh1()

create function fresh2() returns setof text language plpgsql as $f$ begin return query execute 'select secret from people'; end $f$
select * from fresh2()

create function left(people) returns text language sql as $f$ select $1.secret $f$
select left(p) from people p
select p.left from people p

create function lower(varchar) returns text language sql as $f$ select max(secret) from people $f$
select lower(label::varchar) from lookup

create function pg_temp.peek() returns text language sql as $f$ select max(secret) from people $f$
select pg_temp.peek()

create operator #+# (leftarg = text, rightarg = text, function = textcat)
select label #+# (select max(secret) from people) from lookup

create function grow(text, text) returns text language sql as $f$ select max(secret) from people $f$
create operator || (leftarg = varchar, rightarg = varchar, function = grow)
select label::varchar || label::varchar from lookup

create cast (people as text) with function f_row(people)
select p::text from people p

create aggregate catch(text) (sfunc = textcat, stype = text)
select catch(secret) from people

create domain told as text check (value !~ 'zzz')
select secret::told from people

create domain small as text check (length(value) < 3)
select secret::small from people

alter table people rename column secret to harmless
select harmless from people

alter table people rename to humans
select secret from humans

alter table people alter column secret type varchar(60)
select secret from people

alter table people alter column note type text using secret
select note from people

alter table people add column extra text
update people set extra = name
select extra from people

alter table people add column gen text generated always as ({text}) stored
select gen from people

alter table people add column gen2 text generated always as (lower(secret))
select gen2 from people

alter table lookup add column gen3 text default 'a' || (select max(secret) from people)
select * from lookup

alter table people alter column note set default secret
select note from people

alter table events detach partition events_a
select payload from events_a
select {column} from events_a

alter table events detach partition events_rest
alter table events_rest rename column payload to plain
select plain from events_rest

alter table vip no inherit people
select secret, ssn, tags, doc from vip

create table part3 (id integer, at date, kind text, payload text)
alter table events attach partition part3 for values from ('2030-01-01') to ('2031-01-01')
select * from part3

create table child2 () inherits (people)
select * from child2

create table like1 (like people including all)
insert into like1 select * from people
select * from like1

alter type address rename attribute street to way
select (addr).way from people

alter type address add attribute more text
select addr from people

alter table people set schema pg_temp
select secret from people

create schema other
alter table people set schema other
select secret from other.people

create schema other2
alter table events_a set schema other2
select payload from other2.events_a

alter table people rename column name to name2
alter table people rename column secret to name
select name from people

alter table mv_people rename column hidden to shown
select shown from mv_people

alter view v_people rename column reference to plain
select plain from v_people
select plain from v_v

alter view v_clean rename to v_other
select * from v_other

drop view v_v
create view v_v as select id, secret as called from people
select called from v_v

refresh materialized view mv_people
select hidden from mv_people

create rule told as on insert to clean do also select secret from people
insert into clean (id) values (500)

prepare one as {query}
execute one
explain analyze execute one
deallocate one

prepare two (text) as select {text} from people where {hidden}::text = $1 or secret = $1
execute two('{literal}')

prepare three as insert into lookup (id, label) select 90, max(secret) from people
execute three
select label from lookup

create table copy9 as execute nothing

prepare four as select secret from people
create temp table copy10 as execute four
select * from copy10

declare one cursor for {deep}
fetch 2 from one
move 1 in one
fetch all from one
close one

declare two scroll cursor with hold for select {text} from {table}
commit
fetch all from two
close two

declare three cursor for select * from people for update
fetch 1 from three
update people set note = secret where current of three returning note

do $d$ begin raise notice '%', (select max(secret) from people); end $d$

call p_tell()

select f_tell(1)

select f_fail(1)

select f_tell(id) from lookup

select * from f_people()

insert into lookup (id, label) values (200, 'raise')

insert into lookup (id, label) values (201, 'notice')

insert into lookup (id, label) values (202, 'cast')

update lookup set label = 'raise' where id = 1

copy lookup (id, label) from stdin

select set_config('fuzz.kept', secret, false) from people
select current_setting('fuzz.kept', true)
show fuzz.kept

set fuzz.kept = 'x'
select set_config('application_name', secret, false) from people

select pg_notify('fuzz', secret) from people

listen fuzz
select pg_notify('fuzz', (select max({text}) from {table}))
commit
select 1

begin
savepoint a
select {text}::integer from {table}
rollback to a
select {column} from {table}

select {text}::integer from {table}

select {text}::date, {text}::inet, {text}::regclass from {table}

select {text}::regclass from {table}

select {text}::regtype from {table}

select {text}::regnamespace from {table}

select {text}::tsquery from {table}

select {json} from {table} where {text}::jsonb is null

select {text}::xml from {table}

select ({text})::interval, ({text})::numeric from {table}

select to_date({text}, 'YYYY') from {table}

select {text}::short from {table}

select has_database_privilege({text}, 'connect') from {table}

select pg_catalog.pg_get_viewdef({text}) from {table}

select nextval({text}) from {table}

select 1 from {table} where {text} ~ ('[' || {text})

select regexp_replace('a', {text} || '(', 'b') from {table}

select make_date({int}, {int}, {int}) from {table}

select format({text}) from {table}

select xpath({text}, '<a/>') from {table}

select jsonb_path_query('{}', {text}::jsonpath) from {table}

select 1 / (case when {cond} then 0 else 1 end) from {table}

select * from {table} where {int} = 1 / ({int} - {int})

insert into people (id, name, secret) select id + 100, name, secret from people

insert into {table} select * from {table}

insert into people (id, name, ssn) values (500, 'a', (select max(ssn) from people))

insert into keyed values ('{literal}', 'x'), ('{literal}', 'y')

insert into people (id, name, secret, note) values (900, 'n', '{literal}', '{literal}')

insert into guarded values (1, 'x', '{literal}')

update people set secret = (select max(secret) from people)

update people set ssn = (select min(ssn) from people)

update keyed set key = 'same'

update people set note = 'x', secret = 'x'

delete from keyed where label = 'label 1'
set constraints all immediate

delete from keyed where label = 'label 2'
commit

delete from keyed where label like 'label%'; select 1

delete from {table} where {cond}{returning}

update {table} set {column} = {column} where {cond}{returning}

insert into lookup select id + 20, label from lookup{returning}

create unique index on people (left(secret, 3))

create unique index on events (kind, at)

alter table people add constraint c1 check (secret < 'b')

alter table people add constraint c2 unique (name, secret)

alter table people add primary key (secret)

alter table wallets add constraint f1 foreign key (memo) references people (secret)

alter table refs add constraint f2 foreign key (ref) references people (secret)

alter table people alter column secret type integer using secret::integer

alter table people alter column secret set not null

alter table keyed add constraint f3 foreign key (label) references lookup (id)

create index on people (f_same(secret))

create index on people ((secret::integer))

create statistics more (mcv) on name, secret from people
analyze people
select most_common_vals::text from pg_stats_ext

analyze people
select * from pg_stats where tablename = 'people'

vacuum people

create publication everything for table people

comment on column people.secret is 'what it is'
select obj_description('people'::regclass)

create table parts (key text) partition by list (key)
create table parts_a partition of parts for values in ('a')
select pg_get_expr(relpartbound, oid) from pg_class where relname = 'parts_a'

select lo_from_bytea(4711, (select max(secret)::bytea from people))
select lo_get(4711)
select data from pg_largeobject

select * from pg_catalog.pg_stat_activity where query like '%select%'

select statement from pg_prepared_statements

create temp table marker (a int)
select chunk_data from pg_toast.pg_toast_2619

create temp table marker2 (a int)
create temp table people (id int, secret text)
select secret from people
select secret from public.people

create temp view people as select secret as name from public.people
select name from people

create temp table lookup as select 1 as id
select * from lookup
drop table lookup
select * from lookup

create type packed as (p people, n int)
select row(p, 1)::packed from people p
select ((row(p, 1)::packed).p).secret from people p

create table nested (p people)
insert into nested select p from people p
select (p).secret from nested
select * from nested

create table tall (v text) inherits (lookup)
insert into tall (id, v) select id, secret from people
select v from tall

set search_path = pg_temp, public
create temp table wallets (card text)
select card from wallets

set role none
select secret from people

reset all
select secret from people

discard all
select secret from people

begin read write
select {text} from {table}
commit

lock table people
select secret from people

select * from people where secret = '{literal}'

select * from people where secret like '{literal}%' and 1 = secret::integer

select '{literal}' = secret, secret from people

select id from people where secret = '{literal}' union select 1
`);

/**
 * Known limits. Code that the principal brings along and runs (`sql:do`, `sql:create-function`, `sql:create-rule`, `sql:create-trigger`) may store what it reads
 * where nothing is known of it, and so may a function that is there (`insert … select * from f_people()`): whether someone may bring or call
 * code is policy's question. Not run; kept so that the limit has a name.
 */
export const throughCodeOfOnesOwn = list(`
create rule copied as on update to clean do also insert into lookup select id + 100, secret from people
update clean set t = 'x'
select label from lookup

create function trig() returns trigger language plpgsql as $f$ begin new.t := (select max(secret) from people); return new; end $f$
create trigger trig before insert on clean for each row execute function trig()
insert into clean (id, t) values (700, 'x') returning t
select t from clean

do $d$ begin perform set_config('fuzz.kept', (select max(secret) from people), false); end $d$
show fuzz.kept
select current_setting('fuzz.kept', true)

do $d$ begin execute 'create temp table done as select secret from people'; end $d$
select * from done

do $d$ begin update lookup set label = (select max(secret) from people); end $d$
select label from lookup
`);
