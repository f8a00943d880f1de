import { flag, frameType, headBytes, maxFrameBytes, type Setting } from './frame.ts';

/** Frames on their way out, one behind the other. Small ones are joined; longer data is passed as it is, and must not change any more. */
export class FrameWriter {
  #pieces: Uint8Array[] = [];
  /** What was written to is never written to again: whoever sends it may still need it. */
  #chunk = new Uint8Array(0);
  #start = 0;
  #end = 0;

  /** All since the last call, in order. */
  take(): readonly Uint8Array[] {
    this.#cut();
    const pieces = this.#pieces;
    this.#pieces = [];
    return pieces;
  }

  /** RFC 9113 section 3.4. */
  preface(): void {
    const text = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n';
    const at = this.#room(text.length);
    for (let index = 0; index < text.length; index += 1) this.#chunk[at + index] = text.charCodeAt(index);
  }

  /** A header block, in as many frames as it needs. */
  headers(stream: number, block: Uint8Array, endsStream: boolean): void {
    let type: number = frameType.headers;
    let from = 0;
    do {
      const to = Math.min(block.length, from + maxFrameBytes);
      const isLast = to === block.length;
      const flags = (isLast ? flag.endHeaders : 0) | (type === frameType.headers && endsStream ? flag.endStream : 0);
      const at = this.#frame(to - from, type, flags, stream);
      this.#chunk.set(block.subarray(from, to), at);
      type = frameType.continuation;
      from = to;
    } while (from < block.length);
  }

  /** At most `maxFrameBytes`. */
  data(stream: number, bytes: Uint8Array, endsStream: boolean): void {
    const flags = endsStream ? flag.endStream : 0;
    if (bytes.length <= mostJoinedBytes) {
      const at = this.#frame(bytes.length, frameType.data, flags, stream);
      this.#chunk.set(bytes, at);
      return;
    }
    this.#frame(0, frameType.data, flags, stream, bytes.length);
    this.#cut();
    this.#pieces.push(bytes);
  }

  reset(stream: number, code: number): void {
    this.#uint32(this.#frame(4, frameType.resetStream, 0, stream), code);
  }

  settings(settings: readonly Setting[]): void {
    let at = this.#frame(6 * settings.length, frameType.settings, 0, 0);
    for (const [identifier, value] of settings) {
      this.#chunk[at] = identifier >>> 8;
      this.#chunk[at + 1] = identifier;
      this.#uint32(at + 2, value);
      at += 6;
    }
  }

  acknowledgeSettings(): void {
    this.#frame(0, frameType.settings, flag.acknowledge, 0);
  }

  /** `opaque`: eight octets. */
  ping(opaque: Uint8Array, isAnswer: boolean): void {
    const at = this.#frame(8, frameType.ping, isAnswer ? flag.acknowledge : 0, 0);
    this.#chunk.set(opaque, at);
  }

  /** A server's streams are never accepted: the last one is 0. */
  goAway(code: number): void {
    const at = this.#frame(8, frameType.goAway, 0, 0);
    this.#uint32(at, 0);
    this.#uint32(at + 4, code);
  }

  /** `stream`: 0 for the connection. */
  windowUpdate(stream: number, bytes: number): void {
    this.#uint32(this.#frame(4, frameType.windowUpdate, 0, stream), bytes);
  }

  /** Writes a head, and returns where the payload stands, of which `here` octets are joined. */
  #frame(here: number, type: number, flags: number, stream: number, length = here): number {
    const at = this.#room(headBytes + here);
    const chunk = this.#chunk;
    chunk[at] = length >>> 16;
    chunk[at + 1] = length >>> 8;
    chunk[at + 2] = length;
    chunk[at + 3] = type;
    chunk[at + 4] = flags;
    this.#uint32(at + 5, stream);
    return at + headBytes;
  }

  #uint32(at: number, value: number): void {
    const chunk = this.#chunk;
    chunk[at] = value >>> 24;
    chunk[at + 1] = value >>> 16;
    chunk[at + 2] = value >>> 8;
    chunk[at + 3] = value;
  }

  #room(length: number): number {
    if (this.#end + length > this.#chunk.length) {
      this.#cut();
      this.#chunk = new Uint8Array(chunkBytes);
      this.#start = 0;
      this.#end = 0;
    }
    const at = this.#end;
    this.#end += length;
    return at;
  }

  #cut(): void {
    if (this.#end > this.#start) this.#pieces.push(this.#chunk.subarray(this.#start, this.#end));
    this.#start = this.#end;
  }
}

/** Holds the longest frame. */
const chunkBytes = 32 * 1024;
/** Longer data is not copied. */
const mostJoinedBytes = 8 * 1024;
