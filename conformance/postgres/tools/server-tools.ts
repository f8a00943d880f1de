import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { binaries, shown, tool, type Shown, type ToolCase, type Workplace } from './case.ts';

/** The other programs of Debian's PostgreSQL client package. */
export const serverToolCases: readonly ToolCase[] = [
  { name: 'pg_isready', quick: true, run: async (at) => shown({ ready: await tool(at, `${binaries}/pg_isready`, []) }) },
  {
    name: 'createdb, dropdb',
    quick: true,
    run: async (at) => {
      const { dbname } = await at.place();
      const maintenance = `--maintenance-db=${dbname}`;
      const listed = async (): Promise<string> =>
        JSON.stringify((await at.server.query("select datname from pg_database where datname = 'made'")).rows);
      return shown({
        createdb: await tool(at, `${binaries}/createdb`, [maintenance, '-T', 'template0', 'made', 'A comment']),
        made: await listed(),
        inside: await tool(at, `${binaries}/psql`, ['-XAt', '-c', "select current_database() = 'made'"], { database: 'made' }),
        again: await tool(at, `${binaries}/createdb`, [maintenance, 'made']),
        dropdb: await tool(at, `${binaries}/dropdb`, [maintenance, '--force', 'made']),
        left: await listed(),
      });
    },
  },
  {
    name: 'createuser, dropuser',
    exception: {
      reason:
        'both connect to a database "postgres" that cannot be chosen, and through the gateway that is the name of a target; CREATE ROLE in psql works',
      expected: (_, gateway) => [...gateway.values()].every((text) => text.includes('access to this target is not permitted')),
    },
    run: async (at) =>
      shown({
        createuser: await tool(at, `${binaries}/createuser`, ['--no-login', 'made']),
        dropuser: await tool(at, `${binaries}/dropuser`, ['made']),
      }),
  },
  {
    name: 'vacuumdb',
    run: async (at) =>
      shown({
        one: sorted(await tool(at, `${binaries}/vacuumdb`, ['-t', 'things.plain', '--analyze'])),
        stages: sorted(await tool(at, `${binaries}/vacuumdb`, ['-j', '2', '--analyze-in-stages'])),
        full: sorted(await tool(at, `${binaries}/vacuumdb`, ['--full', '-t', 'things.child'])),
      }),
  },
  {
    name: 'reindexdb, clusterdb',
    run: async (at) =>
      shown({
        table: await tool(at, `${binaries}/reindexdb`, ['-t', 'things.plain']),
        concurrently: await tool(at, `${binaries}/reindexdb`, [
          '--concurrently',
          '-j',
          '2',
          '-t',
          'things.plain',
          '-i',
          'things.plain_name',
        ]),
        schema: await tool(at, `${binaries}/reindexdb`, ['-S', 'things']),
        cluster: await tool(at, `${binaries}/clusterdb`, ['-t', 'things.plain']),
      }),
  },
  {
    name: 'vacuumlo',
    exception: {
      reason: 'it removes large objects by the function call message, which is refused; lo_unlink() works in SQL',
      expected: (_, gateway) => /the function call message is refused/.test([...gateway.values()].join('\n')),
    },
    run: async (at) => {
      await at.server.query('set role gateway; select lo_create(4711)');
      const ran = await tool(at, `${binaries}/vacuumlo`, ['-v', (await at.place()).dbname]);
      const { rows } = await at.server.query('select lo_unlink(oid) from pg_largeobject_metadata where oid = 4711');
      return shown({ ran, left: String(rows.length) });
    },
  },
  ...['simple', 'extended', 'prepared'].map((protocol): ToolCase => ({
    name: `pgbench, ${protocol}`,
    run: (at) => pgbench(at, protocol),
  })),
];

/** Which numbers come out is chance; that each transaction ran, and what it left, is not. */
async function pgbench(at: Workplace, protocol: string): Promise<Shown> {
  const script = join(at.folder, 'script.sql');
  writeFileSync(script, pgbenchScript);
  const program = `${binaries}/pgbench`;
  const made = await tool(at, program, ['-i', '-s', '1', '-I', 'dtGvpf']);
  const run = async (...more: string[]): Promise<string> =>
    (await tool(at, program, ['-n', '-M', protocol, '-c', '4', '-j', '2', '-t', '25', ...more]))
      .split('\n')
      .filter((line) => /^status|actually processed|failed transactions/.test(line))
      .join('\n');
  try {
    return shown({
      made: made.replace(/^.*(done in|elapsed).*$/gm, ''),
      'TPC-B mix': await run(),
      'simple update': await run('-N'),
      reads: await run('-S'),
      'a script with \\gset, \\if, \\sleep and pipelines': await run(
        '-f',
        script,
        ...(protocol === 'simple' ? ['-D', 'simple=1'] : ['-D', 'simple=0']),
      ),
      left: JSON.stringify((await at.server.query('select count(*) as history from pgbench_history')).rows),
    });
  } finally {
    await tool(at, program, ['-i', '-I', 'd']);
  }
}

const pgbenchScript = String.raw`
\set aid random(1, 1000)
begin;
select abalance from pgbench_accounts where aid = :aid \gset
\if :simple
select :abalance + 1;
\else
\startpipeline
select 1;
update pgbench_accounts set abalance = abalance + 1 where aid = :aid;
select abalance from pgbench_accounts where aid = :aid;
\endpipeline
\endif
\sleep 1 ms
end;
`;

/** What tools do to many tables, or over several connections, they tell in no order. */
export function sorted(text: string): string {
  return text.split('\n').sort().join('\n');
}
