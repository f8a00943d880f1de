import { writeSync } from 'node:fs';
import { isMainThread, Worker, workerData } from 'node:worker_threads';

/**
 * The gateway runs in the fuzzer's own process, so that where it stands still the fuzzer does. A thread of its own sees to it that this is said,
 * with the case, and ends the process.
 */
export class Watchdog {
  /** The case at hand, and when it was last seen to go on, in seconds. */
  readonly #seen = new Int32Array(new SharedArrayBuffer(8));
  readonly #timer: NodeJS.Timeout;
  readonly #worker: Worker;

  constructor(again: string) {
    this.at(-1);
    this.#worker = new Worker(new URL(import.meta.url), { workerData: { seen: this.#seen, again } });
    this.#worker.unref();
    this.#timer = setInterval(() => Atomics.store(this.#seen, 1, seconds()), 1_000);
  }

  at(caseIndex: number): void {
    Atomics.store(this.#seen, 0, caseIndex);
    Atomics.store(this.#seen, 1, seconds());
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#worker.terminate();
  }
}

function seconds(): number {
  return Math.floor(process.hrtime()[0]);
}

function watch({ seen, again }: { readonly seen: Int32Array; readonly again: string }): void {
  setInterval(() => {
    if (seconds() - Atomics.load(seen, 1) < mostSeconds) return;
    // The main thread, which would pass on what is printed here, does nothing any more.
    writeSync(2, `\n  FOUND the process has stood still for ${mostSeconds} s\n    again: ${again} --case ${Atomics.load(seen, 0)}\n`);
    process.kill(process.pid, 'SIGKILL');
  }, 1_000);
}

const mostSeconds = 60;
if (!isMainThread) watch(workerData as Parameters<typeof watch>[0]);
