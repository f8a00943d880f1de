import { GatewayFault } from '../../core/fault.ts';
import type { Format } from './messages.ts';

/**
 * Reads the fields of one message body ("Message Data Types" in the PostgreSQL manual). Each read is checked against the end of the
 * body; whatever does not fit is a `protocol-violation` that names the message and the field.
 */
export class BodyReader {
  readonly #bytes: Uint8Array;
  readonly #message: string;
  readonly #end: number;
  #at: number;

  /** The body lies in `bytes` from `start` up to `end`. `message`: the message's name, for the fault. */
  constructor(bytes: Uint8Array, message: string, start = 0, end: number = bytes.length) {
    this.#bytes = bytes;
    this.#message = message;
    this.#at = start;
    this.#end = end;
  }

  get remaining(): number {
    return this.#end - this.#at;
  }

  byte(field: string): number {
    return this.#bytes[this.#advance(1, field)]!;
  }

  int16(field: string): number {
    return (this.uint16(field) << 16) >> 16;
  }

  uint16(field: string): number {
    const at = this.#advance(2, field);
    return (this.#bytes[at]! << 8) | this.#bytes[at + 1]!;
  }

  int32(field: string): number {
    const bytes = this.#bytes;
    const at = this.#advance(4, field);
    return (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!;
  }

  /** OIDs are unsigned. */
  uint32(field: string): number {
    return this.int32(field) >>> 0;
  }

  /** A NUL-terminated string in UTF-8. */
  string(field: string): string {
    const end = this.#bytes.indexOf(0, this.#at);
    if (end < 0 || end >= this.#end) throw this.violation(field, 'is not terminated');
    const text = end === this.#at ? '' : this.#text(this.#bytes.subarray(this.#at, end), field);
    this.#at = end + 1;
    return text;
  }

  /** A view of the next `length` bytes. */
  bytes(length: number, field: string): Uint8Array {
    const at = this.#advance(length, field);
    return this.#bytes.subarray(at, at + length);
  }

  /** A view of all that is left. */
  rest(): Uint8Array {
    return this.bytes(this.remaining, 'rest');
  }

  /** Int32 length and that many bytes; -1 is `null`. */
  value(field: string): Uint8Array | null {
    const length = this.int32(field);
    if (length === -1) return null;
    if (length < 0) throw this.violation(field, `has the length ${length}`);
    return this.bytes(length, field);
  }

  format(field: string): Format {
    const code = this.uint16(field);
    if (code !== 0 && code !== 1) throw this.violation(field, `has the unknown format code ${code}`);
    return code;
  }

  /**
   * An Int16 count and as many items, each at least `itemBytes` long, so that no count costs memory that its items have not paid for.
   * The server reads the count unsigned, and so do we.
   */
  list<T>(field: string, itemBytes: number, item: () => T): T[] {
    const count = this.uint16(field);
    if (count * itemBytes > this.remaining) throw this.violation(field, `announces ${count} items in ${this.remaining} bytes`);
    const items: T[] = [];
    for (let index = 0; index < count; index += 1) items.push(item());
    return items;
  }

  formats(field: string): Format[] {
    return this.list(field, 2, () => this.format(field));
  }

  /** The body must end here. */
  finish(): void {
    if (this.remaining > 0) throw this.violation('body', `has ${this.remaining} bytes too many`);
  }

  violation(field: string, problem: string): GatewayFault {
    return new GatewayFault('protocol-violation', { publicMessage: `malformed ${this.#message}: ${field} ${problem}` });
  }

  #advance(length: number, field: string): number {
    const at = this.#at;
    if (length > this.#end - at) throw this.violation(field, 'is cut short');
    this.#at = at + length;
    return at;
  }

  #text(bytes: Uint8Array, field: string): string {
    try {
      return utf8.decode(bytes);
    } catch {
      throw this.violation(field, 'is not valid UTF-8');
    }
  }
}

/** `ignoreBOM`: a leading U+FEFF is text like any other here; dropping it would decide on other bytes than are forwarded. */
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
