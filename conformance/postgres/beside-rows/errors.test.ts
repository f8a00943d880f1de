import { describeAttacks, type Attack } from './attack.ts';

/** A cast that fails says the value that it failed on, wherever in a statement it stands. */
const cast = 'ssn::integer';
const inPlaces: readonly Attack[] = [
  `select ${cast} from customers`,
  `select id from customers where ${cast} > 0`,
  `select id from customers order by ${cast}`,
  `select count(*) from customers group by ${cast}`,
  `select count(*) from customers having max(ssn)::integer > 0`,
  `select name from customers limit (select ${cast} from customers limit 1)`,
  `select * from generate_series(1, (select ${cast} from customers limit 1))`,
  `values ((select ${cast} from customers limit 1))`,
  `select note from plain where id = (select ${cast} from customers limit 1)`,
  `update plain set note = 'x' where id = (select ${cast} from customers limit 1)`,
  `delete from plain where id = (select ${cast} from customers limit 1)`,
  `create index on customers ((${cast}))`,
  `create index on customers (id) where ${cast} > 0`,
  `alter table customers add check (${cast} > 0)`,
  `copy (select name from customers where ${cast} > 1) to stdout`,
  `explain analyze select id from customers where ${cast} > 0`,
  `do $$ begin perform ${cast} from customers; end $$`,
].map((sql) => ({ name: sql, steps: [sql, `extended: ${sql}`] }));

const kinds: readonly Attack[] = [
  'ssn::date',
  'ssn::json',
  'ssn::tsquery',
  'ssn::inet',
  'ssn::uuid',
  'ssn::interval',
  'ssn::regclass',
  'ssn::regtype',
  // The parser of SQL reads the value, and its error points into it, as if into the statement.
  "(replace(ssn, '-', '_') || 'x')::regtype",
  "encode(ssn::bytea, 'hex')::regtype",
  "to_regtype('1' || ssn)",
  'ssn::regrole',
  'ssn::regconfig',
  'ssn::oid::regproc',
  "('{' || ssn)::text[]",
  "(ssn || '\"')::xml",
  "to_tsquery(ssn || ' &')",
  "to_date(ssn, 'YYYY')",
  'decode($$aa$$, ssn)',
  'convert_from(ssn::bytea, ssn)',
  'timezone(ssn, now())',
  'date_trunc(ssn, now())',
  'current_setting(ssn)',
  "has_table_privilege(ssn, 'select')",
  'pg_size_bytes(ssn)',
  'parse_ident(ssn || chr(34))',
  'xmlparse(document ssn)',
].map((expression) => ({ name: `select ${expression}`, steps: [`select ${expression} from customers`] }));

describeAttacks('a cast that fails', inPlaces);
describeAttacks('an error by value', kinds);

describeAttacks('a value that fails where the statement does not name its table', [
  {
    name: 'a cursor WITH HOLD runs at COMMIT',
    steps: ['begin', `declare c cursor with hold for select ${cast} from customers`, 'commit'],
  },
  {
    name: 'a cursor WITH HOLD of harmless columns runs its condition at COMMIT',
    steps: ['begin', `declare c cursor with hold for select id from customers where ${cast} > 0`, 'extended: commit'],
  },
  {
    name: 'ANALYZE of everything computes extended statistics',
    steps: [`create statistics x_s on (${cast}), name from customers`, 'analyze'],
    lasts: true,
  },
  {
    name: 'VACUUM ANALYZE of everything does',
    steps: [`create statistics x_s on (${cast}), name from customers`, 'vacuum analyze'],
    lasts: true,
  },
  {
    name: 'ALTER DOMAIN checks every column of that type',
    steps: ['alter domain taxed add constraint c check (value::integer > 0)'],
    lasts: true,
  },
  {
    name: 'ALTER DOMAIN … VALIDATE does',
    steps: ['alter domain taxed add constraint c check (value::integer > 0) not valid', 'alter domain taxed validate constraint c'],
    lasts: true,
  },
  {
    name: 'a view is written, and a check of its table fails',
    steps: [
      `alter table customers add constraint c check (${cast} > 0) not valid`,
      "update named set name = 'x' where id = 1",
      "with u as (update named set name = 'x' where id = 1 returning 1) select * from u",
    ],
    lasts: true,
  },
  {
    name: 'row security asks another table: no such policy can be made',
    steps: [
      'create table x_mine (a integer)',
      'insert into x_mine values (1)',
      'refused: create policy p on x_mine using ((select ssn::integer from customers limit 1) > 0)',
      'alter table x_mine enable row level security',
      'create role x_plain',
      'grant select on x_mine, customers to x_plain',
      'set role x_plain',
      'select a from x_mine',
      'reset role',
      'drop owned by x_plain',
      'drop role x_plain',
      'drop table x_mine',
    ],
    lasts: true,
  },
  {
    name: 'row security that was there asks it',
    steps: ['set role reader', 'select id from secured', 'extended: select id from secured', 'update secured set id = id'],
  },
]);
