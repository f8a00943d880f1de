import type { PipelineSession } from '../../core/pipeline-session.ts';

/** What a client tried that was refused without an operation, for the record: so many of a connection, then one that says so. */
export class Notes {
  readonly #session: PipelineSession;
  #left = most;

  constructor(session: PipelineSession) {
    this.#session = session;
  }

  put(event: string, detail: Readonly<Record<string, string | number>>): void {
    if (this.#left === 0) return;
    this.#left -= 1;
    if (this.#left > 0) this.#session.note(event, detail);
    else this.#session.note('more-refused', { noted: most });
  }
}

const most = 100;
