import type { LiveSession } from '../core/ports.ts';

/** Told of every session, as it opens and once it is over. */
export interface SessionObserver {
  opened(session: LiveSession): void;
  closed(id: string): void;
}

/** The sessions that are open now, for operators and for everything that ends sessions. */
export class SessionRegistry {
  readonly #open = new Map<string, LiveSession>();
  readonly #observer: SessionObserver | undefined;

  constructor(observer?: SessionObserver) {
    this.#observer = observer;
  }

  add(session: LiveSession): void {
    this.#open.set(session.id, session);
    this.#observer?.opened(session);
  }

  remove(id: string): void {
    if (this.#open.delete(id)) this.#observer?.closed(id);
  }

  list(): readonly LiveSession[] {
    return [...this.#open.values()];
  }

  find(id: string): LiveSession | undefined {
    return this.#open.get(id);
  }

  /** Ends every session that `which` picks; returns how many. */
  end(which: (session: LiveSession) => boolean, reason: string): number {
    const picked = this.list().filter(which);
    for (const session of picked) session.end(reason);
    return picked.length;
  }
}
