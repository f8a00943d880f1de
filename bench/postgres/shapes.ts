import { heading, number, progress, progressDone, table } from '../parts/report.ts';
import { percentile } from '../parts/statistics.ts';
import { rawClient, type RawClient } from './client.ts';
import type { World } from './world.ts';

export interface ShapeFigures {
  readonly statements: number;
  /** What the first run of a statement takes longer than its second one does, microseconds, beyond the same difference on the direct way. */
  readonly addedP50Us: number;
  readonly addedP99Us: number;
}

/** Statements that nobody has sent before, each twice: through the gateway and directly. */
export async function benchShapes(world: World, statements: number): Promise<ShapeFigures> {
  const through = await rawClient(world.path('sallyport process'));
  const direct = await rawClient(world.path('direct'));
  const took = { first: [] as number[], again: [] as number[], directFirst: [] as number[], directAgain: [] as number[] };
  try {
    for (let index = 0; index < statements; index += 1) {
      if (index % 50 === 0) progress(`new statements: ${index} of ${statements}`);
      const sql = statementOf(index);
      took.first.push(await timed(through, sql));
      took.again.push(await timed(through, sql));
      took.directFirst.push(await timed(direct, sql));
      took.directAgain.push(await timed(direct, sql));
    }
  } finally {
    through.close();
    direct.close();
    progressDone();
  }
  // At each percentile what the first run takes beyond the second, less what the database itself takes beyond its second.
  const added = (share: number): number =>
    percentile(took.first, share) -
    percentile(took.again, share) -
    Math.max(0, percentile(took.directFirst, share) - percentile(took.directAgain, share));
  return { statements, addedP50Us: added(0.5), addedP99Us: added(0.99) };
}

export function printShapes(figures: ShapeFigures): void {
  heading('The first statement of a new shape: parse, lineage, policy');
  table(
    ['statements', 'added p50 µs', 'added p99 µs'],
    [[number(figures.statements), number(figures.addedP50Us), number(figures.addedP99Us)]],
  );
}

async function timed(client: RawClient, sql: string): Promise<number> {
  const begin = performance.now();
  await client.run(sql);
  return (performance.now() - begin) * 1_000;
}

/** Six kinds in turn, made new by their names. */
function statementOf(index: number): string {
  const name = `x${index}`;
  const kinds = [
    `select aid as ${name}, abalance from pgbench_accounts where aid = 7`,
    `select a.aid as ${name}, b.bbalance from pgbench_accounts a join pgbench_branches b using (bid) where a.aid = 7 and b.bid = 1`,
    `with ${name} as (select tid, tbalance from pgbench_tellers where tid < 5) select max(tbalance) from ${name} where tid > 1`,
    `select case when abalance > 0 then 'a' else 'b' end as ${name} from pgbench_accounts where aid in (1, 2, 3) order by aid desc limit 2`,
    `select count(*) as ${name} from pgbench_tellers t where exists (select 1 from pgbench_branches b where b.bid = t.bid and b.bid < 4)`,
    `select owner as ${name}, payee from ledger where id = 0 and memo like 'standing%' limit 1`,
  ];
  return kinds[index % kinds.length] ?? '';
}
