import type { Completion, Operation, ResultSample } from '../core/operation.ts';

/**
 * The three lines of a statement, as `eventSchema` reads them, without their line feed. They are put together as text: an object for `JSON.stringify` takes twice
 * as long, and these lines are a good part of what a statement costs.
 */
export function decidedLine(atMs: number, operation: Operation, decision: 'allow' | 'deny', code: string | undefined): string {
  const text = cut(operation.text, maxTextLength);
  const parameters = operation.parameters === undefined ? undefined : cutCells(operation.parameters, new Budget());
  const isWhole = text === operation.text && parameters?.length === operation.parameters?.length;
  let line = `{"at":${atMs},"event":"decided","operation":${JSON.stringify(operation.id)},"decision":"${decision}"`;
  if (code !== undefined) line += `,"code":${JSON.stringify(code)}`;
  line += `,"text":${JSON.stringify(text)},"text_exact":${operation.textIsExact && isWhole}`;
  if (parameters !== undefined) line += `,"parameters":${JSON.stringify(parameters)}`;
  return `${line}}`;
}

export function sampleLine(atMs: number, { operationId, columns, rows }: ResultSample): string {
  const budget = new Budget();
  const names = JSON.stringify(columns.map((name) => cut(name, maxCellLength)));
  const cells = JSON.stringify(rows.slice(0, maxSampleRows).map((row) => cutCells(row, budget)));
  return `{"at":${atMs},"event":"sample","operation":${JSON.stringify(operationId)},"columns":${names},"rows":${cells}}`;
}

export function completedLine(atMs: number, completion: Completion, durationMs: number): string {
  const { operationId, outcome, errorCode, rows, bytes, masked } = completion;
  let line = `{"at":${atMs},"event":"completed","operation":${JSON.stringify(operationId)},"outcome":"${outcome}"`;
  if (errorCode !== undefined) line += `,"error_code":${JSON.stringify(errorCode)}`;
  return `${line},"rows":${rows},"bytes":${bytes},"duration_ms":${durationMs},"masked":${JSON.stringify(masked)}}`;
}

/** Cells until the budget is spent; each cut to its own limit. */
function cutCells(cells: readonly (string | null)[], budget: Budget): (string | null)[] {
  const kept: (string | null)[] = [];
  for (const cell of cells) {
    if (budget.left <= 0) break;
    const value = cell === null ? null : cut(cell, maxCellLength);
    budget.left -= (value?.length ?? 0) + 1;
    kept.push(value);
  }
  return kept;
}

function cut(text: string, maxLength: number): string {
  return text.length <= maxLength ? text : `${text.slice(0, maxLength)}…`;
}

/** How much text the cells of one line may still hold, in UTF-16 units, so that no line grows beyond what readers accept. */
class Budget {
  left = 1_048_576;
}

/** UTF-16 units. A statement's exact bytes are bound by the audit record's digest, not by the recording. */
const maxTextLength = 262_144;
const maxCellLength = 16_384;
const maxSampleRows = 100;
