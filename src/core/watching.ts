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
 * Which sessions run here, and who watches them. The transport tells what passes (`show`) and hears how many members of a group watch; the API lets people watch. Whoever opened a
 * session does not count as its watcher. A watcher that comes late first sees the last 64 Ki characters.
 */
export class WatchBook {
  readonly #sessions = new Map<string, Watched>();

  /** A session begins. */
  open(sessionId: string, opener: Pick<Principal, 'issuer' | 'subject'>): void {
    this.#sessions.set(sessionId, { opener: principalKey(opener), watchers: new Set(), listeners: new Set(), last: [], lastCharacters: 0 });
  }

  close(sessionId: string): void {
    const session = this.#sessions.get(sessionId);
    this.#sessions.delete(sessionId);
    for (const watcher of session?.watchers ?? []) watcher.ended();
  }

  show(sessionId: string, operationId: string, part: TranscriptPart): void {
    const session = this.#sessions.get(sessionId);
    if (session === undefined) return;
    session.last.push({ operationId, part });
    session.lastCharacters += part.text.length;
    while (session.lastCharacters > mostLastCharacters) session.lastCharacters -= session.last.shift()!.part.text.length;
    for (const watcher of session.watchers) watcher.see(operationId, part);
  }

  /** Undefined where no such session runs here. The answer ends it. */
  watch(sessionId: string, watcher: Watcher): (() => void) | undefined {
    const session = this.#sessions.get(sessionId);
    if (session === undefined) return undefined;
    for (const { operationId, part } of session.last) watcher.see(operationId, part);
    session.watchers.add(watcher);
    tell(session);
    return () => {
      if (session.watchers.delete(watcher)) tell(session);
    };
  }

  /** Different people of the group who watch, without the one who opened the session. */
  watchers(sessionId: string, group: string): number {
    const session = this.#sessions.get(sessionId);
    if (session === undefined) return 0;
    const people = [...session.watchers]
      .filter(({ principal }) => principal.groups.includes(group))
      .map(({ principal }) => principalKey(principal));
    return new Set(people.filter((person) => person !== session.opener)).size;
  }

  /** Told after every change of a session's watchers; the answer ends it. */
  onChange(sessionId: string, listener: () => void): () => void {
    const session = this.#sessions.get(sessionId);
    session?.listeners.add(listener);
    return () => session?.listeners.delete(listener);
  }
}

interface Watched {
  readonly opener: string;
  readonly watchers: Set<Watcher>;
  readonly listeners: Set<() => void>;
  readonly last: { readonly operationId: string; readonly part: TranscriptPart }[];
  lastCharacters: number;
}

function tell({ listeners }: Watched): void {
  for (const listener of listeners) listener();
}

const mostLastCharacters = 65_536;
