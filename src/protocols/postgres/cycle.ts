import type { Statement } from '../../sql/statement.ts';
import type { ExpectedQueue, Running } from './expected.ts';
import type { NameSpace } from './messages.ts';
import { mayWrite } from './view-writes.ts';
import { describedFields, runsByName, type Names, type Portal, type PreparedStatement } from './names.ts';

/** A portal that the client bound in this cycle, with what was granted for it until an Execute takes it. */
interface BoundPortal {
  readonly portal: Portal;
  readonly namesVersion: number;
  running: Running | undefined;
}

/**
 * Names that the client gave since its last Sync or Query, ahead of the server's answers. Within a cycle they can be relied on: where
 * one was not accepted the server passes over everything up to Sync. Behind a Sync they cannot: a Bind that was refused leaves an older
 * portal of its name. So a name is `certain` only where no answer that is still to come could give it another meaning.
 */
export class Cycle {
  readonly #names: Names;
  readonly #expected: ExpectedQueue;
  readonly #statements = new Map<string, PreparedStatement>();
  readonly #portals = new Map<string, BoundPortal>();
  /** What the server was asked to describe. */
  readonly #described = new Set<Portal | PreparedStatement>();

  constructor(names: Names, expected: ExpectedQueue) {
    this.#names = names;
    this.#expected = expected;
  }

  statementIsCertain(name: string): boolean {
    return this.#isCertain('S', name, this.#statements.has(name));
  }

  portalIsCertain(name: string): boolean {
    return this.#isCertain('P', name, this.#portals.has(name));
  }

  /** Of statements that run others by name (EXECUTE, FETCH), which are looked up among what the server confirmed; of writes, while views change. */
  meaningIsCertain(statements: readonly Statement[]): boolean {
    if (this.#expected.changesViews && statements.some(mayWrite)) return false;
    if (!runsByName(statements)) return true;
    return statements.every(({ sessionEffects }) =>
      sessionEffects.every((effect) => {
        if (effect.kind === 'execute') return this.#isCertain('S', effect.name, false);
        return effect.kind !== 'fetch' || this.#isCertain('P', effect.name, false);
      }),
    );
  }

  /** Valid where the name is certain. */
  statement(name: string): PreparedStatement | undefined {
    return this.#expected.isNaming('S', name) ? this.#statements.get(name) : this.#names.prepared(name);
  }

  /** Valid where the name is certain. */
  portal(name: string): Portal | undefined {
    return this.#expected.isNaming('P', name) ? this.#portals.get(name)?.portal : this.#names.portal(name);
  }

  /** What was granted at the portal's Bind, once. Undefined where it was taken, or is not what would run now. */
  take(portal: Portal): Running | undefined {
    const bound = this.#portals.get(portal.name);
    if (bound?.portal !== portal || bound.running === undefined) return undefined;
    if (portal.statement.byName && bound.namesVersion !== this.#names.version) return undefined;
    const { running } = bound;
    bound.running = undefined;
    return running;
  }

  describe(what: Portal | PreparedStatement): void {
    this.#described.add(what);
  }

  /** True where the server has described, or is about to, what the portal returns before it runs. */
  willBeDescribed(portal: Portal): boolean {
    if (describedFields(portal) !== undefined || this.#described.has(portal)) return true;
    return !portal.statement.byName && this.#described.has(portal.statement);
  }

  prepare(statement: PreparedStatement): void {
    this.#statements.set(statement.name, statement);
  }

  /** Returns what was granted for an earlier portal of this name and is not going to run. */
  bind(portal: Portal, running: Running): Running | undefined {
    const replaced = this.#portals.get(portal.name)?.running;
    this.#portals.set(portal.name, { portal, namesVersion: this.#names.version, running });
    return replaced;
  }

  /** Returns what was granted for it and is not going to run. */
  close(what: NameSpace, name: string): Running | undefined {
    if (what === 'S') {
      this.#statements.delete(name);
      return undefined;
    }
    const unused = this.#portals.get(name)?.running;
    this.#portals.delete(name);
    return unused;
  }

  /** The cycle is over. Returns what was granted at a Bind and was not executed: a later Execute is decided anew. */
  end(): readonly Running[] {
    // Clearing what is empty allocates all the same.
    if (this.#statements.size > 0) this.#statements.clear();
    if (this.#described.size > 0) this.#described.clear();
    let unused = NONE;
    for (const { running } of this.#portals.values()) if (running !== undefined) unused = [...unused, running];
    // Nearly always it is the one without a name, and taking one out allocates nothing.
    if (this.#portals.size === 1) this.#portals.delete('');
    if (this.#portals.size > 0) this.#portals.clear();
    return unused;
  }

  #isCertain(what: NameSpace, name: string, givenHere: boolean): boolean {
    if (name !== '' && this.#expected.isNamingBySql) return false;
    return givenHere || !this.#expected.isNaming(what, name);
  }
}

const NONE: readonly Running[] = [];
