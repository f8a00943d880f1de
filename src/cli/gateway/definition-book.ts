import { Definitions, type Definition } from '../../protocols/postgres/index.ts';

/**
 * What is being defined, by database: targets that reach the same one share it, and so do the targets of one configuration and of the next.
 */
export class DefinitionBook {
  readonly #databases = new Map<string, Definitions>();

  /** `database`: where it is, and its name. */
  of(database: string): Definitions {
    let found = this.#databases.get(database);
    if (found === undefined) this.#databases.set(database, (found = new Definitions()));
    return found;
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

/** From then on a reading is at most as old as one of something that was defined around the gateway. */
const lingerMs = 60_000;
