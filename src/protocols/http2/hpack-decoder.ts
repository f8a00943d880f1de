import type { HeaderField } from '../http/head-fields.ts';
import { fieldKind, type FieldKind } from './field-kind.ts';
import { initialTableBytes } from './frame.ts';
import { readHuffman, textOf } from './hpack-huffman.ts';
import { DynamicTable, entryBytes, staticTable } from './hpack-table.ts';
import { errorCode, Http2Violation } from './violation.ts';

/** A field that stood in a header block; the same object wherever it is sent by its index. */
export interface DecodedField {
  readonly field: HeaderField;
  readonly kind: FieldKind;
  /** RFC 7541 section 4.1. */
  readonly bytes: number;
}

/**
 * Reads header blocks (RFC 7541) in the order in which they come, each of them whole: what one says changes what the next ones mean. The table has the size that it has unless settings say otherwise, and ours do
 * not. Throws `Http2Violation` where the state of the two ends is no longer the same.
 */
export class HpackDecoder {
  readonly #table = new DynamicTable<DecodedField>(initialTableBytes);
  #bytes: Uint8Array = new Uint8Array(0);
  #at = 0;

  /** Undefined for a list that is longer than is taken (`maxListBytes`, `maxFields`). It is read to its end all the same. */
  read(block: Uint8Array): readonly DecodedField[] | undefined {
    this.#bytes = block;
    this.#at = 0;
    const fields: DecodedField[] = [];
    let left = maxListBytes;
    while (this.#at < block.length) {
      const octet = block[this.#at]!;
      if (octet >= 0x20 && octet < 0x40) {
        if (fields.length > 0) throw broken('the size of the table changes in the middle of a header block');
        this.#resize();
        continue;
      }
      const field = octet >= 0x80 ? this.#indexed(this.#integer(7)) : this.#literal(octet);
      left -= field.bytes;
      // One more than is taken: from here on nothing is kept.
      if (left >= 0 && fields.length <= maxFields) fields.push(field);
    }
    return left < 0 || fields.length > maxFields ? undefined : fields;
  }

  #indexed(index: number): DecodedField {
    const field = index <= staticFields.length ? staticFields[index - 1] : this.#table.at(index - staticFields.length - 1);
    if (field === undefined) throw broken('an index of no field');
    return field;
  }

  /** Section 6.2. */
  #literal(octet: number): DecodedField {
    const isKept = octet >= 0x40;
    const index = this.#integer(isKept ? 6 : 4);
    const name = index === 0 ? this.#text() : this.#indexed(index).field.name;
    const value = this.#text();
    const field = decodedField(name, value);
    if (isKept) this.#table.add(field);
    return field;
  }

  /** Section 6.3. */
  #resize(): void {
    const size = this.#integer(5);
    if (size > initialTableBytes) throw broken('a larger table than was allowed');
    this.#table.resize(size);
  }

  /** Section 5.2. */
  #text(): string {
    if (this.#at >= this.#bytes.length) throw broken('a header block ends in the middle of a field');
    const isHuffman = this.#bytes[this.#at]! >= 0x80;
    const length = this.#integer(7);
    const from = this.#at;
    const to = from + length;
    if (to > this.#bytes.length) throw broken('a header block ends in the middle of a field');
    this.#at = to;
    return isHuffman ? readHuffman(this.#bytes, from, to) : textOf(this.#bytes.subarray(from, to));
  }

  /** Section 5.1, of which no more is read than a header block can hold. `bits`: of the first octet. */
  #integer(bits: number): number {
    const most = (1 << bits) - 1;
    let value = this.#bytes[this.#at++]! & most;
    if (value < most) return value;
    for (let shift = 0; shift < 28; shift += 7) {
      const octet = this.#bytes[this.#at++];
      if (octet === undefined) throw broken('a header block ends in the middle of a field');
      value += (octet & 0x7f) << shift;
      if (octet < 0x80) return value;
    }
    throw broken('a number that is too large');
  }
}

function decodedField(name: string, value: string): DecodedField {
  return { field: { name, value }, kind: fieldKind(name, value), bytes: entryBytes(name, value) };
}

function broken(problem: string): Http2Violation {
  return new Http2Violation(errorCode.compressionError, problem);
}

/** RFC 9113 section 6.5.2; what is told to the server as SETTINGS_MAX_HEADER_LIST_SIZE. */
export const maxListBytes = 64 * 1024;
const maxFields = 256;
const staticFields = staticTable.map(([name, value]) => decodedField(name, value));
