import { concatenated } from '../../core/bytes.ts';
import { GatewayFault } from '../../core/fault.ts';
import { fromBase64, toBase64 } from '../base64.ts';
import type { HeaderField } from '../request.ts';
import { encodeFrame, trailersFlag } from './frame.ts';

/** The trailers of a gRPC-Web answer: a frame at the end of the body (PROTOCOL-WEB.md), names in lower case. */
export function trailersFrame(trailers: readonly HeaderField[]): Uint8Array {
  const block = trailers.map(({ name, value }) => `${name}:${value}\r\n`).join('');
  return encodeFrame(trailersFlag, encoder.encode(block));
}

/** `-text`: each piece for itself, with its padding; who reads it takes groups of four. */
export function textOfPiece(piece: Uint8Array): Uint8Array {
  return encoder.encode(toBase64(piece));
}

/**
 * Base64 in whatever cuts it comes; padding may stand wherever a piece of the sender's ended. Throws `protocol-violation` for anything else, and for an end in
 * the middle of four characters.
 */
export class TextDecoding {
  #carry = '';

  push(bytes: Uint8Array): Uint8Array {
    const text = this.#carry + ascii(bytes);
    const whole = text.length - (text.length % 4);
    this.#carry = text.slice(whole);
    return this.#decode(text.slice(0, whole));
  }

  end(): void {
    if (this.#carry !== '') throw notBase64();
  }

  #decode(text: string): Uint8Array {
    const parts: Uint8Array[] = [];
    for (const [segment] of text.matchAll(SEGMENTS)) parts.push(fromBase64(segment) ?? refuse());
    return concatenated(parts);
  }
}

function ascii(bytes: Uint8Array): string {
  let text = '';
  for (let at = 0; at < bytes.length; at += blockBytes) text += String.fromCharCode(...bytes.subarray(at, at + blockBytes));
  return text;
}

function refuse(): never {
  throw notBase64();
}

function notBase64(): GatewayFault {
  return new GatewayFault('protocol-violation', { publicMessage: 'the body is not the base64 that its content type says' });
}

const encoder = new TextEncoder();
/** Groups without padding, up to one with it. What is no base64 is left to be refused. */
const SEGMENTS = /[^=]*={0,2}/g;
/** Few enough to be arguments. */
const blockBytes = 8_192;
