import type { Crypto } from '../core/crypto.ts';
import { RecentMap } from '../core/recent-map.ts';

/** Pseudonyms of one class's values, under one key. */
export interface Pseudonyms {
  /** The pseudonym of a value, whatever it is. */
  pseudonymOf(value: string): string;
  /** The value that has this pseudonym; undefined where its shape has no way back (`hasWayBack`). */
  valueOf(pseudonym: string): string | undefined;
}

/**
 * Every digit becomes a digit and every letter a letter of the same case; other characters stay.
 *
 * Where the letters and digits are all ASCII, at most 256, and can be filled in 1,000,000 ways or more (the least domain of NIST SP 800-38G),
 * this is a keyed permutation of all values of the same shape: no two meet, and who has the key can turn it back. It is a Feistel network
 * after that publication's FF1 (10 rounds, the shape as tweak), with HMAC-SHA-256 in place of AES and, in place of one addition modulo
 * the radix to the power of the half's length, one in each position modulo that position's radix: a group operation as well, so that it is
 * undone by subtracting, and it lets digits and letters stand in any order. Like any permutation it may leave a value as it is, with
 * odds of 1 in the number of values of the shape.
 *
 * Anything else is a keyed function with no way back: two short values may meet.
 */
export function createPseudonyms(crypto: Crypto, key: Uint8Array): Pseudonyms {
  const shapes = new RecentMap<string, Uint8Array>(mostShapes);
  const known = new RecentMap<string, string>(mostKnown);
  const shapeKey = (shape: string): Uint8Array => {
    let found = shapes.get(shape);
    if (found === undefined) shapes.set(shape, (found = crypto.hmacSha256(key, encoder.encode(`permutation 1\0${shape}`))));
    return found;
  };
  return {
    pseudonymOf(value) {
      const before = known.get(value);
      if (before !== undefined) return before;
      const form = formOf(value);
      if (form === undefined) return oneWay(crypto, key, value);
      const pseudonym = permute(crypto, shapeKey(form.shape), value, form, 1);
      if (value.length <= mostKnownUnits) known.set(value, pseudonym);
      return pseudonym;
    },
    valueOf(pseudonym) {
      const form = formOf(pseudonym);
      return form === undefined ? undefined : permute(crypto, shapeKey(form.shape), pseudonym, form, -1);
    },
  };
}

// ---- the permutation

interface Form {
  /** The text with every digit as 0 and every letter as A or a: the same for all values of one domain. */
  readonly shape: string;
  /** Where its letters and digits stand, in UTF-16 units. */
  readonly places: readonly number[];
}

/** Undefined for what has no way back. */
function formOf(text: string): Form | undefined {
  if (text.length > mostUnits || BEYOND_ASCII.test(text)) return undefined;
  const places: number[] = [];
  let shape = '';
  let ways = 1;
  for (let at = 0; at < text.length; at++) {
    const base = baseOf(text.charCodeAt(at));
    shape += base === 0 ? text[at]! : String.fromCharCode(base);
    if (base === 0) continue;
    places.push(at);
    ways *= radixOf(base);
  }
  return ways < leastWays || places.length > mostPlaces ? undefined : { shape, places };
}

/** `sign` 1: to the pseudonym; -1: back to the value. */
function permute(crypto: Crypto, key: Uint8Array, text: string, { shape, places }: Form, sign: 1 | -1): string {
  const split = places.length >> 1;
  const bases = places.map((at) => baseOf(shape.charCodeAt(at)));
  const symbols = places.map((at, index) => text.charCodeAt(at) - bases[index]!);
  // The round, then the symbols of the half that stays; halves of the two parities never share a round.
  const input = new Uint8Array(1 + places.length - split);
  for (let step = 0; step < rounds; step++) {
    const round = sign === 1 ? step : rounds - 1 - step;
    const [from, to, start, end] = round % 2 === 0 ? [split, places.length, 0, split] : [0, split, split, places.length];
    input[0] = round;
    for (let index = from; index < to; index++) input[1 + index - from] = symbols[index]!;
    const next = numbers(crypto, key, input.subarray(0, 1 + to - from));
    for (let index = start; index < end; index++) {
      const radix = radixOf(bases[index]!);
      symbols[index] = (symbols[index]! + sign * (next() % radix) + radix) % radix;
    }
  }
  let result = '';
  let copied = 0;
  for (const [index, at] of places.entries()) {
    result += text.slice(copied, at) + String.fromCharCode(bases[index]! + symbols[index]!);
    copied = at + 1;
  }
  return result + text.slice(copied);
}

/** The code of `0`, `A` or `a`, whichever range the character is in; 0 for any other. */
function baseOf(code: number): number {
  if (code >= digitZero && code <= digitZero + 9) return digitZero;
  if (code >= upperA && code < upperA + 26) return upperA;
  return code >= lowerA && code < lowerA + 26 ? lowerA : 0;
}

function radixOf(base: number): number {
  return base === digitZero ? 10 : 26;
}

// ---- the function with no way back

function oneWay(crypto: Crypto, key: Uint8Array, text: string): string {
  const characters = Array.from(text);
  if (!characters.some(isAlphanumeric)) return '*'.repeat(characters.length);
  for (let attempt = 0; ; attempt++) {
    const stream = numbers(crypto, key, encoder.encode(`${attempt}\0${text}`));
    const shown = characters.map((character) => substitute(character, stream)).join('');
    if (shown !== text) return shown;
  }
}

function substitute(character: string, next: () => number): string {
  if (DIGIT.test(character)) return String(next() % 10);
  if (UPPER.test(character)) return String.fromCharCode(upperA + (next() % 26));
  if (LETTER.test(character)) return String.fromCharCode(lowerA + (next() % 26));
  return character;
}

function isAlphanumeric(character: string): boolean {
  return DIGIT.test(character) || LETTER.test(character);
}

/**
 * Unsigned 16-bit numbers: the seed's own digest, then HMAC in counter mode keyed by it. Modulo 26 they are uniform but for a bias below 1
 * in 2,500; two bytes a position, so that one digest does for 16.
 */
function numbers(crypto: Crypto, key: Uint8Array, seed: Uint8Array): () => number {
  const seedKey = crypto.hmacSha256(key, seed);
  let block = seedKey;
  let at = 0;
  let counter = 0;
  return () => {
    if (at === block.length) {
      block = crypto.hmacSha256(seedKey, encoder.encode(String(++counter)));
      at = 0;
    }
    const value = (block[at]! << 8) | block[at + 1]!;
    at += 2;
    return value;
  };
}

const encoder = new TextEncoder();
const rounds = 10;
const leastWays = 1_000_000;
/** Letters and digits of a value that has a way back: identifiers are shorter, and longer texts would cost too much. */
const mostPlaces = 256;
const mostUnits = 1_024;
const mostShapes = 1_024;
/** Values whose pseudonym is remembered, and their length: columns repeat themselves, and a pseudonym costs ten digests. */
const mostKnown = 4_096;
const mostKnownUnits = 64;
const digitZero = 0x30;
const upperA = 0x41;
const lowerA = 0x61;
const DIGIT = /^\p{N}$/u;
const LETTER = /^[\p{L}\p{M}]$/u;
const UPPER = /^\p{Lu}$/u;
/** A letter, mark or digit that is not ASCII. */
const BEYOND_ASCII = /(?![0-9A-Za-z])[\p{L}\p{M}\p{N}]/u;
