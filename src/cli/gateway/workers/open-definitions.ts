import type { DefinitionBegun, DefinitionOver } from '../definition-book.ts';
import type { WorkerProcess } from './worker.ts';

/**
 * What is being defined in any worker. Every other one knows of it before it is forwarded: judged by the catalogue of before, an answer there
 * would show what has meanwhile become of a view.
 */
export class OpenDefinitions {
  readonly #open = new Map<WorkerProcess, Map<string, DefinitionBegun>>();
  readonly #others: (than: WorkerProcess) => readonly WorkerProcess[];

  /** `others`: all that have sessions, or may have them before the next message reaches them. */
  constructor(others: (than: WorkerProcess) => readonly WorkerProcess[]) {
    this.#others = others;
  }

  /** Rejects where a worker neither answers nor ends. */
  async begun(from: WorkerProcess, begun: DefinitionBegun): Promise<void> {
    let open = this.#open.get(from);
    if (open === undefined) this.#open.set(from, (open = new Map()));
    open.set(key(begun), begun);
    await Promise.all(
      this.#others(from).map(async (other) => {
        await other.definitionElsewhere(from.number, begun).catch((error: unknown) => {
          if (!other.hasEnded) throw error;
        });
      }),
    );
  }

  over(from: WorkerProcess, over: DefinitionOver): void {
    this.#open.get(from)?.delete(key(over));
    for (const other of this.#others(from)) other.definitionOverElsewhere(from.number, over);
  }

  /** What goes on elsewhere, for a worker that is about to serve. */
  async tell(worker: WorkerProcess): Promise<void> {
    for (const [from, open] of this.#open) {
      if (from === worker) continue;
      for (const begun of open.values()) await worker.definitionElsewhere(from.number, begun);
    }
  }

  /** The others hear of its end by themselves. */
  ended(worker: WorkerProcess): void {
    this.#open.delete(worker);
  }
}

function key({ database, number }: { readonly database: string; readonly number: number }): string {
  return `${number} ${database}`;
}
