import pg from 'pg';

/** A bank's database: customers with SSNs, accounts, cards with valid check digits, 100,000 payments. The same data every time. */
export async function createBank(
  connection: pg.ClientConfig,
  gateway: { readonly user: string; readonly password: string },
): Promise<void> {
  const admin = new pg.Client(connection);
  await admin.connect();
  try {
    await admin.query(`create role ${gateway.user} login password '${gateway.password}'`);
    await admin.query(`create database orders owner ${gateway.user}`);
  } finally {
    await admin.end();
  }
  const owner = new pg.Client({ ...connection, user: gateway.user, password: gateway.password, database: 'orders' });
  await owner.connect();
  try {
    await owner.query(schema);
    await owner.query(data);
    await owner.query('analyze');
  } finally {
    await owner.end();
  }
}

/** What an application of the bank has written down, with what it should not have: a dozen lines. */
export async function logOf(connection: pg.ClientConfig): Promise<readonly string[]> {
  const reader = new pg.Client(connection);
  await reader.connect();
  try {
    const { rows } = await reader.query<{ line: string }>(
      `select to_char(timestamp '2027-03-01 09:00' + k.id * interval '47 seconds', 'HH24:MI:SS') || ' WARN payment declined, customer ' || k.id ||
              ' ssn=' || k.ssn || ' card=' || c.pan as line
         from customers k join accounts a on a.customer_id = k.id join cards c on c.account_id = a.id order by k.id limit 12`,
    );
    return rows.map(({ line }) => line);
  } finally {
    await reader.end();
  }
}

const schema = `
create table customers (
  id integer primary key, name text not null, email text not null, phone text not null, ssn varchar(11) not null,
  profile jsonb not null, since date not null);
create table accounts (
  id integer primary key, customer_id integer not null references customers, number char(12) not null unique,
  balance numeric(12, 2) not null check (balance > -100000), opened date not null);
create table cards (
  id integer primary key, account_id integer not null references accounts, pan text not null, expires date not null);
create table payments (
  id bigint generated always as identity primary key, account_id integer not null references accounts, amount numeric(12, 2) not null,
  payee text not null, memo text, made_at timestamptz not null);
create index on payments (account_id);
create view customer_contacts as select id, name, email, ssn as reference from customers;
`;

/** Names repeat; SSNs are valid in form and lie in an area that is never assigned twice; card numbers carry their Luhn check digit. */
const data = `
create function pg_temp.luhn(digits text) returns text language sql immutable as $$
  select digits || ((10 - (sum(case when position % 2 = 1 then case when digit * 2 > 9 then digit * 2 - 9 else digit * 2 end else digit end) % 10)) % 10)::text
  from (select (substr(reverse(digits), i, 1))::int as digit, i as position from generate_series(1, length(digits)) i) d $$;
insert into customers
select i,
  (array['Alice','Bruno','Chen','Dana','Elif','Farid','Grace','Hugo','Ines','Jonas'])[1 + i % 10] || ' ' ||
  (array['Archer','Brandt','Castillo','Dubois','Eriksen','Fischer','Garcia','Haddad','Ivanova','Jensen','Kim'])[1 + i % 11],
  'customer' || i || '@mail.example', '+1 212 555 ' || lpad((i % 10000)::text, 4, '0'),
  lpad((100 + i % 500)::text, 3, '0') || '-' || lpad((1 + i % 98)::text, 2, '0') || '-' || lpad((1 + (i * 37) % 9998)::text, 4, '0'),
  jsonb_build_object('segment', (array['retail','private','business'])[1 + i % 3], 'ssn', lpad((100 + i % 500)::text, 3, '0') || '-' || lpad((1 + i % 98)::text, 2, '0') || '-' || lpad((1 + (i * 37) % 9998)::text, 4, '0')),
  date '2012-01-01' + i % 4000
from generate_series(1, 5000) i;
insert into accounts
select i, 1 + i % 5000, lpad((400000000000 + i::bigint * 7919)::text, 12, '0'), (i * 37 % 1000000) / 100.0, date '2014-01-01' + i % 3600
from generate_series(1, 8000) i;
insert into cards
select i, 1 + i % 8000, pg_temp.luhn('4' || lpad((i::bigint * 982451653 % 100000000000000)::text, 14, '0')), date '2027-01-31' + (i % 40) * 31
from generate_series(1, 6000) i;
insert into payments (account_id, amount, payee, memo, made_at)
select 1 + i % 8000, (1 + i * 31 % 250000) / 100.0, (array['Grid Power','City Water','Corner Market','Metro Transit','Cloud Nine Travel'])[1 + i % 5],
  case when i % 1000 = 0 then 'card ' || (select pan from cards where cards.id = 1 + i % 6000) else 'invoice ' || i end,
  timestamptz '2026-01-01 00:00+00' + i * interval '4 minutes'
from generate_series(1, 100000) i;
`;
