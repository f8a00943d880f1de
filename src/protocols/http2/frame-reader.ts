import { flag, frameType, headBytes, maxFrameBytes, type Setting } from './frame.ts';
import { errorCode, Http2Violation } from './violation.ts';

/** What a server says. Views of bytes die when the call returns. A method may throw `Http2Violation`. */
export interface ServerFrames {
  /**
   * A piece of a DATA frame, which is given as it comes. `windowBytes`: what the whole frame takes of the windows (RFC 9113 section 6.9.1), with its first piece; 0 with the others.
   */
  data(stream: number, piece: Uint8Array, windowBytes: number, endsStream: boolean): void;
  /** A whole header block. */
  headers(stream: number, block: Uint8Array, endsStream: boolean): void;
  reset(stream: number, code: number): void;
  settings(settings: readonly Setting[]): void;
  ping(opaque: Uint8Array, isAnswer: boolean): void;
  goAway(lastStream: number, code: number): void;
  windowUpdate(stream: number, bytes: number): void;
  /** What asks for nothing: our settings were acknowledged, a priority, a frame of a type that is not known. */
  other(): void;
}

/**
 * Takes what a server sends, in any cuts, and tells its frames. Nothing is copied but what was cut outside of DATA. Throws `Http2Violation` for what ends a connection: frames that are too long or have a wrong
 * length, header blocks that do not end, a header block with other frames in between, a first frame that is not SETTINGS, PUSH_PROMISE (never allowed by our settings). After that nothing more can be read.
 */
export class FrameReader {
  readonly #frames: ServerFrames;
  /** The beginning of a frame whose end has not come: its head, and its payload unless that is data. */
  #carry = new Uint8Array(0);
  #carried = 0;
  #hasBegun = false;
  // The DATA frame that is being read.
  #stream = 0;
  #dataLeft = 0;
  #paddingLeft = 0;
  #endsStream = false;
  #block: { readonly stream: number; readonly endsStream: boolean; readonly parts: Uint8Array[]; weight: number } | undefined;

  constructor(frames: ServerFrames) {
    this.#frames = frames;
  }

  receive(bytes: Uint8Array): void {
    let at = this.#pass(bytes, 0);
    while (at < bytes.length) {
      if (this.#carried > 0) at = this.#gather(bytes, at);
      else {
        const end = this.#whole(bytes, at);
        if (end === at) at = this.#keep(bytes, at, bytes.length);
        else at = this.#pass(bytes, end);
      }
    }
  }

  /** The data of the frame that has begun, as far as it is there. */
  #pass(bytes: Uint8Array, from: number): number {
    let at = from;
    if (this.#dataLeft > 0 && at < bytes.length) {
      const end = Math.min(bytes.length, at + this.#dataLeft);
      this.#dataLeft -= end - at;
      this.#frames.data(this.#stream, bytes.subarray(at, end), 0, this.#endsStream && this.#dataLeft === 0);
      at = end;
    }
    const padding = Math.min(bytes.length - at, this.#paddingLeft);
    this.#paddingLeft -= padding;
    return at + padding;
  }

  #keep(bytes: Uint8Array, from: number, to: number): number {
    if (this.#carry.length === 0) this.#carry = new Uint8Array(headBytes + maxFrameBytes);
    this.#carry.set(bytes.subarray(from, to), this.#carried);
    this.#carried += to - from;
    return to;
  }

  /** Completes what was cut: first as much as tells its length, then the rest. */
  #gather(bytes: Uint8Array, from: number): number {
    const wanted = this.#carried < headBytes ? headBytes : wantedBytes(this.#carry, 0);
    const at = this.#keep(bytes, from, Math.min(bytes.length, from + Math.max(wanted - this.#carried, 0)));
    if (this.#carried < wanted) return at;
    const carried = this.#carry.subarray(0, this.#carried);
    if (this.#whole(carried, 0) === 0) return at;
    this.#carried = 0;
    return this.#pass(bytes, at);
  }

  /** Reads one frame, of DATA what is there of it, and returns its end; `at` where more is needed first. */
  #whole(bytes: Uint8Array, at: number): number {
    if (bytes.length - at < headBytes) return at;
    const length = lengthOf(bytes, at);
    if (length > maxFrameBytes) throw frameSize('a frame of more bytes than were allowed');
    const type = bytes[at + 3]!;
    if (!this.#hasBegun && type !== frameType.settings) throw violation('the first frame is not SETTINGS');
    if (this.#block !== undefined && type !== frameType.continuation) throw violation('a header block has other frames in between');
    const end = at + wantedBytes(bytes, at);
    if (end > bytes.length) return at;
    this.#hasBegun = true;
    const flags = bytes[at + 4]!;
    const stream = uint31(bytes, at + 5);
    if (type !== frameType.data) {
      this.#frame(type, flags, stream, bytes.subarray(at + headBytes, end));
      return end;
    }
    return this.#data(flags, stream, bytes, end, length);
  }

  /** `from`: behind its head, and behind the length of its padding. */
  #data(flags: number, stream: number, bytes: Uint8Array, from: number, length: number): number {
    if (stream === 0) throw violation('DATA of stream 0');
    const isPadded = (flags & flag.padded) !== 0;
    const padding = isPadded ? bytes[from - 1]! : 0;
    const octets = length - padding - (isPadded ? 1 : 0);
    if (octets < 0) throw violation('more padding than there is room for');
    const end = Math.min(bytes.length, from + octets);
    this.#stream = stream;
    this.#dataLeft = from + octets - end;
    this.#paddingLeft = padding;
    this.#endsStream = (flags & flag.endStream) !== 0;
    this.#frames.data(stream, bytes.subarray(from, end), length, this.#endsStream && this.#dataLeft === 0);
    return end;
  }

  #frame(type: number, flags: number, stream: number, payload: Uint8Array): void {
    const frames = this.#frames;
    switch (type) {
      case frameType.headers:
        this.#headers(flags, stream, payload);
        return;
      case frameType.continuation:
        this.#continuation(flags, stream, payload);
        return;
      case frameType.resetStream:
        exactly(payload, 4);
        onStream(stream, 'RST_STREAM');
        frames.reset(stream, uint32(payload, 0));
        return;
      case frameType.settings:
        onConnection(stream, 'SETTINGS');
        if ((flags & flag.acknowledge) === 0) frames.settings(settingsOf(payload));
        else {
          exactly(payload, 0);
          frames.other();
        }
        return;
      case frameType.pushPromise:
        throw violation('PUSH_PROMISE, which was not allowed');
      case frameType.ping:
        exactly(payload, 8);
        onConnection(stream, 'PING');
        frames.ping(payload, (flags & flag.acknowledge) !== 0);
        return;
      case frameType.goAway:
        if (payload.length < 8) throw frameSize('GOAWAY is too short');
        onConnection(stream, 'GOAWAY');
        frames.goAway(uint31(payload, 0), uint32(payload, 4));
        return;
      case frameType.windowUpdate:
        exactly(payload, 4);
        frames.windowUpdate(stream, uint31(payload, 0));
        return;
      default:
        frames.other();
    }
  }

  #headers(flags: number, stream: number, payload: Uint8Array): void {
    onStream(stream, 'HEADERS');
    const isPadded = (flags & flag.padded) !== 0;
    const from = (isPadded ? 1 : 0) + ((flags & flag.priority) === 0 ? 0 : 5);
    const to = payload.length - (isPadded ? (payload[0] ?? 0) : 0);
    if (from > to) throw violation('more padding than there is room for');
    const block = payload.subarray(from, to);
    const endsStream = (flags & flag.endStream) !== 0;
    if ((flags & flag.endHeaders) !== 0) this.#frames.headers(stream, block, endsStream);
    else this.#block = { stream, endsStream, parts: [block.slice()], weight: block.length };
  }

  #continuation(flags: number, stream: number, payload: Uint8Array): void {
    const block = this.#block;
    if (block?.stream !== stream) throw violation('CONTINUATION of no header block');
    block.weight += Math.max(payload.length, leastPartBytes);
    if (block.weight > maxBlockBytes) throw new Http2Violation(errorCode.enhanceYourCalm, 'a header block that does not end');
    block.parts.push(payload.slice());
    if ((flags & flag.endHeaders) === 0) return;
    this.#block = undefined;
    this.#frames.headers(stream, joined(block.parts), block.endsStream);
  }
}

/** Of a frame at `at`, how much must be there before it can be read: all of it, but of DATA only what says where the data is. */
function wantedBytes(bytes: Uint8Array, at: number): number {
  const length = lengthOf(bytes, at);
  if (bytes[at + 3] !== frameType.data) return headBytes + length;
  if ((bytes[at + 4]! & flag.padded) === 0) return headBytes;
  if (length === 0) throw frameSize('padding without a length');
  return headBytes + 1;
}

function lengthOf(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 16) | (bytes[at + 1]! << 8) | bytes[at + 2]!;
}

function settingsOf(payload: Uint8Array): readonly Setting[] {
  if (payload.length % 6 !== 0) throw frameSize('SETTINGS has a wrong length');
  const settings: Setting[] = [];
  for (let at = 0; at < payload.length; at += 6) settings.push([(payload[at]! << 8) | payload[at + 1]!, uint32(payload, at + 2)]);
  return settings;
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

function uint31(bytes: Uint8Array, at: number): number {
  return uint32(bytes, at) & 0x7fff_ffff;
}

function uint32(bytes: Uint8Array, at: number): number {
  return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0;
}

function exactly(payload: Uint8Array, length: number): void {
  if (payload.length !== length) throw frameSize(`a frame of ${payload.length} bytes that has ${length}`);
}

function onStream(stream: number, type: string): void {
  if (stream === 0) throw violation(`${type} of stream 0`);
}

function onConnection(stream: number, type: string): void {
  if (stream !== 0) throw violation(`${type} of a stream`);
}

function frameSize(problem: string): Http2Violation {
  return new Http2Violation(errorCode.frameSizeError, problem);
}

function violation(problem: string): Http2Violation {
  return new Http2Violation(errorCode.protocolError, problem);
}

/** Of a header block as it is sent: four times the list of fields that is taken, so that a list which is too long fails alone and not with its connection. */
const maxBlockBytes = 256 * 1024;
/** What a CONTINUATION counts at least, so that there are not too many either. */
const leastPartBytes = 1_024;
