import { spawnSync } from 'node:child_process';
import { connectionString } from './connection.ts';
import { paint } from './paint.ts';
import type { Holder, Passes } from './passes.ts';
import type { DemoWorld } from './world.ts';

/** What to type, for people who want to try it: every line that is coloured can be pasted into bash or psql as it is. */
export function invitation(world: DemoWorld, passes: Passes): readonly string[] {
  const psql = (holder: Holder, user: string): readonly string[] => [
    `PGPASSWORD=$(cat ${passes.tokenFile(holder)}) psql \\`,
    `  "${connectionString(world, user).replace(' sslmode', ' \\\n   sslmode')}"`,
  ];
  return [
    ...section('1  You are a CI job: its own token is the password, nothing else is secret'),
    ...(hasPsql() ? [] : ['   (psql is not installed here; any PostgreSQL driver takes the same settings)', '']),
    ...paste(psql('pipeline', 'ci')),
    '',
    ...tries,
    ...(world.crmUrl === undefined ? [] : overHttp(world, world.crmUrl, passes)),
    ...(world.machine === undefined ? [] : overSsh(passes)),
    ...section('2  In a second terminal you are Erin, a database administrator'),
    ...paste([
      `source ${passes.shellFile('erin')}`,
      'sallyport approvals list',
      `id=$(sallyport approvals list | awk 'NR == 2 { print $1 }')`,
      'sallyport approvals show $id',
      'sallyport approvals approve $id --reason "ticket OPS-114"',
    ]),
    ...section('3  In a third one you are Omar of the fraud desk: card numbers are clear, SSNs are not'),
    ...paste([
      ...psql('omar', 'omar').slice(0, -1),
      `${psql('omar', 'omar').at(-1)} \\`,
      `  -c 'select pan from cards limit 3' -c 'select ssn from customers limit 3'`,
    ]),
    ...section('4  And Uma, an auditor'),
    ...paste([
      `source ${passes.shellFile('uma')}`,
      'sallyport sessions list',
      `sallyport sessions replay $(sallyport sessions list | awk 'NR == 2 { print $1 }')`,
      'sallyport audit query --type approval.requested,approval.answered',
      `sallyport audit verify ${world.folder}/data/audit \\`,
      `  --public-key ${passes.logKeyFile}`,
    ]),
    ...section('The parts'),
    `   policies  ${world.folder}/policies (edit them: they are reloaded)`,
    `   settings  ${world.configFile}`,
    `   API       ${world.apiUrl} (/openapi.json describes it)`,
    `   issuer    ${world.issuer.url}, for development: it asks nobody for a password`,
    '',
    paint('bold', 'Ctrl-C stops everything and removes the folder.'),
  ];
}

function overHttp(world: DemoWorld, url: string, passes: Passes): readonly string[] {
  const curl = (...words: readonly string[]): readonly string[] =>
    paste([
      `curl --cacert ${world.authorityFile} -H "Authorization: Bearer $(cat ${passes.tokenFile('pipeline')})" \\`,
      `  ${words.join(' ')}`,
    ]);
  return [
    paint('dim', '   the same over HTTP: an API whose key the job never sees'),
    ...curl(`${url}/customers/7`),
    paint('dim', '   refused, and by which policy'),
    ...curl('-X DELETE', `${url}/customers/7`),
  ];
}

function overSsh(passes: Passes): readonly string[] {
  return [
    paint('dim', '   a server over SSH, with a key that lives for minutes: its log comes masked'),
    ...paste([`source ${passes.shellFile('pipeline')}`, 'sallyport connect app-1 -- tail -n 3 app.log']),
    paint('dim', '   refused: a pipe could hide what it shows'),
    ...paste([`sallyport connect app-1 -- 'tail -n 3 app.log | base64'`]),
    paint('dim', '   waits for someone on call'),
    ...paste(['sallyport connect app-1 -- systemctl restart app']),
  ];
}

const tries: readonly string[] = [
  ...tryIn('sensitive columns come masked', 'select id, name, ssn, profile from customers order by id limit 3;'),
  ...tryIn('a new name, a cast, an expression do not help', "select ssn as note, ssn::text, reverse(ssn) || '' from customers limit 3;"),
  ...tryIn('nor does an error that quotes the value', 'select ssn::int from customers;'),
  ...tryIn('refused, and by which policy', 'drop table payments;'),
  ...tryIn('every row of a table: waits for a DBA', 'begin; delete from payments;', 'rollback;'),
];

function tryIn(why: string, ...statements: readonly string[]): readonly string[] {
  return [paint('dim', `   ${why}`), ...paste(statements)];
}

function section(title: string): readonly string[] {
  return ['', paint('bold', title), ''];
}

function paste(lines: readonly string[]): readonly string[] {
  return lines.flatMap((line) => line.split('\n')).map((line) => `     ${paint('cyan', line)}`);
}

function hasPsql(): boolean {
  return spawnSync('psql', ['--version']).status === 0;
}
