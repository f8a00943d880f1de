import { describeAttacks, type Attack } from './attack.ts';

/** Ways to compute with a value that the lineage has to follow, in text and in binary. */
const computed: readonly string[] = [
  "select r.a from customers c, json_to_record(json_build_object('a', c.ssn)) as r(a text)",
  "select (json_populate_record(null::plain, json_build_object('note', ssn))).note from customers",
  "select r.* from customers c, lateral json_populate_recordset(null::plain, json_build_array(json_build_object('id', 1, 'note', c.ssn))) r",
  'select (row(1, ssn)::plain).note from customers',
  'select q.r from (select row(id, ssn)::plain as r from customers) q',
  'select ssn, count(*) from customers group by grouping sets ((ssn), ())',
  "select coalesce(ssn, 'all') from customers group by rollup (ssn)",
  "select distinct on (ssn) ssn || '' from customers",
  'select max(row(ssn, id)::text) from customers',
  "select l.v from customers c left join lateral (values (c.ssn || '')) l(v) on true",
  'select upper(ssn) from customers tablesample bernoulli (100)',
  'select key from customers, jsonb_each(jsonb_build_object(ssn, 1))',
  'select jsonb_object_keys(jsonb_build_object(ssn, 1)) from customers',
  'select json_object_agg(ssn, id) from customers',
  "select x.v from customers, xmltable('/a' passing xmlelement(name a, ssn) columns v text path '.') x",
  'select first_value(tax) over (order by id rows between unbounded preceding and current row) from customers',
  'select string_agg(ssn, tax order by pin) filter (where id > 0) from customers',
  'select percentile_disc(0.5) within group (order by tax::text) from customers',
  "with recursive t(v, n) as (select ssn, 1 from customers union all select reverse(v), n + 1 from t where n < 3) select v || '' from t",
  'select array(select ssn from customers)',
  'select c.name || ssn from customers c join plain p using (id)',
  'select customers from customers',
  "select profile - 'city' from customers",
  "select profile #>> '{secret}', profile['secret'], jsonb_path_query(profile, '$.*') from customers",
  "select translate(ssn, '', ''), encode(tax::bytea, 'base64'), to_hex(pin), born + 0 from customers",
  "select unnest(string_to_array(ssn, '-')) from customers",
  'select string_agg(chr(g), $$$$ order by n) from customers c, generate_series(1, 14) n, generate_series(32, 126) g where ascii(substr(c.ssn, n, 1)) = g group by c.id',
  'update plain set note = note from customers where plain.id = customers.id returning upper(customers.ssn)',
  'update customers set name = name returning upper(ssn), customers',
  "insert into customers (id, name, ssn) values (1, 'x', 'y') on conflict (id) do update set name = excluded.name returning upper(customers.ssn)",
];

const carried: readonly string[] = [
  "with u as (update customers set name = name returning ssn) select ssn || '' from u",
  'insert into plain select id + 100, ssn from customers returning note',
  "insert into plain values (1, 'x') on conflict (id) do update set note = (select max(ssn) from customers) returning note",
  'update plain p set note = c.ssn from customers c where p.id = c.id returning note',
  'update customers set name = ssn returning name',
  'merge into plain p using customers c on p.id = c.id when matched then update set note = c.ssn',
  'merge into customers c using plain p on c.id = p.id when matched then update set name = c.ssn',
  'with u as (update customers set name = name returning ssn) insert into plain select row_number() over () + 500, ssn from u returning note',
  'with d as (delete from customers returning ssn) insert into plain select 501, max(ssn) from d returning note',
];

describeAttacks('what is computed from a value', [
  ...computed.map((sql): Attack => ({
    name: sql,
    steps: [sql, `binary: ${sql}`],
    ...(sql.startsWith('select') ? {} : { lasts: true as const }),
  })),
  ...computed
    .filter((sql) => sql.startsWith('select'))
    .map((sql): Attack => ({
      name: `a cursor for ${sql}`,
      steps: ['begin', `declare c cursor for ${sql}`, 'fetch 2 from c', 'extended: fetch all from c', 'rollback'],
    })),
  ...carried.map((sql): Attack => ({
    name: sql,
    steps: [`refused: ${sql}`, 'select note from plain', 'select name from customers'],
    lasts: true,
  })),
]);
