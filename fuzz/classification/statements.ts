import { readdirSync, readFileSync } from 'node:fs';
import { lexSql } from '../../src/protocols/postgres/mask-lexer.ts';
import type { Random } from '../random.ts';
import { tables, views } from './schema.ts';

/** SQL to be classified: from a small grammar, from the analyser's own tables of cases, and both bent out of shape. */
export function makeText(random: Random): string {
  let made = random.chance(0.6) ? expand(random.pick(statements), random, 4) : random.pick(corpus);
  if (random.chance(0.25)) made = wrap(made, random);
  if (random.chance(0.1)) made = `${made}; ${expand(random.pick(statements), random, 2)}`;
  if (random.chance(0.35)) made = disguise(made, random);
  if (random.chance(0.2)) made = mutate(made, random);
  return made;
}

function expand(template: string, random: Random, depth: number): string {
  return template.replace(/\{(\w+)\}/g, (_, name: string) => {
    switch (name) {
      case 'table':
        return random.pick(tables);
      case 'relation':
        return random.pick(random.chance(0.7) ? tables : views);
      case 'column':
        return random.pick(['id', 'id', 'name', 'note', 'v', 'city', 'total', 'customer_id', 'feeling', 'p']);
      case 'number':
        return String(random.below(9));
      case 'query':
        return depth <= 0 ? 'select 1' : expand(random.pick(queries), random, depth - 1);
      case 'write':
        return expand(random.pick(writes), random, depth - 1);
      case 'expr':
        return depth <= 0 ? random.pick(leaves) : expand(random.pick(expressions), random, depth - 1);
      case 'cond':
        return depth <= 0 ? 'true' : expand(random.pick(conditions), random, depth - 1);
      case 'returning':
        return random.pick(['', '', ' returning *', ' returning {expr}']).replace('{expr}', () => expand('{expr}', random, depth - 1));
      case 'any':
        return expand(random.pick(statements), random, depth - 1);
      default:
        return `{${name}}`;
    }
  });
}

function wrap(sql: string, random: Random): string {
  return random.pick(wrappings).replace('{sql}', () => sql);
}

/** The same statement, written otherwise. */
function disguise(sql: string, random: Random): string {
  return lexSql(sql)
    .map((token) => {
      const text = sql.slice(token.start, token.end);
      if (token.kind === 'word' && !text.includes('"') && random.chance(0.3)) return respelled(text, random);
      if (token.kind === 'other' && text === ' ' && random.chance(0.3)) return random.pick(spaces);
      if (token.kind === 'string' && text.startsWith("'") && !text.includes('\\') && random.chance(0.3)) return requoted(text, random);
      return text;
    })
    .join('');
}

function respelled(word: string, random: Random): string {
  const lower = word.toLowerCase();
  switch (random.below(4)) {
    case 0:
      return Array.from(word, (letter) => (random.chance(0.5) ? letter.toUpperCase() : letter)).join('');
    case 1:
      return keywords.has(lower) ? word : `"${lower}"`;
    case 2:
      return keywords.has(lower)
        ? word
        : `U&"${Array.from(lower, (letter) => (random.chance(0.5) ? `\\00${letter.charCodeAt(0).toString(16)}` : letter)).join('')}"`;
    default:
      return keywords.has(lower) ? word : `/* ${lower} */${word}`;
  }
}

function requoted(text: string, random: Random): string {
  const inner = text.slice(1, -1).replaceAll("''", "'");
  return random.pick([
    `$$${inner}$$`,
    `$q$${inner}$q$`,
    `E'${inner.replaceAll("'", "\\'")}'`,
    `U&'${inner.replaceAll("'", "''")}'`,
    `'${inner.replaceAll("'", "''")}'::text`,
  ]);
}

/** Another statement, most likely a wrong one. */
function mutate(sql: string, random: Random): string {
  const tokens = lexSql(sql).map((token) => sql.slice(token.start, token.end));
  for (let round = random.between(1, 3); round > 0; round--) {
    const at = random.below(tokens.length + 1);
    switch (random.below(6)) {
      case 0:
        tokens.splice(at, random.between(1, 3));
        break;
      case 1:
        tokens.splice(at, 0, ...tokens.slice(at, at + random.between(1, 4)));
        break;
      case 2: {
        const other = random.pick(corpus);
        const from = lexSql(other).map((token) => other.slice(token.start, token.end));
        const start = random.below(from.length);
        tokens.splice(at, random.below(2), ...from.slice(start, start + random.between(1, 6)));
        break;
      }
      case 3:
        tokens.splice(at, 0, random.pick(oddities));
        break;
      case 4: {
        const other = random.below(tokens.length);
        [tokens[at], tokens[other]] = [tokens[other] ?? '', tokens[at] ?? ''];
        break;
      }
      default:
        tokens.splice(at, 1, random.pick(vocabulary));
    }
  }
  return tokens.join('');
}

function lines(text: string): readonly string[] {
  return text.trim().split('\n');
}

const queries = lines(`
select {expr} from {relation}
select {expr}, {expr} from {relation} where {cond}
select * from {relation}
select {expr}
select {expr} from {relation} a join {relation} b on {cond}
select {expr} from {relation} group by 1
select {expr} from {relation} order by 1 limit {number}
select distinct {column} from {relation}
select {expr} from ({query}) q
with w as ({query}) select * from w
with w as ({write}) select 1
with w as materialized ({query}), u as ({write} returning *) select count(*) from u
select {expr} from {relation} for update
select {expr} from {relation} for key share skip locked
select {column} from {relation} tablesample system (50)
values ({expr}, {expr})
table {relation}
{query} union all {query}
select row_number() over (order by {expr}) from {relation}
select {expr} from {relation}, lateral (select {expr}) l
select * from generate_series(1, {number}) g(i)
select * from f_rows()
select * from rows from (f_rows(), generate_series(1, 2)) as r
select {column}, count(*) from {relation} group by rollup (1)
select * from json_table('[1]', '$[*]' columns (x int path '$')) j
select * from xmltable('/a' passing '<a/>'::xml columns b text path '.') x
with recursive r(n) as (select 1 union all select n + 1 from r where n < 3) select n from r
select {relation} from {relation}
select a.* from {relation} a natural join {relation} b
`);

const expressions = lines(`
{column}
{column}
{number}
upper({expr}::text)
{expr}::text
{number}::positive
f_pure({number})
f_text({expr}::text)
f_write({number})
length(name)
coalesce({expr}::text, 'a')
count(*)
max({expr}::text)
total({number})
nextval('counter')
setval('counter', {number})
currval('counter')
lastval()
set_config('fuzz.a', {expr}::text, false)
set_config('work_mem', '8MB', true)
set_config('role', 'none', false)
current_setting('search_path')
pg_advisory_lock({number})
pg_try_advisory_xact_lock({number})
pg_notify('fuzz', {expr}::text)
random()
now()
clock_timestamp()
txid_current()
pg_current_xact_id()
gen_random_uuid()
{number} #+# {number}
'a' ~~~ {expr}::text
'ok'::mood::integer
feeling::integer
p + 1
(select {expr} from {relation} limit 1)
array({query})
exists ({query})
case when {cond} then {expr}::text else 'x' end
row({expr}, {expr})
({number}, 'a')::pair
to_jsonb({expr})
'{"a": 1}'::jsonb -> 'a'
lo_create(0)
lo_from_bytea(0, 'x')
query_to_xml('select 1', true, true, '')
query_to_xml('delete from orders', true, true, '')
pg_sleep(0)
pg_size_pretty({number}::bigint)
pg_stat_reset_shared('io')
pg_backend_pid()
pg_stat_clear_snapshot()
json_build_object('k', {expr})
xmlelement(name a, {expr})
to_regclass('orders')
'orders'::regclass
has_table_privilege('orders', 'select')
ts_stat('select to_tsvector(name) from customers')
format('%s', {expr})
string_agg({expr}::text, ',' order by {expr}::text)
{expr} is null
pg_get_viewdef('v_code'::regclass)
cursor_to_xml('c', 1, true, true, '')
pg_export_snapshot()
pg_logical_emit_message(true, 'a', 'b')
pg_prepared_statement()
binary_upgrade_set_next_pg_type_oid(1)
pg_create_restore_point('x')
pg_switch_wal()
pg_reload_conf()
brin_summarize_new_values('orders_pkey')
gin_clean_pending_list('orders_pkey')
pg_log_backend_memory_contexts(pg_backend_pid())
setseed(0.5)
pg_prewarm('orders')
pg_import_system_collations('public')
pg_restore_relation_stats('schemaname', 'public', 'relname', 'orders', 'relpages', 5)
pg_clear_relation_stats('public', 'orders')
pg_restore_attribute_stats('schemaname', 'public', 'relname', 'orders', 'attname', 'id', 'inherited', false, 'null_frac', 0.5::real)
table_to_xml('orders', true, true, '')
schema_to_xml('app', true, true, '')
`);

const leaves = ['1', 'id', "'a'", 'null', 'current_user', 'current_date'];

const conditions = lines(`
true
id = {number}
{expr} is not null
{column}::text > 'a'
id in ({query})
exists ({query})
{cond} and {cond}
not {cond}
f_pure(id) = 1
1 = 1
id = any (array[1, 2])
`);

const writes = lines(`
insert into {table} default values
insert into {table} (id) values ({number})
insert into {table} (id) select {expr}::integer from {relation}
insert into customers (id, name) values ({number}, 'x') on conflict (id) do update set name = excluded.name
insert into customers (id) values ({number}) on conflict do nothing
insert into ruled values (1, 'x')
insert into checked (id, v) values (1, 'x')
insert into parted values ({number}, 'a', 'z')
insert into v_customers (id, name) values (100, 'v')
update {relation} set id = id
update {table} set id = id where {cond}
update orders set note = {expr}::text where id = {number}
update v_customers set name = 'x' where id = 1
update parted set region = 'b' where region = 'a'
update only parent set v = 'x'
delete from {relation}
delete from {table} where {cond}
delete from customers where id = {number}
delete from v_instead where id = 1
delete from orders using customers where customers.id = orders.customer_id
merge into orders using customers on orders.customer_id = customers.id when matched then update set note = 'm'
merge into orders using customers on orders.customer_id = customers.id when matched and {cond} then delete
merge into customers using (select 200 as id) s on customers.id = s.id when not matched then insert (id) values (s.id)
merge into watched using customers on watched.id = customers.id when matched then do nothing when not matched then insert values (customers.id, 'x')
`);

const statements = lines(`
{query}
{query}
{query}
{query}
{query}
{write}{returning}
{write}{returning}
{write}{returning}
explain {query}
explain {write}
explain analyze {query}
explain (analyze, costs off) {write}
explain (analyze off) {write}
explain (analyze false, verbose) {query}
explain (verbose, analyze true) {write}
explain (format json, generic_plan) select * from orders where id = $1
explain analyze create table ea as {query}
explain analyze execute p_delete
explain execute p_delete
select {expr} into made1 from {relation}
create table made2 as {query}
create temp table made3 as {query}
create table made4 as execute p_select
create materialized view made5 as {query}
refresh materialized view mv_customers
create view made6 as {query}
create or replace view v_customers as select id, name, city from customers
truncate {table}
truncate customers cascade
truncate orders restart identity
copy {table} to stdout
copy ({query}) to stdout
copy ({write} returning *) to stdout
copy orders from stdin
lock table {table}
lock {relation} in row exclusive mode
prepare q1 as {query}
prepare q2 as {write}
execute p_select
execute p_delete
prepare q3 as {write}; execute q3
deallocate p_select
deallocate all
declare c1 cursor for {query}
declare c2 cursor for {query}; fetch 1 from c2
declare c3 cursor with hold for {query}
declare c4 cursor for select * from orders for update; fetch 1 from c4; delete from orders where current of c4
fetch 1 from c0
move 1 in c0
close c0
close all
do $$ begin {write}; end $$
do 'begin perform 1; end'
call p_write({number})
call p_write(f_write({number}))
set work_mem = '5MB'
set local statement_timeout = 10000
set session authorization default
set role none
set role fuzz_owner
reset all
reset work_mem
set search_path = app, public
set time zone 'UTC'
set transaction read only
set transaction isolation level serializable
set session characteristics as transaction read only
set xml option document
set names 'utf8'
set fuzz.a = 'b'
set constraints all deferred
show all
show work_mem
show search_path
discard plans
discard temp
discard sequences
discard all
listen fuzz
unlisten *
notify fuzz, 'x'
savepoint s
savepoint s; {write}; rollback to s
release savepoint s
comment on table orders is 'x'
comment on column customers.ssn is null
create index on {table} (id)
create unique index made7 on customers (name)
create index on customers (f_pure(id))
drop table {table}
drop table customers cascade
drop view v_customers
drop function f_pure(integer) cascade
drop sequence counter
drop materialized view mv_customers
drop owned by fuzz_owner
reassign owned by fuzz_owner to fuzz_owner
alter table {table} add column made8 integer default 5
alter table {table} add column made9 integer default f_pure(1)
alter table orders add column made10 serial
alter table orders drop column note
alter table orders alter column total type integer using total::integer
alter table orders rename column note to remark
alter table orders rename to orders2
alter table parted detach partition parted_a
alter table orders disable trigger all
alter table orders add constraint made11 check (f_pure(id) > 0)
alter table orders alter column total set default f_pure(2)
alter table customers enable row level security
alter table child no inherit parent
alter table orders set schema app
alter table orders set (fillfactor = 50)
alter table orders cluster on orders_pkey
alter view v_customers rename to v_2
alter sequence counter restart with 5
alter function f_pure(integer) volatile
alter type mood add value 'great'
alter type pair add attribute c integer
alter domain positive drop constraint positive_check
alter schema app rename to app2
alter default privileges grant select on tables to public
alter role fuzz_owner set work_mem = '4MB'
alter database fuzz set work_mem = '4MB'
create table made12 (id serial primary key, v positive default 3)
create table made13 (like orders including all)
create table made14 partition of parted default
create table made15 () inherits (parent)
create unlogged table made16 (a int)
create temp sequence made17
create sequence made18 owned by orders.id
create schema made19 create table inner1 (a int) create view inner2 as select 1 as a
create function made20() returns int language sql as 'select 1'
create or replace function f_pure(integer) returns integer language sql as 'select $1'
create procedure made21() language sql as 'select 1'
create trigger made22 after insert on orders for each row execute function f_trigger()
create rule made23 as on delete to orders do instead nothing
create domain made24 as text check (value <> '')
create type made25 as (a int)
create type made26 as enum ('x')
create type made27 as range (subtype = integer)
create operator ##+ (leftarg = integer, rightarg = integer, function = int4pl)
create aggregate made28(integer) (sfunc = int4pl, stype = integer)
create cast (pair as text) with inout
create collation made29 from "C"
create statistics made30 on id, name from customers
create policy made31 on orders using (true)
create text search dictionary made32 (template = simple)
create text search configuration made33 (copy = simple)
create operator class made34 for type integer using btree as operator 1 <, operator 2 <=, operator 3 =, operator 4 >=, operator 5 >, function 1 btint4cmp(int4, int4)
create event trigger made35 on ddl_command_end execute function f_trigger()
create publication made36
create publication made37 for table orders
create role made38
create server made39 foreign data wrapper none
create conversion made40 for 'UTF8' to 'LATIN1' from utf8_to_iso8859_1
create transform for integer language sql (from sql with function f_pure(integer))
create extension plpgsql
create language made41
grant select on orders to public
grant usage on schema app to public
grant fuzz_owner to fuzz_owner
revoke all on orders from public cascade
analyze {table}
analyze
vacuum orders
reindex table orders
cluster orders using orders_pkey
checkpoint
load 'plpgsql'
import foreign schema x from server y into app
security label on table orders is 'x'
begin
commit
commit and chain
rollback
abort
end
start transaction read only
prepare transaction 'x'
commit prepared 'x'
`);

const wrappings = [
  'explain {sql}',
  'explain (analyze) {sql}',
  'explain (analyze 1, timing 0) {sql}',
  'with w as ({sql}) select 1',
  'with w as ({sql}) select * from w',
  'prepare q9 as {sql}',
  'prepare q8 as {sql}; execute q8',
  'copy ({sql}) to stdout',
  'create table made50 as {sql}',
  'create temp view made51 as {sql}',
  'declare c9 cursor for {sql}',
  'select * from ({sql}) z',
  'select ({sql})',
  'insert into log (what) {sql}',
  'do $w$ begin {sql}; end $w$',
  'select 1; {sql}',
  ';{sql};',
  '{sql} -- end',
  '/* a /* b */ */ {sql}',
  '-- line\r{sql}',
  '{sql} for update',
];

const spaces = ['  ', '\n', '\t', '\f', '\v', '\r', '/**/', ' -- x\n', ' /* y */ ', '\u00a0', '\u2003'];

const oddities = [
  '\u00a0',
  '\ufeff',
  '--',
  '/*',
  '*/',
  "'",
  '"',
  '$$',
  '$a$',
  ';',
  '\\',
  "E'",
  'U&"',
  "U&'",
  '::',
  '$1',
  ':=',
  '(',
  ')',
  ',',
  '*',
  '.',
  '0x1F',
  '1_000',
  '\u0661',
  '\u{1f600}',
  'ı',
  '\v',
];

const vocabulary = [
  'select',
  'delete',
  'from',
  'orders',
  'where',
  'returning',
  'into',
  'only',
  'as',
  'all',
  'null',
  'default',
  'cascade',
  'analyze',
  'materialized',
  'f_write(1)',
  'nextval',
  'set',
  'for',
  'update',
  'with',
  'lateral',
  'execute',
  'old',
  'new',
  'current',
  'of',
];

/** Words that are never quoted: they would be names then. */
const keywords = new Set(
  'select from where group by order limit having insert into values update set delete merge using on when matched then not do nothing with as recursive materialized union all distinct join natural lateral for key share skip locked tablesample table explain analyze verbose costs off format prepare execute deallocate declare cursor hold fetch move close copy to stdout stdin truncate cascade restart identity lock in mode row exclusive only create temp view or replace refresh drop alter add column type rename schema if exists and is null true false case else end array any call reset local session authorization role transaction read isolation level show discard listen unlisten notify savepoint release rollback commit begin comment index unique grant revoke usage default returning current of over values exists temporary sequence function procedure returns language trigger after before each rule instead also domain enum range operator class aggregate cast inout collation statistics policy text search dictionary configuration publication server foreign wrapper data conversion transform extension vacuum reindex cluster load import security label abort start chain constraint constraints deferred check primary references inherits partition like including unlogged owned set_config user current_user current_date coalesce row integer int numeric date xml names time zone'.split(
    ' ',
  ),
);

/** The analyser's own cases: everything that is not an expectation. */
const corpus: readonly string[] = readCorpus();

function readCorpus(): readonly string[] {
  const folder = new URL('../../src/sql/postgres/testing/', import.meta.url);
  return readdirSync(folder)
    .filter((name) => name.endsWith('.cases'))
    .sort()
    .flatMap((name) => readFileSync(new URL(name, folder), 'utf8').split('\n'))
    .filter((line) => line !== '' && !line.startsWith('=>') && !/terminate|cancel_backend|pg_sleep/.test(line));
}
