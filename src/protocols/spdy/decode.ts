import { GatewayFault } from '../../core/fault.ts';
import { HeaderBlockReader, type Inflate } from './header-block.ts';
import { flagFin, flagUnidirectional, frameType, maxControlBytes, version, type SpdyFrame } from './messages.ts';

/**
 * Takes the bytes of one direction in any cuts and gives back its frames. Control frames are whole; a data frame, which may be 16 MiB long, is given piece by
 * piece as it comes, as views that die at the next call. Throws `protocol-violation` and `limit-exceeded`: then nothing more can be read.
 */
export class SpdyDecoder {
  readonly #headers: HeaderBlockReader;
  /** A head of eight octets, and behind it the payload of a control frame, as far as they have come. */
  readonly #carry = new Uint8Array(headBytes + maxControlBytes);
  #length = 0;
  /** The data frame that is being read. */
  #data: { readonly stream: number; readonly fin: boolean; left: number } | undefined;

  constructor(inflate: Inflate) {
    this.#headers = new HeaderBlockReader(inflate);
  }

  receive(bytes: Uint8Array): readonly SpdyFrame[] {
    const frames: SpdyFrame[] = [];
    for (let at = 0; at < bytes.length;) at = this.#data === undefined ? this.#gather(bytes, at, frames) : this.#piece(bytes, at, frames);
    return frames;
  }

  #piece(bytes: Uint8Array, at: number, frames: SpdyFrame[]): number {
    const data = this.#data!;
    const piece = bytes.subarray(at, at + data.left);
    data.left -= piece.length;
    frames.push({ kind: 'data', stream: data.stream, fin: data.fin && data.left === 0, bytes: piece });
    if (data.left === 0) this.#data = undefined;
    return at + piece.length;
  }

  /** Gathers a head, and what follows the head of a control frame. */
  #gather(bytes: Uint8Array, at: number, frames: SpdyFrame[]): number {
    const wanted = this.#length < headBytes ? headBytes : headBytes + this.#payloadBytes();
    const taken = bytes.subarray(at, at + wanted - this.#length);
    this.#carry.set(taken, this.#length);
    this.#length += taken.length;
    if (this.#length >= headBytes) this.#headHasCome(frames);
    return at + taken.length;
  }

  #headHasCome(frames: SpdyFrame[]): void {
    const carry = this.#carry;
    const size = this.#payloadBytes();
    if (carry[0]! < 0x80) {
      const stream = uint31(carry, 0);
      if (stream === 0) throw violation('data of stream 0');
      const fin = (carry[4]! & flagFin) !== 0;
      this.#length = 0;
      if (size === 0) frames.push({ kind: 'data', stream, fin, bytes: carry.subarray(0, 0) });
      else this.#data = { stream, fin, left: size };
      return;
    }
    if ((((carry[0]! & 0x7f) << 8) | carry[1]!) !== version) throw violation('a control frame of another version than 3');
    if (size > maxControlBytes) {
      throw new GatewayFault('limit-exceeded', { publicMessage: `SPDY: a control frame of more than ${maxControlBytes} bytes` });
    }
    if (this.#length < headBytes + size) return;
    this.#length = 0;
    const frame = this.#control((carry[2]! << 8) | carry[3]!, carry[4]!, carry.subarray(headBytes, headBytes + size));
    if (frame !== undefined) frames.push(frame);
  }

  #payloadBytes(): number {
    return (this.#carry[5]! << 16) | (this.#carry[6]! << 8) | this.#carry[7]!;
  }

  /** Undefined for a type that is not known. */
  #control(type: number, flags: number, payload: Uint8Array): SpdyFrame | undefined {
    const fin = (flags & flagFin) !== 0;
    switch (type) {
      case frameType.synStream: {
        const stream = streamOf(payload, 10);
        const unidirectional = (flags & flagUnidirectional) !== 0;
        return { kind: 'syn-stream', stream, fin, unidirectional, headers: this.#headers.read(payload.subarray(10)) };
      }
      case frameType.synReply:
        return { kind: 'syn-reply', stream: streamOf(payload, 4), fin, headers: this.#headers.read(payload.subarray(4)) };
      case frameType.headers:
        return { kind: 'headers', stream: streamOf(payload, 4), fin, headers: this.#headers.read(payload.subarray(4)) };
      case frameType.rstStream:
        exactly(payload, 8);
        return { kind: 'rst-stream', stream: streamOf(payload, 8), status: uint32(payload, 4) };
      case frameType.settings:
        return { kind: 'settings', settings: settingsOf(payload) };
      case frameType.ping:
        exactly(payload, 4);
        return { kind: 'ping', id: uint32(payload, 0) };
      case frameType.goAway:
        exactly(payload, 8);
        return { kind: 'goaway', lastStream: uint31(payload, 0), status: uint32(payload, 4) };
      case frameType.windowUpdate: {
        exactly(payload, 8);
        const delta = uint31(payload, 4);
        if (delta === 0) throw violation('a window update of nothing');
        return { kind: 'window-update', stream: uint31(payload, 0), delta };
      }
      default:
        return undefined;
    }
  }
}

function settingsOf(payload: Uint8Array): ReadonlyMap<number, number> {
  if (payload.length < 4 || payload.length !== 4 + 8 * uint32(payload, 0)) throw violation('a SETTINGS frame of a wrong length');
  const settings = new Map<number, number>();
  for (let at = 4; at < payload.length; at += 8) {
    const id = uint32(payload, at) & 0xffffff;
    // Section 2.6.4: of an id that is given twice the first value counts.
    if (!settings.has(id)) settings.set(id, uint32(payload, at + 4));
  }
  return settings;
}

function streamOf(payload: Uint8Array, least: number): number {
  if (payload.length < least) throw violation('a control frame is too short');
  const stream = uint31(payload, 0);
  if (stream === 0) throw violation('a control frame of stream 0');
  return stream;
}

function exactly(payload: Uint8Array, length: number): void {
  if (payload.length !== length) throw violation('a control frame of a wrong length');
}

function uint31(bytes: Uint8Array, at: number): number {
  return uint32(bytes, at) & 0x7fffffff;
}

function uint32(bytes: Uint8Array, at: number): number {
  return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0;
}

function violation(what: string): GatewayFault {
  return new GatewayFault('protocol-violation', { publicMessage: `SPDY: ${what}` });
}

const headBytes = 8;
