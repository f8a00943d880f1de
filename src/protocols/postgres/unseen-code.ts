import type { Expected } from './expected.ts';

/**
 * Whether code that the gateway cannot see may have changed how the server reads a text (`standard_conforming_strings`,
 * `client_encoding`) without having said so yet. It says so just before ReadyForQuery (version 14 on), which is too late for what was sent
 * behind: `select f(); ` and then a text whose quotes end elsewhere than the gateway thinks.
 *
 * `open`: it was sent in a cycle that has no Sync yet, so that waiting would be for ever. `waits`: a ReadyForQuery is on its way.
 */
export class UnseenCode {
  #unanswered = 0;
  #unreported = false;
  #open = false;

  get state(): 'settled' | 'waits' | 'open' {
    if (this.#open) return 'open';
    return this.#unanswered > 0 || this.#unreported ? 'waits' : 'settled';
  }

  pushed(entry: Expected): void {
    if (endsCycle(entry)) this.#open = false;
    if (!runsUnseen(entry)) return;
    this.#unanswered += 1;
    if (entry.kind === 'execute') this.#open = true;
  }

  popped(entry: Expected): void {
    if (runsUnseen(entry)) {
      this.#unanswered -= 1;
      this.#unreported = true;
    }
    if (endsCycle(entry)) this.#unreported = false;
  }
}

/** True for a text that the server reads in one way only, whatever these settings are: every encoding of a client has ASCII in it. */
export function readsAlike(text: string): boolean {
  return plain.test(text);
}

/** Its answer ends with ReadyForQuery. */
function endsCycle(entry: Expected): boolean {
  return entry.kind === 'sync' || entry.kind === 'query' || entry.kind === 'probe' || (entry.kind === 'refused' && entry.simple);
}

function runsUnseen(entry: Expected): boolean {
  return (entry.kind === 'query' || entry.kind === 'execute') && entry.running.understanding.runsUnseen;
}

/** ASCII without the backslash. */
// oxlint-disable-next-line no-control-regex -- control characters are as plain as any other
const plain = /^[\u0001-\u005b\u005d-\u007f]*$/;
