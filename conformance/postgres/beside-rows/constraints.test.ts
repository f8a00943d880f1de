import { describeAttacks } from './attack.ts';

/** The detail of a constraint's error repeats keys or the whole row, of whichever table it is that fails. */
describeAttacks('the detail of a constraint', [
  {
    name: 'a row that a CHECK refuses',
    steps: ['update customers set id = null where id = 1', 'update customers set name = null where id = 1'],
  },
  {
    name: 'a column that is made NOT NULL',
    steps: ['alter table customers add column extra integer check (extra > 0)', 'update customers set extra = -1'],
    lasts: true,
  },
  {
    name: 'a unique index that finds two',
    steps: ['update customers set ssn = (select max(ssn) from customers)'.replace('update', 'refused: update')],
    lasts: true,
  },
  { name: 'a unique index over what is the same', steps: ['create unique index on customers (left(tax, 0), (id * 0))'], silent: true },
  {
    name: 'an exclusion of everything but oneself',
    steps: ['alter table customers add exclude using btree (born with =, pin with =, (id * 0) with =)'],
    silent: true,
    lasts: true,
  },
  {
    name: 'a foreign key to a table of one’s own',
    steps: ['create table x_mine (k text primary key)', 'alter table customers add foreign key (ssn) references x_mine (k)'],
    lasts: true,
  },
  {
    name: 'a view’s check option',
    steps: ['update checked set id = -5 where id = 1', 'extended: update checked set id = -5 where id = 1'],
  },
  {
    name: 'a view’s check option, by a cursor’s, a prepared and a nested statement',
    steps: [
      'prepare p as update checked set id = -5 where id = 1',
      'execute p',
      'with u as (update checked set id = -5 where id = 1 returning 1) select * from u',
    ],
  },
  {
    name: 'the check option of a view of one’s own',
    steps: [
      'create view x_view as select id, name from customers where id >= 0 with check option',
      'update x_view set id = -5 where id = 1',
      'drop view x_view',
    ],
  },
  { name: 'a row behind a view', steps: ['update named set name = null where id = 1'] },
  {
    name: 'a row behind a view that has its table’s name, in another schema',
    steps: [
      'create schema x_other',
      'create view x_other.customers as select id, name from public.customers',
      'update x_other.customers set name = null where id = 1',
    ],
    lasts: true,
  },
  {
    name: 'a view that the open transaction made, and one on it',
    steps: [
      'begin',
      'create view x_view as select id, name from customers',
      'create view x_on_it as select id, name from x_view where id >= 0 with check option',
      'update x_on_it set id = -5 where id = 1',
      'rollback',
    ],
  },
  {
    name: 'a view that the open transaction made, of its table’s name',
    steps: [
      'begin',
      'create schema x_other',
      'create view x_other.customers as select id, name from public.customers',
      'update x_other.customers set name = null where id = 1',
      'rollback',
    ],
  },
  {
    name: 'a row that another table’s DELETE changes',
    steps: [
      'alter table customers add column link integer references plain (id) on delete set null',
      'update customers set link = 1',
      'alter table customers alter link set not null',
      'delete from plain where id = 1',
    ],
    lasts: true,
  },
  {
    name: 'a constraint that is looked at when the transaction ends',
    steps: [
      'alter table customers add constraint x_d unique (tax) deferrable initially deferred',
      'begin',
      'refused: update customers set tax = (select max(tax) from customers)',
      'commit',
    ],
    lasts: true,
  },
]);
