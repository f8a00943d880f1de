import { GatewayFault } from '../../core/fault.ts';

/** How many messages other than data a peer may send: many at once, then so many a second. */
export class Allowance {
  readonly #now: () => number;
  #left = burst;
  #at: number;

  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
    this.#at = now();
  }

  /** Throws `limit-exceeded`. */
  spend(): void {
    const now = this.#now();
    this.#left = Math.min(burst, this.#left + ((now - this.#at) * perSecond) / 1000) - 1;
    this.#at = now;
    if (this.#left < 0) throw new GatewayFault('limit-exceeded', { publicMessage: `more than ${perSecond} requests a second` });
  }
}

const burst = 2_000;
const perSecond = 500;
