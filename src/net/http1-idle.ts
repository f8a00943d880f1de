import type { Http1Connection } from './http1-connection.ts';

/** Connections to one target that wait for their next request. The one used last is used first, so that those beyond what is needed grow old. */
export class Http1Idle {
  readonly #idle: Http1Connection[] = [];
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;

  /** Undefined where there is none. */
  take(): Http1Connection | undefined {
    for (let connection = this.#idle.pop(); connection !== undefined; connection = this.#idle.pop()) {
      if (connection.isOpen && !isTooOld(connection, Date.now())) return connection;
      connection.close();
    }
    return undefined;
  }

  put(connection: Http1Connection): void {
    if (this.#isClosed || this.#idle.length >= mostIdle || connection.keptMs <= 0) {
      connection.close();
      return;
    }
    connection.idleSinceMs = Date.now();
    this.#idle.push(connection);
    this.#timer ??= setTimeout(() => this.#sweep(), sweepMs).unref();
  }

  remove(connection: Http1Connection): void {
    const at = this.#idle.lastIndexOf(connection);
    if (at >= 0) this.#idle.splice(at, 1);
  }

  /** What comes back from now on is closed as well. */
  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    for (const connection of this.#idle.splice(0)) connection.close();
  }

  #sweep(): void {
    const now = Date.now();
    for (const connection of this.#idle.filter((one) => isTooOld(one, now))) {
      this.remove(connection);
      connection.close();
    }
    this.#timer = this.#idle.length === 0 ? undefined : setTimeout(() => this.#sweep(), sweepMs).unref();
  }
}

function isTooOld({ idleSinceMs, keptMs }: Http1Connection, now: number): boolean {
  return now - idleSinceMs >= Math.min(keptMs, idleTimeoutMs);
}

const mostIdle = 64;
/** Less than most servers keep a connection open. */
const idleTimeoutMs = 4_000;
const sweepMs = 1_000;
