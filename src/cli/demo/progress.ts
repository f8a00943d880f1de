import { paint } from './paint.ts';

/** One line for each step of starting, with how long it took. On a terminal a step shows as soon as it begins. */
export class Progress {
  #step: string | undefined;
  #sinceMs = 0;

  /** The step that was under way is done, and this one begins. Throws where the start was given up meanwhile. */
  next(step: string, signal: AbortSignal): void {
    this.#finish();
    signal.throwIfAborted();
    this.#step = step;
    this.#sinceMs = performance.now();
    if (process.stdout.isTTY) process.stdout.write(paint('dim', `  … ${step}`));
  }

  done(): void {
    this.#finish();
  }

  /** Nothing more will come: the line that shows a step under way is ended. */
  broken(): void {
    if (this.#step !== undefined && process.stdout.isTTY) process.stdout.write('\n');
    this.#step = undefined;
  }

  #finish(): void {
    if (this.#step === undefined) return;
    const seconds = ((performance.now() - this.#sinceMs) / 1000).toFixed(1);
    const line = `  ${paint('green', '✔')} ${this.#step.padEnd(stepWidth)}${paint('dim', `${seconds} s`)}`;
    process.stdout.write(`${process.stdout.isTTY ? '\r' : ''}${line}\n`);
    this.#step = undefined;
  }
}

const stepWidth = 36;
