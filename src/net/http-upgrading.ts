import { ServerResponse, type IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { HeaderField } from '../protocols/request.ts';
import type { TunnelEnd } from './http-tunnel.ts';

/**
 * A client's connection on which an upgrade was asked for: Node no longer reads requests from it. Until it is answered it is read all the same, so that a client that
 * goes away is noticed. An answer that is not 101 goes out like any other, and is its last.
 */
export class UpgradingSocket {
  readonly response: ServerResponse;
  readonly #socket: Duplex;
  readonly #early: Uint8Array[];
  #earlyBytes: number;

  /** `head`: what came behind the request. */
  constructor(request: IncomingMessage, socket: Duplex, head: Buffer) {
    this.#socket = socket;
    this.#early = [head];
    this.#earlyBytes = head.length;
    this.response = new ServerResponse(request);
    this.response.shouldKeepAlive = false;
    socket.on('error', this.#failed).on('end', this.#failed).on('data', this.#keep);
  }

  /** Its turn comes when everything before it was answered, and the answer is out. */
  async begin(before: Promise<void>): Promise<void> {
    await before;
    const { socket } = this.response.req;
    // Node's own, for the next request.
    socket.setTimeout(0);
    this.response.assignSocket(socket);
    this.response.once('finish', this.#answered);
  }

  switch(fields: readonly HeaderField[]): TunnelEnd {
    const socket = this.#socket;
    socket.pause();
    socket.off('end', this.#failed).off('data', this.#keep);
    this.response.off('finish', this.#answered);
    this.response.detachSocket(this.response.req.socket);
    const lines = fields.map(({ name, value }) => `${name}: ${value}\r\n`).join('');
    socket.write(`HTTP/1.1 101 Switching Protocols\r\n${lines}\r\n`, 'latin1');
    return { socket, unread: Buffer.concat(this.#early) };
  }

  readonly #answered = (): void => {
    this.response.detachSocket(this.response.req.socket);
    this.#socket.off('data', this.#keep);
    this.#socket.resume();
    this.#socket.end();
    setTimeout(() => this.#socket.destroy(), closeGraceMs).unref();
  };

  readonly #failed = (): void => {
    if (!this.response.writableEnded) this.#socket.destroy();
  };

  /** Who is not answered yet has little to say. */
  readonly #keep = (chunk: Buffer): void => {
    this.#early.push(chunk);
    this.#earlyBytes += chunk.length;
    if (this.#earlyBytes > mostEarlyBytes) this.#socket.destroy();
  };
}

const mostEarlyBytes = 64 * 1024;
const closeGraceMs = 1_000;
