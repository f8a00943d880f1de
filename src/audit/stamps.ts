import type { ClockPort } from '../core/ports.ts';
import type { Stamp } from './record.ts';

/** What the log adds to each record, the same object as long as it is the same. */
export class Stamps {
  readonly #source: StampSource;
  #last: Stamp = { v: 1, time: '', gateway: '', policy_version: '' };
  #ms = Number.NaN;
  /** The second in which `#ms` is, and its time up to the point before the milliseconds. */
  #second = Number.NaN;
  #upToMs = '';

  constructor(source: StampSource) {
    this.#source = source;
  }

  now(): Stamp {
    const { clock, gateway, policyVersion } = this.#source;
    const ms = clock.now();
    const policy_version = policyVersion();
    if (ms !== this.#ms || policy_version !== this.#last.policy_version) {
      this.#last = { v: 1, time: this.#timeOf(ms), gateway, policy_version };
      this.#ms = ms;
    }
    return this.#last;
  }

  /** RFC 3339. Of each second, only the first is left to `Date`: another one comes nearly every time that something is recorded. */
  #timeOf(ms: number): string {
    const second = Math.floor(ms / 1_000);
    if (second !== this.#second) {
      this.#upToMs = new Date(ms).toISOString().slice(0, -'000Z'.length);
      this.#second = second;
    }
    const digits = String(Math.floor(ms - second * 1_000));
    return `${this.#upToMs}${digits.padStart(3, '0')}Z`;
  }
}

export interface StampSource {
  readonly clock: ClockPort;
  readonly gateway: string;
  /** Digest of the active policy set; empty before there is one. */
  readonly policyVersion: () => string;
}
