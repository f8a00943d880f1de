/** Frames of WebSocket, RFC 6455 section 5. Version 13, no extensions. */

/** Section 5.2. */
export const opcodes = { continuation: 0x0, text: 0x1, binary: 0x2, close: 0x8, ping: 0x9, pong: 0xa } as const;
export type Opcode = (typeof opcodes)[keyof typeof opcodes];

export interface FrameHead {
  readonly isFinal: boolean;
  readonly opcode: Opcode;
  readonly mask: Uint8Array | undefined;
  /** Of the payload, octets. */
  readonly length: number;
}

/** A peer that breaks the protocol, and the close code that tells it so (section 7.4.1). */
export class FrameViolation extends Error {
  override readonly name = 'FrameViolation';
  readonly closeCode: 1002 | 1007 | 1009;

  constructor(closeCode: FrameViolation['closeCode'], message: string) {
    super(message);
    this.closeCode = closeCode;
  }
}

/** Octets of a head that begins with these two: 2 to 14. */
export function headLength(second: number): number {
  const length = second & 0x7f;
  return 2 + (length === 127 ? 8 : length === 126 ? 2 : 0) + ((second & 0x80) === 0 ? 0 : 4);
}

/** Reads a whole head. `fromClient`: clients mask and servers do not (section 5.1). Throws `FrameViolation`. */
export function readHead(bytes: Uint8Array, fromClient: boolean): FrameHead {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const first = view.getUint8(0);
  const second = view.getUint8(1);
  if ((first & 0x70) !== 0) throw new FrameViolation(1002, 'a reserved bit is set, and no extension was agreed');
  const opcode = first & 0x0f;
  if (!isOpcode(opcode)) throw new FrameViolation(1002, 'a reserved opcode');
  const isMasked = (second & 0x80) !== 0;
  if (isMasked !== fromClient)
    throw new FrameViolation(1002, fromClient ? 'a frame of a client is not masked' : 'a frame of a server is masked');
  const isFinal = (first & 0x80) !== 0;
  const length = readLength(view, second & 0x7f);
  if (opcode >= 0x8 && (!isFinal || length > maxControlBytes)) throw new FrameViolation(1002, 'a control frame is fragmented or too long');
  const mask = isMasked ? bytes.slice(bytes.length - 4) : undefined;
  return { isFinal, opcode, mask, length };
}

/** In the fewest octets that hold it (section 5.2). */
function readLength(view: DataView, short: number): number {
  if (short < 126) return short;
  const length = short === 126 ? BigInt(view.getUint16(2)) : view.getBigUint64(2);
  if (length < (short === 126 ? 126n : 65_536n)) throw new FrameViolation(1002, 'a length is not in its shortest form');
  if (length > BigInt(Number.MAX_SAFE_INTEGER)) throw new FrameViolation(1009, 'a frame is too long');
  return Number(length);
}

/** A frame, final unless it says otherwise. `mask`: four octets nobody can foresee, from a client; from a server none. */
export function encodeFrame(opcode: Opcode, payload: Uint8Array, mask: Uint8Array | undefined, isFinal = true): Uint8Array {
  const { length } = payload;
  const extended = length < 126 ? 0 : length < 65_536 ? 2 : 8;
  const start = 2 + extended + (mask === undefined ? 0 : 4);
  const frame = new Uint8Array(start + length);
  const view = new DataView(frame.buffer);
  view.setUint8(0, (isFinal ? 0x80 : 0) | opcode);
  view.setUint8(1, (mask === undefined ? 0 : 0x80) | (extended === 0 ? length : extended === 2 ? 126 : 127));
  if (extended === 2) view.setUint16(2, length);
  else if (extended === 8) view.setBigUint64(2, BigInt(length));
  frame.set(payload, start);
  if (mask !== undefined) {
    frame.set(mask, start - 4);
    applyMask(frame, start, frame.length, mask, 0);
  }
  return frame;
}

/** Masks or unmasks in place. `offset`: how much of the payload came before `from`. */
export function applyMask(bytes: Uint8Array, from: number, to: number, mask: Uint8Array, offset: number): void {
  for (let at = from, of = offset; at < to; at += 1, of += 1) bytes[at]! ^= mask[of & 3]!;
}

function isOpcode(value: number): value is Opcode {
  return value <= 0x2 || (value >= 0x8 && value <= 0xa);
}

/** Section 5.5. */
export const maxControlBytes = 125;
/** What `headLength` can be. */
export const maxHeadBytes = 14;
