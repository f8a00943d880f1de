import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import type { LineageCatalogue } from '../lineage.ts';
import { analyse } from './analyse.ts';
import { loadParser } from './parser.ts';

before(loadParser);

const relations: Readonly<Record<string, readonly string[]>> = { c: ['id', 'name', 'ssn'], o: ['id', 'ssn', 'memo', 'account'] };
const classes: Readonly<Record<string, string>> = { 'c.ssn': 'ssn', 'o.ssn': 'ssn', 'o.account': 'account' };
const catalogue: LineageCatalogue = {
  relation({ name }) {
    const columns = relations[name];
    return columns === undefined ? undefined : { id: name.charCodeAt(0), columns };
  },
  hasUserFunction: () => false,
  hasUserOperator: () => false,
  lookup(relation, column) {
    const name = classes[`${String.fromCharCode(relation)}.${column}`];
    return name === undefined ? undefined : { class: name, padded: name === 'account' };
  },
};

/** `1:ssn`, `1:ssn[]` for an array, `?` where it is both, `!` behind what is used otherwise too, `'account'` for constants; `-` for nothing. */
function found(sql: string): string {
  const lookups = analyse(sql).statements[0]!.lineage(catalogue)?.lookups;
  if (lookups === undefined) return 'not certain';
  const parameters = [...lookups.parameters].map(([number, { classes: names, form, usedOtherwise }]) => {
    return `${number}:${names.join('+')}${form === 'array' ? '[]' : form === 'one' ? '' : '?'}${usedOtherwise ? '!' : ''}`;
  });
  return [...parameters.sort(), ...new Set(lookups.constants.map((constant) => `'${constant.class}'`))].join(' ') || '-';
}

function cases(what: string, table: string): void {
  describe(what, () => {
    for (const line of table.trim().split('\n')) {
      const [sql = '', expected = ''] = line.split(' => ');
      test(sql, () => assert.equal(found(sql), expected));
    }
  });
}

cases(
  'a comparison of a stored column with what the client wrote',
  `
select id from c where ssn = $1 => 1:ssn
select id from c where $1 <> ssn => 1:ssn
select id from c where ssn is distinct from $1::text => 1:ssn
select id from c where ssn in ($1, $2::varchar, 'x', null) => 1:ssn 2:ssn 'ssn'
select id from c where ssn = any ($1) or ssn <> all ($2::text[]) => 1:ssn[] 2:ssn[]
select id from c where ssn = any (array[$1, 'x']::varchar[]) => 1:ssn 'ssn'
select id from c where ssn = any ('{a,b}') => 'ssn'
select id from c where ssn = 'a'::text => 'ssn'
select count(*) filter (where ssn = $1) from c => 1:ssn
select case when ssn = $1 then 1 end from c => 1:ssn
select c.id from c join o on c.id = o.id and o.account = $1 where c.ssn = $2 => 1:account 2:ssn
select id from c where id in (select o.id from o where o.ssn = $1 and o.ssn = c.ssn) => 1:ssn
select id from c where exists (select 1 from o where ssn = $1) => 1:ssn
select x from (select ssn as x from c) s where x = $1 => 1:ssn
with w (y) as (select ssn from c) select 1 from w a, w b where a.y = $1 and b.y = $2 => 1:ssn 2:ssn
select 1 from c as a (x, y, z) where z = $1 => 1:ssn
select 1 from c join o using (ssn) where ssn = $1 => 1:ssn
select 1 from (select ssn from c union select ssn from o) u where ssn = $1 => 1:ssn
select 1 from c left join lateral (select ssn from o where o.id = c.id) l on true where l.ssn = $1 => 1:ssn
update c set name = $2 where ssn = $1 => 1:ssn
delete from c using o where o.account = $1 => 1:account
merge into c using o on c.ssn = $1 when matched then delete => 1:ssn
insert into o (id) select id from c where ssn = $1 => 1:ssn
insert into o (id) values (1) on conflict (id) do update set id = 2 where o.ssn = $1 => 1:ssn
select ssn from c group by ssn having ssn = $1 => 1:ssn
`,
);

cases(
  'none: another column, another operator, something computed, a type that cuts',
  `
select id from c where name = $1 => -
select id from c where ssn like $1 => -
select id from c where ssn < $1 => -
select id from c where upper(ssn) = $1 => -
select id from c where ssn || '' = $1 => -
select id from c where ssn = $1 || '' => -
select id from c where ssn = upper($1) => -
select id from c where ssn = $1::name => -
select id from c where ssn = $1::varchar(3) => -
select id from c where ssn = $1::character => -
select id from c where ssn = 5 => -
select id from c where (ssn, id) = ($1, 2) => -
select id from c where case ssn when $1 then true end => -
select id from c where nullif(ssn, $1) is null => -
select id from c where ssn between $1 and $2 => -
select id from c where ssn = any (select memo from o) => -
select max(ssn) = $1 from c => -
`,
);

cases(
  'none where the statement itself may have written what stands in the column: else a column of all values would say which one it is',
  `
select x from (values ('a'), ((select ssn from c limit 1))) v (x) where x = $1 => -
select x from (select 'a' as x union all select ssn from c) v where x = $1 => -
select x from (select ssn as x from c union all select memo from o) v where x = $1 => -
select x from (select coalesce(ssn, 'a') as x from c) v where x = $1 => -
select x from (select (select ssn from c limit 1) as x) v where x = $1 => -
select x from (select distinct on (id) ssn as x from c) v where x = $1 => -
with recursive r (x) as (select ssn from c union all select x || 'a' from r) select 1 from r where x = $1 => -
with i as (insert into c (id, ssn) values (1, 'a') returning ssn) select 1 from i where ssn = $1 => -
with u as (update c set ssn = 'a' returning *) select 1 from u where ssn = $1 => -
insert into c (id, ssn) values (1, 'a') on conflict (id) do update set name = 'hit' where excluded.ssn = $1 => -
insert into o (id, ssn) values (1, 'a') on conflict (id) do update set memo = 'hit' where ssn = $1 => -
select 1 from c, o as c (a, b, ssn, d) where c.ssn = $1 => -
select 1 from json_to_record('{}') as c (ssn text) where ssn = $1 => -
select 1 from c, unnest(array['a']) ssn where c.ssn = c.ssn and ssn = $1 => -
select 1 from o where exists (select 1 from (select memo as ssn from o) c where ssn = $1) => -
`,
);

cases(
  'a parameter that stands elsewhere too, or means two things',
  `
select $1 from c where ssn = $1 => 1:ssn!
select id from c where ssn = $1 and name = $1 => 1:ssn!
select id from c where ssn = $1 or $1 is null => 1:ssn!
select id from c where ssn = $1 limit $1 => 1:ssn!
with w as (select $1 as x) select id from c where ssn = $1 => 1:ssn!
update c set ssn = $1 where ssn = $1 => 1:ssn!
select id from c where ssn = $1 and upper(ssn) = $1 => 1:ssn!
select c.id from c, o where c.ssn = $1 and o.account = $1 => 1:ssn+account
select c.id from c where ssn = $1 or ssn = any ($1) => 1:ssn?
select id from c where ssn = $1 and ssn = $1 => 1:ssn
`,
);

test('such a comparison is no use of the column, unless something else stands in it', () => {
  const used = (sql: string) =>
    analyse(sql)
      .statements[0]!.lineage(catalogue)!
      .used.map(({ column }) => column);
  assert.deepEqual(used('select id from c where ssn = $1 and ssn in ($2, null)'), []);
  assert.deepEqual(used('select id from c where ssn in ($1, upper(name))').sort(), ['name', 'ssn']);
  assert.deepEqual(used('select id from c where ssn = $1 or name = $2').sort(), ['name', 'ssn']);
  assert.deepEqual(used('select id from c where ssn = $1 and ssn > $2'), ['ssn']);
  assert.deepEqual(used('select id from c where not ssn = $1'), ['ssn']);
});
