/** Timers, so that tests decide when time passes. */
export interface Timers {
  /** Runs `action` once, after at least this many milliseconds; the returned function stops it. */
  after(delayMs: number, action: () => void): () => void;
}

/** The platform's timers. They do not keep the process alive. A longer delay than they can hold (24.8 days) ends early: look at the clock. */
export const systemTimers: Timers = {
  after(delayMs, action) {
    const timer = setTimeout(action, Math.min(Math.max(delayMs, 0), longestDelayMs));
    timer.unref();
    return () => clearTimeout(timer);
  },
};

const longestDelayMs = 2 ** 31 - 1;
