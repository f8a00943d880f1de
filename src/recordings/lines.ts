import { cut } from '../core/cut.ts';
import type { Completion, Operation, ResultSample } from '../core/operation.ts';

/**
 * The three lines of a statement, as `eventSchema` reads them, without their line feed. They are put together as text: objects for `JSON.stringify` take
 * half as long again, and these lines are a good part of what a statement costs.
 */
export function decidedLine(atMs: number, operation: Operation, decision: 'allow' | 'deny', code: string | undefined): string {
  const budget = new Budget();
  const text = cut(operation.text, maxTextLength);
  const parameters = operation.parameters === undefined ? '' : `,"parameters":${cellsOf(operation.parameters, budget)}`;
  const runs = operation.runs === undefined ? '' : `,"runs":${cellsOf(operation.runs, budget)}`;
  const isExact = operation.textIsExact && text === operation.text && !budget.isShort;
  const why = code === undefined ? '' : `,"code":${JSON.stringify(code)}`;
  const what = `"operation":${JSON.stringify(operation.id)},"decision":"${decision}"${why}`;
  return `{"at":${atMs},"event":"decided",${what},"text":${JSON.stringify(text)},"text_exact":${isExact}${runs}${parameters}}`;
}

export function sampleLine(atMs: number, { operationId, columns, rows }: ResultSample): string {
  const budget = new Budget();
  const names = cellsOf(columns, new Budget());
  let cells = '';
  for (let i = 0; i < rows.length && i < maxSampleRows; i++) cells += `${i === 0 ? '' : ','}${cellsOf(rows[i]!, budget)}`;
  return `{"at":${atMs},"event":"sample","operation":${JSON.stringify(operationId)},"columns":${names},"rows":[${cells}]}`;
}

export function completedLine(atMs: number, completion: Completion, durationMs: number): string {
  const { operationId, outcome, errorCode, rows, bytes, masked } = completion;
  const why = errorCode === undefined ? '' : `,"error_code":${JSON.stringify(errorCode)}`;
  const what = `"operation":${JSON.stringify(operationId)},"outcome":"${outcome}"${why}`;
  const counts = `"rows":${rows},"bytes":${bytes},"duration_ms":${durationMs},"masked":${JSON.stringify(masked)}`;
  return `{"at":${atMs},"event":"completed",${what},${counts}}`;
}

/** A JSON array of cells until the budget is spent; each cut to its own limit. */
function cellsOf(cells: readonly (string | null)[], budget: Budget): string {
  let json = '';
  for (const cell of cells) {
    if (budget.left <= 0) {
      budget.isShort = true;
      break;
    }
    budget.left -= 1 + (cell === null ? 0 : Math.min(cell.length, maxCellLength));
    json += `${json === '' ? '' : ','}${cell === null ? 'null' : JSON.stringify(cut(cell, maxCellLength))}`;
  }
  return `[${json}]`;
}

/** How much text the cells of one line may still hold, in UTF-16 units, so that no line grows beyond what readers accept. */
class Budget {
  left = 1_048_576;
  /** Something was left out. */
  isShort = false;
}

/** UTF-16 units. A statement's exact bytes are bound by the audit record's digest, not by the recording. */
const maxTextLength = 262_144;
const maxCellLength = 16_384;
const maxSampleRows = 100;
