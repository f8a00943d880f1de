import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';

/** A PostgreSQL client that sends whatever bytes it is told to, and keeps every byte that comes back. */
export interface WireOptions {
  readonly port: number;
  readonly authority: string;
  readonly database: string;
  readonly user?: string;
  readonly password: string;
  /** Startup parameters besides user and database. */
  readonly settings?: Readonly<Record<string, string>>;
}

export interface Message {
  readonly tag: string;
  readonly body: Buffer;
}

export class Wire {
  readonly #socket: Socket;
  #chunks: Buffer[] = [];
  #unread: Buffer = Buffer.alloc(0);
  #messages: Message[] = [];
  #wake: (() => void) | undefined;
  closed = false;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (chunk: Buffer) => this.#receive(chunk));
    for (const event of ['close', 'error', 'end'])
      socket.on(event, () => {
        this.closed = true;
        this.#wake?.();
      });
  }

  /** Signed in and ready. Throws with the server's message where it refuses. */
  static async open(options: WireOptions): Promise<Wire> {
    const plain = connectTcp(options.port, '127.0.0.1');
    plain.setNoDelay(true);
    await new Promise<void>((resolve, reject) => {
      plain.once('error', reject);
      plain.once('connect', () => plain.write(Buffer.from([0, 0, 0, 8, 4, 210, 22, 47])));
      plain.once('data', (answer: Buffer) => (answer.toString() === 'S' ? resolve() : reject(new Error('no TLS'))));
    });
    plain.removeAllListeners('error');
    plain.on('error', () => {});
    const socket = connectTls({ socket: plain, ca: options.authority, servername: 'localhost' });
    await new Promise<void>((resolve, reject) => {
      socket.once('error', reject);
      socket.once('secureConnect', resolve);
    });
    socket.removeAllListeners('error');
    const wire = new Wire(socket);
    const parameters = { user: options.user ?? 'ci', database: options.database, ...options.settings };
    const body = Buffer.concat([
      int32(196_608),
      ...Object.entries(parameters).flatMap(([name, value]) => [text(name), text(value)]),
      Buffer.from([0]),
    ]);
    wire.send(Buffer.concat([int32(body.length + 4), body]));
    if ((await wire.next(10_000))?.tag !== 'R') throw new Error('no password was asked for');
    wire.send(message('p', text(options.password)));
    const answers = await wire.untilReady(10_000);
    const error = answers.find((answer) => answer.tag === 'E');
    if (error !== undefined || answers.at(-1)?.tag !== 'Z')
      throw new Error(error === undefined ? 'not signed in' : errorFields(error).get('M'));
    return wire;
  }

  send(bytes: Uint8Array): void {
    if (!this.closed) this.#socket.write(bytes);
  }

  /** The next message; undefined when none came in time or the connection ended. */
  async next(withinMs: number): Promise<Message | undefined> {
    const deadline = performance.now() + withinMs;
    while (this.#messages.length === 0) {
      const left = deadline - performance.now();
      if (this.closed || left <= 0) return undefined;
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    return this.#messages.shift();
  }

  /** Messages up to ReadyForQuery, or as many as came in time. */
  async untilReady(withinMs: number): Promise<Message[]> {
    const found: Message[] = [];
    for (;;) {
      const one = await this.next(withinMs);
      if (one === undefined) return found;
      found.push(one);
      if (one.tag === 'Z') return found;
    }
  }

  async query(sql: string, withinMs = 10_000): Promise<Message[]> {
    this.send(message('Q', text(sql)));
    return this.untilReady(withinMs);
  }

  /** Every byte that came since the last call. */
  taken(): Buffer {
    const all = Buffer.concat(this.#chunks);
    this.#chunks = [];
    return all;
  }

  end(): void {
    this.#socket.destroy();
    this.closed = true;
  }

  #receive(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#unread = this.#unread.length === 0 ? chunk : Buffer.concat([this.#unread, chunk]);
    while (this.#unread.length >= 5) {
      const length = this.#unread.readUInt32BE(1) + 1;
      if (this.#unread.length < length) break;
      this.#messages.push({ tag: String.fromCharCode(this.#unread[0]!), body: this.#unread.subarray(5, length) });
      this.#unread = this.#unread.subarray(length);
    }
    if (this.#messages.length > 0) this.#wake?.();
  }
}

export function message(tag: string, ...body: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(body);
  return Buffer.concat([Buffer.from(tag, 'latin1'), int32(content.length + 4), content]);
}

/** A zero-terminated string. */
export function text(value: string): Buffer {
  return Buffer.from(`${value}\0`);
}

export function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value | 0);
  return bytes;
}

export function int16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeInt16BE((value << 16) >> 16);
  return bytes;
}

/** Parse, Bind, Describe, Execute and Sync of one statement without parameters. `format` of all result columns. */
export function extended(sql: string, format: 0 | 1, fetch = 0, values: readonly string[] = []): Buffer {
  const parameters = values.flatMap((value) => [int32(Buffer.byteLength(value)), Buffer.from(value)]);
  return Buffer.concat([
    message('P', text(''), text(sql), int16(0)),
    message('B', text(''), text(''), int16(0), int16(values.length), ...parameters, int16(1), int16(format)),
    message('D', Buffer.from('P'), text('')),
    message('E', text(''), int32(fetch)),
    message('S'),
  ]);
}

/** Fields of an ErrorResponse or NoticeResponse by their one-letter codes. */
export function errorFields({ body }: Message): Map<string, string> {
  const fields = new Map<string, string>();
  for (let at = 0; at < body.length && body[at] !== 0;) {
    const end = body.indexOf(0, at);
    fields.set(String.fromCharCode(body[at]!), body.toString('utf8', at + 1, end));
    at = end + 1;
  }
  return fields;
}

/** Cells of a DataRow. */
export function cells({ body }: Message): (Buffer | null)[] {
  const found: (Buffer | null)[] = [];
  for (let index = 0, at = 2; index < body.readUInt16BE(0); index++) {
    const length = body.readInt32BE(at);
    at += 4;
    found.push(length < 0 ? null : body.subarray(at, at + length));
    at += Math.max(0, length);
  }
  return found;
}
