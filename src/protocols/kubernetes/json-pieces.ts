import { GrowingBytes } from '../growing-bytes.ts';

/** A part of a stream of JSON. */
export interface JsonPiece {
  readonly kind: 'value' | 'element' | 'around';
  readonly bytes: Uint8Array;
}

/**
 * Cuts a stream of JSON into pieces that can be looked at one by one, whatever the cuts in which it comes; each byte is read once. It does not check the JSON:
 * whoever takes a piece parses it, and what is no JSON then is not shown.
 *
 * - `values`: one text after another, as a watch has them (JSON, with or without line breaks between).
 * - `elements`: the elements of the arrays `items` and `rows` at the top of one object, as a list or a Table has them; what is around them comes as `around`,
 *   such as `{"kind":"PodList","items":[`, `,` and `]}`.
 */
export class JsonCutter {
  readonly #cutsElements: boolean;
  readonly #maxBytes: number;
  readonly #carry = new GrowingBytes();
  /** How far it was scanned. */
  #at = 0;
  #depth = 0;
  #inString = false;
  #escaped = false;
  /** Where the string began that was read last, at depth 1; it is a name if a colon follows. */
  #stringStart = -1;
  #stringEnd = -1;
  /** The name of the member that is read at depth 1. */
  #opensElements = false;
  #inElements = false;

  /** `maxBytes`: of one piece. */
  constructor(mode: 'values' | 'elements', maxBytes: number) {
    this.#cutsElements = mode === 'elements';
    this.#maxBytes = maxBytes;
  }

  /** Undefined: a piece is longer than it may be, and nothing more can be cut. */
  push(bytes: Uint8Array): readonly JsonPiece[] | undefined {
    this.#carry.append(bytes);
    const { buffer, length } = this.#carry;
    const pieces: JsonPiece[] = [];
    let from = 0;
    const cut = (kind: JsonPiece['kind'], end: number): void => {
      if (end > from) pieces.push({ kind, bytes: buffer.slice(from, end) });
      from = end;
    };
    for (; this.#at < length; this.#at += 1) {
      const byte = buffer[this.#at]!;
      if (this.#inString) this.#string(byte);
      else if (this.#cutsElements) this.#element(byte, cut);
      else this.#value(byte, cut);
    }
    this.#carry.discard(from);
    this.#at -= from;
    this.#stringStart -= from;
    this.#stringEnd -= from;
    return this.#carry.length > this.#maxBytes ? undefined : pieces;
  }

  /** What is left. */
  end(): JsonPiece {
    const bytes = this.#carry.take().slice();
    this.#carry.discard(bytes.length);
    return { kind: this.#inElements ? 'element' : this.#cutsElements ? 'around' : 'value', bytes };
  }

  #string(byte: number): void {
    if (this.#escaped) this.#escaped = false;
    else if (byte === BACKSLASH) this.#escaped = true;
    else if (byte === QUOTE) {
      this.#inString = false;
      this.#stringEnd = this.#at + 1;
    }
  }

  #value(byte: number, cut: (kind: 'value', end: number) => void): void {
    switch (byte) {
      case QUOTE:
        this.#inString = true;
        return;
      case OPEN_OBJECT:
      case OPEN_ARRAY:
        this.#depth += 1;
        return;
      case CLOSE_OBJECT:
      case CLOSE_ARRAY:
        this.#depth = Math.max(this.#depth - 1, 0);
        if (this.#depth === 0) cut('value', this.#at + 1);
        return;
      case LINE_FEED:
        // With its line break, for whoever reads lines: the next event may be a long time coming.
        if (this.#depth === 0) cut('value', this.#at + 1);
    }
  }

  #element(byte: number, cut: (kind: 'element' | 'around', end: number) => void): void {
    switch (byte) {
      case QUOTE:
        this.#inString = true;
        if (this.#depth === 1) this.#stringStart = this.#at;
        return;
      case COLON:
        if (this.#depth === 1) this.#opensElements = this.#named(ITEMS) || this.#named(ROWS);
        return;
      case OPEN_OBJECT:
        this.#depth += 1;
        return;
      case OPEN_ARRAY:
        this.#depth += 1;
        if (this.#depth === 2 && this.#opensElements) {
          this.#inElements = true;
          cut('around', this.#at + 1);
        }
        return;
      case CLOSE_OBJECT:
      case CLOSE_ARRAY:
        if (this.#inElements && this.#depth === 2) {
          this.#inElements = false;
          this.#opensElements = false;
          cut('element', this.#at);
        }
        this.#depth -= 1;
        return;
      case COMMA:
        if (this.#inElements && this.#depth === 2) {
          cut('element', this.#at);
          cut('around', this.#at + 1);
        } else if (this.#depth === 1) this.#opensElements = false;
    }
  }

  /** The string that was read last is this one, escapes aside: a name that hides behind escapes is cut no elements, and what holds it is masked as one piece. */
  #named(name: Uint8Array): boolean {
    if (this.#stringStart < 0 || this.#stringEnd - this.#stringStart !== name.length) return false;
    return name.every((byte, index) => this.#carry.buffer[this.#stringStart + index] === byte);
  }
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COLON = 0x3a;
const COMMA = 0x2c;
const LINE_FEED = 0x0a;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;
const ITEMS = new TextEncoder().encode('"items"');
const ROWS = new TextEncoder().encode('"rows"');
