import type { LiveSession } from '../core/ports.ts';

/** The sessions that are open now, for operators and for everything that ends sessions. */
export class SessionRegistry {
  readonly #open = new Map<string, LiveSession>();

  add(session: LiveSession): void {
    this.#open.set(session.id, session);
  }

  remove(id: string): void {
    this.#open.delete(id);
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
