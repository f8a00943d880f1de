import { GatewayFault } from '../../core/fault.ts';
import { readFieldLines } from './field-lines.ts';

/** Where the body of an HTTP/1.1 message ends (RFC 9112 section 6). */
export type MessageBody =
  | { readonly kind: 'none' }
  | { readonly kind: 'length'; readonly octets: number }
  | { readonly kind: 'chunked' }
  /** With its connection: answers only. */
  | { readonly kind: 'until-close' };

/**
 * Reads one body out of what comes behind its head, in any cuts. States are named for what they await. Of chunks (RFC 9112 section 7.1): sizes of at most eight digits,
 * every line ends in CRLF, extensions are stepped over as long as they are few.
 */
export class BodyReader {
  #awaits: 'octets' | 'anything' | 'size' | 'extension' | 'size-lf' | 'chunk' | 'chunk-cr' | 'chunk-lf' | 'trailers' | 'nothing';
  #left = 0;
  #digits = 0;
  #extensionOctets = 0;
  #trailerText = '';
  #trailers: readonly string[] = [];

  constructor(body: MessageBody) {
    switch (body.kind) {
      case 'none':
        this.#awaits = 'nothing';
        break;
      case 'length':
        this.#awaits = body.octets === 0 ? 'nothing' : 'octets';
        this.#left = body.octets;
        break;
      case 'chunked':
        this.#awaits = 'size';
        break;
      case 'until-close':
        this.#awaits = 'anything';
        break;
      default:
        throw new RangeError(`no such body: ${String(body satisfies never)}`);
    }
  }

  /** All of it has come. Of a body that ends with its connection only `ended` tells. */
  get isOver(): boolean {
    return this.#awaits === 'nothing';
  }

  /** Names and values in turn; known when it is over. */
  get trailers(): readonly string[] {
    return this.#trailers;
  }

  /** The connection is over. False where the body is not whole. */
  ended(): boolean {
    if (this.#awaits === 'anything') this.#awaits = 'nothing';
    return this.isOver;
  }

  /**
   * Reads from `from` on and gives every stretch of the body to `take`, as a view of `bytes`. Returns where it stopped: at the end of `bytes`, or behind the body. Throws
   * `protocol-violation`; then nothing more can be read.
   */
  read(bytes: Uint8Array, from: number, take: (piece: Uint8Array) => void): number {
    let at = from;
    while (at < bytes.length && this.#awaits !== 'nothing') {
      const byte = bytes[at]!;
      switch (this.#awaits) {
        case 'octets':
        case 'chunk': {
          const end = Math.min(bytes.length, at + this.#left);
          take(bytes.subarray(at, end));
          this.#left -= end - at;
          at = end;
          if (this.#left === 0) this.#awaits = this.#awaits === 'chunk' ? 'chunk-cr' : 'nothing';
          break;
        }
        case 'anything':
          take(bytes.subarray(at));
          at = bytes.length;
          break;
        case 'size':
          this.#size(byte);
          at += 1;
          break;
        case 'extension':
          this.#extension(byte);
          at += 1;
          break;
        case 'size-lf':
          expect(byte, LF);
          this.#awaits = this.#left === 0 ? 'trailers' : 'chunk';
          at += 1;
          break;
        case 'chunk-cr':
          expect(byte, CR);
          this.#awaits = 'chunk-lf';
          at += 1;
          break;
        case 'chunk-lf':
          expect(byte, LF);
          this.#awaits = 'size';
          this.#digits = 0;
          at += 1;
          break;
        case 'trailers':
          this.#trailer(byte);
          at += 1;
          break;
        default:
          this.#awaits satisfies never;
      }
    }
    return at;
  }

  #size(byte: number): void {
    const digit = hexDigit(byte);
    if (digit !== undefined && this.#digits < mostSizeDigits) {
      this.#left = this.#left * 16 + digit;
      this.#digits += 1;
    } else if (this.#digits > 0 && byte === CR) this.#awaits = 'size-lf';
    else if (this.#digits > 0 && byte === SEMICOLON) this.#awaits = 'extension';
    else throw malformed('the size of a chunk is not a plain number');
  }

  #extension(byte: number): void {
    if (byte === CR) {
      this.#awaits = 'size-lf';
      return;
    }
    this.#extensionOctets += 1;
    if (this.#extensionOctets > mostExtensionOctets) throw malformed('the extensions of its chunks are too long');
    if ((byte < 0x20 && byte !== TAB) || byte === 0x7f) throw malformed('an extension of a chunk has a character that may not be there');
  }

  #trailer(byte: number): void {
    this.#trailerText += String.fromCharCode(byte);
    const text = this.#trailerText;
    if (text.length > mostTrailerOctets) throw malformed('its trailers are too long');
    if (byte !== LF || !(text === '\r\n' || text.endsWith('\r\n\r\n'))) return;
    const trailers = readFieldLines(text.slice(0, -4));
    if (trailers === undefined) throw malformed('its trailers are not fields');
    this.#trailers = trailers;
    this.#awaits = 'nothing';
  }
}

function expect(byte: number, wanted: number): void {
  if (byte !== wanted) throw malformed('a chunk does not end where it should');
}

function hexDigit(byte: number): number | undefined {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const letter = byte | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : undefined;
}

function malformed(problem: string): GatewayFault {
  return new GatewayFault('protocol-violation', { publicMessage: `the body is not accepted: ${problem}` });
}

const TAB = 0x09;
const LF = 0x0a;
const CR = 0x0d;
const SEMICOLON = 0x3b;
const mostSizeDigits = 8;
/** Of all chunks of a body together. */
const mostExtensionOctets = 16 * 1024;
const mostTrailerOctets = 16 * 1024;
