import { GatewayFault } from '../../../core/fault.ts';
import { maxPacketBytes } from './messages.ts';

/**
 * Cuts a stream into packets: each without its length field, its type first. To be called until it gives `undefined`; what it gives are views that die at the next `push`.
 * A length of 0, or above the limit, is a `protocol-violation` before memory is taken for it.
 */
export class PacketReader {
  #input: Uint8Array = none;
  #at = 0;
  /** An incomplete packet with its length field: where it is a long one it grows by doubling as its bytes come, and is never written to again once it was given out. */
  #carry: Uint8Array = none;
  #carried = 0;

  push(bytes: Uint8Array): void {
    this.#input = bytes;
    this.#at = 0;
  }

  next(): Uint8Array | undefined {
    const left = this.#input.length - this.#at;
    if (this.#carried === 0 && left >= headBytes) {
      const length = lengthAt(this.#input, this.#at);
      if (left >= headBytes + length) {
        const from = this.#at + headBytes;
        this.#at = from + length;
        return this.#input.subarray(from, from + length);
      }
    }
    if (this.#carried < headBytes && !this.#fill(headBytes)) return undefined;
    const total = headBytes + lengthAt(this.#carry, 0);
    if (!this.#fill(total)) return undefined;
    const whole = this.#carry.subarray(headBytes, total);
    this.#carry = none;
    this.#carried = 0;
    return whole;
  }

  /** What has not been read, behind the packet that was given out last: for a reader that goes on later. */
  takeRest(): Uint8Array {
    const rest = this.#input.slice(this.#at);
    this.#input = none;
    this.#at = 0;
    return rest;
  }

  /** Carries up to `total` bytes; false where they have not come yet. */
  #fill(total: number): boolean {
    const taken = Math.min(total - this.#carried, this.#input.length - this.#at);
    const needed = this.#carried + taken;
    if (needed > this.#carry.length) {
      const wanted = Math.max(Math.min(total, mostAtOnce), Math.min(headBytes + maxPacketBytes, 2 * this.#carry.length));
      const grown = new Uint8Array(Math.max(needed, wanted));
      grown.set(this.#carry.subarray(0, this.#carried));
      this.#carry = grown;
    }
    this.#carry.set(this.#input.subarray(this.#at, this.#at + taken), this.#carried);
    this.#carried = needed;
    this.#at += taken;
    return needed === total;
  }
}

function lengthAt(bytes: Uint8Array, at: number): number {
  const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(at);
  if (length === 0 || length > maxPacketBytes)
    throw new GatewayFault('protocol-violation', {
      publicMessage: `a packet of ${length} bytes, where 1 to ${maxPacketBytes} are allowed`,
    });
  return length;
}

const none = new Uint8Array(0);
const headBytes = 4;
/** Of what is announced: a packet of 32 KB of data, which is what clients ask for, is copied once. */
const mostAtOnce = 36 * 1024;
