import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { GatewayFault } from '../../src/core/fault.ts';
import { checkedHead, type CheckedHead } from '../../src/protocols/http/head.ts';
import { canonicalTarget, type CanonicalTarget } from '../../src/protocols/http/path.ts';
import { caseNumber } from './upstreams/reporter.ts';

/** A request as policy would be asked about it, complete with its body. */
export interface Understood {
  readonly head: CheckedHead;
  readonly target: CanonicalTarget;
  /** A character for each octet; undefined where the head says that there is none. */
  readonly body: string | undefined;
}

/**
 * Node's parser with the checks of `protocols/http` behind it, and nothing else: what a request must pass before the gateway asks policy about it. A
 * connection ends with the first message that is refused.
 */
export class Front {
  readonly #understood = new Map<number, Understood[]>();
  readonly #server = createServer({ maxHeaderSize: 65_536, insecureHTTPParser: false });

  constructor() {
    this.#server.on('request', (request: IncomingMessage, response: ServerResponse) => this.#receive(request, response));
    this.#server.on('upgrade', (_request: IncomingMessage, socket) => socket.destroy());
    this.#server.on('connect', (_request: IncomingMessage, socket) => socket.destroy());
    this.#server.on('clientError', (_error, socket) => socket.destroy());
    this.#server.on('checkExpectation', (request: IncomingMessage, response: ServerResponse) => this.#receive(request, response));
  }

  /** Listens on a Unix socket. */
  listen(path: string): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(path, () => resolve());
    });
  }

  /** What was understood of a case, in order, up to the first message that was refused. */
  understood(number: number): readonly Understood[] {
    return this.#understood.get(number) ?? [];
  }

  close(): Promise<void> {
    this.#server.closeAllConnections();
    return new Promise((resolve) => {
      this.#server.close(() => resolve());
    });
  }

  #receive(request: IncomingMessage, response: ServerResponse): void {
    const { httpVersion: version, method = '', url = '', rawHeaders } = request;
    request.on('error', () => {});
    if (request.socket.destroyed) return;
    const head = checkedHead({ version, method, target: url, rawHeaders });
    const target = canonicalTarget(url);
    if (head instanceof GatewayFault || target instanceof GatewayFault) {
      // Messages behind it may have been parsed already: a destroyed connection is how they are told.
      request.socket.destroy();
      return;
    }
    let body = '';
    request.on('data', (chunk: Buffer) => (body += chunk.toString('latin1')));
    request.on('end', () => {
      const number = caseNumber(url);
      const understood = { head, target, body: head.body.kind === 'none' ? undefined : body };
      this.#understood.set(number, [...this.understood(number), understood]);
      response.end();
    });
  }
}
