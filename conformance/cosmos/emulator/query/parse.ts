/**
 * The emulator's own reader of queries: a precedence climber that keeps where each expression stood, so that a plan can be put together from pieces of the
 * query. It shares nothing with the gateway's parser, against which it is a second opinion.
 */
export type Node = { readonly from: number; readonly to: number } & (
  | { readonly is: 'literal'; readonly value: unknown }
  | { readonly is: 'parameter' | 'name'; readonly name: string }
  | { readonly is: 'get'; readonly of: Node; readonly at: Node }
  | { readonly is: 'object'; readonly members: readonly (readonly [string, Node])[] }
  | { readonly is: 'array'; readonly elements: readonly Node[] }
  | { readonly is: 'call'; readonly name: string; readonly args: readonly Node[] }
  | { readonly is: 'unary'; readonly op: string; readonly of: Node }
  | { readonly is: 'binary'; readonly op: string; readonly left: Node; readonly right: Node }
  | { readonly is: 'in'; readonly of: Node; readonly list: readonly Node[] }
  | { readonly is: 'between'; readonly of: Node; readonly low: Node; readonly high: Node }
  | { readonly is: 'if'; readonly test: Node; readonly yes: Node; readonly no: Node }
  | { readonly is: 'query'; readonly how: 'one' | 'array' | 'exists'; readonly query: Select }
);

export interface Select {
  readonly distinct: boolean;
  readonly top: Node | undefined;
  readonly value: Node | undefined;
  /** Undefined: `*`. */
  readonly items: readonly { readonly node: Node; readonly alias: string }[] | undefined;
  readonly sources: readonly { readonly alias: string; readonly each: boolean; readonly of: Node }[];
  /** From FROM up to WHERE or what follows. */
  readonly fromText: string;
  readonly where: Node | undefined;
  readonly groupBy: readonly Node[];
  readonly orderBy: readonly { readonly node: Node; readonly descending: boolean }[];
  readonly offset: Node | undefined;
  readonly limit: Node | undefined;
  readonly text: string;
}

export class QueryError extends Error {}

export function parse(text: string): Select {
  const reader = new Reader(text);
  const query = reader.select();
  reader.skip();
  if (reader.at < text.length) throw new QueryError(`Syntax error near '${text.slice(reader.at, reader.at + 12)}'`);
  return query;
}

export function parseCondition(text: string): Select {
  return parse(`SELECT VALUE 1 ${text}`);
}

class Reader {
  at = 0;
  readonly #text: string;
  constructor(text: string) {
    this.#text = text;
  }

  skip(): void {
    while (/\s/.test(this.#text[this.at] ?? '')) this.at += 1;
  }

  #take(pattern: RegExp): string | undefined {
    this.skip();
    const sticky = new RegExp(pattern.source, `${pattern.flags}y`);
    sticky.lastIndex = this.at;
    const found = sticky.exec(this.#text)?.[0];
    if (found !== undefined) this.at += found.length;
    return found;
  }

  #word(word: string): boolean {
    return this.#take(new RegExp(`${word}\\b`, 'i')) !== undefined;
  }

  #need(pattern: RegExp): string {
    const found = this.#take(pattern);
    if (found === undefined) throw new QueryError(`Syntax error near '${this.#text.slice(this.at, this.at + 12)}'`);
    return found;
  }

  select(): Select {
    this.skip();
    const begin = this.at;
    this.#need(/SELECT\b/i);
    let distinct = this.#word('DISTINCT');
    const top = this.#word('TOP') ? this.#primary() : undefined;
    distinct = this.#word('DISTINCT') || distinct;
    let value: Node | undefined;
    let items: { node: Node; alias: string }[] | undefined;
    if (this.#take(/\*/) === undefined) {
      if (this.#word('VALUE')) value = this.expression();
      else {
        items = [];
        let made = 1;
        do {
          const node = this.expression();
          const own =
            node.is === 'name'
              ? node.name
              : node.is === 'get' && node.at.is === 'literal' && typeof node.at.value === 'string'
                ? node.at.value
                : undefined;
          items.push({ node, alias: this.#alias() ?? own ?? `$${made++}` });
        } while (this.#take(/,/) !== undefined);
      }
    }
    this.skip();
    const fromStart = this.at;
    const sources: { alias: string; each: boolean; of: Node }[] = [];
    if (this.#word('FROM')) {
      do sources.push(this.#source());
      while (this.#word('JOIN'));
    }
    const fromText = this.#text.slice(fromStart, this.at);
    const where = this.#word('WHERE') ? this.expression() : undefined;
    const groupBy: Node[] = [];
    if (this.#take(/GROUP\s+BY\b/i) !== undefined) {
      do groupBy.push(this.expression());
      while (this.#take(/,/) !== undefined);
    }
    const orderBy: { node: Node; descending: boolean }[] = [];
    if (this.#take(/ORDER\s+BY\b/i) !== undefined) {
      do {
        const node = this.expression();
        const descending = this.#word('DESC');
        if (!descending) this.#word('ASC');
        orderBy.push({ node, descending });
      } while (this.#take(/,/) !== undefined);
    }
    let offset: Node | undefined;
    let limit: Node | undefined;
    if (this.#word('OFFSET')) {
      offset = this.#primary();
      this.#need(/LIMIT\b/i);
      limit = this.#primary();
    }
    return {
      distinct,
      top,
      value,
      items,
      sources,
      fromText,
      where,
      groupBy,
      orderBy,
      offset,
      limit,
      text: this.#text.slice(begin, this.at),
    };
  }

  #alias(): string | undefined {
    if (this.#word('AS')) return this.#need(/[A-Za-z_]\w*/);
    return this.#take(/(?!(?:FROM|WHERE|GROUP|ORDER|OFFSET|JOIN|IN|AS)\b)[A-Za-z_]\w*/i);
  }

  #source(): { alias: string; each: boolean; of: Node } {
    const named = this.#take(/[A-Za-z_]\w*\s+IN\b/i);
    if (named !== undefined) return { alias: named.split(/\s/)[0]!, each: true, of: this.#postfix(this.#primary()) };
    const of = this.#postfix(this.#primary());
    const own = of.is === 'name' ? of.name : of.is === 'get' && of.at.is === 'literal' ? String(of.at.value) : '';
    return { alias: this.#alias() ?? own, each: false, of };
  }

  expression(): Node {
    this.skip();
    const from = this.at;
    const test = this.#climb(0);
    if (this.#take(/\?\?/) !== undefined) return { is: 'binary', op: '??', left: test, right: this.expression(), from, to: this.at };
    if (this.#take(/\?/) === undefined) return test;
    const yes = this.expression();
    this.#need(/:/);
    const no = this.expression();
    return { is: 'if', test, yes, no, from, to: this.at };
  }

  #climb(level: number): Node {
    this.skip();
    const from = this.at;
    if (level === LEVELS.length) return this.#unary();
    let left = this.#climb(level + 1);
    for (;;) {
      if (level === COMPARISON) {
        const special = this.#special(left, from);
        if (special !== undefined) {
          left = special;
          continue;
        }
      }
      const op = this.#take(LEVELS[level]!);
      if (op === undefined) return left;
      left = { is: 'binary', op: op.toUpperCase(), left, right: this.#climb(level + 1), from, to: this.at };
    }
  }

  #special(of: Node, from: number): Node | undefined {
    const negated = this.#take(/NOT\s+(?=IN\b|LIKE\b|BETWEEN\b)/i) !== undefined;
    let node: Node | undefined;
    if (this.#word('IN')) {
      this.#need(/\(/);
      node = { is: 'in', of, list: this.#list(/\)/), from, to: this.at };
    } else if (this.#word('LIKE')) node = { is: 'binary', op: 'LIKE', left: of, right: this.#climb(COMPARISON + 1), from, to: this.at };
    else if (this.#word('BETWEEN')) {
      const low = this.#climb(COMPARISON + 1);
      this.#need(/AND\b/i);
      node = { is: 'between', of, low, high: this.#climb(COMPARISON + 1), from, to: this.at };
    }
    if (node === undefined) return undefined;
    return negated ? { is: 'unary', op: 'NOT', of: node, from, to: this.at } : node;
  }

  #unary(): Node {
    this.skip();
    const from = this.at;
    const op = this.#take(/NOT\b|[-+~]/i);
    if (op !== undefined) return { is: 'unary', op: op.toUpperCase(), of: this.#unary(), from, to: this.at };
    return this.#postfix(this.#primary());
  }

  #postfix(start: Node): Node {
    let node = start;
    for (;;) {
      if (this.#take(/\./) !== undefined) {
        const name = this.#need(/[A-Za-z_]\w*/);
        node = { is: 'get', of: node, at: { is: 'literal', value: name, from: node.from, to: this.at }, from: node.from, to: this.at };
      } else if (this.#take(/\[/) !== undefined) {
        const at = this.expression();
        this.#need(/\]/);
        node = { is: 'get', of: node, at, from: node.from, to: this.at };
      } else return node;
    }
  }

  #list(close: RegExp): readonly Node[] {
    const list: Node[] = [];
    if (this.#take(close) !== undefined) return list;
    do list.push(this.expression());
    while (this.#take(/,/) !== undefined);
    this.#need(close);
    return list;
  }

  #primary(): Node {
    this.skip();
    const from = this.at;
    const text = this.#take(/"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'/);
    if (text !== undefined) {
      const inner = text
        .slice(1, -1)
        .replaceAll(/\\'/g, "'")
        .replaceAll(/(?<!\\)"/g, '\\"');
      return { is: 'literal', value: JSON.parse(`"${inner}"`) as string, from, to: this.at };
    }
    const number = this.#take(/\d+(?:\.\d*)?(?:e[+-]?\d+)?|\.\d+/i);
    if (number !== undefined) return { is: 'literal', value: Number(number), from, to: this.at };
    const parameter = this.#take(/@\w+/);
    if (parameter !== undefined) return { is: 'parameter', name: parameter, from, to: this.at };
    if (this.#take(/\[/) !== undefined) {
      const elements = this.#list(/\]/);
      return { is: 'array', elements, from, to: this.at };
    }
    if (this.#take(/\{/) !== undefined) return this.#object(from);
    const how = this.#take(/(?:EXISTS|ARRAY)(?=\s*\()/i)?.toLowerCase();
    if (this.#take(/\((?=\s*SELECT\b)/i) !== undefined) {
      const query = this.select();
      this.#need(/\)/);
      return { is: 'query', how: how === undefined ? 'one' : (how as 'array' | 'exists'), query, from, to: this.at };
    }
    if (this.#take(/\(/) !== undefined) {
      const inner = this.expression();
      this.#need(/\)/);
      return { ...inner, from, to: this.at };
    }
    const call = this.#take(/(?:udf\.)?[A-Za-z_]\w*\s*\(/i);
    if (call !== undefined) {
      const args = this.#list(/\)/);
      return { is: 'call', name: call.slice(0, -1).trim(), args, from, to: this.at };
    }
    const name = this.#need(/(?!(?:FROM|WHERE|GROUP|ORDER|BY|SELECT|JOIN|IN|AND|OR|NOT|AS)\b)[A-Za-z_]\w*/i);
    const constant = CONSTANTS.get(name.toLowerCase());
    return constant === undefined ? { is: 'name', name, from, to: this.at } : { is: 'literal', value: constant.value, from, to: this.at };
  }

  #object(from: number): Node {
    const members: (readonly [string, Node])[] = [];
    if (this.#take(/\}/) === undefined) {
      do {
        const key = this.#need(/"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|[A-Za-z_]\w*/);
        this.#need(/:/);
        members.push([key.replaceAll(/^["']|["']$/g, ''), this.expression()]);
      } while (this.#take(/,/) !== undefined);
      this.#need(/\}/);
    }
    return { is: 'object', members, from, to: this.at };
  }
}

const LEVELS = [/OR\b/i, /AND\b/i, /=|!=|<>|<=|>=|<(?![<>=])|>(?![>=])/, /\|\||\||\^|&/, /[+-]/, /[*/%]/] as const;
const COMPARISON = 2;
const CONSTANTS = new Map<string, { readonly value: unknown }>([
  ['null', { value: null }],
  ['true', { value: true }],
  ['false', { value: false }],
  ['undefined', { value: undefined }],
]);
