import { Lookahead, type Plain } from '../../masking/lookahead.ts';
import { AsciiText } from '../../masking/printable.ts';
import { GrowingBytes } from '../growing-bytes.ts';
import type { PieceMasker } from '../request.ts';
import { maxPieceBytes, pieceText, pieceTooLong } from './mask-pieces.ts';
import { maskedPiece, type MaskedCounts } from './mask-text.ts';
import type { HttpMasks } from './masks.ts';

/**
 * Lines of text (logs), or one JSON text a line (NDJSON): each line is masked when its end has come. Where no places are hidden, lines in which no detector can find anything are not read
 * one by one; they go out as they came, many in one piece.
 */
export function lineMasker(masks: HttpMasks): PieceMasker {
  return new Lines(masks);
}

class Lines implements PieceMasker {
  readonly masked: MaskedCounts = new Map();
  readonly #masks: HttpMasks;
  /** Undefined: each line is read. */
  readonly #lookahead: Lookahead | undefined;
  /** Over a few lines, as they were written and as they are meant. */
  readonly #closer: Lookahead;
  /** A line of which the end has not come. */
  readonly #unfinished = new GrowingBytes();
  #meant: Uint8Array = new Uint8Array(0);

  constructor(masks: HttpMasks) {
    const { lookouts } = masks.detectors;
    this.#masks = masks;
    this.#lookahead = masks.rules.length === 0 ? new Lookahead(lookouts, withoutEscapes, true) : undefined;
    this.#closer = new Lookahead(lookouts, ascii, true);
  }

  push(bytes: Uint8Array): readonly Uint8Array[] {
    const end = bytes.lastIndexOf(lineFeed) + 1;
    const lines = bytes.subarray(0, end);
    let whole = lines;
    if (end > 0 && this.#unfinished.length > 0) {
      // Copied, so that they go out as one piece: two would be written one after the other.
      const begun = this.#unfinished.length;
      whole = new Uint8Array(begun + end);
      whole.set(this.#unfinished.take());
      whole.set(lines, begun);
      this.#unfinished.discard(begun);
    }
    const shown = this.#lines(whole);
    this.#unfinished.append(bytes.subarray(end));
    if (this.#unfinished.length > maxPieceBytes) throw pieceTooLong();
    return shown;
  }

  end(): readonly Uint8Array[] {
    const rest = this.#unfinished.take().slice();
    this.#unfinished.discard(rest.length);
    return rest.length === 0 ? [] : [this.#line(rest)];
  }

  /** Of whole lines what may be shown. */
  #lines(bytes: Uint8Array): readonly Uint8Array[] {
    const shown: Uint8Array[] = [];
    this.#lookahead?.over(bytes);
    let from = 0;
    // Where the lines end that were looked at together.
    let triedTo = 0;
    for (let at = 0; at < bytes.length;) {
      const clearTo = this.#lookahead?.clearTo(at) ?? at;
      if (clearTo === bytes.length) break;
      if (clearTo > at) at = Math.max(at, bytes.lastIndexOf(lineFeed, clearTo - 1) + 1);
      // Escapes stand in line after line, or in none.
      if (this.#lookahead !== undefined && at >= triedTo && bytes[clearTo] === backslash) {
        triedTo = bytes.lastIndexOf(lineFeed, at + togetherBytes) + 1;
        if (triedTo > at && this.#isClear(bytes.subarray(at, triedTo))) {
          at = triedTo;
          continue;
        }
      }
      const end = bytes.indexOf(lineFeed, at) + 1;
      const line = bytes.subarray(at, end);
      const masked = this.#line(line);
      if (masked !== line) {
        if (at > from) shown.push(bytes.subarray(from, at));
        shown.push(masked);
        from = end;
      }
      at = end;
    }
    if (from < bytes.length) shown.push(bytes.subarray(from));
    return shown;
  }

  /** The same bytes where nothing is hidden in them. */
  #line(line: Uint8Array): Uint8Array {
    if (this.#lookahead !== undefined && this.#isClear(line)) return line;
    const text = pieceText(line);
    const end = /\r?\n$/.exec(text)?.[0] ?? '';
    const content = text.slice(0, text.length - end.length);
    if (content.trim() === '') return line;
    const masked = maskedPiece(this.#masks, content, this.masked);
    return masked === content ? line : encoder.encode(masked + end);
  }

  /** Whether nobody can find anything in lines of ASCII, whether they are texts or JSON with escapes. */
  #isClear(lines: Uint8Array): boolean {
    if (!this.#seesNothing(lines)) return false;
    if (!lines.includes(backslash)) return true;
    if (this.#meant.length < lines.length) this.#meant = new Uint8Array(2 * lines.length);
    const length = withEscapesResolved(lines, this.#meant);
    return length !== undefined && this.#seesNothing(this.#meant.subarray(0, length));
  }

  #seesNothing(lines: Uint8Array): boolean {
    this.#closer.over(lines);
    return this.#closer.clearTo(0) === lines.length;
  }
}

/** What the short escapes of JSON stand for (RFC 8259 section 7); gives back how long it is, undefined where there is a long one, which may stand for anything. */
function withEscapesResolved(lines: Uint8Array, into: Uint8Array): number | undefined {
  let length = 0;
  for (let at = 0; at < lines.length; at += 1) {
    let byte = lines[at]!;
    if (byte === backslash && at + 1 < lines.length) {
      byte = lines[(at += 1)]!;
      if (byte === letterU) return undefined;
      byte = shortEscapes.get(byte) ?? byte;
    }
    into[length++] = byte;
  }
  return length;
}

/** ASCII without NUL, which is in no text. */
function asciiBytes(): Uint8Array {
  return new Uint8Array(256).fill(1, 0x01, 0x80);
}

const encoder = new TextEncoder();
const lineFeed = 0x0a;
const backslash = 0x5c;
const letterU = 0x75;
/** Of lines with escapes: where one of them holds something, each of them is looked at by itself. */
const togetherBytes = 4_096;
/** `\b`, `\f`, `\n`, `\r` and `\t`. */
const shortEscapes: ReadonlyMap<number, number> = new Map([
  [0x62, 0x08],
  [0x66, 0x0c],
  [0x6e, 0x0a],
  [0x72, 0x0d],
  [0x74, 0x09],
]);
const ascii: Plain = { table: asciiBytes(), words: (bytes) => new AsciiText(bytes) };
const withoutEscapes: Plain = { table: asciiBytes().fill(0, backslash, backslash + 1), words: (bytes) => new AsciiText(bytes, backslash) };
