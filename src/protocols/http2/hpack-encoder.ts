import type { HeaderField } from '../http/head-fields.ts';
import { isFieldName, isFieldValue, isOfConnection } from './field-kind.ts';
import { initialTableBytes } from './frame.ts';
import { DynamicTable, entryBytes, staticTable } from './hpack-table.ts';

/** The head of a request. */
export interface RequestHead {
  readonly method: string;
  readonly scheme: 'http' | 'https';
  readonly authority: string;
  /** In origin form. */
  readonly path: string;
  readonly fields: readonly HeaderField[];
}

/**
 * Writes header blocks (RFC 7541). Many callers share a connection, and what one of them could guess of another by the length of what goes out must be nothing (section 7.1): only fields that say
 * nothing of a caller's data are kept in the table, by name, and a path only where it names a method of gRPC. Every other one is a literal that nobody on the way may ever keep (section 6.2.3).
 */
export class HpackEncoder {
  readonly #table: DynamicTable<KeptField>;
  readonly #kept = new Map<string, Map<string, KeptField>>();
  #added = 0;
  #buffer = new Uint8Array(4_096);
  #at = 0;
  /** What the table must be told to be at the next block: the least that it was to be since the last one, and what it is to be then (section 4.2). */
  #resized: { least: number; last: number } | undefined;

  constructor() {
    this.#table = new DynamicTable<KeptField>(initialTableBytes, (field) => {
      const values = this.#kept.get(field.name)!;
      values.delete(field.value);
      if (values.size === 0) this.#kept.delete(field.name);
    });
  }

  /** SETTINGS_HEADER_TABLE_SIZE of the other end. A larger table than the usual one is not used. */
  allow(tableBytes: number): void {
    const last = Math.min(tableBytes, initialTableBytes);
    if (this.#resized === undefined && last === this.#table.maxBytes) return;
    this.#resized = { least: Math.min(last, this.#resized?.least ?? last), last };
  }

  /** A view that the next call overwrites. Undefined for what cannot stand in a head: nothing is written then, and nothing has changed. */
  write({ method, scheme, authority, path, fields }: RequestHead): Uint8Array | undefined {
    if (!this.#mayStand(':method', method) || !this.#mayStand(':authority', authority) || !this.#mayStand(':path', path)) return undefined;
    if (!this.#mayAllStand(fields)) return undefined;
    this.#begin();
    this.#field(':method', method);
    this.#field(':scheme', scheme);
    this.#field(':authority', authority);
    this.#field(':path', path);
    for (const { name, value } of fields) this.#field(name, value);
    return this.#buffer.subarray(0, this.#at);
  }

  /** What stands behind a body (RFC 9113 section 8.1); as `write`. */
  writeTrailers(fields: readonly HeaderField[]): Uint8Array | undefined {
    if (!this.#mayAllStand(fields)) return undefined;
    this.#begin();
    for (const { name, value } of fields) this.#field(name, value);
    return this.#buffer.subarray(0, this.#at);
  }

  #begin(): void {
    this.#at = 0;
    this.#resize();
  }

  #mayAllStand(fields: readonly HeaderField[]): boolean {
    for (const { name, value } of fields) if (name.startsWith(':') || !this.#mayStand(name, value)) return false;
    return true;
  }

  /** What stands in a table has been looked at. */
  #mayStand(name: string, value: string): boolean {
    return this.#kept.get(name)?.has(value) === true || mayStand(name, value);
  }

  #resize(): void {
    const resized = this.#resized;
    if (resized === undefined) return;
    this.#resized = undefined;
    const { least, last } = resized;
    for (const size of least < last ? [least, last] : [last]) {
      this.#table.resize(size);
      this.#room(6);
      this.#integer(0x20, 5, size);
    }
  }

  #field(name: string, value: string): void {
    const known = staticNames.get(name);
    const fixed = known?.values.get(value);
    const kept = this.#kept.get(name)?.get(value);
    this.#room(name.length + value.length + 24);
    if (fixed !== undefined) this.#integer(0x80, 7, fixed);
    else if (kept !== undefined) this.#integer(0x80, 7, staticTable.length + this.#added - kept.number);
    else if (mayBeKept(name, value)) {
      this.#literal(0x40, 6, known?.index ?? 0, name, value);
      this.#keep({ name, value, bytes: entryBytes(name, value), number: this.#added });
    } else this.#literal(0x10, 4, known?.index ?? 0, name, value);
  }

  #keep(field: KeptField): void {
    this.#added += 1;
    if (field.bytes > this.#table.maxBytes) {
      this.#table.add(field);
      return;
    }
    let values = this.#kept.get(field.name);
    this.#table.add(field);
    if (values === undefined || values.size === 0) this.#kept.set(field.name, (values = new Map()));
    values.set(field.value, field);
  }

  #literal(pattern: number, bits: number, index: number, name: string, value: string): void {
    this.#integer(pattern, bits, index);
    if (index === 0) this.#text(name);
    this.#text(value);
  }

  /** A character is an octet. Nothing is compressed: what repeats stands in the table. */
  #text(text: string): void {
    this.#integer(0, 7, text.length);
    const buffer = this.#buffer;
    for (let index = 0; index < text.length; index += 1) buffer[this.#at + index] = text.charCodeAt(index);
    this.#at += text.length;
  }

  /** Section 5.1. */
  #integer(pattern: number, bits: number, value: number): void {
    const buffer = this.#buffer;
    const most = (1 << bits) - 1;
    if (value < most) {
      buffer[this.#at++] = pattern | value;
      return;
    }
    buffer[this.#at++] = pattern | most;
    let left = value - most;
    for (; left >= 0x80; left >>>= 7) buffer[this.#at++] = 0x80 | (left & 0x7f);
    buffer[this.#at++] = left;
  }

  #room(bytes: number): void {
    if (this.#at + bytes <= this.#buffer.length) return;
    const larger = new Uint8Array(2 * (this.#at + bytes));
    larger.set(this.#buffer.subarray(0, this.#at));
    this.#buffer = larger;
  }
}

interface KeptField {
  readonly name: string;
  readonly value: string;
  readonly bytes: number;
  /** How many were added to the table before it. */
  readonly number: number;
}

interface StaticName {
  readonly index: number;
  readonly values: Map<string, number>;
}

function mayStand(name: string, value: string): boolean {
  switch (name) {
    case ':method':
      return isFieldName(value.toLowerCase());
    case ':authority':
    case ':path':
      return /^[\x21-\x7e]+$/.test(value);
    default:
      return isFieldName(name) && isFieldValue(value) && !isOfConnection(name, value);
  }
}

function mayBeKept(name: string, value: string): boolean {
  return mayRepeat.has(name) && value.length <= longestKept && (name !== ':path' || isMethodPath(value));
}

/** `/package.Service/Method` of gRPC. Another one may have an account's number in it. */
function isMethodPath(path: string): boolean {
  return /^\/(?:[A-Za-z_]\w*\.)+[A-Za-z_]\w*\/[A-Za-z_]\w*$/.test(path);
}

const staticNames = new Map<string, StaticName>();
for (const [index, [name, value]] of staticTable.entries()) {
  const known = staticNames.get(name);
  if (known === undefined) staticNames.set(name, { index: index + 1, values: new Map(value === '' ? [] : [[value, index + 1]]) });
  else known.values.set(value, index + 1);
}
/** What a program says in the same way of all its requests; never whom it makes them for. */
const mayRepeat: ReadonlySet<string> = new Set([
  ':method',
  ':authority',
  ':path',
  'accept',
  'accept-encoding',
  'content-type',
  'grpc-accept-encoding',
  'grpc-encoding',
  'te',
  'user-agent',
]);
const longestKept = 256;
