import { QueryError, type Node, type Select } from './parse.ts';

type Scope = ReadonlyMap<string, unknown>;
export type Parameters = ReadonlyMap<string, unknown>;
export type UserDefined = ReadonlyMap<string, (...values: readonly unknown[]) => unknown>;

export interface Row {
  readonly value: unknown;
  /** By what it is sorted. */
  readonly keys: readonly unknown[];
}

/** The rows of a query over these items, sorted, before TOP, OFFSET and LIMIT. Undefined values are left out, as Cosmos DB does. */
export function rowsOf(
  query: Select,
  items: readonly unknown[],
  parameters: Parameters,
  userDefined: UserDefined = new Map(),
): readonly Row[] {
  const evaluator = new Evaluator(parameters, userDefined);
  const scopes = items.flatMap((item) => evaluator.scopes(query, new Map(), item));
  return evaluator.rows(query, scopes);
}

export function countOf(node: Node | undefined, parameters: Parameters): number | undefined {
  if (node === undefined) return undefined;
  const value = new Evaluator(parameters, new Map()).value(node, new Map());
  if (typeof value !== 'number') throw new QueryError('TOP, OFFSET and LIMIT take numbers');
  return value;
}

export function hasAggregate(node: Node): boolean {
  switch (node.is) {
    case 'call':
      return AGGREGATES.has(node.name.toUpperCase()) || node.args.some(hasAggregate);
    case 'get':
      return hasAggregate(node.of) || hasAggregate(node.at);
    case 'object':
      return node.members.some(([, member]) => hasAggregate(member));
    case 'array':
      return node.elements.some(hasAggregate);
    case 'unary':
      return hasAggregate(node.of);
    case 'binary':
      return hasAggregate(node.left) || hasAggregate(node.right);
    case 'if':
      return hasAggregate(node.test) || hasAggregate(node.yes) || hasAggregate(node.no);
    default:
      return false;
  }
}

/** Undefined, null, booleans, numbers, texts, arrays and objects, in this order. */
export function compare(a: unknown, b: unknown): number {
  const order = rank(a) - rank(b);
  if (order !== 0) return order;
  if (typeof a === 'number' && typeof b === 'number') return a - b;
  if (typeof a === 'string' && typeof b === 'string') return a < b ? -1 : a > b ? 1 : 0;
  if (typeof a === 'boolean' && typeof b === 'boolean') return Number(a) - Number(b);
  const [left, right] = [JSON.stringify(a) ?? '', JSON.stringify(b) ?? ''];
  return left < right ? -1 : left > right ? 1 : 0;
}

class Evaluator {
  readonly #parameters: Parameters;
  readonly #userDefined: UserDefined;
  constructor(parameters: Parameters, userDefined: UserDefined) {
    this.#parameters = parameters;
    this.#userDefined = userDefined;
  }

  scopes(query: Select, outer: Scope, item: unknown): readonly Scope[] {
    let scopes: Scope[] = [outer];
    for (const { alias, each, of } of query.sources) {
      scopes = scopes.flatMap((scope) => {
        const inputs = of.is === 'query' ? this.#subquery(of.query, scope) : [this.#input(of, scope, item)];
        const values = each ? inputs.flatMap((input) => (Array.isArray(input) ? (input as unknown[]) : [])) : inputs;
        return values.filter((value) => value !== undefined).map((value) => new Map(scope).set(alias, value));
      });
    }
    const { where } = query;
    return where === undefined ? scopes : scopes.filter((scope) => this.value(where, scope) === true);
  }

  #input(of: Node, scope: Scope, item: unknown): unknown {
    if (of.is === 'name') return scope.has(of.name) ? scope.get(of.name) : item;
    return of.is === 'get' ? member(this.#input(of.of, scope, item), this.value(of.at, scope)) : this.value(of, scope);
  }

  rows(query: Select, scopes: readonly Scope[]): readonly Row[] {
    const nodes = query.value !== undefined ? [query.value] : (query.items ?? []).map(({ node }) => node);
    const grouped = query.groupBy.length > 0 || nodes.some(hasAggregate);
    const groups = grouped ? this.#groups(query, scopes) : scopes.map((scope) => [scope]);
    const rows = groups
      .map((group): Row => {
        const first = group[0] ?? new Map<string, unknown>();
        return {
          value: this.#selected(query, first, grouped ? group : undefined),
          keys: query.orderBy.map(({ node }) => this.value(node, first)),
        };
      })
      .filter(({ value }) => value !== undefined);
    rows.sort((a, b) => {
      for (const [index, { descending }] of query.orderBy.entries()) {
        const order = compare(a.keys[index], b.keys[index]);
        if (order !== 0) return descending ? -order : order;
      }
      return 0;
    });
    if (!query.distinct) return rows;
    const seen = new Set<string>();
    return rows.filter(({ value }) => {
      const text = JSON.stringify(value);
      return !seen.has(text) && seen.add(text);
    });
  }

  #groups(query: Select, scopes: readonly Scope[]): readonly (readonly Scope[])[] {
    if (query.groupBy.length === 0) return [scopes];
    const groups = new Map<string, Scope[]>();
    for (const scope of scopes) {
      const key = JSON.stringify(query.groupBy.map((node) => this.value(node, scope) ?? { undefined: true }));
      const group = groups.get(key);
      if (group === undefined) groups.set(key, [scope]);
      else group.push(scope);
    }
    return [...groups.values()];
  }

  #selected(query: Select, scope: Scope, group: readonly Scope[] | undefined): unknown {
    if (query.value !== undefined) return this.value(query.value, scope, group);
    if (query.items === undefined) return scope.get(query.sources[0]?.alias ?? '');
    const members = query.items.map(({ node, alias }) => [alias, this.value(node, scope, group)] as const);
    return Object.fromEntries(members.filter(([, value]) => value !== undefined));
  }

  #subquery(query: Select, scope: Scope): readonly unknown[] {
    const scopes = this.scopes(query, scope, undefined);
    const rows = this.rows(query, scopes).map(({ value }) => value);
    return query.top === undefined ? rows : rows.slice(0, countOf(query.top, this.#parameters));
  }

  value(node: Node, scope: Scope, group?: readonly Scope[]): unknown {
    switch (node.is) {
      case 'literal':
        return node.value;
      case 'parameter':
        return this.#parameters.get(node.name);
      case 'name':
        if (!scope.has(node.name)) throw new QueryError(`Identifier '${node.name}' could not be resolved.`);
        return scope.get(node.name);
      case 'get':
        return member(this.value(node.of, scope, group), this.value(node.at, scope, group));
      case 'object': {
        const members = node.members.map(([key, inner]) => [key, this.value(inner, scope, group)] as const);
        return Object.fromEntries(members.filter(([, value]) => value !== undefined));
      }
      case 'array':
        return node.elements.map((inner) => this.value(inner, scope, group)).filter((value) => value !== undefined);
      case 'call':
        return this.#call(node.name, node.args, scope, group);
      case 'unary':
        return unary(node.op, this.value(node.of, scope, group));
      case 'binary':
        return binary(node.op, this.value(node.left, scope, group), () => this.value(node.right, scope, group));
      case 'in': {
        const value = this.value(node.of, scope, group);
        return value === undefined ? undefined : node.list.some((one) => same(value, this.value(one, scope, group)));
      }
      case 'between': {
        const [value, low, high] = [node.of, node.low, node.high].map((one) => this.value(one, scope, group));
        return typeof value !== typeof low || typeof value !== typeof high
          ? undefined
          : compare(value, low) >= 0 && compare(value, high) <= 0;
      }
      case 'if':
        return this.value(this.value(node.test, scope, group) === true ? node.yes : node.no, scope, group);
      case 'query': {
        const rows = this.#subquery(node.query, scope);
        return node.how === 'exists' ? rows.length > 0 : node.how === 'array' ? rows : rows[0];
      }
      default:
        return node satisfies never;
    }
  }

  #call(name: string, args: readonly Node[], scope: Scope, group: readonly Scope[] | undefined): unknown {
    const known = name.toUpperCase();
    if (AGGREGATES.has(known) && group !== undefined) {
      const values = group.map((one) => this.value(args[0]!, one)).filter((value) => value !== undefined);
      return aggregate(known, values);
    }
    const implementation = /^udf\./i.test(name) ? this.#userDefined.get(name.slice(4)) : FUNCTIONS.get(known);
    if (implementation === undefined) throw new QueryError(`'${name}' is not a recognized built-in function name.`);
    return implementation(...args.map((one) => this.value(one, scope, group)));
  }
}

function aggregate(name: string, values: readonly unknown[]): unknown {
  switch (name) {
    case 'COUNT':
      return values.length;
    case 'SUM':
    case 'AVG': {
      if (values.some((value) => typeof value !== 'number')) return undefined;
      if (values.length === 0) return name === 'SUM' ? 0 : undefined;
      const sum = (values as readonly number[]).reduce((total, value) => total + value, 0);
      return name === 'SUM' ? sum : sum / values.length;
    }
    case 'MIN':
    case 'MAX':
      return values.reduce(
        (best, value) => (best === undefined || compare(value, best) * (name === 'MIN' ? 1 : -1) < 0 ? value : best),
        undefined,
      );
    default:
      throw new QueryError(`unknown aggregate ${name}`);
  }
}

function unary(op: string, value: unknown): unknown {
  if (op === 'NOT') return typeof value === 'boolean' ? !value : undefined;
  if (typeof value !== 'number') return undefined;
  return op === '-' ? -value : op === '~' ? ~value : value;
}

function binary(op: string, left: unknown, right: () => unknown): unknown {
  if (op === '??') return left === undefined ? right() : left;
  const other = right();
  if (op === 'AND') return left === false || other === false ? false : left === true && other === true ? true : undefined;
  if (op === 'OR') return left === true || other === true ? true : left === false && other === false ? false : undefined;
  if (left === undefined || other === undefined) return undefined;
  if (op === '=') return same(left, other);
  if (op === '!=' || op === '<>') return !same(left, other);
  if (op === '||') return typeof left === 'string' && typeof other === 'string' ? left + other : undefined;
  if (op === 'LIKE') return typeof left === 'string' && typeof other === 'string' ? like(other).test(left) : undefined;
  if (['<', '>', '<=', '>='].includes(op)) {
    if (typeof left !== typeof other || typeof left === 'object') return undefined;
    const order = compare(left, other);
    return op === '<' ? order < 0 : op === '>' ? order > 0 : op === '<=' ? order <= 0 : order >= 0;
  }
  if (typeof left !== 'number' || typeof other !== 'number') return undefined;
  return ARITHMETIC.get(op)?.(left, other);
}

function like(pattern: string): RegExp {
  const escaped = pattern
    .replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&')
    .replaceAll('%', '[\\s\\S]*')
    .replaceAll('_', '[\\s\\S]');
  return new RegExp(`^${escaped}$`);
}

function member(value: unknown, at: unknown): unknown {
  if (Array.isArray(value)) return typeof at === 'number' ? (value as unknown[])[at] : undefined;
  if (typeof value !== 'object' || value === null || typeof at !== 'string' || !Object.hasOwn(value, at)) return undefined;
  return (value as Record<string, unknown>)[at];
}

function same(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

function rank(value: unknown): number {
  if (value === undefined) return 0;
  if (value === null) return 1;
  return ['boolean', 'number', 'string'].indexOf(typeof value) < 0
    ? Array.isArray(value)
      ? 5
      : 6
    : ['boolean', 'number', 'string'].indexOf(typeof value) + 2;
}

function text(of: (...texts: readonly string[]) => unknown): (...values: readonly unknown[]) => unknown {
  return (...values) => (values.every((value) => typeof value === 'string') ? of(...values) : undefined);
}

const AGGREGATES = new Set(['COUNT', 'SUM', 'AVG', 'MIN', 'MAX']);
const ARITHMETIC = new Map<string, (a: number, b: number) => number>([
  ['+', (a, b) => a + b],
  ['-', (a, b) => a - b],
  ['*', (a, b) => a * b],
  ['/', (a, b) => a / b],
  ['%', (a, b) => a % b],
  ['&', (a, b) => a & b],
  ['|', (a, b) => a | b],
  ['^', (a, b) => a ^ b],
]);
const FUNCTIONS = new Map<string, (...values: readonly unknown[]) => unknown>([
  ['UPPER', text((one) => one.toUpperCase())],
  ['LOWER', text((one) => one.toLowerCase())],
  ['REVERSE', text((one) => Array.from(one).reverse().join(''))],
  ['TRIM', text((one) => one.trim())],
  ['CONCAT', text((...all) => all.join(''))],
  ['CONTAINS', text((one, part) => one.includes(part))],
  ['STARTSWITH', text((one, part) => one.startsWith(part))],
  ['ENDSWITH', text((one, part) => one.endsWith(part))],
  ['REPLACE', text((one, from, to) => one.replaceAll(from, to))],
  ['STRINGSPLIT', text((one, by) => one.split(by))],
  ['STRINGTONUMBER', text((one) => (Number.isNaN(Number(one)) ? undefined : Number(one)))],
  ['LENGTH', (one) => (typeof one === 'string' ? one.length : undefined)],
  ['LEFT', (one, count) => (typeof one === 'string' && typeof count === 'number' ? one.slice(0, count) : undefined)],
  ['RIGHT', (one, count) => (typeof one === 'string' && typeof count === 'number' ? one.slice(-count) : undefined)],
  [
    'SUBSTRING',
    (one, from, count) =>
      typeof one === 'string' && typeof from === 'number' && typeof count === 'number' ? one.slice(from, from + count) : undefined,
  ],
  ['TOSTRING', (one) => (one === undefined ? undefined : typeof one === 'string' ? one : JSON.stringify(one))],
  ['ABS', (one) => (typeof one === 'number' ? Math.abs(one) : undefined)],
  ['IS_DEFINED', (one) => one !== undefined],
  ['IS_NULL', (one) => one === null],
  ['IS_STRING', (one) => typeof one === 'string'],
  ['IS_NUMBER', (one) => typeof one === 'number'],
  ['IS_BOOL', (one) => typeof one === 'boolean'],
  ['IS_ARRAY', (one) => Array.isArray(one)],
  ['IS_OBJECT', (one) => typeof one === 'object' && one !== null && !Array.isArray(one)],
  ['ARRAY_LENGTH', (one) => (Array.isArray(one) ? one.length : undefined)],
  ['ARRAY_CONTAINS', (list, one) => (Array.isArray(list) ? (list as unknown[]).some((element) => same(element, one)) : undefined)],
  ['ARRAY_CONCAT', (...all) => (all.every(Array.isArray) ? (all as unknown[][]).flat() : undefined)],
  [
    'ARRAY_SLICE',
    (list, from, count) =>
      Array.isArray(list) && typeof from === 'number'
        ? (list as unknown[]).slice(from, typeof count === 'number' ? from + count : undefined)
        : undefined,
  ],
  [
    'OBJECTTOARRAY',
    (one) => (typeof one === 'object' && one !== null ? Object.entries(one).map(([k, v]) => ({ k, v: v as unknown })) : undefined),
  ],
]);
