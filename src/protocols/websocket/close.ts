import { FrameViolation, maxControlBytes } from './frame.ts';

/** The body of a close frame, RFC 6455 section 5.5.1. */
export interface Close {
  /** Undefined: none was given, which is reported as 1005 and never sent. */
  readonly code: number | undefined;
  /** For people: at most 123 octets of UTF-8. */
  readonly reason: string;
}

/** Throws `FrameViolation` for a code that may not be sent, or a reason that is no UTF-8. */
export function readClose(payload: Uint8Array): Close {
  if (payload.length === 0) return { code: undefined, reason: '' };
  if (payload.length === 1) throw new FrameViolation(1002, 'a close frame with half a code');
  const code = payload[0]! * 256 + payload[1]!;
  if (!mayBeSent(code)) throw new FrameViolation(1002, 'a close code that may not be sent');
  try {
    return { code, reason: strict.decode(payload.subarray(2)) };
  } catch {
    throw new FrameViolation(1007, 'the reason of a close frame is no UTF-8');
  }
}

/** A reason that is too long is cut between characters. */
export function closePayload({ code, reason }: Close): Uint8Array {
  if (code === undefined) return new Uint8Array(0);
  const payload = new Uint8Array(maxControlBytes);
  payload[0] = code >> 8;
  payload[1] = code & 0xff;
  const { written } = encoder.encodeInto(reason, payload.subarray(2));
  return payload.subarray(0, 2 + written);
}

/** Section 7.4: those that are defined and not reserved for local use, those of libraries and frameworks, and private ones. */
function mayBeSent(code: number): boolean {
  return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) || (code >= 3000 && code <= 4999);
}

const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const encoder = new TextEncoder();
