import { cut } from '../core/cut.ts';
import type { Completion, Operation, ResultSample } from '../core/operation.ts';

/** A line that is put together when it is written: many then are at once, by code that the processor has at hand, which takes a third of the time. */
export interface Line {
  /** About how long it will be, in UTF-16 units. */
  readonly length: number;
  /** As `eventSchema` reads it, without its line feed. What it is made of must not have changed. */
  compose(): string;
}

/*
 * The three lines of a statement. They are put together as text: objects for `JSON.stringify` take half as long again, and these lines are a good part of what a
 * statement costs. Of the operation only what is shown is kept: the rest may hold on to much.
 */

export class DecidedLine implements Line {
  readonly length: number;
  readonly #atMs: number;
  readonly #id: string;
  readonly #decision: 'allow' | 'deny';
  readonly #code: string | undefined;
  readonly #text: string;
  readonly #textIsExact: boolean;
  readonly #runs: readonly string[] | undefined;
  readonly #parameters: readonly (string | null)[] | undefined;

  constructor(atMs: number, operation: Operation, decision: 'allow' | 'deny', code: string | undefined) {
    const { id, text, textIsExact, runs, parameters } = operation;
    this.length = FIXED + text.length + lengthOf(runs) + lengthOf(parameters);
    this.#atMs = atMs;
    this.#id = id;
    this.#decision = decision;
    this.#code = code;
    this.#text = text;
    this.#textIsExact = textIsExact;
    this.#runs = runs;
    this.#parameters = parameters;
  }

  compose(): string {
    const budget = new Budget();
    const text = cut(this.#text, maxTextLength);
    const parameters = this.#parameters === undefined ? '' : `,"parameters":${cellsOf(this.#parameters, budget)}`;
    const runs = this.#runs === undefined ? '' : `,"runs":${cellsOf(this.#runs, budget)}`;
    const isExact = this.#textIsExact && text === this.#text && !budget.isShort;
    const why = this.#code === undefined ? '' : `,"code":${JSON.stringify(this.#code)}`;
    const what = `"operation":${JSON.stringify(this.#id)},"decision":"${this.#decision}"${why}`;
    return `{"at":${this.#atMs},"event":"decided",${what},"text":${JSON.stringify(text)},"text_exact":${isExact}${runs}${parameters}}`;
  }
}

export class SampleLine implements Line {
  readonly length: number;
  readonly #atMs: number;
  readonly #sample: ResultSample;

  constructor(atMs: number, sample: ResultSample) {
    let length = FIXED + lengthOf(sample.columns);
    for (const row of sample.rows) length += lengthOf(row);
    this.length = length;
    this.#atMs = atMs;
    this.#sample = sample;
  }

  compose(): string {
    const { operationId, columns, rows } = this.#sample;
    const budget = new Budget();
    const names = cellsOf(columns, new Budget());
    let cells = '';
    for (let i = 0; i < rows.length && i < maxSampleRows; i++) cells += `${i === 0 ? '' : ','}${cellsOf(rows[i]!, budget)}`;
    return `{"at":${this.#atMs},"event":"sample","operation":${JSON.stringify(operationId)},"columns":${names},"rows":[${cells}]}`;
  }
}

export class CompletedLine implements Line {
  readonly length = FIXED;
  readonly #atMs: number;
  readonly #completion: Completion;
  readonly #masked: string;
  readonly #durationMs: number;

  constructor(atMs: number, completion: Completion, durationMs: number) {
    this.#atMs = atMs;
    this.#completion = completion;
    this.#masked = isEmpty(completion.masked) ? '{}' : JSON.stringify(completion.masked);
    this.#durationMs = durationMs;
  }

  compose(): string {
    const { operationId, outcome, errorCode, rows, bytes } = this.#completion;
    const why = errorCode === undefined ? '' : `,"error_code":${JSON.stringify(errorCode)}`;
    const what = `"operation":${JSON.stringify(operationId)},"outcome":"${outcome}"${why}`;
    const counts = `"rows":${rows},"bytes":${bytes},"duration_ms":${this.#durationMs},"masked":${this.#masked}`;
    return `{"at":${this.#atMs},"event":"completed",${what},${counts}}`;
  }
}

function isEmpty(counts: Completion['masked']): boolean {
  for (const name in counts) if (Object.hasOwn(counts, name)) return false;
  return true;
}

function lengthOf(cells: readonly (string | null)[] | undefined): number {
  let length = 0;
  if (cells !== undefined) for (const cell of cells) length += CELL + (cell === null ? 0 : cell.length);
  return length;
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
/** Of a line, whatever is in it; and of a cell, with what belongs to it. */
const FIXED = 150;
const CELL = 4;
