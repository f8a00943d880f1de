import { concatenated } from '../../core/bytes.ts';
import { GatewayFault } from '../../core/fault.ts';

/**
 * Length-prefixed messages (gRPC over HTTP/2, "Length-Prefixed-Message"): one octet of flags, four of length in network order, the message.
 * gRPC-Web sets 0x80 for the frame that carries trailers; nothing else knows it.
 */
export interface Frame {
  readonly flags: number;
  readonly message: Uint8Array;
  /** The frame as it came: header and message. */
  readonly raw: Uint8Array;
}

export const frameHeaderBytes = 5;
export const compressedFlag = 0x01;
/** gRPC-Web: the frame holds trailers. */
export const trailersFlag = 0x80;

export function encodeFrame(flags: number, message: Uint8Array): Uint8Array {
  const frame = new Uint8Array(frameHeaderBytes + message.length);
  frame[0] = flags;
  new DataView(frame.buffer).setUint32(1, message.length);
  frame.set(message, frameHeaderBytes);
  return frame;
}

export interface FrameLimits {
  /** Of one message as it comes. */
  readonly maxBytes: number;
  /** Whose messages they are, for the words of a refusal. */
  readonly of: 'request' | 'answer';
}

/**
 * Counts the messages of a stream in whatever cuts it comes, and checks each header before what it announces: nothing is kept. Throws
 * `limit-exceeded` for a message that is too long, `protocol-violation` for flags that gRPC does not know.
 */
export class FrameCounter {
  readonly #limits: FrameLimits;
  readonly #header = new Uint8Array(frameHeaderBytes);
  #headerBytes = 0;
  #left = 0;
  #messages = 0;

  constructor(limits: FrameLimits) {
    this.#limits = limits;
  }

  /** Messages that have begun. */
  get messages(): number {
    return this.#messages;
  }

  /** The stream may end here. */
  get isBetween(): boolean {
    return this.#left === 0 && this.#headerBytes === 0;
  }

  push(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length;) {
      if (this.#left > 0) {
        const passed = Math.min(this.#left, bytes.length - at);
        this.#left -= passed;
        at += passed;
        continue;
      }
      this.#header[this.#headerBytes] = bytes[at]!;
      this.#headerBytes += 1;
      at += 1;
      if (this.#headerBytes < frameHeaderBytes) continue;
      this.#left = checkedLength(this.#header, this.#limits);
      this.#headerBytes = 0;
      this.#messages += 1;
    }
  }
}

/**
 * Cuts a stream into messages, whatever the cuts in which it comes. A message that is too long is refused by its header, before any of it is kept; what
 * has come of one message is kept in pieces and joined once. Throws as `FrameCounter` does. Frames are views that the next `push` does not change.
 */
export class FrameReader {
  readonly #limits: FrameLimits;
  #pieces: Uint8Array[] = [];
  #kept = 0;
  /** Of the frame that has begun, header included; undefined until its header is there. */
  #wanted: number | undefined;

  constructor(limits: FrameLimits) {
    this.#limits = limits;
  }

  get isBetween(): boolean {
    return this.#kept === 0;
  }

  push(bytes: Uint8Array): readonly Frame[] {
    const frames: Frame[] = [];
    // Of a Buffer of Node's, `slice` would give whoever copies a view.
    let rest = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
    while (rest.length > 0) {
      if (this.#kept === 0 && rest.length >= frameHeaderBytes) {
        const end = frameHeaderBytes + checkedLength(rest, this.#limits);
        if (rest.length >= end) {
          frames.push(frameOf(rest.subarray(0, end)));
          rest = rest.subarray(end);
          continue;
        }
      }
      const missing = (this.#wanted ?? frameHeaderBytes) - this.#kept;
      const taken = rest.subarray(0, missing);
      rest = rest.subarray(taken.length);
      this.#keep(taken);
      if (taken.length < missing) break;
      this.#wanted ??= frameHeaderBytes + checkedLength(this.#joined(), this.#limits);
      if (this.#kept === this.#wanted) frames.push(this.#take());
    }
    return frames;
  }

  /** Of a body that is there as a whole. Throws `protocol-violation` where it ends within a message. */
  pushWhole(bytes: Uint8Array): readonly Frame[] {
    const frames = this.push(bytes);
    if (this.isBetween) return frames;
    throw new GatewayFault('protocol-violation', { publicMessage: `the ${this.#limits.of} ends in the middle of a message` });
  }

  #keep(piece: Uint8Array): void {
    this.#pieces.push(piece);
    this.#kept += piece.length;
    // Many tiny pieces would cost more than the message.
    if (this.#pieces.length >= mostPieces) this.#joined();
  }

  #joined(): Uint8Array {
    const [only] = this.#pieces;
    if (this.#pieces.length === 1) return only!;
    const all = concatenated(this.#pieces);
    this.#pieces = [all];
    return all;
  }

  #take(): Frame {
    const raw = this.#joined();
    this.#pieces = [];
    this.#kept = 0;
    this.#wanted = undefined;
    return frameOf(raw);
  }
}

function frameOf(raw: Uint8Array): Frame {
  return { flags: raw[0]!, message: raw.subarray(frameHeaderBytes), raw };
}

function checkedLength(header: Uint8Array, { maxBytes, of }: FrameLimits): number {
  const flags = header[0]!;
  if ((flags & ~compressedFlag) !== 0) {
    throw new GatewayFault('protocol-violation', { publicMessage: `a message of the ${of} has flags that gRPC does not know` });
  }
  const length = new DataView(header.buffer, header.byteOffset).getUint32(1);
  if (length > maxBytes) {
    throw new GatewayFault('limit-exceeded', { publicMessage: `a message of the ${of} has ${length} bytes, more than ${maxBytes}` });
  }
  return length;
}

const mostPieces = 1_024;
