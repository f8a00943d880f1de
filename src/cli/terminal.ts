import { GatewayFault } from '../core/fault.ts';
import { escapeLine } from '../core/escape.ts';
import { Failure } from './failure.ts';

/**
 * The only way of the command line to the terminal. Everything that came from elsewhere is escaped on its way: a statement may hold
 * bytes that move the cursor, set the title or reorder what a reviewer reads.
 */
export const printable = escapeLine;

/** As `printable`, but line breaks stay and tabs become spaces: for text shown as a block. */
export function printableLines(text: string): string[] {
  return text.split('\n').map((line) => printable(line.replaceAll('\t', '    ').replace(/\r$/, '')));
}

/** Somebody else's text as a block of its own, further in than every line of ours. */
export function printBlock(text: string): void {
  for (const line of printableLines(text)) printBroken(`  ${line}`);
}

/** A line that may hold somebody else's text. */
export function printBroken(line: string): void {
  for (const piece of brokenLine(line, 2, process.stdout.columns)) print(piece);
}

/**
 * A line in pieces of at most the terminal's width, all but the first so many columns further in: one that the terminal breaks goes on at its
 * left edge, where it could pass for a line of ours. `columns` undefined: no terminal. A character may take two columns.
 */
export function brokenLine(line: string, indent: number, columns: number | undefined): readonly string[] {
  // oxlint-disable-next-line no-control-regex
  const each = /^[\u0000-\u007f]*$/.test(line) ? 1 : 2;
  if (columns === undefined || line.length * each <= columns) return [line];
  const characters = Array.from(line);
  const size = Math.max(1, Math.floor((columns - indent) / each));
  const pieces = [characters.slice(0, indent + size).join('')];
  for (let at = indent + size; at < characters.length; at += size)
    pieces.push(' '.repeat(indent) + characters.slice(at, at + size).join(''));
  return pieces;
}

/** One line, at most `width` characters. */
export function oneLine(text: string, width: number): string {
  const line = printable(text.replaceAll(/\s+/g, ' ').trim());
  return line.length <= width ? line : `${line.slice(0, Math.max(0, width - 1))}…`;
}

/**
 * A statement on one line, what it runs by name before it and in quotation marks: no text begins like that and is a statement, so that none can
 * pass for another one that runs by name.
 */
export function statementLine({ text, runs }: { readonly text: string; readonly runs: readonly string[] }, width: number): string {
  if (runs.length === 0) return oneLine(text, width);
  const behind = runs.map((each) => JSON.stringify(each.replaceAll(/\s+/g, ' ').trim())).join(', ');
  return oneLine(`runs ${behind} by ${text}`, width);
}

export function print(line = ''): void {
  process.stdout.write(`${line}\n`);
}

/** For people while they wait; keeps standard output for data. */
export function note(line: string): void {
  process.stderr.write(`${line}\n`);
}

/** JSON escapes every control character below 0x20 by itself; the rest is escaped the JSON way. */
export function printJson(value: unknown, indent = 2): void {
  print(escapeJson(JSON.stringify(value, undefined, indent)));
}

/** JSON as it is stored, byte for byte into a file or pipe (so that its digest can be compared), escaped on a terminal. */
export async function printStoredJson(chunks: AsyncIterable<Uint8Array>): Promise<void> {
  const decoder = new TextDecoder();
  for await (const chunk of chunks)
    process.stdout.write(process.stdout.isTTY ? escapeJson(decoder.decode(chunk, { stream: true })) : chunk);
}

/** Columns aligned with spaces; cells are escaped. The last column is not padded. */
export function printTable(header: readonly string[], rows: readonly (readonly string[])[]): void {
  const cells = [header, ...rows.map((row) => row.map((cell) => printable(cell)))];
  const widths = header.map((_, column) => Math.max(...cells.map((row) => (row[column] ?? '').length)));
  for (const row of cells) {
    printBroken(
      row
        .map((cell, column) => (column === header.length - 1 ? cell : cell.padEnd(widths[column] ?? 0)))
        .join('  ')
        .trimEnd(),
    );
  }
}

/** `Name   value` pairs, one a line. */
export function printFields(fields: readonly (readonly [name: string, value: string])[]): void {
  const width = Math.max(...fields.map(([name]) => name.length));
  for (const [name, value] of fields) printBroken(`${name.padEnd(width)}  ${printable(value)}`);
}

/** One line on standard error and a line that says what to do next; returns the exit code. */
export function printFailure(error: unknown): 1 | 2 {
  const failure = error instanceof Failure ? error : failureOf(error);
  for (const line of failure.lines) note(printable(line));
  note(`sallyport: ${oneLine(failure.message, 1000)}`);
  if (failure.hint !== undefined) note(`hint: ${oneLine(failure.hint, 1000)}`);
  return failure.exitCode;
}

function failureOf(error: unknown): Failure {
  if (error instanceof GatewayFault) {
    const detail = error.detail === error.publicMessage ? '' : `: ${error.detail}`;
    return new Failure(error.publicMessage + detail, { hint: error.hint });
  }
  return new Failure(error instanceof Error ? error.message : String(error));
}

/** `in 4 min`, `12 s ago`. */
export function relativeTime(iso: string, nowMs = Date.now()): string {
  const seconds = Math.round((Date.parse(iso) - nowMs) / 1000);
  const size = Math.abs(seconds);
  const text = size < 90 ? `${size} s` : size < 5400 ? `${Math.round(size / 60)} min` : `${Math.round(size / 3600)} h`;
  return seconds >= 0 ? `in ${text}` : `${text} ago`;
}

function escapeJson(text: string): string {
  return text.replaceAll(unprintableInJson, escapeUnits);
}

function escapeUnits(character: string): string {
  return Array.from({ length: character.length }, (_, index) => `\\u${character.charCodeAt(index).toString(16).padStart(4, '0')}`).join('');
}

/** What JSON leaves as it is and a terminal does not show as it is. JSON's own line breaks stay: those inside strings are escaped already. */
const unprintableInJson = /(?![ \n])[\p{C}\p{Z}\p{Default_Ignorable_Code_Point}\u2800]/gu;
