import type { TranscriptPart } from './operation.ts';
import { principalKey, type Principal } from './principal.ts';

/** Someone who looks on while a session runs. */
export interface Watcher {
  readonly principal: Pick<Principal, 'issuer' | 'subject' | 'groups'>;
  /** What passes, masked as in the recording, in order. Must not throw. */
  see(operationId: string, part: TranscriptPart): void;
  /** The session is over. */
  ended(): void;
}

/**
 * Who watches a session while it runs. The transport tells what passes (`show`) and hears how many members of a group watch; the API lets people watch. Whoever opened the
 * session does not count as its watcher. A watcher that comes late first sees the last 64 Ki characters.
 */
export class WatchedSession {
  readonly #opener: string;
  readonly #changed: () => void;
  readonly #watchers = new Set<Watcher>();
  readonly #last: { readonly operationId: string; readonly part: TranscriptPart }[] = [];
  #lastCharacters = 0;
  #isOver = false;

  /** `changed`: told after every change of who watches. */
  constructor(opener: Pick<Principal, 'issuer' | 'subject'>, changed: () => void) {
    this.#opener = principalKey(opener);
    this.#changed = changed;
  }

  show(operationId: string, part: TranscriptPart): void {
    this.#last.push({ operationId, part });
    this.#lastCharacters += part.text.length;
    while (this.#lastCharacters > mostLastCharacters) this.#lastCharacters -= this.#last.shift()!.part.text.length;
    for (const watcher of this.#watchers) watcher.see(operationId, part);
  }

  /** The answer ends it. */
  watch(watcher: Watcher): () => void {
    if (this.#isOver) {
      watcher.ended();
      return () => {};
    }
    for (const { operationId, part } of this.#last) watcher.see(operationId, part);
    this.#watchers.add(watcher);
    this.#changed();
    return () => {
      if (this.#watchers.delete(watcher)) this.#changed();
    };
  }

  /** Different people of the group who watch, without the one who opened the session. */
  watchers(group: string): number {
    const people = [...this.#watchers].filter(({ principal }) => principal.groups.includes(group));
    return new Set(people.map(({ principal }) => principalKey(principal)).filter((person) => person !== this.#opener)).size;
  }

  close(): void {
    this.#isOver = true;
    const watchers = [...this.#watchers];
    this.#watchers.clear();
    for (const watcher of watchers) watcher.ended();
  }
}

const mostLastCharacters = 65_536;
