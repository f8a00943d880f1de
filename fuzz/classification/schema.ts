/** A throw-away database with everything that can hide an effect. Run as its owner, who is no superuser. */
export const schema = `
set client_min_messages = error;
drop schema if exists public cascade;
drop schema if exists app cascade;
create schema public;
create schema app;
set search_path = public;
create function f_pure(integer) returns integer language plpgsql immutable as 'begin return $1; end';
create function f_text(text) returns text language plpgsql stable as 'begin return $1; end';
create function f_write(integer) returns integer language plpgsql as 'begin insert into log (what) values (''f''); return $1; end';
create function f_rows() returns setof integer language plpgsql as 'begin return query select id from orders; end';
create function f_cast(text) returns integer language plpgsql immutable as 'begin return length($1); end';
create function f_trigger() returns trigger language plpgsql as 'begin insert into log (what) values (tg_op); return coalesce(new, old); end';
create function f_less(text, text) returns boolean language plpgsql immutable as 'begin return $1 < $2; end';
create procedure p_write(integer) language plpgsql as 'begin insert into log (what) values (''p''); end';
create type mood as enum ('sad', 'ok');
create domain positive as integer check (f_pure(value) > 0);
create table log (id bigserial, what text);
create table customers (id integer primary key, name text, ssn text, city text default 'x');
create table orders (id serial primary key, customer_id integer references customers on delete cascade, total numeric default 0, note text, made date default current_date);
create table watched (id integer primary key, note text);
create trigger watch before insert or update or delete on watched for each row execute function f_trigger();
create table parted (id integer, region text, v text) partition by list (region);
create table parted_a partition of parted for values in ('a');
create table parted_b partition of parted for values in ('b');
create table parent (id integer, v text);
create table child (w text) inherits (parent);
create table checked (id integer, v text check (f_text(v) is not null), w integer default f_pure(3));
create table ruled (id integer, v text);
create rule log_it as on insert to ruled do also insert into log (what) values ('rule');
create table secured (id integer, v text);
alter table secured enable row level security;
alter table secured force row level security;
create policy own on secured using (f_text(v) is not null);
create table computed (id integer, twice integer generated always as (id * 2) stored, v jsonb, a text[], feeling mood);
create table felt (id integer, feeling mood default 'ok', p positive default 3);
create view v_customers as select id, name, city from customers;
create view v_orders as select o.id, c.name, o.total from orders o join customers c on c.id = o.customer_id;
create view v_code as select id, f_text(name) as name from customers;
create view v_instead as select id, name from customers;
create rule instead as on delete to v_instead do instead delete from orders where customer_id = old.id;
create materialized view mv_customers as select id, name from customers;
create sequence counter;
create type pair as (a integer, b text);
create operator #+# (leftarg = integer, rightarg = integer, function = int4pl);
create operator ~~~ (leftarg = text, rightarg = text, function = f_less);
create function f_mood(mood) returns integer language plpgsql immutable as 'begin return 1; end';
create cast (mood as integer) with function f_mood(mood);
create aggregate total(integer) (sfunc = int4pl, stype = integer, initcond = '0');
insert into customers select i, 'name ' || i, '900-00-000' || i, 'city ' || i % 3 from generate_series(1, 6) i;
insert into orders (customer_id, total, note) select 1 + i % 6, i, 'note ' || i from generate_series(1, 12) i;
insert into watched values (1, 'a'), (2, 'b');
insert into parted values (1, 'a', 'x'), (2, 'b', 'y');
insert into parent values (1, 'p');
insert into child values (2, 'c', 'w');
insert into checked values (1, 'v');
insert into ruled values (1, 'r');
insert into secured values (1, 's');
insert into felt values (1);
insert into computed (id, v, a) values (1, '{"a": {"b": 1}}', array['x', 'y']);
refresh materialized view mv_customers;
create table app.orders (id integer, note text);
insert into app.orders values (1, 'app');
truncate log;
`;

export const tables = [
  'customers',
  'orders',
  'watched',
  'parted',
  'parted_a',
  'parent',
  'child',
  'checked',
  'ruled',
  'secured',
  'computed',
  'log',
  'app.orders',
];
export const views = ['v_customers', 'v_orders', 'v_code', 'v_instead', 'mv_customers'];

/** Tables that may change along with the first: by trigger, rule, cascade, partition, inheritance, through a view. */
export const reaches: ReadonlyMap<string, readonly string[]> = new Map([
  ['customers', ['orders']],
  ['watched', ['log']],
  ['ruled', ['log']],
  ['parted', ['parted_a', 'parted_b']],
  ['parted_a', ['parted', 'parted_b']],
  ['parted_b', ['parted', 'parted_a']],
  ['parent', ['child']],
  ['child', ['parent']],
  ['v_customers', ['customers', 'orders']],
  ['v_orders', ['customers', 'orders']],
  ['v_code', ['customers', 'orders']],
  ['v_instead', ['customers', 'orders']],
]);

/** Functions that run when these relations are read or written. */
export const runsFunctions: ReadonlyMap<string, readonly string[]> = new Map([
  ['watched', ['f_trigger']],
  ['checked', ['f_text', 'f_pure']],
  ['felt', ['f_pure', 'f_mood']],
  ['secured', ['f_text']],
  ['v_code', ['f_text']],
]);
