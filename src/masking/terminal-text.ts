/**
 * A piece of what is sent to a terminal: a character, or something that shows nothing. `carries`: where in a control sequence its parameters or its string stand.
 */
export type Element =
  | { readonly kind: 'character'; readonly code: number; readonly end: number }
  | { readonly kind: 'control'; readonly end: number; readonly carries: readonly [from: number, to: number] | undefined };

/**
 * The element at `at` of some UTF-8 text with control sequences (ECMA-48 section 5: C0 and C1 controls, CSI sequences, and the strings of OSC, DCS, SOS, PM and APC).
 * A CSI sequence of more than 64 bytes, or a string of more than 1,024, is none: what it would carry is text of its own. A byte that is no UTF-8 is U+FFFD. Undefined
 * where more bytes are needed to tell; with `isLast` there are none.
 */
export function elementAt(bytes: Uint8Array, at: number, isLast: boolean): Element | undefined {
  const byte = bytes[at]!;
  if (byte === escape) return escapeSequence(bytes, at, isLast);
  if (byte < 0x80) return isShown(byte) ? { kind: 'character', code: byte, end: at + 1 } : control(at + 1);
  const length = utf8Length(byte);
  let end = at + 1;
  while (end < at + length && end < bytes.length && (bytes[end]! & 0xc0) === 0x80) end += 1;
  if (end === bytes.length && end < at + length && !isLast) return undefined;
  const code = end === at + length ? decoded(bytes, at, length) : replacement;
  if (code === replacement)
    return { kind: 'character', code, end: length === 3 && end === at + 3 && isReplacement(bytes, at) ? end : at + 1 };
  if (code >= 0x80 && code < 0xa0) return c1Control(code, bytes, end, isLast);
  return { kind: 'character', code, end };
}

function escapeSequence(bytes: Uint8Array, at: number, isLast: boolean): Element | undefined {
  const next = bytes[at + 1];
  if (next === undefined) return isLast ? control(at + 1) : undefined;
  if (next >= 0x40 && next <= 0x5f) return c1Control(next + 0x40, bytes, at + 2, isLast);
  return sequence(bytes, at + 1, [0x20, 0x2f], 0x30, isLast);
}

/** `from`: behind the control. */
function c1Control(code: number, bytes: Uint8Array, from: number, isLast: boolean): Element | undefined {
  if (code === 0x9b) return sequence(bytes, from, [0x20, 0x3f], 0x40, isLast);
  if (!stringIntroducers.has(code)) return control(from);
  for (let at = from; at < bytes.length && at <= from + longestString; at += 1) {
    const byte = bytes[at]!;
    if (byte === bell || byte === cancel || byte === substitute) return control(at + 1, [from, at]);
    if (byte === 0x9c && at > from && bytes[at - 1] === 0xc2) return control(at + 1, [from, at - 1]);
    // What begins another sequence ends this one; ESC \ is a sequence that does nothing else.
    if (byte === escape) return control(at, [from, at]);
  }
  return isLast || bytes.length > from + longestString ? noSequence(from) : undefined;
}

/** Parameters and intermediates in a range, and one final byte (ECMA-48 sections 5.3 and 5.4). Anything else ends it. */
function sequence(
  bytes: Uint8Array,
  from: number,
  [least, most]: readonly [number, number],
  leastFinal: number,
  isLast: boolean,
): Element | undefined {
  let at = from;
  while (at < bytes.length && at < from + longestSequence && bytes[at]! >= least && bytes[at]! <= most) at += 1;
  const last = bytes[at];
  if (at === from + longestSequence) return noSequence(from);
  if (last === undefined) return isLast ? control(at, [from, at]) : undefined;
  return control(last >= leastFinal && last <= 0x7e ? at + 1 : at, [from, at]);
}

function control(end: number, carries?: readonly [number, number]): Element {
  return { kind: 'control', end, carries: carries !== undefined && carries[1] - carries[0] >= shortest ? carries : undefined };
}

/** What begins like a sequence but is none: it parts what stands before it from what it would carry, as the end of a line does. */
function noSequence(end: number): Element {
  return { kind: 'character', code: verticalTab, end };
}

/** How many bytes a character has that begins with this one (RFC 3629); 1 where none does. */
function utf8Length(lead: number): number {
  if (lead >= 0xc2 && lead <= 0xdf) return 2;
  if (lead >= 0xe0 && lead <= 0xef) return 3;
  return lead >= 0xf0 && lead <= 0xf4 ? 4 : 1;
}

function decoded(bytes: Uint8Array, at: number, length: number): number {
  if (length === 1) return replacement;
  let code = bytes[at]! & (0x7f >> length);
  for (let next = at + 1; next < at + length; next += 1) code = (code << 6) | (bytes[next]! & 0x3f);
  const isValid = code >= leastOfLength[length]! && code <= 0x10ffff && (code < 0xd800 || code > 0xdfff);
  return isValid ? code : replacement;
}

function isReplacement(bytes: Uint8Array, at: number): boolean {
  return bytes[at] === 0xef && bytes[at + 1] === 0xbf && bytes[at + 2] === 0xbd;
}

/** Of ASCII: what shows, or parts what shows. */
function isShown(code: number): boolean {
  return (code >= 0x20 && code !== 0x7f) || (code >= 0x09 && code <= 0x0d);
}

/** What a terminal shows of some bytes, as far as that can be told without following its cursor, and where in them it stands. */
export interface TerminalText {
  readonly text: string;
  /** Where the character of a UTF-16 unit begins and ends. Between two there are only control characters and sequences. */
  startOf(unit: number): number;
  endOf(unit: number): number;
  /** What control sequences carry, as texts of their own. */
  readonly carried: readonly TerminalText[];
}

/** Of the bytes from `from` up to `to`; offsets are those of `bytes`. */
export function terminalText(bytes: Uint8Array, from: number, to: number): TerminalText {
  return isPlain(bytes, from, to) ? plainText(bytes, from, to) : mixedText(bytes.subarray(0, to), from, false);
}

/**
 * The same, with each control sequence as the end of a line, which takes no room: what stands behind one may be shown in another place than what stands before it. Undefined where there is none.
 */
export function partedText(bytes: Uint8Array, from: number, to: number): TerminalText | undefined {
  return isPlain(bytes, from, to) || !hasControl(bytes.subarray(0, to), from) ? undefined : mixedText(bytes.subarray(0, to), from, true);
}

function hasControl(bytes: Uint8Array, from: number): boolean {
  for (let at = from; at < bytes.length;) {
    const element = elementAt(bytes, at, true)!;
    if (element.kind === 'control') return true;
    at = element.end;
  }
  return false;
}

/** ASCII without anything that does not show. */
function isPlain(bytes: Uint8Array, from: number, to: number): boolean {
  for (let at = from; at < to; at += 1) if (bytes[at]! >= 0x7f || !isShown(bytes[at]!)) return false;
  return true;
}

function plainText(bytes: Uint8Array, from: number, to: number): TerminalText {
  const text = ascii.decode(bytes.subarray(from, to));
  return { text, startOf: (unit) => from + unit, endOf: (unit) => from + unit + 1, carried: [] };
}

function mixedText(bytes: Uint8Array, from: number, isParted: boolean): TerminalText {
  // A character has at least as many bytes as units.
  const units = new Uint16Array(bytes.length - from);
  const starts = new Uint32Array(bytes.length - from);
  const ends = new Uint32Array(bytes.length - from);
  let count = 0;
  const put = (unit: number, start: number, end: number): void => {
    units[count] = unit;
    starts[count] = start;
    ends[count++] = end;
  };
  const carried: TerminalText[] = [];
  for (let at = from; at < bytes.length;) {
    if (bytes[at]! < 0x80 && isShown(bytes[at]!)) {
      put(bytes[at]!, at, at + 1);
      at += 1;
      continue;
    }
    const element = elementAt(bytes, at, true)!;
    if (element.kind === 'character') {
      const character = String.fromCodePoint(element.code);
      for (let unit = 0; unit < character.length; unit += 1) put(character.charCodeAt(unit), at, element.end);
    } else if (isParted) put(verticalTab, at, at);
    else if (element.carries !== undefined) carried.push(terminalText(bytes, ...element.carries));
    at = element.end;
  }
  return { text: textOf(units.subarray(0, count)), startOf: (unit) => starts[unit]!, endOf: (unit) => ends[unit]!, carried };
}

/** In parts, since a call takes only so many arguments. */
function textOf(units: Uint16Array): string {
  let text = '';
  for (let from = 0; from < units.length; from += 4096)
    text += String.fromCharCode.apply(undefined, units.subarray(from, from + 4096) as unknown as number[]);
  return text;
}

const ascii = new TextDecoder();
/** C1 controls that begin a string: DCS, SOS, OSC, PM, APC; as `ESC` and a letter, the letter is 0x40 less. */
const stringIntroducers: ReadonlySet<number> = new Set([0x90, 0x98, 0x9d, 0x9e, 0x9f]);
const escape = 0x1b;
const bell = 0x07;
const verticalTab = 0x0b;
const cancel = 0x18;
const substitute = 0x1a;
const longestString = 1024;
const longestSequence = 64;
const replacement = 0xfffd;
const leastOfLength = [0, 0, 0x80, 0x800, 0x10000];
/** Nothing that is looked for is shorter. */
const shortest = 7;
