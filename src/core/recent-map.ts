/**
 * What was asked for recently, by key; bounded. Two generations: what is found in the old one moves to the young one, and a full young one
 * becomes the old one. So an entry stays for at least `limit` other entries after its last use, at most twice as many are kept, and a hit
 * in the young generation changes nothing (taking an entry out of a `Map` and putting it back costs more than all else of a hit).
 */
export class RecentMap<Key, Value> {
  readonly #limit: number;
  #young = new Map<Key, Value>();
  #old = new Map<Key, Value>();

  constructor(limit: number) {
    this.#limit = limit;
  }

  get(key: Key): Value | undefined {
    const value = this.#young.get(key);
    if (value !== undefined || this.#old.size === 0) return value;
    const kept = this.#old.get(key);
    if (kept !== undefined) this.set(key, kept);
    return kept;
  }

  set(key: Key, value: Value): void {
    if (this.#young.size >= this.#limit) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(key, value);
  }
}
