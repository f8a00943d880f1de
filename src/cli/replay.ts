import { oneLine, printable, printableLines } from './terminal.ts';

/** One line of a session's recording (JSON, `docs/reference/recordings.md`) as lines for people; what is not known is shown as it is. */
export function replayLine(line: string): readonly string[] {
  if (line.trim() === '') return [];
  const event = parse(line);
  if (event === undefined) return [`?  ${oneLine(line, 400)}`];
  const { type, kind, time, at, text, columns, rows, ...rest } = event;
  const head = [time ?? at, type ?? kind].filter((part) => part !== undefined).map((part) => printable(String(part)));
  const members = Object.entries(rest)
    .filter(([, value]) => value !== undefined && value !== null && value !== '')
    .map(([name, value]) => `${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`);
  const lines = [`${head.join('  ')}  ${oneLine(members.join(' '), 300)}`.trimEnd()];
  if (typeof text === 'string') lines.push(...printableLines(text).map((part) => `    ${part}`));
  if (Array.isArray(columns) && Array.isArray(rows))
    lines.push(
      ...table(
        columns.map(String),
        rows.filter((row) => Array.isArray(row)),
      ),
    );
  return lines;
}

function table(columns: readonly string[], rows: readonly (readonly unknown[])[]): string[] {
  const cells = [columns, ...rows.map((row) => row.map((cell) => (cell === null ? 'NULL' : String(cell))))].map((row) =>
    row.map((cell) => oneLine(cell, 40)),
  );
  const widths = columns.map((_, column) => Math.max(...cells.map((row) => row[column]?.length ?? 0)));
  return cells.map((row) => `    ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')}`.trimEnd());
}

function parse(line: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}
