import { GatewayFault } from '../../core/fault.ts';
import { GrowingBytes } from '../growing-bytes.ts';
import type { PieceMasker } from '../request.ts';
import type { HttpMasks } from './masks.ts';
import { maskedPiece, maskedText, type MaskedCounts } from './mask-text.ts';

/**
 * Server-sent events (WHATWG HTML, "Server-sent events"): each event is masked when the empty line behind it has come. Its data is masked as one
 * text, as the client puts it together; an event in which nothing is found passes byte for byte. `[DONE]`, by which many APIs end a stream,
 * is no JSON and shows nothing.
 */
export function eventMasker(masks: HttpMasks): PieceMasker {
  const masked: MaskedCounts = new Map();
  return new Pieces(endOfEvent, masked, (piece) => {
    const text = pieceText(piece);
    const shown = maskedEvent(masks, text, masked);
    return shown === text ? piece : encoder.encode(shown);
  });
}

function maskedEvent(masks: HttpMasks, event: string, counts: MaskedCounts): string {
  const lines = event.split(/\r\n|\r|\n/);
  const data = lines.flatMap((line) => valueOf(line, 'data') ?? []);
  const payload = data.join('\n');
  const shown = payload === '' || payload === '[DONE]' ? payload : maskedPiece(masks, payload, counts);
  const others = lines.map((line) => (valueOf(line, 'data') === undefined ? maskedText(masks, line, counts) : line));
  if (shown === payload && others.every((line, index) => line === lines[index])) return event;
  const firstData = lines.findIndex((line) => valueOf(line, 'data') !== undefined);
  return others
    .flatMap((line, index) => {
      if (valueOf(line, 'data') === undefined) return [line];
      return index === firstData ? shown.split('\n').map((part) => `data: ${part}`) : [];
    })
    .join('\n');
}

/** Of a line with this field's name; one space after the colon is not part of it. */
function valueOf(line: string, field: string): string | undefined {
  if (line === field) return '';
  return line.startsWith(`${field}:`) ? line.slice(field.length + 1).replace(/^ /, '') : undefined;
}

/** Cuts a stream into pieces, whatever the cuts in which it comes. */
class Pieces implements PieceMasker {
  readonly masked: ReadonlyMap<string, number>;
  readonly #endOf: (bytes: Uint8Array, from: number) => number;
  readonly #mask: (piece: Uint8Array) => Uint8Array;
  /** What has come of the next piece. */
  readonly #carry = new GrowingBytes();

  constructor(endOf: (bytes: Uint8Array, from: number) => number, masked: MaskedCounts, mask: (piece: Uint8Array) => Uint8Array) {
    this.#endOf = endOf;
    this.#mask = mask;
    this.masked = masked;
  }

  push(bytes: Uint8Array): readonly Uint8Array[] {
    // An end may have begun in what came before: two line ends are at most four bytes.
    let from = Math.max(this.#carry.length - 3, 0);
    this.#carry.append(bytes);
    const all = this.#carry.take();
    let start = 0;
    const shown: Uint8Array[] = [];
    for (let end = this.#endOf(all, from); end > 0; end = this.#endOf(all, from)) {
      shown.push(this.#mask(all.slice(start, end)));
      start = end;
      from = end;
    }
    this.#carry.discard(start);
    if (this.#carry.length > maxPieceBytes) throw pieceTooLong();
    return shown;
  }

  end(): readonly Uint8Array[] {
    const rest = this.#carry.take().slice();
    this.#carry.discard(rest.length);
    return rest.length === 0 ? [] : [this.#mask(rest)];
  }
}

/** Where the first empty line ends; 0: not yet. A carriage return at the end of what has come may be half of an end. */
function endOfEvent(bytes: Uint8Array, from: number): number {
  let previousEnd = -1;
  for (let at = from; at < bytes.length;) {
    const byte = bytes[at]!;
    if (byte !== lineFeed && byte !== carriageReturn) {
      at += 1;
      continue;
    }
    if (byte === carriageReturn && at + 1 === bytes.length) return 0;
    const end = byte === carriageReturn && bytes[at + 1] === lineFeed ? at + 2 : at + 1;
    if (previousEnd === at) return end;
    previousEnd = end;
    at = end;
  }
  return 0;
}

/** The text of a piece; NUL is in none. */
export function pieceText(piece: Uint8Array): string {
  let text: string;
  try {
    text = decoder.decode(piece);
  } catch (cause) {
    throw notText(cause);
  }
  if (text.includes('\0')) throw notText(undefined);
  return text;
}

function notText(cause: unknown): GatewayFault {
  return new GatewayFault('masking-refused', { publicMessage: 'the answer is not the UTF-8 text that it says it is', cause });
}

export function pieceTooLong(): GatewayFault {
  return new GatewayFault('masking-refused', {
    publicMessage: `one event or line of the answer is longer than ${maxPieceBytes} bytes, which is more than can be masked`,
  });
}

/** A byte order mark is no part of what it decodes: for an event stream's reader it is none either. */
const decoder = new TextDecoder('utf-8', { fatal: true });
const encoder = new TextEncoder();
const lineFeed = 0x0a;
const carriageReturn = 0x0d;
export const maxPieceBytes = 1024 * 1024;
