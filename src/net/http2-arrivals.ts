import type { ClientExchange } from './http-client.ts';

/**
 * Requests of clients of HTTP/2, which send many of them at once: a few are taken in each turn of the event loop. So the target has the first ones while the next ones are looked at, its answers
 * are passed on in between, and other connections have their turn. Who went away meanwhile is not served.
 */
export class Http2Arrivals {
  readonly #handle: (client: ClientExchange) => Promise<void>;
  #waiting: ClientExchange[] = [];

  /** `handle`: never rejects. */
  constructor(handle: (client: ClientExchange) => Promise<void>) {
    this.#handle = handle;
  }

  take(client: ClientExchange): void {
    this.#waiting.push(client);
    if (this.#waiting.length === 1) setImmediate(this.#some);
  }

  readonly #some = (): void => {
    for (const client of this.#waiting.splice(0, togetherAtMost)) if (!client.isGone) void this.#handle(client);
    if (this.#waiting.length > 0) setImmediate(this.#some);
  };
}

/** One by one, each would have writes of its own; with 32 at once target and client would wait for each other's turns. */
export const togetherAtMost = 8;
