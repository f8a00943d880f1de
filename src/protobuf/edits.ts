/** Changes to a run of bytes, in order and apart. What no change names stays byte for byte. */
export class Edits {
  readonly #from: number[] = [];
  readonly #to: number[] = [];
  readonly #put: (Uint8Array | undefined)[] = [];
  #growth = 0;

  /** By how many bytes the run has grown so far; negative where it has shrunk. */
  get growth(): number {
    return this.#growth;
  }

  replace(from: number, to: number, put: Uint8Array): void {
    this.#growth += put.length - (to - from);
    const last = this.#put.length - 1;
    if (put.length === 0 && this.#put[last]?.length === 0 && this.#to[last] === from) {
      this.#to[last] = to;
      return;
    }
    this.#from.push(from);
    this.#to.push(to);
    this.#put.push(put);
  }

  /** Keeps the place of a change, before the changes that come behind it, for `fill`. */
  reserve(from: number, to: number): number {
    this.#from.push(from);
    this.#to.push(to);
    return this.#put.push(undefined) - 1;
  }

  fill(reserved: number, put: Uint8Array): void {
    this.#put[reserved] = put;
    this.#growth += put.length - (this.#to[reserved]! - this.#from[reserved]!);
  }

  /** A reserved place that nothing came behind and that is not needed. */
  release(reserved: number): void {
    if (reserved !== this.#put.length - 1) return;
    this.#from.pop();
    this.#to.pop();
    this.#put.pop();
  }

  /** The same view where nothing changes. */
  applied(bytes: Uint8Array): Uint8Array {
    if (this.#put.length === 0) return bytes;
    const result = new Uint8Array(bytes.length + this.#growth);
    let from = 0;
    let at = 0;
    for (const [index, put] of this.#put.entries()) {
      if (put === undefined) continue;
      const kept = bytes.subarray(from, this.#from[index]);
      result.set(kept, at);
      at += kept.length;
      result.set(put, at);
      at += put.length;
      from = this.#to[index]!;
    }
    result.set(bytes.subarray(from), at);
    return result;
  }
}
