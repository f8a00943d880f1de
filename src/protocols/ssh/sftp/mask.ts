import { GatewayFault } from '../../../core/fault.ts';
import type { DataClasses } from '../../../masking/classes.ts';
import type { DetectorSet } from '../../../masking/detect.ts';
import { streamMasker } from '../../../masking/stream.ts';
import { isAscii, Printable } from '../../../masking/printable.ts';
import { maskProse, maskText } from '../../../masking/text.ts';
import { textOf } from './decode.ts';
import type { Name } from './messages.ts';

/** A stretch of a file as it is shown, and how many values in it were masked, by data class. */
export interface MaskedStretch {
  readonly bytes: Uint8Array;
  readonly masked: ReadonlyMap<string, number>;
}

/**
 * Masks `bytes` of a file by what the detectors find in them, seen with what stands before and after. As long as that is `contextBytes` on both sides (or the file's own beginning
 * and end), a byte is shown alike whichever stretch it is masked in, and a value that lies across two is found in both. The length stays.
 */
export function maskStretch(
  classes: DataClasses,
  detectors: DetectorSet,
  before: Uint8Array,
  bytes: Uint8Array,
  after: Uint8Array,
): MaskedStretch {
  const all = new Uint8Array(before.length + bytes.length + after.length);
  all.set(before);
  all.set(bytes, before.length);
  all.set(after, before.length + bytes.length);
  const end = before.length + bytes.length;
  // A masker reads plain ASCII faster than that question is answered, and everything else slower.
  if (!isAscii(all) && !detectors.mayContain(all, 0, all.length)) return { bytes, masked: noCounts };
  const masker = streamMasker(classes, detectors, { keepsLength: true });
  // As long as nothing was found, what is shown is what came.
  let shown = all;
  let at = 0;
  const put = (pieces: readonly Uint8Array[]): void => {
    if (shown === all && masker.masked.size > 0) shown = all.slice();
    for (const piece of pieces) {
      // Longer than it was: `set` throws, and nothing of it is shown.
      if (shown !== all) shown.set(piece, at);
      at += piece.length;
    }
  };
  put(masker.push(all.subarray(0, before.length)));
  const earlier = new Map(masker.masked);
  put(masker.push(all.subarray(before.length, end)));
  const masked = new Map<string, number>();
  for (const [name, count] of masker.masked) if (count > (earlier.get(name) ?? 0)) masked.set(name, count - (earlier.get(name) ?? 0));
  put(masker.push(all.subarray(end)));
  put(masker.end());
  if (at !== all.length) throw new RangeError('a mask has changed the length of a file');
  if (shown === all) return { bytes, masked };
  return { bytes: shown.subarray(before.length, end), masked };
}

/**
 * Whether detectors can read it: no NUL, and hardly more than a tenth of it control characters or no UTF-8. What is compressed, encrypted, a program or UTF-16 is
 * none; what is base64 is, and nothing is found in it.
 */
export function isText(bytes: Uint8Array): boolean {
  if (bytes.includes(0)) return false;
  let odd = 0;
  let following = 0;
  const printable = new Printable(bytes);
  for (let at = 0; at < bytes.length; at += 1) {
    if (following === 0) at = printable.end(at);
    if (at === bytes.length) break;
    const kind = KINDS[bytes[at]!]!;
    if (kind === PLAIN && following === 0) continue;
    if (kind === CONTINUES) {
      if (following > 0) following -= 1;
      else odd += 1;
      continue;
    }
    if (following > 0 || kind === ODD) odd += 1;
    following = kind > CONTINUES ? kind - CONTINUES : 0;
  }
  return odd <= mostOdd + bytes.length / 10;
}

/** A file that is none, where something would have to be hidden in it. */
export function notText(): GatewayFault {
  return new GatewayFault('masking-refused', {
    publicMessage: 'the file is no text, and what is hidden from you could not be found in it',
    hint: 'Ask for a policy that reveals the data classes, or for unsafe_opaque_transfers on this target.',
  });
}

/** Names as they are shown: what the detectors find in them is masked, in both forms. A name in which something is hidden cannot be asked for by what is shown. */
export function maskNames(
  classes: DataClasses,
  detectors: DetectorSet,
  names: readonly Name[],
): { readonly names: readonly Name[]; readonly masked: Readonly<Record<string, number>> } {
  const masked = new Map<string, number>();
  const shown = names.map((name): Name => {
    const text = textOf(name.name) ?? latin(name.name);
    const found = maskText(classes, detectors, text);
    if (found === undefined) return name;
    for (const one of found.found) masked.set(one, (masked.get(one) ?? 0) + 1);
    const longName = maskProse(classes, detectors, textOf(name.longName) ?? latin(name.longName));
    return { name: encoder.encode(maskProse(classes, detectors, text)), longName: encoder.encode(longName), attributes: name.attributes };
  });
  return { names: shown, masked: Object.fromEntries(masked) };
}

/** Each byte a character: for what is no UTF-8. */
function latin(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += String.fromCharCode(byte);
  return text;
}

/** What a byte is by itself; above `CONTINUES` it begins a character, and so many bytes follow. */
const PLAIN = 0;
const ODD = 1;
const CONTINUES = 2;
const KINDS = Uint8Array.from({ length: 256 }, (_, byte) => {
  // Bell to carriage return, and escape, lay text out.
  if (byte < 0x80) return byte === 0x7f || (byte < 0x20 && !(byte >= 0x07 && byte <= 0x0d) && byte !== 0x1b) ? ODD : PLAIN;
  if (byte < 0xc0) return CONTINUES;
  if (byte < 0xc2 || byte > 0xf4) return ODD;
  return CONTINUES + (byte < 0xe0 ? 1 : byte < 0xf0 ? 2 : 3);
});

const encoder = new TextEncoder();
/** Of a short piece: where a character was cut in two, and a control character or so. */
const mostOdd = 3;
const noCounts: ReadonlyMap<string, number> = new Map();
/** More than the longest match and the words before it (masking/stream.ts). */
export const contextBytes = 8 * 1024;
