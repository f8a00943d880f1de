import { describeAttacks, type Attack } from './attack.ts';

const text = 'Xq7vJz-Kw9yQh';
/** Another session's statement with a value in it, which its own answer does not repeat. */
const spoken = `second: set x.y = '${text}'`;
const mine = 'create table x_mine (v text)';
/** Stored where nothing is known of it, and read there. */
const stored = (query: string, expected = 'refused: '): readonly string[] => [
  mine,
  `${expected}insert into x_mine ${query}`,
  'select v from x_mine',
];
const byText = (query: string): string => `query_to_xml('${query.replaceAll("'", "''")}', true, true, '')`;

describeAttacks('statistics', [
  {
    name: 'pg_stats',
    steps: [
      'analyze customers',
      "select * from pg_stats where tablename = 'customers'",
      "select row_to_json(s) from pg_stats s where tablename = 'customers'",
      'select max(histogram_bounds::text) from pg_stats',
    ],
  },
  {
    name: 'pg_statistic',
    steps: [
      'analyze customers',
      'select stavalues1 from pg_statistic',
      'select s::text from pg_statistic s',
      'select stavalues1::text::integer[] from pg_statistic',
    ],
  },
  {
    name: 'extended statistics of one’s own',
    steps: [
      'create statistics x_s (mcv) on ssn, name from customers',
      'create statistics x_t on (upper(tax)) from customers',
      'analyze customers',
      'select * from pg_stats_ext',
      'select * from pg_stats_ext_exprs',
      'select stxdexpr::text from pg_statistic_ext_data',
    ],
    lasts: true,
  },
  {
    name: 'most common values as rows',
    steps: [
      'create statistics x_s (mcv) on ssn, name from customers',
      'analyze customers',
      'refused: select m.* from pg_statistic_ext_data d, pg_mcv_list_items(d.stxdmcv) m',
    ],
    lasts: true,
  },
  {
    name: 'statistics of an index of one’s own',
    steps: ['create index x_i on customers (upper(ssn))', 'analyze customers', "select * from pg_stats where tablename = 'x_i'"],
    lasts: true,
  },
  { name: 'statistics kept', steps: stored("select histogram_bounds::text from pg_stats where tablename = 'customers'"), lasts: true },
  { name: 'statistics copied out', steps: ['refused: copy (select * from pg_stats) to stdout', 'refused: copy pg_statistic to stdout'] },
  {
    name: 'EXPLAIN',
    steps: [
      'explain (analyze, verbose, format json, settings) select * from customers',
      'explain (format xml) select ssn from customers',
      'explain execute none',
    ],
    silent: true,
  },
]);

describeAttacks('other sessions', [
  {
    name: 'pg_stat_activity',
    steps: [
      spoken,
      'select query from pg_stat_activity',
      'select max(query) from pg_stat_activity',
      'select a::text from pg_stat_activity a',
      'select 1 from pg_stat_activity where query::integer > 0',
    ],
  },
  {
    name: 'the functions behind it',
    steps: [
      spoken,
      'select query from pg_stat_get_activity(null)',
      'select pg_stat_get_backend_activity(i) from pg_stat_get_backend_idset() i',
    ],
  },
  { name: 'the functions behind it, kept', steps: [spoken, ...stored('select query from pg_stat_get_activity(null)')], lasts: true },
  {
    name: 'the functions behind it, kept one by one',
    steps: [spoken, ...stored('select pg_stat_get_backend_activity(i) from pg_stat_get_backend_idset() i')],
    lasts: true,
  },
  {
    name: 'pg_stat_statements',
    steps: [spoken, "select string_agg(query, '') from pg_stat_statements", "select string_agg(query, '') from pg_stat_statements(true)"],
  },
  { name: 'pg_stat_statements kept', steps: [spoken, ...stored('select query from pg_stat_statements(true)')], lasts: true },
  {
    name: 'prepared statements and memory',
    steps: [
      `prepare p as select '${text}'`,
      'select statement from pg_prepared_statements',
      'select ident from pg_backend_memory_contexts',
      'select * from pg_prepared_statement()',
    ],
  },
]);

describeAttacks('what a number can be put into', [
  {
    name: 'an advisory lock',
    steps: ['refused: select pg_advisory_lock(pin) from customers', "select objid from pg_locks where locktype = 'advisory'"],
  },
  {
    name: 'an advisory lock of a made row',
    steps: [
      'refused: select pg_advisory_lock(g) from customers, generate_series(826491730, 826491740) g where g = pin',
      "select objid from pg_locks where locktype = 'advisory'",
    ],
  },
  {
    name: 'an advisory lock by a query given as text',
    steps: [
      `refused: select ${byText('select pg_advisory_lock(pin) from customers')}`,
      "select objid from pg_locks where locktype = 'advisory'",
    ],
  },
  {
    name: 'a sequence',
    steps: ["refused: select setval('counter', pin) from customers", "select currval('counter')", 'select last_value from pg_sequences'],
    lasts: true,
  },
  {
    name: 'a sequence by a query given as text',
    steps: [
      `refused: select ${byText("select setval('counter', pin) from customers")}`,
      "select currval('counter')",
      'select last_value from pg_sequences',
    ],
    lasts: true,
  },
  {
    name: 'a setting by a query given as text',
    steps: [`refused: select ${byText("select set_config('x.y', ssn, false) from customers")}`, 'show x.y'],
  },
  {
    name: 'a large object’s number',
    steps: ['refused: select lo_create(pin::oid) from customers', 'select oid from pg_largeobject_metadata'],
    lasts: true,
  },
  {
    name: 'a large object',
    steps: [
      'refused: select lo_from_bytea(4711, max(ssn)::bytea) from customers',
      'select lo_get(4711)',
      'select data from pg_largeobject',
    ],
    lasts: true,
  },
  {
    name: 'a random number’s seed',
    steps: ["refused: select setseed(('0.' || pin)::float8), random() from customers limit 1"],
    silent: true,
  },
  {
    name: 'the log',
    steps: [
      "refused: select pg_logical_emit_message(false, 'x', ssn) from customers",
      'refused: select pg_create_restore_point(ssn) from customers',
    ],
    silent: true,
  },
]);

const reads: readonly (readonly [name: string, query: string])[] = [
  ['query_to_xml', byText('select ssn from customers')],
  ['table_to_xml', "table_to_xml('customers', true, true, '')"],
  ['schema_to_xml', "schema_to_xml('public', true, true, '')"],
  ['database_to_xml', "database_to_xml(true, true, '')"],
  ['a page', "get_raw_page('customers', 0)"],
];

describeAttacks('functions that read what they are told', [
  ...reads.map(([name, call], index): Attack => ({
    name,
    steps: [`${index === 0 ? 'refused: ' : ''}select ${call}`, `extended: select max(${call}::text)`].slice(0, index === 0 ? 1 : 2),
  })),
  ...reads.map(([name, call]): Attack => ({ name: `${name}, kept`, steps: stored(`select ${call}::text`), lasts: true })),
  ...reads.map(([name, call]): Attack => ({
    name: `${name}, kept by a column’s default`,
    steps: [
      `refused: create table x_mine (a integer, v text default ${call}::text)`,
      'insert into x_mine (a) values (1)',
      'select v from x_mine',
    ],
    lasts: true,
  })),
  {
    name: 'a default that is changed',
    steps: [
      mine,
      `refused: alter table x_mine alter v set default ${reads[1]![1]}::text`,
      'insert into x_mine default values',
      'select v from x_mine',
    ],
    lasts: true,
  },
  {
    name: 'a domain’s default',
    steps: [
      `refused: create domain x_domain as text default ${reads[1]![1]}::text`,
      'create table x_mine (a integer, v x_domain)',
      'insert into x_mine (a) values (1)',
      'select v from x_mine',
    ],
    lasts: true,
  },
  {
    name: 'a cursor',
    steps: ['begin', 'declare c cursor for select ssn from customers', "select cursor_to_xml('c', 10, true, true, '')", 'rollback'],
  },
  { name: 'words of documents', steps: ["refused: select * from ts_stat('select to_tsvector(''simple'', tax) from customers')"] },
  {
    name: 'a rewritten query',
    steps: ["refused: select ts_rewrite('a'::tsquery, 'select ''a''::tsquery, plainto_tsquery(''simple'', tax) from customers')"],
  },
  {
    name: 'a crosstab, kept',
    steps: stored("select v from crosstab('select id, 1, ssn from customers order by 1') as t(id integer, v text)"),
    lasts: true,
  },
  {
    name: 'rows of a page',
    steps: ["select t_data from heap_page_items(get_raw_page('customers', 0))", "select data from bt_page_items('customers_ssn_key', 1)"],
  },
  { name: 'rows of a page, kept', steps: stored("select t_data::text from heap_page_items(get_raw_page('customers', 0))"), lasts: true },
  {
    name: 'a file of the table',
    steps: ['checkpoint', 'select encode(pg_read_binary_file(pg_relation_filepath($$customers$$)), $$hex$$)'],
  },
  {
    name: 'a file of the table, kept',
    steps: ['checkpoint', ...stored('select encode(pg_read_binary_file(pg_relation_filepath($$customers$$)), $$hex$$)')],
    lasts: true,
  },
  {
    name: 'changes of a replication slot',
    steps: [
      "select 'made' from pg_create_logical_replication_slot('x_slot', 'test_decoding')",
      "update customers set name = 'other' where id = 1",
      "select data from pg_logical_slot_peek_changes('x_slot', null, null)",
      "select 'dropped' from pg_drop_replication_slot('x_slot')",
    ],
    lasts: true,
  },
  { name: 'a publication of everything', steps: ['refused: create publication x_all for all tables'], silent: true, lasts: true },
  {
    name: 'a publication of a schema',
    steps: ['refused: create publication x_all for tables in schema public'],
    silent: true,
    lasts: true,
  },
  {
    name: 'an error that dblink passes on as its own',
    steps: ['25000', '42501', '23505'].map(
      (state) =>
        `select * from dblink('host=127.0.0.1 port={port} dbname=orders user=gateway password=only-the-tests-know', $$do 'begin raise exception using errcode = ''${state}'', message = (select max(ssn) from customers); end'$$) as t(v text)`,
    ),
  },
  {
    name: 'an error of a foreign table',
    steps: [
      "create server x_server foreign data wrapper postgres_fdw options (host '127.0.0.1', port '{port}', dbname 'orders')",
      "create user mapping for gateway server x_server options (user 'gateway', password 'only-the-tests-know')",
      "create foreign table x_far (id integer, note integer options (column_name 'ssn')) server x_server options (schema_name 'public', table_name 'customers')",
      'select note from x_far',
      'drop server x_server cascade',
    ],
    lasts: true,
  },
]);
