/**
 * One deadline of a session, which is moved with every statement and hardly ever passes. The timer under it is left alone where it would
 * fire too early, and set anew then: moving costs a look at the clock.
 */
export class Deadline {
  readonly #onPassed: () => void;
  #at: number | undefined;
  #timer: NodeJS.Timeout | undefined;
  #firesAt = 0;

  constructor(onPassed: () => void) {
    this.#onPassed = onPassed;
  }

  /** In so many milliseconds from now; undefined: none. */
  set(afterMs: number | undefined): void {
    this.#at = afterMs === undefined ? undefined : performance.now() + afterMs;
    if (this.#at !== undefined && (this.#timer === undefined || this.#firesAt > this.#at)) this.#arm(this.#at);
  }

  #arm(at: number): void {
    clearTimeout(this.#timer);
    this.#firesAt = at;
    this.#timer = setTimeout(() => this.#fired(), Math.min(Math.max(at - performance.now(), 0), maxTimerMs));
  }

  #fired(): void {
    this.#timer = undefined;
    const at = this.#at;
    if (at === undefined) return;
    if (at - performance.now() >= 1) {
      this.#arm(at);
      return;
    }
    this.#at = undefined;
    this.#onPassed();
  }

  /** For good. */
  stop(): void {
    this.#at = undefined;
    clearTimeout(this.#timer);
  }
}

const maxTimerMs = 2 ** 31 - 1;
