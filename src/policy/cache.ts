import type { Principal } from '../core/principal.ts';
import type { Target } from '../core/target.ts';

/**
 * Answers by who asks, where, and what. A hit reads three small numbers from weak maps and one entry: the contents of principal and
 * target are compared only when their objects are new. The oldest unused answer goes first.
 */
export class AnswerCache<Answer> {
  readonly #limit: number;
  readonly #answers = new Map<string, Answer>();
  readonly #whats = new WeakMap<object, number>();
  readonly #askers = new Interned<Principal>(({ issuer, issuerUrl, subject, kind, groups, groupsKnown, claims }) =>
    JSON.stringify([issuer, issuerUrl, subject, kind, [...groups].sort(), groupsKnown, Object.entries(claims).sort(byName)]),
  );
  readonly #places = new Interned<Target>(({ name, protocol, labels }) =>
    JSON.stringify([name, protocol, Object.entries(labels).sort(byName)]),
  );
  #whatCount = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** The key for `get` and `set`; `what` counts by identity where it is an object, by value where it is text. */
  keyOf(principal: Principal, target: Target, what: object | string): string {
    return `${this.#askers.numberOf(principal)} ${this.#places.numberOf(target)} ${typeof what === 'string' ? `=${what}` : this.#numberOf(what)}`;
  }

  get(key: string): Answer | undefined {
    const answer = this.#answers.get(key);
    if (answer === undefined) return undefined;
    this.#answers.delete(key);
    this.#answers.set(key, answer);
    return answer;
  }

  set(key: string, answer: Answer): void {
    this.#answers.set(key, answer);
    if (this.#answers.size <= this.#limit) return;
    const { value: oldest, done } = this.#answers.keys().next();
    if (done !== true) this.#answers.delete(oldest);
  }

  #numberOf(what: object): number {
    const known = this.#whats.get(what);
    if (known !== undefined) return known;
    this.#whats.set(what, ++this.#whatCount);
    return this.#whatCount;
  }
}

/** Numbers for objects: the same for equal contents, and found without reading the contents of an object seen before. */
class Interned<Item extends object> {
  readonly #contentOf: (item: Item) => string;
  readonly #byObject = new WeakMap<Item, number>();
  readonly #byContent = new Map<string, number>();
  #count = 0;

  constructor(contentOf: (item: Item) => string) {
    this.#contentOf = contentOf;
  }

  numberOf(item: Item): number {
    const known = this.#byObject.get(item);
    if (known !== undefined) return known;
    const content = this.#contentOf(item);
    const number = this.#byContent.get(content) ?? ++this.#count;
    if (this.#byContent.size >= internedLimit) this.#byContent.clear();
    this.#byContent.set(content, number);
    this.#byObject.set(item, number);
    return number;
  }
}

function byName([a]: [string, unknown], [b]: [string, unknown]): number {
  return a < b ? -1 : 1;
}

/** Contents remembered; beyond it they are forgotten, and equal objects that come later get a new number. */
const internedLimit = 10_000;
