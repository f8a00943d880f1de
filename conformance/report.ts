import { line, progressDone, table } from '../bench/parts/report.ts';
import { isGreen, type Part, type PartOptions, type PartReport } from './part.ts';

/** Runs the parts and prints one table. True where nothing differs unexplained. */
export async function runParts(parts: readonly Part[], options: PartOptions): Promise<boolean> {
  const reports: (readonly [Part, PartReport])[] = [];
  for (const part of parts) reports.push([part, await part.run(options)]);
  progressDone();
  if (reports.every(([, { rows }]) => rows.length === 0)) throw new Error(`nothing is called ${options.only.join(' or ')}`);
  const heads = ['part', 'what', 'control', 'gateway', ''];
  const left = new Set(heads.keys());
  const rows = reports.flatMap(([part, report]) =>
    report.rows.map(({ name, control, verdict, reason }) => [part.name, name, control, verdict, firstLine(reason ?? '')]),
  );
  table(heads, rows, left);
  line('');
  const counted = reports.map(([part, report]) => [part.name, ...counts(report)]);
  table(['part', 'compared', 'same', 'exceptions', 'unexplained', 'transparent'], counted);
  for (const [part, { notes }] of reports) for (const note of notes) line(`${part.name}: ${note}`);
  return reports.every(([, report]) => isGreen(report));
}

function counts({ rows }: PartReport): readonly string[] {
  const of = (verdict: string): number => rows.filter((row) => row.verdict === verdict).length;
  const [same, explained] = [of('same'), of('exception')];
  const share = rows.length === 0 ? '–' : `${((100 * same) / rows.length).toFixed(1)} %`;
  return [String(rows.length), String(same), String(explained), String(rows.length - same - explained), share];
}

function firstLine(text: string): string {
  return text.split('\n', 1)[0] ?? '';
}
