import { describeAttacks } from './attack.ts';

const told = (expression: string): string => `do $$ begin ${expression}; end $$`;
const setting = `perform set_config('application_name', (select max(tax) from customers), false)`;

describeAttacks('what the server reports of settings', [
  {
    name: 'set_config of a column',
    steps: [
      "refused: select set_config('application_name', tax, false) from customers",
      "refused: select set_config('a.b', ssn, false) from customers",
    ],
  },
  { name: 'application_name set by code, simple', steps: [told(setting)] },
  { name: 'application_name set by code, reported before ReadyForQuery of a cycle', steps: [`extended: ${told(setting)}`] },
  {
    name: 'application_name set by code, brought back by a savepoint',
    steps: ['begin', told(setting), 'savepoint a', "set application_name = 'x'", 'rollback to a'],
  },
  {
    name: 'application_name set by code, brought back by the end of SET LOCAL',
    steps: [told(setting), 'begin', "set local application_name = 'x'", 'commit'],
  },
  {
    name: 'application_name set by a trigger',
    steps: [
      `create function x_set() returns trigger language plpgsql as $$ begin ${setting}; return new; end $$`,
      'create trigger x_set before update on plain for each row execute function x_set()',
      'update plain set note = note',
      "set application_name = 'x'",
      'extended: update plain set note = note',
      'drop function x_set() cascade',
    ],
    lasts: true,
  },
  {
    name: 'a value that was never reported, brought back',
    steps: [
      "set application_name = 'x'",
      'begin',
      `${told(setting)}; savepoint a; set application_name = 'x'`,
      'rollback to a',
      'extended: rollback to a',
    ],
  },
  {
    name: 'a time zone of one’s own',
    steps: [told(`perform set_config('TimeZone', '<' || (select translate(max(tax), '0123456789', '') from customers) || '>5', false)`)],
  },
  {
    name: 'a role’s own setting, by a query given as text',
    steps: [
      `refused: select query_to_xml('select set_config(''application_name'', tax, false) from customers', true, true, '')`,
      `select current_setting('application_name')`,
    ],
  },
]);

describeAttacks('notifications', [
  { name: 'a payload from a column', steps: ['listen x', "refused: select pg_notify('x', ssn) from customers"] },
  { name: 'a channel from a column', steps: ['listen x', "refused: select pg_notify(ssn, 'x') from customers"], silent: true },
  { name: 'a payload by code', steps: ['listen x', told("perform pg_notify('x', ssn) from customers"), 'select 1'] },
  {
    name: 'a payload by code of another session',
    steps: ['listen x', `second: ${told("perform pg_notify('x', ssn) from customers")}`, 'select 1', 'extended: select 1'],
  },
  {
    name: 'a payload by a trigger',
    steps: [
      "create function x_tell() returns trigger language plpgsql as $$ begin perform pg_notify('x', (select max(ssn) from customers)); return new; end $$",
      'create trigger x_tell before update on plain for each row execute function x_tell()',
      'listen x',
      'update plain set note = note',
      'select 1',
      'drop function x_tell() cascade',
    ],
    lasts: true,
  },
]);

describeAttacks('notices', [
  ...['debug', 'log', 'info', 'notice', 'warning'].map((level) => ({
    name: `RAISE ${level}`,
    steps: ['set client_min_messages = debug5', told(`raise ${level} '%', (select max(ssn) from customers)`)],
  })),
  {
    name: 'RAISE with a value in every option',
    steps: [
      told(
        "raise exception using message = (select max(ssn) from customers), errcode = '23505', column = (select max(tax) from customers)",
      ),
      told("raise exception using message = 'x', detail = (select max(ssn) from customers), hint = (select max(tax) from customers)"),
      told("raise exception using message = 'x', table = (select max(tax) from customers), schema = (select max(ssn) from customers)"),
      told("raise warning using message = 'x', constraint = (select max(tax) from customers), datatype = (select max(ssn) from customers)"),
    ],
  },
  {
    name: 'a statement made of a value, in the error’s inner query and its context',
    steps: [told(`execute 'select "' || (select max(ssn) from customers) || '"'`)],
  },
  {
    name: 'a name made of a value that is there already',
    steps: [
      'begin',
      told(
        "execute format('create table %I ()', (select max(ssn) from customers)); execute format('create table if not exists %I ()', (select max(ssn) from customers))",
      ),
      'rollback',
    ],
  },
  {
    name: 'a name made of a value that is cut',
    steps: ['begin', told("execute 'create temp table \"' || (select max(ssn) from customers) || repeat('x', 80) || '\" ()'"), 'rollback'],
  },
  {
    name: 'what comes with DROP … CASCADE',
    steps: [
      'begin',
      told(
        "execute format('create domain %I as text', (select max(ssn) from customers)); execute format('create table x_t (v %I)', (select max(ssn) from customers)); execute format('drop domain %I cascade', (select max(ssn) from customers))",
      ),
      'rollback',
    ],
  },
  {
    name: 'plans and statements that the server prints for debugging',
    steps: [
      'set client_min_messages = debug5',
      'set debug_print_plan = on',
      'set debug_print_parse = on',
      "set log_statement = 'all'",
      told("perform 1 from customers where false; execute 'select ' || quote_literal(max(ssn)) from customers"),
    ],
  },
  {
    name: 'auto_explain of what code runs',
    steps: [
      "load 'auto_explain'",
      'set auto_explain.log_min_duration = 0',
      'set auto_explain.log_nested_statements = on',
      'set client_min_messages = log',
      told("execute 'select ' || quote_literal(max(ssn)) from customers"),
    ],
  },
  { name: 'ANALYZE VERBOSE and VACUUM VERBOSE', steps: ['analyze verbose customers', 'vacuum verbose customers'], silent: true },
]);
