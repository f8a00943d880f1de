import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { binaries, shown, tool, type Shown, type ToolCase, type Workplace } from './case.ts';

/** What people do in psql, in a few scripts; each marked part of a script is compared on its own. */
export const psqlCases: readonly ToolCase[] = [
  { name: 'psql describe', quick: true, run: (at) => describeAll(at) },
  { name: 'psql describe, masked', at: 'masked', run: (at) => describeAll(at) },
  { name: 'psql meta-commands', quick: true, run: (at) => script(at, metaCommands) },
  { name: 'psql statements', quick: true, run: (at) => script(at, statements) },
  { name: 'psql copy', quick: true, run: (at) => script(at, copies, ['plain.bin', 'parts.txt', 'parts.csv']) },
  {
    name: 'psql large objects',
    exception: {
      reason: 'libpq’s large object functions use the function call message, which is refused; lo_from_bytea() and its kin work in SQL',
      expected: (direct, gateway) =>
        !/refused/.test(joined(direct)) && /the function call message is refused.*in step/s.test(joined(gateway)),
    },
    run: (at) => script(at, largeObjects),
  },
  {
    name: 'psql tab completion',
    only: { version: 15, because: 'the queries are those of Debian’s psql 15' },
    run: (at) => script(at, completions),
  },
  {
    name: 'psql -1 -f',
    quick: true,
    run: async (at) => {
      const file = join(at.folder, 'one.sql');
      writeFileSync(file, 'create table things.one (a int);\ninsert into things.one values (1);\nselect 1 / 0;\n');
      const failed = await tool(at, psql, ['-X', '-1', '-v', 'ON_ERROR_STOP=1', '-f', file]);
      const { rows } = await at.server.query("select to_regclass('things.one') as found");
      return shown({ failed, left: JSON.stringify(rows) });
    },
  },
  {
    name: 'psql -c, several and from a pipe',
    run: async (at) =>
      shown({
        several: await tool(at, psql, ['-X', '-c', 'select 1; select 2', '-c', '\\echo three', '-c', 'select 4']),
        piped: await tool(at, psql, ['-XAtq'], { input: 'select 1;\nselect $$two$$;\n\\q\n' }),
        csv: await tool(at, psql, ['-X', '--csv', '-c', 'select id, name, tags from things.plain order by id limit 3']),
        html: await tool(at, psql, ['-XH', '-c', 'select id, name from things.plain order by id limit 2']),
        expanded: await tool(at, psql, ['-Xx', '-c', 'table things.moods']),
        missing: await tool(at, psql, ['-X', '-c', 'select * from things.nowhere']),
      }),
  },
];

const psql = `${binaries}/psql`;

/** Output and errors in the order in which they came, cut at the marks. */
async function script(at: Workplace, text: string, files: readonly string[] = []): Promise<Shown> {
  const file = join(at.folder, 'script.sql');
  const marked = text.replace(/^\\echo ### (.*)$/gm, (_, name: string) => `\\echo '### ${name.replaceAll('\\', '\\\\')}'`);
  writeFileSync(file, marked.replaceAll('FOLDER', at.folder));
  const all = await tool(at, 'sh', ['-c', `cd '${at.folder}' && exec ${psql} -X -f script.sql 2>&1`], { env: { PGTZ: 'UTC' } });
  const parts = new Map<string, string>();
  for (const part of all.split(/^### /m)) {
    const [name = '', ...lines] = part.split('\n');
    parts.set(name, lines.join('\n'));
  }
  for (const name of files) parts.set(name, readFileSync(join(at.folder, name)).toString('latin1'));
  return parts;
}

function joined(parts: Shown): string {
  return [...parts.values()].join('\n');
}

function describeAll(at: Workplace): Promise<Shown> {
  const commands = describing
    .trim()
    .split('\n')
    .map((command) => `\\echo ### ${command}\n${command}`);
  return script(at, `\\pset pager off\nset search_path to things, public;\n${commands.join('\n')}\n`);
}

/** `\dconfig` without a pattern shows settings that are not at their default: the gateway's own `client_encoding` is one of them. */
const describing = String.raw`
\d
\d+
\dS pg_class
\d plain
\d+ plain
\d+ parts
\d+ parts_2025
\d+ glad
\d numbers
\d plain_name
\d child
\d moods
\da
\dA+
\dAc
\dAf
\dAo btree text_ops
\dAp btree text_ops
\db+
\dc
\dC
\dconfig work_mem
\dd
\dD+
\ddp
\dE
\dew
\des
\deu
\det
\df
\df+
\dF
\dFd
\dFp
\dFt
\dg+
\di+ plain*
\dl
\dL+
\dm
\dn+
\do
\dO+
\dp
\z
\dP+
\drds
\dRp+
\dRs
\ds+
\dt
\dT+
\du+
\dv+
\dx
\dx+ pg_trgm
\dX
\dy
\l template1
\sf twice
\sf+ touch
\sv glad
\sv+ glad_names
\encoding
`;

const metaCommands = String.raw`
\pset pager off
set search_path to things, public;
\setenv PSQL_EDITOR true
\echo ### \ef
\ef twice
\p
\r
\echo ### \ev
\ev glad
\p
\r
\echo ### \gset
select 1 as a, 'two' as b \gset
\echo :a :b :'b' :"b"
\echo ### \gexec
select 'select ' || i || ' as n' from generate_series(1, 3) i \gexec
\echo ### \watch
create temp sequence rounds;
select 1 / (3 - nextval('rounds')) as left \watch 0.05
\echo ### \crosstabview
select 1 as x, 'a' as y, 3 as z union all select 2, 'b', 4 order by 1 \crosstabview
\echo ### \if
select 1 = 1 as yes \gset
\if :yes
select 'taken';
\else
select 'not taken';
\endif
\echo ### \gx
select * from plain order by id limit 2 \gx
\echo ### \;
select 1 \; select 2 \; select 3;
\echo ### FETCH_COUNT
\set FETCH_COUNT 50
select id, name from plain order by id;
\unset FETCH_COUNT
\echo ### \gdesc
select id, name, tags, total from plain \gdesc
\echo ### \errverbose
select * from plain where nothing;
\set VERBOSITY sqlstate
select 1 / 0;
\set VERBOSITY default
\echo ### \conninfo
\conninfo
\echo ### AUTOCOMMIT
\set AUTOCOMMIT off
create temp table gone (a int);
rollback;
select * from gone;
\set AUTOCOMMIT on
rollback;
\echo ### ON_ERROR_ROLLBACK
\set ON_ERROR_ROLLBACK on
begin;
select 1 / 0;
select 'still here';
commit;
\echo ### \g to a program
select 1 as one \g | cat
`;

const statements = String.raw`
\pset pager off
set search_path to things, public;
\echo ### errors
select * from nowhere;
select nothing from plain;
insert into child values (-1);
insert into plain (share) values (101);
select 'no'::mood;
selec 1;
\echo ### transactions
begin; savepoint a; select * from nix; rollback to a; select 1; commit;
begin isolation level serializable read only; show transaction_isolation; rollback and chain; commit;
commit;
\echo ### prepared statements
prepare p (int) as select $1 + 1;
execute p(3);
deallocate p;
execute p(3);
\echo ### cursors
declare c cursor for select 1;
begin;
declare c scroll cursor for select generate_series(1, 5);
fetch 2 from c;
move 1 in c;
fetch backward 1 from c;
fetch all in c;
close c;
fetch c;
rollback;
\echo ### rows
insert into plain (name) values ('x') returning id > 0, name;
delete from plain where name = 'x';
update plain set name = name where id = 3 returning name;
with gone as (delete from parts where id < 0 returning *) select count(*) from gone;
merge into child c using (values (1)) v(a) on c.plain_id = v.a when matched then do nothing;
with recursive t(n) as (values (1) union all select n + 1 from t where n < 5) select sum(n) from t;
table moods;
values (1, 2), (3, 4);
select from plain limit 1;
;
\echo ### code
select twice(4), product(n) from (values (2), (3)) v(n);
call touch(4);
do $$ begin raise notice 'hello %', 1; raise warning 'careful' using hint = 'h', detail = 'd'; end $$;
create function things.out(out a int, out b text) language sql as $$ select 1, 'x' $$;
select * from things.out();
drop function things.out();
\echo ### plans
explain (costs off) select * from plain where id = 1;
explain (analyze, costs off, timing off, summary off, buffers off) select * from plain where id = 1;
\echo ### notifications
listen chan; notify chan, 'pay'; select 1; unlisten *;
\echo ### settings
set work_mem = '8MB'; show work_mem; reset work_mem; reset all;
set names 'utf-8'; set standard_conforming_strings = on; set client_encoding to 'UTF8';
set role gateway; reset role; set session authorization default; select current_user, session_user;
set search_path to things, public;
select set_config('work_mem', '9MB', false);
\echo ### housekeeping
vacuum plain;
analyze plain;
checkpoint;
lock table plain in access share mode;
\echo ### definitions
create temp table tt as select 1 as a; select * from tt; drop table tt;
create table made (a int); comment on table made is 'x'; alter table made add b text; drop table made;
grant select on child to public; revoke select on child from public;
create role temp_role; drop role temp_role;
\echo ### spelling
select 1 as "weird ""name""", e'tab\there', U&'\0041', $q$dollar$q$;
select count(*) from plain where name like 'row%' /* c */ and mood is not /* x */ null;
select name from plain order by name nulls /* hm */ last limit 1;
select '12:00'::time with /* c */ time zone;
select 1 where 2 not /* c */ in (3);
`;

const copies = String.raw`
\pset pager off
set search_path to things, public;
\echo ### to stdout
\copy (select id, name, raw, tags from plain order by id limit 5) to stdout
\copy (select id, name, raw, tags from plain order by id limit 5) to stdout csv header
\echo ### to files
\copy (select id, name, raw, tags, doc from plain order by id) to 'FOLDER/plain.bin' (format binary)
\copy (select * from parts order by id) to 'FOLDER/parts.txt'
\copy (select * from parts order by id) to 'FOLDER/parts.csv' csv header
\echo ### from files
begin;
truncate parts;
\copy parts from 'FOLDER/parts.txt'
\copy parts from 'FOLDER/parts.csv' csv header
\copy parts from 'FOLDER/parts.csv' with (format csv, header) where id < 5
create temp table again (id int, name text, raw bytea, tags text[], doc jsonb);
\copy again from 'FOLDER/plain.bin' (format binary)
select count(*), min(id), max(id) from parts;
select count(*), sum(length(raw)) from again;
rollback;
\echo ### from the script
begin;
\copy parts (id, day) from stdin
1	2026-01-01
2	2026-01-01
\.
copy parts (id, day) from stdin csv;
3,2026-01-01
\.
select count(*) from parts where note is null;
rollback;
\echo ### that fails
\copy parts from stdin
nonsense	2026-01-01	x
\.
\copy parts from stdin
1	1999-01-01	no partition
\.
select 'in step';
`;

const largeObjects = String.raw`
\! printf canary > object.txt
\lo_import object.txt
\lo_export :LASTOID back.txt
\! cat back.txt
\lo_unlink :LASTOID
select 'in step';
`;

/** As psql's own log shows them (\`psql -E\` does not): what it asks the server when Tab is pressed behind SELECT, FROM, a function, SET and so on. */
const completions = String.raw`
\pset pager off
\echo ### relations
SELECT pg_catalog.quote_ident(c.relname), NULL::pg_catalog.text FROM pg_catalog.pg_class c WHERE c.relkind IN ('r', 'S', 'v', 'm', 'f', 'p') AND (pg_catalog.quote_ident(c.relname)) LIKE 'pl%' AND pg_catalog.pg_table_is_visible(c.oid) AND c.relnamespace <> (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = 'pg_catalog') UNION ALL SELECT NULL::pg_catalog.text, pg_catalog.quote_ident(n.nspname) || '.' FROM pg_catalog.pg_namespace n WHERE substring(pg_catalog.quote_ident(n.nspname) || '.',1,2)='th' LIMIT 1000;
\echo ### columns
SELECT attname FROM pg_catalog.pg_attribute a, pg_catalog.pg_class c WHERE c.oid = a.attrelid AND a.attnum > 0 AND NOT a.attisdropped AND substring(attname,1,1)='n' AND (relname)='plain' AND pg_catalog.pg_table_is_visible(c.oid) LIMIT 1000;
\echo ### functions
SELECT DISTINCT p.proname, NULL::pg_catalog.text FROM pg_catalog.pg_proc p WHERE p.prokind IN ('f', 'w') AND (p.proname) LIKE 'twi%' AND pg_catalog.pg_function_is_visible(p.oid) LIMIT 1000;
\echo ### settings
SELECT conf.name FROM (SELECT pg_catalog.lower(name) AS name FROM pg_catalog.pg_settings UNION ALL SELECT 'constraints' UNION ALL SELECT 'transaction') conf WHERE substring(conf.name,1,4)='work' LIMIT 1000;
\echo ### enums
SELECT pg_catalog.quote_literal(enumlabel) FROM pg_catalog.pg_enum e, pg_catalog.pg_type t WHERE t.oid = e.enumtypid AND pg_catalog.quote_literal(enumlabel) LIKE '''%' AND t.typname = 'mood' ORDER BY 1 LIMIT 1000;
\echo ### roles
SELECT pg_catalog.quote_ident(rolname) FROM pg_catalog.pg_roles WHERE substring(pg_catalog.quote_ident(rolname),1,2)='ga' LIMIT 1000;
`;
