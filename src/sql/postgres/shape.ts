/**
 * The shape of a text: its plain literals replaced by one character for each kind. Two texts of one shape mean the same but for these
 * literals, so that one analysis serves both, unless that analysis says that its literals matter.
 *
 * One pass, no grammar. Undefined wherever a literal's end or kind could be in doubt: a backslash, `$`, a comment, letters before a quote
 * (E'', B'', X'', N'', U&''), a string continued after white space, numbers with an exponent, underscores, another base, more than nine digits
 * (beyond which the grammar takes them for something else), anything that is not ASCII or not printable outside quotes.
 */
export function shapeOf(sql: string): string | undefined {
  let shape = '';
  /** Where the text not yet copied begins. */
  let copied = 0;
  let at = 0;
  while (at < sql.length) {
    const code = sql.charCodeAt(at);
    if (isIdentifierStart(code)) {
      at = endOfWord(sql, at);
      if (sql.charCodeAt(at) === singleQuote) return undefined;
    } else if (isDigit(code)) {
      const end = endOfNumber(sql, at);
      if (end === undefined) return undefined;
      shape += sql.slice(copied, at) + (end.decimal ? decimalMark : integerMark);
      at = copied = end.at;
    } else if (code === singleQuote) {
      const end = endOfString(sql, at);
      if (end === undefined) return undefined;
      shape += sql.slice(copied, at) + stringMark;
      at = copied = end;
    } else if (code === doubleQuote) {
      const end = sql.charCodeAt(at - 1) === ampersand ? undefined : endOfQuoted(sql, at, doubleQuote);
      if (end === undefined) return undefined;
      at = end;
    } else {
      if (!isPlain(code) || startsComment(sql, at, code)) return undefined;
      at += 1;
    }
  }
  return copied === 0 ? sql : shape + sql.slice(copied);
}

function endOfWord(sql: string, from: number): number {
  let at = from + 1;
  while (isIdentifierPart(sql.charCodeAt(at))) at += 1;
  return at;
}

/** `12` or `1.5`; undefined for any other way of writing a number. */
function endOfNumber(sql: string, from: number): { readonly at: number; readonly decimal: boolean } | undefined {
  if (sql.charCodeAt(from - 1) === dot) return undefined;
  let at = endOfDigits(sql, from);
  if (at - from > maxDigits) return undefined;
  const decimal = sql.charCodeAt(at) === dot;
  if (decimal) {
    const fraction = at + 1;
    at = endOfDigits(sql, fraction);
    if (at === fraction) return undefined;
  }
  const next = sql.charCodeAt(at);
  return isIdentifierPart(next) || next === dot || next === dollar || next > 0x7f ? undefined : { at, decimal };
}

function endOfDigits(sql: string, from: number): number {
  let at = from;
  while (isDigit(sql.charCodeAt(at))) at += 1;
  return at;
}

/** Undefined where the string has a prefix (`U&'…'`), a backslash or NUL in it, or may go on after white space. */
function endOfString(sql: string, from: number): number | undefined {
  if (sql.charCodeAt(from - 1) === ampersand) return undefined;
  const end = endOfQuoted(sql, from, singleQuote);
  if (end === undefined) return undefined;
  let next = end;
  while (isSpace(sql.charCodeAt(next))) next += 1;
  return sql.charCodeAt(next) === singleQuote ? undefined : end;
}

/** Behind the closing quote; a doubled one stands for itself. */
function endOfQuoted(sql: string, from: number, quote: number): number | undefined {
  for (let at = from + 1; at < sql.length; at += 1) {
    const code = sql.charCodeAt(at);
    if (code === backslash || code === 0) return undefined;
    if (code !== quote) continue;
    if (sql.charCodeAt(at + 1) !== quote) return at + 1;
    at += 1;
  }
  return undefined;
}

function startsComment(sql: string, at: number, code: number): boolean {
  return (code === hyphen && sql.charCodeAt(at + 1) === hyphen) || (code === slash && sql.charCodeAt(at + 1) === asterisk);
}

/** White space and what PostgreSQL writes operators and punctuation with. */
function isPlain(code: number): boolean {
  return isSpace(code) || (code > 0x20 && code < 0x7f && code !== dollar && code !== backslash);
}

/** Without the vertical tab, which is white space from version 16 only. */
function isSpace(code: number): boolean {
  return code === 0x20 || code === 0x09 || code === 0x0a || code === 0x0c || code === 0x0d;
}

function isDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39;
}

function isIdentifierStart(code: number): boolean {
  return (code >= 0x61 && code <= 0x7a) || (code >= 0x41 && code <= 0x5a) || code === 0x5f;
}

function isIdentifierPart(code: number): boolean {
  return isIdentifierStart(code) || isDigit(code);
}

const doubleQuote = 0x22;
const dollar = 0x24;
const ampersand = 0x26;
const singleQuote = 0x27;
const asterisk = 0x2a;
const hyphen = 0x2d;
const dot = 0x2e;
const slash = 0x2f;
const backslash = 0x5c;

/** More digits may not fit a 32-bit integer, which the grammar reads as a decimal. */
const maxDigits = 9;

/** Characters that no text with a shape has outside quotes. */
const integerMark = '\u0001';
const decimalMark = '\u0002';
const stringMark = '\u0003';
