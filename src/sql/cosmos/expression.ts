import { builtInFunctions } from './functions.ts';
import type { Expression, Query } from './syntax.ts';
import type { TokenReader } from './token-reader.ts';
import { notUnderstood } from './tokens.ts';

/**
 * Reads scalar expressions (Microsoft Learn, "Scalar expressions"). Which operator binds tighter decides nothing here: whatever takes part in an
 * operation reaches its value. Where an expression ends is all that matters, and that is the same for every order of binding.
 */
export class ExpressionReader {
  readonly #tokens: TokenReader;
  readonly #subquery: () => Query;

  /** `subquery` reads a query from SELECT up to its end. */
  constructor(tokens: TokenReader, subquery: () => Query) {
    this.#tokens = tokens;
    this.#subquery = subquery;
  }

  expression(): Expression {
    return this.#tokens.deeper(() => this.#choice());
  }

  list(close: string): readonly Expression[] {
    const elements: Expression[] = [];
    if (this.#tokens.takeSymbol(close)) return elements;
    do elements.push(this.expression());
    while (this.#tokens.takeSymbol(','));
    this.#tokens.expectSymbol(close);
    return elements;
  }

  /** `a ? b : c`, `a ?? b`. */
  #choice(): Expression {
    const first = this.#binary();
    if (this.#tokens.takeSymbol('??')) return operation(first, this.expression());
    if (!this.#tokens.takeSymbol('?')) return first;
    const then = this.expression();
    this.#tokens.expectSymbol(':');
    return operation(first, then, this.expression());
  }

  #binary(): Expression {
    const operands = [this.#unary()];
    for (;;) {
      if (this.#takeOperator()) operands.push(this.#unary());
      else if (this.#tokens.isKeyword('NOT') && !this.#isNegatable(1)) throw this.#tokens.unexpected('IN, LIKE or BETWEEN');
      else if (!this.#tokens.isKeyword('NOT') && !this.#isNegatable(0)) break;
      else {
        this.#tokens.takeKeyword('NOT');
        operands.push(...this.#negatable());
      }
    }
    return operands.length === 1 ? operands[0]! : operation(...operands);
  }

  #takeOperator(): boolean {
    const { kind, text } = this.#tokens.peek();
    const isOperator = kind === 'symbol' ? OPERATORS.has(text) : this.#tokens.isKeyword('AND') || this.#tokens.isKeyword('OR');
    if (isOperator) this.#tokens.next();
    return isOperator;
  }

  #isNegatable(ahead: number): boolean {
    return ['IN', 'LIKE', 'BETWEEN'].some((keyword) => this.#tokens.isKeyword(keyword, ahead));
  }

  #negatable(): readonly Expression[] {
    if (this.#tokens.takeKeyword('IN')) {
      this.#tokens.expectSymbol('(');
      const elements = this.list(')');
      if (elements.length === 0) throw this.#tokens.unexpected('something to look for');
      return elements;
    }
    if (this.#tokens.takeKeyword('LIKE')) {
      const pattern = this.#unary();
      return this.#tokens.takeKeyword('ESCAPE') ? [pattern, this.#unary()] : [pattern];
    }
    this.#tokens.expectKeyword('BETWEEN');
    // The AND of BETWEEN is read as any other one would be.
    return [this.#unary()];
  }

  #unary(): Expression {
    const isSign = ['+', '-', '~'].some((sign) => this.#tokens.takeSymbol(sign)) || this.#tokens.takeKeyword('NOT');
    return isSign ? operation(this.#tokens.deeper(() => this.#unary())) : this.#access(this.#primary());
  }

  /** `.name`, `["name"]`, `[0]`, `[@computed]`. */
  #access(of: Expression): Expression {
    return this.#tokens.isSymbol('.') || this.#tokens.isSymbol('[') ? this.#tokens.deeper(() => this.#step(of)) : of;
  }

  #step(of: Expression): Expression {
    if (this.#tokens.takeSymbol('.')) {
      return this.#access({ kind: 'member', of, key: this.#tokens.expectWord() });
    }
    this.#tokens.expectSymbol('[');
    const { kind, text } = this.#tokens.peek();
    const isPlain = this.#tokens.isSymbol(']', 1);
    if (isPlain && (kind === 'string' || kind === 'number')) {
      this.#tokens.next();
      this.#tokens.next();
      return this.#access(kind === 'string' ? { kind: 'member', of, key: text } : { kind: 'element', of });
    }
    const computed = this.expression();
    this.#tokens.expectSymbol(']');
    // Which member it is depends on what was computed.
    return this.#access(
      computed.kind === 'constant' ? { kind: 'member', of, key: undefined } : operation({ kind: 'member', of, key: undefined }, computed),
    );
  }

  #primary(): Expression {
    const { kind, text } = this.#tokens.peek();
    switch (kind) {
      case 'string':
      case 'number':
      case 'parameter':
        this.#tokens.next();
        return { kind: 'constant' };
      case 'symbol':
        return this.#bracketed(text);
      case 'word':
        return this.#word(text);
      case 'end':
        throw this.#tokens.unexpected('a value');
      default:
        return kind satisfies never;
    }
  }

  #bracketed(symbol: string): Expression {
    if (this.#tokens.takeSymbol('[')) return { kind: 'array', elements: this.list(']') };
    if (this.#tokens.takeSymbol('{')) return this.#object();
    if (symbol !== '(') throw this.#tokens.unexpected('a value');
    if (this.#tokens.isKeyword('SELECT', 1)) return this.#query('one');
    this.#tokens.next();
    const inner = this.expression();
    this.#tokens.expectSymbol(')');
    return inner;
  }

  #object(): Expression {
    const members: { key: string; value: Expression }[] = [];
    if (this.#tokens.takeSymbol('}')) return { kind: 'object', members };
    do {
      const { kind, text } = this.#tokens.next();
      if (kind !== 'string' && kind !== 'word') throw notUnderstood('expected a name or a string as the key of an object');
      this.#tokens.expectSymbol(':');
      members.push({ key: text, value: this.expression() });
    } while (this.#tokens.takeSymbol(','));
    this.#tokens.expectSymbol('}');
    return { kind: 'object', members };
  }

  #word(text: string): Expression {
    const word = text.toUpperCase();
    if (CONSTANTS.has(word)) {
      this.#tokens.next();
      return { kind: 'constant' };
    }
    if ((word === 'EXISTS' || word === 'ARRAY') && this.#tokens.isSymbol('(', 1)) {
      this.#tokens.next();
      return this.#query(word === 'EXISTS' ? 'exists' : 'array');
    }
    if (word === 'UDF' && this.#tokens.isSymbol('.', 1)) return this.#userDefined();
    if (this.#tokens.isSymbol('(', 1)) return this.#builtIn(word);
    return { kind: 'reference', name: this.#tokens.expectName() };
  }

  #query(how: 'one' | 'array' | 'exists'): Expression {
    this.#tokens.expectSymbol('(');
    const query = this.#tokens.deeper(this.#subquery);
    this.#tokens.expectSymbol(')');
    return { kind: 'query', how, query };
  }

  #userDefined(): Expression {
    this.#tokens.next();
    this.#tokens.next();
    const name = this.#tokens.expectWord();
    this.#tokens.expectSymbol('(');
    return { kind: 'call', name, isUserDefined: true, operands: this.list(')') };
  }

  #builtIn(name: string): Expression {
    if (!builtInFunctions.has(name)) throw notUnderstood(`the function ${name} is not known`);
    this.#tokens.next();
    this.#tokens.next();
    return { kind: 'call', name, isUserDefined: false, operands: this.list(')') };
  }
}

function operation(...operands: readonly Expression[]): Expression {
  return { kind: 'operation', operands };
}

const CONSTANTS: ReadonlySet<string> = new Set(['NULL', 'TRUE', 'FALSE', 'UNDEFINED']);
const OPERATORS: ReadonlySet<string> = new Set([
  '+',
  '-',
  '*',
  '/',
  '%',
  '=',
  '!=',
  '<>',
  '<',
  '>',
  '<=',
  '>=',
  '||',
  '&',
  '|',
  '^',
  '<<',
  '>>',
  '>>>',
]);
