import { heading, number, table } from '../parts/report.ts';
import { masked, relay, unmasked, type BulkFigures } from './bulk.ts';
import type { PostgresFigures } from './index.ts';
import type { QueryMode } from './pgbench.ts';
import type { StatementFigures } from './statements.ts';
import type { PathName } from './world.ts';

export interface Verdict {
  readonly figure: string;
  readonly goal: string;
  readonly measured: string;
  readonly met: boolean;
  /** What the relays have that do nothing, or nothing but keep bare records: nobody does better on `node:net`. Undefined where it cannot be compared. */
  readonly bare?: { readonly relay: Bare; readonly records?: Bare };
}

interface Bare {
  readonly measured: string;
  readonly met: boolean;
}

/** What we want to reach, beside what was measured. What was not measured is left out. */
export function verdicts(figures: PostgresFigures): readonly Verdict[] {
  const { statements, bulk, shapes, idle, workers, log } = figures;
  return [
    ...(statements === undefined ? [] : statementVerdicts(statements)),
    ...(bulk === undefined ? [] : bulkVerdicts(bulk)),
    ...(shapes === undefined
      ? []
      : [
          atMost('first statement of a new shape, added, p50', 1_000, shapes.addedP50Us, 'µs'),
          atMost('first statement of a new shape, added, p99', 3_000, shapes.addedP99Us, 'µs'),
        ]),
    ...(idle === undefined
      ? []
      : [atMost(`memory of an idle session (${number(idle.sessions)} held)`, 40, idle.kilobytesPerSession, 'KB')]),
    ...(workers ?? []).map(({ mode, ratio, most }) =>
      atLeast(`two workers ÷ one, ${mode} (at most ${number(most, 2)} on these cores)`, 1.7, ratio),
    ),
    ...(log === undefined
      ? []
      : [
          atLeast('durable appends, 64 waiting, ÷ a bare file', 0.7, log.toRaw),
          atLeast('verified records a second', 50_000, log.verifiedPerSecond, 0),
        ]),
  ];
}

export function printVerdicts(found: readonly Verdict[]): void {
  heading('Goals');
  table(
    ['figure', 'goal', 'measured', 'bare relay', 'with bare records', ''],
    found.map((one) => [
      one.figure,
      one.goal,
      one.measured,
      one.bare?.relay.measured ?? '–',
      one.bare?.records?.measured ?? '–',
      verdictOf(one),
    ]),
  );
}

function verdictOf({ measured, met, bare }: Verdict): string {
  if (met) return 'met';
  // A run that is too short for CPU to be read.
  if (measured.startsWith('–')) return 'not measured';
  if (bare?.relay.met === false) return 'NOT MET, nor by the relay';
  return bare?.records?.met === false ? 'NOT MET, nor by the relay with records' : 'NOT MET';
}

function statementVerdicts({ cases, fdatasyncUs }: StatementFigures): readonly Verdict[] {
  const found = cases.flatMap(({ mode, clients, paths }) => {
    const throughput = (name: string, goal: number, path: 'sallyport process' | 'sallyport disk'): Verdict =>
      besideRelays((one) => atLeast(`${mode}, ${clients} clients, ${name}, ÷ pgbouncer`, goal, paths[one].toPgbouncer), path);
    const cpu = (one: PathName): Verdict =>
      atMost(`${mode}, ${clients} clients, CPU a statement ÷ pgbouncer`, 1.3, paths[one].cpuUs / paths.pgbouncer.cpuUs, '');
    return [
      throughput('audit process', clients === 1 ? 0.95 : 0.9, 'sallyport process'),
      besideRelays(cpu, 'sallyport process'),
      ...(clients === 32 ? [throughput('audit disk', 0.8, 'sallyport disk')] : []),
    ];
  });
  const p50 = (mode: QueryMode, path: PathName): number | undefined =>
    cases.find((one) => one.mode === mode && one.clients === 1)?.paths[path].p50Us;
  for (const mode of ['simple', 'prepared'] as const) {
    const direct = p50(mode, 'direct');
    if (direct === undefined) continue;
    const limit = 1.3 * fdatasyncUs + 80;
    const name = `${mode}, 1 client, audit disk: added latency p50 (1.3 × fdatasync of ${number(fdatasyncUs)} µs + 80 µs)`;
    found.push(besideRelays((path) => atMost(name, limit, (p50(mode, path) ?? Number.NaN) - direct, 'µs'), 'sallyport disk'));
  }
  return found;
}

/** The verdict on one path, with what it would be on the relays. */
function besideRelays(verdict: (path: PathName) => Verdict, path: 'sallyport process' | 'sallyport disk'): Verdict {
  const of = (name: PathName): Bare => {
    const { measured, met } = verdict(name);
    return { measured, met };
  };
  const records = path === 'sallyport disk' ? 'relay, records disk' : 'relay, records process';
  return { ...verdict(path), bare: { relay: of('node relay'), records: of(records) } };
}

function bulkVerdicts(bulk: readonly BulkFigures[]): readonly Verdict[] {
  const of = (name: string): BulkFigures | undefined => bulk.find((one) => one.name === name);
  const throughput = (name: string): Verdict => atLeast('large result, unmasked, ÷ HAProxy', 0.95, of(name)?.toHaproxy ?? Number.NaN);
  const { measured, met } = throughput(relay);
  return [
    { ...throughput(unmasked), bare: { relay: { measured, met } } },
    atLeast('large result, one text column masked, ÷ unmasked', 0.5, of(masked)?.toUnmasked ?? Number.NaN),
  ];
}

function atLeast(figure: string, goal: number, measured: number, digits = 2): Verdict {
  return { figure, goal: `≥ ${number(goal, digits)}`, measured: number(measured, digits), met: measured >= goal };
}

function atMost(figure: string, goal: number, measured: number, unit: string): Verdict {
  const digits = unit === '' ? 2 : 0;
  return {
    figure,
    goal: `≤ ${number(goal, digits)} ${unit}`.trim(),
    measured: `${number(measured, digits)} ${unit}`.trim(),
    met: measured <= goal,
  };
}
