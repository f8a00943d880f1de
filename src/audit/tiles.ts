import { GatewayFault } from '../core/fault.ts';

/** C2SP tlog-tiles: 256 hashes make a full tile. */
export const TILE_HASHES = 256;
export const HASH_BYTES = 32;

/** `tile/<level>/<N>[.p/<W>]`, relative to the log's folder, with `/`. */
export function tilePath(level: number | 'entries', index: number, width: number = TILE_HASHES): string {
  let digits = String(index);
  digits = digits.padStart(Math.ceil(digits.length / 3) * 3, '0');
  let path = '';
  for (let at = 0; at < digits.length - 3; at += 3) path += `x${digits.slice(at, at + 3)}/`;
  path += digits.slice(-3);
  return `tile/${level}/${path}${width === TILE_HASHES ? '' : `.p/${width}`}`;
}

/**
 * The leaves that are not in a stored full bundle yet, gathered as entry bundles: each leaf behind its length, 16 bits, big-endian. The memory of a bundle
 * that is stored holds a later one: new memory for each of them, kept until the next checkpoint, would make the engine collect its whole heap twice a second.
 */
export class EntryBundles {
  readonly #full: EntryBundle[] = [];
  /** Memory of bundles that are stored. */
  readonly #spare: Buffer[] = [];
  #wanted = 0;
  #index: number;
  #bytes: Buffer = sharedMemory(INITIAL_BYTES);
  #length = 0;
  #width = 0;

  /** `index`: of the first bundle to be gathered. */
  constructor(index = 0) {
    this.#index = index;
  }

  /** Copies the leaf. */
  append(leaf: Uint8Array): void {
    const end = this.#length + 2 + leaf.byteLength;
    if (end > this.#bytes.byteLength) {
      // The shorter memory is let go of: a partial bundle may have been given out of it.
      const larger = sharedMemory(Math.max(end, this.#bytes.byteLength * 2));
      this.#bytes.copy(larger, 0, 0, this.#length);
      this.#bytes = larger;
    }
    this.#bytes.writeUInt16BE(leaf.byteLength, this.#length);
    this.#bytes.set(leaf, this.#length + 2);
    this.#length = end;
    if (++this.#width < TILE_HASHES) return;
    this.#full.push({ index: this.#index, width: TILE_HASHES, bytes: this.#bytes.subarray(0, this.#length) });
    // The next one is likely about as long.
    this.#bytes = this.#spare.pop() ?? sharedMemory(Math.max(INITIAL_BYTES, Math.ceil(this.#length * 1.125)));
    this.#index++;
    this.#length = 0;
    this.#width = 0;
  }

  /** The full ones, oldest first. Their bytes are good until `forgetStored`. */
  get full(): readonly EntryBundle[] {
    return this.#full;
  }

  /** The oldest `count` full bundles are on disk now, and nobody reads their bytes here any more. */
  forgetStored(count: number): void {
    for (const { bytes } of this.#full.splice(0, count)) {
      if (bytes.buffer.byteLength <= MAX_SPARE_BYTES) this.#spare.push(Buffer.from(bytes.buffer));
    }
    // As many as may be wanted until the next time; none where the log rests.
    this.#wanted = Math.max(count, this.#wanted >> 1);
    this.#spare.length = Math.min(this.#spare.length, this.#wanted);
  }

  /** What is gathered of the bundle that is not full, if anything. Its bytes are good until that bundle was full and is forgotten. */
  partial(): EntryBundle | undefined {
    if (this.#width === 0) return undefined;
    return { index: this.#index, width: this.#width, bytes: this.#bytes.subarray(0, this.#length) };
  }

  /** The bytes of a bundle, as far as it is still in memory: a copy, for readers who take their time. */
  copy(index: number): Uint8Array | undefined {
    const found = index === this.#index ? this.partial() : this.#full.find((bundle) => bundle.index === index);
    // Not `slice`, which of a `Buffer` is a view.
    return found === undefined ? undefined : new Uint8Array(found.bytes);
  }
}

export interface EntryBundle {
  readonly index: number;
  readonly width: number;
  readonly bytes: Uint8Array;
}

/** The leaves of a bundle, as views. Throws `audit-unavailable` unless the bytes are used up exactly. */
export function bundleLeaves(bytes: Uint8Array): readonly Uint8Array[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const leaves: Uint8Array[] = [];
  for (let at = 0; at < bytes.byteLength;) {
    const end = at + 2 <= bytes.byteLength ? at + 2 + view.getUint16(at) : Infinity;
    if (end > bytes.byteLength) {
      throw new GatewayFault('audit-unavailable', {
        publicMessage: 'the audit log cannot be read',
        detail: 'an entry bundle is cut short',
      });
    }
    leaves.push(bytes.subarray(at + 2, end));
    at = end;
  }
  return leaves;
}

/** So that the thread that writes files needs no copy. */
function sharedMemory(bytes: number): Buffer {
  return Buffer.from(new SharedArrayBuffer(bytes));
}

const INITIAL_BYTES = 64 * 1024;
const MAX_SPARE_BYTES = 1024 * 1024;
