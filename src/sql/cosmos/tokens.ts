import { GatewayFault } from '../../core/fault.ts';

/** One token of a query, with its place in UTF-16 units. */
export interface Token {
  /** `word`: a name or a keyword. `symbol`: an operator or punctuation. `end`: behind the last one. */
  readonly kind: 'word' | 'string' | 'number' | 'parameter' | 'symbol' | 'end';
  /** As written; of a string, what it means; of a parameter, with its `@`. */
  readonly text: string;
  readonly start: number;
  readonly end: number;
}

/** Bounds of a query. Cosmos DB itself takes 512 KB. */
export const queryBounds = { characters: 262_144, tokens: 20_000, depth: 64 } as const;

/**
 * Cuts a query of the Azure Cosmos DB for NoSQL query language into tokens. Faults: `unclassified` for what could be read in two ways (comments, names
 * beyond ASCII, escapes that are not documented), `limit-exceeded` for `queryBounds`.
 */
export function tokensOf(query: string): readonly Token[] {
  if (query.length > queryBounds.characters) throw overBound(queryBounds.characters, 'characters');
  const tokens: Token[] = [];
  for (let at = skipSpace(query, 0); at < query.length; at = skipSpace(query, tokens.at(-1)!.end)) {
    tokens.push(tokenAt(query, at));
    if (tokens.length > queryBounds.tokens) throw overBound(queryBounds.tokens, 'words and signs');
  }
  return [...tokens, { kind: 'end', text: '', start: query.length, end: query.length }];
}

export function notUnderstood(problem: string): GatewayFault {
  return new GatewayFault('unclassified', {
    publicMessage: `the query cannot be understood with certainty: ${problem}`,
    hint: 'Write it in the documented query language of Azure Cosmos DB for NoSQL, without comments.',
  });
}

export function overBound(bound: number, unit: string): GatewayFault {
  return new GatewayFault('limit-exceeded', { publicMessage: `the query has more than ${bound} ${unit}` });
}

function tokenAt(query: string, start: number): Token {
  const character = query[start]!;
  if (character === '"' || character === "'") return stringAt(query, start);
  const word = match(WORD, query, start);
  if (word !== undefined) return { kind: 'word', text: word, start, end: start + word.length };
  const number = match(NUMBER, query, start);
  if (number !== undefined) return numberAt(query, start, number);
  const parameter = match(PARAMETER, query, start);
  if (parameter !== undefined) return { kind: 'parameter', text: parameter, start, end: start + parameter.length };
  const symbol = SYMBOLS.find((one) => query.startsWith(one, start));
  if (symbol === undefined) throw notUnderstood(`a character that it does not know, at character ${start + 1}`);
  if (symbol === '--' || symbol === '/*') throw notUnderstood('comments are not passed, because servers read them in different ways');
  return { kind: 'symbol', text: symbol, start, end: start + symbol.length };
}

/** A number directly followed by a name is read in different ways. */
function numberAt(query: string, start: number, text: string): Token {
  const end = start + text.length;
  if (match(WORD, query, end) !== undefined || match(NUMBER, query, end) !== undefined)
    throw notUnderstood(`a number that runs into the next word, at character ${start + 1}`);
  return { kind: 'number', text, start, end };
}

/** In single or double quotes, with the escapes of JSON and `\'`. */
function stringAt(query: string, start: number): Token {
  const quote = query[start]!;
  let meant = '';
  for (let at = start + 1; at < query.length; at += 1) {
    const character = query[at]!;
    if (character === quote) return { kind: 'string', text: meant, start, end: at + 1 };
    if (character !== '\\') {
      meant += character;
      continue;
    }
    const escape = query[at + 1] ?? '';
    const hex = escape === 'u' ? match(HEX4, query, at + 2) : undefined;
    const plain = hex === undefined ? ESCAPES.get(escape) : String.fromCharCode(Number.parseInt(hex, 16));
    if (plain === undefined) throw notUnderstood(`an escape that is not documented, at character ${at + 1}`);
    meant += plain;
    at += hex === undefined ? 1 : 5;
  }
  throw notUnderstood(`a string without its end, from character ${start + 1}`);
}

function skipSpace(query: string, from: number): number {
  let at = from;
  while (' \t\r\n'.includes(query[at] ?? 'end')) at += 1;
  return at;
}

function match(pattern: RegExp, text: string, at: number): string | undefined {
  pattern.lastIndex = at;
  return pattern.exec(text)?.[0];
}

const WORD = /[A-Za-z_][A-Za-z0-9_]*/y;
const NUMBER = /0[xX][0-9A-Fa-f]+|(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?/y;
const PARAMETER = /@[A-Za-z_][A-Za-z0-9_]*/y;
const HEX4 = /[0-9A-Fa-f]{4}/y;
/** Longer ones first. */
const SYMBOLS = [
  '--',
  '/*',
  '>>>',
  '>>',
  '<<',
  '<=',
  '>=',
  '!=',
  '<>',
  '??',
  '||',
  '(',
  ')',
  '[',
  ']',
  '{',
  '}',
  ',',
  '.',
  ':',
  '?',
  '*',
  '+',
  '-',
  '/',
  '%',
  '<',
  '>',
  '=',
  '&',
  '|',
  '^',
  '~',
] as const;
const ESCAPES: ReadonlyMap<string, string> = new Map([
  ['"', '"'],
  ["'", "'"],
  ['\\', '\\'],
  ['/', '/'],
  ['b', '\b'],
  ['f', '\f'],
  ['n', '\n'],
  ['r', '\r'],
  ['t', '\t'],
]);
