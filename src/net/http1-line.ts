import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { ClientExchange } from './http-client.ts';
import type { Understood } from './http-understood.ts';
import type { UpgradingSocket } from './http-upgrading.ts';
import { AnswerAgain } from './http1-again.ts';
import { Repeats } from './http1-repeats.ts';

/** The connections of HTTP/1.1 of one server. */
export class Http1Lines {
  readonly #handle: (client: ClientExchange) => Promise<void>;
  readonly #lines = new Map<Socket, Http1Line>();

  constructor(handle: (client: ClientExchange) => Promise<void>) {
    this.#handle = handle;
  }

  /** Before anything was read of it. */
  add(socket: Socket): void {
    if (socket.destroyed) return;
    this.#lines.set(socket, new Http1Line(socket, this.#handle));
    socket.once('close', () => this.#lines.delete(socket));
  }

  of(socket: Duplex): Http1Line | undefined {
    return this.#lines.get(socket as Socket);
  }

  /** Serves a request that Node's parser knows nothing of. */
  isServingAgain(socket: unknown): boolean {
    return this.#lines.get(socket as Socket)?.isServingAgain === true;
  }

  get anyIsServingAgain(): boolean {
    return [...this.#lines.values()].some((line) => line.isServingAgain);
  }
}

/**
 * One connection of HTTP/1.1 with a client. Its requests are served one at a time: pipelined ones would otherwise run beside each other, and what was sent first might happen last.
 *
 * What comes is read by Node's parser, save requests that it has read here before (`Repeats`), which begin only where nothing else is under way. Until such a one is answered the parser is given
 * nothing: what comes meanwhile waits for it.
 */
class Http1Line {
  readonly #socket: Socket;
  readonly #handle: (client: ClientExchange) => Promise<void>;
  /** The first one is being served. */
  readonly #waiting: Waiting[] = [];
  #isServed = false;
  #over = false;
  /** Until its answer is out, and the next piece comes. */
  #last: ClientExchange | undefined;
  /** Node's. Undefined where it does not let itself be put behind; then all is read by it. */
  readonly #parse: ((piece: Buffer) => void) | undefined;
  readonly #repeats = new Repeats<Understood>();
  /** What the last request says is kept under this. */
  #digest: string | undefined;
  #again: AnswerAgain | undefined;
  #peer: string | undefined;
  #early: Buffer[] = [];
  #earlyBytes = 0;

  constructor(socket: Socket, handle: (client: ClientExchange) => Promise<void>) {
    this.#socket = socket;
    this.#handle = handle;
    const [parse, ...others] = socket.listeners('data') as ((piece: Buffer) => void)[];
    if (parse === undefined || others.length > 0) return;
    this.#parse = parse;
    socket.off('data', parse).on('data', this.#onData);
    socket.once('close', () => this.#again?.gone());
  }

  /** A request that needs no parser is being served. */
  get isServingAgain(): boolean {
    return this.#again !== undefined;
  }

  /** The parser has read a request. */
  take(request: IncomingMessage, response: ServerResponse, upgrade?: UpgradingSocket): void {
    if (this.#waiting.length >= maxPipelined) {
      this.#socket.destroy();
      return;
    }
    this.#repeats.told(upgrade === undefined && isWhole(request, response));
    const client = new ClientExchange(request, response, upgrade);
    this.#waiting.push({ client, upgrade, before: this.#last });
    this.#last = client;
    if (!this.#isServed) void this.#serve();
  }

  /** The connection goes on in another protocol. */
  leave(): void {
    this.#socket.off('data', this.#onData);
  }

  readonly #onData = (piece: Buffer): void => {
    if (this.#again !== undefined) {
      this.#keepEarly(piece);
      return;
    }
    this.#learn();
    const understood = this.#isFree ? this.#repeats.find(piece) : undefined;
    if (understood?.holds === true) void this.#serveAgain(understood);
    else this.#read(piece);
  };

  #learn(): void {
    const understood = this.#last?.understood;
    if (this.#digest !== undefined && understood !== undefined) this.#repeats.keep(this.#digest, understood);
    this.#digest = undefined;
    // Its head, with the credential in it, is not held on to.
    if (this.#last?.isOver === true) this.#last = undefined;
  }

  /** Nothing is under way, and all that was answered is with the system. */
  get #isFree(): boolean {
    return !this.#isServed && !this.#over && this.#last === undefined && this.#socket.writableLength === 0;
  }

  #read(piece: Buffer): void {
    this.#repeats.reading(piece);
    this.#parse!.call(this.#socket, piece);
    this.#digest = this.#repeats.read();
  }

  async #serve(): Promise<void> {
    this.#isServed = true;
    // The parser is still at it, and tells of a request's end after its head.
    await Promise.resolve();
    for (let next = this.#waiting[0]; next !== undefined; next = this.#waiting[0]) {
      const { client, upgrade, before } = next;
      if (upgrade !== undefined) await upgrade.begin(before?.answered() ?? Promise.resolve());
      if (!this.#over && !client.isGone) await this.#handle(client);
      // What was parsed behind an answer that closes the connection may be a part of the message that was refused, and is never served.
      this.#over ||= client.closes;
      this.#waiting.shift();
    }
    this.#isServed = false;
  }

  async #serveAgain(understood: Understood): Promise<void> {
    this.#peer ??= `${this.#socket.remoteAddress ?? 'unknown'}:${this.#socket.remotePort ?? 0}`;
    let isHandled = false;
    let isOut = false;
    const free = (): void => {
      if (!isHandled || !isOut) return;
      this.#over ||= client.closes;
      this.#again = undefined;
      this.#readEarly();
    };
    const answer = new AnswerAgain(this.#socket, this.#peer, understood.request.method, () => {
      isOut = true;
      free();
    });
    const client = new ClientExchange(answer, understood);
    this.#again = answer;
    await this.#handle(client);
    isHandled = true;
    free();
  }

  /** Who is not answered yet has little more to say; that it goes away is seen as long as it is read from. */
  #keepEarly(piece: Buffer): void {
    this.#early.push(piece);
    this.#earlyBytes += piece.length;
    if (this.#earlyBytes > mostEarlyBytes) this.#socket.pause();
  }

  #readEarly(): void {
    if (this.#earlyBytes === 0 || this.#socket.destroyed) return;
    const early = Buffer.concat(this.#early);
    if (this.#earlyBytes > mostEarlyBytes) this.#socket.resume();
    this.#early = [];
    this.#earlyBytes = 0;
    this.#onData(early);
  }
}

interface Waiting {
  readonly client: ClientExchange;
  readonly upgrade: UpgradingSocket | undefined;
  readonly before: ClientExchange | undefined;
}

/** Nothing but a head, behind which the connection is kept. */
function isWhole({ headers, httpVersion }: IncomingMessage, { shouldKeepAlive }: ServerResponse): boolean {
  const hasBody = 'content-length' in headers || 'transfer-encoding' in headers;
  return !hasBody && httpVersion === '1.1' && shouldKeepAlive && headers.expect === undefined && headers.upgrade === undefined;
}

const maxPipelined = 32;
const mostEarlyBytes = 64 * 1024;
