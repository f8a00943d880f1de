import { setTimeout as delay } from 'node:timers/promises';
import { GatewayFault } from '../../core/fault.ts';
import { Definitions, type Definition, type Footprint, type Unsettled } from '../../protocols/postgres/index.ts';

/** A definition as plain data: the database that it is in, and its number among those of its process there. */
export interface DefinitionBegun {
  readonly database: string;
  readonly number: number;
  readonly footprint: Footprint;
}

export interface DefinitionOver {
  readonly database: string;
  readonly number: number;
  /** What others see by now; undefined: it came to nothing. */
  readonly what: Unsettled | undefined;
}

/** The other processes of this gateway. */
export interface Elsewhere {
  /** Resolves when all of them know of it; rejects where one does not answer. */
  begun(definition: DefinitionBegun): Promise<void>;
  over(definition: DefinitionOver): void;
}

/**
 * What is being defined, by database: targets that reach the same one share it, and so do the targets of one configuration and of the next,
 * and the workers.
 */
export class DefinitionBook {
  readonly #elsewhere: Elsewhere | undefined;
  readonly #databases = new Map<string, Definitions>();
  /** What other workers are defining. */
  readonly #theirs = new Map<number, Map<string, { readonly definitions: Definitions; readonly definition: Definition }>>();

  constructor(elsewhere?: Elsewhere) {
    this.#elsewhere = elsewhere;
  }

  /** `database`: where it is, and its name. */
  of(database: string): Definitions {
    let found = this.#databases.get(database);
    if (found === undefined) this.#databases.set(database, (found = this.#newDefinitions(database)));
    return found;
  }

  /** Resolves when it may be forwarded as far as this process is concerned. */
  async begunElsewhere(worker: number, { database, number, footprint }: DefinitionBegun): Promise<void> {
    const definitions = this.of(database);
    let theirs = this.#theirs.get(worker);
    if (theirs === undefined) this.#theirs.set(worker, (theirs = new Map()));
    // Told once more to a worker that was being started.
    if (theirs.has(key(database, number))) return;
    theirs.set(key(database, number), { definitions, definition: definitions.beginElsewhere(footprint, theirs) });
    await definitions.whenCompared();
  }

  overElsewhere(worker: number, { database, number, what }: DefinitionOver): void {
    const theirs = this.#theirs.get(worker);
    const known = theirs?.get(key(database, number));
    if (known === undefined) return;
    theirs?.delete(key(database, number));
    if (what !== undefined) known.definitions.settle(what);
    known.definitions.end(known.definition, what);
  }

  /** The worker's process is gone. */
  endedElsewhere(worker: number): void {
    const theirs = this.#theirs.get(worker);
    this.#theirs.delete(worker);
    for (const { definitions, definition } of theirs?.values() ?? []) abandon(definitions, definition);
  }

  #newDefinitions(database: string): Definitions {
    const elsewhere = this.#elsewhere;
    if (elsewhere === undefined) return new Definitions();
    return new Definitions(
      async ({ number, footprint }) => {
        await elsewhere.begun({ database, number, footprint }).catch((error: unknown) => {
          throw notKnown(error);
        });
      },
      ({ number }, what) => elsewhere.over({ database, number, what }),
    );
  }
}

/** Nobody will say what became of it. It was cancelled, which takes effect in a moment, or never where the target could not be reached. */
export function abandon(definitions: Definitions, definition: Definition): void {
  definitions.settle('code');
  setTimeout(() => {
    definitions.settle('code');
    definitions.end(definition, 'code');
  }, lingerMs).unref();
}

/** Most definitions are over at once; those that wait for a lock are not waited for. */
export async function overOrLate(definitions: Definitions): Promise<void> {
  await Promise.race([definitions.whenOver(), delay(momentMs, undefined, { ref: false })]);
}

function notKnown(cause: unknown): GatewayFault {
  return new GatewayFault('schema-changed', {
    publicMessage: 'this was not sent: the sessions of another worker have to know of the definition first, and it does not answer',
    detail: String((cause as { detail?: unknown }).detail ?? cause),
    cause,
    hint: 'Run it again in a moment.',
  });
}

function key(database: string, number: number): string {
  return `${number} ${database}`;
}

/** From then on a reading is at most as old as one of something that was defined around the gateway. */
const lingerMs = 60_000;
const momentMs = 100;
