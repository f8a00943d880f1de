import { describeAttacks } from './attack.ts';

describeAttacks('what is defined to carry values away', [
  {
    name: 'a table of a query',
    steps: [
      'refused: create table x_a as select ssn from customers',
      'refused: create table x_b as table customers',
      'refused: select tax into x_c from customers',
      'prepare p as select pin from customers',
      'refused: create table x_d as execute p',
      'select * from x_a',
    ],
    lasts: true,
  },
  {
    name: 'a view, a temporary view, a materialized view',
    steps: [
      'refused: create view x_v as select ssn as v from customers',
      'refused: create temp view x_v as select customers from customers',
      'refused: create materialized view x_v as select c::text as v from customers c',
    ],
    lasts: true,
    silent: true,
  },
  {
    name: 'a table like it',
    steps: [
      'create table x_like (like customers including all)',
      'refused: insert into x_like select * from customers',
      'select * from x_like',
    ],
    lasts: true,
  },
  {
    name: 'a key that follows updates',
    steps: [
      'refused: create table x_k (v text references customers (ssn) on update cascade)',
      'create table x_l (v text)',
      'refused: alter table x_l add foreign key (v) references customers (ssn) on update cascade',
      'refused: create table x_m (v integer references customers on update cascade)',
      'create table x_n (v integer references customers (id) on update cascade)',
    ],
    lasts: true,
    silent: true,
  },
  {
    name: 'columns computed from it, changed into it, renamed',
    steps: [
      'refused: alter table customers add column v text generated always as (upper(ssn)) stored',
      'refused: alter table customers alter column name type text using ssn',
      'refused: alter table customers rename column ssn to harmless',
      'refused: alter table customers rename to harmless',
    ],
    lasts: true,
    silent: true,
  },
  {
    name: 'a parent and a child',
    steps: [
      'create table x_child () inherits (customers)',
      "insert into x_child (id, name, ssn) values (70, 'own', 'own')",
      'select upper(ssn) from x_child',
      'create table x_parent (id integer, ssn text not null)',
      'refused: alter table customers inherit x_parent',
      'select ssn from x_parent',
    ],
    lasts: true,
  },
  {
    name: 'a parent that is there for a moment',
    steps: [
      'create table x_parent (ssn text not null)',
      'begin',
      'refused: alter table customers inherit x_parent',
      'select ssn from x_parent',
      'rollback',
    ],
    lasts: true,
  },
  {
    name: 'a rule and a trigger’s condition',
    steps: [
      'create table x_own (v text)',
      'refused: create rule r as on insert to plain do also insert into x_own select ssn from customers',
      'refused: create rule r as on insert to plain do also select c from customers c',
      'refused: create trigger t before update on customers for each row when (old.ssn::integer > 0) execute function suppress_redundant_updates_trigger()',
      "insert into plain values (50, 'x')",
      'select * from x_own',
    ],
    lasts: true,
  },
  {
    name: 'another schema’s name',
    steps: [
      'alter schema public rename to x_public',
      "select ssn || '' from x_public.customers",
      "select ssn, tax, pin, born, profile, profile ->> 'secret' from x_public.customers",
      'alter schema x_public rename to public',
    ],
    lasts: true,
  },
  {
    name: 'another schema’s name, for the length of a transaction',
    steps: [
      'begin',
      'alter schema public rename to x_public',
      "select ssn || '' from x_public.customers",
      'select tax from x_public.customers',
      'rollback',
    ],
  },
  {
    name: 'a table in front of it',
    steps: [
      'create temp table customers (id integer, ssn text)',
      "insert into customers values (1, 'own')",
      "select ssn || '' from customers",
      "select ssn || '' from public.customers",
      'drop table customers',
      "select ssn || '' from customers",
    ],
  },
  {
    name: 'a table in front of it that was never there',
    steps: ['begin', 'create temp table customers (id integer, ssn text)', 'rollback', 'select lower(ssn) from customers'],
  },
  {
    name: 'a search path that changes under a prepared statement',
    steps: [
      'create schema x_s',
      'create table x_s.customers (id integer, ssn text)',
      'set search_path = x_s, public',
      'prepare p as select lower(ssn) from customers',
      'execute p',
      'set search_path = public',
      'execute p',
      'extended: execute p',
    ],
    lasts: true,
  },
  {
    name: 'a cursor’s name that means another query after a savepoint',
    steps: [
      'begin',
      'declare c cursor for select name from customers',
      'savepoint a',
      'close c',
      "declare c cursor for select ssn || '' from customers",
      'fetch c',
      'extended: fetch c',
      'rollback',
    ],
  },
  {
    name: 'an aggregate of one’s own',
    steps: [
      'create aggregate x_agg (text) (sfunc = textcat, stype = text)',
      'refused: select x_agg(ssn) from customers',
      'drop aggregate x_agg (text)',
    ],
  },
]);
