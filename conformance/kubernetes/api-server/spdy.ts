import { Duplex } from 'node:stream';
import { constants, createDeflate, createInflate, type Deflate, type Inflate } from 'node:zlib';

/**
 * The server's side of SPDY/3.1 as Kubernetes clients use it (https://www.chromium.org/spdy/spdy-protocol/spdy-protocol-draft3-1/): streams
 * with header blocks, data, half-close, reset, ping. There is no flow control: the clients' library (moby/spdystream) has none.
 */
export class SpdyServer {
  readonly #transport: Duplex;
  readonly #onStream: (stream: SpdyStream) => void;
  readonly #streams = new Map<number, SpdyStream>();
  readonly #inflate: Inflate = createInflate({ dictionary });
  readonly #deflate: Deflate = createDeflate({ dictionary });
  #written: Promise<void> = Promise.resolve();

  constructor(transport: Duplex, onStream: (stream: SpdyStream) => void) {
    this.#transport = transport;
    this.#onStream = onStream;
  }

  /** Until the client has gone. */
  async run(): Promise<void> {
    let pending: Buffer = Buffer.alloc(0);
    try {
      for await (const chunk of this.#transport as AsyncIterable<Buffer>) {
        pending = pending.length === 0 ? chunk : Buffer.concat([pending, chunk]);
        while (pending.length >= 8) {
          const end = 8 + pending.readUIntBE(5, 3);
          if (pending.length < end) break;
          await this.#receive(pending.subarray(0, end));
          pending = pending.subarray(end);
        }
      }
    } catch {
      // The connection broke.
    } finally {
      for (const stream of this.#streams.values()) stream.lost();
      this.#inflate.destroy();
      this.#deflate.destroy();
    }
  }

  close(): void {
    void this.#written.then(() => this.#transport.end());
  }

  /** Everything that was written before has been handed to the connection. */
  get flushed(): Promise<void> {
    return this.#written;
  }

  data(id: number, bytes: Buffer, isLast: boolean): Promise<void> {
    const head = Buffer.alloc(8);
    head.writeUInt32BE(id, 0);
    head[4] = isLast ? flagFin : 0;
    head.writeUIntBE(bytes.length, 5, 3);
    return this.#write(Buffer.concat([head, bytes]));
  }

  async #receive(frame: Buffer): Promise<void> {
    const body = frame.subarray(8);
    const flags = frame[4]!;
    if ((frame[0]! & 0x80) === 0) {
      const stream = this.#streams.get(frame.readUInt32BE(0) & 0x7fffffff);
      await stream?.received(Buffer.from(body), (flags & flagFin) !== 0);
      return;
    }
    switch (frame.readUInt16BE(2)) {
      case synStream:
        return this.#opened(body.readUInt32BE(0) & 0x7fffffff, flags, await this.#readHeaders(body.subarray(10)));
      case headersFrame:
        await this.#readHeaders(body.subarray(4));
        return;
      case rstStream:
        this.#streams.get(body.readUInt32BE(0) & 0x7fffffff)?.lost();
        this.#streams.delete(body.readUInt32BE(0) & 0x7fffffff);
        return;
      case ping:
        // Ours would be even.
        if (body.readUInt32BE(0) % 2 === 1) await this.#write(Buffer.from(frame));
        return;
      default:
    }
  }

  async #opened(id: number, flags: number, headers: ReadonlyMap<string, string>): Promise<void> {
    const stream = new SpdyStream(this, id, headers);
    this.#streams.set(id, stream);
    if ((flags & flagFin) !== 0) await stream.received(Buffer.alloc(0), true);
    const block = await this.#writeHeaders([]);
    await this.#write(control(synReply, 0, Buffer.concat([uint32(id), block])));
    this.#onStream(stream);
  }

  /** Number of pairs, then length and text of each name and value; all of a direction in one zlib stream. */
  async #readHeaders(block: Buffer): Promise<ReadonlyMap<string, string>> {
    const plain = await through(this.#inflate, block);
    const headers = new Map<string, string>();
    let at = 4;
    const text = (): string => {
      const end = at + 4 + plain.readUInt32BE(at);
      const found = plain.toString('latin1', at + 4, end);
      at = end;
      return found;
    };
    for (let left = plain.readUInt32BE(0); left > 0; left -= 1) {
      const name = text();
      headers.set(name, text());
    }
    return headers;
  }

  #writeHeaders(headers: readonly (readonly [string, string])[]): Promise<Buffer> {
    const parts = headers.flat().map((text) => Buffer.concat([uint32(text.length), Buffer.from(text, 'latin1')]));
    return through(this.#deflate, Buffer.concat([uint32(headers.length), ...parts]));
  }

  #write(frame: Buffer): Promise<void> {
    this.#written = this.#written.then(
      () =>
        new Promise((resolve) => {
          if (this.#transport.destroyed || !this.#transport.writable) return resolve();
          if (this.#transport.write(frame)) return resolve();
          const done = (): void => {
            this.#transport.off('drain', done).off('close', done);
            resolve();
          };
          this.#transport.on('drain', done).on('close', done);
        }),
    );
    return this.#written;
  }
}

/** One stream that a client has opened. Ending the writable side is the half-close. */
export class SpdyStream extends Duplex {
  readonly headers: ReadonlyMap<string, string>;
  readonly #server: SpdyServer;
  readonly #id: number;
  #wanted: (() => void) | undefined;

  constructor(server: SpdyServer, id: number, headers: ReadonlyMap<string, string>) {
    super({ allowHalfOpen: true });
    this.headers = headers;
    this.#server = server;
    this.#id = id;
    this.on('error', () => {});
  }

  async received(bytes: Buffer, isLast: boolean): Promise<void> {
    if (this.destroyed || this.readableEnded) return;
    const isRoom = bytes.length === 0 || this.push(bytes);
    if (isLast) this.push(null);
    else if (!isRoom && this.headers.get('streamtype') !== 'stdin') {
      await new Promise<void>((resolve) => {
        this.#wanted = resolve;
      });
    }
  }

  lost(): void {
    this.#wanted?.();
    if (!this.readableEnded) this.push(null);
    this.destroy();
  }

  override _read(): void {
    this.#wanted?.();
    this.#wanted = undefined;
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, callback: (error?: Error | null) => void): void {
    void this.#send(chunk).then(() => callback());
  }

  override _final(callback: (error?: Error | null) => void): void {
    void this.#server.data(this.#id, Buffer.alloc(0), true).then(() => callback());
  }

  override _destroy(_error: Error | null, callback: (error?: Error | null) => void): void {
    this.#wanted?.();
    callback(null);
  }

  async #send(chunk: Buffer): Promise<void> {
    for (let at = 0; at < chunk.length; at += maxDataBytes) {
      await this.#server.data(this.#id, chunk.subarray(at, at + maxDataBytes), false);
    }
  }
}

function control(type: number, flags: number, body: Buffer): Buffer {
  const head = Buffer.alloc(8);
  head.writeUInt16BE(0x8003, 0);
  head.writeUInt16BE(type, 2);
  head[4] = flags;
  head.writeUIntBE(body.length, 5, 3);
  return Buffer.concat([head, body]);
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

/** Puts a piece through a zlib stream that goes on afterwards. */
function through(zlib: Inflate | Deflate, piece: Buffer): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const parts: Buffer[] = [];
    const take = (part: Buffer): void => void parts.push(part);
    zlib.on('data', take);
    zlib.once('error', reject);
    zlib.write(piece);
    zlib.flush(constants.Z_SYNC_FLUSH, () => {
      zlib.off('data', take).off('error', reject);
      resolve(Buffer.concat(parts));
    });
  });
}

const [synStream, synReply, rstStream, ping, headersFrame] = [1, 2, 3, 6, 8];
const flagFin = 0x01;
const maxDataBytes = 64 * 1024;

const words =
  'options head post put delete trace accept accept-charset accept-encoding accept-language accept-ranges age allow authorization ' +
  'cache-control connection content-base content-encoding content-language content-length content-location content-md5 content-range ' +
  'content-type date etag expect expires from host if-match if-modified-since if-none-match if-range if-unmodified-since last-modified ' +
  'location max-forwards pragma proxy-authenticate proxy-authorization range referer retry-after server te trailer transfer-encoding ' +
  'upgrade user-agent vary via warning www-authenticate method get status 200_OK version HTTP/1.1 url public set-cookie keep-alive origin';

const rest =
  '100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505' +
  '203 Non-Authoritative Information204 No Content301 Moved Permanently400 Bad Request401 Unauthorized403 Forbidden404 Not Found' +
  '500 Internal Server Error501 Not Implemented503 Service UnavailableJan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec 00:00:00 ' +
  'Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMTchunked,text/html,image/png,image/jpg,image/gif,application/xml,application/xhtml+xml,' +
  'text/plain,text/javascript,publicprivatemax-age=gzip,deflate,sdchcharset=utf-8charset=iso-8859-1,utf-,*,enq=0.';

/** Section 2.6.10.1: words with their lengths, then text. */
const dictionary = Buffer.concat([
  ...words.split(' ').map((word) => Buffer.concat([uint32(word.length), Buffer.from(word.replace('_', ' '))])),
  Buffer.from(rest),
]);
