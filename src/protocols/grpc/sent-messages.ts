import { GatewayFault } from '../../core/fault.ts';
import { plainMessage, type Call } from './call.ts';
import { compressedFlag, FrameReader, type Frame } from './frame.ts';
import { TextDecoding } from './web.ts';

/** A message of a request that was gathered. */
export interface SentMessage extends Frame {
  /** Without its compression. */
  readonly plain: Uint8Array;
}

/**
 * The messages of a body that was gathered. Throws what `FrameReader` and `plainMessage` throw; `protocol-violation` where it ends within one, `unsupported` for
 * more than the one that a method takes whose client does not stream: what servers make of another one is not certain.
 */
export function messagesOf(call: Call, bytes: Uint8Array): readonly SentMessage[] {
  const { environment, described, head } = call;
  const reader = new FrameReader({ maxBytes: environment.target.maxMessageBytes, of: 'request' });
  const frames = reader.pushWhole(binaryOf(call, bytes));
  if (described?.clientStreams === false && frames.length > 1) throw severalMessages();
  return frames.map((frame) => ({
    ...frame,
    plain: plainMessage(environment, 'request', (frame.flags & compressedFlag) !== 0, head.coding, frame.message),
  }));
}

export function severalMessages(): GatewayFault {
  return new GatewayFault('unsupported', { publicMessage: 'the method takes one message, and there are several' });
}

function binaryOf(call: Call, bytes: Uint8Array): Uint8Array {
  if (call.head.carriage !== 'web-text') return bytes;
  const decoding = new TextDecoding();
  const binary = decoding.push(bytes);
  decoding.end();
  return binary;
}
