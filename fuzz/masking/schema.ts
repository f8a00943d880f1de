import { canary, rowsOfCanaries } from './canaries.ts';

/** What is in a relation's columns, as far as the generator cares. */
export type ColumnType = 'text' | 'int' | 'num' | 'date' | 'json' | 'tarr' | 'bytea' | 'uuid' | 'comp' | 'bool';

export interface Column {
  readonly name: string;
  readonly type: ColumnType;
  /** Nothing sensitive reaches it. */
  readonly clean: boolean;
}

export interface Relation {
  readonly name: string;
  readonly columns: readonly Column[];
  readonly kind: 'table' | 'view' | 'function';
  /** No sensitive value in any column. */
  readonly clean: boolean;
}

/** `name:type`, a sensitive one with `!` in front. */
function relation(name: string, kind: Relation['kind'], columns: string): Relation {
  const parsed = columns.split(' ').map((column) => {
    const [called, type] = column.replace('!', '').split(':');
    return { name: called!, type: type as ColumnType, clean: !column.startsWith('!') };
  });
  return { name, kind, columns: parsed, clean: parsed.every((column) => column.clean) };
}

const personColumns =
  'id:int name:text !ssn:text !secret:text !born:date !pin:int !score:num !tags:tarr !blob:bytea !uid:uuid !doc:json note:text city:text !code:text !addr:comp !initial:text !tail:text';

export const relations: readonly Relation[] = [
  relation('people', 'table', personColumns),
  relation('vip', 'table', `${personColumns} perks:text`),
  relation('wallets', 'table', 'id:int person_id:int !card:text amount:num memo:text'),
  relation('events', 'table', 'id:int at:date kind:text !payload:text'),
  relation('events_a', 'table', 'id:int at:date kind:text !payload:text'),
  relation('events_rest', 'table', 'id:int at:date kind:text !payload:text'),
  relation('keyed', 'table', '!key:text label:text'),
  relation('refs', 'table', 'id:int !ref:text memo:text'),
  relation('guarded', 'table', 'id:int owner:text !secret:text'),
  relation('lookup', 'table', 'id:int label:text n:int'),
  relation('clean', 'table', 'id:int t:text n:num d:date j:json a:tarr b:bool'),
  relation('v_people', 'view', 'id:int name:text !reference:text city:text'),
  relation('v_v', 'view', '!id:int !called:text !reference:text !city:text'),
  relation('v_calc', 'view', 'id:int !up:text !sized:text'),
  relation('v_clean', 'view', 'id:int name:text'),
  relation('v_join', 'view', '!id:int !name:text !card:text !total:num'),
  relation('v_union', 'view', '!what:text'),
  relation('v_function', 'view', '!id:int !given:text'),
  relation('mv_people', 'view', '!id:int !name:text !hidden:text'),
  relation('v_mv', 'view', '!id:int !hidden:text'),
  relation('v_mv_v', 'view', '!shown:text'),
  relation('f_people()', 'function', personColumns.replace(/(^| )(\w)/g, '$1!$2')),
  relation('f_table()', 'function', '!a:int !b:text'),
];

/** A data class for every kind of canary, masked in every way. `columns` without the target. */
export const dataClasses: Readonly<Record<string, { columns: string[]; paths: string[]; mask: string | null; lookup?: true }>> = {
  ssn: { columns: ['public.people.ssn'], paths: ['public.people.doc#$.ssn'], mask: 'partial-last4' },
  secret: {
    columns: ['public.people.secret', 'public.events.payload', 'public.keyed.key', 'public.refs.ref', 'public.guarded.secret'],
    paths: ['public.people.doc#$.deep.secret'],
    mask: 'redact',
  },
  birth: { columns: ['public.people.born'], paths: [], mask: 'null' },
  pin: { columns: ['public.people.pin', 'public.people.score'], paths: [], mask: 'hash' },
  loose: {
    columns: ['public.people.tags', 'public.people.blob', 'public.people.uid', 'public.people.addr'],
    paths: [],
    mask: 'redact',
  },
  code: { columns: ['public.people.code'], paths: [], mask: 'pseudonym', lookup: true },
  card: { columns: ['public.wallets.card'], paths: [], mask: 'hash' },
};

/** Makes everything anew, whatever is there. Run as the database's owner. */
export function schemaScript(): string {
  const people = Array.from({ length: rowsOfCanaries }, (_, row) => person(row));
  const half = people.slice(0, 4).join(',\n');
  const vips = people.slice(4).map((values) => `${values.slice(0, -1)}, 'lounge')`);
  return `
set client_min_messages = error;
drop schema public cascade;
create schema public;
grant all on schema public to public;
set search_path = public;
create type address as (street text, zip text);
create table people (
  id integer primary key, name text not null, ssn varchar(11) unique, secret text, born date, pin bigint, score numeric(14, 2), tags text[], blob bytea,
  uid uuid, doc jsonb, note text, city text, code char(12), addr address,
  initial text generated always as (substr(secret, 1, 6)) stored, tail text generated always as (right(secret, 6)) virtual,
  constraint people_check check (secret is null or secret <> note), unique (secret));
create table vip (perks text) inherits (people);
insert into people (${given}) values ${half};
insert into vip (${given}, perks) values ${vips.join(',\n')};
create table wallets (id integer primary key, person_id integer not null, card text, amount numeric(12, 2), memo text);
insert into wallets values ${rowsOf((row) => `(${row}, ${row % 4}, '${canary.card(row)}', ${row * 10}.5, 'memo ${row}')`)};
create table events (id integer, at date, kind text, payload text, primary key (id, at)) partition by range (at);
create table events_a partition of events for values from ('2026-01-01') to ('2026-02-01');
create table events_rest partition of events default;
insert into events values ${rowsOf((row) => `(${row}, date '2026-01-01' + ${row * 11}, 'kind${row % 2}', '${canary.secret(row)}')`)};
create table keyed (key text primary key, label text);
insert into keyed values ${rowsOf((row) => `('${canary.secret(row)}', 'label ${row}')`)};
create table refs (id integer primary key, ref text references keyed (key) deferrable initially deferred, memo text);
insert into refs values ${rowsOf((row) => `(${row}, '${canary.secret(row)}', 'memo ${row}')`)};
create table guarded (id integer primary key, owner text, secret text);
alter table guarded enable row level security;
create policy everyone on guarded using (owner <> '' or length(secret) > 0);
insert into guarded values ${rowsOf((row) => `(${row}, 'owner ${row}', '${canary.secret(row)}')`)};
create table lookup (id integer primary key, label text, n integer);
insert into lookup values ${rowsOf((row) => `(${row}, 'plain ${row}', ${row * row})`)};
create table clean (id integer primary key, t text, n numeric(10, 2), d date, j jsonb, a text[], b boolean);
insert into clean values ${rowsOf((row) => `(${row}, 'word ${row}', ${row}.75, date '2026-03-01' + ${row}, '{"k": "v${row}", "n": ${row}}', array['x${row}', 'y'], ${row % 2 === 0})`)};
create view v_people as select id, name, ssn as reference, city from people;
create view v_v (id, called, reference, city) as select * from v_people;
create view v_calc as select id, upper(secret) as up, left(card, 8) as sized from people join wallets using (id);
create view v_clean with (security_barrier) as select id, name from people;
create view v_join as select p.id, name, card, sum(amount) over (partition by city) as total from people p join wallets w on w.person_id = p.id;
create view v_union as select secret as what from people union all select label from lookup;
create materialized view mv_people as select id, name, secret as hidden from people;
create view v_mv as select id, hidden from mv_people;
create view v_mv_v as select hidden as shown from v_mv;
create function f_secret(integer) returns text language sql stable as 'select secret from people where id = $1';
create function f_people() returns setof people language plpgsql as 'begin return query select * from people; end';
create function f_table() returns table (a integer, b text) language plpgsql as 'begin return query select id, secret from people; end';
create function f_same(text) returns text language plpgsql immutable as 'begin return $1; end';
create function f_tell(integer) returns integer language plpgsql as $f$
begin raise notice 'told %', (select secret from people where id = $1); return $1; end $f$;
create function f_fail(integer) returns integer language plpgsql as $f$
begin return (select secret from people where id = $1)::integer; end $f$;
create function f_row(people) returns text language sql as 'select $1.secret';
create procedure p_tell() language plpgsql as $f$ begin raise notice 'told %', (select max(secret) from people); end $f$;
create function tells() returns trigger language plpgsql as $f$
begin
  if new.label = 'raise' then raise exception 'failed %', (select max(secret) from people); end if;
  if new.label = 'notice' then raise notice 'noticed %', (select max(secret) from people); end if;
  if new.label = 'cast' then perform (select max(secret) from people)::integer; end if;
  return new;
end $f$;
create trigger tells before insert or update on lookup for each row execute function tells();
create view v_function as select id, f_secret(id) as given from lookup;
create operator === (leftarg = text, rightarg = text, function = texteq);
create domain short as text check (length(value) < 4);
create statistics people_stats (mcv, dependencies) on ssn, secret from people;
create index on people (lower(secret));
analyze;
`;
}

function person(row: number): string {
  const doc = JSON.stringify({ ssn: canary.documentSsn(row), deep: { secret: canary.documentSecret(row) }, plain: `p${row}`, list: [row] });
  return `(${row}, 'name ${row}', '${canary.ssn(row)}', '${canary.secret(row)}', '${canary.born(row)}', ${canary.pin(row)}, ${canary.score(row)}, array['${canary.tag(row)}', 'plain'], '${canary.blob(row)}', '${canary.uid(row)}', '${doc}', 'note ${row}', 'city ${row % 2}', '${canary.code(row)}', row('${canary.street(row)}', 'zip ${row}'))`;
}

function rowsOf(one: (row: number) => string): string {
  return Array.from({ length: rowsOfCanaries }, (_, row) => one(row)).join(',\n');
}

const given = 'id, name, ssn, secret, born, pin, score, tags, blob, uid, doc, note, city, code, addr';
