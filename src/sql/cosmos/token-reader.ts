import { notUnderstood, overBound, queryBounds, tokensOf, type Token } from './tokens.ts';

/** Reads tokens one after the other; keywords in any case. */
export class TokenReader {
  readonly #tokens: readonly Token[];
  #at = 0;
  #depth = 0;

  constructor(query: string) {
    this.#tokens = tokensOf(query);
  }

  peek(ahead = 0): Token {
    return this.#tokens[Math.min(this.#at + ahead, this.#tokens.length - 1)]!;
  }

  next(): Token {
    const token = this.peek();
    this.#at = Math.min(this.#at + 1, this.#tokens.length - 1);
    return token;
  }

  isSymbol(symbol: string, ahead = 0): boolean {
    const token = this.peek(ahead);
    return token.kind === 'symbol' && token.text === symbol;
  }

  isKeyword(keyword: string, ahead = 0): boolean {
    const token = this.peek(ahead);
    return token.kind === 'word' && token.text.toUpperCase() === keyword;
  }

  takeSymbol(symbol: string): boolean {
    return this.isSymbol(symbol) && this.next() !== undefined;
  }

  takeKeyword(keyword: string): boolean {
    return this.isKeyword(keyword) && this.next() !== undefined;
  }

  expectSymbol(symbol: string): void {
    if (!this.takeSymbol(symbol)) throw this.unexpected(`"${symbol}"`);
  }

  expectKeyword(keyword: string): void {
    if (!this.takeKeyword(keyword)) throw this.unexpected(keyword);
  }

  /** A name that is no reserved word. */
  expectName(): string {
    if (!this.isName()) throw this.unexpected('a name');
    return this.next().text;
  }

  /** A name where no keyword can stand: behind a dot or AS. */
  expectWord(): string {
    if (this.peek().kind !== 'word') throw this.unexpected('a name');
    return this.next().text;
  }

  isName(ahead = 0): boolean {
    const token = this.peek(ahead);
    return token.kind === 'word' && !RESERVED.has(token.text.toUpperCase());
  }

  expectEnd(): void {
    if (this.peek().kind !== 'end') throw this.unexpected('its end');
  }

  /** Runs one level deeper, so that no query can exhaust the stack. */
  deeper<T>(read: () => T): T {
    this.#depth += 1;
    if (this.#depth > queryBounds.depth) throw overBound(queryBounds.depth, 'levels');
    const value = read();
    this.#depth -= 1;
    return value;
  }

  unexpected(expected: string): Error {
    return notUnderstood(`expected ${expected} at character ${this.peek().start + 1}`);
  }
}

/** Words that no name may be (Microsoft Learn, "Keywords", and the grammar's own). */
const RESERVED: ReadonlySet<string> = new Set([
  'ALL',
  'AND',
  'ANY',
  'ARRAY',
  'AS',
  'ASC',
  'BETWEEN',
  'BY',
  'CASE',
  'CAST',
  'CONVERT',
  'CROSS',
  'DESC',
  'DISTINCT',
  'ELSE',
  'END',
  'ESCAPE',
  'EXISTS',
  'FALSE',
  'FOR',
  'FROM',
  'GROUP',
  'HAVING',
  'IN',
  'INNER',
  'INSERT',
  'INTO',
  'IS',
  'JOIN',
  'LEFT',
  'LET',
  'LIKE',
  'LIMIT',
  'NOT',
  'NULL',
  'OFFSET',
  'ON',
  'OR',
  'ORDER',
  'OUTER',
  'OVER',
  'RANK',
  'RIGHT',
  'SELECT',
  'SET',
  'THEN',
  'TOP',
  'TRUE',
  'UDF',
  'UNDEFINED',
  'UPDATE',
  'VALUE',
  'WHEN',
  'WHERE',
  'WITH',
]);
