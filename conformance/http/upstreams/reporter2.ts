import { createServer, type Http2Server, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { caseNumber, type Seen } from './reporter.ts';

/** An application of HTTP/2, with prior knowledge, that keeps what it was asked as `Reporter` does. */
export class Reporter2 {
  readonly #seen = new Map<number, Seen[]>();
  readonly #server: Http2Server;
  readonly #sessions = new Set<ServerHttp2Session>();

  private constructor(server: Http2Server) {
    this.#server = server;
    server.on('session', (session) => this.#sessions.add(session));
    server.on('stream', (stream, _head, _flags, raw) => this.#report(stream, raw));
  }

  static async start(): Promise<Reporter2> {
    const server = createServer();
    const reporter = new Reporter2(server);
    await new Promise<void>((resolve) => {
      server.listen(0, '127.0.0.1', resolve);
    });
    return reporter;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  seen(_way: string, number: number): readonly Seen[] {
    return this.#seen.get(number) ?? [];
  }

  count(_way: string): number {
    return [...this.#seen.values()].reduce((sum, seen) => sum + seen.length, 0);
  }

  close(): Promise<void> {
    for (const session of this.#sessions) session.destroy();
    return new Promise((resolve) => {
      this.#server.close(() => resolve());
    });
  }

  #report(stream: ServerHttp2Stream, raw: readonly string[]): void {
    let body = '';
    stream.on('error', () => {});
    stream.on('data', (chunk: Buffer) => (body += chunk.toString('latin1')));
    stream.on('end', () => {
      const value = (name: string): string => raw[raw.indexOf(name) + 1] ?? '';
      const target = value(':path');
      const rawHeaders = raw.filter((_, at) => !raw[at - (at % 2)]!.startsWith(':'));
      const number = caseNumber(target);
      this.#seen.set(number, [...(this.#seen.get(number) ?? []), { method: value(':method'), target, rawHeaders, body }]);
      stream.respond({ ':status': 200 });
      stream.end('seen');
    });
  }
}
