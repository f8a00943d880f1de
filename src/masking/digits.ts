/** A text as the recognisers read it: UTF-16 units of a string, or bytes where all are ASCII. Where there is none, no comparison of what `at` gives back holds. */
export interface Codes {
  readonly length: number;
  at(index: number): number;
  /** Where the first digit stands from `from` on; `length` where there is none. */
  nextDigit(from: number): number;
  slice(from: number, to: number): string;
}

export class TextCodes implements Codes {
  readonly length: number;
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
    this.length = text.length;
  }

  at(index: number): number {
    return this.#text.charCodeAt(index);
  }

  nextDigit(from: number): number {
    let at = from;
    while (at < this.length && !isDigit(this.#text.charCodeAt(at))) at++;
    return at;
  }

  slice(from: number, to: number): string {
    return this.#text.slice(from, to);
  }
}

/** Of whichever bytes it was told last; what stands before `from` is not there for whoever asks for one character. */
export class ByteCodes implements Codes {
  length = 0;
  #bytes: Uint8Array = new Uint8Array(0);
  #from = 0;

  of(bytes: Uint8Array, from: number): this {
    this.#bytes = bytes;
    this.#from = from;
    this.length = bytes.length;
    return this;
  }

  at(index: number): number {
    return index >= this.#from && index < this.length ? this.#bytes[index]! : Number.NaN;
  }

  nextDigit(from: number): number {
    let at = from;
    while (at < this.length && !isDigit(this.#bytes[at]!)) at++;
    return at;
  }

  slice(from: number, to: number): string {
    return decoder.decode(this.#bytes.subarray(from, to));
  }
}

/** The maximal runs of ASCII digits in a text: `[start, end, start, end …]`, in order. */
export type DigitRuns = readonly number[];

export function digitRuns(codes: Codes): DigitRuns {
  const runs: number[] = [];
  for (let start = codes.nextDigit(0); start < codes.length;) {
    let end = start + 1;
    while (isDigit(codes.at(end))) end++;
    runs.push(start, end);
    start = codes.nextDigit(end);
  }
  return runs;
}

export function isDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39;
}

export function isLetter(code: number): boolean {
  return (code >= 0x41 && code <= 0x5a) || (code >= 0x61 && code <= 0x7a);
}

export function isAlphanumeric(code: number): boolean {
  return isDigit(code) || isLetter(code);
}

/** What the digits from `from` up to `to` say. */
export function numberAt(codes: Codes, from: number, to: number): number {
  let number = 0;
  for (let at = from; at < to; at++) number = number * 10 + codes.at(at) - 0x30;
  return number;
}

/** ASCII characters by code: 1 for each of these. */
export function asciiSet(characters: string): Uint8Array {
  const set = new Uint8Array(128);
  for (const character of characters) set[character.charCodeAt(0)] = 1;
  return set;
}

export function isIn(set: Uint8Array, code: number): boolean {
  return code < 128 && set[code] === 1;
}

/** True where the text from `from` to `to` is 1 to `most` characters, all of them in `allowed`. */
export function isGap(codes: Codes, from: number, to: number, most: number, allowed: Uint8Array): boolean {
  if (to - from < 1 || to - from > most) return false;
  for (let at = from; at < to; at++) if (!isIn(allowed, codes.at(at))) return false;
  return true;
}

const decoder = new TextDecoder();
