import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';

export interface WireMessage {
  /** One character; "byte" for a single byte outside a message. */
  readonly tag: string;
  readonly body: Buffer;
}

/** A PostgreSQL client that sends what a test says, right or wrong, and gives back what came ("Message Formats" in the manual). */
export class Wire {
  #socket: Socket;
  #unread: Buffer = Buffer.alloc(0);
  #ended = false;

  private constructor(socket: Socket) {
    this.#socket = socket;
    this.#listen(socket);
  }

  static async open(port: number): Promise<Wire> {
    const socket = connect({ port, host: 'localhost' });
    await once(socket, 'connect');
    return new Wire(socket);
  }

  /** TLS from the first byte on. Rejects where the handshake fails. */
  static async openTls(port: number, ca: string, alpn: readonly string[]): Promise<Wire> {
    const socket = connectTls({
      port,
      host: 'localhost',
      servername: 'localhost',
      ca,
      ...(alpn.length === 0 ? {} : { ALPNProtocols: [...alpn] }),
    });
    await once(socket, 'secureConnect');
    return new Wire(socket);
  }

  /** SSLRequest, its answer, the handshake. */
  async encrypt(ca: string): Promise<void> {
    this.write(sslRequest);
    const answer = await this.byte();
    if (answer !== 'S') throw new Error(`SSLRequest was answered ${answer}`);
    const plain = this.#socket;
    plain.removeAllListeners('data');
    const secured = connectTls({ socket: plain, servername: 'localhost', ca });
    await once(secured, 'secureConnect');
    this.#socket = secured;
    this.#listen(secured);
  }

  write(bytes: Uint8Array): void {
    this.#socket.write(bytes);
  }

  send(tag: string, ...parts: readonly (Uint8Array | string)[]): void {
    this.write(message(tag, ...parts));
  }

  startup(minor: number, parameters: readonly (readonly [string, string])[]): void {
    this.write(startupPacket(minor, parameters));
  }

  async byte(): Promise<string> {
    await this.#until(1);
    return this.#take(1).toString('latin1');
  }

  /** The next message; tag "" once the other side has ended the connection. */
  async receive(): Promise<WireMessage> {
    if (!(await this.#until(5))) return { tag: '', body: Buffer.alloc(0) };
    const length = this.#unread.readInt32BE(1);
    await this.#until(length + 1);
    const frame = this.#take(length + 1);
    return { tag: frame.toString('latin1', 0, 1), body: frame.subarray(5) };
  }

  /** Messages up to and including the first with one of these tags, or the end. */
  async receiveUntil(tags: string): Promise<readonly WireMessage[]> {
    const all: WireMessage[] = [];
    for (;;) {
      const next = await this.receive();
      all.push(next);
      if (next.tag === '' || tags.includes(next.tag)) return all;
    }
  }

  close(): void {
    this.#socket.destroy();
  }

  #listen(socket: Socket): void {
    socket.on('data', (bytes: Buffer) => {
      this.#unread = Buffer.concat([this.#unread, bytes]);
      socket.emit('more');
    });
    const end = (): void => {
      this.#ended = true;
      socket.emit('more');
    };
    socket.on('end', end).on('close', end).on('error', end);
  }

  /** False where the connection ended before so much came. */
  async #until(bytes: number): Promise<boolean> {
    while (this.#unread.length < bytes && !this.#ended) await once(this.#socket, 'more');
    return this.#unread.length >= bytes;
  }

  #take(bytes: number): Buffer {
    const taken = this.#unread.subarray(0, bytes);
    this.#unread = this.#unread.subarray(bytes);
    return taken;
  }
}

export function message(tag: string, ...parts: readonly (Uint8Array | string)[]): Buffer {
  const body = Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(`${part}\0`) : part)));
  return Buffer.concat([Buffer.from(tag), int32(body.length + 4), body]);
}

export function startupPacket(minor: number, parameters: readonly (readonly [string, string])[]): Buffer {
  const body = Buffer.concat([...parameters.flat().map((text) => Buffer.from(`${text}\0`)), Buffer.from([0])]);
  return Buffer.concat([int32(body.length + 8), int32((3 << 16) | minor), body]);
}

/** Fields of an ErrorResponse or NoticeResponse, by their letter. */
export function fieldsOf({ body }: WireMessage): ReadonlyMap<string, string> {
  const texts = body
    .toString()
    .split('\0')
    .filter((text) => text !== '');
  return new Map(texts.map((text) => [text.slice(0, 1), text.slice(1)]));
}

export function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}

export const sslRequest: Buffer = Buffer.concat([int32(8), int32(80_877_103)]);
export const gssEncRequest: Buffer = Buffer.concat([int32(8), int32(80_877_104)]);
