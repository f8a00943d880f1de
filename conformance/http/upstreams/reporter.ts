import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';

/** A request as the last server of a way saw it, complete with its body. */
export interface Seen {
  readonly method: string;
  readonly target: string;
  readonly rawHeaders: readonly string[];
  /** A character for each octet. */
  readonly body: string;
}

/**
 * The application behind every proxy: keeps what it was asked, by the case that the request belongs to and by the way on which it came. Cases are
 * told apart by `case-<number>` in the target, ways by the field `way`, which a proxy adds last.
 */
export class Reporter {
  readonly #seen = new Map<string, Seen[]>();
  readonly #server = createServer({ keepAliveTimeout: 60_000 }, (request, response) => this.#report(request, response));

  /** Listens on a Unix socket. */
  listen(path: string): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(path, () => resolve());
    });
  }

  /** What came on this way for this case, in order. */
  seen(way: string, number: number): readonly Seen[] {
    return this.#seen.get(`${way} ${number}`) ?? [];
  }

  /** All that came on this way. */
  count(way: string): number {
    return [...this.#seen].filter(([key]) => key.startsWith(`${way} `)).reduce((sum, [, seen]) => sum + seen.length, 0);
  }

  close(): Promise<void> {
    this.#server.closeAllConnections();
    return new Promise((resolve) => {
      this.#server.close(() => resolve());
    });
  }

  #report(request: IncomingMessage, response: ServerResponse): void {
    const { method = '', url = '', rawHeaders } = request;
    let body = '';
    request.on('error', () => {});
    request.on('data', (chunk: Buffer) => (body += chunk.toString('latin1')));
    request.on('end', () => {
      const way = lastValue(rawHeaders, 'way') ?? 'direct';
      const key = `${way} ${caseNumber(url)}`;
      this.#seen.set(key, [...(this.#seen.get(key) ?? []), { method, target: url, rawHeaders, body }]);
      response.end('seen');
    });
  }
}

/** The case that a target belongs to; 0 for those that belong to none. */
export function caseNumber(target: string): number {
  return Number(/case-(\d+)/.exec(target)?.[1] ?? 0);
}

/** `case-0000` in a text, with this number: as long as it was, so that lengths in the text still hold. */
export function numbered(text: string, number: number): string {
  return text.replaceAll('case-0000', `case-${String(number).padStart(4, '0')}`);
}

/** The value of the last field of this name. */
export function lastValue(rawHeaders: readonly string[], name: string): string | undefined {
  for (let at = rawHeaders.length - 2; at >= 0; at -= 2) if (rawHeaders[at]!.toLowerCase() === name) return rawHeaders[at + 1];
  return undefined;
}
