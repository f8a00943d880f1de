import { HeaderBlockWriter } from './header-block.ts';
import { flagFin, flagUnidirectional, frameType, version, type SpdyFrame, type SpdyHeaders } from './messages.ts';

/** Writes the frames of one direction of a connection. */
export class SpdyEncoder {
  readonly #headers = new HeaderBlockWriter();

  /** A data frame comes as two pieces, so that what it carries is not copied. */
  encode(frame: SpdyFrame): readonly Uint8Array[] {
    switch (frame.kind) {
      case 'syn-stream': {
        const flags = (frame.fin ? flagFin : 0) | (frame.unidirectional ? flagUnidirectional : 0);
        // Associated with no stream, of the highest priority, with no slot.
        return [this.#withHeaders(frameType.synStream, flags, [frame.stream, 0], 2, frame.headers)];
      }
      case 'syn-reply':
        return [this.#withHeaders(frameType.synReply, frame.fin ? flagFin : 0, [frame.stream], 0, frame.headers)];
      case 'headers':
        return [this.#withHeaders(frameType.headers, frame.fin ? flagFin : 0, [frame.stream], 0, frame.headers)];
      case 'rst-stream':
        return [control(frameType.rstStream, 0, [frame.stream, frame.status])];
      case 'settings':
        return [control(frameType.settings, 0, [frame.settings.size, ...[...frame.settings].flat()])];
      case 'ping':
        return [control(frameType.ping, 0, [frame.id])];
      case 'goaway':
        return [control(frameType.goAway, 0, [frame.lastStream, frame.status])];
      case 'window-update':
        return [control(frameType.windowUpdate, 0, [frame.stream, frame.delta])];
      case 'data':
        return dataFrames(frame);
      default:
        return frame satisfies never;
    }
  }

  #withHeaders(type: number, flags: number, words: readonly number[], more: number, headers: SpdyHeaders): Uint8Array {
    const block = this.#headers.write(headers);
    const head = control(type, flags, words, more + block.length);
    head.set(block, head.length - block.length);
    return head;
  }
}

/** Octets 0 to 3: control bit, version, type; 4: flags; 5 to 7: length (section 2.2.1). */
function control(type: number, flags: number, words: readonly number[], more = 0): Uint8Array {
  const frame = new Uint8Array(8 + 4 * words.length + more);
  const view = new DataView(frame.buffer);
  view.setUint16(0, 0x8000 | version);
  view.setUint16(2, type);
  view.setUint32(4, ((flags << 24) | (frame.length - 8)) >>> 0);
  for (const [index, word] of words.entries()) view.setUint32(8 + 4 * index, word);
  return frame;
}

function dataFrames({ stream, fin, bytes }: SpdyFrame & { readonly kind: 'data' }): readonly Uint8Array[] {
  const frames: Uint8Array[] = [];
  for (let at = 0; at < bytes.length || frames.length === 0; at += maxDataBytes) {
    const piece = bytes.subarray(at, at + maxDataBytes);
    const head = new Uint8Array(8);
    const view = new DataView(head.buffer);
    view.setUint32(0, stream);
    view.setUint32(4, (((fin && at + piece.length === bytes.length ? flagFin : 0) << 24) | piece.length) >>> 0);
    frames.push(head, ...(piece.length === 0 ? [] : [piece]));
  }
  return frames;
}

/** A peer may take a whole frame into memory. */
const maxDataBytes = 32 * 1024;
