import { ExpressionReader } from './expression.ts';
import type { Expression, Query, Selection, SelectItem, Source } from './syntax.ts';
import { TokenReader } from './token-reader.ts';
import { notUnderstood } from './tokens.ts';

/**
 * Reads a query of Azure Cosmos DB for NoSQL (Microsoft Learn, "Query language reference"): SELECT … FROM … JOIN … WHERE … GROUP BY … ORDER BY …
 * OFFSET … LIMIT …, with sub-queries. Faults: `unclassified` for whatever it does not know, `limit-exceeded` for `queryBounds`.
 */
export function parseQuery(text: string): Query {
  const tokens = new TokenReader(text);
  const query = new QueryReader(tokens).query();
  tokens.expectEnd();
  return query;
}

/** Reads the condition of a partial update, `FROM c WHERE …` (Microsoft Learn, "Partial document update"). */
export function parseCondition(text: string): Query {
  const tokens = new TokenReader(text);
  const reader = new QueryReader(tokens);
  if (!tokens.isKeyword('FROM')) throw tokens.unexpected('FROM');
  const query = reader.rest(false, { kind: 'value', expression: { kind: 'constant' } });
  tokens.expectEnd();
  return query;
}

class QueryReader {
  readonly #tokens: TokenReader;
  readonly #expressions: ExpressionReader;

  constructor(tokens: TokenReader) {
    this.#tokens = tokens;
    this.#expressions = new ExpressionReader(tokens, () => this.query());
  }

  query(): Query {
    this.#tokens.expectKeyword('SELECT');
    let distinct = this.#tokens.takeKeyword('DISTINCT');
    if (this.#tokens.takeKeyword('TOP')) this.#count();
    distinct = this.#tokens.takeKeyword('DISTINCT') || distinct;
    return this.rest(distinct, this.#selection());
  }

  /** Everything from FROM on. */
  rest(distinct: boolean, selection: Selection): Query {
    const from = this.#tokens.takeKeyword('FROM') ? this.#sources() : [];
    const where = this.#tokens.takeKeyword('WHERE') ? this.#expressions.expression() : undefined;
    const groupBy = this.#clause('GROUP') ? this.#expressionList() : [];
    const orderBy = this.#clause('ORDER') ? this.#sorts() : [];
    if (this.#tokens.takeKeyword('OFFSET')) {
      this.#count();
      this.#tokens.expectKeyword('LIMIT');
      this.#count();
    }
    return { distinct, selection, from, where, groupBy, orderBy };
  }

  #selection(): Selection {
    if (this.#tokens.takeSymbol('*')) return { kind: 'star' };
    if (this.#tokens.takeKeyword('VALUE')) {
      const expression = this.#expressions.expression();
      this.#alias();
      return { kind: 'value', expression };
    }
    const items: SelectItem[] = [];
    do {
      const expression = this.#expressions.expression();
      items.push({ expression, name: this.#alias() ?? ownName(expression) });
    } while (this.#tokens.takeSymbol(','));
    return { kind: 'list', items };
  }

  #sources(): readonly Source[] {
    const sources: Source[] = [];
    do sources.push(this.#source());
    while (this.#tokens.takeKeyword('JOIN'));
    return sources;
  }

  #source(): Source {
    if (this.#tokens.isName() && this.#tokens.isKeyword('IN', 1)) {
      const alias = this.#tokens.expectName();
      this.#tokens.next();
      return { alias, iterates: true, of: this.#input() };
    }
    const of = this.#input();
    // An input that nobody can name is there for the number of its rows alone.
    const alias = this.#alias() ?? (of.kind === 'query' ? '' : ownName(of));
    if (alias === undefined) throw notUnderstood('an input of FROM has no name: give it one with AS');
    return { alias, iterates: false, of };
  }

  /** A path from a name, or a sub-query. */
  #input(): Expression {
    if (this.#tokens.takeSymbol('(')) {
      const query = this.#tokens.deeper(() => this.query());
      this.#tokens.expectSymbol(')');
      return { kind: 'query', how: 'one', query };
    }
    return this.#path({ kind: 'reference', name: this.#tokens.expectName() });
  }

  #path(of: Expression): Expression {
    if (this.#tokens.takeSymbol('.')) return this.#deeper({ kind: 'member', of, key: this.#tokens.expectWord() });
    if (!this.#tokens.takeSymbol('[')) return of;
    const { kind, text } = this.#tokens.next();
    if (kind !== 'string' && kind !== 'number') throw notUnderstood('expected a name or a number in the brackets of a path');
    this.#tokens.expectSymbol(']');
    return this.#deeper(kind === 'string' ? { kind: 'member', of, key: text } : { kind: 'element', of });
  }

  #deeper(path: Expression): Expression {
    return this.#tokens.deeper(() => this.#path(path));
  }

  #sorts(): readonly Expression[] {
    const sorts: Expression[] = [];
    do {
      sorts.push(this.#expressions.expression());
      if (!this.#tokens.takeKeyword('ASC')) this.#tokens.takeKeyword('DESC');
    } while (this.#tokens.takeSymbol(','));
    return sorts;
  }

  #expressionList(): readonly Expression[] {
    const list: Expression[] = [];
    do list.push(this.#expressions.expression());
    while (this.#tokens.takeSymbol(','));
    return list;
  }

  #clause(keyword: 'GROUP' | 'ORDER'): boolean {
    if (!this.#tokens.takeKeyword(keyword)) return false;
    this.#tokens.expectKeyword('BY');
    return true;
  }

  #alias(): string | undefined {
    if (this.#tokens.takeKeyword('AS')) return this.#tokens.expectWord();
    return this.#tokens.isName() ? this.#tokens.next().text : undefined;
  }

  /** Of TOP, OFFSET and LIMIT: a number or a parameter. */
  #count(): void {
    const { kind } = this.#tokens.next();
    if (kind !== 'number' && kind !== 'parameter') throw notUnderstood('expected a number or a parameter behind TOP, OFFSET and LIMIT');
  }
}

/** The key that the server gives a selected path: its last name. */
function ownName(expression: Expression): string | undefined {
  if (expression.kind === 'reference') return expression.name;
  return expression.kind === 'member' ? expression.key : undefined;
}
