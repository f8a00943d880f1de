/**
 * Ctrl-C and its like. The first one asks, through `signal` and `requested`; another one ends the process at once, and what stops with
 * a process stops then.
 */
export class StopRequest {
  readonly signal: AbortSignal;
  readonly requested: Promise<void>;

  constructor() {
    const controller = new AbortController();
    this.signal = controller.signal;
    this.requested = new Promise((resolve) => {
      this.signal.addEventListener('abort', () => resolve());
    });
    let firstMs = 0;
    const stop = (): void => {
      if (this.signal.aborted) {
        if (performance.now() - firstMs > oneKeyMs) process.exit(1);
        return;
      }
      firstMs = performance.now();
      controller.abort();
    };
    for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, stop);
  }
}

/** One Ctrl-C can arrive several times: from the terminal, from npm and from `bin/sallyport.js`, which pass it on. */
const oneKeyMs = 500;
