import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { binaries, shown, tool, type Shown, type ToolCase, type Workplace } from './case.ts';
import { sorted } from './server-tools.ts';

/** pg_dump refuses a server that is newer than itself, and npm's PostgreSQL 18 comes without one. */
const old = { version: 15, because: 'pg_dump 15 refuses a newer server' } as const;

export const dumpCases: readonly ToolCase[] = [
  dump('plain', []),
  dump('--create --clean --if-exists', ['--create', '--clean', '--if-exists']),
  { ...dump('--schema-only', ['--schema-only']), quick: true },
  { ...dump('--schema-only, masked', ['--schema-only']), at: 'masked' },
  dump('--data-only', ['--data-only']),
  dump('--inserts', ['--inserts']),
  dump('--column-inserts --rows-per-insert', ['--column-inserts', '--rows-per-insert=10', '-n', 'things']),
  { ...dump('-t', ['-t', 'things.plain', '-t', 'things.numbers']), quick: true },
  dump('--serializable-deferrable', ['--serializable-deferrable', '-n', 'things']),
  {
    name: 'pg_dump, masked',
    at: 'masked',
    only: old,
    exception: {
      reason: 'COPY of a masked column is refused; --inserts, or leaving the columns’ tables out, dumps what may be seen',
      expected: (_, gateway) => /COPY would show data class "account-number"/.test(joined(gateway)),
    },
    run: async (at) => shown({ dump: await tool(at, `${binaries}/pg_dump`, ['-f', join(at.folder, 'plain.sql')]) }),
  },
  {
    name: 'pg_dump --inserts, masked',
    at: 'masked',
    only: old,
    exception: {
      reason: 'the values of masked columns are masked, and nothing else is different',
      expected: (direct, gateway) => onlyMasked(joined(direct), joined(gateway)),
    },
    run: async (at) => shown({ dump: await tool(at, `${binaries}/pg_dump`, ['--inserts', '-t', 'customers', '-t', 'cards']) }),
  },
  { name: 'pg_dump -Fc, pg_restore into a fresh database, pg_dump', only: old, run: (at) => thereAndBack(at, ['-Fc']) },
  { name: 'pg_dump -Fd -j 2, pg_restore -j 2, pg_dump', only: old, run: (at) => thereAndBack(at, ['-Fd', '-j', '2'], ['-j', '2']) },
  {
    name: 'pg_dumpall --globals-only',
    only: old,
    run: async (at) => {
      const { dbname } = await at.place();
      return shown({
        globals: await tool(at, `${binaries}/pg_dumpall`, ['--globals-only', '--no-role-passwords', '-l', dbname]),
      });
    },
  },
];

function dump(name: string, parameters: readonly string[]): ToolCase {
  return {
    name: `pg_dump ${name}`,
    only: old,
    run: async (at) => {
      const file = join(at.folder, 'dump.sql');
      const ran = await tool(at, `${binaries}/pg_dump`, [...parameters, '-f', file]);
      return shown({ ran, dump: withoutKeys(readFileSync(file, 'utf8')) });
    },
  };
}

/** The archive restored from here into a database made for it, which is then dumped from here. */
async function thereAndBack(at: Workplace, format: readonly string[], jobs: readonly string[] = []): Promise<Shown> {
  const archive = join(at.folder, 'archive');
  const parts: Record<string, string> = { dump: await tool(at, `${binaries}/pg_dump`, [...format, '-f', archive]) };
  parts['list'] = (await tool(at, `${binaries}/pg_restore`, ['-l', archive])).replace(/^; .*$/gm, '');
  await at.server.query('create database restored owner gateway');
  try {
    const { dbname } = await at.place('restored');
    // pg_trgm is an extension that only a superuser may comment on: the same complaint from everywhere.
    parts['restore'] = await tool(at, `${binaries}/pg_restore`, [...jobs, '-d', dbname, archive], { database: 'restored' });
    parts['dumped again'] = withoutKeys(await tool(at, `${binaries}/pg_dump`, [], { database: 'restored' }));
    parts['analyzed'] = sorted(await tool(at, `${binaries}/vacuumdb`, ['--analyze-only'], { database: 'restored' }));
  } finally {
    await at.server.query('drop database restored with (force)');
  }
  return shown(parts);
}

function withoutKeys(text: string): string {
  return text.replace(/^\\(un)?restrict .*$/gm, '\\$1restrict KEY');
}

function joined(parts: Shown): string {
  return [...parts.values()].join('\n');
}

/** Line by line: the same, or the same once what looks like an SSN or a card number is taken out of one and what masks it out of the other. */
function onlyMasked(direct: string, gateway: string): boolean {
  const hidden = direct.replace(/\b\d{3}-\d{2}-(?=\d{4}\b)/g, '***-**-').replace(/'\d{12}(\d{4})'/g, "'************$1'");
  return gateway !== direct && gateway.replace(/^.*NOTICE: {2}masked.*\n/gm, '').trim() === hidden.trim();
}
