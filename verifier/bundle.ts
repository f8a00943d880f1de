import { MAX_LEAF_BYTES, MIN_LEAF_BYTES } from './journal.ts';
import type { Hashes } from './differences.ts';
import { HASH_BYTES, hashLeaf, TILE_WIDTH } from './tree.ts';

/** The records of an entry bundle, as far as it parses. */
export interface Bundle {
  readonly hashes: Hashes;
  /** Each leaf is from `starts[i]` to `ends[i]` of `bytes`. */
  readonly bytes: Buffer;
  readonly starts: readonly number[];
  readonly ends: readonly number[];
  /** Why it is not a bundle, where it is none. */
  readonly damage: string | undefined;
}

/** Splits a bundle (C2SP tlog-tiles: u16 length, leaf, and so on) and hashes its leaves. Spends the lengths in `bytes`. */
export function parseBundle(bytes: Buffer): Bundle {
  const starts: number[] = [];
  const ends: number[] = [];
  let damage: string | undefined;
  let at = 0;
  // One more than fits, so that a record too many is found as such.
  while (at < bytes.length && starts.length <= TILE_WIDTH) {
    if (at + 2 > bytes.length) {
      damage = `ends in the middle of a length at byte ${at}`;
      break;
    }
    const lengthBytes = bytes.readUInt16BE(at);
    if (lengthBytes < MIN_LEAF_BYTES || lengthBytes > MAX_LEAF_BYTES || at + 2 + lengthBytes > bytes.length) {
      damage = `a record of ${lengthBytes} bytes at byte ${at} cannot be`;
      break;
    }
    starts.push(at + 2);
    ends.push(at + 2 + lengthBytes);
    at += 2 + lengthBytes;
  }
  const hashes = Buffer.allocUnsafe(starts.length * HASH_BYTES);
  for (let place = 0; place < starts.length; place += 1) hashLeaf(bytes, starts[place]!, ends[place]!, hashes, place);
  return { hashes: { bytes: hashes, count: starts.length }, bytes, starts, ends, damage };
}

/** The longest that a bundle can be. */
export const MAX_BUNDLE_BYTES = TILE_WIDTH * (2 + MAX_LEAF_BYTES);
