import { GatewayFault, toFault } from '../../core/fault.ts';
import type { ClockPort } from '../../core/ports.ts';

/** An access token as its issuer gave it, or what else it gives for a time. */
export interface AccessToken<Value = string> {
  readonly value: Value;
  /** From when it was asked for. */
  readonly lifetimeMs: number;
}

/** Asks for a new one. Throws `upstream-unavailable` or `upstream-refused`. */
export type FetchToken<Value = string> = () => Promise<AccessToken<Value>>;

interface HeldToken<Value> {
  readonly value: Value;
  /** From here on it is fetched anew while it is still used. */
  readonly refreshAtMs: number;
  readonly endsAtMs: number;
  readonly fetchedAtMs: number;
}

/**
 * One token, kept for as long as it can be used:
 *
 * - In the last fifth of its life, five minutes at most, the next one is fetched while this one is still given out. In its last ten seconds it is not.
 * - However many ask, one fetch runs, and all wait for that one.
 * - After a failure nobody fetches for a second, then two, and so on up to a minute; whoever asks meanwhile is told of that failure at once.
 * - A token that the target has refused is dropped, unless it is so new that the next one would fare no better.
 */
export class TokenCache<Value = string> {
  readonly #fetch: FetchToken<Value>;
  readonly #clock: ClockPort;
  #held: HeldToken<Value> | undefined;
  #fetching: Promise<HeldToken<Value>> | undefined;
  #failure: { readonly fault: GatewayFault; readonly untilMs: number; readonly backOffMs: number } | undefined;

  constructor(fetch: FetchToken<Value>, clock: ClockPort) {
    this.#fetch = fetch;
    this.#clock = clock;
  }

  /** At once where it is there. */
  current(): Value | Promise<Value> {
    const now = this.#clock.monotonic();
    const held = this.#held;
    if (held === undefined || now >= held.endsAtMs) return this.#next(now).then(({ value }) => value);
    // Whoever needs the next one hears of a failure when this one has ended.
    if (now >= held.refreshAtMs) this.#next(now).catch(() => {});
    return held.value;
  }

  /** True where `current` will give another one. */
  refused(value: Value): boolean {
    const held = this.#held;
    if (held === undefined || held.value !== value) return true;
    if (this.#clock.monotonic() - held.fetchedAtMs < newForMs) return false;
    this.#held = undefined;
    return true;
  }

  #next(now: number): Promise<HeldToken<Value>> {
    if (this.#fetching !== undefined) return this.#fetching;
    if (this.#failure !== undefined && now < this.#failure.untilMs) return Promise.reject(this.#failure.fault);
    this.#fetching = this.#load().finally(() => {
      this.#fetching = undefined;
    });
    return this.#fetching;
  }

  async #load(): Promise<HeldToken<Value>> {
    const askedAtMs = this.#clock.monotonic();
    try {
      const { value, lifetimeMs } = await this.#fetch();
      const early = Math.min(lifetimeMs / 5, earliestMs);
      const held = {
        value,
        refreshAtMs: askedAtMs + lifetimeMs - early,
        endsAtMs: askedAtMs + lifetimeMs - Math.min(early, lastMs),
        fetchedAtMs: this.#clock.monotonic(),
      };
      this.#held = held;
      this.#failure = undefined;
      return held;
    } catch (error) {
      const backOffMs = Math.min((this.#failure?.backOffMs ?? firstBackOffMs / 2) * 2, longestBackOffMs);
      this.#failure = { fault: toFault(error), untilMs: this.#clock.monotonic() + backOffMs, backOffMs };
      throw this.#failure.fault;
    }
  }
}

const earliestMs = 5 * 60_000;
const lastMs = 10_000;
const newForMs = 5_000;
const firstBackOffMs = 1_000;
const longestBackOffMs = 60_000;
