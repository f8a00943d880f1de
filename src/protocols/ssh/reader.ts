import { violation } from './fault.ts';

/** The data types of RFC 4251 section 5, of bytes that a peer sent. Everything throws `protocol-violation` where there are too few. */
export class Reader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  uint32(): number {
    if (this.#bytes.length - this.#at < 4) throw violation('a message that is cut');
    const value = this.#view.getUint32(this.#at);
    this.#at += 4;
    return value;
  }

  boolean(): boolean {
    if (this.#at >= this.#bytes.length) throw violation('a message that is cut');
    this.#at += 1;
    return this.#bytes[this.#at - 1] !== 0;
  }

  /** A string's bytes: a view. */
  bytes(): Uint8Array {
    const length = this.uint32();
    if (this.#bytes.length - this.#at < length) throw violation('a string that is longer than its message');
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }

  /** A string as text. Undefined where it is not UTF-8, or holds NUL. */
  text(): string | undefined {
    const bytes = this.bytes();
    if (bytes.includes(0)) return undefined;
    try {
      return utf8.decode(bytes);
    } catch {
      return undefined;
    }
  }

  /** A view of everything that was not read. */
  rest(): Uint8Array {
    const rest = this.#bytes.subarray(this.#at);
    this.#at = this.#bytes.length;
    return rest;
  }

  /** Nothing may be left. */
  end(): void {
    if (this.#at !== this.#bytes.length) throw violation('a message with something behind its end');
  }
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
