import { availableParallelism, cpus } from 'node:os';
import { line } from '../parts/report.ts';
import { benchBulk, printBulk, type BulkFigures } from './bulk.ts';
import { printVerdicts, verdicts, type Verdict } from './goals.ts';
import { benchIdle, printIdle, type IdleFigures } from './idle.ts';
import { benchLog, printLog, type LogFigures } from './log.ts';
import { benchShapes, printShapes, type ShapeFigures } from './shapes.ts';
import { benchStatements, printStatements, type StatementFigures } from './statements.ts';
import { benchWorkers, printWorkers, type WorkerFigures } from './workers.ts';
import { startWorld } from './world.ts';

export const sections = ['statements', 'bulk', 'shapes', 'idle', 'workers', 'log'] as const;
export type Section = (typeof sections)[number];

export interface PostgresOptions {
  readonly quick: boolean;
  readonly rounds: number;
  readonly seconds: number;
  readonly sections: readonly Section[];
  readonly profileFolder: string | undefined;
  /** Another checkout, whose gateway is measured. */
  readonly gatewayFolder: string | undefined;
  readonly onClose: (closer: () => Promise<void>) => void;
}

export interface PostgresFigures {
  readonly machine: { readonly cpu: string; readonly cores: number; readonly node: string };
  readonly statements?: StatementFigures;
  readonly bulk?: readonly BulkFigures[];
  readonly shapes?: ShapeFigures;
  readonly idle?: IdleFigures;
  readonly workers?: readonly WorkerFigures[];
  readonly log?: LogFigures;
  readonly goals?: readonly Verdict[];
}

/** Starts everything, measures the sections that are asked for, prints tables. */
export async function benchPostgres(options: PostgresOptions): Promise<PostgresFigures> {
  const { quick, rounds, seconds } = options;
  const asked = (section: Section): boolean => options.sections.includes(section);
  const machine = { cpu: cpus()[0]?.model ?? 'unknown', cores: availableParallelism(), node: process.version };
  line(`${machine.cores} × ${machine.cpu}, Node ${machine.node}; ${rounds} rounds, medians of them; compare ratios, not absolute figures`);
  const world = await startWorld({
    ledgerRows: quick ? 100_000 : 1_000_000,
    profileFolder: options.profileFolder,
    gatewayFolder: options.gatewayFolder,
    onClose: options.onClose,
  });
  const figures: { -readonly [Key in keyof PostgresFigures]: PostgresFigures[Key] } = { machine };
  if (asked('statements')) {
    const cases = quick
      ? { modes: ['simple', 'prepared'], clients: [1, 8] }
      : { modes: ['simple', 'extended', 'prepared'], clients: [1, 8, 32] };
    figures.statements = await benchStatements(world, { rounds, seconds, ...cases } as Parameters<typeof benchStatements>[1]);
    printStatements(figures.statements);
  }
  if (asked('bulk')) printBulk((figures.bulk = await benchBulk(world, rounds)));
  if (asked('shapes')) printShapes((figures.shapes = await benchShapes(world, quick ? 300 : 1_500)));
  if (asked('idle')) printIdle((figures.idle = await benchIdle(world, quick ? 300 : 5_000)));
  if (asked('workers')) printWorkers((figures.workers = await benchWorkers(world, { rounds, seconds })));
  if (asked('log')) printLog((figures.log = await benchLog(world, { rounds, seconds, verified: quick ? 50_000 : 300_000 })));
  figures.goals = verdicts(figures);
  printVerdicts(figures.goals);
  return figures;
}
