/** Slows down guessing: each address may fail `burst` times, then once every `failureRefillMs`. Forgets the address that failed longest ago when full. */
export class Failures {
  readonly #buckets = new Map<string, { tokens: number; atMs: number }>();
  readonly #now: () => number;

  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** The address has failed too often to be heard now. */
  areTooMany(address: string): boolean {
    return this.#tokens(address) < 1;
  }

  failed(address: string): void {
    const tokens = this.#tokens(address) - 1;
    this.#buckets.delete(address);
    this.#buckets.set(address, { tokens, atMs: this.#now() });
    if (this.#buckets.size <= maximumAddresses) return;
    const oldest = this.#buckets.keys().next();
    if (oldest.done !== true) this.#buckets.delete(oldest.value);
  }

  #tokens(address: string): number {
    const bucket = this.#buckets.get(address);
    if (bucket === undefined) return burst;
    return Math.min(burst, bucket.tokens + (this.#now() - bucket.atMs) / failureRefillMs);
  }
}

export const failureRefillMs = 3_000;
const burst = 20;
const maximumAddresses = 10_000;
