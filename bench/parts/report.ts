/** One line on standard error, replaced by the next where that is a terminal. */
export function progress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\u001B[K${text}`);
  else process.stderr.write(`${text}\n`);
}

/** Nothing is under way any more. */
export function progressDone(): void {
  if (process.stderr.isTTY) process.stderr.write('\r\u001B[K');
}

export function heading(text: string): void {
  process.stdout.write(`\n${text}\n${'-'.repeat(text.length)}\n`);
}

export function line(text: string): void {
  process.stdout.write(`${text}\n`);
}

/** Columns as wide as they need to be; the first one to the left, the others to the right. */
export function table(head: readonly string[], rows: readonly (readonly string[])[], left: ReadonlySet<number> = new Set([0])): void {
  const widths = head.map((title, index) => Math.max(title.length, ...rows.map((row) => (row[index] ?? '').length)));
  for (const row of [head, ...rows]) {
    const cells = row.map((cell, index) => (left.has(index) ? cell.padEnd(widths[index] ?? 0) : cell.padStart(widths[index] ?? 0)));
    line(cells.join('  ').trimEnd());
  }
}

/** A number for people: three digits that mean something; a dash where there is none. */
export function number(value: number, digits = 0): string {
  return Number.isFinite(value) ? value.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits }) : '–';
}
