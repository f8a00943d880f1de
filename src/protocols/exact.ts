/**
 * All parts with their lengths in front, so that no two lists are the same bytes: what an approval binds. Made for each operation whose record does not hold it word by
 * word: short plain texts, which most are, are written in place, without an encoder, and all of it in memory that many share, without a buffer for each.
 */
export function lengthPrefixed(parts: readonly (string | Uint8Array)[]): Uint8Array {
  const pieces = parts.map((part) => (typeof part !== 'string' || isShortAscii(part) ? part : encoder.encode(part)));
  const all = take(pieces.reduce((length, piece) => length + LENGTH_BYTES + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    const { length } = piece;
    all[at] = length >>> 24;
    all[at + 1] = length >>> 16;
    all[at + 2] = length >>> 8;
    all[at + 3] = length;
    at += LENGTH_BYTES;
    if (typeof piece === 'string') for (let i = 0; i < length; i += 1) all[at + i] = piece.charCodeAt(i);
    else all.set(piece, at);
    at += length;
  }
  return all;
}

/** Each of its characters is one byte of UTF-8. Longer texts are quicker to encode than to look through. */
function isShortAscii(text: string): boolean {
  if (text.length > MOST_SHORT) return false;
  for (let i = 0; i < text.length; i += 1) if (text.charCodeAt(i) > 0x7f) return false;
  return true;
}

/** A piece of memory that nobody else was given. */
function take(length: number): Uint8Array {
  if (length > MOST_SHARED) return new Uint8Array(length);
  if (taken + length > shared.length) {
    shared = new Uint8Array(SHARED_BYTES);
    taken = 0;
  }
  taken += length;
  return shared.subarray(taken - length, taken);
}

const SHARED_BYTES = 64 * 1024;
const MOST_SHARED = 4 * 1024;
let shared = new Uint8Array(SHARED_BYTES);
let taken = 0;
const encoder = new TextEncoder();
const LENGTH_BYTES = 4;
const MOST_SHORT = 256;
