import { IncomingMessage, ServerResponse, STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { fieldName, isFieldContent } from '../protocols/http/index.ts';
import type { HeaderField } from '../protocols/request.ts';

/**
 * The answer to a request that was recognised, not parsed, on a connection on which nothing else is under way. A short one is written at once, as Node would write it; for any other Node's own
 * response is made.
 */
export class AnswerAgain {
  readonly peer: string;
  /** Called when the answer is out or its client gone: first this, then what was given to the constructor. */
  onClosed: () => void = () => {};
  readonly #socket: Socket;
  readonly #method: string;
  readonly #free: () => void;
  #response: ServerResponse | undefined;
  #isDone = false;

  constructor(socket: Socket, peer: string, method: string, free: () => void) {
    this.#socket = socket;
    this.peer = peer;
    this.#method = method;
    this.#free = free;
  }

  /** All of it was given. */
  get writableEnded(): boolean {
    return this.#isDone || this.#response?.writableEnded === true;
  }

  get writableFinished(): boolean {
    return this.#isDone && (this.#response === undefined || this.#response.writableFinished);
  }

  get headersSent(): boolean {
    return this.#isDone || this.#response?.headersSent === true;
  }

  /** Node's. */
  get response(): ServerResponse {
    this.#response ??= this.#made();
    return this.#response;
  }

  /** True where all of the answer was written; false where it is one for `response`. */
  write(status: number, fields: readonly HeaderField[], body: Uint8Array): boolean {
    if (this.#response !== undefined || this.#isDone) return false;
    let head = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? 'unknown'}\r\n`;
    let isDated = false;
    for (const { name, value } of fields) {
      if (ofTheConnection.has(name) || fieldName(name) === undefined || !isFieldContent(value)) return false;
      isDated ||= name === 'date';
      head += `${name}: ${value}\r\n`;
    }
    if (!isDated) head += `Date: ${new Date().toUTCString()}\r\n`;
    head += keptOpen;
    // One write of one piece is the cheapest, as long as there is little to copy.
    if (body.length <= mostJoinedBytes) this.#socket.write(head + octets(body), 'latin1');
    else {
      this.#socket.cork();
      this.#socket.write(head, 'latin1');
      this.#socket.write(body);
      this.#socket.uncork();
    }
    this.#done();
    return true;
  }

  /** The client is gone. */
  gone(): void {
    if (!this.#isDone) this.#over();
  }

  #made(): ServerResponse {
    const request = new IncomingMessage(this.#socket);
    request.method = this.#method;
    request.httpVersionMajor = 1;
    request.httpVersionMinor = 1;
    const response = new ServerResponse(request);
    response.shouldKeepAlive = true;
    response.on('error', () => {});
    response.once('finish', () => {
      response.detachSocket(this.#socket);
      if (response.getHeader('connection') === 'close') this.#socket.destroySoon();
      this.#done();
      // For whoever waits for room.
      response.emit('close');
    });
    response.assignSocket(this.#socket);
    return response;
  }

  #done(): void {
    if (this.#isDone) return;
    this.#isDone = true;
    this.#over();
  }

  #over(): void {
    this.onClosed();
    this.#free();
  }
}

/** What Node adds to the head of an answer behind which the connection is kept. */
const keptOpen = 'Connection: keep-alive\r\nKeep-Alive: timeout=75\r\n\r\n';
const ofTheConnection: ReadonlySet<string> = new Set(['connection', 'keep-alive', 'transfer-encoding', 'trailer', 'upgrade']);
/** Longer ones are not copied. */
export const mostJoinedBytes = 8 * 1024;

/** A character for each octet. */
export function octets(bytes: Uint8Array): string {
  return bytes.length === 0 ? '' : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');
}
