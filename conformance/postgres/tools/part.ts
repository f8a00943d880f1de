import { rmSync } from 'node:fs';
import { progress } from '../../../bench/parts/report.ts';
import { ensureDebian, testPackages } from '../../parts/debian.ts';
import type { Part, PartOptions, PartReport, PartRow } from '../../part.ts';
import { folderFor, type Shown, type ToolCase, type Workplace } from './case.ts';
import { dumpCases } from './dump.ts';
import { npmCases } from './npm.ts';
import { psqlCases } from './psql.ts';
import { serverToolCases } from './server-tools.ts';
import { startToolWorld, type ToolServer, type ToolWorld } from './world.ts';

export const toolCases: readonly ToolCase[] = [...psqlCases, ...dumpCases, ...serverToolCases, ...npmCases];

/** What people do with psql, pg_dump and the like, directly and through a gateway that allows everything. */
export const tools: Part = {
  name: 'tools',
  about:
    'psql, pg_dump, pg_restore, pgbench, createdb, vacuumdb; Drizzle, Knex, Sequelize, TypeORM and node-pg-migrate; on PostgreSQL 18 and 15',
  run,
};

async function run({ only }: PartOptions): Promise<PartReport> {
  ensureDebian(testPackages);
  const cases = toolCases.filter(({ name }) => only.length === 0 || only.includes(name));
  if (cases.length === 0) return { rows: [], notes: [] };
  progress('tools: two banks behind a gateway');
  const world = await startToolWorld();
  const rows: PartRow[] = [];
  const notes: string[] = [];
  try {
    for (const server of world.servers) {
      for (const one of cases) {
        if (one.only !== undefined && one.only.version !== server.version) {
          notes.push(`${one.name}, ${server.name}: left out, ${one.only.because}`);
          continue;
        }
        progress(`tools: ${one.name}, ${server.name}`);
        rows.push(...(await compare(world, server, one)));
      }
    }
  } finally {
    await world.close();
  }
  return { rows, notes };
}

/** A row for each part of what the tool showed. */
export async function compare(world: ToolWorld, server: ToolServer, one: ToolCase): Promise<readonly PartRow[]> {
  const name = `${one.name}, ${server.name}`;
  const direct = await one.run(workplace(world, server, (database) => server.direct(database)));
  let gateway: Shown;
  try {
    gateway = await one.run(workplace(world, server, (database) => server[one.at ?? 'gateway'](database)));
  } catch (error) {
    return [{ name, control: 'ok', verdict: 'differs', reason: (error as Error).message }];
  }
  if (one.exception !== undefined) {
    if (isSame(direct, gateway)) return [{ name, control: 'ok', verdict: 'no exception' }];
    if (one.exception.expected(direct, gateway)) return [{ name, control: 'ok', verdict: 'exception', reason: one.exception.reason }];
  }
  return [...direct].map(([part, text]): PartRow => {
    const row = { name: direct.size === 1 || part === '' ? name : `${name}: ${part}`, control: 'ok' };
    const through = gateway.get(part);
    if (through === text) return { ...row, verdict: 'same' };
    return { ...row, verdict: 'differs', reason: firstDifference(text, through ?? '') };
  });
}

function workplace(world: ToolWorld, server: ToolServer, reach: (database: string) => ReturnType<Workplace['place']>): Workplace {
  const folder = folderFor(world.scratch, 'work');
  rmSync(folder, { recursive: true, force: true });
  return { server, folder: folderFor(world.scratch, 'work'), place: (database = 'orders') => reach(database) };
}

function isSame(direct: Shown, gateway: Shown): boolean {
  return [...direct].every(([part, text]) => gateway.get(part) === text);
}

function firstDifference(direct: string, gateway: string): string {
  const [before, after] = [direct.split('\n'), gateway.split('\n')];
  const at = before.findIndex((line, index) => line !== after[index]);
  const index = at < 0 ? before.length : at;
  return `line ${index + 1}: ${JSON.stringify(before[index] ?? '')} became ${JSON.stringify(after[index] ?? '')}`.slice(0, 500);
}
