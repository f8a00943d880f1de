import type { Footprint } from './footprint.ts';
import type { Unsettled } from './unsettled.ts';

/** Something that others may come to see: forwarded, and not known yet to have been seen or to have come to nothing. */
export interface Definition {
  readonly number: number;
  readonly footprint: Footprint;
  /** Who defines; an identity and nothing more. */
  readonly by: object;
}

/** How often something was defined for everyone to see, of either kind. */
export interface Settlements {
  readonly relations: number;
  readonly code: number;
}

/**
 * What is being defined in one database through this gateway, by whichever session. It counts: a statement that was judged at one count and
 * is answered at the same was not overtaken by any definition.
 */
export class Definitions {
  readonly #announce: ((definition: Definition) => Promise<void>) | undefined;
  readonly #over: (definition: Definition, what: Unsettled | undefined) => void;
  readonly #open = new Set<Definition>();
  /** Those of them that began in this process. */
  readonly #own = new Set<Definition>();
  readonly #comparing = new Set<Promise<unknown>>();
  #waiting: (() => void)[] = [];
  #recent: Definition[] = [];
  #count = 0;
  #settlements: Settlements = { relations: 0, code: 0 };

  /**
   * `announce`: where other processes have sessions of the same database, tells them; resolves when each of them has it, rejects where one
   * does not answer. `over` tells them that it has ended.
   */
  constructor(
    announce?: (definition: Definition) => Promise<void>,
    over: (definition: Definition, what: Unsettled | undefined) => void = () => {},
  ) {
    this.#announce = announce;
    this.#over = over;
  }

  /** Of definitions that have begun, ever. */
  get count(): number {
    return this.#count;
  }

  /** For a statement that is judged now: the number of the first definition that it may not know of. */
  mark(): number {
    if (this.#open.size === 0) return this.#count;
    const [oldest] = this.#open;
    return oldest!.number;
  }

  /** Nothing of it may be forwarded before `announced` has resolved; undefined: it may be at once. */
  begin(footprint: Footprint, by: object): { readonly definition: Definition; readonly announced: Promise<void> | undefined } {
    const definition = this.beginElsewhere(footprint, by);
    this.#own.add(definition);
    const comparing = this.whenCompared();
    const announced = this.#announce?.(definition);
    return { definition, announced: comparing === undefined ? announced : Promise.all([comparing, announced]).then(() => {}) };
  }

  /** In another process, which says itself what becomes of it. */
  beginElsewhere(footprint: Footprint, by: object): Definition {
    const definition = { number: this.#count, footprint, by };
    this.#count += 1;
    this.#open.add(definition);
    this.#recent.push(definition);
    if (this.#recent.length > 2 * mostKept) this.#recent = this.#recent.slice(-mostKept);
    return definition;
  }

  /** `what` was settled before this; undefined: it came to nothing. */
  end(definition: Definition, what: Unsettled | undefined): void {
    this.#open.delete(definition);
    if (this.#open.size === 0) for (const tell of this.#waiting.splice(0)) tell();
    if (this.#own.delete(definition)) this.#over(definition, what);
  }

  /** Resolves when nothing is being defined. */
  async whenOver(): Promise<void> {
    if (this.#open.size > 0) await new Promise<void>((resolve) => void this.#waiting.push(resolve));
  }

  /** While `read` goes on, nothing more is forwarded that others may see: what it reads is what one definition has left. It never rejects. */
  compares(read: Promise<unknown>): void {
    this.#comparing.add(read);
    void read.then(() => this.#comparing.delete(read));
  }

  /** When what is being compared now has been; undefined: nothing is. */
  whenCompared(): Promise<unknown> | undefined {
    return this.#comparing.size === 0 ? undefined : Promise.all(this.#comparing);
  }

  /** The definitions that a statement with this mark may not know of; undefined: too many to be remembered. */
  since(mark: number): readonly Definition[] | undefined {
    const [oldest] = this.#recent;
    if (mark < this.#count && (oldest === undefined || oldest.number > mark)) return undefined;
    return this.#recent.filter(({ number }) => number >= mark);
  }

  /** Others see it, and no catalogue that was asked for before now is to be believed. */
  settle(what: Unsettled): void {
    this.#settlements = { ...this.#settlements, [what]: this.#settlements[what] + 1 };
  }

  get settlements(): Settlements {
    return this.#settlements;
  }
}

const mostKept = 128;
