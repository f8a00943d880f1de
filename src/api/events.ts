import type { ServerResponse } from 'node:http';

export interface ServerEvent {
  readonly event: string;
  readonly id?: string | number;
  readonly data: unknown;
}

/**
 * One server-sent event stream (WHATWG HTML, section "Server-sent events"). A comment goes out as a heartbeat, so that both ends and
 * whatever is between them notice a dead line. The stream ends with the person's token: nobody watches on after expiry.
 */
export class EventStream {
  readonly signal: AbortSignal;
  readonly #response: ServerResponse;
  readonly #abort = new AbortController();

  constructor(response: ServerResponse, headers: Readonly<Record<string, string>>, options: { heartbeatMs: number; expiresInMs: number }) {
    this.#response = response;
    this.signal = this.#abort.signal;
    response.writeHead(200, { ...headers, 'content-type': 'text/event-stream; charset=utf-8', 'x-accel-buffering': 'no' });
    response.flushHeaders();
    const heartbeat = setInterval(() => this.#write(': still here\n\n'), options.heartbeatMs);
    const expiry = setTimeout(() => this.close('token-expired'), Math.min(Math.max(options.expiresInMs, 0), maximumTimerMs));
    response.on('error', () => this.#abort.abort());
    response.on('close', () => {
      clearInterval(heartbeat);
      clearTimeout(expiry);
      this.#abort.abort();
    });
  }

  /** Queues one event; a client that does not read what it asked for is cut off. */
  send(event: ServerEvent): void {
    const id = event.id === undefined ? '' : `id: ${event.id}\n`;
    this.#write(`${id}event: ${event.event}\ndata: ${JSON.stringify(event.data)}\n\n`);
  }

  /** Resolves when the client has taken what was sent, or is gone. */
  async drained(): Promise<void> {
    if (this.signal.aborted || !this.#response.writableNeedDrain) return;
    await new Promise<void>((resolve) => {
      this.#response.once('drain', resolve);
      this.signal.addEventListener('abort', () => resolve(), { once: true });
    });
  }

  /** Ends the stream and tells the client why. */
  close(reason: string): void {
    if (this.signal.aborted) return;
    this.send({ event: 'end', data: { reason } });
    this.#response.end();
    this.#abort.abort();
  }

  #write(text: string): void {
    if (this.signal.aborted) return;
    this.#response.write(text);
    if (this.#response.writableLength > maximumUnreadBytes) this.#response.destroy();
  }
}

const maximumUnreadBytes = 4 * 1024 * 1024;
const maximumTimerMs = 2 ** 31 - 1;
