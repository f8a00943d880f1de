import { GatewayFault } from '../../core/fault.ts';
import { headerDictionary } from './dictionary.ts';
import type { SpdyHeaders } from './messages.ts';

/**
 * Decompresses one block of a raw deflate stream (RFC 1951) that ends at a sync flush, given the up to 32 KiB that came out before it. Throws where the block
 * is no such thing, or would become longer than `maxBytes`. Node's zlib does it (`net/inflate.ts`).
 */
export type Inflate = (block: Uint8Array, window: Uint8Array, maxBytes: number) => Uint8Array;

/**
 * Reads the header blocks of one direction of a connection. They are one zlib stream (section 2.6.10.1, RFC 1950) cut by sync flushes, so that each can be inflated
 * by itself when what came out before is known.
 */
export class HeaderBlockReader {
  readonly #inflate: Inflate;
  /** Undefined before the first block. */
  #window: Uint8Array | undefined;

  constructor(inflate: Inflate) {
    this.#inflate = inflate;
  }

  /** Throws `protocol-violation`, or `limit-exceeded` for a block of more than 64 KiB or 100 names. */
  read(block: Uint8Array): SpdyHeaders {
    const [window, rest] = this.#window === undefined ? begun(block) : [this.#window, block];
    let plain: Uint8Array;
    try {
      plain = this.#inflate(rest, window, maxBlockBytes);
    } catch (cause) {
      throw violation('a header block cannot be decompressed', cause);
    }
    this.#window = lastOf(window, plain);
    return readHeaders(plain);
  }
}

/** The two octets that a zlib stream begins with, and the checksum of its dictionary where it has one. */
function begun(block: Uint8Array): readonly [window: Uint8Array, rest: Uint8Array] {
  const [method = 0, flags = 0] = block;
  if (block.length < 2 || (method & 0x0f) !== 8 || method >> 4 > 7 || (method * 256 + flags) % 31 !== 0) {
    throw violation('the first header block is not the beginning of a zlib stream');
  }
  if ((flags & 0x20) === 0) return [new Uint8Array(0), block.subarray(2)];
  if (block.length < 6 || new DataView(block.buffer, block.byteOffset).getUint32(2) !== dictionaryChecksum) {
    throw violation('header blocks are compressed with an unknown dictionary');
  }
  return [headerDictionary(), block.subarray(6)];
}

function lastOf(window: Uint8Array, plain: Uint8Array): Uint8Array {
  const joined = new Uint8Array(window.length + plain.length);
  joined.set(window);
  joined.set(plain, window.length);
  return joined.length <= windowBytes ? joined : joined.slice(joined.length - windowBytes);
}

/** Section 2.6.10: a count, then names and values, each behind its length; all of 32 bits. Several values of a name are parted by NUL. */
function readHeaders(plain: Uint8Array): SpdyHeaders {
  const view = new DataView(plain.buffer, plain.byteOffset, plain.length);
  let at = 0;
  const number = (): number => {
    if (at + 4 > plain.length) throw violation('a header block is too short');
    at += 4;
    return view.getUint32(at - 4);
  };
  const text = (): string => {
    const length = number();
    if (length > plain.length - at) throw violation('a header block is too short');
    at += length;
    return latin1(plain.subarray(at - length, at));
  };
  const count = number();
  if (count > maxNames) throw new GatewayFault('limit-exceeded', { publicMessage: `more than ${maxNames} headers on a stream` });
  const headers = new Map<string, readonly string[]>();
  for (let index = 0; index < count; index += 1) {
    const name = text();
    if (!nameSyntax.test(name) || headers.has(name)) throw violation('a header name is malformed or given twice');
    headers.set(name, text().split('\0'));
  }
  if (at !== plain.length) throw violation('a header block is too long');
  return headers;
}

/**
 * Writes the header blocks of one direction: one zlib stream without compression (RFC 1951 section 3.2.4) and so without state. Behind each comes the empty block of
 * a sync flush: before it, Go's reader, which kubectl and API servers have, gives nothing out.
 */
export class HeaderBlockWriter {
  #hasBegun = false;

  /** Names must be lower case. Names and values are Latin-1. */
  write(headers: SpdyHeaders): Uint8Array {
    const fields = [...headers].flatMap(([name, values]) => [name, values.join('\0')]);
    const length = fields.reduce((sum, field) => sum + 4 + field.length, 4);
    if (length > maxStoredBytes)
      throw new GatewayFault('internal', { publicMessage: 'internal gateway error', detail: 'stream headers too long' });
    const from = this.#hasBegun ? 0 : 2;
    const block = new Uint8Array(from + 5 + length + syncFlush.length);
    if (!this.#hasBegun) block.set([0x78, 0x01]);
    this.#hasBegun = true;
    const view = new DataView(block.buffer);
    view.setUint16(from + 1, length, true);
    view.setUint16(from + 3, length ^ 0xffff, true);
    block.set(syncFlush, from + 5 + length);
    let at = from + 5;
    view.setUint32(at, headers.size);
    at += 4;
    for (const field of fields) {
      view.setUint32(at, field.length);
      at += 4;
      for (let index = 0; index < field.length; index += 1) block[at + index] = field.charCodeAt(index);
      at += field.length;
    }
    return block;
  }
}

function latin1(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += String.fromCharCode(byte);
  return text;
}

function violation(what: string, cause?: unknown): GatewayFault {
  return new GatewayFault('protocol-violation', { publicMessage: `SPDY: ${what}`, cause });
}

const dictionaryChecksum = 0xe3c6a7c2;
const windowBytes = 32 * 1024;
const maxBlockBytes = 64 * 1024;
const maxStoredBytes = 0xffff;
const syncFlush = Uint8Array.of(0, 0, 0, 0xff, 0xff);
const maxNames = 100;
/** Field names are lower case and may begin with a colon. */
const nameSyntax = /^:?[!#$%&'*+\-.^_`|~0-9a-z]{1,256}$/;
