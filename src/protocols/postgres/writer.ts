import { GatewayFault } from '../../core/fault.ts';
import type { Format } from './messages.ts';

/** A message with a tag; `write` writes its body. */
export function message(tag: number, write: (writer: BodyWriter) => void): Uint8Array {
  const writer = new BodyWriter();
  writer.byte(tag);
  writer.int32(0);
  write(writer);
  return writer.finish(1);
}

/** A message without a tag, as only a connection's opening has. */
export function packet(write: (writer: BodyWriter) => void): Uint8Array {
  const writer = new BodyWriter();
  writer.int32(0);
  write(writer);
  return writer.finish(0);
}

/** Writes the fields of one message body ("Message Data Types" in the PostgreSQL manual). */
export class BodyWriter {
  #bytes = new Uint8Array(INITIAL_BYTES);
  #length = 0;

  byte(value: number): void {
    // The room first: it may put other bytes in the place of these.
    const at = this.#room(1);
    this.#bytes[at] = value;
  }

  int16(value: number): void {
    const at = this.#room(2);
    this.#bytes[at] = value >>> 8;
    this.#bytes[at + 1] = value;
  }

  int32(value: number): void {
    this.#int32At(this.#room(4), value);
  }

  string(text: string): void {
    if (text.includes('\0')) throw unencodable('a NUL in a text field');
    this.bytes(utf8.encode(text));
    this.byte(0);
  }

  bytes(data: Uint8Array): void {
    const at = this.#room(data.length);
    this.#bytes.set(data, at);
  }

  value(data: Uint8Array | null): void {
    this.int32(data === null ? -1 : data.length);
    if (data !== null) this.bytes(data);
  }

  count(value: number): void {
    if (value > 0xffff) throw unencodable(`a list of ${value} items`);
    this.int16(value);
  }

  formats(formats: readonly Format[]): void {
    this.count(formats.length);
    for (const format of formats) this.int16(format);
  }

  values(values: readonly (Uint8Array | null)[]): void {
    this.count(values.length);
    for (const value of values) this.value(value);
  }

  /** Fills in the length, which stands at `lengthAt` and counts itself and what follows. */
  finish(lengthAt: number): Uint8Array {
    this.#int32At(lengthAt, this.#length - lengthAt);
    return this.#bytes.subarray(0, this.#length);
  }

  #int32At(at: number, value: number): void {
    this.#bytes[at] = value >>> 24;
    this.#bytes[at + 1] = value >>> 16;
    this.#bytes[at + 2] = value >>> 8;
    this.#bytes[at + 3] = value;
  }

  /** Reserves `count` bytes, growing by doubling, and says where. */
  #room(count: number): number {
    const at = this.#length;
    const needed = at + count;
    if (needed > MAX_MESSAGE_BYTES) throw unencodable('a message of more than 1 GiB');
    if (needed > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(needed, 2 * this.#bytes.length));
      grown.set(this.#bytes.subarray(0, at));
      this.#bytes = grown;
    }
    this.#length = needed;
    return at;
  }
}

function unencodable(what: string): GatewayFault {
  return new GatewayFault('internal', { publicMessage: 'internal gateway error', detail: `a PostgreSQL message cannot hold ${what}` });
}

const INITIAL_BYTES = 128;
/** `MaxAllocSize`; keeps every length far from the sign bit, past which it would wrap (pgx CVE-2024-27304). */
const MAX_MESSAGE_BYTES = 0x3fff_ffff;
const utf8 = new TextEncoder();
