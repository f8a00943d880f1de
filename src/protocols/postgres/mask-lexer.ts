/** One stretch of SQL text as the server's lexer cuts it (PostgreSQL documentation, "Lexical Structure"), as far as literals need it. */
export interface SqlToken {
  /**
   * `word`: identifier or key word, quoted or not. `string`: any quoted constant, dollar-quoted ones too. `doubt`: from here to the end
   * nothing is certain (a constant or comment that does not end).
   */
  readonly kind: 'word' | 'string' | 'number' | 'comment' | 'parameter' | 'other' | 'doubt';
  readonly start: number;
  readonly end: number;
}

/**
 * Cuts a text into tokens that cover it without gaps, white space among `other`. `standard_conforming_strings` is on, as the gateway
 * pins it. Linear; never throws.
 */
export function lexSql(sql: string): readonly SqlToken[] {
  const tokens: SqlToken[] = [];
  for (let at = 0; at < sql.length;) {
    const token = nextToken(sql, at);
    tokens.push(token);
    at = token.end;
  }
  return tokens;
}

function nextToken(sql: string, at: number): SqlToken {
  const character = sql[at]!;
  const next = sql[at + 1] ?? '';
  if (character === "'") return quoted('string', at, endOfString(sql, at, false), sql);
  if (character === '"') return quoted('word', at, endOfQuoted(sql, at, '"', false), sql);
  if (character === '-' && next === '-') return { kind: 'comment', start: at, end: endOfLine(sql, at) };
  if (character === '/' && next === '*') return quoted('comment', at, endOfBlockComment(sql, at), sql);
  if (character === '$') return dollar(sql, at);
  if (isDigit(character) || (character === '.' && isDigit(next))) return { kind: 'number', start: at, end: endOfNumber(sql, at) };
  if (!isWordStart(character)) return { kind: 'other', start: at, end: at + 1 };
  const prefixed = prefixLength(sql, at);
  if (prefixed > 0 && sql[at + prefixed] === "'") {
    return quoted('string', at, endOfString(sql, at + prefixed, character === 'e' || character === 'E'), sql);
  }
  if (prefixed === 2) return quoted('word', at, endOfQuoted(sql, at + 2, '"', false), sql);
  let end = at + 1;
  while (end < sql.length && isWordPart(sql[end]!)) end++;
  return { kind: 'word', start: at, end };
}

/** `end` below 0: it does not end. */
function quoted(kind: SqlToken['kind'], start: number, end: number, sql: string): SqlToken {
  return end < 0 ? { kind: 'doubt', start, end: sql.length } : { kind, start, end };
}

/**
 * Length of the prefix that makes what follows a constant or identifier of a special kind: E, B, X before `'`; U& before either quote.
 * N before `'` is none: to the server it is the key word NCHAR, so that a name may stand before it (`e.n'…'`).
 */
function prefixLength(sql: string, at: number): number {
  if ('eEbBxX'.includes(sql[at]!) && sql[at + 1] === "'") return 1;
  const isUnicode = (sql[at] === 'u' || sql[at] === 'U') && sql[at + 1] === '&' && (sql[at + 2] === "'" || sql[at + 2] === '"');
  return isUnicode ? 2 : 0;
}

/** A constant goes on after white space with a line break in it, and keeps its escapes. */
function endOfString(sql: string, quote: number, hasEscapes: boolean): number {
  let end = endOfQuoted(sql, quote, "'", hasEscapes);
  while (end >= 0) {
    const next = continuation(sql, end);
    if (next < 0) return end;
    end = endOfQuoted(sql, next, "'", hasEscapes);
  }
  return -1;
}

/** Where the constant that ended at `end` goes on with another quote, or -1. */
function continuation(sql: string, end: number): number {
  let sawBreak = false;
  for (let at = end; at < sql.length;) {
    const character = sql[at]!;
    if (character === "'") return sawBreak ? at : -1;
    if (character === '-' && sql[at + 1] === '-') at = endOfLine(sql, at);
    else if (SPACES.includes(character)) {
      sawBreak ||= LINE_BREAKS.includes(character);
      at++;
    } else return -1;
  }
  return -1;
}

function endOfQuoted(sql: string, start: number, quote: string, hasEscapes: boolean): number {
  for (let at = start + 1; at < sql.length; at++) {
    const character = sql[at];
    if (hasEscapes && character === '\\') at++;
    else if (character === quote) {
      if (sql[at + 1] !== quote) return at + 1;
      at++;
    }
  }
  return -1;
}

function endOfLine(sql: string, start: number): number {
  let at = start;
  while (at < sql.length && !LINE_BREAKS.includes(sql[at]!)) at++;
  return at;
}

/** Block comments nest. */
function endOfBlockComment(sql: string, start: number): number {
  let depth = 1;
  for (let at = start + 2; at < sql.length;) {
    const pair = sql.slice(at, at + 2);
    if (pair === '/*') depth++;
    if (pair === '*/') depth--;
    at += pair === '/*' || pair === '*/' ? 2 : 1;
    if (depth === 0) return at;
  }
  return -1;
}

function dollar(sql: string, at: number): SqlToken {
  let end = at + 1;
  if (isDigit(sql[end] ?? '')) {
    while (end < sql.length && isWordPart(sql[end]!)) end++;
    return { kind: 'parameter', start: at, end };
  }
  while (end < sql.length && sql[end] !== '$' && isWordPart(sql[end]!)) end++;
  if (sql[end] !== '$') return { kind: 'other', start: at, end: at + 1 };
  const tag = sql.slice(at, end + 1);
  const close = sql.indexOf(tag, end + 1);
  return quoted('string', at, close < 0 ? -1 : close + tag.length, sql);
}

/** Digits, radix prefixes, underscores, points and exponents; letters that touch a number are taken into it (the server refuses them). */
function endOfNumber(sql: string, start: number): number {
  let at = start;
  while (at < sql.length) {
    const character = sql[at]!;
    const isExponentSign = (character === '+' || character === '-') && 'eE'.includes(sql[at - 1]!) && isDigit(sql[at + 1] ?? '');
    if (!isWordPart(character) && character !== '.' && !(isExponentSign && at > start)) break;
    at++;
  }
  return at;
}

function isDigit(character: string): boolean {
  return character >= '0' && character <= '9';
}

function isWordStart(character: string): boolean {
  return (character >= 'a' && character <= 'z') || (character >= 'A' && character <= 'Z') || character === '_' || character >= '\u0080';
}

function isWordPart(character: string): boolean {
  return isWordStart(character) || isDigit(character) || character === '$';
}

const LINE_BREAKS = '\n\r';
const SPACES = ' \t\n\r\f\v';
