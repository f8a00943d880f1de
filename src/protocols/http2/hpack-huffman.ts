import { errorCode, Http2Violation } from './violation.ts';

/**
 * Decodes a string in the Huffman code of HPACK (RFC 7541 section 5.2) to a character for each octet. Throws `Http2Violation` for padding that is longer than seven bits or not all ones, and for the
 * symbol of the end.
 */
export function readHuffman(bytes: Uint8Array, from: number, to: number): string {
  const codes: number[] = [];
  let node = 0;
  let depth = 0;
  let areOnes = true;
  for (let at = from; at < to; at += 1) {
    const octet = bytes[at]!;
    for (let bit = 7; bit >= 0; bit -= 1) {
      const isOne = (octet >>> bit) & 1;
      node = tree[2 * node + isOne]!;
      depth += 1;
      areOnes &&= isOne === 1;
      if (node >= 0) continue;
      if (node === ~endOfString) throw broken('a Huffman code with the end of the string in it');
      codes.push(~node);
      node = 0;
      depth = 0;
      areOnes = true;
    }
  }
  if (depth > 7 || !areOnes) throw broken('a Huffman code with wrong padding');
  return textOf(codes);
}

/** A character for each octet. */
export function textOf(octets: ArrayLike<number>): string {
  if (octets.length <= atOnce) return String.fromCharCode.apply(undefined, octets as number[]);
  let text = '';
  for (let at = 0; at < octets.length; at += atOnce) {
    text += String.fromCharCode.apply(undefined, Array.prototype.slice.call(octets, at, at + atOnce) as number[]);
  }
  return text;
}

/** Nodes with two branches each, the first at 0: the number of a node, or the complement of a symbol. */
function treeOf(digits: string): Int16Array {
  const nodes = new Int16Array(2 * digits.length);
  let used = 1;
  let code = 0;
  for (let length = 1; length <= longest; length += 1, code *= 2) {
    for (let symbol = 0; symbol < digits.length; symbol += 1) {
      if (Number.parseInt(digits[symbol]!, 36) !== length) continue;
      let node = 0;
      for (let bit = length - 1; bit > 0; bit -= 1) {
        const branch = 2 * node + ((code >>> bit) & 1);
        if (nodes[branch] === 0) nodes[branch] = used++;
        node = nodes[branch]!;
      }
      nodes[2 * node + (code & 1)] = ~symbol;
      code += 1;
    }
  }
  return nodes;
}

function broken(problem: string): Http2Violation {
  return new Http2Violation(errorCode.compressionError, problem);
}

const endOfString = 256;
const longest = 30;
/**
 * Appendix B. The code is canonical: codes of one length are in the order of their symbols, so that the lengths are all there is to know. One digit to the base of 36 for each octet, and one for the
 * end of the string.
 */
const tree = treeOf(
  [
    'dnsssssssoussussssssssusssssssss6aacd68baa8b8666555666666678f6ca',
    'd67777777777777777777777878djde6f56565666577666567655677777fbeds',
    'kmkkmmmnmnnnnnonoomnonnnnlmnmnnomlkmmnnlnmmolmnnllmlnmnnkmmmnmmn',
    'qqkjmnmpqqqrrqopjlqrrqrollqqsrrrkoklmllnmmppooqnqrqqrrrrrsrrrrrq',
    'u',
  ].join(''),
);
/** Arguments of one call. */
const atOnce = 4_096;
