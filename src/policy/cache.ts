import type { Principal } from '../core/principal.ts';
import { RecentMap } from '../core/recent-map.ts';
import type { Target } from '../core/target.ts';

/**
 * The last answer to each question that is told apart by an object: who asked where, and what was answered. A session asks the same again
 * and again, so one answer an object is enough; it goes with the object.
 */
export class LastAnswers<Answer> {
  readonly #answers = new WeakMap<object, { readonly principal: Principal; readonly target: Target; readonly answer: Answer }>();

  get(principal: Principal, target: Target, what: object): Answer | undefined {
    const last = this.#answers.get(what);
    return last !== undefined && last.principal === principal && last.target === target ? last.answer : undefined;
  }

  set(principal: Principal, target: Target, what: object, answer: Answer): void {
    this.#answers.set(what, { principal, target, answer });
  }
}

/**
 * Answers by who asks, where, and what. The contents of principal and target are compared only when their objects are new. What was
 * not used for long goes first.
 */
export class AnswerCache<Answer> {
  readonly #answers: RecentMap<string, Answer>;
  readonly #askers = new Interned<Principal>(({ issuer, issuerUrl, subject, kind, groups, groupsKnown, claims }) =>
    JSON.stringify([issuer, issuerUrl, subject, kind, [...groups].sort(), groupsKnown, Object.entries(claims).sort(byName)]),
  );
  readonly #places = new Interned<Target>(({ name, protocol, labels }) =>
    JSON.stringify([name, protocol, Object.entries(labels).sort(byName)]),
  );

  constructor(limit: number) {
    this.#answers = new RecentMap(limit);
  }

  /** The key for `get` and `set`. */
  keyOf(principal: Principal, target: Target, what: string): string {
    return `${this.#askers.numberOf(principal)} ${this.#places.numberOf(target)} ${what}`;
  }

  get(key: string): Answer | undefined {
    return this.#answers.get(key);
  }

  set(key: string, answer: Answer): void {
    this.#answers.set(key, answer);
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
